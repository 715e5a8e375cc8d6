/* SPDX-License-Identifier: MIT
 * confidence: how sure an answer is. */
#ifndef HEDGE_CONFIDENCE_H
#define HEDGE_CONFIDENCE_H

#include <hedge/hedge.h>

/* How fresh something of this age is: 1 at 0 and before, falling to 0 at the
 * limit; always 1 under HEDGE_FRESHNESS_NONE. */
double confidence_freshness(int32_t freshness, int64_t age_ns, int64_t limit_ns);

/* "min", "harmonic", "geometric", "product"; NULL: unknown. */
const char *confidence_blend_name(int32_t blend);
/* "none", "linear"; NULL: unknown. */
const char *confidence_freshness_name(int32_t freshness);

#endif
