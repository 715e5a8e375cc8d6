/* SPDX-License-Identifier: MIT
 * policy_yaml: reads a policy from YAML. */
#ifndef HEDGE_POLICY_YAML_H
#define HEDGE_POLICY_YAML_H

#include "policy.h"
#include "yaml_tree.h"

/* What one reading needs to know. */
typedef struct policy_reader {
    hedge_policy *policy;
    const char *file;   /* being read, for errors */
    const char *folder; /* where `knots:` files are looked for; NULL: not allowed */
    const hedge_policy_overrides *overrides; /* NULL: none */
    const hedge_curve *forced_knots;         /* replaces each curve's knots; NULL: none */
    hedge_error *error;
} policy_reader;

/* Fails with the place of a node: file, line, and field `at.key`. */
int32_t policy_fail(const policy_reader *r, int32_t code, const yaml_node *node, const char *at,
                    const char *key, const char *format, ...) __attribute__((format(printf, 6, 7)));

/* A number from `least` to `most` (above `least` only, if so asked). */
int32_t policy_read_number(const policy_reader *r, const yaml_node *node, const char *at,
                           double least, double most, bool above_least, double *out);

/* One word out of a table that ends with NULL. */
int32_t policy_read_word(const policy_reader *r, const yaml_node *node, const char *at,
                         const char *(*name)(int32_t), int32_t *out);

/* A member of a mapping and what reads it. */
typedef struct policy_member {
    const char *key;
    int32_t (*read)(policy_reader *r, const yaml_node *node, const char *at, void *into);
} policy_member;

/* Reads each member of a mapping by its entry in the table (which ends with a
 * NULL key); an unknown key is an error that lists the known ones. */
int32_t policy_read_map(policy_reader *r, const yaml_node *map, const char *at,
                        const policy_member *members, void *into);

/* Reads `limits:` into rules (a hedge_rules *). */
int32_t policy_read_limits(policy_reader *r, const yaml_node *node, const char *at, void *rules);

/* Reads `curve:` into asset->curve, completing what it leaves out from the
 * curve that is there already. into: policy_asset *. */
int32_t policy_read_curve(policy_reader *r, const yaml_node *node, const char *at, void *into);
/* Builds a curve from a list of knots. old may be NULL. */
int32_t policy_read_knots(policy_reader *r, const yaml_node *node, const char *at, int32_t method,
                          const hedge_curve *old, const hedge_curve **out);
/* The same from a file that is only such a list. */
int32_t policy_read_knots_file(policy_reader *r, const char *path, int32_t method,
                               const hedge_curve **out);

/* Reads a whole file of at most HEDGE_POLICY_FILE_MAX bytes; malloc'ed. */
int32_t policy_read_file(const char *path, hedge_error *error, char **text, size_t *n);

#endif
