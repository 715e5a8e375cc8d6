/* SPDX-License-Identifier: MIT
 * policy: everything that decides, as data. */
#include "policy.h"

#include "curve.h"
#include "limits.h"
#include "liquidity.h"
#include "policy_text.h"
#include "struct_size.h"

#include <sys/types.h>

#include <math.h>
#include <sha2.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS 1000000.0

bool policy_name_ok(const char *name)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    const size_t n = strlen(name);

    return n >= 1 && n <= HEDGE_ASSET_NAME_MAX && strspn(name, allowed) == n;
}

hedge_policy *policy_new(void)
{
    hedge_policy *policy = calloc(1, sizeof(*policy));
    hedge_rules *rules;

    if (policy == NULL) return NULL;
    rules = &policy->base.rules;
    rules->struct_size = (uint32_t)sizeof(*rules);
    rules->half_depth_usd = 500000.0;
    rules->full_depth_usd = 10000000.0;
    rules->max_hedge_pct = 1.0;
    limits_defaults(rules->limits);
    return policy;
}

const hedge_curve *policy_own_curve(hedge_policy *policy, hedge_curve *curve)
{
    hedge_curve **grown;

    for (size_t i = 0; i < policy->curve_count; i++) {
        if (!curve_equal(policy->curves[i], curve)) continue;
        hedge_curve_free(curve);
        return policy->curves[i];
    }
    grown = realloc(policy->curves, (policy->curve_count + 1) * sizeof(policy->curves[0]));
    if (grown == NULL) {
        hedge_curve_free(curve);
        return NULL;
    }
    policy->curves = grown;
    policy->curves[policy->curve_count++] = curve;
    policy->knot_count += hedge_curve_knot_count(curve);
    return curve;
}

bool policy_add_file(hedge_policy *policy, const char *path)
{
    char **grown;
    char *copy;

    for (size_t i = 0; i < policy->file_count; i++)
        if (strcmp(policy->files[i], path) == 0) return true;
    grown = realloc(policy->files, (policy->file_count + 1) * sizeof(policy->files[0]));
    if (grown == NULL) return false;
    policy->files = grown;
    copy = strdup(path);
    if (copy == NULL) return false;
    policy->files[policy->file_count++] = copy;
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const policy_asset *)a)->name, ((const policy_asset *)b)->name);
}

static int64_t limit_ns(const hedge_rules *rules, int32_t trip)
{
    return llround(rules->limits[HEDGE_BREAKER(trip)].limit * NS_PER_MS);
}

static void derive(policy_asset *asset)
{
    asset->stale_score_ns = limit_ns(&asset->rules, HEDGE_TRIP_STALE_SCORE);
    asset->stale_depth_ns = limit_ns(&asset->rules, HEDGE_TRIP_STALE_DEPTH);
    asset->clock_skew_ns = limit_ns(&asset->rules, HEDGE_TRIP_CLOCK_SKEW);
    asset->full_log = liquidity_log1p(asset->rules.full_depth_usd);
}

static void write_hash(hedge_policy *policy)
{
    static const char digits[] = "0123456789abcdef";
    SHA2_CTX context;

    SHA256Init(&context);
    SHA256Update(&context, (const uint8_t *)policy->text, policy->text_size);
    SHA256Final(policy->hash, &context);
    for (size_t i = 0; i < HEDGE_HASH_SIZE; i++) {
        policy->hash_hex[2 * i] = digits[policy->hash[i] >> 4];
        policy->hash_hex[2 * i + 1] = digits[policy->hash[i] & 15];
    }
}

bool policy_finish(hedge_policy *policy)
{
    if (policy->asset_count > 1)
        qsort(policy->assets, policy->asset_count, sizeof(policy->assets[0]), by_name);
    for (size_t i = 0; i < policy->asset_count; i++)
        derive(&policy->assets[i]);
    policy->text = policy_text_write(policy, &policy->text_size);
    if (policy->text == NULL) return false;
    write_hash(policy);
    return true;
}

void hedge_policy_free(hedge_policy *policy)
{
    if (policy == NULL) return;
    for (size_t i = 0; i < policy->curve_count; i++)
        hedge_curve_free(policy->curves[i]);
    for (size_t i = 0; i < policy->file_count; i++)
        free(policy->files[i]);
    free(policy->curves);
    free(policy->files);
    free(policy->assets);
    free(policy->text);
    free(policy);
}

/* ---- what a policy says ------------------------------------------------ */

static const policy_asset *asset_at(const hedge_policy *policy, int32_t asset)
{
    if (policy == NULL || asset < 0 || (size_t)asset >= policy->asset_count) return NULL;
    return &policy->assets[asset];
}

int32_t hedge_policy_asset(const hedge_policy *policy, const char *name)
{
    size_t low = 0, high;

    if (policy == NULL || name == NULL) return HEDGE_E_ARG;
    high = policy->asset_count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        const int order = strcmp(name, policy->assets[middle].name);

        if (order == 0) return (int32_t)middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return HEDGE_E_NOT_FOUND;
}

size_t hedge_policy_asset_count(const hedge_policy *policy)
{
    return policy != NULL ? policy->asset_count : 0;
}

const char *hedge_policy_asset_name(const hedge_policy *policy, int32_t asset)
{
    const policy_asset *found = asset_at(policy, asset);

    return found != NULL ? found->name : NULL;
}

const hedge_curve *hedge_policy_curve(const hedge_policy *policy, int32_t asset)
{
    const policy_asset *found = asset_at(policy, asset);

    return found != NULL ? found->curve : NULL;
}

int32_t hedge_policy_rules(const hedge_policy *policy, int32_t asset, hedge_rules *out)
{
    const policy_asset *found = asset_at(policy, asset);

    if (found == NULL || out == NULL) return HEDGE_E_ARG;
    if (!struct_size_room(out->struct_size, OLDEST_RULES)) return HEDGE_E_STRUCT_SIZE;
    struct_size_answer(out, &found->rules, sizeof(found->rules));
    return HEDGE_OK;
}

const char *hedge_policy_text(const hedge_policy *policy, size_t *n)
{
    if (n != NULL) *n = policy != NULL ? policy->text_size : 0;
    return policy != NULL ? policy->text : NULL;
}

int32_t hedge_policy_hash(const hedge_policy *policy, uint8_t hash[HEDGE_HASH_SIZE])
{
    if (policy == NULL || hash == NULL) return HEDGE_E_ARG;
    memcpy(hash, policy->hash, HEDGE_HASH_SIZE);
    return HEDGE_OK;
}

const char *hedge_policy_hash_hex(const hedge_policy *policy)
{
    return policy != NULL ? policy->hash_hex : NULL;
}

const char *hedge_policy_file(const hedge_policy *policy, size_t i)
{
    return policy != NULL && i < policy->file_count ? policy->files[i] : NULL;
}
