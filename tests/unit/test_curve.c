/* SPDX-License-Identifier: MIT
 * The curve at chosen places; tests/property/ looks at random ones. */
#include "support.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <string.h>

/* Knots that lie on the score grid, so that other libraries see the same ones. */
static const double steps_score[] = {0, 0.125, 0.25, 0.5, 0.8125, 1};
static const double steps_hedge[] = {0, 0.0625, 0.5, 0.5, 0.75, 1};
static const double three_score[] = {0.125, 0.25, 1};
static const double three_hedge[] = {0.1, 0.9, 0.95};
static const double two_score[] = {0.25, 0.75};
static const double two_hedge[] = {0.125, 0.875};
/* A cliff between plateaus, as narrow as the contract allows. */
static const double cliff_score[] = {0, 0.5, 0.500001, 1};
static const double cliff_hedge[] = {0, 0, 1, 1};

typedef struct shape {
    const char *name;
    const double *score, *hedge;
    size_t n;
} shape;

static const shape shapes[] = {
    {"default", default_score, default_hedge, DEFAULT_KNOTS},
    {"steps", steps_score, steps_hedge, COUNT(steps_score)},
    {"three", three_score, three_hedge, COUNT(three_score)},
    {"two", two_score, two_hedge, COUNT(two_score)},
    {"cliff", cliff_score, cliff_hedge, COUNT(cliff_score)},
};

static const int32_t methods[] = {HEDGE_METHOD_PCHIP, HEDGE_METHOD_STEFFEN, HEDGE_METHOD_LINEAR};

typedef void (*visit_fn)(const hedge_curve *curve, const shape *s, int32_t method);

/* Runs a check on each shape by each method. */
static void each_curve(visit_fn visit)
{
    for (size_t s = 0; s < COUNT(shapes); s++) {
        for (size_t m = 0; m < COUNT(methods); m++) {
            hedge_curve *c = curve_of(methods[m], shapes[s].score, shapes[s].hedge, shapes[s].n);

            cr_assert_not_null(c, "%s by method %d", shapes[s].name, (int)methods[m]);
            visit(c, &shapes[s], methods[m]);
            hedge_curve_free(c);
        }
    }
}

static void exact_at_knots(const hedge_curve *c, const shape *s, int32_t method)
{
    for (size_t i = 0; i < s->n; i++)
        cr_assert(same_bits(hedge_curve_eval(c, s->score[i]), s->hedge[i]),
                  "%s, method %d, knot %zu: %.17g", s->name, (int)method, i,
                  hedge_curve_eval(c, s->score[i]));
}

Test(curve, is_exact_at_its_knots)
{
    each_curve(exact_at_knots);
}

static void ends_hold(const hedge_curve *c, const shape *s, int32_t method)
{
    const double first = s->hedge[0], last = s->hedge[s->n - 1];
    const double low[] = {
        -INFINITY, -DBL_MAX, -2, -1, -0.5, -DBL_MIN, -5e-324, -0.0, next_down(s->score[0])};
    const double high[] = {
        next_up(s->score[s->n - 1]), next_up(1), 1.5, 2, 1e10, DBL_MAX, INFINITY};

    for (size_t i = 0; i < COUNT(low); i++)
        cr_assert(same_bits(hedge_curve_eval(c, low[i]), first), "%s, %d: f(%g) = %.17g", s->name,
                  (int)method, low[i], hedge_curve_eval(c, low[i]));
    for (size_t i = 0; i < COUNT(high); i++)
        cr_assert(same_bits(hedge_curve_eval(c, high[i]), last), "%s, %d: f(%g) = %.17g", s->name,
                  (int)method, high[i], hedge_curve_eval(c, high[i]));
}

Test(curve, holds_its_end_values_outside_of_the_knots)
{
    each_curve(ends_hold);
}

static void nan_stays_nan(const hedge_curve *c, const shape *s, int32_t method)
{
    (void)s, (void)method;
    cr_assert(isnan(hedge_curve_eval(c, NAN)));
    cr_assert(isnan(hedge_curve_eval(c, -NAN)));
    cr_assert(isnan(hedge_curve_slope(c, NAN)));
    cr_assert(isnan(hedge_curve_inverse(c, NAN)));
}

Test(curve, gives_nan_for_nan)
{
    each_curve(nan_stays_nan);
}

Test(curve, gives_nan_where_there_is_no_curve)
{
    double out[3] = {7, 7, 7};

    cr_assert(isnan(hedge_curve_eval(NULL, 0.5)));
    cr_assert(isnan(hedge_curve_slope(NULL, 0.5)));
    cr_assert(isnan(hedge_curve_inverse(NULL, 0.5)));
    hedge_curve_eval_n(NULL, default_score, out, COUNT(out));
    for (size_t i = 0; i < COUNT(out); i++)
        cr_assert(isnan(out[i]));
    hedge_curve_free(NULL);
}

/* Scores of every sort: grid points, points between, far outside, not numbers. */
static void batch_is_one_by_one(const hedge_curve *c, const shape *s, int32_t method)
{
    enum { N = 1031 };
    static double score[N + 8], batch[N + 8];
    rng r = {42};

    for (size_t i = 0; i < COUNT(score); i++)
        score[i] = i % 5 == 0 ? rng_any(&r) : rng_unit(&r) * 1.2 - 0.1;
    /* Every length near vector widths, at every alignment. */
    for (size_t n = 0; n <= 67; n = n < 35 ? n + 1 : n + 16) {
        for (size_t at = 0; at < 8; at++) {
            batch[at + n] = -7;
            hedge_curve_eval_n(c, score + at, batch + at, n);
            cr_assert_eq(batch[at + n], -7, "wrote behind %zu", n);
            for (size_t i = 0; i < n; i++)
                cr_assert(same_bits(batch[at + i], hedge_curve_eval(c, score[at + i])) ||
                              (isnan(score[at + i]) && isnan(batch[at + i])),
                          "%s, %d: f(%a)", s->name, (int)method, score[at + i]);
        }
    }
    memcpy(batch, score, sizeof(batch));
    hedge_curve_eval_n(c, batch, batch, N);
    for (size_t i = 0; i < N; i++)
        cr_assert(same_bits(batch[i], hedge_curve_eval(c, score[i])) ||
                      (isnan(score[i]) && isnan(batch[i])),
                  "in place, %s: f(%a)", s->name, score[i]);
}

Test(curve, gives_the_same_bits_in_a_batch)
{
    each_curve(batch_is_one_by_one);
    hedge_curve_eval_n(NULL, NULL, NULL, 0);
    hedge_curve_eval_n(NULL, NULL, NULL, 3);
}

static bool is_near_knot(const shape *s, double x, double width)
{
    for (size_t i = 0; i < s->n; i++)
        if (fabs(x - s->score[i]) <= width) return true;
    return false;
}

static void slope_is_the_derivative(const hedge_curve *c, const shape *s, int32_t method)
{
    const double h = 0x1p-16;

    for (double x = h; x < 1 - h; x += 0x1p-9 + 0x1p-20) {
        if (is_near_knot(s, x, 2 * h)) continue;

        const double x0 = on_grid(x);
        const double finite = (hedge_curve_eval(c, x0 + h) - hedge_curve_eval(c, x0 - h)) / (2 * h);

        cr_assert_float_eq(hedge_curve_slope(c, x0), finite, 1e-5 * (1 + fabs(finite)),
                           "%s, %d at %g: %.12g, not %.12g", s->name, (int)method, x0,
                           hedge_curve_slope(c, x0), finite);
    }
    cr_assert_eq(hedge_curve_slope(c, -0.5), 0);
    cr_assert_eq(hedge_curve_slope(c, 1.5), 0);
    cr_assert_eq(hedge_curve_slope(c, INFINITY), 0);
    cr_assert_eq(hedge_curve_slope(c, -INFINITY), 0);
    for (double x = 0; x <= 1; x += 0x1p-10)
        cr_assert_geq(hedge_curve_slope(c, x), 0, "%s, %d: falls at %g", s->name, (int)method, x);
}

Test(curve, has_the_slope_that_finite_differences_see)
{
    each_curve(slope_is_the_derivative);
}

static void slopes_meet_at_knots(const hedge_curve *c, const shape *s, int32_t method)
{
    if (method == HEDGE_METHOD_LINEAR || strcmp(s->name, "cliff") == 0) return;
    for (size_t i = 1; i + 1 < s->n; i++) {
        const double x = on_grid(s->score[i]);
        const double at = hedge_curve_slope(c, x);

        cr_assert_float_eq(hedge_curve_slope(c, x - HEDGE_SCORE_STEP), at, 1e-5, "left of %g", x);
        cr_assert_float_eq(hedge_curve_slope(c, x + HEDGE_SCORE_STEP), at, 1e-5, "right of %g", x);
    }
}

Test(curve, has_one_slope_on_both_sides_of_a_knot)
{
    each_curve(slopes_meet_at_knots);
}

Test(curve, takes_the_right_hand_slope_at_a_knot_of_a_linear_curve)
{
    hedge_curve *c = curve_of(HEDGE_METHOD_LINEAR, three_score, three_hedge, COUNT(three_score));

    cr_assert_not_null(c);
    cr_assert_float_eq(hedge_curve_slope(c, 0.125), 6.4, 1e-12);
    cr_assert_float_eq(hedge_curve_slope(c, 0.25), 0.05 / 0.75, 1e-12);
    hedge_curve_free(c);
}

static void inverse_is_the_least(const hedge_curve *c, const shape *s, int32_t method)
{
    rng r = {7};

    for (size_t i = 0; i < 2000; i++) {
        const double knot = s->hedge[rng_below(&r, s->n)];
        const double h = i % 3 == 0 ? rng_unit(&r) : i % 3 == 1 ? knot : next_up(knot);
        const double x = hedge_curve_inverse(c, h);

        if (h > s->hedge[s->n - 1]) {
            cr_assert(isnan(x), "%s: reached %g at %g", s->name, h, x);
            continue;
        }
        cr_assert(x >= 0 && x <= 1 && on_grid(x) == x, "%s: inverse(%a) = %a", s->name, h, x);
        cr_assert_geq(hedge_curve_eval(c, x), h, "%s, %d: inverse(%a) = %a", s->name, (int)method,
                      h, x);
        cr_assert(x == 0 || hedge_curve_eval(c, x - HEDGE_SCORE_STEP) < h,
                  "%s, %d: inverse(%a) = %a is not the least", s->name, (int)method, h, x);
    }
    cr_assert_eq(hedge_curve_inverse(c, -INFINITY), 0);
    cr_assert_eq(hedge_curve_inverse(c, -1), 0);
    cr_assert(isnan(hedge_curve_inverse(c, INFINITY)));
    cr_assert(isnan(hedge_curve_inverse(c, 1.5)));
}

Test(curve, has_the_least_score_that_reaches_a_hedge_as_its_inverse)
{
    each_curve(inverse_is_the_least);
}

static void knots_come_back(const hedge_curve *c, const shape *s, int32_t method)
{
    double x = -1, y = -1;

    cr_assert_eq(hedge_curve_method(c), method);
    cr_assert_eq(hedge_curve_knot_count(c), s->n);
    for (size_t i = 0; i < s->n; i++) {
        cr_assert_eq(hedge_curve_knot(c, i, &x, &y), HEDGE_OK);
        cr_assert(same_bits(x, s->score[i]) && same_bits(y, s->hedge[i]), "knot %zu", i);
    }
    cr_assert_eq(hedge_curve_knot(c, s->n, &x, &y), HEDGE_E_ARG);
    cr_assert_eq(hedge_curve_knot(c, SIZE_MAX, &x, &y), HEDGE_E_ARG);
    cr_assert_eq(hedge_curve_knot(c, 0, NULL, &y), HEDGE_E_ARG);
    cr_assert_eq(hedge_curve_knot(c, 0, &x, NULL), HEDGE_E_ARG);
    cr_assert_eq(hedge_curve_knot(NULL, 0, &x, &y), HEDGE_E_ARG);
}

Test(curve, gives_its_knots_back_as_they_were_given)
{
    each_curve(knots_come_back);
}

Test(curve, names_its_methods)
{
    cr_assert_str_eq(hedge_method_name(HEDGE_METHOD_PCHIP), "pchip");
    cr_assert_str_eq(hedge_method_name(HEDGE_METHOD_STEFFEN), "steffen");
    cr_assert_str_eq(hedge_method_name(HEDGE_METHOD_LINEAR), "linear");
    cr_assert_null(hedge_method_name(3));
    cr_assert_null(hedge_method_name(-1));
    cr_assert_null(hedge_method_name(INT32_MIN));
}

Test(curve, does_not_keep_the_callers_arrays)
{
    double x[] = {0, 0.5, 1}, y[] = {0, 0.25, 1};
    hedge_curve *c = curve_of(HEDGE_METHOD_PCHIP, x, y, 3);

    cr_assert_not_null(c);

    const double before = hedge_curve_eval(c, 0.7);

    x[1] = 0.9, y[1] = 0.9;
    cr_assert(same_bits(hedge_curve_eval(c, 0.7), before));
    hedge_curve_free(c);
}

/* Where products underflow, rounding is no longer relative. Refusing such knots would do as well.
 */
Test(curve, never_falls_even_among_the_smallest_hedges)
{
    static const double rows[][4] = {{0, 5e-324, 1e-323, 1.5e-323},
                                     {0, 1e-310, 1e-309, 1.1e-309},
                                     {5e-324, 1e-320, 3e-320, 1e-319},
                                     {0, 1e-300, 1.5e-300, 2e-300}};
    const double score[] = {0, 0.18747764761641408, 0.8250586957930801, 1};

    for (size_t i = 0; i < COUNT(rows) * COUNT(methods); i++) {
        const double *hedge = rows[i / COUNT(methods)];
        hedge_curve *c = NULL;
        double before = hedge[0];

        if (hedge_curve_new(methods[i % COUNT(methods)], score, hedge, 4, NULL, &c) != HEDGE_OK)
            continue;
        for (double x = 0; x <= 1; x += 0x1p-16) {
            const double y = hedge_curve_eval(c, x);

            cr_assert(y >= before && y <= hedge[3], "row %zu by method %zu: %a after %a at %g",
                      i / COUNT(methods), i % COUNT(methods), y, before, x);
            before = y;
        }
        hedge_curve_free(c);
    }
}

typedef struct golden {
    double score, hedge;
} golden;

static void matches(int32_t method, const shape *s, const golden *g, size_t n)
{
    hedge_curve *c = curve_of(method, s->score, s->hedge, s->n);

    cr_assert_not_null(c);
    for (size_t i = 0; i < n; i++)
        cr_assert_float_eq(hedge_curve_eval(c, g[i].score), g[i].hedge, 1e-14,
                           "%s at %.17g: %.17g, not %.17g", s->name, g[i].score,
                           hedge_curve_eval(c, g[i].score), g[i].hedge);
    hedge_curve_free(c);
}

/* SciPy 1.10.1, PchipInterpolator(score, hedge)(x); scores rounded to 2^-30 first. */
static const golden pchip_default[] = {
    {0x1p-30, 0.05000000038805108}, {0.0625, 0.0799104560031273},      {0.125, 0.11691261585067067},
    {0.1875, 0.160037667545869},    {0.25, 0.20831679909196132},       {0.3125, 0.2611145843809011},
    {0.375, 0.3272632035037489},    {0.5, 0.4933288409665125},         {0.625, 0.6646063214144804},
    {0.75, 0.7983662147594147},     {0.8125, 0.8553680665132858},      {0.875, 0.9082058546103234},
    {0.9375, 0.9565322690920528},   {1 - 0x1p-30, 0.9999999993902055},
};
static const golden pchip_steps[] = {
    {0x1p-30, 4.336808683479669e-18},
    {0.0625, 0.017578125},
    {0.1875, 0.294921875},
    {0.3125, 0.5},
    {0.625, 0.5573617021276596},
    {0.75, 0.6831489361702128},
    {0.875, 0.8218873128447596},
    {0.9375, 0.9067769897557131},
    {1 - 0x1p-30, 0.9999999985719721},
};
static const golden pchip_three[] = {
    {0.1875, 0.6114480443265655}, {0.3125, 0.9100213549817423}, {0.375, 0.9186418172333666},
    {0.5, 0.9320837482809313},    {0.625, 0.9411331626120357},  {0.75, 0.9465974296960211},
    {0.875, 0.9492839190022287},  {0.9375, 0.949837799947835},  {1 - 0x1p-30, 0.9499999999999998},
};
static const golden pchip_two[] = {{0.3125, 0.21875}, {0.5, 0.5}, {0.625, 0.6875}};

Test(curve, agrees_with_scipys_pchip)
{
    matches(HEDGE_METHOD_PCHIP, &shapes[0], pchip_default, COUNT(pchip_default));
    matches(HEDGE_METHOD_PCHIP, &shapes[1], pchip_steps, COUNT(pchip_steps));
    matches(HEDGE_METHOD_PCHIP, &shapes[2], pchip_three, COUNT(pchip_three));
    matches(HEDGE_METHOD_PCHIP, &shapes[3], pchip_two, COUNT(pchip_two));
}

/* GSL 2.7.1, gsl_interp_steffen; scores rounded to 2^-30 first. */
static const golden steffen_default[] = {
    {0x1p-30, 0.050000000620881717}, {0.0625, 0.089089626770059577},
    {0.125, 0.12573784729989981},    {0.25, 0.20798611126733246},
    {0.3125, 0.26180478067972129},   {0.5, 0.49523809522753603},
    {0.75, 0.79786706331679158},     {0.8125, 0.85159737709325156},
    {0.9375, 0.94975740943364939},   {1 - 0x1p-30, 0.99999999922389782},
};
static const golden steffen_steps[] = {
    {0x1p-30, 4.6566128383829231e-10},
    {0.0625, 0.0234375},
    {0.1875, 0.296875},
    {0.375, 0.5},
    {0.625, 0.55400000000000005},
    {0.75, 0.67866666666666675},
    {0.875, 0.82777777777777772},
    {1 - 0x1p-30, 0.99999999875823664},
};
static const golden steffen_three[] = {
    {0.1875, 0.59791666666666676}, {0.3125, 0.90766782407407409},
    {0.5, 0.92407407407407405},    {0.75, 0.937037037037037},
    {0.9375, 0.94615162037037026}, {1 - 0x1p-30, 0.94999999993791173},
};

Test(curve, agrees_with_gsls_steffen)
{
    matches(HEDGE_METHOD_STEFFEN, &shapes[0], steffen_default, COUNT(steffen_default));
    matches(HEDGE_METHOD_STEFFEN, &shapes[1], steffen_steps, COUNT(steffen_steps));
    matches(HEDGE_METHOD_STEFFEN, &shapes[2], steffen_three, COUNT(steffen_three));
    /* Two knots leave nothing to bend. */
    matches(HEDGE_METHOD_STEFFEN, &shapes[3], pchip_two, COUNT(pchip_two));
    matches(HEDGE_METHOD_LINEAR, &shapes[3], pchip_two, COUNT(pchip_two));
}

Test(curve, sees_scores_on_a_grid_and_nothing_finer)
{
    hedge_curve *c = curve_of(HEDGE_METHOD_PCHIP, default_score, default_hedge, DEFAULT_KNOTS);
    const double x = 0.40625, half = HEDGE_SCORE_STEP / 2;

    cr_assert_not_null(c);
    cr_assert(same_bits(hedge_curve_eval(c, x + 0.99 * half), hedge_curve_eval(c, x)));
    cr_assert(same_bits(hedge_curve_eval(c, x - 0.99 * half), hedge_curve_eval(c, x)));
    cr_assert_lt(hedge_curve_eval(c, x), hedge_curve_eval(c, x + 1.01 * half));
    cr_assert_gt(hedge_curve_eval(c, x), hedge_curve_eval(c, x - 1.01 * half));
    hedge_curve_free(c);
}
