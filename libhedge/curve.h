/* SPDX-License-Identifier: MIT
 * curve: the monotone interpolant, private view. */
#ifndef HEDGE_CURVE_H
#define HEDGE_CURVE_H

#include <hedge/hedge.h>

#include <stdbool.h>
#include <string.h>

/* How the same bits are computed. */
typedef enum curve_path {
    CURVE_PATH_PORTABLE, /* libm's fma, or the instruction where every processor has it */
    CURVE_PATH_FMA,      /* x86-64's fma instruction, one score at a time */
    CURVE_PATH_AVX2,     /* four scores of a batch at a time */
    CURVE_PATH_AVX512    /* eight */
} curve_path;

/* x86-64 without -mfma: which processor it is shows only at run time. */
#if defined(__x86_64__) && !defined(__FMA__)
#define CURVE_X86_PATHS 1
#endif

/* True under the thread sanitizer. It calls itself from the functions with which
 * the loader chooses others, and they run before there is a sanitizer. */
#if defined(__SANITIZE_THREAD__)
#define CURVE_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CURVE_THREAD_SANITIZER 1
#endif
#endif

#if defined(CURVE_X86_PATHS) && defined(__GLIBC__) && !defined(CURVE_THREAD_SANITIZER)
#define CURVE_LOADER_CHOOSES 1
#endif

/* The curve on one side of a knot: y + e (b + e (c + e d)). */
typedef struct curve_side {
    double b, c, d;
} curve_side;

/* A knot and the half segments that touch it, written from it with
 * e = score - x. What is kept of x is CURVE_SHIFT + x, so that e is one
 * subtraction from a score that was shifted onto the grid, and exact. A cache
 * line long. */
typedef struct curve_node {
    double shifted_x, y;
    curve_side side[2]; /* [0]: e >= 0; [1]: e < 0. All 0 outside of the end knots. */
} curve_node;

/* Added to a score of size below 2^22, it lands in [2^22, 2^23), where doubles
 * are 2^-30 apart: the addition rounds to the score grid, ties to even, and
 * the sum's bits count the grid's steps. 1.5 * 2^22. */
#define CURVE_SHIFT 6291456.0

/* Nodes and their starts are laid out in eights, as wide code reads them. */
#define CURVE_LANES 8u

/* In a bucket: more than one node starts here. */
#define CURVE_CROWDED 0x8000u

struct hedge_curve {
    double (*eval)(const hedge_curve *, double);
    void (*eval_n)(const hedge_curve *, const double *, double *, size_t);
    uint64_t first_bits;     /* of CURVE_SHIFT + the first knot's score */
    uint32_t steps;          /* of the grid, from the first knot to the last */
    uint32_t bucket_shift;   /* 2^this steps make a bucket */
    const uint16_t *bucket;  /* the last node that starts in or before bucket i */
    const uint32_t *start;   /* node i is the nearest from so many steps behind the first knot on */
    const curve_node *nodes; /* one a knot; to a full eight, `start` is UINT32_MAX */
    double first_y, last_y;
    const double *score, *hedge; /* the knots as given */
    const double *x;             /* their scores on the grid */
    size_t knots;
    int32_t method;
    curve_path path;
};

/* Forces a path, for tests. False, and the next best one, if this processor or
 * this build does not have it. */
bool curve_set_path(hedge_curve *curve, curve_path path);

/* True if both are the same method through the same knots. */
bool curve_equal(const hedge_curve *a, const hedge_curve *b);

/* The nearest point of the score grid; far outside of [0, 1] for a score that
 * is. Both operations are monotone, hence so is this. */
static inline double curve_snap(double score)
{
    return (score + CURVE_SHIFT) - CURVE_SHIFT;
}

static inline uint64_t curve_bits(double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

/* Where several nodes begin in one bucket: by halves, between the node that
 * the bucket before ends with and the one that this ends with. */
static inline uint32_t curve_find_crowded(const hedge_curve *curve, uint32_t at)
{
    const uint32_t bucket = at >> curve->bucket_shift;
    uint32_t low = bucket > 0 ? curve->bucket[bucket - 1] & ~CURVE_CROWDED : 0;
    uint32_t high = curve->bucket[bucket] & ~CURVE_CROWDED;

    while (low < high) {
        const uint32_t middle = (low + high + 1) / 2;

        if (at >= curve->start[middle])
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* The node for the score `at` steps behind the first knot, at most `steps`.
 * Nearly every bucket holds the start of one node or none, and a comparison
 * without a branch does. */
static inline __attribute__((always_inline)) uint32_t curve_find(const hedge_curve *curve,
                                                                 uint32_t at)
{
    const uint32_t node = curve->bucket[at >> curve->bucket_shift];

    if (__builtin_expect((node & CURVE_CROWDED) != 0, 0)) return curve_find_crowded(curve, at);
    return node - (at < curve->start[node]);
}

#endif
