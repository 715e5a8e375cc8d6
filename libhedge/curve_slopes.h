/* SPDX-License-Identifier: MIT
 * curve_slopes: slopes at the knots that keep a cubic monotone. */
#ifndef HEDGE_CURVE_SLOPES_H
#define HEDGE_CURVE_SLOPES_H

#include <hedge/hedge.h>

/* Writes slope[i] = d hedge / d score at each of n >= 2 knots. x is strictly
 * increasing, y never decreasing. Two knots make a straight line. */
void curve_slopes_pchip(const double *x, const double *y, size_t n, double *slope);
void curve_slopes_steffen(const double *x, const double *y, size_t n, double *slope);

#endif
