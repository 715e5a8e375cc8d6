/* SPDX-License-Identifier: MIT
 * recompute.h: decides a recorded decision again and compares every bit of the outputs. */
#ifndef HEDGE_CLI_RECOMPUTE_H
#define HEDGE_CLI_RECOMPUTE_H

#include <hedge/hedge.h>
#include <stdbool.h>
#include <stddef.h>

#include "number.h"

enum { RECOMPUTE_DIFFERENCES_MAX = 16 };

/* One output that is not what the inputs give. */
typedef struct recompute_difference {
    const char *member;
    char recorded[NUMBER_TEXT_MAX];
    char recomputed[NUMBER_TEXT_MAX];
} recompute_difference;

typedef struct recomputed {
    bool refused;            /* hedge_size takes no such request or quote: nobody decided it */
    hedge_decision decision; /* what hedge_size gives now */
    size_t count;            /* of differences */
    recompute_difference differences[RECOMPUTE_DIFFERENCES_MAX];
} recomputed;

/* Decides the record's request and quote again, at its time, by its policy.
 * True: every output has the recorded bits, and the request is of the asset
 * that the record names; never where hedge_size refuses them. Without a place for it (NULL) only
 * that is told. */
bool recompute(const hedge_record *record, const hedge_policy *policy, recomputed *out);

#endif
