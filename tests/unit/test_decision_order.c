/* SPDX-License-Identifier: MIT
 * Two breakers at once: which one speaks, and reject beats floor beats flag. */
#include "scene.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Makes one breaker trip and no other. `other` is the one that is to trip as
 * well: where both would need the same member, another member is spoilt. */
static void spoil(scene *s, int32_t trip, int32_t other)
{
    const bool other_is_depth = other == HEDGE_TRIP_STALE_DEPTH || other == HEDGE_TRIP_MIN_DEPTH;

    switch (trip) {
    case HEDGE_TRIP_HALTED:
        s->quote.flags |= HEDGE_QUOTE_HALTED;
        break;
    case HEDGE_TRIP_UNKNOWN_ASSET:
        s->request.asset = 99;
        break;
    case HEDGE_TRIP_NO_QUOTE:
        s->quote.flags &= other_is_depth ? ~HEDGE_QUOTE_SCORE : ~HEDGE_QUOTE_DEPTH;
        break;
    case HEDGE_TRIP_BAD_AMOUNT:
        s->request.amount_usd = INFINITY;
        break;
    case HEDGE_TRIP_MAX_AMOUNT:
        if (other != HEDGE_TRIP_BAD_AMOUNT) s->request.amount_usd = 1001;
        break;
    case HEDGE_TRIP_BAD_OVERRIDE:
        s->request.flags = HEDGE_REQUEST_OVERRIDE;
        s->request.override_score = 2;
        break;
    case HEDGE_TRIP_BAD_QUOTE:
        if (other_is_depth || other == HEDGE_TRIP_NO_QUOTE)
            s->quote.confidence = NAN;
        else
            s->quote.depth1pct_usd = NAN;
        break;
    case HEDGE_TRIP_CLOCK_SKEW:
        if (other == HEDGE_TRIP_STALE_SCORE)
            s->quote.depth_ts_ns = NOW + 300 * MS;
        else
            s->quote.score_ts_ns = NOW + 300 * MS;
        break;
    case HEDGE_TRIP_STALE_SCORE:
        s->quote.score_ts_ns = NOW - 4000 * MS;
        break;
    case HEDGE_TRIP_STALE_DEPTH:
        s->quote.depth_ts_ns = NOW - 6000 * MS;
        break;
    case HEDGE_TRIP_SCORE_JUMP:
        s->quote.previous_score = 0;
        break;
    case HEDGE_TRIP_MIN_DEPTH:
        s->quote.depth1pct_usd = 100;
        break;
    case HEDGE_TRIP_EXTREME_SCORE:
        s->quote.score = 0.95;
        if (other != HEDGE_TRIP_SCORE_JUMP) s->quote.previous_score = 0.95;
        break;
    default:
        s->quote.confidence = 0;
        break;
    }
}

/* The settings that a policy has, and which of the actions they take. */
typedef struct setting {
    int32_t trip;
    const char *name, *limit;
    int32_t actions;
} setting;

static const setting settings[] = {
    {HEDGE_TRIP_NO_QUOTE, "no_quote", "", 2},
    {HEDGE_TRIP_MAX_AMOUNT, "max_amount_usd", "limit: 1000, ", 3},
    {HEDGE_TRIP_BAD_QUOTE, "bad_quote", "", 2},
    {HEDGE_TRIP_CLOCK_SKEW, "max_clock_skew_ms", "limit: 250, ", 3},
    {HEDGE_TRIP_STALE_SCORE, "stale_score_ms", "limit: 3000, ", 3},
    {HEDGE_TRIP_STALE_DEPTH, "stale_depth_ms", "limit: 5000, ", 3},
    {HEDGE_TRIP_SCORE_JUMP, "max_score_jump", "limit: 0.25, ", 3},
    {HEDGE_TRIP_MIN_DEPTH, "min_depth_usd", "limit: 10000, ", 3},
    {HEDGE_TRIP_EXTREME_SCORE, "extreme_score", "below: 0.1, above: 0.9, ", 3},
    {HEDGE_TRIP_MIN_CONFIDENCE, "min_confidence", "limit: 0.0001, ", 3},
};

static const setting *setting_of(int32_t trip)
{
    for (size_t i = 0; i < COUNT(settings); i++)
        if (settings[i].trip == trip) return &settings[i];
    return NULL;
}

static double floor_of(int32_t trip)
{
    return (double)HEDGE_BREAKER(trip) / 16;
}

static size_t write_setting(char *out, size_t n, const setting *s, int32_t action)
{
    static const char *const names[] = {"reject", "floor", "flag"};
    char floor[32] = "";

    if (action == HEDGE_ACTION_FLOOR)
        snprintf(floor, sizeof(floor), ", floor: %g", floor_of(s->trip));
    return (size_t)snprintf(out, n, "  %s: {%saction: %s%s}\n", s->name, s->limit, names[action],
                            floor);
}

/* Every limit rejects but those of two breakers. */
static hedge_policy *policy_for(int32_t a, int32_t action_a, int32_t b, int32_t action_b,
                                const char *more)
{
    char text[2048];
    size_t n = (size_t)snprintf(text, sizeof(text), "%s\nlimits:\n", more);

    for (size_t i = 0; i < COUNT(settings); i++) {
        const int32_t trip = settings[i].trip;
        const int32_t action = trip == a ? action_a : trip == b ? action_b : HEDGE_ACTION_REJECT;

        n += write_setting(text + n, sizeof(text) - n, &settings[i], action);
    }
    return policy_with(text);
}

/* A breaker whose subject another one has found missing is not asked. */
static bool both_can_trip(int32_t first, int32_t second)
{
    if (first == HEDGE_TRIP_BAD_AMOUNT && second == HEDGE_TRIP_MAX_AMOUNT) return false;
    if (first == HEDGE_TRIP_BAD_OVERRIDE) return false;
    return second != HEDGE_TRIP_MIN_CONFIDENCE ||
           (first != HEDGE_TRIP_NO_QUOTE && first != HEDGE_TRIP_BAD_QUOTE);
}

static void check_reject(const scene *s, const hedge_decision *d, int32_t want, const char *what)
{
    cr_assert_eq(d->status, want, "%s: %s, not %s", what, hedge_status_name(d->status),
                 hedge_status_name(want));
    cr_assert(is_sound(s, d, want), "%s", what);
}

static void check_answer(const scene *s, const hedge_decision *d, uint32_t both, double floor,
                         const char *what)
{
    const hedge_decision want = scene_expect(s, both, floor);

    cr_assert_eq(d->status, HEDGE_OK, "%s: %s", what, hedge_status_name(d->status));
    cr_assert(is_sound(s, d, HEDGE_OK), "%s", what);
    cr_assert_eq(d->flags, want.flags, "%s: %08x, not %08x", what, (unsigned)d->flags,
                 (unsigned)want.flags);
    cr_assert(d->hedge_pct == want.hedge_pct && d->confidence == want.confidence, "%s", what);
}

static void two(int32_t first, int32_t action_first, int32_t second, int32_t action_second)
{
    hedge_policy *policy = policy_for(first, action_first, second, action_second, "");
    scene s = scene_new(policy);
    hedge_decision d;
    char what[128];
    double floor = -1;

    snprintf(what, sizeof(what), "%s (action %d) and %s (action %d)", hedge_status_name(first),
             (int)action_first, hedge_status_name(second), (int)action_second);
    cr_assert_not_null(policy, "%s", what);
    spoil(&s, first, second);
    spoil(&s, second, first);
    (void)!scene_decide(&s, &d);
    if (action_first == HEDGE_ACTION_REJECT) {
        check_reject(&s, &d, first, what);
    } else if (action_second == HEDGE_ACTION_REJECT) {
        check_reject(&s, &d, second, what);
        cr_assert(d.flags & HEDGE_FLAG(first), "%s", what);
    } else {
        if (action_first == HEDGE_ACTION_FLOOR) floor = floor_of(first);
        if (action_second == HEDGE_ACTION_FLOOR) floor = fmax(floor, floor_of(second));
        check_answer(&s, &d, HEDGE_FLAG(first) | HEDGE_FLAG(second), floor, what);
    }
    hedge_policy_free(policy);
}

static int32_t actions_of(int32_t trip)
{
    const setting *s = setting_of(trip);

    return s != NULL ? s->actions : 1;
}

Test(decision_order, each_breaker_trips_alone)
{
    for (int32_t trip = HEDGE_TRIP_HALTED; trip >= HEDGE_TRIP_MIN_CONFIDENCE; trip--) {
        hedge_policy *policy = policy_for(0, 0, 0, 0, "");
        scene s = scene_new(policy);
        hedge_decision d;
        const uint32_t mark = trip == HEDGE_TRIP_BAD_OVERRIDE ? HEDGE_MARK_OVERRIDE : 0;

        spoil(&s, trip, 0);
        cr_assert_eq(scene_decide(&s, &d), trip, "%s, not %s", hedge_status_name(d.status),
                     hedge_status_name(trip));
        cr_assert_eq(d.flags, HEDGE_FLAG(trip) | mark, "%s: %08x", hedge_status_name(trip),
                     (unsigned)d.flags);
        cr_assert(is_sound(&s, &d, trip));
        hedge_policy_free(policy);
    }
}

/* DESIGN section 2 lists the checks in the order of their codes. */
Test(decision_order, of_two_that_reject_the_first_speaks)
{
    for (int32_t a = HEDGE_TRIP_HALTED; a >= HEDGE_TRIP_MIN_CONFIDENCE; a--)
        for (int32_t b = a - 1; b >= HEDGE_TRIP_MIN_CONFIDENCE; b--)
            two(a, HEDGE_ACTION_REJECT, b, HEDGE_ACTION_REJECT);
}

Test(decision_order, reject_beats_floor_beats_flag)
{
    for (size_t a = 0; a < COUNT(settings); a++) {
        for (size_t b = a + 1; b < COUNT(settings); b++) {
            if (!both_can_trip(settings[a].trip, settings[b].trip)) continue;
            for (int32_t x = 0; x < settings[a].actions; x++)
                for (int32_t y = 0; y < settings[b].actions; y++)
                    if (settings[b].trip != HEDGE_TRIP_BAD_QUOTE || x == 0 ||
                        settings[a].trip != HEDGE_TRIP_NO_QUOTE)
                        two(settings[a].trip, x, settings[b].trip, y);
        }
    }
}

Test(decision_order, what_cannot_be_set_rejects_whatever_else_is_declared)
{
    const int32_t fixed[] = {HEDGE_TRIP_HALTED, HEDGE_TRIP_UNKNOWN_ASSET, HEDGE_TRIP_BAD_AMOUNT,
                             HEDGE_TRIP_BAD_OVERRIDE};

    for (size_t f = 0; f < COUNT(fixed); f++) {
        for (size_t i = 0; i < COUNT(settings); i++) {
            hedge_policy *policy = policy_for(settings[i].trip, HEDGE_ACTION_FLOOR, 0, 0, "");
            scene s = scene_new(policy);
            hedge_decision d;

            cr_assert_eq(actions_of(fixed[f]), 1);
            spoil(&s, settings[i].trip, fixed[f]);
            spoil(&s, fixed[f], settings[i].trip);
            cr_assert_eq(scene_decide(&s, &d), fixed[f], "%s and %s: %s",
                         hedge_status_name(fixed[f]), settings[i].name,
                         hedge_status_name(d.status));
            cr_assert(is_sound(&s, &d, fixed[f]));
            hedge_policy_free(policy);
        }
    }
}

Test(decision_order, a_floor_is_capped_by_the_largest_hedge_allowed)
{
    const double caps[] = {0, 0.25, 0.5, 0.75};
    const double floor = floor_of(HEDGE_TRIP_STALE_SCORE); /* 0.5 */

    for (size_t i = 0; i < COUNT(caps); i++) {
        char more[64];

        snprintf(more, sizeof(more), "max_hedge_pct: %g", caps[i]);

        hedge_policy *policy = policy_for(HEDGE_TRIP_STALE_SCORE, HEDGE_ACTION_FLOOR, 0, 0, more);
        scene s = scene_new(policy);
        hedge_decision d;

        spoil(&s, HEDGE_TRIP_STALE_SCORE, 0);
        cr_assert_eq(scene_decide(&s, &d), HEDGE_OK);
        cr_assert_eq(d.hedge_pct, fmin(floor, caps[i]));
        cr_assert_eq((d.flags & HEDGE_MARK_CAPPED) != 0, floor > caps[i]);
        cr_assert(d.flags & HEDGE_MARK_FLOOR);
        cr_assert_eq(d.notional_usd, 1000 * d.hedge_pct);
        hedge_policy_free(policy);
    }
}
