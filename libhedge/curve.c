/* SPDX-License-Identifier: MIT
 * curve: the monotone interpolant.
 *
 * Three things make it monotone to the last bit. Scores are taken on a grid of
 * 2^-30, so neighbours differ by far more than an evaluation's rounding. Each
 * segment is cut at its middle and each half evaluated from its own knot, so
 * the rounding error shrinks with the distance from the knot and is zero on
 * it. And fma is explicit, so every compiler rounds at the same places. */
#include "curve.h"

#include "curve_slopes.h"
#include "error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_A_PIECE 8u
#define BUCKETS_MIN 1024u
#define BUCKETS_MAX 65536u

/* ---- evaluation ------------------------------------------------------- */

#define INLINE static inline __attribute__((always_inline))

INLINE uint64_t bits_of(double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

/* `at` steps behind the first knot, and before the last. Almost every bucket
 * lies inside one piece, so the search runs zero times, and 13 at most. */
INLINE const curve_piece *find_piece(const hedge_curve *curve, uint32_t at)
{
    const uint16_t *bucket = &curve->bucket[at >> curve->bucket_shift];
    uint32_t low = bucket[0], high = bucket[1];

    while (low < high) {
        const uint32_t middle = (low + high + 1) / 2;

        if (at >= curve->start[middle])
            low = middle;
        else
            high = middle - 1;
    }
    return &curve->pieces[low];
}

/* At and beyond the ends, and for NaN. */
static double eval_outside(const hedge_curve *curve, double shifted)
{
    if (isnan(shifted)) return (double)NAN;
    return shifted < curve->pieces[0].shifted_x + HEDGE_SCORE_STEP ? curve->first_y : curve->last_y;
}

INLINE double eval_body(const hedge_curve *curve, double score)
{
    const double shifted = score + CURVE_SHIFT;
    /* Below the first knot this wraps around; NaN and infinities are far off. */
    const uint64_t at = bits_of(shifted) - curve->first_bits;
    const curve_piece *p;
    double e;

    if (__builtin_expect(at >= curve->steps, 0)) return eval_outside(curve, shifted);
    p = find_piece(curve, (uint32_t)at);
    e = shifted - p->shifted_x;
    return fma(e, fma(e, fma(e, p->d, p->c), p->b), p->y);
}

INLINE void eval_n_body(const hedge_curve *curve, const double *score, double *hedge, size_t n)
{
    for (size_t i = 0; i < n; i++)
        hedge[i] = eval_body(curve, score[i]);
}

static double eval_portable(const hedge_curve *curve, double score)
{
    return eval_body(curve, score);
}

static void eval_n_portable(const hedge_curve *curve, const double *score, double *hedge, size_t n)
{
    eval_n_body(curve, score, hedge, n);
}

#if defined(__x86_64__) && !defined(__FMA__)
/* The baseline x86-64 has no fma instruction and would call libm's. */
#define HAVE_FMA_PATH 1

__attribute__((target("avx2,fma"))) static double eval_fma(const hedge_curve *curve, double score)
{
    return eval_body(curve, score);
}

__attribute__((target("avx2,fma"))) static void
eval_n_fma(const hedge_curve *curve, const double *score, double *hedge, size_t n)
{
    eval_n_body(curve, score, hedge, n);
}
#endif

bool curve_set_path(hedge_curve *curve, curve_path path)
{
    curve->eval = eval_portable;
    curve->eval_n = eval_n_portable;
    if (path == CURVE_PATH_PORTABLE) return true;
#ifdef HAVE_FMA_PATH
    if (!__builtin_cpu_supports("fma") || !__builtin_cpu_supports("avx2")) return false;
    curve->eval = eval_fma;
    curve->eval_n = eval_n_fma;
    return true;
#else
    return false; /* the portable code holds the instruction already, if there is one */
#endif
}

double hedge_curve_eval(const hedge_curve *curve, double score)
{
    return curve != NULL ? curve->eval(curve, score) : (double)NAN;
}

void hedge_curve_eval_n(const hedge_curve *curve, const double *score, double *hedge, size_t n)
{
    if (score == NULL || hedge == NULL) return;
    if (curve == NULL) {
        for (size_t i = 0; i < n; i++)
            hedge[i] = (double)NAN;
        return;
    }
    curve->eval_n(curve, score, hedge, n);
}

double hedge_curve_slope(const hedge_curve *curve, double score)
{
    const double shifted = score + CURVE_SHIFT;
    const curve_piece *p;
    uint64_t at;
    double e;

    if (curve == NULL || isnan(score)) return (double)NAN;
    at = bits_of(shifted) - curve->first_bits;
    if (at > curve->steps) return 0.0;
    /* The last knot belongs to the last piece, which is written from it. */
    p = at < curve->steps ? find_piece(curve, (uint32_t)at)
                          : &curve->pieces[curve->piece_count - 1];
    e = shifted - p->shifted_x;
    return fma(e, fma(e, 3.0 * p->d, 2.0 * p->c), p->b);
}

double hedge_curve_inverse(const hedge_curve *curve, double hedge)
{
    const int32_t steps = 1 << 30;
    int32_t low = 0, high = steps;

    if (curve == NULL || !(hedge <= hedge_curve_eval(curve, 1.0))) return (double)NAN;
    /* Monotone to the last bit, so bisection finds exactly the least one. */
    while (low < high) {
        const int32_t middle = low + (high - low) / 2;

        if (hedge_curve_eval(curve, (double)middle / steps) >= hedge)
            high = middle;
        else
            low = middle + 1;
    }
    return (double)low / steps;
}

/* ---- construction ----------------------------------------------------- */

static int32_t knot_error(hedge_error *error, size_t i, const char *what, double value)
{
    char field[32] = "knots[";
    char digits[8];
    size_t n = 0, at = strlen(field), v = i;

    do
        digits[n++] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    while (n > 0)
        field[at++] = digits[--n];
    field[at++] = ']';
    field[at] = '\0';
    return error_set(error, HEDGE_E_CURVE, (error_place){.field = field, .index = (int32_t)i},
                     "%s (it is %.15g)", what, value);
}

/* Knots written 1e-6 apart in decimal are a few ulp off that in binary. */
static bool apart(double low, double high)
{
    return high - low >= HEDGE_KNOT_GAP_MIN * (1.0 - 1e-9);
}

static bool in_unit(double v)
{
    return v >= 0.0 && v <= 1.0;
}

static int32_t check_knots(const double *score, const double *hedge, size_t n, hedge_error *error)
{
    for (size_t i = 0; i < n; i++) {
        if (!in_unit(score[i]))
            return knot_error(error, i, "the score must be a number from 0 to 1", score[i]);
        if (!in_unit(hedge[i]))
            return knot_error(error, i, "the hedge must be a number from 0 to 1", hedge[i]);
        if (i == 0) continue;
        if (!apart(score[i - 1], score[i]))
            return knot_error(error, i, "the score must be at least 1e-6 above the knot before",
                              score[i]);
        if (!(hedge[i] >= hedge[i - 1]))
            return knot_error(error, i, "the hedge must not be below the knot before", hedge[i]);
    }
    return HEDGE_OK;
}

/* Buckets are a power of two of steps wide, so that a shift finds them. */
static uint32_t choose_shift(uint32_t steps, uint32_t pieces)
{
    uint32_t wanted = pieces * BUCKETS_A_PIECE, shift = 0;

    if (wanted < BUCKETS_MIN) wanted = BUCKETS_MIN;
    if (wanted > BUCKETS_MAX) wanted = BUCKETS_MAX;
    while (steps >> shift > wanted)
        shift++;
    return shift;
}

static uint32_t steps_between(double low, double high)
{
    return (uint32_t)((high - low) / HEDGE_SCORE_STEP);
}

/* Where each array of a curve lies: one block holds them all. */
typedef struct layout {
    hedge_curve *curve;
    double *score, *hedge, *x, *slope;
    curve_piece *pieces;
    uint32_t *start;
    uint16_t *bucket;
} layout;

static bool layout_new(layout *out, size_t n, uint32_t pieces, uint32_t buckets)
{
    char *block =
        malloc(sizeof(hedge_curve) + pieces * sizeof(curve_piece) + 4 * n * sizeof(double) +
               pieces * sizeof(uint32_t) + (buckets + 1) * sizeof(uint16_t));

    if (block == NULL) return false;
    out->curve = (hedge_curve *)(void *)block;
    out->pieces = (curve_piece *)(void *)(block + sizeof(hedge_curve));
    out->score = (double *)(void *)(out->pieces + pieces);
    out->hedge = out->score + n;
    out->x = out->hedge + n;
    out->slope = out->x + n;
    out->start = (uint32_t *)(void *)(out->slope + n);
    out->bucket = (uint16_t *)(void *)(out->start + pieces);
    return true;
}

/* A rise so small that products on the way to it would lose bits below the
 * smallest double. It is a step at the segment's middle: nothing measures it. */
static bool is_tiny(double rise)
{
    return rise < 0x1p-900;
}

static void build_segment(const layout *to, int32_t method, size_t i)
{
    const double x0 = to->x[i], x1 = to->x[i + 1];
    const double y0 = to->hedge[i], y1 = to->hedge[i + 1];
    const double h = x1 - x0;
    const double secant = (y1 - y0) / h;
    curve_piece *left = &to->pieces[2 * i], *right = &to->pieces[2 * i + 1];

    to->start[2 * i] = steps_between(to->x[0], x0);
    to->start[2 * i + 1] = steps_between(to->x[0], curve_snap(x0 + 0.5 * h));
    if (is_tiny(y1 - y0)) {
        *left = (curve_piece){CURVE_SHIFT + x0, y0, 0.0, 0.0, 0.0};
        *right = (curve_piece){CURVE_SHIFT + x1, y1, 0.0, 0.0, 0.0};
        return;
    }
    if (method == HEDGE_METHOD_LINEAR) {
        *left = (curve_piece){CURVE_SHIFT + x0, y0, secant, 0.0, 0.0};
        *right = (curve_piece){CURVE_SHIFT + x1, y1, secant, 0.0, 0.0};
        return;
    }
    const double m0 = to->slope[i], m1 = to->slope[i + 1];
    const double d = (m0 + m1 - 2.0 * secant) / (h * h);

    *left = (curve_piece){CURVE_SHIFT + x0, y0, m0, (3.0 * secant - 2.0 * m0 - m1) / h, d};
    *right = (curve_piece){CURVE_SHIFT + x1, y1, m1, (2.0 * m1 + m0 - 3.0 * secant) / h, d};
}

/* bucket[j] is the last piece that starts in a bucket before j, so the piece
 * of a score in bucket j is between bucket[j] and bucket[j + 1]. */
static void build_buckets(const hedge_curve *curve, uint16_t *bucket, uint32_t buckets)
{
    uint32_t piece = 0;

    for (uint32_t j = 0; j <= buckets; j++) {
        while (piece + 1 < curve->piece_count && curve->start[piece + 1] >> curve->bucket_shift < j)
            piece++;
        bucket[j] = (uint16_t)piece;
    }
}

static void build(const layout *to, int32_t method, size_t n, uint32_t shift, uint32_t buckets)
{
    hedge_curve *curve = to->curve;

    if (method == HEDGE_METHOD_PCHIP) curve_slopes_pchip(to->x, to->hedge, n, to->slope);
    if (method == HEDGE_METHOD_STEFFEN) curve_slopes_steffen(to->x, to->hedge, n, to->slope);
    for (size_t i = 0; i + 1 < n; i++)
        build_segment(to, method, i);
    *curve = (hedge_curve){
        .first_bits = bits_of(CURVE_SHIFT + to->x[0]),
        .steps = steps_between(to->x[0], to->x[n - 1]),
        .bucket_shift = shift,
        .bucket = to->bucket,
        .start = to->start,
        .pieces = to->pieces,
        .piece_count = 2 * (uint32_t)(n - 1),
        .first_y = to->hedge[0],
        .last_y = to->hedge[n - 1],
        .score = to->score,
        .hedge = to->hedge,
        .knots = n,
        .method = method,
    };
    build_buckets(curve, to->bucket, buckets);
    curve_set_path(curve, CURVE_PATH_FMA);
}

static void copy_knots(const layout *to, const double *score, const double *hedge, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to->score[i] = score[i] + 0.0; /* -0 becomes 0 */
        to->hedge[i] = hedge[i] + 0.0;
        to->x[i] = curve_snap(score[i]);
    }
}

int32_t hedge_curve_new(int32_t method, const double *score, const double *hedge, size_t n,
                        hedge_error *error, hedge_curve **out)
{
    const error_place nowhere = {.index = -1};
    layout to;
    int32_t code;

    if (out == NULL) return error_set(error, HEDGE_E_ARG, nowhere, "out is null");
    *out = NULL;
    if (score == NULL || hedge == NULL)
        return error_set(error, HEDGE_E_ARG, nowhere, "the knots are null");
    if (hedge_method_name(method) == NULL)
        return error_set(error, HEDGE_E_ARG, (error_place){.field = "method", .index = -1},
                         "method %d is unknown: pchip is 0, steffen 1, linear 2", method);
    if (n < HEDGE_KNOTS_MIN || n > HEDGE_KNOTS_MAX)
        return error_set(error, HEDGE_E_CURVE, (error_place){.field = "knots", .index = -1},
                         "a curve has 2 to 4096 knots (it has %zu)", n);
    code = check_knots(score, hedge, n, error);
    if (code != HEDGE_OK) return code;

    const uint32_t pieces = 2 * (uint32_t)(n - 1);
    const uint32_t steps = steps_between(curve_snap(score[0]), curve_snap(score[n - 1]));
    const uint32_t shift = choose_shift(steps, pieces), buckets = (steps >> shift) + 1;
    if (!layout_new(&to, n, pieces, buckets))
        return error_set(error, HEDGE_E_NOMEM, nowhere, "out of memory");
    copy_knots(&to, score, hedge, n);
    build(&to, method, n, shift, buckets);
    *out = to.curve;
    return HEDGE_OK;
}

void hedge_curve_free(hedge_curve *curve)
{
    free(curve);
}

/* ---- what a curve is made of ------------------------------------------ */

const char *hedge_method_name(int32_t method)
{
    static const char *const names[] = {"pchip", "steffen", "linear"};

    return method >= 0 && method <= HEDGE_METHOD_LINEAR ? names[method] : NULL;
}

int32_t hedge_curve_method(const hedge_curve *curve)
{
    return curve != NULL ? curve->method : HEDGE_E_ARG;
}

size_t hedge_curve_knot_count(const hedge_curve *curve)
{
    return curve != NULL ? curve->knots : 0;
}

int32_t hedge_curve_knot(const hedge_curve *curve, size_t i, double *score, double *hedge)
{
    if (curve == NULL || score == NULL || hedge == NULL || i >= curve->knots) return HEDGE_E_ARG;
    *score = curve->score[i];
    *hedge = curve->hedge[i];
    return HEDGE_OK;
}

bool curve_equal(const hedge_curve *a, const hedge_curve *b)
{
    const size_t n = hedge_curve_knot_count(a);

    if (a == b) return true;
    if (hedge_curve_method(a) != hedge_curve_method(b) || hedge_curve_knot_count(b) != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        double sa, ha, sb, hb;

        hedge_curve_knot(a, i, &sa, &ha);
        hedge_curve_knot(b, i, &sb, &hb);
        if (!(sa == sb && ha == hb)) return false;
    }
    return true;
}
