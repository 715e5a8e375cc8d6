/* SPDX-License-Identifier: MIT
 * policy_file.h: finds the policy a command works on, loads it and picks one of its assets. */
#ifndef HEDGE_CLI_POLICY_FILE_H
#define HEDGE_CLI_POLICY_FILE_H

#include <hedge/hedge.h>
#include <limits.h>
#include <stdbool.h>

#include "command.h"

/* Where the policy is: `given` if not NULL, else $HEDGE_POLICY if set, else
 * the first that exists of configs/policy.yaml and the installed one. False
 * when none exists; every place that was tried is then named on stderr. */
bool policy_file_find(const command *self, const char *given, char path[PATH_MAX]);

/* Finds and loads it. NULL: the fault is on stderr and *result is the exit code. */
hedge_policy *policy_file_load(const command *self, const char *given, int *result);

/* The exit code for a failed load. */
int policy_error_result(const hedge_error *error);
/* "file:line: field: message", as far as each is known. */
void policy_error_write(const hedge_error *error, char *text, size_t capacity);
/* The same on stderr. */
void policy_error_print(const hedge_error *error);

/* The index of the named asset. Without a name: the first one, if every asset
 * has the same curve. Negative: the fault is on stderr. */
int32_t policy_file_asset(const command *self, const hedge_policy *policy, const char *name);

#endif
