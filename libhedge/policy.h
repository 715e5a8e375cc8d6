/* SPDX-License-Identifier: MIT
 * policy: everything that decides, private view. */
#ifndef HEDGE_POLICY_H
#define HEDGE_POLICY_H

#include <hedge/hedge.h>

#include <stdbool.h>

/* The rules of one asset, with what hedge_size wants computed beforehand. */
typedef struct policy_asset {
    char name[HEDGE_ASSET_NAME_MAX + 1];
    hedge_rules rules;
    const hedge_curve *curve; /* owned by the policy's list of curves */
    int64_t stale_score_ns, stale_depth_ns, clock_skew_ns;
    double full_log; /* liquidity_log1p(full_depth_usd) */
} policy_asset;

struct hedge_policy {
    policy_asset base;    /* what assets inherit; its name is "" */
    policy_asset *assets; /* sorted by name */
    size_t asset_count;
    hedge_curve **curves;
    size_t curve_count;
    size_t knot_count; /* of all curves */
    char **files;
    size_t file_count;
    char *text; /* canonical */
    size_t text_size;
    uint8_t hash[HEDGE_HASH_SIZE];
    char hash_hex[2 * HEDGE_HASH_SIZE + 1];
};

/* An empty policy with the default rules and no curve yet. NULL: no memory. */
hedge_policy *policy_new(void);
/* No policy that is written out in less than HEDGE_POLICY_FILE_MAX bytes has more. */
#define POLICY_KNOTS_MAX (HEDGE_POLICY_FILE_MAX / 13)

/* Takes over a curve and gives it back, or one that is there already and equal
 * to it, so that a thousand assets with one file of knots hold it once. NULL,
 * and the curve is freed: no memory. */
const hedge_curve *policy_own_curve(hedge_policy *policy, hedge_curve *curve);
/* Remembers a file the policy came from. False: no memory. */
bool policy_add_file(hedge_policy *policy, const char *path);
/* Sorts the assets, computes what is derived, writes text and hash.
 * False: no memory. */
bool policy_finish(hedge_policy *policy);

bool policy_name_ok(const char *name);
#endif
