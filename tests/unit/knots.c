/* SPDX-License-Identifier: MIT
 * Random and wicked knots: gaps down to the least, flat runs, cliffs, on the grid and off it. */
#include "knots.h"

#include <math.h>

/* Knots on the grid are so many steps apart that rounding them leaves the least gap. */
#define LEAST_GAP_ON_GRID (1075 * HEDGE_SCORE_STEP)
/* Adding up gaps may end so far from where it should. */
#define SLACK 1e-11

typedef void (*weigh_fn)(rng *r, size_t n, double *gap, double *rise);

/* Anything: gaps and rises over nine powers of ten. */
static void weigh_wild(rng *r, size_t n, double *gap, double *rise)
{
    for (size_t i = 0; i < n; i++) {
        gap[i] = pow(10, -9 * rng_unit(r));
        rise[i] = pow(10, -9 * rng_unit(r));
    }
}

static void weigh_even(rng *r, size_t n, double *gap, double *rise)
{
    for (size_t i = 0; i < n; i++) {
        gap[i] = 1;
        rise[i] = rng_unit(r);
    }
}

/* Plateaus and cliffs as narrow as allowed. */
static void weigh_stairs(rng *r, size_t n, double *gap, double *rise)
{
    for (size_t i = 0; i < n; i++) {
        gap[i] = i % 2 == 0 ? rng_unit(r) : 0;
        rise[i] = i % 2 == 0 ? 0 : rng_unit(r);
    }
}

/* Cliffs beside long gentle segments: pchip's slopes reach three times the gentle secant at both
 * ends, so that in its middle the curve is all but level. */
static void weigh_triple(rng *r, size_t n, double *gap, double *rise)
{
    const double gentle = pow(10, -8 * rng_unit(r));

    for (size_t i = 0; i < n; i++) {
        gap[i] = i % 2 == 0 ? 0 : 0.5 + rng_unit(r);
        rise[i] = i % 2 == 0 ? 0.5 + rng_unit(r) : gentle;
    }
}

/* Everything as close as allowed, but for a few long segments. */
static void weigh_tight(rng *r, size_t n, double *gap, double *rise)
{
    for (size_t i = 0; i < n; i++) {
        gap[i] = rng_below(r, 16) == 0 ? rng_unit(r) : 0;
        rise[i] = rng_below(r, 3) == 0 ? 0 : rng_unit(r);
    }
}

/* Level but for steps of one unit in the last place, which knots_draw adds. */
static void weigh_level(rng *r, size_t n, double *gap, double *rise)
{
    for (size_t i = 0; i < n; i++) {
        gap[i] = rng_unit(r);
        rise[i] = 0;
    }
}

/* One steep segment in a gentle line: the worst ratio of neighbouring secants. */
static void weigh_spike(rng *r, size_t n, double *gap, double *rise)
{
    const size_t at = rng_below(r, n);

    for (size_t i = 0; i < n; i++) {
        gap[i] = i == at ? 0 : 1;
        rise[i] = i == at ? 1 : pow(10, -15 * rng_unit(r));
    }
}

typedef struct kind {
    const char *name;
    weigh_fn weigh;
} kind;

static const kind kinds[] = {{"wild", weigh_wild},     {"even", weigh_even},
                             {"stairs", weigh_stairs}, {"triple", weigh_triple},
                             {"tight", weigh_tight},   {"level", weigh_level},
                             {"spike", weigh_spike}};

/* Mostly few knots, now and then as many as there may be. */
static size_t draw_count(rng *r)
{
    const uint64_t dice = rng_below(r, 100);

    if (dice < 55) return 2 + (size_t)rng_below(r, 7);
    if (dice < 85) return 2 + (size_t)rng_below(r, 63);
    if (dice < 97) return 2 + (size_t)rng_below(r, 511);
    return dice == 99 ? HEDGE_KNOTS_MAX - (size_t)rng_below(r, 2)
                      : 2 + (size_t)rng_below(r, HEDGE_KNOTS_MAX - 1);
}

static double sum(const double *v, size_t n)
{
    double total = 0;

    for (size_t i = 0; i < n; i++)
        total += v[i];
    return total;
}

/* Mostly all of [0, 1]; else a part of it, down to as narrow as the gaps allow. */
static double draw_width(rng *r, double least)
{
    switch (rng_below(r, 6)) {
    case 0:
    case 1:
        return least + (1 - SLACK - least) * rng_unit(r);
    case 2:
        return least;
    default:
        return 1 - SLACK;
    }
}

static double draw_start(rng *r, double width)
{
    switch (rng_below(r, 3)) {
    case 0:
        return 0;
    case 1:
        return 1 - SLACK - width;
    default:
        return (1 - SLACK - width) * rng_unit(r);
    }
}

static void lay_scores(rng *r, knots *k, const double *gap)
{
    const size_t segments = k->n - 1;
    const bool grid = rng_below(r, 3) == 0;
    const double least_gap = grid ? LEAST_GAP_ON_GRID : HEDGE_KNOT_GAP_MIN;
    const double least = (double)segments * least_gap;
    const double width = draw_width(r, least), total = sum(gap, segments);
    double x = draw_start(r, width);

    k->score[0] = grid ? on_grid(x) : x;
    for (size_t i = 0; i < segments; i++) {
        x += least_gap + (total > 0 ? (width - least) * gap[i] / total : 0);
        k->score[i + 1] = grid ? on_grid(x) : x;
    }
    if (k->score[segments] > 1 - 4 * SLACK) k->score[segments] = 1;
}

static void lay_hedges(rng *r, knots *k, const double *rise)
{
    const size_t segments = k->n - 1;
    const double total = sum(rise, segments);
    const double height = rng_below(r, 2) == 0 ? 1 : pow(10, -12 * rng_unit(r));
    double y = rng_below(r, 2) == 0 ? 0 : (1 - height) * rng_unit(r);

    k->hedge[0] = y;
    for (size_t i = 0; i < segments; i++) {
        if (total > 0)
            y += height * rise[i] / total;
        else if (rng_below(r, 2) == 0)
            y = next_up(y);
        k->hedge[i + 1] = y < 1 ? y : 1;
    }
}

void knots_draw(rng *r, knots *k)
{
    knots_draw_n(r, k, draw_count(r));
}

void knots_draw_n(rng *r, knots *k, size_t n)
{
    static double gap[HEDGE_KNOTS_MAX], rise[HEDGE_KNOTS_MAX];
    const kind *drawn = &kinds[rng_below(r, COUNT(kinds))];

    k->n = n;
    k->kind = drawn->name;
    drawn->weigh(r, k->n - 1, gap, rise);
    lay_scores(r, k, gap);
    lay_hedges(r, k, rise);
    /* Now and then all of it among the smallest doubles, where products underflow. */
    if (rng_below(r, 24) == 0) {
        const int shift = -(int)rng_below(r, 1080);

        for (size_t i = 0; i < k->n; i++)
            k->hedge[i] = ldexp(k->hedge[i], shift);
    }
}
