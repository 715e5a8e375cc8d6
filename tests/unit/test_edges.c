/* SPDX-License-Identifier: MIT
 * The edges at which a changed line of the library would go unnoticed otherwise: most of these
 * were found by tests/mutation. */
#include "confidence.h"
#include "curve.h"
#include "curve_slopes.h"
#include "limits.h"
#include "liquidity.h"
#include "struct_size.h"
#include "support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* ---- names ------------------------------------------------------------------- */

Test(edges, numbers_that_name_nothing_have_no_name)
{
    static const char *(*const names[])(int32_t) = {
        confidence_blend_name, confidence_freshness_name, liquidity_weight_name, limits_action_name,
        hedge_method_name};
    static const int32_t last[] = {HEDGE_BLEND_PRODUCT, HEDGE_FRESHNESS_LINEAR, HEDGE_WEIGHT_LOG,
                                   HEDGE_ACTION_FLAG, HEDGE_METHOD_LINEAR};

    for (size_t i = 0; i < COUNT(names); i++) {
        cr_expect_not_null(names[i](0), "%zu", i);
        cr_expect_not_null(names[i](last[i]), "%zu", i);
        cr_expect_null(names[i](last[i] + 1), "%zu", i);
        cr_expect_null(names[i](-1), "%zu", i);
        cr_expect_null(names[i](INT32_MAX), "%zu", i);
        cr_expect_null(names[i](INT32_MIN), "%zu", i);
    }
}

Test(edges, each_row_of_the_limits_is_its_breakers)
{
    for (int i = 0; i < HEDGE_BREAKER_COUNT; i++) {
        const limits_entry *e = &limits_table[i];

        cr_expect_eq(HEDGE_BREAKER(e->trip), i, "row %d", i);
        if (e->field == NULL) {
            cr_expect(!e->has_limit && !e->may_flag && !e->above_least, "row %d", i);
            cr_expect_eq(e->action, HEDGE_ACTION_REJECT, "row %d", i);
        }
        if (e->field == NULL || !e->has_limit) cr_expect(!e->above_least, "row %d", i);
        if (e->field == NULL || !e->has_limit)
            cr_expect(e->least == 0 && e->most == 0 && e->limit == 0 && e->upper == 0, "row %d", i);
        else
            cr_expect(e->least < e->most && e->limit >= e->least && e->limit <= e->most, "row %d",
                      i);
    }
    cr_expect(limits_table[HEDGE_BREAKER(HEDGE_TRIP_EXTREME_SCORE)].has_limit);
}

/* ---- numbers ------------------------------------------------------------------ */

Test(edges, freshness_falls_from_the_first_nanosecond_on)
{
    const int32_t linear = HEDGE_FRESHNESS_LINEAR;

    cr_expect_eq(confidence_freshness(linear, 0, 0), 1.0);
    cr_expect_eq(confidence_freshness(linear, -1, 0), 1.0);
    cr_expect_eq(confidence_freshness(linear, 1, 0), 0.0);
    cr_expect_eq(confidence_freshness(linear, 1, 4), 0.75);
    cr_expect_eq(confidence_freshness(linear, 3, 4), 0.25);
    cr_expect_eq(confidence_freshness(linear, 4, 4), 0.0);
    cr_expect_eq(confidence_freshness(linear, 5, 4), 0.0);
    cr_expect_eq(confidence_freshness(HEDGE_FRESHNESS_NONE, 5, 4), 1.0);
}

Test(edges, the_gradient_of_two_knots_has_no_third)
{
    const double x[] = {0.25, 0.75}, y[] = {0.1, 0.9};

    for (size_t i = 0; i < 2; i++) {
        double d[3] = {7, 7, 7};

        cr_expect_eq(curve_slopes_gradient(HEDGE_METHOD_PCHIP, x, y, 2, i, d), 0);
        cr_expect_eq(d[0], -2.0);
        cr_expect_eq(d[1], 2.0);
        cr_expect_eq(d[2], 0.0);
    }
}

/* A path that this processor has is never skipped over: the other tests of paths would then pass
 * without having tried it. */
Test(edges, paths_that_the_processor_has_are_there)
{
#ifdef CURVE_X86_PATHS
    hedge_curve *curve = curve_of(HEDGE_METHOD_PCHIP, default_score, default_hedge, DEFAULT_KNOTS);
    const bool avx2 = __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx2");
    const bool avx512 =
        avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq");

    cr_expect(curve_set_path(curve, CURVE_PATH_PORTABLE));
    cr_expect_str_eq(hedge_curve_path(curve), "portable");
    cr_expect_eq(curve_set_path(curve, CURVE_PATH_FMA), avx2);
    cr_expect_str_eq(hedge_curve_path(curve), avx2 ? "fma" : "portable");
    cr_expect_eq(curve_set_path(curve, CURVE_PATH_AVX2), avx2);
    cr_expect_str_eq(hedge_curve_path(curve), avx2 ? "avx2" : "portable");
    cr_expect_eq(curve_set_path(curve, CURVE_PATH_AVX512), avx512);
    cr_expect_str_eq(hedge_curve_path(curve), avx512 ? "avx512" : avx2 ? "avx2" : "portable");
    hedge_curve_free(curve);
#endif
}

/* They give the same bits, so only this shows that each is tried by what tries it. */
Test(edges, each_path_has_a_batch_of_its_own)
{
    hedge_curve *curve = curve_of(HEDGE_METHOD_PCHIP, default_score, default_hedge, DEFAULT_KNOTS);
    void (*seen[4])(const hedge_curve *, const double *, double *, size_t) = {0};
    size_t n = 0;

    for (int path = CURVE_PATH_PORTABLE; path <= CURVE_PATH_AVX512; path++) {
        if (!curve_set_path(curve, (curve_path)path)) continue;
        for (size_t i = 0; i < n; i++)
            cr_expect(seen[i] != curve->eval_n, "path %d", path);
        seen[n++] = curve->eval_n;
    }
    hedge_curve_free(curve);
}

Test(edges, a_batch_of_nothing_is_left_alone)
{
    hedge_curve *curve = curve_of(HEDGE_METHOD_PCHIP, default_score, default_hedge, DEFAULT_KNOTS);
    const double score[] = {0.5, 0.5};
    double hedge[] = {7, 7};

    hedge_curve_eval_n(curve, NULL, hedge, 2);
    cr_expect(hedge[0] == 7 && hedge[1] == 7);
    hedge_curve_eval_n(curve, score, NULL, 2);
    hedge_curve_eval_n(NULL, NULL, NULL, 2);
    hedge_curve_eval_n(curve, score, hedge, 0);
    cr_expect(hedge[0] == 7 && hedge[1] == 7);
    hedge_curve_free(curve);
}

/* ---- structs of another age ---------------------------------------------------- */

Test(edges, what_an_older_struct_lacks_is_zero)
{
    struct {
        uint32_t struct_size, a, b, c;
    } theirs = {8, 1, 2, 3}, ours;

    memset(&ours, 0xff, sizeof(ours));
    struct_size_copy(&ours, &theirs, sizeof(ours));
    cr_expect_eq(ours.struct_size, 8);
    cr_expect_eq(ours.a, 1);
    cr_expect_eq(ours.b, 0);
    cr_expect_eq(ours.c, 0);

    theirs.struct_size = 64; /* a newer one */
    memset(&ours, 0xff, sizeof(ours));
    struct_size_copy(&ours, &theirs, 12);
    cr_expect_eq(ours.b, 2);
    cr_expect_eq(ours.c, UINT32_MAX, "nothing is written behind our own");
}

/* ---- words of errors ------------------------------------------------------------ */

static hedge_error refused(const char *text)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_policy *policy = NULL;

    cr_assert_neq(hedge_policy_parse(text, strlen(text), &error, &policy), HEDGE_OK);
    cr_expect_null(policy);
    return error;
}

Test(edges, a_number_out_of_range_is_told_the_range)
{
    const hedge_error closed =
        refused("curve: {knots: [[0, 0], [1, 1]]}\nmax_hedge_pct: 1.5\nassets: {A: {}}\n");
    const hedge_error open = refused("curve: {knots: [[0, 0], [1, 1]]}\n"
                                     "liquidity: {half_depth_usd: 0}\nassets: {A: {}}\n");

    cr_expect_str_eq(closed.message, "must be at least 0 and at most 1 (it is 1.5)");
    cr_expect_eq(closed.line, 2);
    cr_expect_eq(closed.index, -1);
    cr_expect_str_eq(open.message, "must be above 0 and at most 1e+15 (it is 0)");
}

Test(edges, a_file_that_is_not_there_is_no_knots_fault)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_policy *policy = NULL;

    cr_expect_eq(hedge_policy_load("/nowhere/policy.yaml", &error, &policy), HEDGE_E_IO);
    cr_expect_eq(error.index, -1);
    cr_expect_eq(error.line, 0);
    cr_expect_str_eq(error.file, "/nowhere/policy.yaml");
}

Test(edges, the_largest_amounts_of_money_are_round)
{
    static const char *const fields[] = {
        "limits: {max_amount_usd: $}", "limits: {min_depth_usd: $}",
        "liquidity: {half_depth_usd: $}", "liquidity: {full_depth_usd: $}"};

    for (size_t i = 0; i < COUNT(fields); i++) {
        char line[128], text[256];
        hedge_policy *policy;

        text_fill(line, sizeof(line), fields[i], "1000000000000000");
        snprintf(text, sizeof(text), "%s\nassets: {A: {}}\n", line);
        policy = policy_with(text);
        cr_expect_not_null(policy, "%s", line);
        hedge_policy_free(policy);
        text_fill(line, sizeof(line), fields[i], "1000000000000001");
        snprintf(text, sizeof(text), "curve: {knots: [[0, 0], [1, 1]]}\n%s\nassets: {A: {}}\n",
                 line);
        cr_expect_eq(refused(text).code, HEDGE_E_POLICY, "%s", line);
    }
}

Test(edges, a_text_that_is_too_large_has_no_line)
{
    static char text[HEDGE_POLICY_FILE_MAX];
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_policy *policy = NULL;
    char *at = stpcpy(text, "curve:\n  knots:\n");

    cr_expect_eq(hedge_policy_parse(text, HEDGE_POLICY_FILE_MAX + 1, &error, &policy),
                 HEDGE_E_TOO_LARGE);
    cr_expect(error.index == -1 && error.line == 0);
    /* Short as it is, each asset's curve is written out in what is hashed. */
    for (int i = 0; i < 2000; i++)
        at += sprintf(at, "  - [%.9g, %.9g]\n", i / 2000.0, i / 2000.0);
    at = stpcpy(at, "assets:\n");
    for (int i = 0; i < 60; i++)
        at += sprintf(at, "  A%d: {curve: {method: steffen}}\n", i);
    error = refused(text);
    cr_expect_eq(error.code, HEDGE_E_TOO_LARGE);
    cr_expect(error.index == -1 && error.line == 0);
    cr_expect_str_eq(error.message, "written out in full the policy is larger than 1 MiB");
}

Test(edges, a_path_that_just_does_not_fit_keeps_its_end)
{
    char path[sizeof(((hedge_error *)0)->file) + 2];

    for (size_t n = sizeof(path) - 4; n < sizeof(path); n++) {
        hedge_error error = HEDGE_INIT(hedge_error);
        hedge_policy *policy = NULL;
        const size_t kept = n < sizeof(error.file) ? n : sizeof(error.file) - 1;

        memset(path, 'x', n);
        memcpy(path, "/nowhere/", 9);
        path[n - 1] = 'y';
        path[n] = '\0';
        cr_expect_eq(hedge_policy_load(path, &error, &policy), HEDGE_E_IO);
        cr_expect_eq(strnlen(error.file, sizeof(error.file)), kept, "%zu", n);
        cr_expect_eq(error.file[kept - 1], 'y', "%zu", n);
    }
}

Test(edges, an_error_of_no_size_is_not_written)
{
    hedge_error error;
    hedge_policy *policy = NULL;

    memset(&error, 0x55, sizeof(error));
    error.struct_size = 8;
    cr_expect_eq(hedge_policy_load("/nowhere/policy.yaml", &error, &policy), HEDGE_E_IO);
    cr_expect_eq(error.code, 0x55555555);
    cr_expect_eq(error.file[0], 0x55);
}
