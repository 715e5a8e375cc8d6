/* SPDX-License-Identifier: MIT
 * plot.h: what both pictures of a curve, terminal and SVG, are drawn from. */
#ifndef HEDGE_CLI_PLOT_H
#define HEDGE_CLI_PLOT_H

#include <hedge/hedge.h>
#include <stdbool.h>
#include <stdio.h>

typedef struct plot {
    const hedge_policy *policy;
    const hedge_curve *curve;
    const char *asset;
    double max_hedge_pct;
    int width; /* characters, or pixels */
    int height;
} plot;

/* Draws with braille dots, or with plain ASCII; with or without colour. False
 * when out of memory. */
bool plot_terminal(const plot *p, FILE *out, bool ascii, bool colour);

/* Writes one standalone SVG file, light or dark as its viewer prefers. */
void plot_svg(const plot *p, FILE *out);

#endif
