/* SPDX-License-Identifier: MIT
 * liquidity: how far the order book carries a score. */
#include "liquidity.h"

#include <math.h>
#include <string.h>

/* depth / (depth + half) as 1 / (1 + half / depth): each of the three
 * operations is correctly rounded and monotone, so the whole is monotone to
 * the last bit, which the textbook form is not. An empty book divides to
 * infinity and weighs 0. */
double liquidity_ratio(double half_depth_usd, double depth1pct_usd)
{
    return 1.0 / (1.0 + half_depth_usd / depth1pct_usd);
}

/* Keeps 32 significant bits, rounding down. Neighbours are then 2^-32 apart,
 * relatively: their logarithms differ by far more than log_of's error, so
 * rounding can never put them in the wrong order. */
static double cut(double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    bits &= ~((UINT64_C(1) << 21) - 1);
    memcpy(&v, &bits, sizeof(bits));
    return v;
}

/* Natural logarithm of v >= 1: v = m 2^k with m near 1, and
 * log m = 2 atanh(s), s = (m - 1) / (m + 1), |s| < 0.1716, by its series
 * (Abramowitz & Stegun 4.1.27). The last term kept is below 2^-55 of the
 * first. libm's log differs between processors; these operations do not. */
static double log_of(double v)
{
    static const double ln2_high = 0x1.62e42fefa3800p-1; /* 42 bits: k times it is exact */
    static const double ln2_low = 0x1.ef35793c76730p-45;
    int k;
    double m = frexp(v, &k); /* exact: takes the exponent apart */

    if (m < 0x1.6a09e667f3bcdp-1) { /* sqrt(1/2) */
        m *= 2.0;
        k -= 1;
    }
    const double s = (m - 1.0) / (m + 1.0);
    const double z = s * s;
    double tail = 1.0 / 21.0;

    for (int n = 19; n >= 3; n -= 2)
        tail = fma(tail, z, 1.0 / n);
    tail = 2.0 * s * z * tail;
    return fma(k, ln2_high, 2.0 * s + fma(k, ln2_low, tail));
}

double liquidity_log1p(double depth1pct_usd)
{
    const double depth = cut(depth1pct_usd);
    const double v = 1.0 + depth;

    if (depth1pct_usd < 0x1p-60) return depth1pct_usd; /* cutting would empty the smallest */

    /* 1 + depth rounds for small depths; the second term gives back what that
     * lost, to first order (d log v = dv / v). */
    return log_of(v) + (depth - (v - 1.0)) / v;
}

double liquidity_log(double full_log, double depth1pct_usd)
{
    const double weight = liquidity_log1p(depth1pct_usd) / full_log;

    return weight < 1.0 ? weight : 1.0;
}

double hedge_liquidity_weight(int32_t kind, double scale_usd, double depth1pct_usd)
{
    if (!(scale_usd > 0.0 && isfinite(scale_usd))) return (double)NAN;
    if (!(depth1pct_usd >= 0.0 && isfinite(depth1pct_usd))) return (double)NAN;
    switch (kind) {
    case HEDGE_WEIGHT_RATIO:
        return liquidity_ratio(scale_usd, depth1pct_usd + 0.0); /* -0 becomes 0 */
    case HEDGE_WEIGHT_LOG:
        return liquidity_log(liquidity_log1p(scale_usd), depth1pct_usd + 0.0);
    default:
        return (double)NAN;
    }
}

const char *liquidity_weight_name(int32_t weight)
{
    static const char *const names[] = {"ratio", "log"};

    return weight >= 0 && weight <= HEDGE_WEIGHT_LOG ? names[weight] : NULL;
}
