/* SPDX-License-Identifier: MIT
 * inputs: what the corpus is asked. Made of integers and of exact operations, so that every
 * machine asks the same. */
#ifndef HEDGE_TESTS_INPUTS_H
#define HEDGE_TESTS_INPUTS_H

#include <hedge/hedge.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef struct prng {
    uint64_t state;
} prng;

uint64_t prng_next(prng *r);
/* 0 to n - 1. */
uint64_t prng_below(prng *r, uint64_t n);

double input_from_bits(uint64_t bits);
/* [0, 1), a multiple of 2^-53. */
double input_unit(prng *r);
/* Edges, subnormals, infinities, NaN of several payloads, and any bits at all. */
double input_odd(prng *r);
/* A score, mostly in [0, 1]: random, on the grid, between two of its points, in decimal, at or
 * beside a knot of the curve (may be NULL). */
double input_score(prng *r, const hedge_curve *curve);
/* An amount of money of any size from 2^-60 to 2^60, now and then 0. */
double input_usd(prng *r);

/* One question to hedge_size. */
typedef struct input_case {
    hedge_request request;
    hedge_quote quote;
    int64_t now_ns;
} input_case;

/* Case i of a policy: mostly good, each part now and then odd. */
void input_make(uint64_t i, const hedge_policy *policy, input_case *out);

#endif
