/* SPDX-License-Identifier: MIT
 * One call of hedge_size with everything it looks at, and what to expect of it. */
#include "scene.h"

#include <math.h>
#include <string.h>

scene scene_new(const hedge_policy *policy)
{
    scene s = {.policy = policy,
               .request = HEDGE_INIT(hedge_request),
               .quote = HEDGE_INIT(hedge_quote),
               .now_ns = NOW};

    s.request.amount_usd = 1000;
    s.request.override_score = NAN; /* read only where it is asked for */
    s.quote.flags = HEDGE_QUOTE_SCORE | HEDGE_QUOTE_PREVIOUS | HEDGE_QUOTE_DEPTH;
    s.quote.score = 0.5;
    s.quote.previous_score = 0.5;
    s.quote.confidence = 0.9;
    s.quote.depth1pct_usd = 2e6;
    s.quote.score_ts_ns = NOW - 20 * MS;
    s.quote.depth_ts_ns = NOW - 40 * MS;
    return s;
}

int32_t scene_decide(const scene *s, hedge_decision *out)
{
    memset(out, 0xa5, sizeof(*out));
    out->struct_size = (uint32_t)sizeof(*out);
    return hedge_size(s->policy, &s->request, &s->quote, s->now_ns, out);
}

static double weight_under(const hedge_rules *r, double depth)
{
    return hedge_liquidity_weight(
        r->weight, r->weight == HEDGE_WEIGHT_LOG ? r->full_depth_usd : r->half_depth_usd, depth);
}

static double freshness_under(const hedge_rules *r, int64_t age)
{
    const double limit = r->limits[HEDGE_BREAKER(HEDGE_TRIP_STALE_DEPTH)].limit * 1e6;

    if (r->freshness == HEDGE_FRESHNESS_NONE || age <= 0) return 1;
    return (double)age >= limit ? 0 : 1 - (double)age / limit;
}

hedge_decision scene_expect(const scene *s, uint32_t flags, double floor)
{
    const bool override = (s->request.flags & HEDGE_REQUEST_OVERRIDE) != 0;
    hedge_rules r = HEDGE_INIT(hedge_rules);
    hedge_decision d = HEDGE_INIT(hedge_decision);

    hedge_policy_rules(s->policy, s->request.asset, &r);
    d.flags = flags | (override ? HEDGE_MARK_OVERRIDE : 0) | (floor >= 0 ? HEDGE_MARK_FLOOR : 0);
    d.asset = s->request.asset;
    d.ts_ns = s->now_ns;
    d.score_age_ns = override ? 0 : s->now_ns - s->quote.score_ts_ns;
    d.depth_age_ns = s->now_ns - s->quote.depth_ts_ns;
    d.score = override ? s->request.override_score : s->quote.score;
    d.liquidity_weight = weight_under(&r, s->quote.depth1pct_usd);
    d.liquidity_quality = d.liquidity_weight * freshness_under(&r, d.depth_age_ns);
    d.effective_score = d.score * d.liquidity_weight;
    d.confidence =
        floor >= 0 ? 0
                   : hedge_blend(r.blend, override ? 1 : s->quote.confidence, d.liquidity_quality);
    d.hedge_pct = floor >= 0
                      ? floor
                      : hedge_curve_eval(hedge_policy_curve(s->policy, d.asset), d.effective_score);
    if (d.hedge_pct > r.max_hedge_pct) {
        d.hedge_pct = r.max_hedge_pct;
        d.flags |= HEDGE_MARK_CAPPED;
    }
    d.notional_usd = s->request.amount_usd * d.hedge_pct;
    return d;
}

bool same_decision(const hedge_decision *a, const hedge_decision *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

bool is_empty_handed(const hedge_decision *d)
{
    const double numbers[] = {
        d->hedge_pct,        d->notional_usd,    d->confidence,       d->score,
        d->liquidity_weight, d->effective_score, d->liquidity_quality};

    for (size_t i = 0; i < COUNT(numbers); i++)
        if (!same_bits(numbers[i], 0.0)) return false;
    return true;
}

static bool ratio(double v)
{
    return v >= 0 && v <= 1 && !signbit(v);
}

bool is_sound(const scene *s, const hedge_decision *d, int32_t rc)
{
    hedge_rules r = HEDGE_INIT(hedge_rules);

    if (d->status != rc || d->struct_size != sizeof(*d)) return false;
    if (d->asset != s->request.asset || d->ts_ns != s->now_ns) return false;
    for (uint32_t bit = 0; bit < 32; bit++)
        if ((d->flags >> bit & 1) && hedge_flag_name(bit) == NULL) return false;
    if (rc != HEDGE_OK)
        return rc <= HEDGE_TRIP_HALTED && rc >= HEDGE_TRIP_MIN_CONFIDENCE &&
               (d->flags & HEDGE_FLAG(rc)) && is_empty_handed(d) &&
               !(d->flags & (HEDGE_MARK_FLOOR | HEDGE_MARK_CAPPED));
    if (hedge_policy_rules(s->policy, d->asset, &r) != HEDGE_OK) return false;
    return ratio(d->hedge_pct) && d->hedge_pct <= r.max_hedge_pct && ratio(d->confidence) &&
           ratio(d->score) && ratio(d->liquidity_weight) && ratio(d->effective_score) &&
           ratio(d->liquidity_quality) && isfinite(d->notional_usd) && d->notional_usd >= 0 &&
           d->notional_usd == s->request.amount_usd * d->hedge_pct &&
           (!(d->flags & HEDGE_MARK_FLOOR) || d->confidence == 0);
}
