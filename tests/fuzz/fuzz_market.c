/* SPDX-License-Identifier: MIT
 * fuzz_market: a policy and a market that a target of the daemon writes into.
 *
 * Linked with -Wl,--wrap=hedge_market_new, to see the market inside of `live`. */
#include "fuzz_market.h"

#include "clock.h"
#include "fuzz.h"
#include "log.h"

#include <math.h>

static const char policy_text[] =
    "curve: {knots: [[0, .05], [.3, .25], [.7, .75], [1, 1]]}\n"
    "limits: {stale_score_ms: 86400000, stale_depth_ms: 86400000, max_score_jump: 0.5}\n"
    "assets: {BTC: {}, ETH: {max_hedge_pct: 0.5}}\n";

static hedge_market *market;
static live *held;

int32_t __real_hedge_market_new(size_t capacity, hedge_market **out);
int32_t __wrap_hedge_market_new(size_t capacity, hedge_market **out);

int32_t __wrap_hedge_market_new(size_t capacity, hedge_market **out)
{
    const int32_t code = __real_hedge_market_new(capacity, out);

    market = *out;
    return code;
}

live *fuzz_market_empty(void)
{
    hedge_policy *policy;
    live_policy *now;

    if (held == NULL) {
        REQUIRE(hedge_policy_parse(policy_text, strlen(policy_text), NULL, &policy) == HEDGE_OK);
        held = live_new(policy);
        REQUIRE(held != NULL && market != NULL);
    }
    now = live_acquire(held);
    for (size_t i = 0; i < hedge_policy_asset_count(now->policy); i++)
        REQUIRE(hedge_market_reset(market, now->slots[i]) == HEDGE_OK);
    live_release(now);
    return held;
}

static bool in_unit(double v)
{
    return v >= 0.0 && v <= 1.0;
}

void fuzz_market_check(void)
{
    live_policy *now = live_acquire(held);

    for (int32_t i = 0; (size_t)i < hedge_policy_asset_count(now->policy); i++) {
        const hedge_quote q = live_quote(held, now, i);
        const int64_t latest_ns = clock_wall_ns() + live_skew_ns(now, i);

        if (q.flags & HEDGE_QUOTE_SCORE)
            REQUIRE(in_unit(q.score) && in_unit(q.confidence) && q.score_ts_ns >= 0 &&
                    q.score_ts_ns <= latest_ns);
        if (q.flags & HEDGE_QUOTE_PREVIOUS) REQUIRE(in_unit(q.previous_score));
        if (q.flags & HEDGE_QUOTE_DEPTH)
            REQUIRE(q.depth1pct_usd >= 0.0 && isfinite(q.depth1pct_usd) && q.depth_ts_ns >= 0 &&
                    q.depth_ts_ns <= latest_ns);
        REQUIRE(!(q.flags & HEDGE_QUOTE_HALTED));
    }
    live_release(now);
}

/* In place of the daemon's: the texts are read to their ends, and no line written. */
void log_write(log_level level, const char *event, const log_member *members, size_t n)
{
    (void)level;
    REQUIRE(event[0] != '\0');
    for (size_t i = 0; i < n; i++)
        REQUIRE(members[i].text == NULL || strlen(members[i].text) < 65536);
}

uint64_t log_suppressed(void)
{
    return 0;
}
