/* SPDX-License-Identifier: MIT
 * explanation.c: one recorded decision taken apart into its steps, each computed again. */
#include "explanation.h"

#include <math.h>
#include <string.h>

#define NS_PER_MS 1e6

static bool in_unit(double v)
{
    return v >= 0 && v <= 1;
}

static bool has_override(const explanation *x)
{
    return (x->record.request.flags & HEDGE_REQUEST_OVERRIDE) != 0;
}

/* ---- breakers ----------------------------------------------------------------- */

static const struct {
    const char *field, *unit;
} fields[HEDGE_BREAKER_COUNT] = {
    {NULL, ""},
    {NULL, ""},
    {"no_quote", ""},
    {NULL, ""},
    {"max_amount_usd", "USD"},
    {NULL, ""},
    {"bad_quote", ""},
    {"max_clock_skew_ms", "ms ahead"},
    {"stale_score_ms", "ms old"},
    {"stale_depth_ms", "ms old"},
    {"max_score_jump", ""},
    {"min_depth_usd", "USD"},
    {"extreme_score", ""},
    {"min_confidence", ""},
};

static void measure(explained_breaker *b, double value, double margin)
{
    b->measured = true;
    b->value = value;
    b->margin = margin;
}

static void measure_times(explanation *x, bool score, bool depth)
{
    explained_breaker *skew = &x->breakers[HEDGE_BREAKER(HEDGE_TRIP_CLOCK_SKEW)];
    explained_breaker *stale_score = &x->breakers[HEDGE_BREAKER(HEDGE_TRIP_STALE_SCORE)];
    explained_breaker *stale_depth = &x->breakers[HEDGE_BREAKER(HEDGE_TRIP_STALE_DEPTH)];
    const double score_ms = (double)x->again.decision.score_age_ns / NS_PER_MS;
    const double depth_ms = (double)x->again.decision.depth_age_ns / NS_PER_MS;
    const double ahead = score && depth ? fmax(-score_ms, -depth_ms)
                         : score        ? -score_ms
                                        : -depth_ms;

    if (score || depth) measure(skew, ahead, skew->limit - ahead);
    if (score) measure(stale_score, score_ms, stale_score->limit - score_ms);
    if (depth) measure(stale_depth, depth_ms, stale_depth->limit - depth_ms);
}

/* The values that limits are held against, where there is one. */
static void measure_all(explanation *x)
{
    const hedge_quote *q = &x->record.quote;
    const bool score = x->score_used && !has_override(x);
    explained_breaker *b = x->breakers;
    explained_breaker *amount = &b[HEDGE_BREAKER(HEDGE_TRIP_MAX_AMOUNT)];
    explained_breaker *jump = &b[HEDGE_BREAKER(HEDGE_TRIP_SCORE_JUMP)];
    explained_breaker *depth = &b[HEDGE_BREAKER(HEDGE_TRIP_MIN_DEPTH)];
    explained_breaker *extreme = &b[HEDGE_BREAKER(HEDGE_TRIP_EXTREME_SCORE)];
    explained_breaker *confidence = &b[HEDGE_BREAKER(HEDGE_TRIP_MIN_CONFIDENCE)];

    measure(amount, x->record.request.amount_usd, amount->limit - x->record.request.amount_usd);
    measure_times(x, score, x->depth_used);
    if (score && (q->flags & HEDGE_QUOTE_PREVIOUS) != 0)
        measure(jump, fabs(q->score - q->previous_score),
                jump->limit - fabs(q->score - q->previous_score));
    if (x->depth_used) measure(depth, q->depth1pct_usd, q->depth1pct_usd - depth->limit);
    if (score)
        measure(extreme, q->score, fmin(q->score - extreme->limit, extreme->upper - q->score));
    if (x->score_used && x->depth_used)
        measure(confidence, x->blended, x->blended - confidence->limit);
}

/* Whether what a breaker judges is there at all. */
static bool has_subject(const explanation *x, int32_t trip)
{
    const explained_breaker *b = &x->breakers[HEDGE_BREAKER(trip)];

    switch (trip) {
    case HEDGE_TRIP_CLOCK_SKEW:
    case HEDGE_TRIP_STALE_SCORE:
    case HEDGE_TRIP_STALE_DEPTH:
    case HEDGE_TRIP_MIN_DEPTH:
    case HEDGE_TRIP_EXTREME_SCORE:
    case HEDGE_TRIP_MIN_CONFIDENCE:
        return b->measured;
    case HEDGE_TRIP_SCORE_JUMP:
        return b->measured && b->limit < 1; /* 1 switches it off */
    case HEDGE_TRIP_BAD_OVERRIDE:
        return has_override(x);
    default:
        return true;
    }
}

static void judge_breakers(explanation *x)
{
    const hedge_decision *d = &x->again.decision;

    for (int32_t i = 0; i < HEDGE_BREAKER_COUNT; i++) {
        explained_breaker *b = &x->breakers[i];
        const int32_t trip = HEDGE_TRIP_HALTED - i;

        if (trip == d->status)
            b->state = BREAKER_REJECTED;
        else if ((d->flags & HEDGE_FLAG(trip)) != 0)
            b->state = BREAKER_TRIPPED;
        else if (d->status < 0 && trip < d->status)
            b->state = BREAKER_NOT_REACHED;
        else if (!has_subject(x, trip))
            b->state = BREAKER_NOT_JUDGED;
        /* Ages were not taken, and no limit was looked at. */
        if (b->state == BREAKER_NOT_REACHED) b->measured = false;
    }
}

static void take_rules(explanation *x)
{
    for (size_t i = 0; i < HEDGE_BREAKER_COUNT; i++) {
        const hedge_limit *l = &x->rules.limits[i];

        x->breakers[i] = (explained_breaker){.field = fields[i].field,
                                             .unit = fields[i].unit,
                                             .action = l->action,
                                             .floor = l->floor,
                                             .limit = l->limit,
                                             .upper = l->upper};
    }
}

/* ---- numbers ------------------------------------------------------------------ */

/* The parts of the quote that a decision can work with. */
static void choose_parts(explanation *x)
{
    const hedge_quote *q = &x->record.quote;

    x->score_used = has_override(x) || ((q->flags & HEDGE_QUOTE_SCORE) != 0 && in_unit(q->score) &&
                                        in_unit(q->confidence));
    x->depth_used =
        (q->flags & HEDGE_QUOTE_DEPTH) != 0 && q->depth1pct_usd >= 0 && isfinite(q->depth1pct_usd);
}

static double freshness_of(const explanation *x)
{
    const double age = (double)x->again.decision.depth_age_ns;
    const double limit =
        rint(x->rules.limits[HEDGE_BREAKER(HEDGE_TRIP_STALE_DEPTH)].limit * NS_PER_MS);

    if (x->rules.freshness == HEDGE_FRESHNESS_NONE || age <= 0) return 1;
    return age >= limit ? 0 : 1 - age / limit;
}

static void weigh(explanation *x)
{
    const hedge_rules *r = &x->rules;
    const hedge_quote *q = &x->record.quote;
    const double scale = r->weight == HEDGE_WEIGHT_LOG ? r->full_depth_usd : r->half_depth_usd;

    /* -0 becomes 0, here and below. */
    if (x->score_used)
        x->score = (has_override(x) ? x->record.request.override_score : q->score) + 0.0;
    if (!x->depth_used) return;
    x->weight = hedge_liquidity_weight(r->weight, scale, q->depth1pct_usd + 0.0);
    x->freshness = freshness_of(x);
    x->quality = x->weight * x->freshness;
    if (!x->score_used) return;
    x->effective_score = x->score * x->weight;
    x->model_confidence = has_override(x) ? 1.0 : q->confidence + 0.0;
    x->blended = hedge_blend(r->blend, x->model_confidence, x->quality);
}

/* The piece that a score on the grid falls into. */
static bool find_piece(explanation *x)
{
    const size_t n = hedge_curve_piece_count(x->curve);

    for (size_t i = 0; i < n; i++) {
        hedge_piece p = HEDGE_INIT(hedge_piece);
        const bool odd = i % 2 == 1;

        if (hedge_curve_piece(x->curve, i, &p) != HEDGE_OK) return false;
        if (!(x->snapped >= p.from && (x->snapped < p.to || (odd && x->snapped == p.to)))) continue;
        x->piece = p;
        x->piece_index = i;
        return true;
    }
    return false;
}

static void follow_curve(explanation *x)
{
    x->snapped = rint(x->effective_score / HEDGE_SCORE_STEP) * HEDGE_SCORE_STEP;
    x->curve_hedge = hedge_curve_eval(x->curve, x->effective_score);
    x->slope = hedge_curve_slope(x->curve, x->effective_score);
    x->in_piece = find_piece(x);
    if (!x->in_piece) return;
    x->e = x->snapped - x->piece.knot;
    x->piece_hedge =
        fma(x->e, fma(x->e, fma(x->e, x->piece.d, x->piece.c), x->piece.b), x->piece.hedge);
    hedge_curve_knot(x->curve, x->piece_index / 2, &x->left[0], &x->left[1]);
    hedge_curve_knot(x->curve, x->piece_index / 2 + 1, &x->right[0], &x->right[1]);
}

void explanation_make(explanation *x, hedge_policy *policy)
{
    const int32_t asset = x->record.request.asset;
    const hedge_decision *d = &x->again.decision;

    x->policy = policy;
    x->rules = (hedge_rules)HEDGE_INIT(hedge_rules);
    x->curve = hedge_policy_curve(policy, asset);
    x->named = hedge_policy_rules(policy, asset, &x->rules) == HEDGE_OK && x->curve != NULL;
    x->same = recompute(&x->record, policy, &x->again);
    if (x->again.refused) return;
    take_rules(x);
    choose_parts(x);
    if (x->named) {
        weigh(x);
        measure_all(x);
    }
    judge_breakers(x);
    x->floored = (d->flags & HEDGE_MARK_FLOOR) != 0;
    x->capped = (d->flags & HEDGE_MARK_CAPPED) != 0;
    x->on_curve = x->named && d->status == HEDGE_OK && !x->floored;
    if (x->on_curve) follow_curve(x);
}
