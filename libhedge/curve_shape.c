/* SPDX-License-Identifier: MIT
 * curve_shape: what else there is to know of a curve: its slope, inverse, area
 * and sensitivities, and the pieces it is made of. */
#include "curve.h"
#include "curve_slopes.h"
#include "struct_size.h"

#include <math.h>

/* ---- slope and inverse ---------------------------------------------------- */

double hedge_curve_slope(const hedge_curve *curve, double score)
{
    const double shifted = score + CURVE_SHIFT;
    const curve_node *node;
    const curve_side *side;
    uint64_t at;
    double e;

    if (curve == NULL || isnan(score)) return (double)NAN;
    at = curve_bits(shifted) - curve->first_bits;
    if (at > curve->steps) return 0.0;
    node = &curve->nodes[curve_find(curve, (uint32_t)at)];
    e = shifted - node->shifted_x;
    /* On a knot both sides agree, but behind the last one there is none. */
    side = &node->side[e < 0.0 || at == curve->steps];
    return fma(e, fma(e, 3.0 * side->d, 2.0 * side->c), side->b);
}

double hedge_curve_inverse(const hedge_curve *curve, double hedge)
{
    const int32_t steps = 1 << 30;
    int32_t low = 0, high = steps;

    if (curve == NULL || !(hedge <= curve->last_y)) return (double)NAN;
    /* Monotone to the last bit, so bisection finds exactly the least one. */
    while (low < high) {
        const int32_t middle = low + (high - low) / 2;

        if (curve->eval(curve, (double)middle / steps) >= hedge)
            high = middle;
        else
            low = middle + 1;
    }
    return (double)low / steps;
}

/* ---- area ------------------------------------------------------------------- */

/* A sum and what its additions lost (A. Neumaier, Z. Angew. Math. Mech. 54
 * (1974) 39). */
typedef struct long_sum {
    double sum, lost;
} long_sum;

static void add(long_sum *s, double term)
{
    const double sum = s->sum + term;

    s->lost += fabs(s->sum) >= fabs(term) ? (s->sum - sum) + term : (term - sum) + s->sum;
    s->sum = sum;
}

/* From the node's knot to e beside it. */
static double area_from_knot(const curve_node *node, double e)
{
    const curve_side *side = &node->side[e < 0.0];

    return e * (node->y + e * (side->b / 2.0 + e * (side->c / 3.0 + e * (side->d / 4.0))));
}

/* Where node i begins; the nodes at the ends reach on for ever. */
static double node_from(const hedge_curve *curve, size_t i)
{
    if (i == 0) return -INFINITY;
    if (i == curve->knots) return INFINITY;
    return curve->x[0] + (double)curve->start[i] * HEDGE_SCORE_STEP;
}

/* Beside the knots: the difference of two areas from a knot would be as far
 * off as the scores are far away. */
static void add_outside(long_sum *s, double hedge, double from, double to)
{
    if (from < to) add(s, hedge * (to - from));
}

/* Both inside of the end knots. */
static void add_inside(long_sum *s, const hedge_curve *curve, double low, double high)
{
    for (size_t i = 0; i < curve->knots; i++) {
        const double a = fmax(low, node_from(curve, i));
        const double b = fmin(high, node_from(curve, i + 1));

        if (!(a < b)) continue;
        add(s, area_from_knot(&curve->nodes[i], b - curve->x[i]));
        add(s, -area_from_knot(&curve->nodes[i], a - curve->x[i]));
    }
}

double hedge_curve_area(const hedge_curve *curve, double from, double to)
{
    const double low = fmin(from, to), high = fmax(from, to);
    long_sum area = {0.0, 0.0};

    if (curve == NULL || !isfinite(from) || !isfinite(to)) return (double)NAN;
    const double first = curve->x[0], last = curve->x[curve->knots - 1];
    add_outside(&area, curve->first_y, low, fmin(high, first));
    add_inside(&area, curve, fmax(low, first), fmin(high, last));
    add_outside(&area, curve->last_y, fmax(low, last), high);
    if (isfinite(area.sum)) area.sum += area.lost; /* what overflowed stays infinite */
    return from <= to ? area.sum : -area.sum;
}

/* ---- sensitivity ------------------------------------------------------------ */

/* The hedge is linear in the ends' hedges and slopes (the cubic Hermite basis,
 * u the share of the segment, v what is left of it), and each slope follows up
 * to three hedges. A slope may follow a hedge a million times as fast, so that
 * v must be exact close to the upper knot too: 1 - u is not. */
static void sense_cubic(const hedge_curve *curve, size_t i, double e, double h, double *d_hedge)
{
    const double u = e / h, v = (h - e) / h;
    const double by_slope[2] = {h * u * v * v, -h * u * u * v};

    d_hedge[i] = (1.0 + 2.0 * u) * v * v;
    d_hedge[i + 1] = u * u * (3.0 - 2.0 * u);
    for (size_t side = 0; side < 2; side++) {
        double by_hedge[3];
        const size_t first = curve_slopes_gradient(curve->method, curve->x, curve->hedge,
                                                   curve->knots, i + side, by_hedge);

        for (size_t k = 0; k < 3 && first + k < curve->knots; k++)
            d_hedge[first + k] += by_slope[side] * by_hedge[k];
    }
}

int32_t hedge_curve_sensitivity(const hedge_curve *curve, double score, double *d_hedge, size_t n)
{
    size_t i;
    double e;

    if (curve == NULL || d_hedge == NULL || n != curve->knots || isnan(score)) return HEDGE_E_ARG;
    memset(d_hedge, 0, n * sizeof(*d_hedge));
    score = fmin(fmax(curve_snap(score), curve->x[0]), curve->x[n - 1]);
    i = curve_find(curve, (uint32_t)((score - curve->x[0]) / HEDGE_SCORE_STEP));
    if (score < curve->x[i] || i == n - 1) i--; /* the segment, from its lower knot */
    e = score - curve->x[i];
    if (curve->method == HEDGE_METHOD_LINEAR) {
        d_hedge[i + 1] = e / (curve->x[i + 1] - curve->x[i]);
        d_hedge[i] = 1.0 - d_hedge[i + 1];
    } else {
        sense_cubic(curve, i, e, curve->x[i + 1] - curve->x[i], d_hedge);
    }
    return HEDGE_OK;
}

/* ---- pieces ------------------------------------------------------------------ */

size_t hedge_curve_piece_count(const hedge_curve *curve)
{
    return curve != NULL ? 2 * (curve->knots - 1) : 0;
}

int32_t hedge_curve_piece(const hedge_curve *curve, size_t i, hedge_piece *out)
{
    const size_t knot = (i + 1) / 2, left = i & 1; /* odd pieces lie left of their knot */
    const curve_side *side;
    hedge_piece piece;

    if (curve == NULL || out == NULL || i >= hedge_curve_piece_count(curve)) return HEDGE_E_ARG;
    if (!struct_size_room(out->struct_size, OLDEST_PIECE)) return HEDGE_E_STRUCT_SIZE;
    side = &curve->nodes[knot].side[left];
    piece = (hedge_piece){.from = left ? node_from(curve, knot) : curve->x[knot],
                          .to = left ? curve->x[knot] : node_from(curve, knot + 1),
                          .knot = curve->x[knot],
                          .hedge = curve->nodes[knot].y,
                          .b = side->b,
                          .c = side->c,
                          .d = side->d};
    struct_size_answer(out, &piece, sizeof(piece));
    return HEDGE_OK;
}
