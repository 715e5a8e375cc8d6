/* SPDX-License-Identifier: MIT
 * curve: the monotone interpolant, private view. */
#ifndef HEDGE_CURVE_H
#define HEDGE_CURVE_H

#include <hedge/hedge.h>

#include <stdbool.h>

/* How the same bits are computed: with the processor's fma instruction, or
 * with libm's fma, which is exact everywhere and slow. */
typedef enum curve_path { CURVE_PATH_PORTABLE, CURVE_PATH_FMA } curve_path;

/* One half of a segment, written from the knot (x, y) it touches:
 * y + e (b + e (c + e d)) with e = score - x, e < 0 left of the knot. */
typedef struct curve_piece {
    double x, y, b, c, d;
} curve_piece;

struct hedge_curve {
    double (*eval)(const hedge_curve *, double);
    void (*eval_n)(const hedge_curve *, const double *, double *, size_t);
    double first_x, first_y, last_x, last_y; /* end knots, on the grid */
    double bucket_scale;                     /* buckets per unit of score */
    uint32_t bucket_last;
    uint32_t piece_count;
    const uint16_t *bucket;    /* bucket_last + 2: first piece that reaches into a bucket */
    const double *start;       /* piece i covers [start[i], start[i + 1]) */
    const curve_piece *pieces; /* two a segment */
    const double *score, *hedge; /* the knots as given */
    size_t knots;
    int32_t method;
};

/* Forces a path, for tests. False if this processor cannot take it. */
bool curve_set_path(hedge_curve *curve, curve_path path);

/* The nearest point of the score grid, ties to even. Below 2^22 in size the
 * sum is in [2^22, 2^23), where doubles are 2^-30 apart, so the addition rounds
 * to the grid and the subtraction is exact; beyond it the result stays far
 * outside of [0, 1]. Both operations are monotone, hence so is this. */
static inline double curve_snap(double score)
{
    const double shift = 6291456.0; /* 1.5 * 2^22 */
    return (score + shift) - shift;
}

#endif
