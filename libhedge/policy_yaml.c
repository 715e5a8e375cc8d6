/* SPDX-License-Identifier: MIT
 * policy_yaml: reads a policy from YAML. */
#include "confidence.h"
#include "error.h"
#include "limits.h"
#include "liquidity.h"
#include "policy_knots.h"
#include "policy_limits.h"
#include "policy_reader.h"
#include "struct_size.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- sections ------------------------------------------------------------ */

static int32_t read_max_hedge(policy_reader *r, const yaml_node *node, const char *at, void *into)
{
    policy_asset *asset = into;

    return policy_read_number(r, node, at, 0.0, 1.0, false, &asset->rules.max_hedge_pct);
}

static int32_t read_weight(policy_reader *r, const yaml_node *node, const char *at, void *into)
{
    return policy_read_word(r, node, at, liquidity_weight_name, &((hedge_rules *)into)->weight);
}

static int32_t read_half(policy_reader *r, const yaml_node *node, const char *at, void *into)
{
    return policy_read_number(r, node, at, 0.0, 1e15, true, &((hedge_rules *)into)->half_depth_usd);
}

static int32_t read_full(policy_reader *r, const yaml_node *node, const char *at, void *into)
{
    return policy_read_number(r, node, at, 0.0, 1e15, true, &((hedge_rules *)into)->full_depth_usd);
}

static int32_t read_liquidity(policy_reader *r, const yaml_node *node, const char *at, void *into)
{
    static const policy_member members[] = {{"weight", read_weight},
                                            {"half_depth_usd", read_half},
                                            {"full_depth_usd", read_full},
                                            {NULL, NULL}};

    return policy_read_map(r, node, at, members, &((policy_asset *)into)->rules);
}

static int32_t read_blend(policy_reader *r, const yaml_node *node, const char *at, void *into)
{
    return policy_read_word(r, node, at, confidence_blend_name, &((hedge_rules *)into)->blend);
}

static int32_t read_freshness(policy_reader *r, const yaml_node *node, const char *at, void *into)
{
    return policy_read_word(r, node, at, confidence_freshness_name,
                            &((hedge_rules *)into)->freshness);
}

static int32_t read_confidence(policy_reader *r, const yaml_node *node, const char *at, void *into)
{
    static const policy_member members[] = {
        {"blend", read_blend}, {"freshness", read_freshness}, {NULL, NULL}};

    return policy_read_map(r, node, at, members, &((policy_asset *)into)->rules);
}

static int32_t read_limits(policy_reader *r, const yaml_node *node, const char *at, void *into)
{
    return policy_read_limits(r, node, at, &((policy_asset *)into)->rules);
}

/* `assets:` waits until everything that assets inherit has been read. */
static int32_t read_later(policy_reader *r, const yaml_node *node, const char *at, void *into)
{
    (void)r, (void)node, (void)at, (void)into;
    return HEDGE_OK;
}

#define SECTIONS                                                                                   \
    {"curve", policy_read_curve}, {"max_hedge_pct", read_max_hedge},                               \
        {"liquidity", read_liquidity}, {"confidence", read_confidence},                            \
    {                                                                                              \
        "limits", read_limits                                                                      \
    }

static void apply_overrides(const policy_reader *r, policy_asset *asset)
{
    const hedge_policy_overrides *o = r->overrides;

    if (o == NULL) return;
    if (o->set & HEDGE_SET_MAX_HEDGE_PCT) asset->rules.max_hedge_pct = o->max_hedge_pct + 0.0;
    if (o->set & HEDGE_SET_STALE_SCORE)
        asset->rules.limits[HEDGE_BREAKER(HEDGE_TRIP_STALE_SCORE)].limit = o->stale_score_ms;
}

static int32_t read_asset(policy_reader *r, const yaml_node *node, const char *at,
                          policy_asset *asset)
{
    static const policy_member members[] = {SECTIONS, {NULL, NULL}};
    const yaml_node place = {.line = node->key_line};
    int32_t code;

    if (!policy_name_ok(node->key))
        return policy_fail(r, HEDGE_E_POLICY, &place, "assets", node->key,
                           "an asset's name is 1 to 31 of A-Z a-z 0-9 . _ -");
    *asset = r->policy->base;
    strcpy(asset->name, node->key); /* fits: checked above */
    if (yaml_node_is_null(node)) return HEDGE_OK;
    code = policy_read_map(r, node, at, members, asset);
    if (code == HEDGE_OK) apply_overrides(r, asset);
    return code;
}

static int32_t read_assets(policy_reader *r, const yaml_node *node)
{
    hedge_policy *policy = r->policy;

    if (node->kind != YAML_KIND_MAP || node->count == 0)
        return policy_fail(r, HEDGE_E_POLICY, node, "assets", "",
                           "a mapping of names is wanted here, as in {BTC: {}, ETH: {}}");
    if (node->count > HEDGE_ASSETS_MAX)
        return policy_fail(r, HEDGE_E_TOO_LARGE, node, "assets", "", "more than %d assets",
                           HEDGE_ASSETS_MAX);
    policy->assets = calloc(node->count, sizeof(policy->assets[0]));
    if (policy->assets == NULL) return policy_no_memory(r);
    for (const yaml_node *child = node->child; child != NULL; child = child->next) {
        char field[POLICY_FIELD_MAX];
        int32_t code;

        policy_join(field, "assets", child->key);
        code = read_asset(r, child, field, &policy->assets[policy->asset_count]);
        if (code != HEDGE_OK) return code;
        policy->asset_count++;
    }
    return HEDGE_OK;
}

static int32_t default_assets(const policy_reader *r)
{
    static const char *const names[] = {"BTC", "ETH", "LTC", "XRP"};
    hedge_policy *policy = r->policy;

    policy->assets = calloc(4, sizeof(policy->assets[0]));
    if (policy->assets == NULL) return policy_no_memory(r);
    for (policy->asset_count = 0; policy->asset_count < 4; policy->asset_count++) {
        policy_asset *asset = &policy->assets[policy->asset_count];

        *asset = policy->base;
        strcpy(asset->name, names[policy->asset_count]);
    }
    return HEDGE_OK;
}

/* A bare list is the knots of a policy with every default. */
static int32_t read_root(policy_reader *r, const yaml_node *root)
{
    static const policy_member members[] = {SECTIONS, {"assets", read_later}, {NULL, NULL}};
    policy_asset *base = &r->policy->base;
    const yaml_node *assets = NULL;
    int32_t code;

    if (root->kind == YAML_KIND_LIST) {
        code = policy_read_knots(r, root, "", HEDGE_METHOD_PCHIP, NULL, &base->curve);
    } else if (root->kind == YAML_KIND_MAP) {
        code = policy_read_map(r, root, "", members, base);
        assets = yaml_node_get(root, "assets");
        if (code == HEDGE_OK && base->curve == NULL)
            return policy_fail(r, HEDGE_E_POLICY, root, "curve", "",
                               "missing: a policy has a curve");
    } else {
        return policy_fail(r, HEDGE_E_POLICY, root, "", "",
                           "a policy is a mapping, or a list of knots");
    }
    if (code != HEDGE_OK) return code;
    apply_overrides(r, base);
    return assets != NULL ? read_assets(r, assets) : default_assets(r);
}

/* ---- entry points -------------------------------------------------------- */

static int32_t check_overrides(const hedge_policy_overrides *o, hedge_error *error)
{
    const limits_entry *stale = &limits_table[HEDGE_BREAKER(HEDGE_TRIP_STALE_SCORE)];
    const error_place nowhere = {.index = -1};

    if (o == NULL) return HEDGE_OK;
    if (o->set & ~(HEDGE_SET_KNOTS | HEDGE_SET_MAX_HEDGE_PCT | HEDGE_SET_STALE_SCORE))
        return error_set(error, HEDGE_E_ARG, nowhere, "overrides: unknown bits in set");
    if ((o->set & HEDGE_SET_KNOTS) && o->knots_path == NULL)
        return error_set(error, HEDGE_E_ARG, nowhere, "overrides: knots_path is null");
    if ((o->set & HEDGE_SET_MAX_HEDGE_PCT) && !(o->max_hedge_pct >= 0.0 && o->max_hedge_pct <= 1.0))
        return error_set(error, HEDGE_E_POLICY,
                         (error_place){.field = "max_hedge_pct", .index = -1},
                         "must be a number from 0 to 1 (the override is %g)", o->max_hedge_pct);
    if ((o->set & HEDGE_SET_STALE_SCORE) &&
        !(o->stale_score_ms > stale->least && o->stale_score_ms <= stale->most))
        return error_set(
            error, HEDGE_E_POLICY, (error_place){.field = "limits.stale_score_ms", .index = -1},
            "must be above 0 and at most a day (the override is %g ms)", o->stale_score_ms);
    return HEDGE_OK;
}

static int32_t read_policy(policy_reader *r, const char *text, size_t n)
{
    const hedge_policy_overrides *o = r->overrides;
    yaml_tree *tree;
    int32_t code;

    if (o != NULL && (o->set & HEDGE_SET_KNOTS)) {
        code = policy_read_knots_file(r, o->knots_path, HEDGE_METHOD_PCHIP, &r->forced_knots);
        if (code != HEDGE_OK) return code;
    }
    code = yaml_tree_read(r->file, text, n, r->error, &tree);
    if (code != HEDGE_OK) return code;
    code = read_root(r, yaml_tree_root(tree));
    yaml_tree_free(tree);
    if (code == HEDGE_OK && !policy_finish(r->policy)) return policy_no_memory(r);
    if (code == HEDGE_OK && r->policy->text_size > HEDGE_POLICY_FILE_MAX)
        return policy_fail(r, HEDGE_E_TOO_LARGE, NULL, "", "",
                           "written out in full the policy is larger than 1 MiB");
    return code;
}

/* Numbers are read and written with a decimal point, whatever the process's
 * locale says; only this thread is switched, and only for the while. */
static int32_t read_in_c_locale(policy_reader *r, const char *text, size_t n, hedge_policy **out)
{
    const locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before;
    int32_t code;

    if (plain == (locale_t)0) return policy_no_memory(r);
    before = uselocale(plain);
    r->policy = policy_new();
    if (r->policy == NULL)
        code = policy_no_memory(r);
    else if (r->folder != NULL && !policy_add_file(r->policy, r->file))
        code = policy_no_memory(r);
    else
        code = read_policy(r, text, n);
    uselocale(before);
    freelocale(plain);
    if (code == HEDGE_OK)
        *out = r->policy;
    else
        hedge_policy_free(r->policy);
    return code;
}

int32_t hedge_policy_load_with(const char *path, const hedge_policy_overrides *overrides,
                               hedge_error *error, hedge_policy **out)
{
    policy_reader r = {.file = path, .error = error};
    hedge_policy_overrides o;
    char *text, *folder, *slash;
    size_t n;
    int32_t code;

    if (out != NULL) *out = NULL;
    if (path == NULL || out == NULL)
        return error_set(error, HEDGE_E_ARG, (error_place){.index = -1}, "path or out is null");
    if (overrides != NULL) {
        if (!struct_size_ok(overrides, OLDEST_OVERRIDES, sizeof(o)))
            return error_set(error, HEDGE_E_STRUCT_SIZE, (error_place){.index = -1},
                             "overrides: struct_size");
        struct_size_copy(&o, overrides, sizeof(o));
        r.overrides = &o;
    }
    code = check_overrides(r.overrides, error);
    if (code != HEDGE_OK) return code;
    code = policy_read_file(path, error, &text, &n);
    if (code != HEDGE_OK) return code;
    folder = strdup(path);
    if (folder == NULL) {
        free(text);
        return policy_no_memory(&r);
    }
    slash = strrchr(folder, '/');
    if (slash != NULL)
        slash[1] = '\0';
    else
        folder[0] = '\0';
    r.folder = folder;
    code = read_in_c_locale(&r, text, n, out);
    free(folder);
    free(text);
    return code;
}

int32_t hedge_policy_load(const char *path, hedge_error *error, hedge_policy **out)
{
    return hedge_policy_load_with(path, NULL, error, out);
}

int32_t hedge_policy_parse(const char *text, size_t n, hedge_error *error, hedge_policy **out)
{
    policy_reader r = {.error = error};

    if (out != NULL) *out = NULL;
    if (text == NULL || out == NULL)
        return error_set(error, HEDGE_E_ARG, (error_place){.index = -1}, "text or out is null");
    if (n > HEDGE_POLICY_FILE_MAX)
        return error_set(error, HEDGE_E_TOO_LARGE, (error_place){.index = -1}, "larger than 1 MiB");
    return read_in_c_locale(&r, text, n, out);
}
