/* SPDX-License-Identifier: MIT
 * Each breaker at its edge: the last value inside, the first outside, and each of its actions. */
#include "scene.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define REQUEST(member) offsetof(scene, request) + offsetof(hedge_request, member)
#define QUOTE(member) offsetof(scene, quote) + offsetof(hedge_quote, member)
#define UP(v) ((v) + DBL_EPSILON * 1024 * (v))

/* One setting, one member moved across its limit. */
typedef struct edge_row {
    int32_t trip;
    const char *format; /* $: the action */
    size_t member;
    double inside[4], outside[4];
    int n_inside, n_outside;
} edge_row;

/* 0.5 - 2^-54 and such: the doubles next to a limit. */
#define BELOW_HALF 0.49999999999999994
#define ABOVE_HALF 0.50000000000000011

static const edge_row edges[] = {
    {HEDGE_TRIP_MAX_AMOUNT,
     "max_amount_usd: {limit: 1000$}",
     REQUEST(amount_usd),
     {1000, 999, 0, -0.0},
     {1000.0000000000001, 1e9, DBL_MAX},
     4,
     3},
    {HEDGE_TRIP_SCORE_JUMP,
     "max_score_jump: {limit: 0.25$}",
     QUOTE(previous_score),
     {0.25, 0.75, 0.5},
     {0.24999999999999994, 0.75000000000000011, 0, 1},
     3,
     4},
    {HEDGE_TRIP_MIN_DEPTH,
     "min_depth_usd: {limit: 10000$}",
     QUOTE(depth1pct_usd),
     {10000, 10000.000000000002, 1e15, DBL_MAX},
     {9999.9999999999982, 1, 0, -0.0},
     4,
     4},
    {HEDGE_TRIP_EXTREME_SCORE,
     "extreme_score: {below: 0.5, above: 0.5$}",
     QUOTE(score),
     {0.5},
     {BELOW_HALF, ABOVE_HALF, 0, 1},
     1,
     4},
    {HEDGE_TRIP_EXTREME_SCORE,
     "extreme_score: {below: 0.1, above: 0.9$}",
     QUOTE(score),
     {0.1, 0.9, 0.5, 0.10000000000000002},
     {0.099999999999999992, 0.90000000000000013, 5e-324, -0.0},
     4,
     4},
    {HEDGE_TRIP_EXTREME_SCORE,
     "extreme_score: {below: 0, above: 0.25$}",
     QUOTE(score),
     {0, -0.0, 0.25, 5e-324},
     {0.25000000000000006, 1},
     4,
     2},
    {HEDGE_TRIP_MIN_CONFIDENCE,
     "min_confidence: {limit: 0.5$}",
     QUOTE(confidence),
     {0.5, ABOVE_HALF, 1},
     {BELOW_HALF, 0, -0.0},
     3,
     3},
};

/* The same for times: milliseconds of the limit, and which clock. */
typedef struct time_row {
    int32_t trip;
    const char *format;
    size_t member;
    int64_t inside[4], outside[4]; /* ages, ns */
} time_row;

static const time_row times[] = {
    {HEDGE_TRIP_STALE_SCORE,
     "stale_score_ms: {limit: 3000$}",
     QUOTE(score_ts_ns),
     {3000 * MS, 3000 * MS - 1, 0, -250 * MS},
     {3000 * MS + 1, 3001 * MS, NOW, INT64_MAX}},
    {HEDGE_TRIP_STALE_DEPTH,
     "stale_depth_ms: {limit: 5000$}",
     QUOTE(depth_ts_ns),
     {5000 * MS, 5000 * MS - 1, 0, -250 * MS},
     {5000 * MS + 1, 5001 * MS, NOW, INT64_MAX}},
    {HEDGE_TRIP_CLOCK_SKEW,
     "max_clock_skew_ms: {limit: 250$}",
     QUOTE(score_ts_ns),
     {-250 * MS, -250 * MS + 1, 0, 1},
     {-250 * MS - 1, -251 * MS, -NOW, NOW - INT64_MAX}},
    {HEDGE_TRIP_CLOCK_SKEW,
     "max_clock_skew_ms: {limit: 250$}",
     QUOTE(depth_ts_ns),
     {-250 * MS, -250 * MS + 1, 0, 1},
     {-250 * MS - 1, -251 * MS, -NOW, NOW - INT64_MAX}},
    {HEDGE_TRIP_CLOCK_SKEW,
     "max_clock_skew_ms: {limit: 0$}",
     QUOTE(score_ts_ns),
     {0, 1, 2, 1000},
     {-1, -2, -MS, -NOW}},
    {HEDGE_TRIP_STALE_SCORE,
     "stale_score_ms: {limit: 0.5$}",
     QUOTE(score_ts_ns),
     {500000, 499999, 0, -1},
     {500001, MS, 3000 * MS, NOW}},
    {HEDGE_TRIP_STALE_SCORE,
     "stale_score_ms: {limit: 1.001$}",
     QUOTE(score_ts_ns),
     {1001000, 1000999, 0, -1},
     {1001001, 2 * MS, 3000 * MS, NOW}},
    {HEDGE_TRIP_STALE_SCORE,
     "stale_score_ms: {limit: 4.35$}",
     QUOTE(score_ts_ns),
     {4350000, 4349999, 0, -1},
     {4350001, 5 * MS, 3000 * MS, NOW}},
    {HEDGE_TRIP_STALE_DEPTH,
     "stale_depth_ms: {limit: 86400000$}",
     QUOTE(depth_ts_ns),
     {86400000 * MS, 86400000 * MS - 1, 0, 1},
     {86400000 * MS + 1, 86400001 * MS, NOW, INT64_MAX}},
};

static hedge_policy *policy;

static void free_policy(void)
{
    hedge_policy_free(policy);
}

TestSuite(decision_limits, .fini = free_policy);

static const char *const action_text[] = {", action: reject", ", action: floor, floor: 0.625",
                                          ", action: flag"};

static void set_policy(const char *format, int32_t action)
{
    char limit[128], more[256];

    text_fill(limit, sizeof(limit), format, action_text[action]);
    /* Nothing but the limit at hand may trip. */
    snprintf(more, sizeof(more), "limits: {%s%s}", limit,
             strstr(format, "extreme") != NULL ? "" : ", extreme_score: {below: 0, above: 1}");
    hedge_policy_free(policy);
    policy = policy_with(more);
    cr_assert_not_null(policy, "%s", more);
}

static void trips(const scene *s, int32_t trip, int32_t action, const char *what, double value)
{
    hedge_decision got;
    const int32_t rc = scene_decide(s, &got);

    cr_assert(is_sound(s, &got, rc), "%s at %.17g", what, value);
    if (action == HEDGE_ACTION_REJECT) {
        cr_assert_eq(rc, trip, "%s at %.17g: %s", what, value, hedge_status_name(rc));
        cr_assert_eq(got.flags, HEDGE_FLAG(trip), "%s at %.17g: %08x", what, value,
                     (unsigned)got.flags);
        return;
    }
    cr_assert_eq(rc, HEDGE_OK, "%s at %.17g: %s", what, value, hedge_status_name(rc));
    cr_assert(got.flags & HEDGE_FLAG(trip), "%s at %.17g", what, value);
    cr_assert_eq((got.flags & HEDGE_MARK_FLOOR) != 0, action == HEDGE_ACTION_FLOOR);
    if (action == HEDGE_ACTION_FLOOR)
        cr_assert(got.hedge_pct == 0.625 && same_bits(got.confidence, 0), "%s at %.17g", what,
                  value);
}

static void passes(const scene *s, const char *what, double value)
{
    hedge_decision got;
    const int32_t rc = scene_decide(s, &got);

    cr_assert_eq(rc, HEDGE_OK, "%s at %.17g: %s", what, value, hedge_status_name(rc));
    cr_assert(is_sound(s, &got, rc), "%s at %.17g", what, value);
    cr_assert_eq(got.flags, 0, "%s at %.17g: %08x", what, value, (unsigned)got.flags);
}

static void set_double(scene *s, size_t member, double v)
{
    memcpy((char *)s + member, &v, sizeof(v));
}

static void set_time(scene *s, size_t member, int64_t ns)
{
    memcpy((char *)s + member, &ns, sizeof(ns));
}

static void walk_edge(const edge_row *row, int32_t action)
{
    set_policy(row->format, action);

    scene s = scene_new(policy);

    for (int i = 0; i < row->n_inside; i++) {
        set_double(&s, row->member, row->inside[i]);
        passes(&s, row->format, row->inside[i]);
    }
    for (int i = 0; i < row->n_outside; i++) {
        set_double(&s, row->member, row->outside[i]);
        trips(&s, row->trip, action, row->format, row->outside[i]);
        if (action == HEDGE_ACTION_REJECT || row->outside[i] == 0) continue;

        const hedge_decision want =
            scene_expect(&s, HEDGE_FLAG(row->trip), action == HEDGE_ACTION_FLOOR ? 0.625 : -1);
        hedge_decision got;

        cr_assert_eq(scene_decide(&s, &got), HEDGE_OK);
        cr_assert(same_decision(&got, &want), "%s at %.17g", row->format, row->outside[i]);
    }
}

Test(decision_limits, hold_to_the_last_double)
{
    for (size_t i = 0; i < COUNT(edges); i++)
        for (int32_t action = HEDGE_ACTION_REJECT; action <= HEDGE_ACTION_FLAG; action++)
            walk_edge(&edges[i], action);
}

static void walk_time(const time_row *row, int32_t action)
{
    set_policy(row->format, action);

    scene s = scene_new(policy);

    s.quote.score_ts_ns = s.quote.depth_ts_ns = NOW;
    for (size_t i = 0; i < COUNT(row->inside); i++) {
        set_time(&s, row->member, NOW - row->inside[i]);
        passes(&s, row->format, (double)row->inside[i]);
    }
    for (size_t i = 0; i < COUNT(row->outside); i++) {
        set_time(&s, row->member, NOW - row->outside[i]);
        trips(&s, row->trip, action, row->format, (double)row->outside[i]);
    }
}

Test(decision_limits, hold_to_the_nanosecond)
{
    for (size_t i = 0; i < COUNT(times); i++)
        for (int32_t action = HEDGE_ACTION_REJECT; action <= HEDGE_ACTION_FLAG; action++)
            walk_time(&times[i], action);
}

/* ---- times at the ends of int64_t -------------------------------------- */

typedef struct far_row {
    int64_t now, score_ts, depth_ts;
    int32_t trip;
} far_row;

static const far_row far_times[] = {
    {INT64_MAX, INT64_MIN, INT64_MAX, HEDGE_TRIP_STALE_SCORE},
    {INT64_MAX, INT64_MAX, INT64_MIN, HEDGE_TRIP_STALE_DEPTH},
    {INT64_MAX, INT64_MIN, INT64_MIN, HEDGE_TRIP_STALE_SCORE},
    {INT64_MIN, INT64_MAX, INT64_MIN, HEDGE_TRIP_CLOCK_SKEW},
    {INT64_MIN, INT64_MIN, INT64_MAX, HEDGE_TRIP_CLOCK_SKEW},
    {INT64_MIN, INT64_MIN, INT64_MIN, HEDGE_OK},
    {INT64_MAX, INT64_MAX, INT64_MAX, HEDGE_OK},
    {0, INT64_MIN, 0, HEDGE_TRIP_STALE_SCORE},
    {0, INT64_MAX, 0, HEDGE_TRIP_CLOCK_SKEW},
    {-1, INT64_MAX, -1, HEDGE_TRIP_CLOCK_SKEW},
    {-2, INT64_MAX, -2, HEDGE_TRIP_CLOCK_SKEW},
    {1, INT64_MIN, 1, HEDGE_TRIP_STALE_SCORE},
    {-1, INT64_MIN, -1, HEDGE_TRIP_STALE_SCORE},
    {NOW, 0, NOW, HEDGE_TRIP_STALE_SCORE},
    {0, NOW, NOW, HEDGE_TRIP_CLOCK_SKEW},
    {0, -NOW, -NOW, HEDGE_TRIP_STALE_SCORE},
};

Test(decision_limits, survive_the_ends_of_time)
{
    set_policy("max_clock_skew_ms: {limit: 250$}", HEDGE_ACTION_REJECT);
    for (size_t i = 0; i < COUNT(far_times); i++) {
        scene s = scene_new(policy);
        hedge_decision d;

        s.now_ns = far_times[i].now;
        s.quote.score_ts_ns = far_times[i].score_ts;
        s.quote.depth_ts_ns = far_times[i].depth_ts;

        const int32_t rc = scene_decide(&s, &d);

        cr_assert_eq(rc, far_times[i].trip, "row %zu: %s", i, hedge_status_name(rc));
        cr_assert(is_sound(&s, &d, rc), "row %zu", i);
    }
}

/* ---- numbers that are none --------------------------------------------- */

typedef struct odd_row {
    const char *name;
    size_t member;
    uint32_t request_flags;
    int32_t trip; /* for NaN, infinities, and numbers out of range */
    double bad[8], good[4];
    int n_bad, n_good;
} odd_row;

static const odd_row odd[] = {
    {"amount_usd",
     REQUEST(amount_usd),
     0,
     HEDGE_TRIP_BAD_AMOUNT,
     {NAN, INFINITY, -INFINITY, -1, -5e-324, -DBL_MAX},
     {0, -0.0, 5e-324, 1e9},
     6,
     4},
    {"override_score",
     REQUEST(override_score),
     HEDGE_REQUEST_OVERRIDE,
     HEDGE_TRIP_BAD_OVERRIDE,
     {NAN, INFINITY, -INFINITY, -5e-324, -1, 1 + DBL_EPSILON, 2, DBL_MAX},
     {0, -0.0, 1, 5e-324},
     8,
     4},
    {"score",
     QUOTE(score),
     0,
     HEDGE_TRIP_BAD_QUOTE,
     {NAN, INFINITY, -INFINITY, -5e-324, -1, 1 + DBL_EPSILON, 2, DBL_MAX},
     {0, -0.0, 1, 5e-324},
     8,
     4},
    {"confidence",
     QUOTE(confidence),
     0,
     HEDGE_TRIP_BAD_QUOTE,
     {NAN, INFINITY, -INFINITY, -5e-324, -1, 1 + DBL_EPSILON, 2, DBL_MAX},
     {0, -0.0, 1, 5e-324},
     8,
     4},
    {"depth1pct_usd",
     QUOTE(depth1pct_usd),
     0,
     HEDGE_TRIP_BAD_QUOTE,
     {NAN, INFINITY, -INFINITY, -5e-324, -1, -DBL_MAX},
     {0, -0.0, 5e-324, DBL_MAX},
     6,
     4},
};

static void odd_member(const odd_row *row)
{
    scene s = scene_new(policy);
    hedge_decision d;

    s.request.flags = row->request_flags;
    if (row->request_flags) s.request.override_score = 0.5;
    for (int i = 0; i < row->n_bad; i++) {
        set_double(&s, row->member, row->bad[i]);

        const int32_t rc = scene_decide(&s, &d);

        cr_assert_eq(rc, row->trip, "%s = %g: %s", row->name, row->bad[i], hedge_status_name(rc));
        cr_assert(is_sound(&s, &d, rc), "%s = %g", row->name, row->bad[i]);
    }
    for (int i = 0; i < row->n_good; i++) {
        set_double(&s, row->member, row->good[i]);

        const int32_t rc = scene_decide(&s, &d);

        cr_assert_eq(rc, HEDGE_OK, "%s = %g: %s", row->name, row->good[i], hedge_status_name(rc));
        cr_assert(is_sound(&s, &d, rc), "%s = %g", row->name, row->good[i]);
    }
}

Test(decision_limits, let_nothing_through_that_is_no_number)
{
    hedge_policy_free(policy);
    policy = policy_with("limits: {extreme_score: {below: 0, above: 1}, min_depth_usd: 0}");
    for (size_t i = 0; i < COUNT(odd); i++)
        odd_member(&odd[i]);
}

Test(decision_limits, answer_a_bad_quote_with_its_floor)
{
    hedge_policy_free(policy);
    policy = policy_with("limits: {bad_quote: {action: floor, floor: 0.625}, max_score_jump: 0.1, "
                         "min_confidence: 0.5}");
    for (size_t i = 2; i < COUNT(odd); i++) {
        for (int k = 0; k < odd[i].n_bad; k++) {
            scene s = scene_new(policy);

            set_double(&s, odd[i].member, odd[i].bad[k]);
            trips(&s, HEDGE_TRIP_BAD_QUOTE, HEDGE_ACTION_FLOOR, odd[i].name, odd[i].bad[k]);
        }
    }
}

Test(decision_limits, need_a_score_and_a_depth)
{
    static const char *const formats[] = {"no_quote: {action: reject}",
                                          "no_quote: {action: floor, floor: 0.625}"};
    const uint32_t flags[] = {0, HEDGE_QUOTE_SCORE, HEDGE_QUOTE_DEPTH, HEDGE_QUOTE_PREVIOUS,
                              HEDGE_QUOTE_SCORE | HEDGE_QUOTE_PREVIOUS};

    for (int32_t action = HEDGE_ACTION_REJECT; action <= HEDGE_ACTION_FLOOR; action++) {
        set_policy(formats[action], HEDGE_ACTION_REJECT);
        for (size_t i = 0; i < COUNT(flags); i++) {
            scene s = scene_new(policy);

            s.quote.flags = flags[i];
            trips(&s, HEDGE_TRIP_NO_QUOTE, action, "flags", (double)flags[i]);
        }
    }
}

Test(decision_limits, look_at_the_previous_score_only_where_there_is_one)
{
    set_policy("max_score_jump: {limit: 0.25$}", HEDGE_ACTION_REJECT);

    scene s = scene_new(policy);
    const double jumps[] = {NAN, INFINITY, -INFINITY, -1, 2, 0};

    for (size_t i = 0; i < COUNT(jumps); i++) {
        s.quote.flags = HEDGE_QUOTE_SCORE | HEDGE_QUOTE_DEPTH | HEDGE_QUOTE_PREVIOUS;
        s.quote.previous_score = jumps[i];
        trips(&s, HEDGE_TRIP_SCORE_JUMP, HEDGE_ACTION_REJECT, "previous", jumps[i]);
        s.quote.flags = HEDGE_QUOTE_SCORE | HEDGE_QUOTE_DEPTH;
        passes(&s, "previous", jumps[i]);
    }
    set_policy("max_score_jump: {limit: 1$}", HEDGE_ACTION_REJECT);
    s = scene_new(policy);
    s.quote.score = 1;
    s.quote.previous_score = 0;
    passes(&s, "switched off", 1);
}
