/* SPDX-License-Identifier: MIT
 * Every allocation may fail: the n-th one, for every n, once and from then on. No crash, no leak,
 * nothing half-built; and what runs per decision allocates nothing at all.
 *
 * A plain program that puts its own malloc in front of glibc's, which libyaml and stdio then call
 * as well. Where a sanitizer owns malloc, the linker's --wrap does so for libhedge alone. */
#include "support.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a malloc that fails on demand ----------------------------------------- */

static long seen, live, fail_at = -1;
static bool fail_on; /* and every one after it */

static bool granted(void)
{
    const long n = seen++;

    if (fail_at < 0 || (fail_on ? n < fail_at : n != fail_at)) return true;
    errno = ENOMEM;
    return false;
}

static void *counted(void *block)
{
    live += block != NULL;
    return block;
}

#ifdef HEDGE_ALLOC_WRAP
#define OURS(name) __wrap_##name
#define THEIRS(name) __real_##name
#define THEIR_ALIGNED_ALLOC __real_aligned_alloc
#else
#define OURS(name) name
#define THEIRS(name) __libc_##name
#define THEIR_ALIGNED_ALLOC __libc_memalign
#endif

void *THEIRS(malloc)(size_t n);
void *THEIRS(calloc)(size_t count, size_t n);
void *THEIRS(realloc)(void *block, size_t n);
void *THEIR_ALIGNED_ALLOC(size_t alignment, size_t n);
void THEIRS(free)(void *block);
void *OURS(malloc)(size_t n);
void *OURS(calloc)(size_t count, size_t n);
void *OURS(realloc)(void *block, size_t n);
void *OURS(aligned_alloc)(size_t alignment, size_t n);
char *OURS(strdup)(const char *text);
void OURS(free)(void *block);

void *OURS(malloc)(size_t n)
{
    return granted() ? counted(THEIRS(malloc)(n)) : NULL;
}

void *OURS(calloc)(size_t count, size_t n)
{
    return granted() ? counted(THEIRS(calloc)(count, n)) : NULL;
}

void *OURS(realloc)(void *block, size_t n)
{
    if (!granted()) return NULL;
    return block != NULL ? THEIRS(realloc)(block, n) : counted(THEIRS(realloc)(block, n));
}

void *OURS(aligned_alloc)(size_t alignment, size_t n)
{
    return granted() ? counted(THEIR_ALIGNED_ALLOC(alignment, n)) : NULL;
}

char *OURS(strdup)(const char *text)
{
    char *copy = OURS(malloc)(strlen(text) + 1);

    return copy != NULL ? strcpy(copy, text) : NULL;
}

void OURS(free)(void *block)
{
    live -= block != NULL;
    THEIRS(free)(block);
}

/* ---- what must survive it --------------------------------------------------- */

static char default_policy[] = HEDGE_SOURCE_DIR "/configs/policy.yaml";
static char rich_policy[512], knots_file[512], lost_policy[512], large_policy[512],
    many_text[16384];

static const char rich_text[] =
    "curve: {method: steffen, knots: k.yaml}\n"
    "assets:\n  A: {curve: {method: linear}}\n  B: {curve: {knots: [[0, 0], [1, 1]]}}\n"
    "  C: {limits: {stale_score_ms: {action: floor, floor: .5}}}\n  D: {curve: {knots: k.yaml}}\n"
    "  E: {max_hedge_pct: 0.5, liquidity: {weight: log}, confidence: {blend: product}}\n";
static const char knots_text[] = "- [0, 0.1]\n- {score: 0.5, hedge: 0.2}\n- [1, 1]\n";
static const char bad_text[] =
    "curve: {knots: [[0, 0], [1, 1]]}\nassets: {A: {max_hedge_pct: 7}}\n";

/* Knots that are there, and wrong. */
static const char lost_text[] = "curve: {knots: bad.yaml}\nassets: {A: {}}\n";
static const char bad_knots_text[] = "- [0, 0.1]\n- [0.5, 0.2]\n- [0.4, 1]\n";

/* The error says what is returned. */
static int32_t told(int32_t rc, const hedge_error *error)
{
    return rc == HEDGE_OK || error->code == rc ? rc : 1;
}

static bool null_if_failed(int32_t rc, const void *out)
{
    return (rc == HEDGE_OK) == (out != NULL);
}

/* A policy that was built nevertheless must be whole: with all of its files. */
static int32_t policy_done(int32_t rc, hedge_policy *policy, size_t files)
{
    bool fine = null_if_failed(rc, policy);

    if (policy != NULL && fine) {
        fine = hedge_policy_text(policy, NULL) != NULL &&
               hedge_policy_file(policy, files) == NULL &&
               (files == 0 || hedge_policy_file(policy, files - 1) != NULL);
    }

    hedge_policy_free(policy);
    return fine ? rc : 1;
}

static int32_t run_curve(void)
{
    hedge_curve *curve = (hedge_curve *)&seen;
    hedge_error error = HEDGE_INIT(hedge_error);
    const int32_t rc = hedge_curve_new(HEDGE_METHOD_PCHIP, default_score, default_hedge,
                                       DEFAULT_KNOTS, &error, &curve);
    const bool fine = null_if_failed(rc, curve);

    hedge_curve_free(curve);
    return fine ? rc : 1;
}

static int32_t run_curve_of_many_knots(void)
{
    double x[100], y[100];
    hedge_curve *curve = (hedge_curve *)&seen;

    for (size_t i = 0; i < COUNT(x); i++)
        x[i] = y[i] = (double)i / 99;

    const int32_t rc = hedge_curve_new(HEDGE_METHOD_STEFFEN, x, y, COUNT(x), NULL, &curve);
    const bool fine = null_if_failed(rc, curve);

    hedge_curve_free(curve);
    return fine ? rc : 1;
}

static int32_t run_curve_refused(void)
{
    static const double falling[] = {0.5, 0.4};
    hedge_curve *curve = (hedge_curve *)&seen;
    hedge_error error = HEDGE_INIT(hedge_error);
    const int32_t rc =
        hedge_curve_new(HEDGE_METHOD_LINEAR, falling, falling, COUNT(falling), &error, &curve);

    return curve == NULL ? told(rc, &error) : 1;
}

/* Texts and trees that outgrow their first blocks. */
static int32_t run_parse_many(void)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_policy *policy = (hedge_policy *)&seen;
    const int32_t rc = hedge_policy_parse(many_text, strlen(many_text), &error, &policy);

    return policy_done(told(rc, &error), policy, 0);
}

static int32_t run_load_bad_knots(void)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_policy *policy = (hedge_policy *)&seen;
    const int32_t rc = hedge_policy_load(lost_policy, &error, &policy);

    return policy_done(told(rc, &error), policy, 0);
}

static int32_t run_load_too_large(void)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_policy *policy = (hedge_policy *)&seen;
    const int32_t rc = hedge_policy_load(large_policy, &error, &policy);

    return policy_done(told(rc, &error), policy, 0);
}

static int32_t run_load_default(void)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_policy *policy = (hedge_policy *)&seen;

    const int32_t rc = hedge_policy_load(default_policy, &error, &policy);

    return policy_done(rc, policy, 2);
}

static int32_t run_load_rich(void)
{
    hedge_policy *policy = (hedge_policy *)&seen;

    const int32_t rc = hedge_policy_load(rich_policy, NULL, &policy);

    return policy_done(rc, policy, 2);
}

static int32_t run_load_overridden(void)
{
    hedge_policy_overrides o = HEDGE_INIT(hedge_policy_overrides);
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_policy *policy = (hedge_policy *)&seen;

    o.set = HEDGE_SET_KNOTS | HEDGE_SET_MAX_HEDGE_PCT | HEDGE_SET_STALE_SCORE;
    o.knots_path = knots_file;
    o.max_hedge_pct = 0.5;
    o.stale_score_ms = 100;
    const int32_t rc = hedge_policy_load_with(rich_policy, &o, &error, &policy);

    return policy_done(rc, policy, 2);
}

static int32_t run_parse(void)
{
    static const char text[] =
        "curve: {knots: [[0, 0], [1, 1]]}\nassets: {A: {}, B: {max_hedge_pct: 0}}\n";
    hedge_policy *policy = (hedge_policy *)&seen;

    const int32_t rc = hedge_policy_parse(text, sizeof(text) - 1, NULL, &policy);

    return policy_done(rc, policy, 0);
}

static int32_t run_parse_bad(void)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_policy *policy = (hedge_policy *)&seen;

    const int32_t rc = hedge_policy_parse(bad_text, sizeof(bad_text) - 1, &error, &policy);

    return policy_done(rc, policy, 0);
}

static int32_t run_market(void)
{
    hedge_market *market = (hedge_market *)&seen;
    int32_t rc = hedge_market_new(16, &market);

    if (!null_if_failed(rc, market)) return 1;
    if (rc == HEDGE_OK && hedge_market_add(market, "BTC") != 0) rc = 1;
    hedge_market_free(market);
    return rc;
}

typedef struct trial {
    const char *name;
    int32_t (*run)(void);
    int32_t want; /* with memory enough */
} trial;

static const trial trials[] = {
    {"hedge_curve_new", run_curve, HEDGE_OK},
    {"hedge_curve_new of many knots", run_curve_of_many_knots, HEDGE_OK},
    {"hedge_curve_new of bad knots", run_curve_refused, HEDGE_E_CURVE},
    {"hedge_policy_parse of many assets", run_parse_many, HEDGE_OK},
    {"hedge_policy_load of bad knots", run_load_bad_knots, HEDGE_E_CURVE},
    {"hedge_policy_load of too large a file", run_load_too_large, HEDGE_E_TOO_LARGE},
    {"hedge_policy_load of the default", run_load_default, HEDGE_OK},
    {"hedge_policy_load with overrides for assets", run_load_rich, HEDGE_OK},
    {"hedge_policy_load_with", run_load_overridden, HEDGE_OK},
    {"hedge_policy_parse", run_parse, HEDGE_OK},
    {"hedge_policy_parse of a bad policy", run_parse_bad, HEDGE_E_POLICY},
    {"hedge_market_new", run_market, HEDGE_OK},
};

/* One run with the k-th allocation failing. True when it went as it must;
 * *past is set when k is behind the last allocation. */
static bool survives(const trial *t, long k, bool on, bool *past)
{
    const long before = live;

    seen = 0;
    fail_at = k;
    fail_on = on;

    const int32_t rc = t->run();

    fail_at = -1;
    *past = seen <= k;
    if (live == before && (rc == t->want || (!*past && rc == HEDGE_E_NOMEM))) return true;
    fprintf(stderr, "%s, allocation %ld failing%s: %s (%d), %ld blocks leaked\n", t->name, k,
            on ? " and all after it" : "", hedge_status_name(rc), (int)rc, live - before);
    return false;
}

static int every_allocation_may_fail(const trial *t)
{
    long k = 0;

    for (int on = 0; on <= 1; on++) {
        bool past = false;

        for (k = 0; !past; k++)
            if (!survives(t, k, on != 0, &past)) return 1;
    }
    printf("%s: each of %ld allocations may fail\n", t->name, k - 1);
    return 0;
}

/* ---- what must not allocate -------------------------------------------------- */

enum { CALLS = 1000000 };

static int32_t stop_soon(void *context, double done)
{
    (void)context;
    return done > 0;
}

static double decide_once(const hedge_policy *policy, hedge_market *market, int64_t now_ns)
{
    hedge_request request = HEDGE_INIT(hedge_request);
    hedge_decision decision = HEDGE_INIT(hedge_decision);
    hedge_quote quote = HEDGE_INIT(hedge_quote);
    double sum;

    request.amount_usd = 1e6;
    sum = (double)hedge_market_put_score(market, 0, (double)(now_ns % 1000) / 1000, 1, now_ns);
    sum += (double)hedge_market_put_depth(market, 0, 1e6, now_ns);
    sum += (double)hedge_market_read(market, 0, &quote);
    sum += (double)(hedge_size(policy, &request, &quote, now_ns, &decision) == HEDGE_OK);
    return sum;
}

static double decide_columns(const hedge_policy *policy, const double *score, size_t n)
{
    hedge_size_in in = HEDGE_INIT(hedge_size_in);
    hedge_size_out out = HEDGE_INIT(hedge_size_out);
    double pct[16];

    in.amount_usd = in.score = in.depth1pct_usd = score;
    out.hedge_pct = pct;
    return hedge_size_n(policy, &in, n, &out) == HEDGE_OK ? pct[n - 1] : NAN;
}

/* What a journal does with a decision. */
static double keep_record(const hedge_policy *policy, int64_t now_ns)
{
    hedge_record record = HEDGE_INIT(hedge_record), read = HEDGE_INIT(hedge_record);
    uint8_t bytes[HEDGE_RECORD_MAX], hash[HEDGE_HASH_SIZE] = {0};
    size_t n;

    record.kind = HEDGE_RECORD_DECISION;
    record.seq = 1;
    record.ts_ns = now_ns;
    if (hedge_policy_hash(policy, record.policy_hash) != HEDGE_OK) return NAN;
    if (hedge_record_encode(&record, bytes, sizeof(bytes), &n) != HEDGE_OK) return NAN;
    hedge_record_chain(hash, bytes, n, hash);
    return hedge_record_decode(bytes, n, &read) == HEDGE_OK ? hash[0] : NAN;
}

/* The default policy's curve has four knots. */
static double look_at_shape(const hedge_curve *curve, double score)
{
    double batch[16], d[4] = {0};
    hedge_piece piece = HEDGE_INIT(hedge_piece);

    for (size_t k = 0; k < COUNT(batch); k++)
        batch[k] = score;
    hedge_curve_eval_n(curve, batch, batch, COUNT(batch));
    if (hedge_curve_sensitivity(curve, score, d, COUNT(d)) != HEDGE_OK) return NAN;
    if (hedge_curve_piece(curve, 1, &piece) != HEDGE_OK) return NAN;
    return hedge_curve_eval(curve, score) + batch[3] + hedge_curve_slope(curve, score) +
           hedge_curve_inverse(curve, 0.05 + 0.9 * score) + hedge_curve_area(curve, 0, score) +
           d[0] + piece.b;
}

static double certify_a_little(const hedge_curve *curve)
{
    hedge_certificate c = HEDGE_INIT(hedge_certificate);
    uint8_t hash[HEDGE_HASH_SIZE];

    if (hedge_curve_hash(curve, hash) != HEDGE_OK) return NAN;
    return hedge_curve_certify(curve, stop_soon, NULL, &c) == HEDGE_E_STOPPED ? 0 : NAN;
}

static int steady(const hedge_policy *policy, hedge_market *market)
{
    const hedge_curve *curve = hedge_policy_curve(policy, 0);
    const long before = seen;
    double score[16], sum = 0;

    for (int64_t i = 0; i < CALLS; i++) {
        for (size_t k = 0; k < COUNT(score); k++)
            score[k] = (double)(i % 1000) / 1000;
        sum += decide_once(policy, market, i);
        sum += look_at_shape(curve, score[0]);
        if (i % 16 == 0) sum += decide_columns(policy, score, COUNT(score));
        if (i % 16 == 0) sum += keep_record(policy, i);
        if (i % (CALLS / 3) == 0) sum += certify_a_little(curve);
    }
    if (seen == before && isfinite(sum)) return 0;
    fprintf(stderr, "%ld allocations in %d decisions (%g)\n", seen - before, CALLS, sum);
    return 1;
}

static int nothing_is_allocated_per_decision(void)
{
    hedge_policy *policy = NULL;
    hedge_market *market = NULL;
    int failed = 1;

    if (hedge_policy_load(default_policy, NULL, &policy) == HEDGE_OK &&
        hedge_market_new(1, &market) == HEDGE_OK && hedge_market_add(market, "BTC") == 0)
        failed = steady(policy, market);
    hedge_market_free(market);
    hedge_policy_free(policy);
    if (!failed) printf("%d decisions and looks at a curve allocate nothing\n", CALLS);
    return failed;
}

static void write_many_assets(void)
{
    char *at = stpcpy(many_text, "curve: {knots: [[0, 0], [1, 1]]}\nassets:\n");

    for (int i = 0; i < 40; i++)
        at += sprintf(at, "  ASSET%d: {max_hedge_pct: 0.%d, curve: {method: steffen}}\n", i, i + 1);
}

static bool write_too_large(const folder *here)
{
    static char large[HEDGE_POLICY_FILE_MAX + 1];

    memset(large, '\n', sizeof(large));
    return folder_write(here, "x.yaml", large, sizeof(large), large_policy);
}

int main(void)
{
    folder here;
    int failed = 0;

    if (!folder_new(&here) || !write_too_large(&here) ||
        !folder_write(&here, "k.yaml", knots_text, sizeof(knots_text) - 1, knots_file) ||
        !folder_write(&here, "bad.yaml", bad_knots_text, sizeof(bad_knots_text) - 1, lost_policy) ||
        !folder_write(&here, "l.yaml", lost_text, sizeof(lost_text) - 1, lost_policy) ||
        !folder_write(&here, "p.yaml", rich_text, sizeof(rich_text) - 1, rich_policy)) {
        fprintf(stderr, "no folder to write to\n");
        return 1;
    }
    write_many_assets();
    for (size_t i = 0; i < COUNT(trials); i++)
        failed |= every_allocation_may_fail(&trials[i]);
    failed |= nothing_is_allocated_per_decision();
    folder_remove(&here);
    return failed;
}
