/* SPDX-License-Identifier: MIT
 * The curve's promises on random and wicked knots: monotone to the last bit, bounded, exact at the
 * knots, one at a time as in batches, the same bits by every path that the processor has, close to
 * other libraries, no step of the grid steeper than certifying allows, and with the inverse that
 * the header defines.
 * Arguments: seed (default 1), curves (default 10000). Curve i of seed s is curve 0 of seed s + i.
 */
#include "curve.h"
#include "knots.h"
#include "oracle.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { HALF = 64, WINDOW = 2 * HALF + 1, PLACES_MAX = 140, LONG_HALF = 1024 };
static const double tolerance = 1e-12;

typedef struct subject {
    uint64_t seed;
    const knots *k;
    int32_t method;
    hedge_curve *curve;
    const oracle *other;
    rng r;
} subject;

static void print_knots(const knots *k)
{
    for (size_t i = 0; i < k->n && k->n <= 16; i++)
        fprintf(stderr, "  {%a, %a}, /* %.17g, %.17g */\n", k->score[i], k->hedge[i], k->score[i],
                k->hedge[i]);
}

static void fail(const subject *s, const char *what, double x, double a, double b)
{
    fprintf(stderr, "seed %llu, %s, %zu knots (%s): %s at %a = %.17g: %a and %a\n",
            (unsigned long long)s->seed, hedge_method_name(s->method), s->k->n, s->k->kind, what, x,
            x, a, b);
    print_knots(s->k);
    exit(1);
}

/* Ascending scores: values must not fall, must stay between the end knots, and must be the same
 * bits one by one. */
static void check_ascending(const subject *s, const double *x, size_t n)
{
    static double y[2 * LONG_HALF + 1];
    const double low = s->k->hedge[0], high = s->k->hedge[s->k->n - 1];

    hedge_curve_eval_n(s->curve, x, y, n);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && !(y[i] >= y[i - 1])) fail(s, "falls", x[i], y[i - 1], y[i]);
        if (!(y[i] >= low && y[i] <= high)) fail(s, "out of bounds", x[i], y[i], high);
        const double alone = hedge_curve_eval(s->curve, x[i]);

        if (!same_bits(alone, y[i])) fail(s, "batch differs", x[i], y[i], alone);
    }
}

static void check_oracle(const subject *s, double grid_x)
{
    const double first = on_grid(s->k->score[0]), last = on_grid(s->k->score[s->k->n - 1]);

    if (grid_x < first || grid_x > last) return;

    const double ours = hedge_curve_eval(s->curve, grid_x), theirs = oracle_eval(s->other, grid_x);

    if (!(fabs(ours - theirs) <= tolerance)) fail(s, "far from the oracle", grid_x, ours, theirs);
}

/* Neighbouring doubles around a place. */
static void check_doubles(const subject *s, double place)
{
    double x[WINDOW];

    x[HALF] = place;
    for (int i = 1; i <= HALF; i++) {
        x[HALF - i] = next_down(x[HALF - i + 1]);
        x[HALF + i] = next_up(x[HALF + i - 1]);
    }
    check_ascending(s, x, WINDOW);
}

static void check_grid(const subject *s, double place, int half)
{
    static double x[2 * LONG_HALF + 1];
    const double middle = on_grid(place);

    for (int i = -half; i <= half; i++)
        x[half + i] = middle + i * HEDGE_SCORE_STEP;
    check_ascending(s, x, (size_t)(2 * half + 1));
}

static void check_place(const subject *s, double place)
{
    const double grid = on_grid(place);

    check_doubles(s, place);
    check_doubles(s, grid + HEDGE_SCORE_STEP / 2); /* where rounding to the grid changes sides */
    check_doubles(s, grid - HEDGE_SCORE_STEP / 2);
    check_grid(s, place, HALF);
    for (int i = -2; i <= 2; i++)
        check_oracle(s, grid + i * HEDGE_SCORE_STEP);
    if (!(hedge_curve_slope(s->curve, place) >= 0))
        fail(s, "slope below 0", place, hedge_curve_slope(s->curve, place), 0);
}

/* The j-th place: knots and middles in turn. */
static double place_of(const knots *k, size_t j)
{
    const size_t i = j / 2;

    return j % 2 == 0 ? k->score[i] : k->score[i] / 2 + k->score[i + 1] / 2;
}

static void check_places(subject *s)
{
    const size_t all = 2 * s->k->n - 1;
    const size_t n = all < PLACES_MAX ? all : PLACES_MAX;

    for (size_t j = 0; j < n; j++)
        check_place(s, place_of(s->k, all <= PLACES_MAX ? j : rng_below(&s->r, all)));
    for (int i = 0; i < 8; i++) {
        const size_t j = (size_t)rng_below(&s->r, s->k->n - 1);
        const double t = rng_unit(&s->r);

        check_place(s, s->k->score[j] * (1 - t) + s->k->score[j + 1] * t);
    }
    for (size_t j = 0; s->k->n <= 8 && j < all; j++)
        check_grid(s, place_of(s->k, j), LONG_HALF);
}

static void check_knots(const subject *s)
{
    for (size_t i = 0; i < s->k->n; i++) {
        const double y = hedge_curve_eval(s->curve, s->k->score[i]);

        if (!same_bits(y, s->k->hedge[i]))
            fail(s, "not exact at a knot", s->k->score[i], y, s->k->hedge[i]);
    }
}

static void check_inverse(subject *s)
{
    const double first = s->k->hedge[0], last = s->k->hedge[s->k->n - 1];

    for (int i = 0; i < 24; i++) {
        const double knot = s->k->hedge[rng_below(&s->r, s->k->n)];
        const double choice[] = {knot, next_up(knot), next_down(knot),
                                 first + (last - first) * rng_unit(&s->r)};
        const double h = choice[i % 4], x = hedge_curve_inverse(s->curve, h);

        if (h > last) {
            if (!isnan(x)) fail(s, "inverse of the unreachable", h, x, NAN);
            continue;
        }
        if (!(x >= 0 && x <= 1 && on_grid(x) == x)) fail(s, "inverse off the grid", h, x, 0);
        if (!(hedge_curve_eval(s->curve, x) >= h)) fail(s, "inverse too small", h, x, 0);
        if (x > 0 && !(hedge_curve_eval(s->curve, x - HEDGE_SCORE_STEP) < h))
            fail(s, "inverse not the least", h, x, 0);
    }
}

/* A grid's step rises by at most 3 of its segment's secants (Fritsch and Carlson) and 2^-51, or
 * certifying would refuse a good curve. Each segment near both ends and its middle, and the
 * narrowest ones whole. */
static void check_steps(const subject *s, double from, uint32_t n, double most)
{
    static double x[2 * LONG_HALF + 1], y[2 * LONG_HALF + 1];

    for (uint32_t i = 0; i <= n; i++)
        x[i] = from + i * HEDGE_SCORE_STEP;
    hedge_curve_eval_n(s->curve, x, y, n + 1);
    for (uint32_t i = 0; i < n; i++)
        if (!(y[i + 1] >= y[i] && y[i + 1] - y[i] <= most))
            fail(s, "falls or jumps", x[i], y[i], y[i + 1]);
}

static void check_segment(const subject *s, size_t i)
{
    const double x0 = on_grid(s->k->score[i]), x1 = on_grid(s->k->score[i + 1]);
    const double secant = (s->k->hedge[i + 1] - s->k->hedge[i]) / (x1 - x0);
    const double most = 3.0 * secant * HEDGE_SCORE_STEP * (1.0 + 0x1p-40) + 0x1p-51;
    const uint32_t steps = (uint32_t)((x1 - x0) / HEDGE_SCORE_STEP);

    if (steps <= 2 * LONG_HALF) {
        check_steps(s, x0, steps, most);
        return;
    }
    check_steps(s, x0, HALF, most);
    check_steps(s, x1 - HALF * HEDGE_SCORE_STEP, HALF, most);
    check_steps(s, on_grid(x0 / 2 + x1 / 2) - HALF * HEDGE_SCORE_STEP, WINDOW - 1, most);
}

static void check_segments(subject *s)
{
    for (size_t i = 0; i < 24; i++)
        check_segment(s, s->k->n <= 25 ? i % (s->k->n - 1) : rng_below(&s->r, s->k->n - 1));
}

/* By every path the portable one's bits, on a batch from anywhere, then on one from few segments.
 */
static void check_paths(subject *s)
{
    enum { N = 251 };
    static const curve_path others[] = {CURVE_PATH_FMA, CURVE_PATH_AVX2, CURVE_PATH_AVX512};
    double x[N], fast[N], slow[N];

    for (size_t i = 0; i < N; i++) {
        x[i] = i % 4 == 0 ? place_of(s->k, rng_below(&s->r, 2 * s->k->n - 1)) : rng_unit(&s->r);
        if (i > N / 2) x[i] = x[i - 8] + (double)rng_below(&s->r, 3) * HEDGE_SCORE_STEP;
        if (rng_below(&s->r, 64) == 0) x[i] = rng_any(&s->r);
    }
    curve_set_path(s->curve, CURVE_PATH_PORTABLE);
    for (size_t i = 0; i < N; i++)
        slow[i] = s->curve->eval(s->curve, x[i]);
    for (size_t p = 0; p < COUNT(others); p++) {
        if (!curve_set_path(s->curve, others[p])) continue;
        hedge_curve_eval_n(s->curve, x, fast, N);
        for (size_t i = 0; i < N; i++)
            if (!same_bits(fast[i], slow[i]) ||
                !same_bits(hedge_curve_eval(s->curve, x[i]), slow[i]))
                fail(s, "paths differ", x[i], fast[i], slow[i]);
    }
}

static void check_curve(uint64_t seed, const knots *k, int32_t method)
{
    oracle *other = oracle_new(method, k);
    subject s = {.seed = seed, .k = k, .method = method, .other = other, .r = {seed ^ 0x5eed}};

    s.curve = curve_of(method, k->score, k->hedge, k->n);
    if (s.curve == NULL) fail(&s, "refused", 0, 0, 0);
    check_knots(&s);
    check_paths(&s);
    check_places(&s);
    check_segments(&s);
    check_inverse(&s);
    hedge_curve_free(s.curve);
    oracle_free(other);
}

int main(int argc, char **argv)
{
    static knots k;
    const uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    const uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 10000;

    for (uint64_t i = 0; i < count; i++) {
        rng r = {(seed + i) * UINT64_C(0x9e3779b97f4a7c15)};

        knots_draw(&r, &k);
        for (int32_t method = HEDGE_METHOD_PCHIP; method <= HEDGE_METHOD_LINEAR; method++)
            check_curve(seed + i, &k, method);
    }
    printf("%llu curves from seed %llu, each by three methods: all promises kept\n",
           (unsigned long long)count, (unsigned long long)seed);
    return 0;
}
