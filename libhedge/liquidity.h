/* SPDX-License-Identifier: MIT
 * liquidity: how far the order book carries a score. */
#ifndef HEDGE_LIQUIDITY_H
#define HEDGE_LIQUIDITY_H

#include <hedge/hedge.h>

/* log1p(depth) for a finite depth >= 0, from the depth cut to 32 significant
 * bits: never decreasing, and the same bits everywhere. */
double liquidity_log1p(double depth1pct_usd);

/* hedge_liquidity_weight for arguments known to be good; full_log is
 * liquidity_log1p(full_depth_usd), computed once a policy. */
double liquidity_ratio(double half_depth_usd, double depth1pct_usd);
double liquidity_log(double full_log, double depth1pct_usd);

/* "ratio", "log"; NULL: unknown. */
const char *liquidity_weight_name(int32_t weight);

#endif
