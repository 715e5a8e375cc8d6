/* SPDX-License-Identifier: MIT
 * Knots that make no curve: each refused, with the knot and the member at fault. */
#include "support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct bad_knots {
    const char *name;
    double score[4], hedge[4];
    size_t n;
    int32_t index;
    const char *member;
} bad_knots;

static const bad_knots bad[] = {
    {"score below 0", {-0.1, 0.5, 1}, {0, 0.5, 1}, 3, 0, "score"},
    {"score just below 0", {-5e-324, 0.5, 1}, {0, 0.5, 1}, 3, 0, "score"},
    {"score above 1", {0, 0.5, 1.5}, {0, 0.5, 1}, 3, 2, "score"},
    {"score just above 1", {0, 0.5, 1.0000000000000002}, {0, 0.5, 1}, 3, 2, "score"},
    {"score NaN first", {NAN, 0.5, 1}, {0, 0.5, 1}, 3, 0, "score"},
    {"score NaN", {0, NAN, 1}, {0, 0.5, 1}, 3, 1, "score"},
    {"score NaN last", {0, 0.5, NAN}, {0, 0.5, 1}, 3, 2, "score"},
    {"score inf", {0, 0.5, INFINITY}, {0, 0.5, 1}, 3, 2, "score"},
    {"score -inf", {-INFINITY, 0.5, 1}, {0, 0.5, 1}, 3, 0, "score"},
    {"score twice", {0, 0.5, 0.5, 1}, {0, 0.5, 0.6, 1}, 4, 2, "score"},
    {"score falls", {0, 0.5, 0.4, 1}, {0, 0.5, 0.6, 1}, 4, 2, "score"},
    {"gap too small", {0, 0.5, 0.5000009, 1}, {0, 0.5, 0.6, 1}, 4, 2, "score"},
    {"gap too small at the end", {0, 0.5, 0.9999991, 1}, {0, 0.5, 0.6, 1}, 4, 3, "score"},
    {"hedge below 0", {0, 0.5, 1}, {-0.1, 0.5, 1}, 3, 0, "hedge"},
    {"hedge above 1", {0, 0.5, 1}, {0, 0.5, 1.1}, 3, 2, "hedge"},
    {"hedge just above 1", {0, 0.5, 1}, {0, 0.5, 1.0000000000000002}, 3, 2, "hedge"},
    {"hedge NaN first", {0, 0.5, 1}, {NAN, 0.5, 1}, 3, 0, "hedge"},
    {"hedge NaN", {0, 0.5, 1}, {0, NAN, 1}, 3, 1, "hedge"},
    {"hedge NaN last", {0, 0.5, 1}, {0, 0.5, NAN}, 3, 2, "hedge"},
    {"hedge inf", {0, 0.5, 1}, {0, 0.5, INFINITY}, 3, 2, "hedge"},
    {"hedge falls", {0, 0.5, 1}, {0, 0.5, 0.4}, 3, 2, "hedge"},
    {"hedge falls by one bit", {0, 0.5, 1}, {0, 0.5, 0.49999999999999994}, 3, 2, "hedge"},
    {"hedge falls below 0 only by sign", {0, 0.5, 1}, {0, -5e-324, 1}, 3, 1, "hedge"},
};

Test(curve_errors, name_the_knot_and_the_member)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        hedge_error error = HEDGE_INIT(hedge_error);
        hedge_curve *c = (hedge_curve *)&error;
        char field[16];
        const int32_t rc =
            hedge_curve_new(HEDGE_METHOD_PCHIP, bad[i].score, bad[i].hedge, bad[i].n, &error, &c);

        cr_expect_eq(rc, HEDGE_E_CURVE, "%s: %d", bad[i].name, (int)rc);
        cr_expect_null(c, "%s", bad[i].name);
        cr_expect_eq(error.code, HEDGE_E_CURVE, "%s", bad[i].name);
        cr_expect_eq(error.index, bad[i].index, "%s: knot %d", bad[i].name, (int)error.index);
        snprintf(field, sizeof(field), "knots[%d]", (int)bad[i].index);
        cr_expect_str_eq(error.field, field, "%s: %s", bad[i].name, error.field);
        cr_expect_not_null(strstr(error.message, bad[i].member), "%s: %s", bad[i].name,
                           error.message);
        cr_expect_eq(error.line, 0, "%s", bad[i].name);
        cr_expect_str_eq(error.file, "", "%s", bad[i].name);
    }
}

static int32_t build(int32_t method, size_t n)
{
    static double score[HEDGE_KNOTS_MAX + 1], hedge[HEDGE_KNOTS_MAX + 1];
    hedge_curve *c = NULL;

    for (size_t i = 0; i < COUNT(score); i++)
        score[i] = hedge[i] = (double)i / HEDGE_KNOTS_MAX;

    const int32_t rc = hedge_curve_new(method, score, hedge, n, NULL, &c);

    cr_assert_eq(rc == HEDGE_OK, c != NULL);
    hedge_curve_free(c);
    return rc;
}

Test(curve_errors, bound_the_number_of_knots)
{
    const size_t too[] = {0, 1, HEDGE_KNOTS_MAX + 1, SIZE_MAX / sizeof(double), SIZE_MAX};

    for (size_t i = 0; i < COUNT(too); i++)
        cr_expect_eq(build(HEDGE_METHOD_PCHIP, too[i]), HEDGE_E_CURVE, "n = %zu", too[i]);
    for (int32_t m = HEDGE_METHOD_PCHIP; m <= HEDGE_METHOD_LINEAR; m++) {
        cr_expect_eq(build(m, HEDGE_KNOTS_MIN), HEDGE_OK);
        cr_expect_eq(build(m, HEDGE_KNOTS_MAX), HEDGE_OK);
    }
}

Test(curve_errors, refuse_what_no_caller_may_pass)
{
    const int32_t odd[] = {-1, 3, INT32_MAX, INT32_MIN};
    hedge_curve *c = NULL;

    for (size_t i = 0; i < COUNT(odd); i++)
        cr_expect_eq(build(odd[i], 3), HEDGE_E_ARG, "method %d", (int)odd[i]);

    c = (hedge_curve *)&c;
    cr_expect_eq(hedge_curve_new(0, NULL, default_hedge, 4, NULL, &c), HEDGE_E_ARG);
    cr_expect_null(c);
    c = (hedge_curve *)&c;
    cr_expect_eq(hedge_curve_new(0, default_score, NULL, 4, NULL, &c), HEDGE_E_ARG);
    cr_expect_null(c);
    cr_expect_eq(hedge_curve_new(0, default_score, default_hedge, 4, NULL, NULL), HEDGE_E_ARG);
}

Test(curve_errors, say_where_there_is_no_knot_to_name)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_curve *c = NULL;

    cr_expect_eq(hedge_curve_new(3, default_score, default_hedge, 4, &error, &c), HEDGE_E_ARG);
    cr_expect_str_eq(error.field, "method");
    cr_expect_eq(error.index, -1);
    cr_expect_eq(hedge_curve_new(0, NULL, default_hedge, 4, &error, &c), HEDGE_E_ARG);
    cr_expect_eq(error.index, -1);
    cr_expect_eq(hedge_curve_new(0, default_score, default_hedge, 1, &error, &c), HEDGE_E_CURVE);
    cr_expect_str_eq(error.field, "knots");
    cr_expect_eq(error.index, -1);
}

Test(curve_errors, name_knots_of_many_digits)
{
    static double score[HEDGE_KNOTS_MAX], hedge[HEDGE_KNOTS_MAX];
    const int32_t at[] = {9, 10, 11, 99, 100, 123, 1000, 4095};

    for (size_t i = 0; i < COUNT(score); i++)
        score[i] = hedge[i] = (double)i / HEDGE_KNOTS_MAX;
    for (size_t i = 0; i < COUNT(at); i++) {
        hedge_error error = HEDGE_INIT(hedge_error);
        hedge_curve *c = NULL;
        char field[16];

        hedge[at[i]] = -1;
        snprintf(field, sizeof(field), "knots[%d]", (int)at[i]);
        cr_expect_eq(hedge_curve_new(0, score, hedge, COUNT(score), &error, &c), HEDGE_E_CURVE);
        cr_expect_eq(error.index, at[i]);
        cr_expect_str_eq(error.field, field);
        hedge[at[i]] = score[at[i]];
    }
}

Test(curve_errors, stay_within_a_short_error_struct)
{
    union {
        hedge_error error;
        unsigned char bytes[sizeof(hedge_error) + 64];
    } u;
    const double down[] = {0.5, 0.4};
    hedge_curve *c = NULL;

    for (uint32_t size = 0; size <= sizeof(hedge_error) + 64; size++) {
        memset(&u, 0xa5, sizeof(u));
        u.error.struct_size = size;
        cr_assert_eq(hedge_curve_new(0, down, down, 2, &u.error, &c), HEDGE_E_CURVE);
        for (size_t i = size < 4 ? 4 : size; i < sizeof(u); i++)
            cr_assert_eq(u.bytes[i], 0xa5, "size %u: wrote byte %zu", (unsigned)size, i);
        cr_assert_eq(u.error.struct_size, size);
    }
}

Test(curve_errors, leave_the_detail_alone_when_all_is_well)
{
    hedge_error error, before;
    hedge_curve *c = NULL;

    memset(&error, 0x5a, sizeof(error));
    error.struct_size = sizeof(error);
    before = error;
    cr_assert_eq(hedge_curve_new(0, default_score, default_hedge, 4, &error, &c), HEDGE_OK);
    cr_assert_arr_eq(&error, &before, sizeof(error));
    hedge_curve_free(c);
}

Test(curve_errors, accept_knots_at_the_edge_of_the_rules)
{
    /* In binary some of these are a little less than 1e-6 apart. */
    const double tight[] = {0, 1e-6, 2e-6, 3e-6}, top[] = {0.999997, 0.999998, 0.999999, 1};
    const double flat[] = {0.5, 0.5, 0.5, 0.5}, rise[] = {0, 1e-200, 2e-200, 1};
    const double minus_zero[] = {-0.0, 0.5, 0.75, 1};
    const double *scores[] = {tight, top, minus_zero, tight, top};
    const double *hedges[] = {flat, rise, minus_zero, rise, minus_zero};

    for (size_t i = 0; i < COUNT(scores); i++) {
        for (int32_t m = HEDGE_METHOD_PCHIP; m <= HEDGE_METHOD_LINEAR; m++) {
            hedge_curve *c = curve_of(m, scores[i], hedges[i], 4);

            cr_expect_not_null(c, "set %zu, method %d", i, (int)m);
            for (size_t k = 0; c != NULL && k < 4; k++)
                cr_expect_eq(hedge_curve_eval(c, scores[i][k]), hedges[i][k], "set %zu, %zu", i, k);
            hedge_curve_free(c);
        }
    }
}
