/* SPDX-License-Identifier: MIT
 * decision: one hedge out of a policy, a request and a quote.
 *
 * Gates are written as positive conditions (inside, not outside), so that NaN
 * fails every one of them. */
#include <hedge/hedge.h>

#include "confidence.h"
#include "curve.h"
#include "decision.h"
#include "limits.h"
#include "liquidity.h"
#include "policy.h"
#include "struct_size.h"

#include <math.h>
#include <string.h>

/* Everything one decision looks at. */
typedef struct scene {
    const policy_asset *asset;
    const hedge_request *request;
    const hedge_quote *quote;
    int64_t now_ns;
    limits_verdict verdict;
    bool override, score_usable, depth_usable;
} scene;

static bool in_unit(double v)
{
    return v >= 0.0 && v <= 1.0;
}

static double limit_of(const scene *s, int32_t trip)
{
    return s->asset->rules.limits[HEDGE_BREAKER(trip)].limit;
}

/* now - then, held at the ends of int64_t: a garbage time is very old or very
 * far in the future, never a wrapped-around good one. */
static int64_t age_ns(int64_t now_ns, int64_t then_ns)
{
    int64_t age;

    if (__builtin_sub_overflow(now_ns, then_ns, &age)) return then_ns < 0 ? INT64_MAX : INT64_MIN;
    return age;
}

/* Step 2 of a decision: the request. Returns a trip that rejects, or HEDGE_OK. */
static int32_t check_request(scene *s)
{
    const double amount = s->request->amount_usd;

    if (!(amount >= 0.0 && isfinite(amount)) && limits_trip(&s->verdict, HEDGE_TRIP_BAD_AMOUNT))
        return HEDGE_TRIP_BAD_AMOUNT;
    if (!(amount <= limit_of(s, HEDGE_TRIP_MAX_AMOUNT)) &&
        limits_trip(&s->verdict, HEDGE_TRIP_MAX_AMOUNT))
        return HEDGE_TRIP_MAX_AMOUNT;
    if (s->override && !in_unit(s->request->override_score) &&
        limits_trip(&s->verdict, HEDGE_TRIP_BAD_OVERRIDE))
        return HEDGE_TRIP_BAD_OVERRIDE;
    return HEDGE_OK;
}

/* The last of step 1. A part that is absent or, in the next check, bad, under
 * a floor is not looked at any further. */
static int32_t check_presence(scene *s)
{
    s->score_usable = s->override || (s->quote->flags & HEDGE_QUOTE_SCORE) != 0;
    s->depth_usable = (s->quote->flags & HEDGE_QUOTE_DEPTH) != 0;
    if (!(s->score_usable && s->depth_usable) && limits_trip(&s->verdict, HEDGE_TRIP_NO_QUOTE))
        return HEDGE_TRIP_NO_QUOTE;
    return HEDGE_OK;
}

static int32_t check_numbers(scene *s)
{
    const hedge_quote *q = s->quote;
    const bool score_good = s->override || (in_unit(q->score) && in_unit(q->confidence));
    const bool depth_good = q->depth1pct_usd >= 0.0 && isfinite(q->depth1pct_usd);
    const bool bad = (s->score_usable && !score_good) || (s->depth_usable && !depth_good);

    s->score_usable = s->score_usable && score_good;
    s->depth_usable = s->depth_usable && depth_good;
    if (bad && limits_trip(&s->verdict, HEDGE_TRIP_BAD_QUOTE)) return HEDGE_TRIP_BAD_QUOTE;
    return HEDGE_OK;
}

/* An override stands in for the score, so the score's time is of no matter. */
static int32_t check_times(scene *s, int64_t score_age, int64_t depth_age)
{
    const bool score = s->score_usable && !s->override, depth = s->depth_usable;
    const int64_t skew = s->asset->clock_skew_ns;

    if ((score && !(score_age >= -skew)) || (depth && !(depth_age >= -skew)))
        if (limits_trip(&s->verdict, HEDGE_TRIP_CLOCK_SKEW)) return HEDGE_TRIP_CLOCK_SKEW;
    if (score && !(score_age <= s->asset->stale_score_ns))
        if (limits_trip(&s->verdict, HEDGE_TRIP_STALE_SCORE)) return HEDGE_TRIP_STALE_SCORE;
    if (depth && !(depth_age <= s->asset->stale_depth_ns))
        if (limits_trip(&s->verdict, HEDGE_TRIP_STALE_DEPTH)) return HEDGE_TRIP_STALE_DEPTH;
    return HEDGE_OK;
}

static bool jumps(const scene *s)
{
    const hedge_quote *q = s->quote;
    const double most = limit_of(s, HEDGE_TRIP_SCORE_JUMP);

    if (most >= 1.0 || !(q->flags & HEDGE_QUOTE_PREVIOUS)) return false; /* 1 switches it off */
    return !(fabs(q->score - q->previous_score) <= most);
}

static int32_t check_levels(scene *s)
{
    const bool score = s->score_usable && !s->override, depth = s->depth_usable;
    const hedge_quote *q = s->quote;
    const hedge_limit *extreme = &s->asset->rules.limits[HEDGE_BREAKER(HEDGE_TRIP_EXTREME_SCORE)];

    if (score && jumps(s) && limits_trip(&s->verdict, HEDGE_TRIP_SCORE_JUMP))
        return HEDGE_TRIP_SCORE_JUMP;
    if (depth && !(q->depth1pct_usd >= limit_of(s, HEDGE_TRIP_MIN_DEPTH)))
        if (limits_trip(&s->verdict, HEDGE_TRIP_MIN_DEPTH)) return HEDGE_TRIP_MIN_DEPTH;
    if (score && !(q->score >= extreme->limit && q->score <= extreme->upper))
        if (limits_trip(&s->verdict, HEDGE_TRIP_EXTREME_SCORE)) return HEDGE_TRIP_EXTREME_SCORE;
    return HEDGE_OK;
}

static int32_t check_quote(scene *s, hedge_decision *out)
{
    const hedge_quote *q = s->quote;
    int32_t code = check_numbers(s);

    if (code != HEDGE_OK) return code;
    out->score_age_ns = s->score_usable && !s->override ? age_ns(s->now_ns, q->score_ts_ns) : 0;
    out->depth_age_ns = s->depth_usable ? age_ns(s->now_ns, q->depth_ts_ns) : 0;
    code = check_times(s, out->score_age_ns, out->depth_age_ns);
    return code == HEDGE_OK ? check_levels(s) : code;
}

static double weight_of(const policy_asset *asset, double depth1pct_usd)
{
    if (asset->rules.weight == HEDGE_WEIGHT_LOG)
        return liquidity_log(asset->full_log, depth1pct_usd);
    return liquidity_ratio(asset->rules.half_depth_usd, depth1pct_usd);
}

/* Steps 4, 5 and 7: what the quote says, as far as it can be used. */
static double read_quote(const scene *s, hedge_decision *out)
{
    const hedge_rules *rules = &s->asset->rules;
    const double model = s->override ? 1.0 : s->quote->confidence + 0.0; /* -0 becomes 0 */

    if (s->score_usable) out->score = s->override ? s->request->override_score : s->quote->score;
    out->score += 0.0;
    if (!s->depth_usable) return 0.0;
    out->liquidity_weight = weight_of(s->asset, s->quote->depth1pct_usd + 0.0);
    out->liquidity_quality =
        out->liquidity_weight *
        confidence_freshness(rules->freshness, out->depth_age_ns, s->asset->stale_depth_ns);
    if (!s->score_usable) return 0.0;
    out->effective_score = out->score * out->liquidity_weight;
    return hedge_blend(rules->blend, model, out->liquidity_quality);
}

static void answer(scene *s, hedge_decision *out, double confidence)
{
    const double most = s->asset->rules.max_hedge_pct;
    const bool floored = s->verdict.floor >= 0.0;
    double hedge =
        floored ? s->verdict.floor : s->asset->curve->eval(s->asset->curve, out->effective_score);

    if (!(hedge <= most)) {
        hedge = most;
        s->verdict.flags |= HEDGE_MARK_CAPPED;
    }
    out->hedge_pct = hedge;
    out->notional_usd = (s->request->amount_usd + 0.0) * hedge;
    out->confidence = floored ? 0.0 : confidence;
}

static int32_t decide(scene *s, hedge_decision *out)
{
    double confidence;
    int32_t code = check_presence(s);

    if (code == HEDGE_OK) code = check_request(s);
    if (code == HEDGE_OK) code = check_quote(s, out);
    if (code != HEDGE_OK) return code;
    confidence = read_quote(s, out);
    /* Without a score or a depth there is a floor already, and no confidence to judge. */
    if (s->score_usable && s->depth_usable &&
        !(confidence >= limit_of(s, HEDGE_TRIP_MIN_CONFIDENCE)) &&
        limits_trip(&s->verdict, HEDGE_TRIP_MIN_CONFIDENCE))
        return HEDGE_TRIP_MIN_CONFIDENCE;
    answer(s, out, confidence);
    return HEDGE_OK;
}

/* A flag that we do not know could ask for anything: it is not ignored. */
static bool flags_known(const hedge_request *request, const hedge_quote *quote)
{
    const uint32_t known =
        HEDGE_QUOTE_SCORE | HEDGE_QUOTE_PREVIOUS | HEDGE_QUOTE_DEPTH | HEDGE_QUOTE_HALTED;

    return !(request->flags & ~HEDGE_REQUEST_OVERRIDE) && request->reserved == 0 &&
           !(quote->flags & ~known);
}

/* Every number of a rejected decision is 0; ages stay, as they say why. */
static void reject(hedge_decision *out, int32_t code)
{
    *out = (hedge_decision){.struct_size = out->struct_size,
                            .status = code,
                            .flags = out->flags,
                            .asset = out->asset,
                            .score_age_ns = out->score_age_ns,
                            .depth_age_ns = out->depth_age_ns,
                            .ts_ns = out->ts_ns};
}

int32_t decision_make(const hedge_policy *policy, const hedge_request *request,
                      const hedge_quote *quote, int64_t now_ns, hedge_decision *out)
{
    const uint32_t asset = (uint32_t)request->asset;
    scene s = {.request = request,
               .quote = quote,
               .now_ns = now_ns,
               .override = (request->flags & HEDGE_REQUEST_OVERRIDE) != 0};
    int32_t code;

    if (!flags_known(request, quote)) return HEDGE_E_ARG;
    *out =
        (hedge_decision){.struct_size = out->struct_size, .asset = request->asset, .ts_ns = now_ns};
    if (quote->flags & HEDGE_QUOTE_HALTED) {
        out->flags = HEDGE_FLAG(HEDGE_TRIP_HALTED);
        return out->status = HEDGE_TRIP_HALTED;
    }
    if (request->asset < 0 || asset >= policy->asset_count) {
        out->flags = HEDGE_FLAG(HEDGE_TRIP_UNKNOWN_ASSET);
        return out->status = HEDGE_TRIP_UNKNOWN_ASSET;
    }
    s.asset = &policy->assets[asset];
    s.verdict = (limits_verdict){.limits = s.asset->rules.limits, .floor = -1.0};
    if (s.override) s.verdict.flags = HEDGE_MARK_OVERRIDE;
    code = decide(&s, out);
    out->flags = s.verdict.flags;
    if (code != HEDGE_OK) {
        out->flags &= ~HEDGE_MARK_FLOOR; /* a reject beats the floors before it */
        reject(out, code);
    }
    return code;
}

/* A caller of another age: its structs are taken in by copies. */
static __attribute__((noinline)) int32_t size_across_ages(const hedge_policy *policy,
                                                          const hedge_request *request,
                                                          const hedge_quote *quote, int64_t now_ns,
                                                          hedge_decision *out)
{
    hedge_decision d = HEDGE_INIT(hedge_decision);
    hedge_request r;
    hedge_quote q;
    int32_t code;

    if (!struct_size_room(out->struct_size, OLDEST_DECISION) ||
        !struct_size_ok(request, OLDEST_REQUEST, sizeof(r)) ||
        !struct_size_ok(quote, OLDEST_QUOTE, sizeof(q)))
        return HEDGE_E_STRUCT_SIZE;
    struct_size_copy(&r, request, sizeof(r));
    struct_size_copy(&q, quote, sizeof(q));
    code = decision_make(policy, &r, &q, now_ns, &d);
    if (code != HEDGE_E_ARG) struct_size_answer(out, &d, sizeof(d));
    return code;
}

int32_t hedge_size(const hedge_policy *policy, const hedge_request *request,
                   const hedge_quote *quote, int64_t now_ns, hedge_decision *out)
{
    if (policy == NULL || request == NULL || quote == NULL || out == NULL) return HEDGE_E_ARG;
    if (request->struct_size == sizeof(*request) && quote->struct_size == sizeof(*quote) &&
        out->struct_size == sizeof(*out))
        return decision_make(policy, request, quote, now_ns, out);
    return size_across_ages(policy, request, quote, now_ns, out);
}
