/* SPDX-License-Identifier: MIT
 * policy_text: the one canonical text of a policy, which is what gets hashed.
 *
 * Every setting is written out, an asset's only where it differs from what it
 * inherits, in a fixed order and with the shortest digits that read back to
 * the same double. */
#include "policy_text.h"

#include "confidence.h"
#include "curve.h"
#include "limits.h"
#include "liquidity.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct text {
    char *bytes;
    size_t size, capacity;
    bool failed;
} text;

static bool text_reserve(text *t, size_t more)
{
    size_t capacity = t->capacity != 0 ? t->capacity : 4096;
    char *grown;

    if (t->failed) return false;
    if (t->size + more <= t->capacity) return true;
    while (capacity < t->size + more)
        capacity *= 2;
    grown = realloc(t->bytes, capacity);
    if (grown == NULL) {
        t->failed = true;
        return false;
    }
    t->bytes = grown;
    t->capacity = capacity;
    return true;
}

__attribute__((format(printf, 2, 3))) static void put(text *t, const char *format, ...)
{
    enum { LINE = 512 }; /* every line written here is far shorter */
    va_list arguments;
    int n;

    if (!text_reserve(t, LINE)) return;
    va_start(arguments, format);
    n = vsnprintf(t->bytes + t->size, LINE, format, arguments);
    va_end(arguments);
    t->size += n > 0 ? (size_t)n : 0;
}

/* The fewest digits of 15 to 17 that give the same double back. */
static void put_number(text *t, double v)
{
    char digits[32];

    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof(digits), "%.*g", precision, v);
        if (strtod(digits, NULL) == v) break;
    }
    put(t, "%s", digits);
}

static void put_member(text *t, const char *name, double v)
{
    put(t, "%s: ", name);
    put_number(t, v);
}

static void put_curve(text *t, const char *indent, const hedge_curve *curve)
{
    const size_t n = hedge_curve_knot_count(curve);

    put(t, "%scurve:\n%s  method: %s\n%s  knots:\n", indent, indent,
        hedge_method_name(hedge_curve_method(curve)), indent);
    for (size_t i = 0; i < n; i++) {
        double score, hedge;

        hedge_curve_knot(curve, i, &score, &hedge);
        put(t, "%s  - [", indent);
        put_number(t, score);
        put(t, ", ");
        put_number(t, hedge);
        put(t, "]\n");
    }
}

static void put_limit(text *t, const char *indent, size_t i, const hedge_limit *limit)
{
    const limits_entry *entry = &limits_table[i];

    put(t, "%s  %s: {", indent, entry->field);
    if (entry->trip == HEDGE_TRIP_EXTREME_SCORE) {
        put_member(t, "below", limit->limit);
        put(t, ", ");
        put_member(t, "above", limit->upper);
        put(t, ", ");
    } else if (entry->has_limit) {
        put_member(t, "limit", limit->limit);
        put(t, ", ");
    }
    put(t, "action: %s", limits_action_name(limit->action));
    if (limit->action == HEDGE_ACTION_FLOOR) {
        put(t, ", ");
        put_member(t, "floor", limit->floor);
    }
    put(t, "}\n");
}

static bool same_limit(const hedge_limit *a, const hedge_limit *b)
{
    return a->limit == b->limit && a->upper == b->upper && a->action == b->action &&
           a->floor == b->floor;
}

static void put_limits(text *t, const char *indent, const hedge_limit *limits,
                       const hedge_limit *inherited)
{
    bool headed = false;

    for (size_t i = 0; i < HEDGE_BREAKER_COUNT; i++) {
        if (limits_table[i].field == NULL) continue;
        if (inherited != NULL && same_limit(&limits[i], &inherited[i])) continue;
        if (!headed) put(t, "%slimits:\n", indent);
        headed = true;
        put_limit(t, indent, i, &limits[i]);
    }
}

/* inherited NULL: write everything. */
static void put_rules(text *t, const char *indent, const policy_asset *asset,
                      const policy_asset *inherited)
{
    const hedge_rules *r = &asset->rules;
    const hedge_rules *from = inherited != NULL ? &inherited->rules : NULL;

    if (inherited == NULL || !curve_equal(asset->curve, inherited->curve))
        put_curve(t, indent, asset->curve);
    if (from == NULL || !(r->max_hedge_pct == from->max_hedge_pct)) {
        put(t, "%s", indent);
        put_member(t, "max_hedge_pct", r->max_hedge_pct);
        put(t, "\n");
    }
    if (from == NULL || r->weight != from->weight || !(r->half_depth_usd == from->half_depth_usd) ||
        !(r->full_depth_usd == from->full_depth_usd)) {
        put(t, "%sliquidity: {weight: %s, ", indent, liquidity_weight_name(r->weight));
        put_member(t, "half_depth_usd", r->half_depth_usd);
        put(t, ", ");
        put_member(t, "full_depth_usd", r->full_depth_usd);
        put(t, "}\n");
    }
    if (from == NULL || r->blend != from->blend || r->freshness != from->freshness)
        put(t, "%sconfidence: {blend: %s, freshness: %s}\n", indent,
            confidence_blend_name(r->blend), confidence_freshness_name(r->freshness));
    put_limits(t, indent, r->limits, from != NULL ? from->limits : NULL);
}

char *policy_text_write(const hedge_policy *policy, size_t *n)
{
    text t = {0};

    put_rules(&t, "", &policy->base, NULL);
    put(&t, "assets:\n");
    for (size_t i = 0; i < policy->asset_count; i++) {
        const size_t before = t.size + strlen(policy->assets[i].name) + strlen("  :\n");

        put(&t, "  %s:\n", policy->assets[i].name);
        put_rules(&t, "    ", &policy->assets[i], &policy->base);
        if (!t.failed && t.size == before) {
            t.size--; /* nothing of its own: `  NAME: {}` */
            put(&t, " {}\n");
        }
    }
    if (t.failed) {
        free(t.bytes);
        return NULL;
    }
    *n = t.size;
    return t.bytes;
}
