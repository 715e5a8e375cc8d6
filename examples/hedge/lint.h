/* SPDX-License-Identifier: MIT
 * lint.h: what a valid policy says, and what about it deserves a second look. */
#ifndef HEDGE_CLI_LINT_H
#define HEDGE_CLI_LINT_H

#include <hedge/hedge.h>
#include <stdbool.h>
#include <stddef.h>

#include "asset_group.h"

/* One breaker that a policy can set. */
typedef struct limit_name {
    int32_t trip;
    const char *field; /* as in the policy's `limits` */
} limit_name;

enum { LIMIT_NAME_COUNT = 8 };
extern const limit_name limit_names[LIMIT_NAME_COUNT];

const char *action_name(int32_t action);
const char *weight_name(int32_t weight);
const char *blend_name(int32_t blend);
const char *freshness_name(int32_t freshness);

typedef struct warning {
    char field[48];
    char message[208];
    bool groups[HEDGE_ASSETS_MAX]; /* by a group's first asset: whom it holds for */
} warning;

typedef struct warning_list {
    warning *items;
    size_t n;
    size_t lost; /* found, but there was no memory to keep them */
} warning_list;

/* Looks at each group of like assets once; what holds for several is said once.
 * Free with warnings_free. */
void warnings_find(const hedge_policy *policy, const asset_groups *groups, warning_list *list);
void warnings_free(warning_list *list);

#endif
