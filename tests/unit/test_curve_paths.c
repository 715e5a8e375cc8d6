/* SPDX-License-Identifier: MIT
 * Each way to compute a batch against the plainest: the portable path, one score at a time. Bit for
 * bit, NaN too, and touching no memory but its own. */
#include "curve.h"
#include "guarded.h"
#include "knots.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    curve_path path;
    const char *name;
} paths[] = {{CURVE_PATH_PORTABLE, "portable"},
             {CURVE_PATH_FMA, "fma"},
             {CURVE_PATH_AVX2, "avx2"},
             {CURVE_PATH_AVX512, "avx512"}};

static const size_t sizes[] = {2,  3,  4,  5,  6,  7,  8,  9,  10, 11,   12,
                               13, 14, 15, 16, 17, 18, 19, 20, 64, 1000, 4096};

enum { SHORT_MAX = 40, SEED = 20260 };

/* ---- what is compared ---------------------------------------------------------- */

typedef struct subject {
    hedge_curve *curve;
    knots k;
    rng r;
    uint64_t seed;
} subject;

typedef void (*visit_fn)(subject *s);

/* Curves of each size by each method, random knots from a seed each. */
static void each_curve(visit_fn visit)
{
    static subject s;

    for (size_t i = 0; i < COUNT(sizes) * 3; i++) {
        s.seed = SEED + i;
        s.r = (rng){s.seed};
        knots_draw_n(&s.r, &s.k, sizes[i / 3]);
        s.curve = curve_of((int32_t)(i % 3), s.k.score, s.k.hedge, s.k.n);
        cr_assert_not_null(s.curve, "seed %llu", (unsigned long long)s.seed);
        visit(&s);
        hedge_curve_free(s.curve);
    }
}

static double *portably(const subject *s, const double *score, size_t n)
{
    double *want = malloc((n + 1) * sizeof(*want));

    cr_assert_not_null(want);
    curve_set_path(s->curve, CURVE_PATH_PORTABLE);
    for (size_t i = 0; i < n; i++)
        want[i] = s->curve->eval(s->curve, score[i]);
    return want;
}

static void must_equal(const subject *s, const char *path, const char *what, const double *score,
                       const double *got, const double *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cr_assert(same_bits(got[i], want[i]),
                  "seed %llu, %s, %zu knots (%s), path %s, %s, %zu of %zu: f(%a) = %a, not %a",
                  (unsigned long long)s->seed, hedge_method_name(hedge_curve_method(s->curve)),
                  s->k.n, s->k.kind, path, what, i, n, score[i], got[i], want[i]);
}

/* One list of scores by every path there is, out of place and in place. */
static void try_scores(const subject *s, const char *what, const double *score, size_t n)
{
    double *want = portably(s, score, n), *got = malloc((n + 1) * sizeof(*got));

    cr_assert_not_null(got);
    for (size_t p = 0; p < COUNT(paths); p++) {
        if (!curve_set_path(s->curve, paths[p].path)) continue;
        memset(got, 0xa5, n * sizeof(*got));
        hedge_curve_eval_n(s->curve, score, got, n);
        must_equal(s, paths[p].name, what, score, got, want, n);
        memcpy(got, score, n * sizeof(*got));
        hedge_curve_eval_n(s->curve, got, got, n);
        must_equal(s, paths[p].name, "in place", score, got, want, n);
        for (size_t i = 0; i < n && i < 4096; i++) {
            cr_assert(same_bits(s->curve->eval(s->curve, score[i]), want[i]));
            cr_assert(same_bits(hedge_curve_eval(s->curve, score[i]), want[i]), "f(%a)", score[i]);
        }
    }
    free(got);
    free(want);
}

/* ---- scores ---------------------------------------------------------------------- */

/* NaN of every sort, by their bits. */
static const uint64_t nans[] = {
    UINT64_C(0x7ff8000000000000), UINT64_C(0xfff8000000000000), UINT64_C(0x7ff0000000000001),
    UINT64_C(0xfff0000000000001), UINT64_C(0x7ff7ffffffffffff), UINT64_C(0xffffffffffffffff),
    UINT64_C(0x7fffffffffffffff), UINT64_C(0x7ff8deadbeef0123), UINT64_C(0xfff4000000000000)};

/* 2097152 and -2097152 leave the range where doubles are a grid step apart. */
static const double odd[] = {0.0,         -0.0,          DBL_TRUE_MIN, -DBL_TRUE_MIN, DBL_MIN,
                             -DBL_MIN,    0x1p-1060,     -0x1p-1060,   INFINITY,      -INFINITY,
                             DBL_MAX,     -DBL_MAX,      1e300,        -1e300,        0x1p53,
                             -0x1p53,     2097152.0,     -2097152.0,   2097151.999,   -2097152.001,
                             CURVE_SHIFT, -CURVE_SHIFT,  0x1p22,       -0x1p22,       0x1p23,
                             -0x1p23,     -6291455.5,    1.0,          2.0,           -1.0,
                             0x1p-30,     -0x1p-30,      0x1p-31,      -0x1p-31,      0x1.8p-30,
                             0x1.8p-31,   1.0 + 0x1p-31, 1 - 0x1p-31,  4.0,           1e10};

static size_t odd_scores(double *out)
{
    memcpy(out, nans, sizeof(nans));
    memcpy(out + COUNT(nans), odd, sizeof(odd));
    return COUNT(nans) + COUNT(odd);
}

/* A place, its neighbours by ulps, by grid steps, and where rounding to the grid changes sides. */
static size_t around(double place, double *out)
{
    const double grid = on_grid(place), half = HEDGE_SCORE_STEP / 2;
    const double from[] = {place, grid, grid + half, grid - half, grid + 3 * half, grid - 3 * half};
    size_t n = 0;

    for (size_t i = 0; i < COUNT(from); i++) {
        out[n++] = from[i];
        out[n++] = next_up(from[i]);
        out[n++] = next_up(next_up(from[i]));
        out[n++] = next_down(from[i]);
        out[n++] = next_down(next_down(from[i]));
    }
    for (int i = -3; i <= 3; i++)
        out[n++] = grid + i * HEDGE_SCORE_STEP;
    return n;
}

enum { AROUND = 37 };

static int by_score(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void reverse(double *v, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        const double t = v[i];

        v[i] = v[n - 1 - i];
        v[n - 1 - i] = t;
    }
}

static void shuffle(rng *r, double *v, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        const size_t j = (size_t)rng_below(r, i);
        const double t = v[i - 1];

        v[i - 1] = v[j];
        v[j] = t;
    }
}

/* ---- every knot, every order ------------------------------------------------------ */

static void at_knots_and_middles(subject *s)
{
    double *score = malloc((2 * s->k.n * AROUND + 64) * sizeof(*score));
    size_t n = 0;

    cr_assert_not_null(score);
    for (size_t i = 0; i < s->k.n; i++) {
        n += around(s->k.score[i], score + n);
        if (i + 1 < s->k.n) n += around(s->k.score[i] / 2 + s->k.score[i + 1] / 2, score + n);
    }
    qsort(score, n, sizeof(*score), by_score);
    try_scores(s, "sorted", score, n);
    reverse(score, n);
    try_scores(s, "reversed", score, n);
    n += odd_scores(score + n);
    shuffle(&s->r, score, n);
    try_scores(s, "shuffled", score, n);
    free(score);
}

Test(curve_paths, agree_at_and_around_every_knot_and_middle, .timeout = 120)
{
    each_curve(at_knots_and_middles);
}

static void anywhere(subject *s)
{
    enum { N = 3001 };
    static double score[N];

    for (size_t i = 0; i < N; i++)
        score[i] = i % 7 == 0 ? rng_any(&s->r) : rng_unit(&s->r) * 1.25 - 0.125;
    try_scores(s, "random", score, N);
    for (size_t i = 0; i < N; i++)
        score[i] = s->k.score[0] + (s->k.score[s->k.n - 1] - s->k.score[0]) * (double)i / N;
    try_scores(s, "a ladder", score, N);
}

Test(curve_paths, agree_on_random_scores_and_on_a_ladder)
{
    each_curve(anywhere);
}

static double in_segment(subject *s, size_t i)
{
    const double t = rng_unit(&s->r);

    return s->k.score[i] * (1 - t) + s->k.score[i + 1] * t;
}

/* Eight from one node are read at once: it must not be believed of seven, or of a first and a last
 * with strangers in between. */
static void eights(subject *s)
{
    double score[8];
    double special[64];
    const size_t specials = odd_scores(special);

    for (int round = 0; round < 300; round++) {
        const size_t home = (size_t)rng_below(&s->r, s->k.n - 1);
        const size_t strangers = round % 4 == 0 ? 0 : 1 + (size_t)rng_below(&s->r, 3);

        for (size_t i = 0; i < 8; i++)
            score[i] = in_segment(s, home);
        if (round % 3 == 0) qsort(score, 8, sizeof(*score), by_score);
        for (size_t i = 0; i < strangers; i++)
            score[rng_below(&s->r, 8)] = round % 5 == 0
                                             ? special[rng_below(&s->r, specials)]
                                             : in_segment(s, (size_t)rng_below(&s->r, s->k.n - 1));
        try_scores(s, "eights", score, 8);
    }
}

Test(curve_paths, agree_on_eights_from_one_node_and_nearly_one_node)
{
    each_curve(eights);
}

/* ---- lengths and memory ------------------------------------------------------------ */

/* Arrays that end where the memory ends, and arrays that begin where it begins. */
static void short_batch(const subject *s, const char *path, const double *pool, size_t n, bool high)
{
    guarded in = guarded_new(n), out = guarded_new(n);
    double *score = high ? in.high : in.low, *hedge = high ? out.high : out.low;
    double *want;

    for (size_t i = 0; i < n; i++)
        score[i] = pool[i];
    for (size_t i = 0; i < out.room; i++)
        out.low[i] = -7;
    guarded_read_only(&in);
    want = malloc((n + 1) * sizeof(*want));
    cr_assert_not_null(want);
    for (size_t i = 0; i < n; i++)
        want[i] = hedge_curve_eval(s->curve, score[i]);
    hedge_curve_eval_n(s->curve, score, hedge, n);
    must_equal(s, path, high ? "before a guard" : "behind a guard", score, hedge, want, n);
    for (double *at = out.low; at < out.low + out.room; at++)
        cr_assert(at >= hedge && at < hedge + n ? true : *at == -7,
                  "seed %llu, path %s, n %zu: wrote %td behind the first",
                  (unsigned long long)s->seed, path, n, at - hedge);
    free(want);
    guarded_free(&in);
    guarded_free(&out);
}

static void short_batches(subject *s)
{
    double pool[SHORT_MAX];
    double special[64];
    const size_t specials = odd_scores(special);

    if (s->k.n > 20 && s->seed % 3 != 0) return;
    for (size_t i = 0; i < SHORT_MAX; i++)
        pool[i] = i % 3 == 0 ? special[rng_below(&s->r, specials)] : rng_unit(&s->r) * 1.25 - 0.125;
    for (size_t p = 0; p < COUNT(paths); p++) {
        if (!curve_set_path(s->curve, paths[p].path)) continue;
        for (size_t n = 0; n <= SHORT_MAX; n++) {
            short_batch(s, paths[p].name, pool, n, true);
            short_batch(s, paths[p].name, pool, n, false);
        }
    }
}

Test(curve_paths, read_and_write_nothing_but_the_batch, .timeout = 120)
{
    each_curve(short_batches);
}

/* Every length at every alignment that a double has in a cache line, in and out apart. */
static void any_alignment(subject *s)
{
    static _Alignas(64) double score[SHORT_MAX + 16], hedge[SHORT_MAX + 16];
    double *want;

    for (size_t i = 0; i < COUNT(score); i++)
        score[i] = i % 5 == 0 ? rng_any(&s->r) : rng_unit(&s->r);
    want = portably(s, score, COUNT(score));
    for (size_t p = 0; p < COUNT(paths); p++) {
        if (!curve_set_path(s->curve, paths[p].path)) continue;
        for (size_t n = 0; n <= SHORT_MAX; n++) {
            const size_t in = n % 8, out = (n * 3 + p) % 8;

            hedge[out + n] = -7;
            hedge_curve_eval_n(s->curve, score + in, hedge + out, n);
            must_equal(s, paths[p].name, "unaligned", score + in, hedge + out, want + in, n);
            cr_assert_eq(hedge[out + n], -7);
        }
    }
    free(want);
}

Test(curve_paths, agree_at_every_length_and_alignment)
{
    each_curve(any_alignment);
}

/* ---- which there are --------------------------------------------------------------- */

/* For the log: a processor or a build may lack some. */
Test(curve_paths, are_named_where_they_are_not_there)
{
    hedge_curve *c = curve_of(HEDGE_METHOD_PCHIP, default_score, default_hedge, DEFAULT_KNOTS);
    bool has[COUNT(paths)];

    cr_assert_not_null(c);
    for (size_t p = 0; p < COUNT(paths); p++) {
        has[p] = curve_set_path(c, paths[p].path);
        if (!has[p]) fprintf(stderr, "skipped: no %s path here\n", paths[p].name);
        cr_assert_eq(strcmp(hedge_curve_path(c), paths[p].name) == 0, has[p], "%s is called %s",
                     paths[p].name, hedge_curve_path(c));
        cr_assert(same_bits(hedge_curve_eval(c, 0.5), c->eval(c, 0.5)), "%s", paths[p].name);
        /* A path that is not there leaves the next best one, not none. */
        cr_assert(p == 0 || !has[p] || has[p - 1], "%s without %s", paths[p].name,
                  paths[p - 1].name);
    }
    cr_assert(has[CURVE_PATH_PORTABLE]);
    cr_assert_null(hedge_curve_path(NULL));
    hedge_curve_free(c);
}
