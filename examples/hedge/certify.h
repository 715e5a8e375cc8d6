/* SPDX-License-Identifier: MIT
 * certify.h: tries the curves of a policy at every score, a thread a curve. */
#ifndef HEDGE_CLI_CERTIFY_H
#define HEDGE_CLI_CERTIFY_H

#include <hedge/hedge.h>
#include <stddef.h>
#include <stdint.h>

typedef struct certificate {
    const hedge_curve *curve;
    const char *name; /* of an asset that has it */
    int32_t result;   /* of hedge_curve_certify */
    hedge_certificate found;
    uint64_t tried; /* scores of the grid */
    double seconds;
} certificate;

/* Called about ten times a second with the share that is done, 0 to 1; anything
 * but 0 stops. */
typedef int certify_progress(double done);

/* Certifies n curves (curve and name are set) on at most `threads` threads. */
void certify_curves(certificate *certificates, size_t n, unsigned threads,
                    certify_progress *progress);

#endif
