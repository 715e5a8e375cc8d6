/* SPDX-License-Identifier: MIT
 * decision: one hedge out of a policy, a request and a quote. */
#ifndef HEDGE_DECISION_H
#define HEDGE_DECISION_H

#include <hedge/hedge.h>

/* hedge_size for structs of this library's own size, none of them null. */
int32_t decision_make(const hedge_policy *policy, const hedge_request *request,
                      const hedge_quote *quote, int64_t now_ns, hedge_decision *out);

#endif
