/* SPDX-License-Identifier: MIT
 * inputs: what the corpus is asked. */
#include "inputs.h"

#include <string.h>

/* splitmix64: S. Vigna, public domain. */
uint64_t prng_next(prng *r)
{
    uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t prng_below(prng *r, uint64_t n)
{
    return prng_next(r) % n;
}

static int one_in(prng *r, uint64_t n)
{
    return prng_below(r, n) == 0;
}

double input_from_bits(uint64_t bits)
{
    double v;

    memcpy(&v, &bits, sizeof(v));
    return v;
}

static uint64_t bits_of(double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

double input_unit(prng *r)
{
    return (double)(prng_next(r) >> 11) * 0x1p-53;
}

/* By their bits: a NaN that is written as a number need not keep its sign and payload. */
static const uint64_t odd_bits[] = {
    UINT64_C(0x0000000000000000), /* 0 */
    UINT64_C(0x8000000000000000), /* -0 */
    UINT64_C(0x0000000000000001), /* the smallest subnormal */
    UINT64_C(0x8000000000000001),
    UINT64_C(0x000fffffffffffff), /* the largest */
    UINT64_C(0x0010000000000000), /* the smallest normal */
    UINT64_C(0x3ff0000000000000), /* 1 */
    UINT64_C(0x3fefffffffffffff), /* just below 1 */
    UINT64_C(0x3ff0000000000001), /* just above */
    UINT64_C(0xbff0000000000000), /* -1 */
    UINT64_C(0x3e10000000000000), /* 2^-30, a step of the score grid */
    UINT64_C(0x3e00000000000000), /* half of one: a tie */
    UINT64_C(0x3e00000000000001),
    UINT64_C(0x4150000000000000), /* 2^22, where the grid would grow coarser */
    UINT64_C(0x7fefffffffffffff), /* the largest double */
    UINT64_C(0xffefffffffffffff),
    UINT64_C(0x7ff0000000000000), /* infinities */
    UINT64_C(0xfff0000000000000),
    UINT64_C(0x7ff8000000000000), /* quiet NaN */
    UINT64_C(0xfff8000000000000),
    UINT64_C(0x7ff8000000000123), /* with a payload */
    UINT64_C(0xfff800000badcafe),
    UINT64_C(0x7ff0000000000001), /* signalling */
    UINT64_C(0xfff7ffffffffffff),
};

double input_odd(prng *r)
{
    if (one_in(r, 4)) return input_from_bits(prng_next(r));
    return input_from_bits(odd_bits[prng_below(r, COUNT(odd_bits))]);
}

/* A few steps of the last bit around a knot; 0 has no neighbour below. */
static double near_knot(prng *r, const hedge_curve *curve)
{
    double score = 0.5, hedge;
    const size_t n = hedge_curve_knot_count(curve);
    const uint64_t ulps = prng_below(r, 7);

    if (n == 0 || hedge_curve_knot(curve, prng_below(r, n), &score, &hedge) != HEDGE_OK) return 0.5;
    if (one_in(r, 2)) return score + ((double)ulps - 3.0) * 0x1p-31;
    return score > 0.0 ? input_from_bits(bits_of(score) + ulps - 3) : score;
}

double input_score(prng *r, const hedge_curve *curve)
{
    switch (prng_below(r, 8)) {
    case 0:
    case 1:
        return input_unit(r);
    case 2:
        return (double)prng_below(r, (UINT64_C(1) << 30) + 1) * HEDGE_SCORE_STEP;
    case 3: /* a tie between two points of the grid */
        return ((double)prng_below(r, UINT64_C(1) << 30) + 0.5) * HEDGE_SCORE_STEP;
    case 4:
        return (double)prng_below(r, 10001) / 10000.0;
    case 5:
        return input_odd(r);
    case 6: /* small, on a scale of its own */
        return input_from_bits((prng_next(r) >> 12) | (1023 - prng_below(r, 60)) << 52);
    default:
        return near_knot(r, curve);
    }
}

double input_usd(prng *r)
{
    const uint64_t fraction = prng_next(r) >> 12;

    if (one_in(r, 64)) return 0.0;
    if (one_in(r, 4)) return (double)prng_below(r, 100000001) / 100.0; /* dollars and cents */
    return input_from_bits(fraction | (963 + prng_below(r, 121)) << 52);
}

/* ---- one decision --------------------------------------------------------- */

/* How long ago, in ns: fresh, stale, from the future. */
static int64_t age(prng *r)
{
    switch (prng_below(r, 24)) {
    case 0:
        return -(int64_t)prng_below(r, 400000000);
    case 1:
        return (int64_t)prng_below(r, UINT64_C(20000000000));
    case 2:
        return 0;
    default:
        return (int64_t)prng_below(r, 2500000000);
    }
}

static int64_t time_at(prng *r, int64_t now_ns)
{
    static const int64_t odd[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};

    if (one_in(r, 150)) return odd[prng_below(r, COUNT(odd))];
    if (one_in(r, 300)) return (int64_t)(prng_next(r) >> 1);
    return now_ns - age(r);
}

/* A depth that mostly passes min_depth_usd: 2^13 to 2^28. */
static double depth(prng *r)
{
    if (one_in(r, 30)) return input_usd(r);
    return input_from_bits((prng_next(r) >> 12) | (1036 + prng_below(r, 16)) << 52);
}

static double mostly_unit(prng *r, uint64_t odd_in)
{
    return one_in(r, odd_in) ? input_odd(r) : input_unit(r);
}

static void make_request(prng *r, const hedge_policy *policy, hedge_request *request)
{
    const int32_t assets = (int32_t)hedge_policy_asset_count(policy);

    request->asset = (int32_t)prng_below(r, (uint64_t)assets);
    if (one_in(r, 100)) request->asset = one_in(r, 2) ? -1 - request->asset : assets;
    request->amount_usd = (double)prng_below(r, UINT64_C(2000000000)) / 64.0;
    if (one_in(r, 10)) request->amount_usd = input_usd(r);
    if (one_in(r, 40)) request->amount_usd = input_odd(r);
    request->override_score = mostly_unit(r, 20);
    if (one_in(r, 10)) request->flags = HEDGE_REQUEST_OVERRIDE;
}

static void make_quote(prng *r, const hedge_policy *policy, const input_case *c, hedge_quote *quote)
{
    const hedge_curve *curve = hedge_policy_curve(policy, c->request.asset);

    quote->flags = HEDGE_QUOTE_SCORE | HEDGE_QUOTE_DEPTH;
    if (one_in(r, 2)) quote->flags |= HEDGE_QUOTE_PREVIOUS;
    if (one_in(r, 40)) quote->flags = (uint32_t)prng_below(r, 16);
    quote->score = one_in(r, 4) ? input_score(r, curve) : input_unit(r);
    quote->previous_score = one_in(r, 30) ? input_odd(r) : quote->score;
    if (one_in(r, 3)) quote->previous_score = input_unit(r);
    quote->confidence = mostly_unit(r, 40);
    quote->depth1pct_usd = one_in(r, 50) ? input_odd(r) : depth(r);
    quote->score_ts_ns = time_at(r, c->now_ns);
    quote->depth_ts_ns = time_at(r, c->now_ns);
}

void input_make(uint64_t i, const hedge_policy *policy, input_case *out)
{
    prng r = {i * UINT64_C(0xd1342543de82ef95) + 20260101};

    *out = (input_case){.request = HEDGE_INIT(hedge_request), .quote = HEDGE_INIT(hedge_quote)};
    out->now_ns = INT64_C(1767225600000000000) + (int64_t)(prng_next(&r) >> 12);
    if (one_in(&r, 500)) out->now_ns = (int64_t)prng_next(&r);
    make_request(&r, policy, &out->request);
    make_quote(&r, policy, out, &out->quote);
}
