/* SPDX-License-Identifier: MIT
 * confidence: how sure an answer is. */
#include "confidence.h"

#include <math.h>

static int in_unit(double v)
{
    return v >= 0.0 && v <= 1.0;
}

double hedge_blend(int32_t rule, double model_confidence, double liquidity_quality)
{
    const double a = model_confidence, b = liquidity_quality;

    if (!in_unit(a) || !in_unit(b)) return (double)NAN;
    switch (rule) {
    case HEDGE_BLEND_MIN:
        return a < b ? a : b;
    case HEDGE_BLEND_HARMONIC:
        /* 2 / (1/a + 1/b) in the form that holds at 0 and cannot pass the larger. */
        return a + b > 0.0 ? fmin(2.0 * (a / (a + b)) * b, fmax(a, b)) : 0.0;
    case HEDGE_BLEND_GEOMETRIC:
        return fmin(sqrt(a * b), fmax(a, b)); /* a * b may underflow upwards */
    case HEDGE_BLEND_PRODUCT:
        return a * b;
    default:
        return (double)NAN;
    }
}

double confidence_freshness(int32_t freshness, int64_t age_ns, int64_t limit_ns)
{
    if (freshness == HEDGE_FRESHNESS_NONE || age_ns <= 0) return 1.0;
    if (age_ns >= limit_ns) return 0.0;
    return 1.0 - (double)age_ns / (double)limit_ns;
}

const char *confidence_blend_name(int32_t blend)
{
    static const char *const names[] = {"min", "harmonic", "geometric", "product"};

    return blend >= 0 && blend <= HEDGE_BLEND_PRODUCT ? names[blend] : NULL;
}

const char *confidence_freshness_name(int32_t freshness)
{
    static const char *const names[] = {"none", "linear"};

    return freshness >= 0 && freshness <= HEDGE_FRESHNESS_LINEAR ? names[freshness] : NULL;
}
