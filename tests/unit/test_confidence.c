/* SPDX-License-Identifier: MIT
 * The rules that join two confidences into one. */
#include "support.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>

typedef struct blend_row {
    double a, b;
    double want[4]; /* min, harmonic, geometric, product */
} blend_row;

/* Worked by hand; geometric roots of squares of short decimals. */
static const blend_row rows[] = {
    {0, 0, {0, 0, 0, 0}},
    {0, 1, {0, 0, 0, 0}},
    {1, 1, {1, 1, 1, 1}},
    {0.5, 0.5, {0.5, 0.5, 0.5, 0.25}},
    {0.25, 1, {0.25, 0.4, 0.5, 0.25}},
    {0.2, 0.8, {0.2, 0.32, 0.4, 0.16}},
    {0.9, 0.1, {0.1, 0.18, 0.3, 0.09}},
    {0.6, 0.3, {0.3, 0.4, 0.42426406871192851, 0.18}},
    {0.75, 0.25, {0.25, 0.375, 0.43301270189221933, 0.1875}},
    {1, 0x1p-40, {0x1p-40, 0x1p-39 / (1 + 0x1p-40), 0x1p-20, 0x1p-40}},
};

Test(confidence, follows_each_rule)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (int32_t rule = HEDGE_BLEND_MIN; rule <= HEDGE_BLEND_PRODUCT; rule++) {
            const double want = rows[i].want[rule];

            cr_assert_float_eq(hedge_blend(rule, rows[i].a, rows[i].b), want, 1e-15 * want,
                               "rule %d of %g, %g", (int)rule, rows[i].a, rows[i].b);
            cr_assert_float_eq(hedge_blend(rule, rows[i].b, rows[i].a), want, 1e-15 * want,
                               "rule %d of %g, %g", (int)rule, rows[i].b, rows[i].a);
        }
    }
}

static void stays_between(int32_t rule, double a, double b)
{
    const double c = hedge_blend(rule, a, b);

    cr_assert(c >= 0 && c <= fmax(a, b), "rule %d of %a, %a: %a", (int)rule, a, b, c);
}

static double any_ratio(rng *r)
{
    const double edge[] = {0, -0.0, 1, 5e-324, DBL_MIN, DBL_EPSILON, 1 - DBL_EPSILON / 2, 0.5};

    switch (rng_below(r, 4)) {
    case 0:
        return edge[rng_below(r, COUNT(edge))];
    case 1:
        return exp2(-1074 * rng_unit(r));
    default:
        return rng_unit(r);
    }
}

Test(confidence, stays_between_0_and_the_larger_part)
{
    rng r = {5};

    for (size_t i = 0; i < 300000; i++) {
        const double a = any_ratio(&r);
        const double b = i % 3 == 0 ? a : i % 3 == 1 ? next_down(a) : any_ratio(&r);

        for (int32_t rule = HEDGE_BLEND_MIN; rule <= HEDGE_BLEND_PRODUCT; rule++)
            stays_between(rule, a, b < 0 ? 0 : b);
    }
}

Test(confidence, does_not_depend_on_the_order_of_its_parts)
{
    rng r = {6};

    for (size_t i = 0; i < 100000; i++) {
        const double a = rng_unit(&r), b = rng_unit(&r);

        for (int32_t rule = HEDGE_BLEND_MIN; rule <= HEDGE_BLEND_PRODUCT; rule++)
            cr_assert_float_eq(hedge_blend(rule, a, b), hedge_blend(rule, b, a), 1e-15);
    }
}

Test(confidence, gives_nan_outside_of_the_unit_interval)
{
    const double bad[] = {NAN, -NAN, INFINITY, -INFINITY, -5e-324, -0.1, -1, 1 + DBL_EPSILON, 2};
    const int32_t rules[] = {-1, 4, INT32_MAX, INT32_MIN};

    for (int32_t rule = HEDGE_BLEND_MIN; rule <= HEDGE_BLEND_PRODUCT; rule++) {
        for (size_t i = 0; i < COUNT(bad); i++) {
            cr_assert(isnan(hedge_blend(rule, bad[i], 0.5)), "rule %d of %g", (int)rule, bad[i]);
            cr_assert(isnan(hedge_blend(rule, 0.5, bad[i])), "rule %d of %g", (int)rule, bad[i]);
            cr_assert(isnan(hedge_blend(rule, bad[i], bad[i])));
            cr_assert(isnan(hedge_blend(rule, 0, bad[i])));
        }
    }
    for (size_t i = 0; i < COUNT(rules); i++)
        cr_assert(isnan(hedge_blend(rules[i], 0.5, 0.5)), "rule %d", (int)rules[i]);
}
