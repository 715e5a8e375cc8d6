/* SPDX-License-Identifier: MIT
 * Random and wicked knots: gaps down to the least, flat runs, cliffs, on the grid and off it. */
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
/* The same with a number of knots of one's own. */
void knots_draw_n(rng *r, knots *k, size_t n);

#endif
