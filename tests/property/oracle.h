/* SPDX-License-Identifier: MIT
 * What others make of the same knots: GSL's Steffen, and pchip and linear written anew in long
 * double from the papers. All see the knots' scores on the grid, as the curve does. */
#ifndef HEDGE_TESTS_ORACLE_H
#define HEDGE_TESTS_ORACLE_H

#include "knots.h"

typedef struct oracle oracle;

oracle *oracle_new(int32_t method, const knots *k);
double oracle_eval(const oracle *o, double x); /* first score <= x <= last score */
/* GSL's derivative and integral: Steffen of three knots or more, else NaN. */
double oracle_slope(const oracle *o, double x);
double oracle_area(const oracle *o, double from, double to);
void oracle_free(oracle *o);

#endif
