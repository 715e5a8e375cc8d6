/* SPDX-License-Identifier: MIT
 * certify.h: tries every score a curve can ever see, and says whether its promises hold. */
#ifndef HEDGE_CLI_CERTIFY_H
#define HEDGE_CLI_CERTIFY_H

#include <hedge/hedge.h>
#include <stdbool.h>
#include <stdint.h>

/* Scores are snapped to multiples of 2^-30, so these are all of [0, 1]. */
#define CERTIFY_STEPS (INT64_C(1) << 30)

typedef enum certify_fault {
    CERTIFY_FINE,
    CERTIFY_DECREASES, /* hedge[1] is not >= hedge[0], or one is not a number */
    CERTIFY_OUTSIDE,   /* hedge[0] at score[0] is not between the first and the last knot's */
    CERTIFY_KNOT,      /* hedge[0] at the knot score[0] is not hedge[1], the knot's */
    CERTIFY_NO_MEMORY
} certify_fault;

typedef struct certificate {
    certify_fault fault;
    double score[2]; /* the first place where a promise is broken */
    double hedge[2];
    uint64_t tried; /* scores */
    double seconds;
    unsigned threads;
} certificate;

/* Called about ten times a second with the share that is done, 0 to 1. */
typedef void certify_progress(double done, void *context);

/* Evaluates the curve at all 2^30 + 1 scores on `threads` threads and checks
 * each adjacent pair, the bounds and the knots. True if every promise holds. */
bool certify_curve(const hedge_curve *curve, unsigned threads, certify_progress *progress,
                   void *context, certificate *out);

#endif
