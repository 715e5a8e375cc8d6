/* SPDX-License-Identifier: MIT
 * hedge.h: the whole contract of libhedge, the embeddable hedge sizer.
 *
 * The library is pure: numbers in, numbers out. It starts no thread, opens no
 * socket, reads no clock and no environment, logs nothing and never ends the
 * process. Time is an argument, int64_t nanoseconds since the Unix epoch.
 *
 * Conventions that hold for every function:
 *  - int32_t results are status codes: HEDGE_OK, errors from -1 to -99 and
 *    breaker trips from -100 to -199. A trip is an outcome, not an error.
 *  - A constructor writes *out = NULL first and never half-builds; what it
 *    returns is owned by the caller and released with the matching _free,
 *    which accepts NULL.
 *  - `hedge_error *error` is optional (NULL: no detail wanted).
 *  - Curves and policies are immutable once built: any number of threads may
 *    use one at the same time. Free one only when nobody uses it any more.
 *  - Results are promised to the bit in the floating-point environment that a
 *    program starts with: rounding to nearest, subnormals kept (no FTZ, no DAZ).
 *  - Public structs begin with struct_size; set it with HEDGE_INIT. A shorter
 *    (older) or longer (newer) struct is accepted as far as it is understood. */
#ifndef HEDGE_HEDGE_H
#define HEDGE_HEDGE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEDGE_VERSION_MAJOR 0
#define HEDGE_VERSION_MINOR 1
#define HEDGE_VERSION_PATCH 0

/* Raised only when an existing binary would break; the SONAME follows it. */
#define HEDGE_ABI_VERSION 0u

#if defined(__GNUC__)
#define HEDGE_API __attribute__((visibility("default")))
#define HEDGE_MUST_CHECK __attribute__((warn_unused_result))
#else
#define HEDGE_API
#define HEDGE_MUST_CHECK
#endif

/* Initialises a public struct: hedge_request r = HEDGE_INIT(hedge_request); */
#ifdef __cplusplus
extern "C++" {
template <typename Struct> inline Struct hedge_init_struct() noexcept
{
    Struct empty{};
    empty.struct_size = static_cast<uint32_t>(sizeof(Struct));
    return empty;
}
}
#define HEDGE_INIT(type) hedge_init_struct<type>()
#else
#define HEDGE_INIT(type)                                                                           \
    {                                                                                              \
        .struct_size = (uint32_t)sizeof(type)                                                      \
    }
#endif

/* ---- status codes: frozen once shipped -------------------------------- */

enum {
    HEDGE_OK = 0,

    HEDGE_E_ARG = -1,         /* a null pointer, or an argument no caller may pass */
    HEDGE_E_NOMEM = -2,       /* an allocation failed */
    HEDGE_E_STRUCT_SIZE = -3, /* struct_size too small, or members set that we do not know */
    HEDGE_E_IO = -4,          /* a file could not be read */
    HEDGE_E_SYNTAX = -5,      /* not well-formed YAML */
    HEDGE_E_POLICY = -6,      /* a policy's field is unknown, missing or out of range */
    HEDGE_E_CURVE = -7,       /* the knots do not make a curve */
    HEDGE_E_TOO_LARGE = -8,   /* over a published cap */
    HEDGE_E_NOT_FOUND = -9,   /* no asset of that name */
    HEDGE_E_RECORD = -10,     /* bytes that are not a record of this format */
    HEDGE_E_OLDER = -11,      /* a quote older than the one held */
    HEDGE_E_CERTIFY = -12,    /* a curve that breaks one of its promises */
    HEDGE_E_STOPPED = -13,    /* the caller's progress function asked to stop */

    HEDGE_TRIP_HALTED = -100,        /* the asset is halted */
    HEDGE_TRIP_UNKNOWN_ASSET = -101, /* the policy does not name the asset */
    HEDGE_TRIP_NO_QUOTE = -102,      /* no score or no depth has arrived yet */
    HEDGE_TRIP_BAD_AMOUNT = -103,    /* amount_usd not finite, or negative */
    HEDGE_TRIP_MAX_AMOUNT = -104,    /* amount_usd above max_amount_usd */
    HEDGE_TRIP_BAD_OVERRIDE = -105,  /* override_score outside [0, 1] */
    HEDGE_TRIP_BAD_QUOTE = -106,     /* a quoted number not finite, or out of range */
    HEDGE_TRIP_CLOCK_SKEW = -107,    /* a quote from the future */
    HEDGE_TRIP_STALE_SCORE = -108,   /* the score is older than stale_score_ms */
    HEDGE_TRIP_STALE_DEPTH = -109,   /* the depth is older than stale_depth_ms */
    HEDGE_TRIP_SCORE_JUMP = -110,    /* the score moved more than max_score_jump at once */
    HEDGE_TRIP_MIN_DEPTH = -111,     /* depth1pct_usd below min_depth_usd */
    HEDGE_TRIP_EXTREME_SCORE = -112, /* the score is outside [below, above] */
    HEDGE_TRIP_MIN_CONFIDENCE = -113 /* the confidence is below min_confidence */
};

/* Breakers are numbered from 0 in the order of their codes. */
#define HEDGE_BREAKER_COUNT 14
#define HEDGE_BREAKER(trip) ((uint32_t)(HEDGE_TRIP_HALTED - (trip)))
/* The bit of a breaker in hedge_decision.flags. */
#define HEDGE_FLAG(trip) (UINT32_C(1) << HEDGE_BREAKER(trip))
/* Marks in hedge_decision.flags that are not breakers. */
#define HEDGE_MARK_OVERRIDE (UINT32_C(1) << 29) /* override_score was used */
#define HEDGE_MARK_FLOOR (UINT32_C(1) << 30)    /* hedge_pct is a declared floor, not the curve's */
#define HEDGE_MARK_CAPPED (UINT32_C(1) << 31)   /* max_hedge_pct cut the hedge */

/* The stable lower-case name of a status code, "unknown" for any other
 * number. Never NULL; static storage; any thread. */
HEDGE_API const char *hedge_status_name(int32_t code);

/* One sentence for people that says what the code means and what to do.
 * Never NULL; static storage; any thread. */
HEDGE_API const char *hedge_status_text(int32_t code);

/* The name of one bit of hedge_decision.flags (bit: 0 to 31): a breaker's
 * name or "override", "floor", "capped"; NULL for a bit without a meaning. */
HEDGE_API const char *hedge_flag_name(uint32_t bit);

/* "0.1.0+<git sha>", with ".dirty" behind it when the tree had changes. */
HEDGE_API const char *hedge_version(void);
/* HEDGE_ABI_VERSION of the library that was loaded. */
HEDGE_API uint32_t hedge_abi_version(void);

/* Where and why a call failed. Filled only when a function fails. */
typedef struct hedge_error {
    uint32_t struct_size;
    int32_t code;      /* the status code that is also returned */
    int32_t line;      /* 1-based line in the file, 0: not from a file */
    int32_t index;     /* 0-based index of the knot at fault, -1: none */
    char file[256];    /* the file, "" where there is none; its end if it is longer */
    char field[96];    /* e.g. "assets.BTC.limits.stale_score_ms" */
    char message[256]; /* what is wrong, what is allowed */
} hedge_error;

/* ---- curve: score in [0, 1] to hedge in [0, 1] ------------------------- */

enum {
    HEDGE_METHOD_PCHIP = 0,   /* Fritsch-Butland slopes, SciPy's end conditions */
    HEDGE_METHOD_STEFFEN = 1, /* Steffen (1990), as GSL's */
    HEDGE_METHOD_LINEAR = 2
};

#define HEDGE_KNOTS_MIN 2
#define HEDGE_KNOTS_MAX 4096
/* Knot scores must increase by at least this much. */
#define HEDGE_KNOT_GAP_MIN 1e-6
/* Scores are taken on a grid of this spacing, 2^-30 (about 1e-9): the nearest
 * grid point stands for the score. It makes the input space finite. */
#define HEDGE_SCORE_STEP (1.0 / 1073741824.0)

typedef struct hedge_curve hedge_curve;

/* Builds the monotone curve through n knots (score[i], hedge[i]).
 *
 * method is HEDGE_METHOD_PCHIP, _STEFFEN or _LINEAR; n from 2 to 4096; scores
 * in [0, 1], each at least 1e-6 above the one before; hedges in [0, 1], never
 * decreasing; all finite. The arrays are copied. Allocates; any thread.
 * Returns HEDGE_OK; HEDGE_E_ARG (null pointer, unknown method); HEDGE_E_CURVE
 * (error->index and field name the knot); HEDGE_E_NOMEM.
 * Sources: F. N. Fritsch, J. Butland, SIAM J. Sci. Stat. Comput. 5 (1984) 300;
 * M. Steffen, Astron. Astrophys. 239 (1990) 443. Since: 0.1 */
HEDGE_API HEDGE_MUST_CHECK int32_t hedge_curve_new(int32_t method, const double *score,
                                                   const double *hedge, size_t n,
                                                   hedge_error *error, hedge_curve **out);

/* The hedge at a score. Promises, for every curve: for all doubles a < b,
 * f(a) <= f(b); f(score[i]) == hedge[i] to the bit; the end knots' hedges hold
 * outside of them; NaN gives NaN (and so does a null curve); the same bits on
 * every processor and compiler. Never allocates or locks; any thread. */
HEDGE_API double hedge_curve_eval(const hedge_curve *curve, double score);

/* hedge[i] = hedge_curve_eval(curve, score[i]) for i < n, bit for bit. The
 * arrays may be the same one, but must not overlap otherwise. Nothing is done
 * where one of them is null. */
HEDGE_API void hedge_curve_eval_n(const hedge_curve *curve, const double *score, double *hedge,
                                  size_t n);

/* d hedge / d score at a score: 0 outside the knots; at a knot the common
 * slope of both sides (linear: the right-hand one). NaN gives NaN. Within
 * 2^-46 of the largest of the segment's secant and the slopes at its ends; 0
 * where a segment rises by less than 2^-900, which is a step at its middle. */
HEDGE_API double hedge_curve_slope(const hedge_curve *curve, double score);

/* The least score in [0, 1] on the score grid whose hedge is >= hedge; NaN if
 * none is, or for NaN. f(inverse(h)) >= h, and one step below it is < h: it is
 * exact, as the curve is monotone to the bit. */
HEDGE_API double hedge_curve_inverse(const hedge_curve *curve, double hedge);

/* The area under the curve between two scores, the end knots' hedges holding
 * outside of them; negative where to < from. from and to are taken as they
 * are, not on the grid. Divided by to - from it is the mean hedge over scores
 * spread evenly between them. Within 2^-49 (1 + |to - from|) of the exact
 * integral of the pieces (hedge_curve_piece). NaN unless both are finite. */
HEDGE_API double hedge_curve_area(const hedge_curve *curve, double from, double to);

/* How the hedge at a score follows each knot's hedge: d_hedge[i] is
 * d f(score) / d hedge[i], for i < n, n the number of knots. Fitting knots to
 * data needs it (it is a row of the Jacobian). At most four are not 0, the
 * knots next to the score; moving all knots together moves the curve as much,
 * so they add up to 1. Where the method has a kink it is the derivative of one
 * side: beside a flat segment towards knots that still rise (between two flat
 * ones the slope stays 0), at a limit of the branch that the curve takes.
 * Within 2^-46 of the largest of them, unless a rise is below 2^-900.
 * HEDGE_OK; HEDGE_E_ARG: null pointer, n is not the number of knots, score is
 * NaN. */
HEDGE_API int32_t hedge_curve_sensitivity(const hedge_curve *curve, double score, double *d_hedge,
                                          size_t n);

/* One half of a segment between two knots. On from <= score < to (an odd piece:
 * <= to, its knot) the curve is hedge + e (b + e (c + e d)) with
 * e = score - knot; the hedges there are these four operations, each rounded
 * once, the products fused. knot is the
 * knot's score on the grid. */
typedef struct hedge_piece {
    uint32_t struct_size;
    uint32_t reserved;
    double from, to;
    double knot, hedge;
    double b, c, d;
} hedge_piece;

/* 2 (n - 1) for n knots; 0 for a null curve. */
HEDGE_API size_t hedge_curve_piece_count(const hedge_curve *curve);
/* Piece i, in the order of scores. HEDGE_OK, HEDGE_E_ARG, HEDGE_E_STRUCT_SIZE. */
HEDGE_API int32_t hedge_curve_piece(const hedge_curve *curve, size_t i, hedge_piece *out);

/* How this processor computes the curve: "portable", "fma", "avx2" or "avx512",
 * the widest there is. Every one gives the same bits. Static storage; NULL for a
 * null curve. */
HEDGE_API const char *hedge_curve_path(const hedge_curve *curve);

/* SHA-256 of the method and the knots as given: the curve's name. Equal hashes,
 * equal curves. HEDGE_OK, HEDGE_E_ARG. */
HEDGE_API int32_t hedge_curve_hash(const hedge_curve *curve, uint8_t hash[32]);

enum {
    HEDGE_CERTIFY_FINE = 0,
    HEDGE_CERTIFY_KNOT = 1,    /* a knot's score does not give the knot's hedge, to the bit */
    HEDGE_CERTIFY_OUTSIDE = 2, /* a hedge beyond the end knots', or NaN */
    HEDGE_CERTIFY_FALLS = 3,   /* a higher score gets a lower hedge */
    HEDGE_CERTIFY_JUMPS = 4,   /* neighbours further apart than a monotone cubic's slope allows */
    HEDGE_CERTIFY_PATHS = 5    /* one by one and in a batch, the bits differ */
};

/* What trying every score has shown. */
typedef struct hedge_certificate {
    uint32_t struct_size;
    int32_t fault;   /* HEDGE_CERTIFY_…: the first one found */
    uint64_t tried;  /* scores: the grid's 2^30 + 1 points, and each knot as given */
    double score[2]; /* where the fault lies, or twice the same; 0 without one */
    double hedge[2]; /* what they got (HEDGE_CERTIFY_KNOT, _PATHS: and should have got) */
} hedge_certificate;

/* Called at once and then now and again with the share done, 0 to 1; anything
 * but 0 stops. */
typedef int32_t hedge_progress(void *context, double done);

/* Tries every score there is, all 2^30 + 1 points of the grid, and proves the
 * promises for this curve on this processor: order, bounds, no jump (a step of
 * the grid rises by at most 3 secants of its segment, the most that a monotone
 * cubic's slope can be: F. N. Fritsch, R. E. Carlson, SIAM J. Numer. Anal. 17
 * (1980) 238), the knots to the bit, and one score in 256 one by one as in a
 * batch. Knots are tried first, then scores upwards. One thread, about a second; never allocates;
 * 48 KiB of stack. progress may be NULL.
 *
 * HEDGE_OK; HEDGE_E_CERTIFY: *out says where; HEDGE_E_STOPPED; HEDGE_E_ARG;
 * HEDGE_E_STRUCT_SIZE. Since: 0.1 */
HEDGE_API HEDGE_MUST_CHECK int32_t hedge_curve_certify(const hedge_curve *curve,
                                                       hedge_progress *progress, void *context,
                                                       hedge_certificate *out);

HEDGE_API int32_t hedge_curve_method(const hedge_curve *curve);
HEDGE_API const char *hedge_method_name(int32_t method); /* "pchip"…; NULL: unknown */
HEDGE_API size_t hedge_curve_knot_count(const hedge_curve *curve);
/* Knot i as it was given (-0 as 0). HEDGE_E_ARG when i is out of range or a pointer null. */
HEDGE_API int32_t hedge_curve_knot(const hedge_curve *curve, size_t i, double *score,
                                   double *hedge);

HEDGE_API void hedge_curve_free(hedge_curve *curve);

/* ---- liquidity and confidence ----------------------------------------- */

enum {
    HEDGE_WEIGHT_RATIO = 0, /* depth / (depth + half_depth_usd) */
    HEDGE_WEIGHT_LOG = 1    /* min(1, log1p(depth) / log1p(full_depth_usd)) */
};

/* How far the book carries a score: 0 (empty) to 1, never decreasing in
 * depth1pct_usd, to the last bit. scale_usd is half_depth_usd or
 * full_depth_usd, > 0. NaN where an argument is NaN, negative or infinite, or
 * the kind unknown. Within 4 ulp of the exact value (log: for depth and scale cut
 * to 32 significant bits, about 2e-10 of them). Basic operations and fma alone, so
 * the bits are the same everywhere. */
HEDGE_API double hedge_liquidity_weight(int32_t kind, double scale_usd, double depth1pct_usd);

enum {
    HEDGE_BLEND_MIN = 0,
    HEDGE_BLEND_HARMONIC = 1,  /* 2ab / (a + b) */
    HEDGE_BLEND_GEOMETRIC = 2, /* sqrt(ab) */
    HEDGE_BLEND_PRODUCT = 3
};

/* Joins the model's confidence and the liquidity's quality, both in [0, 1],
 * into one confidence between 0 and the larger of the two. NaN if either is
 * outside [0, 1] or NaN, or the rule is unknown. */
HEDGE_API double hedge_blend(int32_t rule, double model_confidence, double liquidity_quality);

enum { HEDGE_FRESHNESS_NONE = 0, HEDGE_FRESHNESS_LINEAR = 1 };

/* ---- policy: everything that decides, as data -------------------------- */

typedef struct hedge_policy hedge_policy;

#define HEDGE_ASSET_NAME_MAX 31 /* characters of A-Z a-z 0-9 . _ - */
#define HEDGE_ASSETS_MAX 1024
#define HEDGE_POLICY_FILE_MAX (1024 * 1024) /* bytes in one file */
#define HEDGE_POLICY_DEPTH_MAX 16           /* nested YAML collections */

enum { HEDGE_ACTION_REJECT = 0, HEDGE_ACTION_FLOOR = 1, HEDGE_ACTION_FLAG = 2 };

/* One breaker's setting. The unit of limit is in the name of the policy's
 * field (ms, USD, or a ratio); upper is used by extreme_score alone. */
typedef struct hedge_limit {
    double limit;
    double upper;
    double floor;   /* the hedge answered under HEDGE_ACTION_FLOOR, [0, 1] */
    int32_t action; /* HEDGE_ACTION_… */
    int32_t reserved;
} hedge_limit;

/* What holds for one asset, defaults and overrides resolved. */
typedef struct hedge_rules {
    uint32_t struct_size;
    int32_t weight;    /* HEDGE_WEIGHT_… */
    int32_t blend;     /* HEDGE_BLEND_… */
    int32_t freshness; /* HEDGE_FRESHNESS_… */
    double half_depth_usd;
    double full_depth_usd;
    double max_hedge_pct;
    hedge_limit limits[HEDGE_BREAKER_COUNT]; /* by HEDGE_BREAKER(trip) */
} hedge_rules;

#define HEDGE_SET_KNOTS UINT32_C(1)
#define HEDGE_SET_MAX_HEDGE_PCT UINT32_C(2)
#define HEDGE_SET_STALE_SCORE UINT32_C(4)

/* Settings from outside that replace the policy's own, for every asset,
 * before the policy is hashed. Only members named in `set` are read. */
typedef struct hedge_policy_overrides {
    uint32_t struct_size;
    uint32_t set;           /* HEDGE_SET_… */
    const char *knots_path; /* a file with a list of knots, in place of each curve's */
    double max_hedge_pct;   /* [0, 1] */
    double stale_score_ms;  /* > 0, at most a day */
} hedge_policy_overrides;

/* Reads a policy from a YAML file; a `knots:` file it names is looked for in
 * the policy's own folder. A file that is only a list of knots is a policy
 * with every default. Caps: 1 MiB a file and the whole policy written out
 * (hedge_policy_text), 16 levels, 1,024 assets.
 *
 * Allocates; switches the calling thread's locale to "C" while it runs; any
 * thread. Returns HEDGE_OK; HEDGE_E_ARG; HEDGE_E_IO; HEDGE_E_SYNTAX;
 * HEDGE_E_POLICY; HEDGE_E_CURVE; HEDGE_E_TOO_LARGE; HEDGE_E_NOMEM, with file,
 * line and field in *error. Since: 0.1 */
HEDGE_API HEDGE_MUST_CHECK int32_t hedge_policy_load(const char *path, hedge_error *error,
                                                     hedge_policy **out);

/* The same, with overrides (may be NULL). */
HEDGE_API HEDGE_MUST_CHECK int32_t hedge_policy_load_with(const char *path,
                                                          const hedge_policy_overrides *overrides,
                                                          hedge_error *error, hedge_policy **out);

/* The same from n bytes in memory. A `knots:` file is an error here: such a
 * text stands for itself, as hedge_policy_text's does. */
HEDGE_API HEDGE_MUST_CHECK int32_t hedge_policy_parse(const char *text, size_t n,
                                                      hedge_error *error, hedge_policy **out);

/* The index of an asset, 0 upwards; HEDGE_E_NOT_FOUND or HEDGE_E_ARG. */
HEDGE_API int32_t hedge_policy_asset(const hedge_policy *policy, const char *name);
HEDGE_API size_t hedge_policy_asset_count(const hedge_policy *policy);
/* The name of asset i, NULL out of range. Lives as long as the policy. */
HEDGE_API const char *hedge_policy_asset_name(const hedge_policy *policy, int32_t asset);
/* The asset's curve, NULL out of range. Lives as long as the policy. */
HEDGE_API const hedge_curve *hedge_policy_curve(const hedge_policy *policy, int32_t asset);
/* Copies the asset's rules. HEDGE_OK, HEDGE_E_ARG, HEDGE_E_STRUCT_SIZE. */
HEDGE_API int32_t hedge_policy_rules(const hedge_policy *policy, int32_t asset, hedge_rules *out);

/* The policy in one canonical YAML text: the same for two files that mean the
 * same, whole in itself, and read back by hedge_policy_parse to an equal
 * policy. NUL-terminated, *n (may be NULL) bytes; lives as long as the policy. */
HEDGE_API const char *hedge_policy_text(const hedge_policy *policy, size_t *n);
/* SHA-256 of that text: the policy's name in records and answers. */
HEDGE_API int32_t hedge_policy_hash(const hedge_policy *policy, uint8_t hash[32]);
/* The same as 64 lower-case hexadecimal digits; lives as long as the policy. */
HEDGE_API const char *hedge_policy_hash_hex(const hedge_policy *policy);
/* The files the policy was read from (i from 0; NULL behind the last), for a
 * caller that wants to watch them. */
HEDGE_API const char *hedge_policy_file(const hedge_policy *policy, size_t i);

HEDGE_API void hedge_policy_free(hedge_policy *policy);

/* ---- decision ---------------------------------------------------------- */

#define HEDGE_REQUEST_OVERRIDE UINT32_C(1) /* use override_score */

typedef struct hedge_request {
    uint32_t struct_size;
    int32_t asset;         /* from hedge_policy_asset; negative: an unknown asset */
    double amount_usd;     /* the exposure, >= 0 */
    double override_score; /* [0, 1]; read only with HEDGE_REQUEST_OVERRIDE */
    uint32_t flags;        /* HEDGE_REQUEST_… */
    uint32_t reserved;
} hedge_request;

#define HEDGE_QUOTE_SCORE UINT32_C(1)    /* score, confidence, score_ts_ns are set */
#define HEDGE_QUOTE_PREVIOUS UINT32_C(2) /* previous_score is set */
#define HEDGE_QUOTE_DEPTH UINT32_C(4)    /* depth1pct_usd, depth_ts_ns are set */
#define HEDGE_QUOTE_HALTED UINT32_C(8)   /* an operator halted the asset */

/* What the market says of one asset. */
typedef struct hedge_quote {
    uint32_t struct_size;
    uint32_t flags;        /* HEDGE_QUOTE_… */
    double score;          /* Swing Sustainability Score, [0, 1] */
    double previous_score; /* the score before it; judged by the score_jump breaker alone */
    double confidence;     /* the model's, [0, 1] */
    int64_t score_ts_ns;
    double depth1pct_usd; /* USD resting within 1 % of the mid price, both sides, >= 0 */
    int64_t depth_ts_ns;
} hedge_quote;

typedef struct hedge_decision {
    uint32_t struct_size;
    int32_t status; /* what hedge_size returned */
    uint32_t flags; /* HEDGE_FLAG(trip) of each breaker that tripped, HEDGE_MARK_… */
    int32_t asset;
    double hedge_pct;    /* share of the exposure to hedge, [0, max_hedge_pct] */
    double notional_usd; /* amount_usd * hedge_pct */
    double confidence;   /* [0, 1] */
    double score;        /* the score used: the quote's, or the override */
    double liquidity_weight;
    double effective_score; /* score * liquidity_weight */
    double liquidity_quality;
    int64_t score_age_ns; /* now - score_ts, below 0 for a quote ahead of now; 0 with an override */
    int64_t depth_age_ns;
    int64_t ts_ns; /* now_ns */
} hedge_decision;

/* Decides how much of an exposure to hedge. A pure function of its arguments:
 * the same ones give the same bits, anywhere, any time.
 *
 * now_ns and the quote's times share one clock. On every return but
 * HEDGE_E_ARG and HEDGE_E_STRUCT_SIZE *out is fully written. Unless the
 * result is HEDGE_OK every amount, weight and score in it is 0, so a caller
 * that forgets to look trades nothing. Under HEDGE_ACTION_FLOOR the hedge is
 * the declared floor (the largest, if several trip; never above
 * max_hedge_pct) with confidence 0, since no data stands behind it.
 * Never allocates or locks; any thread; about 30 ns.
 *
 * Returns HEDGE_OK (look at out->flags), a HEDGE_TRIP_… whose action is to
 * reject, HEDGE_E_ARG (null pointer, unknown flags, reserved not 0) or
 * HEDGE_E_STRUCT_SIZE. Since: 0.1 */
HEDGE_API HEDGE_MUST_CHECK int32_t hedge_size(const hedge_policy *policy,
                                              const hedge_request *request,
                                              const hedge_quote *quote, int64_t now_ns,
                                              hedge_decision *out);

/* The inputs of many decisions, a column each (structure of arrays): row i of
 * a column is element i of its array. A null column has its default in every
 * row; a number that a flag claims though its column is null is NaN, and trips. Nothing is kept;
 * the caller owns the arrays. */
typedef struct hedge_size_in {
    uint32_t struct_size;
    int32_t asset_all;             /* every row's asset where `asset` is null */
    int64_t now_all_ns;            /* every row's now where `now_ns` is null */
    const int32_t *asset;          /* from hedge_policy_asset */
    const double *amount_usd;      /* required */
    const double *override_score;  /* null: no override */
    const uint32_t *request_flags; /* null: HEDGE_REQUEST_OVERRIDE if override_score is there */
    const double *score;           /* null: no row has a score */
    const double *confidence;      /* null: 1 */
    const int64_t *score_ts_ns;    /* null: now */
    const double *previous_score;  /* null: none */
    const double *depth1pct_usd;   /* null: no row has a depth */
    const int64_t *depth_ts_ns;    /* null: now */
    const uint32_t *quote_flags;   /* null: HEDGE_QUOTE_… of the columns that are there */
    const int64_t *now_ns;
} hedge_size_in;

/* The outputs, a column each, as in hedge_decision. A null column is not
 * written. The columns must not overlap each other or the inputs. */
typedef struct hedge_size_out {
    uint32_t struct_size;
    uint32_t reserved; /* 0 */
    int32_t *status;   /* what hedge_size would have returned for the row */
    uint32_t *flags;
    double *hedge_pct;
    double *notional_usd;
    double *confidence;
    double *score;
    double *liquidity_weight;
    double *effective_score;
    double *liquidity_quality;
    int64_t *score_age_ns;
    int64_t *depth_age_ns;
} hedge_size_out;

/* Decides n rows, each as hedge_size does, bit for bit. A row that hedge_size
 * would refuse (unknown flags) has status HEDGE_E_ARG and zeros; the others go
 * on. Never allocates or locks; any thread. Returns HEDGE_OK: every row has its
 * status; HEDGE_E_ARG: policy, in, out or amount_usd is null (n may be 0) or
 * reserved is not 0, and HEDGE_E_STRUCT_SIZE: nothing was written. Since: 0.1 */
HEDGE_API HEDGE_MUST_CHECK int32_t hedge_size_n(const hedge_policy *policy, const hedge_size_in *in,
                                                size_t n, const hedge_size_out *out);

/* ---- market: the newest quote of each asset ---------------------------- */

/* One slot an asset. Reads are wait-free: they finish in a bounded number of
 * steps whatever writers do, and see one whole quote. Writers (add, put, halt)
 * must take turns: the caller holds one lock around them. */
typedef struct hedge_market hedge_market;

/* Room for `capacity` assets (1 to HEDGE_ASSETS_MAX).
 * HEDGE_OK, HEDGE_E_ARG, HEDGE_E_NOMEM. Allocates. */
HEDGE_API HEDGE_MUST_CHECK int32_t hedge_market_new(size_t capacity, hedge_market **out);
/* The slot of a name, added if need be. HEDGE_E_ARG for a name that no policy
 * could hold; HEDGE_E_TOO_LARGE when full. A slot stays for good. Writer. */
HEDGE_API int32_t hedge_market_add(hedge_market *market, const char *name);
/* Stores a score and keeps the one before it for the jump check. The numbers
 * are not judged here; hedge_size does. HEDGE_OK; HEDGE_E_OLDER: ts_ns is
 * before the held one's, nothing changed; HEDGE_E_ARG. Writer. */
HEDGE_API int32_t hedge_market_put_score(hedge_market *market, int32_t slot, double score,
                                         double confidence, int64_t ts_ns);
/* The same for the order book's depth. */
HEDGE_API int32_t hedge_market_put_depth(hedge_market *market, int32_t slot, double depth1pct_usd,
                                         int64_t ts_ns);
/* Forgets the slot's score and depth, not its halt: for a writer whose clock
 * has stepped back, so that everything new would be older. Writer. */
HEDGE_API int32_t hedge_market_reset(hedge_market *market, int32_t slot);
/* Latches (halted != 0) or clears the slot's halt. Writer. */
HEDGE_API int32_t hedge_market_put_halt(hedge_market *market, int32_t slot, int halted);
/* Copies the slot's quote, struct_size set by the caller. Wait-free.
 * HEDGE_OK, HEDGE_E_ARG, HEDGE_E_STRUCT_SIZE. */
HEDGE_API int32_t hedge_market_read(const hedge_market *market, int32_t slot, hedge_quote *out);
HEDGE_API void hedge_market_free(hedge_market *market);

/* ---- record: one line of the journal ----------------------------------- */

enum {
    HEDGE_RECORD_DECISION = 1,
    HEDGE_RECORD_START = 2,          /* a writer opened the journal */
    HEDGE_RECORD_STOP = 3,           /* it closed it in order */
    HEDGE_RECORD_POLICY = 4,         /* a policy went live */
    HEDGE_RECORD_POLICY_REFUSED = 5, /* a policy was refused; the old one stays */
    HEDGE_RECORD_HALT = 6,
    HEDGE_RECORD_RESUME = 7,
    HEDGE_RECORD_SHADOW = 8, /* what another policy would have decided on the decision before it */
    HEDGE_RECORD_SHADOW_POLICY = 9 /* a policy became that other one */
};

#define HEDGE_RECORD_MAX 1024 /* bytes of one encoded record */
#define HEDGE_HASH_SIZE 32

/* Everything that was known and answered: enough to decide again. request,
 * quote and decision are used by HEDGE_RECORD_DECISION and _SHADOW alone; they lie inside
 * by value, so a version that lets one of them grow brings a new record. */
typedef struct hedge_record {
    uint32_t struct_size;
    int32_t kind;    /* HEDGE_RECORD_… */
    uint64_t seq;    /* 1 upwards, without gaps, in one journal */
    uint64_t writer; /* the journal's own number */
    int64_t ts_ns;
    uint8_t policy_hash[HEDGE_HASH_SIZE];
    char build[64];                       /* hedge_version() of the writer */
    char asset[HEDGE_ASSET_NAME_MAX + 1]; /* "" where none */
    char note[256]; /* why, for people: the reason of a halt, the fault of a policy */
    hedge_request request;
    hedge_quote quote;
    hedge_decision decision;
} hedge_record;

/* Writes the canonical bytes of a record: fixed order, little endian, doubles
 * by their bits. docs/journal.md lists them. *n is the length.
 * HEDGE_OK; HEDGE_E_ARG; HEDGE_E_STRUCT_SIZE; HEDGE_E_RECORD (unknown kind, a
 * text without its end or that is not UTF-8); HEDGE_E_TOO_LARGE (capacity; HEDGE_RECORD_MAX is
 * always enough). */
HEDGE_API HEDGE_MUST_CHECK int32_t hedge_record_encode(const hedge_record *record, uint8_t *bytes,
                                                       size_t capacity, size_t *n);
/* Reads them back. Bytes that encode would not have written are refused:
 * HEDGE_E_RECORD. */
HEDGE_API HEDGE_MUST_CHECK int32_t hedge_record_decode(const uint8_t *bytes, size_t n,
                                                       hedge_record *out);
/* The chain: hash = SHA-256(previous hash, then the record's bytes). The hash
 * before the first record is 32 zeros. Null pointers: HEDGE_E_ARG. */
HEDGE_API int32_t hedge_record_chain(const uint8_t previous[HEDGE_HASH_SIZE], const uint8_t *bytes,
                                     size_t n, uint8_t hash[HEDGE_HASH_SIZE]);
/* The UUID (version 8, 36 characters and NUL) of record seq of a writer: one
 * for one, so either gives the other. */
HEDGE_API int32_t hedge_record_id(uint64_t writer, uint64_t seq, char id[37]);

#ifdef __cplusplus
}
#endif

#endif
