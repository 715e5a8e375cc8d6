/* SPDX-License-Identifier: MIT
 * fuzz_market: a policy and a market that a target of the daemon writes into,
 * empty again for each input. */
#ifndef HEDGE_TESTS_FUZZ_MARKET_H
#define HEDGE_TESTS_FUZZ_MARKET_H

#include "live.h"

/* Built at the first call, with assets BTC and ETH; no quote in it. */
live *fuzz_market_empty(void);

/* Breaks where the market holds what no feed may put there: a number out of
 * range, or a time from the future. */
void fuzz_market_check(void);

#endif
