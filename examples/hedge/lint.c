/* SPDX-License-Identifier: MIT
 * lint.c: what a valid policy says, and what about it deserves a second look. */
#include "lint.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

/* Steep: an error of 0.01 in the score can move the hedge by more than 0.05. */
static const double score_error = 0.01;
static const double steep_move = 0.05;
/* A market can leave a quote of this age far behind. */
static const double long_stale_ms = 60000.0;

const limit_name limit_names[LIMIT_NAME_COUNT] = {
    {HEDGE_TRIP_STALE_SCORE, "stale_score_ms"},   {HEDGE_TRIP_STALE_DEPTH, "stale_depth_ms"},
    {HEDGE_TRIP_CLOCK_SKEW, "max_clock_skew_ms"}, {HEDGE_TRIP_EXTREME_SCORE, "extreme_score"},
    {HEDGE_TRIP_SCORE_JUMP, "max_score_jump"},    {HEDGE_TRIP_MIN_DEPTH, "min_depth_usd"},
    {HEDGE_TRIP_MAX_AMOUNT, "max_amount_usd"},    {HEDGE_TRIP_MIN_CONFIDENCE, "min_confidence"},
};

static const char *name_of(const char *const *names, int32_t n, int32_t i)
{
    return i >= 0 && i < n ? names[i] : "unknown";
}

const char *action_name(int32_t action)
{
    static const char *const names[] = {"reject", "floor", "flag"};
    return name_of(names, 3, action);
}

const char *weight_name(int32_t weight)
{
    static const char *const names[] = {"ratio", "log"};
    return name_of(names, 2, weight);
}

const char *blend_name(int32_t blend)
{
    static const char *const names[] = {"min", "harmonic", "geometric", "product"};
    return name_of(names, 4, blend);
}

const char *freshness_name(int32_t freshness)
{
    static const char *const names[] = {"none", "linear"};
    return name_of(names, 2, freshness);
}

/* What one group of assets is judged by. */
typedef struct subject {
    warning_list *list;
    const hedge_curve *curve;
    const hedge_rules *rules;
    int32_t asset;
} subject;

static void warn(const subject *s, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void warn(const subject *s, const char *field, const char *format, ...)
{
    warning found = {0};
    warning_list *list = s->list;
    va_list arguments;
    warning *items;
    size_t i = 0;

    snprintf(found.field, sizeof found.field, "%s", field);
    va_start(arguments, format);
    vsnprintf(found.message, sizeof found.message, format, arguments);
    va_end(arguments);
    found.groups[s->asset] = true;
    while (i < list->n && !(strcmp(list->items[i].field, found.field) == 0 &&
                            strcmp(list->items[i].message, found.message) == 0))
        i++;
    if (i < list->n) {
        list->items[i].groups[s->asset] = true;
        return;
    }
    items = realloc(list->items, (list->n + 1) * sizeof *items);
    if (items == NULL) {
        list->lost++;
        return;
    }
    list->items = items;
    list->items[list->n++] = found;
}

static const hedge_limit *limit_of(const hedge_rules *rules, int32_t trip)
{
    return &rules->limits[HEDGE_BREAKER(trip)];
}

/* How far the hedge moves over a score's error, in the windows that begin or
 * end at a knot. One warning for the worst: a list of many would hide it. */
static void warn_steep(const subject *s, size_t n)
{
    double worst = 0;
    double from = 0;

    for (size_t i = 0; i < n; i++) {
        double x = 0, y = 0;
        double up, down;

        hedge_curve_knot(s->curve, i, &x, &y);
        up = hedge_curve_eval(s->curve, x + score_error) - y;
        down = y - hedge_curve_eval(s->curve, x - score_error);
        if (up > worst) worst = up, from = x;
        if (down > worst) worst = down, from = x - score_error;
    }
    if (worst > steep_move)
        warn(s, "curve.knots", "steep: from score %.6g to %.6g the hedge rises by %.3g", from,
             from + score_error, worst);
}

static void warn_curve(const subject *s)
{
    const size_t n = hedge_curve_knot_count(s->curve);
    double x0 = 0, y0 = 0, xn = 1, yn = 1;

    hedge_curve_knot(s->curve, 0, &x0, &y0);
    hedge_curve_knot(s->curve, n - 1, &xn, &yn);
    if (x0 > 0)
        warn(s, "curve.knots", "the first knot is at score %.9g: below it the hedge stays %.9g", x0,
             y0);
    if (xn < 1)
        warn(s, "curve.knots", "the last knot is at score %.9g: above it the hedge stays %.9g", xn,
             yn);
    if (y0 == yn)
        warn(s, "curve.knots", "the curve is flat: the hedge is %.9g whatever the score", y0);
    if (s->rules->max_hedge_pct == 0)
        warn(s, "max_hedge_pct", "0: nothing is ever hedged");
    else if (s->rules->max_hedge_pct < yn)
        warn(s, "max_hedge_pct",
             "cuts the curve off at %.9g, which it reaches at effective score %.6f",
             s->rules->max_hedge_pct, hedge_curve_inverse(s->curve, s->rules->max_hedge_pct));
    warn_steep(s, n);
}

static void warn_actions(const subject *s)
{
    for (size_t i = 0; i < LIMIT_NAME_COUNT; i++) {
        const hedge_limit *limit = limit_of(s->rules, limit_names[i].trip);
        char field[48];

        snprintf(field, sizeof field, "limits.%s", limit_names[i].field);
        if (limit->action == HEDGE_ACTION_FLOOR && limit->floor > s->rules->max_hedge_pct)
            warn(s, field, "its floor %.9g is above max_hedge_pct %.9g, which cuts it",
                 limit->floor, s->rules->max_hedge_pct);
        if (limit->action == HEDGE_ACTION_FLOOR && limit->floor == 0)
            warn(s, field,
                 "a floor of 0 answers 'hedge nothing' where reject would say 'no answer'");
    }
    if (limit_of(s->rules, HEDGE_TRIP_STALE_SCORE)->action == HEDGE_ACTION_FLAG)
        warn(s, "limits.stale_score_ms", "flag: a score of any age is still decided on");
    if (limit_of(s->rules, HEDGE_TRIP_STALE_DEPTH)->action == HEDGE_ACTION_FLAG)
        warn(s, "limits.stale_depth_ms", "flag: a depth of any age is still decided on");
    if (limit_of(s->rules, HEDGE_TRIP_MAX_AMOUNT)->action == HEDGE_ACTION_FLAG)
        warn(s, "limits.max_amount_usd", "flag: an amount of any size is still decided on");
}

static void warn_limits(const subject *s)
{
    const hedge_limit *extreme = limit_of(s->rules, HEDGE_TRIP_EXTREME_SCORE);
    const double score_ms = limit_of(s->rules, HEDGE_TRIP_STALE_SCORE)->limit;
    const double depth_ms = limit_of(s->rules, HEDGE_TRIP_STALE_DEPTH)->limit;

    if (extreme->limit <= 0 && extreme->upper >= 1)
        warn(s, "limits.extreme_score", "switched off: no score is too extreme to act on alone");
    else if (extreme->limit <= 0)
        warn(s, "limits.extreme_score", "its lower side is switched off");
    else if (extreme->upper >= 1)
        warn(s, "limits.extreme_score", "its upper side is switched off");
    if (score_ms > long_stale_ms)
        warn(s, "limits.stale_score_ms", "a score may be %.9g s old and still decide",
             score_ms / 1000);
    if (depth_ms > long_stale_ms)
        warn(s, "limits.stale_depth_ms", "a depth may be %.9g s old and still decide",
             depth_ms / 1000);
    if (limit_of(s->rules, HEDGE_TRIP_MIN_DEPTH)->limit <= 0)
        warn(s, "limits.min_depth_usd", "0: an empty book is not rejected");
}

void warnings_find(const hedge_policy *policy, const asset_groups *groups, warning_list *list)
{
    *list = (warning_list){0};
    for (size_t i = 0; i < groups->count; i++) {
        hedge_rules rules = HEDGE_INIT(hedge_rules);
        const subject s = {list, hedge_policy_curve(policy, (int32_t)i), &rules, (int32_t)i};

        if (groups->same_rules[i] != s.asset) continue;
        if (hedge_policy_rules(policy, s.asset, &rules) != HEDGE_OK) continue;
        warn_curve(&s);
        warn_limits(&s);
        warn_actions(&s);
    }
}

void warnings_free(warning_list *list)
{
    free(list->items);
    *list = (warning_list){0};
}
