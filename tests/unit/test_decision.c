/* SPDX-License-Identifier: MIT
 * What hedge_size answers when nothing trips, and how it treats its arguments.
 * test_decision_limits.c moves each breaker to its edge, test_decision_order.c sets two against
 * each other. */
#include "scene.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static hedge_policy *policy;

static void free_policy(void)
{
    hedge_policy_free(policy);
}

TestSuite(decision, .fini = free_policy);

static scene scene_under(const char *more)
{
    hedge_policy_free(policy);
    policy = policy_with(more);
    cr_assert_not_null(policy, "%s", more);
    return scene_new(policy);
}

static void decides(const scene *s, uint32_t flags, double floor)
{
    const hedge_decision want = scene_expect(s, flags, floor);
    hedge_decision got;

    cr_assert_eq(scene_decide(s, &got), HEDGE_OK, "%s", hedge_status_name(got.status));
    cr_assert(is_sound(s, &got, HEDGE_OK));
    cr_assert_eq(got.flags, want.flags, "flags %08x, not %08x", (unsigned)got.flags,
                 (unsigned)want.flags);
    cr_assert(same_decision(&got, &want), "hedge %.17g, not %.17g; confidence %.17g, not %.17g",
              got.hedge_pct, want.hedge_pct, got.confidence, want.confidence);
}

static void rejects(const scene *s, int32_t trip)
{
    hedge_decision got;
    const int32_t rc = scene_decide(s, &got);

    cr_assert_eq(rc, trip, "%s, not %s", hedge_status_name(rc), hedge_status_name(trip));
    cr_assert(is_sound(s, &got, rc), "%s", hedge_status_name(trip));
}

Test(decision, of_a_worked_example)
{
    /* Linear, so that it can be worked by hand: 0.6 * 2e6 / 2.5e6 = 0.48; between
     * (0.3, 0.25) and (0.7, 0.75) that is 0.25 + 0.18 / 0.4 * 0.5 = 0.475. */
    scene s;
    hedge_decision d;

    policy = policy_of("curve: {method: linear, knots: [[0, .05], [.3, .25], [.7, .75], [1, 1]]}");
    s = scene_new(policy);
    s.quote.score = 0.6;
    s.request.amount_usd = 200000;
    cr_assert_eq(scene_decide(&s, &d), HEDGE_OK);
    cr_assert_eq(d.flags, 0);
    cr_assert_eq(d.liquidity_weight, 0.8);
    cr_assert_float_eq(d.effective_score, 0.48, 1e-15);
    cr_assert_float_eq(d.hedge_pct, 0.475, 1e-8);
    cr_assert_float_eq(d.notional_usd, 95000, 1e-3);
    cr_assert_float_eq(d.confidence, 0.8, 1e-15);
    cr_assert_eq(d.score_age_ns, 20 * MS);
    cr_assert_eq(d.depth_age_ns, 40 * MS);
    cr_assert_eq(d.ts_ns, NOW);
}

Test(decision, follows_each_weight_blend_and_freshness)
{
    static const char *const weights[] = {"weight: ratio, half_depth_usd: 3e5",
                                          "weight: log, full_depth_usd: 5e6"};
    static const char *const blends[] = {"min", "harmonic", "geometric", "product"};
    static const char *const fresh[] = {"none", "linear"};
    char more[256];

    for (size_t w = 0; w < 2; w++) {
        for (size_t b = 0; b < 4; b++) {
            for (size_t f = 0; f < 2; f++) {
                snprintf(more, sizeof(more),
                         "liquidity: {%s}\nconfidence: {blend: %s, freshness: %s}", weights[w],
                         blends[b], fresh[f]);

                scene s = scene_under(more);

                for (int64_t age = -200; age <= 5000; age += 400) {
                    s.quote.depth_ts_ns = NOW - age * MS;
                    decides(&s, 0, -1);
                }
            }
        }
    }
}

Test(decision, sweeps_scores_depths_and_amounts)
{
    scene s = scene_under("limits: {extreme_score: {below: 0, above: 1}, min_depth_usd: 0}");
    rng r = {21};

    for (int i = 0; i < 20000; i++) {
        s.quote.score = rng_unit(&r);
        s.quote.confidence = rng_unit(&r);
        s.quote.depth1pct_usd = exp2(rng_unit(&r) * 60 - 10);
        s.request.amount_usd = exp2(rng_unit(&r) * 40 - 11);
        decides(&s, 0, -1);
    }
}

Test(decision, caps_the_hedge_and_says_so)
{
    scene s = scene_under("max_hedge_pct: 0.3");
    hedge_decision d;

    decides(&s, 0, -1);
    cr_assert_eq(scene_decide(&s, &d), HEDGE_OK);
    cr_assert(d.hedge_pct == 0.3 && d.flags == HEDGE_MARK_CAPPED);
    cr_assert_eq(d.notional_usd, 1000 * 0.3);
    s.quote.score = 0.2;
    cr_assert_eq(scene_decide(&s, &d), HEDGE_OK);
    cr_assert(d.hedge_pct < 0.3 && d.flags == 0);
    s = scene_under("max_hedge_pct: 0");
    cr_assert_eq(scene_decide(&s, &d), HEDGE_OK);
    cr_assert(same_bits(d.hedge_pct, 0) && d.flags == HEDGE_MARK_CAPPED);
    /* Right at the cap nothing is cut. */
    hedge_policy_free(policy);
    policy = policy_of("curve: {knots: [[0, .5], [1, .5]]}\nmax_hedge_pct: .5");
    s = scene_new(policy);
    cr_assert_eq(scene_decide(&s, &d), HEDGE_OK);
    cr_assert(d.hedge_pct == 0.5 && d.flags == 0);
}

Test(decision, takes_each_assets_own_rules)
{
    scene s =
        scene_under("assets: {B: {max_hedge_pct: 0.25}, A: {curve: {knots: [[0, 0], [1, 0.1]]}}, "
                    "C: {limits: {stale_score_ms: 1}}}");

    for (int32_t i = 0; i < 2; i++) {
        s.request.asset = i;
        decides(&s, 0, -1);
    }
    s.request.asset = 2;
    rejects(&s, HEDGE_TRIP_STALE_SCORE);
}

Test(decision, is_refused_while_halted)
{
    scene s = scene_under("limits: {no_quote: {action: floor, floor: 1}}");

    s.quote.flags |= HEDGE_QUOTE_HALTED;
    rejects(&s, HEDGE_TRIP_HALTED);
    s.request.flags = HEDGE_REQUEST_OVERRIDE;
    s.request.override_score = 0.5;
    rejects(&s, HEDGE_TRIP_HALTED);
    s.quote.flags = HEDGE_QUOTE_HALTED;
    rejects(&s, HEDGE_TRIP_HALTED);
}

Test(decision, is_refused_for_an_unknown_asset)
{
    scene s = scene_under("");
    const int32_t odd[] = {-1, 4, 5, 1024, HEDGE_E_NOT_FOUND, INT32_MAX, INT32_MIN};

    for (size_t i = 0; i < COUNT(odd); i++) {
        s.request.asset = odd[i];
        rejects(&s, HEDGE_TRIP_UNKNOWN_ASSET);
    }
    s.request.asset = 3;
    decides(&s, 0, -1);
}

/* ---- override ---------------------------------------------------------- */

static scene overridden(const char *more, double score)
{
    scene s = scene_under(more);

    s.request.flags = HEDGE_REQUEST_OVERRIDE;
    s.request.override_score = score;
    return s;
}

Test(decision, with_an_override_is_marked_and_needs_no_score)
{
    const double scores[] = {0, 0.05, 0.5, 0.95, 1};

    for (size_t i = 0; i < COUNT(scores); i++) {
        scene s =
            overridden("limits: {max_score_jump: 0.1, extreme_score: {action: reject}}", scores[i]);

        decides(&s, 0, -1);
        s.quote.flags = HEDGE_QUOTE_DEPTH | HEDGE_QUOTE_PREVIOUS;
        s.quote.score = s.quote.confidence = s.quote.previous_score = NAN;
        s.quote.score_ts_ns = INT64_MIN;
        decides(&s, 0, -1);
        s.quote.score_ts_ns = INT64_MAX;
        decides(&s, 0, -1);
    }
}

Test(decision, with_an_override_still_checks_the_depth)
{
    scene s = overridden("", 0.5);

    s.quote.depth1pct_usd = 9999;
    rejects(&s, HEDGE_TRIP_MIN_DEPTH);
    s.quote.depth1pct_usd = NAN;
    rejects(&s, HEDGE_TRIP_BAD_QUOTE);
    s = overridden("", 0.5);
    s.quote.depth_ts_ns = NOW - 5000 * MS - 1;
    rejects(&s, HEDGE_TRIP_STALE_DEPTH);
    s.quote.depth_ts_ns = NOW + 250 * MS + 1;
    rejects(&s, HEDGE_TRIP_CLOCK_SKEW);
    s = overridden("", 0.5);
    s.quote.flags = HEDGE_QUOTE_SCORE | HEDGE_QUOTE_PREVIOUS;
    rejects(&s, HEDGE_TRIP_NO_QUOTE);
    s = overridden("limits: {min_confidence: 0.81}", 0.5);
    rejects(&s, HEDGE_TRIP_MIN_CONFIDENCE);
}

Test(decision, does_not_look_at_an_override_that_is_not_asked_for)
{
    scene s = scene_under("");
    const double odd[] = {NAN, INFINITY, -1, 2, 0.99};

    for (size_t i = 0; i < COUNT(odd); i++) {
        s.request.override_score = odd[i];
        decides(&s, 0, -1);
    }
}

/* ---- arguments --------------------------------------------------------- */

Test(decision, refuses_null_pointers_and_leaves_the_answer_alone)
{
    scene s = scene_under("");
    hedge_decision d = HEDGE_INIT(hedge_decision), before = d;

    cr_assert_eq(hedge_size(NULL, &s.request, &s.quote, NOW, &d), HEDGE_E_ARG);
    cr_assert_eq(hedge_size(policy, NULL, &s.quote, NOW, &d), HEDGE_E_ARG);
    cr_assert_eq(hedge_size(policy, &s.request, NULL, NOW, &d), HEDGE_E_ARG);
    cr_assert_eq(hedge_size(policy, &s.request, &s.quote, NOW, NULL), HEDGE_E_ARG);
    cr_assert(same_decision(&d, &before));
}

Test(decision, refuses_structs_that_are_too_short)
{
    scene s = scene_under("");
    hedge_decision d = HEDGE_INIT(hedge_decision);

    for (uint32_t size = 0; size < sizeof(hedge_decision); size++) {
        hedge_decision before;

        d.struct_size = size;
        before = d;
        cr_assert_eq(hedge_size(policy, &s.request, &s.quote, NOW, &d), HEDGE_E_STRUCT_SIZE);
        cr_assert(same_decision(&d, &before), "size %u", (unsigned)size);
    }
    d.struct_size = sizeof(d);
    for (uint32_t size = 0; size < sizeof(s.request); size++) {
        s.request.struct_size = size;
        cr_assert_eq(hedge_size(policy, &s.request, &s.quote, NOW, &d), HEDGE_E_STRUCT_SIZE);
    }
    s = scene_new(policy);
    for (uint32_t size = 0; size < sizeof(s.quote); size++) {
        s.quote.struct_size = size;
        cr_assert_eq(hedge_size(policy, &s.request, &s.quote, NOW, &d), HEDGE_E_STRUCT_SIZE);
    }
}

/* Structs of a later version: ours, and more behind. */
typedef struct longer {
    hedge_request request;
    unsigned char request_tail[24];
    hedge_quote quote;
    unsigned char quote_tail[40];
    hedge_decision decision;
    unsigned char decision_tail[16];
} longer;

static longer longer_new(void)
{
    const scene s = scene_under("");
    longer l;

    memset(&l, 0, sizeof(l));
    l.request = s.request;
    l.request.struct_size = sizeof(l.request) + sizeof(l.request_tail);
    l.quote = s.quote;
    l.quote.struct_size = sizeof(l.quote) + sizeof(l.quote_tail);
    l.decision.struct_size = sizeof(l.decision) + sizeof(l.decision_tail);
    return l;
}

Test(decision, takes_longer_structs_whose_tails_are_zero)
{
    longer l = longer_new();
    const scene s = scene_new(policy);
    hedge_decision want = scene_expect(&s, 0, -1);

    cr_assert_eq(hedge_size(policy, &l.request, &l.quote, NOW, &l.decision), HEDGE_OK);
    want.struct_size = l.decision.struct_size;
    cr_assert(same_decision(&l.decision, &want));
    for (size_t i = 0; i < sizeof(l.decision_tail); i++)
        cr_assert_eq(l.decision_tail[i], 0);
}

Test(decision, refuses_flags_that_it_does_not_know)
{
    scene_under("");
    for (uint32_t bit = 0; bit < 32; bit++) {
        scene s = scene_new(policy);
        hedge_decision d;

        s.request.flags = UINT32_C(1) << bit;
        cr_assert((scene_decide(&s, &d) == HEDGE_E_ARG) == (bit > 0), "request, bit %u", bit);
        s = scene_new(policy);
        s.quote.flags |= UINT32_C(1) << bit;
        cr_assert((scene_decide(&s, &d) == HEDGE_E_ARG) == (bit > 3), "quote, bit %u", bit);
        s = scene_new(policy);
        s.request.reserved = UINT32_C(1) << bit;
        cr_assert_eq(scene_decide(&s, &d), HEDGE_E_ARG, "reserved, bit %u", bit);
    }
}

Test(decision, refuses_longer_structs_that_say_what_it_does_not_know)
{
    longer l = longer_new();

    for (size_t i = 0; i < sizeof(l.request_tail); i++) {
        l.request_tail[i] = 1;
        cr_assert_eq(hedge_size(policy, &l.request, &l.quote, NOW, &l.decision),
                     HEDGE_E_STRUCT_SIZE, "request, byte %zu", i);
        l.request_tail[i] = 0;
    }
    for (size_t i = 0; i < sizeof(l.quote_tail); i++) {
        l.quote_tail[i] = 0x80;
        cr_assert_eq(hedge_size(policy, &l.request, &l.quote, NOW, &l.decision),
                     HEDGE_E_STRUCT_SIZE, "quote, byte %zu", i);
        l.quote_tail[i] = 0;
    }
    l.request.struct_size = UINT32_MAX;
    cr_assert_eq(hedge_size(policy, &l.request, &l.quote, NOW, &l.decision), HEDGE_E_STRUCT_SIZE);
    l = longer_new();
    l.quote.struct_size = UINT32_MAX;
    cr_assert_eq(hedge_size(policy, &l.request, &l.quote, NOW, &l.decision), HEDGE_E_STRUCT_SIZE);
}

/* ---- anything at all --------------------------------------------------- */

static const char *const moods[] = {
    "",
    "limits: {max_score_jump: 0.1, extreme_score: {action: reject}, min_confidence: "
    "0.3}\nmax_hedge_pct: 0.6",
    "limits: {no_quote: {action: floor, floor: .2}, bad_quote: {action: floor, floor: .9},\n"
    "  stale_score_ms: {action: floor, floor: .3}, stale_depth_ms: {action: flag},\n"
    "  max_clock_skew_ms: {action: flag}, max_score_jump: {limit: .1, action: flag},\n"
    "  min_depth_usd: {action: flag}, max_amount_usd: {limit: 100, action: flag},\n"
    "  min_confidence: {limit: .5, action: floor, floor: .4}}\n"
    "max_hedge_pct: 0.8\nconfidence: {blend: geometric, freshness: linear}\nliquidity: {weight: "
    "log}",
    "limits: {no_quote: {action: floor, floor: 0}, bad_quote: {action: floor, floor: 0},\n"
    "  stale_score_ms: {action: flag}, stale_depth_ms: {limit: 1e-6, action: flag},\n"
    "  max_clock_skew_ms: {limit: 0, action: flag}, min_depth_usd: 0}\n"
    "confidence: {blend: harmonic, freshness: linear}\nmax_hedge_pct: 0",
};

static double odd_double(rng *r)
{
    const double odd[] = {0,       -0.0,    1,    NAN,   INFINITY, -INFINITY,
                          5e-324,  -5e-324, 0.5,  2,     DBL_MAX,  -DBL_MAX,
                          1e6,     1e9,     -1,   0.1,   0.9,      1e15,
                          DBL_MIN, 1e300,   0.25, 10000, 9999,     1 + DBL_EPSILON};

    switch (rng_below(r, 4)) {
    case 0:
        return rng_any(r);
    case 1:
        return rng_unit(r);
    default:
        return odd[rng_below(r, COUNT(odd))];
    }
}

static int64_t odd_time(rng *r)
{
    const int64_t odd[] = {0, 1, -1, INT64_MIN, INT64_MIN + 1, INT64_MAX, INT64_MAX - 1, NOW};

    switch (rng_below(r, 3)) {
    case 0:
        return (int64_t)rng_next(r);
    case 1:
        return NOW + (int64_t)rng_below(r, 10000) * MS - 9000 * MS;
    default:
        return odd[rng_below(r, COUNT(odd))];
    }
}

static scene odd_scene(rng *r)
{
    scene s = scene_new(policy);

    /* Most members stay good, so that later checks are reached. */
    if (rng_below(r, 4) == 0) s.request.asset = (int32_t)rng_below(r, 6) - 1;
    if (rng_below(r, 3) == 0) s.request.amount_usd = odd_double(r);
    if (rng_below(r, 3) == 0) s.request.flags = (uint32_t)rng_below(r, 2);
    if (rng_below(r, 2) == 0) s.request.override_score = odd_double(r);
    if (rng_below(r, 3) == 0) s.quote.flags = (uint32_t)rng_below(r, 16);
    if (rng_below(r, 3) == 0) s.quote.score = odd_double(r);
    if (rng_below(r, 3) == 0) s.quote.previous_score = odd_double(r);
    if (rng_below(r, 3) == 0) s.quote.confidence = odd_double(r);
    if (rng_below(r, 3) == 0) s.quote.depth1pct_usd = odd_double(r);
    if (rng_below(r, 3) == 0) s.quote.score_ts_ns = odd_time(r);
    if (rng_below(r, 3) == 0) s.quote.depth_ts_ns = odd_time(r);
    if (rng_below(r, 5) == 0) s.now_ns = odd_time(r);
    return s;
}

Test(decision, is_sound_and_pure_whatever_it_is_given)
{
    rng r = {20260101};

    for (size_t m = 0; m < COUNT(moods); m++) {
        scene_under(moods[m]);
        for (int i = 0; i < 150000; i++) {
            const uint64_t seed = r.state;
            const scene s = odd_scene(&r), kept = s;
            hedge_decision a, b;
            const int32_t rc = scene_decide(&s, &a);
            cr_assert(is_sound(&s, &a, rc), "mood %zu, seed %llu: %s", m, (unsigned long long)seed,
                      hedge_status_name(rc));
            cr_assert_eq(scene_decide(&s, &b), rc);
            cr_assert(same_decision(&a, &b), "mood %zu, seed %llu", m, (unsigned long long)seed);
            cr_assert_arr_eq(&s, &kept, sizeof(s), "the arguments were changed");
        }
    }
}
