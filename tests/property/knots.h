/* SPDX-License-Identifier: MIT
 * Random and wicked knots for the curve's properties. */
#ifndef HEDGE_TESTS_KNOTS_H
#define HEDGE_TESTS_KNOTS_H

#include "support.h"

typedef struct knots {
    double score[HEDGE_KNOTS_MAX], hedge[HEDGE_KNOTS_MAX];
    size_t n;
    const char *kind;
} knots;

/* Draws knots that hedge_curve_new accepts. */
void knots_draw(rng *r, knots *k);

#endif
