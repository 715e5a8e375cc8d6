/* SPDX-License-Identifier: MIT
 * policy_limits: reads the breakers' settings of a policy. */
#ifndef HEDGE_POLICY_LIMITS_H
#define HEDGE_POLICY_LIMITS_H

#include "policy_reader.h"

/* Reads `limits:` into rules (a hedge_rules *), on top of what they inherit. */
int32_t policy_read_limits(policy_reader *r, const yaml_node *node, const char *at, void *rules);

#endif
