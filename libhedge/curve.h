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
 * y + e (b + e (c + e d)) with e = score - x, e < 0 left of the knot. What is
 * kept of x is CURVE_SHIFT + x, so that e is one subtraction from a score that
 * was shifted onto the grid, and exact. */
typedef struct curve_piece {
    double shifted_x, y, b, c, d;
} curve_piece;

/* Added to a score of size below 2^22, it lands in [2^22, 2^23), where doubles
 * are 2^-30 apart: the addition rounds to the score grid, ties to even, and
 * the sum's bits count the grid's steps. 1.5 * 2^22. */
#define CURVE_SHIFT 6291456.0

struct hedge_curve {
    double (*eval)(const hedge_curve *, double);
    void (*eval_n)(const hedge_curve *, const double *, double *, size_t);
    uint64_t first_bits;       /* of CURVE_SHIFT + the first knot's score */
    uint32_t steps;            /* of the grid, from the first knot to the last */
    uint32_t bucket_shift;     /* 2^this steps make a bucket */
    const uint16_t *bucket;    /* the first piece that reaches into bucket i; one more at the end */
    const uint32_t *start;     /* piece i begins so many steps behind the first knot */
    const curve_piece *pieces; /* two a segment */
    uint32_t piece_count;
    double first_y, last_y;
    const double *score, *hedge; /* the knots as given */
    size_t knots;
    int32_t method;
};

/* Forces a path, for tests. False if this processor cannot take it. */
bool curve_set_path(hedge_curve *curve, curve_path path);

/* True if both are the same method through the same knots. */
bool curve_equal(const hedge_curve *a, const hedge_curve *b);

/* The nearest point of the score grid; far outside of [0, 1] for a score that
 * is. Both operations are monotone, hence so is this. */
static inline double curve_snap(double score)
{
    return (score + CURVE_SHIFT) - CURVE_SHIFT;
}

#endif
