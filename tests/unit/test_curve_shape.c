/* SPDX-License-Identifier: MIT
 * Slope, area, sensitivity, pieces and hash at chosen places; tests/property/ looks at random ones.
 */
#include "support.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <string.h>

static const int32_t methods[] = {HEDGE_METHOD_PCHIP, HEDGE_METHOD_STEFFEN, HEDGE_METHOD_LINEAR};

/* On the grid, all rising, uneven, no two branches of a method close to each other. */
static const double rising_score[] = {0, 0.125, 0.25, 0.5, 0.8125, 1};
static const double rising_hedge[] = {0.03125, 0.0625, 0.375, 0.5, 0.8125, 1};
/* A flat run in the middle, flat ends, and a cliff. */
static const double flat_score[] = {0.0625, 0.125, 0.25, 0.5, 0.625, 0.75, 0.875};
static const double flat_hedge[] = {0.125, 0.125, 0.25, 0.25, 0.25, 1, 1};

static hedge_curve *rising(int32_t method)
{
    hedge_curve *c = curve_of(method, rising_score, rising_hedge, COUNT(rising_score));

    cr_assert_not_null(c);
    return c;
}

/* ---- area ---------------------------------------------------------------------- */

static double bound(double from, double to)
{
    return 0x1p-49 * (1 + fabs(to - from));
}

static void has_area(const hedge_curve *c, double from, double to, double want)
{
    const double got = hedge_curve_area(c, from, to), back = hedge_curve_area(c, to, from);

    cr_assert_leq(fabs(got - want), bound(from, to), "%g to %g: %.17g, not %.17g", from, to, got,
                  want);
    cr_assert_leq(fabs(back + want), bound(from, to), "%g to %g: %.17g", to, from, back);
}

Test(curve_shape, has_the_area_of_trapezoids_where_it_is_linear)
{
    hedge_curve *c = rising(HEDGE_METHOD_LINEAR);

    has_area(c, 0, 0.125, 0.125 * (0.03125 + 0.0625) / 2);
    has_area(c, 0.25, 0.5, 0.25 * (0.375 + 0.5) / 2);
    has_area(c, 0.25, 0.375, 0.125 * (0.375 + 0.4375) / 2);
    has_area(c, 0, 1, 0.005859375 + 0.02734375 + 0.109375 + 0.205078125 + 0.169921875);
    hedge_curve_free(c);
}

Test(curve_shape, has_the_end_hedges_area_outside_of_the_knots)
{
    static const double far[] = {1, 2, 5, 17.5, 1e3, 1e6, 0x1p40, 1e15, 0x1p51};

    for (size_t m = 0; m < COUNT(methods); m++) {
        hedge_curve *c = rising(methods[m]);

        for (size_t i = 0; i < COUNT(far); i++) {
            has_area(c, far[i], far[i] + 1, 1);
            has_area(c, far[i], far[i] * 2, far[i]);
            has_area(c, -far[i], -far[i] - 1, -0.03125);
            has_area(c, -far[i] - 0.5, -far[i], 0.015625);
        }
        has_area(c, -1e15, 0, 0.03125 * 1e15);
        has_area(c, -DBL_MAX, -1, 0.03125 * DBL_MAX);
        has_area(c, 0.75, 0.75, 0);
        has_area(c, 1e300, 1e300, 0);
        hedge_curve_free(c);
    }
}

/* Symmetric about the middle: the mean is the middle's hedge, whatever the method. */
Test(curve_shape, has_the_mean_of_a_symmetric_curve_in_its_middle)
{
    static const double score[] = {0, 0.25, 0.75, 1}, hedge[] = {0, 0.0625, 0.9375, 1};

    for (size_t m = 0; m < COUNT(methods); m++) {
        hedge_curve *c = curve_of(methods[m], score, hedge, COUNT(score));

        cr_assert_not_null(c);
        has_area(c, 0, 1, 0.5);
        has_area(c, 0.25, 0.75, 0.25);
        has_area(c, -3, 4, 3.5);
        has_area(c, 0.5 - 0x1p-40, 0.5 + 0x1p-40, 0x1p-40);
        hedge_curve_free(c);
    }
}

/* Simpson's rule is exact for a cubic: three hedges of a piece give its area. */
Test(curve_shape, has_the_area_that_simpsons_rule_gives_each_piece)
{
    for (size_t m = 0; m < COUNT(methods); m++) {
        hedge_curve *c = rising(methods[m]);

        for (size_t i = 0; i < hedge_curve_piece_count(c); i++) {
            hedge_piece p = HEDGE_INIT(hedge_piece);

            cr_assert_eq(hedge_curve_piece(c, i, &p), HEDGE_OK);

            const double middle = (p.from + p.to) / 2;
            const double sum = hedge_curve_eval(c, p.from) + 4 * hedge_curve_eval(c, middle) +
                               hedge_curve_eval(c, p.to);

            has_area(c, p.from, p.to, (p.to - p.from) / 6 * sum);
        }
        hedge_curve_free(c);
    }
}

Test(curve_shape, has_no_area_between_ends_that_are_not_finite)
{
    static const double bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    hedge_curve *c = rising(HEDGE_METHOD_PCHIP);

    for (size_t i = 0; i < COUNT(bad); i++) {
        cr_assert(isnan(hedge_curve_area(c, bad[i], 0.5)));
        cr_assert(isnan(hedge_curve_area(c, 0.5, bad[i])));
        cr_assert(isnan(hedge_curve_area(c, bad[i], bad[i])));
    }
    cr_assert(isnan(hedge_curve_area(NULL, 0, 1)));
    /* Finite ends that lie too far apart give an infinite area, not NaN. */
    cr_assert_eq(hedge_curve_area(c, 0, DBL_MAX), DBL_MAX);
    cr_assert(isfinite(hedge_curve_area(c, -DBL_MAX, DBL_MAX / 2)));
    hedge_curve_free(c);

    static const double all[] = {1, 1}, ends[] = {0, 1};

    c = curve_of(HEDGE_METHOD_LINEAR, ends, all, 2);
    cr_assert_not_null(c);
    cr_assert_eq(hedge_curve_area(c, -DBL_MAX, DBL_MAX), INFINITY);
    cr_assert_eq(hedge_curve_area(c, DBL_MAX, -DBL_MAX), -INFINITY);
    hedge_curve_free(c);
}

/* ---- slope --------------------------------------------------------------------- */

Test(curve_shape, has_the_slope_of_the_segment_at_the_last_knot_and_none_behind_it)
{
    for (size_t m = 0; m < COUNT(methods); m++) {
        hedge_curve *c =
            curve_of(methods[m], (double[]){0.25, 0.5, 0.75}, (double[]){0, 0.25, 1}, 3);
        const double last = hedge_curve_slope(c, 0.75);

        cr_assert_gt(last, 1, "method %d: %g", (int)methods[m], last);
        cr_assert_float_eq(last, hedge_curve_slope(c, 0.75 - HEDGE_SCORE_STEP), 1e-7);
        cr_assert(same_bits(hedge_curve_slope(c, 0.75 + HEDGE_SCORE_STEP), 0.0));
        cr_assert(same_bits(hedge_curve_slope(c, 0.25 - HEDGE_SCORE_STEP), 0.0));
        cr_assert_float_eq(hedge_curve_slope(c, 0.25),
                           hedge_curve_slope(c, 0.25 + HEDGE_SCORE_STEP), 1e-7);
        cr_assert(same_bits(hedge_curve_slope(c, DBL_MAX), 0.0));
        cr_assert(same_bits(hedge_curve_slope(c, -DBL_MAX), 0.0));
        hedge_curve_free(c);
    }
}

/* ---- sensitivity --------------------------------------------------------------- */

/* The curve at a score with hedge j moved. */
static double moved(int32_t method, const double *score, const double *hedge, size_t n, size_t j,
                    double by, double at)
{
    double other[16];
    hedge_curve *c;
    double f;

    memcpy(other, hedge, n * sizeof(*other));
    other[j] += by;
    c = curve_of(method, score, other, n);
    cr_assert_not_null(c);
    f = hedge_curve_eval(c, at);
    hedge_curve_free(c);
    return f;
}

static void sees_moved_knots(int32_t method, const double *score, const double *hedge, size_t n)
{
    const double by = 0x1p-15;
    hedge_curve *c = curve_of(method, score, hedge, n);
    double d[16];

    cr_assert_not_null(c);
    for (double x = score[0]; x <= score[n - 1]; x += 0x1p-6) {
        cr_assert_eq(hedge_curve_sensitivity(c, x, d, n), HEDGE_OK);
        for (size_t j = 1; j + 1 < n; j++) {
            const double finite = (moved(method, score, hedge, n, j, by, x) -
                                   moved(method, score, hedge, n, j, -by, x)) /
                                  (2 * by);

            cr_assert_float_eq(d[j], finite, 1e-6, "method %d, f(%g) by knot %zu: %.12g, not %.12g",
                               (int)method, x, j, d[j], finite);
        }
        /* The ends can move inwards alone: one-sided, of second order. */
        const double f = hedge_curve_eval(c, x);
        const double one = moved(method, score, hedge, n, 0, by, x);
        const double two = moved(method, score, hedge, n, 0, 2 * by, x);

        cr_assert_float_eq(d[0], (4 * one - two - 3 * f) / (2 * by), 1e-6, "first, f(%g)", x);
    }
    hedge_curve_free(c);
}

Test(curve_shape, follows_each_knot_as_the_sensitivity_says)
{
    for (size_t m = 0; m < COUNT(methods); m++)
        sees_moved_knots(methods[m], rising_score, rising_hedge, COUNT(rising_score));
}

/* The slope at each inner knot is the parabola's, twice the lower, or twice the upper secant. */
Test(curve_shape, follows_each_knot_on_every_branch_of_steffens_limit)
{
    static const double score[] = {0, 0.25, 0.5, 0.75, 1};
    static const double rows[][5] = {{0.0625, 0.25, 0.5, 0.75, 0.9375},
                                     {0.0625, 0.09375, 0.5, 0.53125, 0.9375},
                                     {0.0625, 0.5, 0.53125, 0.9375, 0.96875}};

    for (size_t i = 0; i < COUNT(rows); i++)
        sees_moved_knots(HEDGE_METHOD_STEFFEN, score, rows[i], COUNT(score));
}

Test(curve_shape, follows_two_knots_as_a_straight_line)
{
    static const double score[] = {0.25, 0.75}, hedge[] = {0.125, 0.875};
    double d[2];

    for (size_t m = 0; m < COUNT(methods); m++) {
        hedge_curve *c = curve_of(methods[m], score, hedge, 2);

        cr_assert_not_null(c);
        for (int i = 0; i <= 16; i++) {
            const double u = i / 16.0;

            cr_assert_eq(hedge_curve_sensitivity(c, 0.25 + u / 2, d, 2), HEDGE_OK);
            cr_assert_float_eq(d[0], 1 - u, 0x1p-46);
            cr_assert_float_eq(d[1], u, 0x1p-46);
        }
        hedge_curve_free(c);
    }
}

static void follows_one_knot(const hedge_curve *c, double x, size_t knot)
{
    double d[16];
    const size_t n = hedge_curve_knot_count(c);

    d[n] = 7;
    cr_assert_eq(hedge_curve_sensitivity(c, x, d, n), HEDGE_OK);
    cr_assert_eq(d[n], 7, "f(%g): wrote behind the last", x);
    for (size_t j = 0; j < n; j++)
        cr_assert_eq(d[j], j == knot ? 1 : 0, "f(%g) by knot %zu: %g", x, j, d[j]);
}

Test(curve_shape, follows_only_the_knot_it_stands_on_and_the_end_knots_outside)
{
    for (size_t m = 0; m < COUNT(methods); m++) {
        hedge_curve *c = rising(methods[m]);

        for (size_t i = 0; i < COUNT(rising_score); i++)
            follows_one_knot(c, rising_score[i], i);
        follows_one_knot(c, -1, 0);
        follows_one_knot(c, -INFINITY, 0);
        follows_one_knot(c, -DBL_MAX, 0);
        follows_one_knot(c, 1.5, COUNT(rising_score) - 1);
        follows_one_knot(c, DBL_MAX, COUNT(rising_score) - 1);
        follows_one_knot(c, INFINITY, COUNT(rising_score) - 1);
        hedge_curve_free(c);
    }
}

/* Knot 3 lies between two flat segments, knot 2 beside one. Raising knot 3 alone is no curve; but
 * moving it towards rising data, from knots 3 to the last by the same, is. */
Test(curve_shape, follows_knots_that_rise_where_a_flat_run_ends)
{
    const double by = 0x1p-20, up = 0.28125;
    const size_t n = COUNT(flat_score);
    double other[COUNT(flat_score)], d[COUNT(flat_score)];

    for (size_t m = 0; m < COUNT(methods); m++) {
        hedge_curve *c = curve_of(methods[m], flat_score, flat_hedge, n), *raised;

        memcpy(other, flat_hedge, sizeof(other));
        for (size_t j = 3; j < n - 2; j++)
            other[j] += by;
        raised = curve_of(methods[m], flat_score, other, n);
        cr_assert(c != NULL && raised != NULL);
        cr_assert_eq(hedge_curve_sensitivity(c, up, d, n), HEDGE_OK);
        const double finite = (hedge_curve_eval(raised, up) - hedge_curve_eval(c, up)) / by;

        cr_assert_float_eq(d[3] + d[4], finite, 1e-4, "method %d: %.9g, not %.9g", (int)methods[m],
                           d[3] + d[4], finite);
        hedge_curve_free(raised);
        hedge_curve_free(c);
    }
}

Test(curve_shape, keeps_the_slope_at_nothing_between_two_flat_segments)
{
    double d[COUNT(flat_score)];

    for (size_t m = 0; m < 2; m++) {
        hedge_curve *c = curve_of(methods[m], flat_score, flat_hedge, COUNT(flat_score));

        cr_assert_not_null(c);
        /* A little left of knot 3, far from knot 2: only the two ends' hedges count. */
        cr_assert_eq(hedge_curve_sensitivity(c, 0.5 - 0x1p-20, d, COUNT(d)), HEDGE_OK);
        cr_assert_float_eq(d[4], 0, 1e-12, "%g", d[4]);
        cr_assert_eq(d[5], 0);
        cr_assert_float_eq(d[3], 1, 1e-6);
        hedge_curve_free(c);
    }
}

Test(curve_shape, refuses_to_be_sensitive_to_the_wrong_number_of_knots)
{
    hedge_curve *c = rising(HEDGE_METHOD_PCHIP);
    double d[8] = {7, 7, 7, 7, 7, 7, 7, 7};

    cr_assert_eq(hedge_curve_sensitivity(NULL, 0.5, d, 6), HEDGE_E_ARG);
    cr_assert_eq(hedge_curve_sensitivity(c, 0.5, NULL, 6), HEDGE_E_ARG);
    cr_assert_eq(hedge_curve_sensitivity(c, 0.5, d, 5), HEDGE_E_ARG);
    cr_assert_eq(hedge_curve_sensitivity(c, 0.5, d, 7), HEDGE_E_ARG);
    cr_assert_eq(hedge_curve_sensitivity(c, 0.5, d, 0), HEDGE_E_ARG);
    cr_assert_eq(hedge_curve_sensitivity(c, NAN, d, 6), HEDGE_E_ARG);
    for (size_t i = 0; i < COUNT(d); i++)
        cr_assert_eq(d[i], 7, "wrote for nothing");
    cr_assert_eq(hedge_curve_sensitivity(c, 0.5, d, 6), HEDGE_OK);
    cr_assert_eq(d[6], 7, "wrote behind the last");
    hedge_curve_free(c);
}

/* ---- pieces -------------------------------------------------------------------- */

Test(curve_shape, has_two_pieces_a_segment_and_refuses_others)
{
    hedge_curve *c = rising(HEDGE_METHOD_STEFFEN);
    hedge_piece p = HEDGE_INIT(hedge_piece), old = HEDGE_INIT(hedge_piece);
    struct {
        hedge_piece p;
        char more[16];
    } newer;

    cr_assert_eq(hedge_curve_piece_count(NULL), 0);
    cr_assert_eq(hedge_curve_piece_count(c), 2 * (COUNT(rising_score) - 1));
    cr_assert_eq(hedge_curve_piece(c, 10, &p), HEDGE_E_ARG);
    cr_assert_eq(hedge_curve_piece(c, SIZE_MAX, &p), HEDGE_E_ARG);
    cr_assert_eq(hedge_curve_piece(c, 0, NULL), HEDGE_E_ARG);
    cr_assert_eq(hedge_curve_piece(NULL, 0, &p), HEDGE_E_ARG);
    old.struct_size = (uint32_t)sizeof(old) - 8;
    cr_assert_eq(hedge_curve_piece(c, 0, &old), HEDGE_E_STRUCT_SIZE);
    memset(&newer, 0x5a, sizeof(newer));
    newer.p.struct_size = (uint32_t)sizeof(newer);
    cr_assert_eq(hedge_curve_piece(c, 9, &newer.p), HEDGE_OK);
    cr_assert_eq(newer.p.struct_size, sizeof(newer));
    cr_assert_eq(newer.more[0], 0x5a);
    cr_assert_eq(newer.p.to, 1);
    cr_assert_eq(newer.p.reserved, 0);
    hedge_curve_free(c);
}

/* ---- hash ---------------------------------------------------------------------- */

static void hash_of(int32_t method, const double *score, const double *hedge, size_t n,
                    uint8_t hash[HEDGE_HASH_SIZE])
{
    hedge_curve *c = curve_of(method, score, hedge, n);

    cr_assert_not_null(c);
    memset(hash, 0, HEDGE_HASH_SIZE);
    cr_assert_eq(hedge_curve_hash(c, hash), HEDGE_OK);
    hedge_curve_free(c);
}

Test(curve_shape, has_one_hash_for_equal_curves)
{
    static const double plus[] = {0.0, 0.5, 1}, minus[] = {-0.0, 0.5, 1};
    uint8_t a[HEDGE_HASH_SIZE], b[HEDGE_HASH_SIZE];

    hash_of(HEDGE_METHOD_PCHIP, plus, plus, 3, a);
    hash_of(HEDGE_METHOD_PCHIP, plus, plus, 3, b);
    cr_assert_arr_eq(a, b, sizeof(a));
    hash_of(HEDGE_METHOD_PCHIP, minus, minus, 3, b);
    cr_assert_arr_eq(a, b, sizeof(a), "-0 is not 0");
    cr_assert_eq(hedge_curve_hash(NULL, a), HEDGE_E_ARG);

    hedge_curve *c = rising(HEDGE_METHOD_PCHIP);

    cr_assert_eq(hedge_curve_hash(c, NULL), HEDGE_E_ARG);
    hedge_curve_free(c);
}

Test(curve_shape, has_another_hash_for_every_other_curve)
{
    static uint8_t hashes[3 + 4 * COUNT(rising_score)][HEDGE_HASH_SIZE];
    const size_t n = COUNT(rising_score);
    double score[COUNT(rising_score)], hedge[COUNT(rising_score)];
    size_t made = 0;

    for (size_t m = 0; m < COUNT(methods); m++)
        hash_of(methods[m], rising_score, rising_hedge, n, hashes[made++]);
    for (size_t i = 0; i < n; i++) { /* one bit of one number of one knot */
        memcpy(score, rising_score, sizeof(score));
        memcpy(hedge, rising_hedge, sizeof(hedge));
        score[i] = i + 1 < n ? next_up(score[i]) : next_down(score[i]);
        hash_of(HEDGE_METHOD_PCHIP, score, hedge, n, hashes[made++]);
        hedge[i] = next_down(hedge[i]);
        hash_of(HEDGE_METHOD_PCHIP, score, hedge, n, hashes[made++]);
        hash_of(HEDGE_METHOD_PCHIP, rising_score, hedge, n, hashes[made++]);
    }
    for (size_t i = 2; i < n; i++)
        hash_of(HEDGE_METHOD_PCHIP, rising_score, rising_hedge, i, hashes[made++]);
    for (size_t i = 0; i < made; i++)
        for (size_t j = 0; j < i; j++)
            cr_assert(memcmp(hashes[i], hashes[j], HEDGE_HASH_SIZE) != 0, "%zu and %zu", i, j);
}

/* sha256sum of the bytes that curve.c documents: method 2, two knots, 0, 0.25, 1, 0.75. */
Test(curve_shape, has_the_hash_that_the_knots_bytes_have_anywhere)
{
    static const uint8_t want[HEDGE_HASH_SIZE] = {0xa6, 0xb6, 0xf4, 0x72, 0xc3, 0x8e, 0x25, 0xef,
                                                  0x6a, 0xec, 0x37, 0x70, 0xbf, 0x12, 0x8d, 0xe2,
                                                  0xbe, 0x4c, 0x3e, 0xd0, 0x0a, 0x74, 0x0e, 0x70,
                                                  0xec, 0x5c, 0x0c, 0x26, 0xda, 0xe3, 0x82, 0xca};
    uint8_t got[HEDGE_HASH_SIZE];

    hash_of(HEDGE_METHOD_LINEAR, (double[]){0, 1}, (double[]){0.25, 0.75}, 2, got);
    cr_assert_arr_eq(got, want, sizeof(want));
}
