/* SPDX-License-Identifier: MIT
 * policies: the policies and curves that the corpus decides by. */
#include "policies.h"

#include "inputs.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- text ------------------------------------------------------------------- */

typedef struct text {
    char *bytes;
    size_t n, capacity;
} text;

__attribute__((format(printf, 2, 3))) static void put(text *t, const char *format, ...)
{
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(t->bytes + t->n, t->capacity - t->n, format, arguments);
    va_end(arguments);
    if (n > 0) t->n += (size_t)n;
    if (t->n >= t->capacity) t->n = t->capacity - 1;
}

/* ---- knots, in units of 1e-9 -------------------------------------------------- */

#define ONE 1000000000u
#define GAP_MIN 1000u /* 1e-6 */

typedef struct units {
    uint32_t score[512], hedge[512];
    size_t n;
} units;

static void add(units *k, uint64_t score, uint64_t hedge)
{
    k->score[k->n] = (uint32_t)score;
    k->hedge[k->n++] = (uint32_t)hedge;
}

/* n knots anywhere; one in `flat` keeps the hedge of the one before. */
static void scattered(units *k, prng *r, size_t n, uint64_t flat)
{
    uint64_t score = prng_below(r, ONE / n), hedge = prng_below(r, ONE / n);

    for (size_t i = 0; i < n; i++) {
        add(k, score, hedge);
        score += GAP_MIN + prng_below(r, ONE / (n + 1) - GAP_MIN);
        if (prng_below(r, flat) != 0) hedge += prng_below(r, ONE / (n + 1));
    }
}

/* As close together as knots may be. */
static void crowded(units *k, prng *r, size_t n)
{
    uint64_t hedge = 0;

    for (size_t i = 0; i < n; i++) {
        add(k, ONE / 5 + i * GAP_MIN, hedge);
        hedge += prng_below(r, ONE / n);
    }
}

/* Runs that stay, and steps that rise within 1e-6. */
static void stairs(units *k, size_t steps)
{
    for (size_t i = 0; i < steps; i++) {
        add(k, ONE / steps * i, ONE / steps * i);
        add(k, ONE / steps * (i + 1) - 3 * GAP_MIN, ONE / steps * i);
        add(k, ONE / steps * (i + 1) - GAP_MIN, ONE / steps * (i + 1));
    }
}

static void bent(units *k, size_t n)
{
    for (uint64_t i = 0; i <= n; i++)
        add(k, ONE * i / n, ONE * i / n * i / n);
}

static void make_knots(units *k, size_t family, prng *r)
{
    k->n = 0;
    switch (family) {
    case 0:
        add(k, 0, ONE / 20);
        add(k, ONE / 10 * 3, ONE / 4);
        add(k, ONE / 10 * 7, ONE / 4 * 3);
        add(k, ONE, ONE);
        break;
    case 1:
        add(k, 0, 0);
        add(k, ONE, ONE);
        break;
    case 2:
        add(k, ONE / 2, ONE / 8);
        add(k, ONE / 2 + GAP_MIN, ONE / 8 * 7);
        break;
    case 3:
        scattered(k, r, 17, 8);
        break;
    case 4:
        crowded(k, r, 64);
        break;
    case 5:
        stairs(k, 13);
        break;
    case 6:
        scattered(k, r, 333, 3);
        break;
    default:
        bent(k, 40);
        break;
    }
}

#define FAMILIES 8u

/* ---- policies ----------------------------------------------------------------- */

static const char default_text[] =
    "curve: {method: pchip, knots: [[0, .05], [.3, .25], [.7, .75], [1, 1]]}\n"
    "max_hedge_pct: 1.0\n"
    "liquidity: {weight: ratio, half_depth_usd: 500000}\n"
    "confidence: {blend: min, freshness: none}\n"
    "assets: {BTC: {}, ETH: {}, LTC: {}, XRP: {}}\n";

/* What holds for every asset of a policy. */
static const char *const limits_text[] = {
    /* 1: little is out of bounds */
    "max_hedge_pct: 0.98\n"
    "limits:\n"
    "  max_amount_usd: 1.0e15\n"
    "  stale_score_ms: 86400000\n"
    "  stale_depth_ms: 4000\n"
    "  max_clock_skew_ms: 60000\n"
    "  min_depth_usd: 0\n"
    "  extreme_score: {below: 0, above: 1}\n",
    /* 2: whatever is out of bounds is flagged or floored */
    "max_hedge_pct: 0.8125\n"
    "limits:\n"
    "  no_quote: {action: floor, floor: 0.25}\n"
    "  bad_quote: {action: floor, floor: 0.375}\n"
    "  max_amount_usd: {limit: 1.0e7, action: flag}\n"
    "  max_clock_skew_ms: {limit: 100, action: flag}\n"
    "  stale_score_ms: {limit: 1500.5, action: floor, floor: 0.9}\n"
    "  stale_depth_ms: {limit: 2000, action: flag}\n"
    "  max_score_jump: {limit: 0.2, action: floor, floor: 0.1}\n"
    "  min_depth_usd: {limit: 100000, action: flag}\n"
    "  extreme_score: {below: 0.15, above: 0.85, action: flag}\n"
    "  min_confidence: {limit: 0.05, action: floor, floor: 0.3333333333333333}\n",
    /* 3: much is refused */
    "max_hedge_pct: 0.7\n"
    "limits:\n"
    "  stale_score_ms: 2250\n"
    "  stale_depth_ms: 2250\n"
    "  max_score_jump: 0.75\n"
    "  extreme_score: {below: 0.02, above: 0.98, action: reject}\n"
    "  min_confidence: 0.03125\n"
    "  min_depth_usd: 20000\n",
};

static void put_curve(text *t, size_t i, prng *r)
{
    units k;

    make_knots(&k, i / 3 % FAMILIES, r);
    put(t, "    curve:\n      method: %s\n      knots:\n", hedge_method_name((int32_t)(i % 3)));
    for (size_t j = 0; j < k.n; j++)
        put(t, "        - [%u.%09u, %u.%09u]\n", k.score[j] / ONE, k.score[j] % ONE,
            k.hedge[j] / ONE, k.hedge[j] % ONE);
}

/* An amount with two decimals. A statement a draw: arguments are evaluated in any order. */
static void put_usd(text *t, const char *name, prng *r, uint64_t most)
{
    const unsigned dollars = 1000 + (unsigned)prng_below(r, most);
    const unsigned cents = (unsigned)prng_below(r, 100);

    put(t, ", %s: %u.%02u", name, dollars, cents);
}

/* Asset i has the i-th of the 3 x 2 x 4 x 2 ways to decide. */
static void put_asset(text *t, size_t i, prng *r)
{
    static const char *const weights[] = {"ratio", "log"};
    static const char *const blends[] = {"min", "harmonic", "geometric", "product"};
    static const char *const freshness[] = {"none", "linear"};

    put(t, "  A%02u:\n", (unsigned)i);
    put_curve(t, i, r);
    put(t, "    liquidity: {weight: %s", weights[i / 3 % 2]);
    put_usd(t, "half_depth_usd", r, 2000000);
    put_usd(t, "full_depth_usd", r, 90000000);
    put(t, "}\n    confidence: {blend: %s, freshness: %s}\n", blends[i / 6 % 4],
        freshness[i / 24 % 2]);
}

char *policies_text(size_t i)
{
    text t = {.bytes = malloc(HEDGE_POLICY_FILE_MAX), .capacity = HEDGE_POLICY_FILE_MAX};
    prng r = {i};

    if (t.bytes == NULL) return NULL;
    if (i == 0) {
        put(&t, "%s", default_text);
        return t.bytes;
    }
    put(&t, "curve: {method: linear, knots: [[0, 0], [1, 1]]}\n%s", limits_text[i - 1]);
    put(&t, "assets:\n");
    for (size_t asset = 0; asset < 48; asset++)
        put_asset(&t, asset, &r);
    return t.bytes;
}

/* ---- curves by their bits ------------------------------------------------------- */

/* Scores with all 53 bits; hedges whose rises are as small as they come, then as large. */
static size_t tiny_knots(double *score, double *hedge, prng *r)
{
    static const uint64_t bits[] = {0x0, 0x1, 0x7, 0x0010000000000000, 0x0010000000000001};
    size_t n = 0;

    for (; n < COUNT(bits); n++) {
        score[n] = (double)(n + 1) / 17.0;
        hedge[n] = input_from_bits(bits[n]);
    }
    for (; n < 16; n++) {
        score[n] = (double)(n + 1) / 17.0 + input_unit(r) / 64.0;
        hedge[n] = hedge[n - 1] + input_from_bits((uint64_t)(n * 100 - 500) << 52); /* to 2^-23 */
    }
    return n;
}

static size_t many_knots(double *score, double *hedge, prng *r)
{
    double at = 0.0;

    for (size_t i = 0; i < HEDGE_KNOTS_MAX; i++) {
        score[i] = ((double)i + input_unit(r) / 2.0) / HEDGE_KNOTS_MAX;
        hedge[i] = at;
        if (prng_below(r, 4) != 0) at += input_unit(r) / HEDGE_KNOTS_MAX;
    }
    return HEDGE_KNOTS_MAX;
}

/* 33 knots of thirds and sevenths, whose grid points are rounded both ways. */
static size_t odd_knots(double *score, double *hedge, prng *r)
{
    for (size_t i = 0; i < 33; i++) {
        score[i] = (double)(3 * i + 1) / 101.0;
        hedge[i] = i % 5 == 1 ? hedge[i - 1] : ((double)i + input_unit(r)) / 34.0;
    }
    return 33;
}

int32_t policies_curve(size_t i, hedge_curve **out)
{
    static double score[HEDGE_KNOTS_MAX], hedge[HEDGE_KNOTS_MAX];
    static size_t (*const makers[])(double *, double *, prng *) = {tiny_knots, many_knots,
                                                                   odd_knots};
    prng r = {1000 + i};
    const size_t n = makers[i / 3](score, hedge, &r);

    return hedge_curve_new((int32_t)(i % 3), score, hedge, n, NULL, out);
}
