/* SPDX-License-Identifier: MIT
 * certificate: that every score of a policy's curves was tried before it goes live. */
#ifndef HEDGED_CERTIFICATE_H
#define HEDGED_CERTIFICATE_H

#include "journal.h"

/* True: give up. Called from other threads. */
typedef bool certificate_stop(void *context);

typedef struct certificate_options {
    unsigned threads; /* at most so many curves at a time */
    bool behind;      /* behind everything else that wants the processor */
    certificate_stop *stop;
    void *context;
} certificate_options;

typedef enum certificate_result {
    CERTIFICATE_GOOD,
    CERTIFICATE_BROKEN,  /* error says which curve breaks which promise */
    CERTIFICATE_STOPPED, /* by `stop` */
    CERTIFICATE_FAILED   /* no memory or no thread */
} certificate_result;

/* Certifies each curve of the policy that this build has no certificate of in
 * the journal, about a second a curve, and keeps the new certificates there.
 * Returns when all is done. Any thread. */
certificate_result certificate_ensure(journal *j, const hedge_policy *policy,
                                      const certificate_options *options, hedge_error *error);

#endif
