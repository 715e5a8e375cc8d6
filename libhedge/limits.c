/* SPDX-License-Identifier: MIT
 * limits: what each breaker is called, bounded by and allowed to do. */
#include "limits.h"

#define DAY_MS 86400000.0
#define REJECT HEDGE_ACTION_REJECT
#define FLAG HEDGE_ACTION_FLAG

/* In the order of the codes, so that HEDGE_BREAKER(trip) is the index. */
const limits_entry limits_table[HEDGE_BREAKER_COUNT] = {
    {HEDGE_TRIP_HALTED, NULL, false, false, false, 0, 0, 0, 0, REJECT},
    {HEDGE_TRIP_UNKNOWN_ASSET, NULL, false, false, false, 0, 0, 0, 0, REJECT},
    {HEDGE_TRIP_NO_QUOTE, "no_quote", false, false, false, 0, 0, 0, 0, REJECT},
    {HEDGE_TRIP_BAD_AMOUNT, NULL, false, false, false, 0, 0, 0, 0, REJECT},
    {HEDGE_TRIP_MAX_AMOUNT, "max_amount_usd", true, true, true, 0, 1e15, 1e9, 0, REJECT},
    {HEDGE_TRIP_BAD_OVERRIDE, NULL, false, false, false, 0, 0, 0, 0, REJECT},
    {HEDGE_TRIP_BAD_QUOTE, "bad_quote", false, false, false, 0, 0, 0, 0, REJECT},
    {HEDGE_TRIP_CLOCK_SKEW, "max_clock_skew_ms", true, true, false, 0, 60000, 250, 0, REJECT},
    {HEDGE_TRIP_STALE_SCORE, "stale_score_ms", true, true, true, 0, DAY_MS, 3000, 0, REJECT},
    {HEDGE_TRIP_STALE_DEPTH, "stale_depth_ms", true, true, true, 0, DAY_MS, 5000, 0, REJECT},
    {HEDGE_TRIP_SCORE_JUMP, "max_score_jump", true, true, true, 0, 1, 1, 0, REJECT},
    {HEDGE_TRIP_MIN_DEPTH, "min_depth_usd", true, true, false, 0, 1e15, 10000, 0, REJECT},
    {HEDGE_TRIP_EXTREME_SCORE, "extreme_score", true, true, false, 0, 1, 0.1, 0.9, FLAG},
    {HEDGE_TRIP_MIN_CONFIDENCE, "min_confidence", true, true, false, 0, 1, 0, 0, REJECT},
};

void limits_defaults(hedge_limit limits[HEDGE_BREAKER_COUNT])
{
    for (int i = 0; i < HEDGE_BREAKER_COUNT; i++)
        limits[i] = (hedge_limit){.limit = limits_table[i].limit,
                                  .upper = limits_table[i].upper,
                                  .action = limits_table[i].action};
}

const char *limits_action_name(int32_t action)
{
    static const char *const names[] = {"reject", "floor", "flag"};

    return action >= 0 && action <= HEDGE_ACTION_FLAG ? names[action] : NULL;
}

bool limits_trip(limits_verdict *verdict, int32_t trip)
{
    const hedge_limit *limit = &verdict->limits[HEDGE_BREAKER(trip)];

    verdict->flags |= HEDGE_FLAG(trip);
    if (limit->action == HEDGE_ACTION_REJECT) return true;
    if (limit->action == HEDGE_ACTION_FLOOR) {
        verdict->flags |= HEDGE_MARK_FLOOR;
        if (limit->floor > verdict->floor) verdict->floor = limit->floor;
    }
    return false;
}
