/* SPDX-License-Identifier: MIT
 * The curve in long double together with its exact derivative by any knot's hedge: dual numbers
 * carry it through the papers' formulas. All see the knots' scores on the grid, as the curve does.
 */
#ifndef HEDGE_TESTS_DUAL_H
#define HEDGE_TESTS_DUAL_H

#include "knots.h"

/* A value, its derivative by one knot's hedge, and (of a curve) the one by the score. */
typedef struct dual {
    long double v, d, by_score;
} dual;

/* The curve at a grid point between the end knots; d is by hedge[j]. Beside a flat segment d is the
 * derivative towards knots that still rise. */
dual dual_curve(int32_t method, const knots *k, double score, size_t j);

/* The segment of that score: the last one that begins at or before it. */
size_t dual_segment(const knots *k, double score);

/* True where a slope at the segment's ends is about to change its formula (Steffen's limit sets in,
 * pchip's end slope reaches 0): there are two derivatives by a hedge then. */
bool dual_kink(int32_t method, const knots *k, size_t segment);

/* The largest of the segment's secant and the slopes at its ends. */
long double dual_steepest(int32_t method, const knots *k, size_t segment);

#endif
