/* SPDX-License-Identifier: MIT
 * asset_group.c: puts together the assets of a policy that are treated alike. */
#include "asset_group.h"

#include <stdio.h>
#include <string.h>

enum { NAMES_SHOWN = 8 };

bool curves_equal(const hedge_curve *a, const hedge_curve *b)
{
    const size_t n = hedge_curve_knot_count(a);

    if (a == b) return true;
    if (hedge_curve_method(a) != hedge_curve_method(b) || hedge_curve_knot_count(b) != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        double ax = 0, ay = 0, bx = 1, by = 1;

        if (hedge_curve_knot(a, i, &ax, &ay) != HEDGE_OK) return false;
        if (hedge_curve_knot(b, i, &bx, &by) != HEDGE_OK) return false;
        if (!(ax == bx && ay == by)) return false;
    }
    return true;
}

static bool limits_equal(const hedge_limit *a, const hedge_limit *b)
{
    return a->limit == b->limit && a->upper == b->upper && a->floor == b->floor &&
           a->action == b->action;
}

static bool rules_equal(const hedge_policy *policy, int32_t a, int32_t b)
{
    hedge_rules x = HEDGE_INIT(hedge_rules);
    hedge_rules y = HEDGE_INIT(hedge_rules);

    if (hedge_policy_rules(policy, a, &x) != HEDGE_OK) return false;
    if (hedge_policy_rules(policy, b, &y) != HEDGE_OK) return false;
    for (size_t i = 0; i < HEDGE_BREAKER_COUNT; i++)
        if (!limits_equal(&x.limits[i], &y.limits[i])) return false;
    return x.weight == y.weight && x.blend == y.blend && x.freshness == y.freshness &&
           x.half_depth_usd == y.half_depth_usd && x.full_depth_usd == y.full_depth_usd &&
           x.max_hedge_pct == y.max_hedge_pct;
}

void asset_groups_find(const hedge_policy *policy, asset_groups *groups)
{
    groups->count = hedge_policy_asset_count(policy);
    for (size_t i = 0; i < groups->count; i++) {
        const int32_t asset = (int32_t)i;
        const hedge_curve *curve = hedge_policy_curve(policy, asset);
        int32_t j = 0;

        while (j < asset &&
               !(groups->same_curve[j] == j && curves_equal(curve, hedge_policy_curve(policy, j))))
            j++;
        groups->same_curve[i] = j;
        for (j = 0; j < asset; j++)
            if (groups->same_rules[j] == j && groups->same_curve[j] == groups->same_curve[i] &&
                rules_equal(policy, asset, j))
                break;
        groups->same_rules[i] = j;
    }
}

void asset_group_names(const hedge_policy *policy, const asset_groups *groups, const bool *chosen,
                       char *text, size_t capacity)
{
    size_t members = 0;
    size_t at = 0;

    text[0] = '\0';
    for (size_t i = 0; i < groups->count; i++) {
        if (!chosen[groups->same_rules[i]] || ++members > NAMES_SHOWN) continue;
        at += (size_t)snprintf(text + at, capacity - at, "%s%s", members > 1 ? ", " : "",
                               hedge_policy_asset_name(policy, (int32_t)i));
        if (at >= capacity) return;
    }
    if (members > NAMES_SHOWN)
        snprintf(text + at, capacity - at, " and %zu more", members - NAMES_SHOWN);
}
