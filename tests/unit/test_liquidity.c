/* SPDX-License-Identifier: MIT
 * The liquidity weight against long double, and its order down to the last bit. */
#include "support.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>

#define RATIO HEDGE_WEIGHT_RATIO
#define LOG HEDGE_WEIGHT_LOG

static const double scales[] = {1e-12,  0.5, 1,      3,   1000, 99999.5,
                                250000, 5e5, 7.25e6, 1e9, 1e15, 1e300};
/* All with at most 32 significant bits, which is what `log` sees of a depth. */
static const double depths[] = {0,      1e-300, 0x1p-60, 0x1.8p-30, 0x1p-20, 0.001953125,
                                0.25,   0.5,    1,       1.5,       2,       3,
                                10,     999,    1e4,     12345,     249999,  5e5,
                                500001, 1e6,    7654321, 1e9,       1e15,    0x1.9p100};

static long double exact(int32_t kind, double scale, double depth)
{
    if (kind == RATIO) return (long double)depth / ((long double)depth + (long double)scale);

    const long double w = log1pl((long double)depth) / log1pl((long double)scale);

    return w < 1 ? w : 1;
}

static void agree(int32_t kind, double scale, double depth, double tolerance)
{
    const double want = (double)exact(kind, scale, depth);
    const double got = hedge_liquidity_weight(kind, scale, depth);

    /* Below the smallest normal number the quotient inside has no bits left. */
    cr_assert(fabs(got - want) <= fmax(tolerance * want, DBL_MIN),
              "kind %d, scale %.17g, depth %.17g: %a, not %a", (int)kind, scale, depth, got, want);
}

/* The scale is cut to 32 bits too, so the table's other scales are left to the looser test. */
static bool is_short(double v)
{
    int e;

    return ldexp(frexp(v, &e), 32) == floor(ldexp(frexp(v, &e), 32));
}

Test(liquidity, is_within_1e_14_of_long_double)
{
    rng r = {11};

    for (size_t s = 0; s < COUNT(scales); s++) {
        for (size_t d = 0; d < COUNT(depths); d++) {
            if (is_short(depths[d])) agree(RATIO, scales[s], depths[d], 1e-14);
            if (is_short(depths[d]) && is_short(scales[s])) agree(LOG, scales[s], depths[d], 1e-14);
        }
    }
    for (size_t i = 0; i < 200000; i++) {
        const double scale = exp2(rng_unit(&r) * 80 - 30), depth = exp2(rng_unit(&r) * 80 - 30);

        agree(RATIO, scale, depth, 1e-14);
        agree(LOG, floor(fmod(scale, 4e9)) + 1, floor(fmod(depth, 4e9)), 1e-14);
        agree(LOG, scale, depth, 5e-10);
    }
}

Test(liquidity, is_within_4_ulp_of_the_exact_value)
{
    rng r = {12};

    for (size_t i = 0; i < 200000; i++) {
        const double scale =
            (double)(1 + rng_below(&r, UINT32_MAX)) * exp2((int)rng_below(&r, 20) - 10);
        const double depth = (double)rng_below(&r, UINT32_MAX) * exp2((int)rng_below(&r, 20) - 10);

        agree(RATIO, scale, depth, 4 * DBL_EPSILON);
        agree(LOG, scale, depth, 4 * DBL_EPSILON);
    }
}

Test(liquidity, is_0_for_an_empty_book_and_never_above_1)
{
    const double deep[] = {1e15, 1e100, DBL_MAX};

    for (int32_t kind = RATIO; kind <= LOG; kind++) {
        for (size_t s = 0; s < COUNT(scales); s++) {
            cr_assert(same_bits(hedge_liquidity_weight(kind, scales[s], 0.0), 0.0));
            cr_assert(same_bits(hedge_liquidity_weight(kind, scales[s], -0.0), 0.0));
            for (size_t d = 0; d < COUNT(deep); d++) {
                const double w = hedge_liquidity_weight(kind, scales[s], deep[d]);

                cr_assert(w > 0 && w <= 1, "kind %d, %g, %g: %a", (int)kind, scales[s], deep[d], w);
            }
            if (scales[s] <= 1e15)
                cr_assert_eq(hedge_liquidity_weight(kind, scales[s], DBL_MAX), 1);
        }
    }
    cr_assert_eq(hedge_liquidity_weight(RATIO, 5e5, 5e5), 0.5);
    cr_assert_eq(hedge_liquidity_weight(LOG, 5e5, 5e5), 1);
    cr_assert_eq(hedge_liquidity_weight(LOG, 5e5, 6e5), 1);
}

Test(liquidity, holds_at_the_smallest_scale)
{
    for (int32_t kind = RATIO; kind <= LOG; kind++) {
        cr_assert_eq(hedge_liquidity_weight(kind, 5e-324, 0), 0, "kind %d", (int)kind);
        cr_assert_eq(hedge_liquidity_weight(kind, DBL_MIN, 0), 0, "kind %d", (int)kind);
        cr_assert_eq(hedge_liquidity_weight(kind, 5e-324, 1), 1, "kind %d", (int)kind);
    }
}

/* Walks up and down from a depth by neighbouring doubles, then by growing steps. */
static void rises_around(int32_t kind, double scale, double depth, int steps)
{
    double x = depth;

    for (int i = 0; i < steps && x > 0; i++)
        x = next_down(x);

    double before = hedge_liquidity_weight(kind, scale, x);

    for (int i = 0; i < 2 * steps && x < DBL_MAX; i++) {
        x = next_up(x);

        const double w = hedge_liquidity_weight(kind, scale, x);

        cr_assert_geq(w, before, "kind %d, scale %a: falls at depth %a", (int)kind, scale, x);
        before = w;
    }
}

Test(liquidity, never_falls_between_neighbouring_depths)
{
    for (int32_t kind = RATIO; kind <= LOG; kind++) {
        for (size_t s = 0; s < COUNT(scales); s++) {
            for (size_t d = 0; d < COUNT(depths); d++)
                rises_around(kind, scales[s], depths[d], 300);
            for (int e = -60; e <= 60; e++)
                rises_around(kind, scales[s], exp2(e), 50);
            for (int e = -4; e <= 4; e++)
                rises_around(kind, scales[s], scales[s] * exp2(e), 300);
        }
    }
}

/* `log` sees 32 bits of a depth, so its neighbours are 2^-31 apart; and where a
 * logarithm is cut into pieces (powers of two times sqrt 2) the pieces must meet. */
static void rises_in_cut_steps(double scale, double depth, int steps)
{
    double before = 0;

    for (int i = -steps; i <= steps; i++) {
        const double x = depth * (1 + i * 0x1p-32);
        const double w = hedge_liquidity_weight(LOG, scale, x);

        cr_assert_geq(w, before, "scale %a: falls at depth %a", scale, x);
        before = w;
    }
}

Test(liquidity, never_falls_where_the_logarithm_changes_pieces)
{
    rng r = {13};

    for (int e = -40; e <= 60; e++) {
        rises_in_cut_steps(1e15, exp2(e), 500);
        rises_in_cut_steps(1e15, exp2(e + 0.5), 500);
        if (exp2(e) > 1) rises_in_cut_steps(1e15, exp2(e) - 1, 500);
        if (exp2(e + 0.5) > 1) rises_in_cut_steps(1e15, exp2(e + 0.5) - 1, 500);
    }
    for (int i = 0; i < 2000; i++)
        rises_in_cut_steps(exp2(rng_unit(&r) * 50), exp2(rng_unit(&r) * 50 - 10), 100);
}

Test(liquidity, gives_nan_for_what_is_no_depth_or_scale)
{
    const double bad[] = {NAN, -NAN, INFINITY, -INFINITY, -1, -5e-324, -DBL_MAX};
    const int32_t kinds[] = {-1, 2, INT32_MAX, INT32_MIN};

    for (int32_t kind = RATIO; kind <= LOG; kind++) {
        for (size_t i = 0; i < COUNT(bad); i++) {
            cr_assert(isnan(hedge_liquidity_weight(kind, 5e5, bad[i])), "depth %g", bad[i]);
            cr_assert(isnan(hedge_liquidity_weight(kind, bad[i], 5e5)), "scale %g", bad[i]);
        }
        cr_assert(isnan(hedge_liquidity_weight(kind, 0.0, 1)));
        cr_assert(isnan(hedge_liquidity_weight(kind, -0.0, 1)));
    }
    for (size_t i = 0; i < COUNT(kinds); i++)
        cr_assert(isnan(hedge_liquidity_weight(kinds[i], 5e5, 5e5)), "kind %d", (int)kinds[i]);
}
