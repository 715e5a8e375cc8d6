/* SPDX-License-Identifier: MIT
 * confidence: how sure an answer is. */
#ifndef HEDGE_CONFIDENCE_H
#define HEDGE_CONFIDENCE_H

#include <hedge/hedge.h>

/* How fresh something of this age is: 1 at 0 and before, falling to 0 at the
 * limit; always 1 under HEDGE_FRESHNESS_NONE. */
double confidence_freshness(int32_t freshness, int64_t age_ns, int64_t limit_ns);

#endif
