/* SPDX-License-Identifier: MIT
 * curve_slopes: slopes at the knots that keep a cubic monotone. */
#ifndef HEDGE_CURVE_SLOPES_H
#define HEDGE_CURVE_SLOPES_H

#include <hedge/hedge.h>

/* Writes slope[i] = d hedge / d score at each of n >= 2 knots. x is strictly
 * increasing, y never decreasing. Two knots make a straight line. */
void curve_slopes_pchip(const double *x, const double *y, size_t n, double *slope);
void curve_slopes_steffen(const double *x, const double *y, size_t n, double *slope);

/* How the slope at knot i follows the hedges: d_y[k] is its derivative by
 * y[first + k], k < 3 (0 where there is no such knot); returns first. Where a
 * slope is held at 0 by one flat neighbour, it is the derivative towards data
 * that rises; between two flat ones it is 0. */
size_t curve_slopes_gradient(int32_t method, const double *x, const double *y, size_t n, size_t i,
                             double d_y[3]);

#endif
