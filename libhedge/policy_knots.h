/* SPDX-License-Identifier: MIT
 * policy_knots: reads the curve of a policy and its knots. */
#ifndef HEDGE_POLICY_KNOTS_H
#define HEDGE_POLICY_KNOTS_H

#include "policy_reader.h"

/* Reads `curve:` into asset->curve, completing what it leaves out from the
 * curve that is there already. into: policy_asset *. */
int32_t policy_read_curve(policy_reader *r, const yaml_node *node, const char *at, void *into);

/* Builds a curve from a list of knots, owned by the policy; node NULL: from
 * the knots of `old`. */
int32_t policy_read_knots(policy_reader *r, const yaml_node *node, const char *at, int32_t method,
                          const hedge_curve *old, const hedge_curve **out);

/* The same from a file that is only such a list. */
int32_t policy_read_knots_file(policy_reader *r, const char *path, int32_t method,
                               const hedge_curve **out);

#endif
