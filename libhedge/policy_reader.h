/* SPDX-License-Identifier: MIT
 * policy_reader: reads the pieces that a policy's YAML is made of. */
#ifndef HEDGE_POLICY_READER_H
#define HEDGE_POLICY_READER_H

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

#define POLICY_FIELD_MAX 96 /* as hedge_error.field */

/* Writes "at.key", either of which may be empty; an index "[i]" takes no dot. */
void policy_join(char out[POLICY_FIELD_MAX], const char *at, const char *key);

int32_t policy_no_memory(const policy_reader *r);

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

/* Reads a whole file of at most HEDGE_POLICY_FILE_MAX bytes; malloc'ed. */
int32_t policy_read_file(const char *path, hedge_error *error, char **text, size_t *n);

#endif
