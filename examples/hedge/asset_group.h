/* SPDX-License-Identifier: MIT
 * asset_group.h: puts together the assets of a policy that are treated alike. */
#ifndef HEDGE_CLI_ASSET_GROUP_H
#define HEDGE_CLI_ASSET_GROUP_H

#include <hedge/hedge.h>
#include <stdbool.h>

/* For each asset the first one that is like it. */
typedef struct asset_groups {
    size_t count;                         /* assets in the policy */
    int32_t same_curve[HEDGE_ASSETS_MAX]; /* the first asset with this curve */
    int32_t same_rules[HEDGE_ASSETS_MAX]; /* the first with this curve and these rules */
} asset_groups;

/* True if both curves are the same method through the same knots. */
bool curves_equal(const hedge_curve *a, const hedge_curve *b);

void asset_groups_find(const hedge_policy *policy, asset_groups *groups);

/* "BTC, ETH and 2 more": the assets whose group is chosen (chosen[i] for the
 * group whose first asset is i). */
void asset_group_names(const hedge_policy *policy, const asset_groups *groups, const bool *chosen,
                       char *text, size_t capacity);

#endif
