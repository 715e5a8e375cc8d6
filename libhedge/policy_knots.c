/* SPDX-License-Identifier: MIT
 * policy_knots: reads the curve of a policy and its knots. */
#include "policy_knots.h"

#include "struct_size.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The knots of one list, with the line that each stands on. */
typedef struct knots {
    double *score, *hedge;
    int32_t *line;
    size_t n;
} knots;

typedef struct knot {
    double score, hedge;
    bool has_score, has_hedge;
} knot;

static int32_t read_knot_score(policy_reader *r, const yaml_node *node, const char *at, void *into)
{
    ((knot *)into)->has_score = true;
    return policy_read_number(r, node, at, 0.0, 1.0, false, &((knot *)into)->score);
}

static int32_t read_knot_hedge(policy_reader *r, const yaml_node *node, const char *at, void *into)
{
    ((knot *)into)->has_hedge = true;
    return policy_read_number(r, node, at, 0.0, 1.0, false, &((knot *)into)->hedge);
}

/* {score: s, hedge: h} or [s, h]. */
static int32_t read_knot(policy_reader *r, const yaml_node *node, const char *at, knot *out)
{
    static const policy_member members[] = {
        {"score", read_knot_score}, {"hedge", read_knot_hedge}, {NULL, NULL}};
    int32_t code;

    *out = (knot){0};
    if (node->kind == YAML_KIND_LIST && node->count == 2) {
        code = read_knot_score(r, node->child, at, out);
        return code == HEDGE_OK ? read_knot_hedge(r, node->child->next, at, out) : code;
    }
    if (node->kind != YAML_KIND_MAP)
        return policy_fail(r, HEDGE_E_POLICY, node, at, "",
                           "a knot is [score, hedge] or {score: s, hedge: h}");
    code = policy_read_map(r, node, at, members, out);
    if (code == HEDGE_OK && !(out->has_score && out->has_hedge))
        return policy_fail(r, HEDGE_E_POLICY, node, at, out->has_score ? "hedge" : "score",
                           "missing: a knot has a score and a hedge");
    return code;
}

static void knots_free(knots *k)
{
    free(k->score);
    free(k->line);
}

static bool knots_alloc(knots *k, size_t n)
{
    k->score = malloc(2 * n * sizeof(double));
    k->line = malloc(n * sizeof(int32_t));
    k->hedge = k->score != NULL ? k->score + n : NULL;
    k->n = n;
    if (k->score != NULL && k->line != NULL) return true;
    knots_free(k);
    return false;
}

/* Builds a curve and, should the knots be bad, says on which line. */
static int32_t build(policy_reader *r, const knots *k, const yaml_node *node, const char *at,
                     int32_t method, const hedge_curve **out)
{
    hedge_error detail = HEDGE_INIT(hedge_error);
    hedge_curve *curve;
    int32_t code = hedge_curve_new(method, k->score, k->hedge, k->n, &detail, &curve);

    if (code != HEDGE_OK) {
        yaml_node place = {.line = node != NULL ? node->line : 0};

        if (detail.index >= 0 && k->line != NULL) place.line = k->line[detail.index];
        code = policy_fail(r, code, &place, at, detail.index >= 0 ? strchr(detail.field, '[') : "",
                           "%s", detail.message);
        if (r->error != NULL && struct_size_room(r->error->struct_size, OLDEST_ERROR))
            r->error->index = detail.index;
        return code;
    }
    *out = policy_own_curve(r->policy, curve);
    if (*out == NULL) return policy_no_memory(r);
    if (r->policy->knot_count > POLICY_KNOTS_MAX)
        return policy_fail(r, HEDGE_E_TOO_LARGE, node, at, "", "more than %d knots in one policy",
                           POLICY_KNOTS_MAX);
    return HEDGE_OK;
}

/* The same knots under another method. */
static int32_t rebuild(policy_reader *r, const hedge_curve *from, int32_t method,
                       const hedge_curve **out)
{
    knots k;
    int32_t code;

    if (hedge_curve_method(from) == method) {
        *out = from;
        return HEDGE_OK;
    }
    if (!knots_alloc(&k, hedge_curve_knot_count(from))) return policy_no_memory(r);
    for (size_t i = 0; i < k.n; i++) {
        hedge_curve_knot(from, i, &k.score[i], &k.hedge[i]);
        k.line[i] = 0;
    }
    code = build(r, &k, NULL, "curve", method, out);
    knots_free(&k);
    return code;
}

static int32_t fill(policy_reader *r, const yaml_node *node, const char *at, knots *k)
{
    unsigned i = 0;

    for (const yaml_node *child = node->child; child != NULL; child = child->next, i++) {
        char field[POLICY_FIELD_MAX];
        knot one;
        int32_t code;

        snprintf(field, sizeof(field), "%.64s[%u]", at, i);
        code = read_knot(r, child, field, &one);
        if (code != HEDGE_OK) return code;
        k->score[i] = one.score;
        k->hedge[i] = one.hedge;
        k->line[i] = child->line;
    }
    return HEDGE_OK;
}

int32_t policy_read_knots(policy_reader *r, const yaml_node *node, const char *at, int32_t method,
                          const hedge_curve *old, const hedge_curve **out)
{
    const char *field = at[0] != '\0' ? at : "knots";
    knots k;
    int32_t code;

    if (node == NULL) return rebuild(r, old, method, out);
    if (node->kind != YAML_KIND_LIST || node->count == 0)
        return policy_fail(r, HEDGE_E_POLICY, node, field, "",
                           "a list of knots is wanted here, as in [[0, .05], [1, 1]]");
    if (!knots_alloc(&k, node->count)) return policy_no_memory(r);
    code = fill(r, node, field, &k);
    if (code == HEDGE_OK) code = build(r, &k, node, field, method, out);
    knots_free(&k);
    if (code == HEDGE_OK && r->forced_knots != NULL)
        return rebuild(r, r->forced_knots, method, out);
    return code;
}

int32_t policy_read_knots_file(policy_reader *r, const char *path, int32_t method,
                               const hedge_curve **out)
{
    policy_reader inner = *r;
    yaml_tree *tree;
    char *text;
    size_t n;
    int32_t code = policy_read_file(path, r->error, &text, &n);

    if (code != HEDGE_OK) return code;
    inner.file = path;
    code = yaml_tree_read(path, text, n, r->error, &tree);
    free(text);
    if (code != HEDGE_OK) return code;
    code = policy_read_knots(&inner, yaml_tree_root(tree), "", method, NULL, out);
    yaml_tree_free(tree);
    if (code == HEDGE_OK && !policy_add_file(r->policy, path)) return policy_no_memory(r);
    return code;
}

/* `knots: name.yaml`, looked for beside the policy. */
static int32_t read_named_file(policy_reader *r, const yaml_node *node, const char *at,
                               int32_t method, const hedge_curve **out)
{
    char path[4096];
    int n;

    if (r->folder == NULL)
        return policy_fail(r, HEDGE_E_POLICY, node, at, "",
                           "a file of knots cannot be named here: write the knots themselves");
    n = snprintf(path, sizeof(path), "%s%s", node->text[0] == '/' ? "" : r->folder, node->text);
    if (n < 0 || (size_t)n >= sizeof(path) || node->text[0] == '\0')
        return policy_fail(r, HEDGE_E_POLICY, node, at, "", "not the name of a file");
    return policy_read_knots_file(r, path, method, out);
}

/* What `curve:` holds; each is read when both have been seen. */
typedef struct curve_parts {
    const yaml_node *method, *knots;
} curve_parts;

static int32_t see_method(policy_reader *r, const yaml_node *node, const char *at, void *into)
{
    (void)r, (void)at;
    ((curve_parts *)into)->method = node;
    return HEDGE_OK;
}

static int32_t see_knots(policy_reader *r, const yaml_node *node, const char *at, void *into)
{
    (void)r, (void)at;
    ((curve_parts *)into)->knots = node;
    return HEDGE_OK;
}

int32_t policy_read_curve(policy_reader *r, const yaml_node *node, const char *at, void *into)
{
    static const policy_member members[] = {
        {"method", see_method}, {"knots", see_knots}, {NULL, NULL}};
    policy_asset *asset = into;
    int32_t method = asset->curve != NULL ? hedge_curve_method(asset->curve) : HEDGE_METHOD_PCHIP;
    curve_parts parts = {NULL, NULL};
    char field[POLICY_FIELD_MAX];
    int32_t code;

    if (node->kind != YAML_KIND_MAP)
        return policy_fail(
            r, HEDGE_E_POLICY, node, at, "",
            "a mapping is wanted here, as in {method: pchip, knots: [[0, .05], [1, 1]]}");
    code = policy_read_map(r, node, at, members, &parts);
    if (code != HEDGE_OK) return code;
    if (parts.method != NULL) {
        policy_join(field, at, "method");
        code = policy_read_word(r, parts.method, field, hedge_method_name, &method);
        if (code != HEDGE_OK) return code;
    }
    policy_join(field, at, "knots");
    if (parts.knots == NULL && asset->curve == NULL)
        return policy_fail(r, HEDGE_E_POLICY, node, field, "", "missing: a curve has knots");
    if (parts.knots != NULL && parts.knots->kind == YAML_KIND_SCALAR)
        return read_named_file(r, parts.knots, field, method, &asset->curve);
    return policy_read_knots(r, parts.knots, field, method, asset->curve, &asset->curve);
}
