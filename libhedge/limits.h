/* SPDX-License-Identifier: MIT
 * limits: what each breaker is called, bounded by and allowed to do. */
#ifndef HEDGE_LIMITS_H
#define HEDGE_LIMITS_H

#include <hedge/hedge.h>

#include <stdbool.h>

/* One row of the table that the reader of policies, the writer of their
 * canonical text and hedge_size share. */
typedef struct limits_entry {
    int32_t trip;
    const char *field;   /* under `limits:`; NULL: no setting, always rejects */
    bool has_limit;      /* a number or, for extreme_score, below and above */
    bool may_flag;       /* not where there is no usable number to answer with */
    bool above_least;    /* the limit must be above `least`, not equal to it */
    double least, most;  /* what the limit may be */
    double limit, upper; /* defaults */
    int32_t action;      /* default */
} limits_entry;

extern const limits_entry limits_table[HEDGE_BREAKER_COUNT];

/* The default limits. */
void limits_defaults(hedge_limit limits[HEDGE_BREAKER_COUNT]);

const char *limits_action_name(int32_t action);

/* What the breakers said so far about one request. */
typedef struct limits_verdict {
    const hedge_limit *limits;
    uint32_t flags;
    double floor; /* the largest declared floor, -1: none */
} limits_verdict;

/* Trips one breaker. True: its action is to reject. */
bool limits_trip(limits_verdict *verdict, int32_t trip);

#endif
