/* SPDX-License-Identifier: MIT
 * yaml_tree: one YAML document as a tree of nodes that know their lines. */
#ifndef HEDGE_YAML_TREE_H
#define HEDGE_YAML_TREE_H

#include <hedge/hedge.h>

#include <stdbool.h>

typedef enum yaml_kind { YAML_KIND_SCALAR, YAML_KIND_LIST, YAML_KIND_MAP } yaml_kind;

typedef struct yaml_node {
    yaml_kind kind;
    int32_t line;
    bool quoted;     /* a scalar in quotes or a block: never a number */
    const char *key; /* under a map: this member's name, otherwise NULL */
    int32_t key_line;
    const char *text; /* a scalar's value, no NUL inside */
    struct yaml_node *child, *last, *next;
    size_t count; /* children */
} yaml_node;

typedef struct yaml_tree yaml_tree;

/* Reads exactly one document from n bytes. Refuses anchors, aliases, tags,
 * keys that are not plain words, repeated keys, a second document, nesting
 * beyond HEDGE_POLICY_DEPTH_MAX and more than 200,000 nodes: libyaml itself
 * would take hours over a file of brackets and load a repeated key silently.
 * file is for the error alone. HEDGE_OK, HEDGE_E_SYNTAX, HEDGE_E_POLICY,
 * HEDGE_E_TOO_LARGE, HEDGE_E_NOMEM. */
int32_t yaml_tree_read(const char *file, const char *text, size_t n, hedge_error *error,
                       yaml_tree **out);
const yaml_node *yaml_tree_root(const yaml_tree *tree);
void yaml_tree_free(yaml_tree *tree);

/* The member of that name, NULL if there is none. */
const yaml_node *yaml_node_get(const yaml_node *map, const char *key);
/* True for nothing at all, `~` or `null`. */
bool yaml_node_is_null(const yaml_node *node);

#endif
