/* SPDX-License-Identifier: MIT
 * policies: the policies and curves that the corpus decides by. */
#ifndef HEDGE_TESTS_POLICIES_H
#define HEDGE_TESTS_POLICIES_H

#include <hedge/hedge.h>

#define POLICIES 4u
#define CURVES 9u

/* Policy i as YAML: 0 is the default, the others name an asset for every method, weight, blend and
 * freshness, under limits that pass, that flag and floor, that reject. Freed by the caller; NULL:
 * no memory. */
char *policies_text(size_t i);

/* Curves that no decimal of a policy would give: knots by their bits, up to 4,096 of them. */
int32_t policies_curve(size_t i, hedge_curve **out);

#endif
