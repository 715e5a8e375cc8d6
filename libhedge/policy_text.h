/* SPDX-License-Identifier: MIT
 * policy_text: the one canonical text of a policy, which is what gets hashed. */
#ifndef HEDGE_POLICY_TEXT_H
#define HEDGE_POLICY_TEXT_H

#include "policy.h"

/* Writes the canonical text; malloc'ed. NULL: no memory. */
char *policy_text_write(const hedge_policy *policy, size_t *n);

#endif
