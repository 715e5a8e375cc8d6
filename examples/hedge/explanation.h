/* SPDX-License-Identifier: MIT
 * explanation.h: one recorded decision taken apart into its steps, each computed again. */
#ifndef HEDGE_CLI_EXPLANATION_H
#define HEDGE_CLI_EXPLANATION_H

#include <hedge/hedge.h>
#include <stdbool.h>
#include <stdio.h>

#include "recompute.h"
#include "source.h"

typedef enum breaker_state {
    BREAKER_FINE,
    BREAKER_TRIPPED,
    BREAKER_REJECTED,    /* tripped, and ended the decision */
    BREAKER_NOT_REACHED, /* an earlier one had ended it */
    BREAKER_NOT_JUDGED /* an override stands in for what it judges, or there is nothing to judge */
} breaker_state;

/* One breaker. The numbers are there where `measured`. */
typedef struct explained_breaker {
    breaker_state state;
    const char *field; /* of the policy; NULL: it has none, and always rejects */
    const char *unit;  /* "ms old", "USD" or "" */
    int32_t action;
    double floor;
    bool measured;
    double value, limit, upper; /* upper: extreme_score's alone */
    double margin;              /* how far the value is inside; below 0: outside */
} explained_breaker;

typedef struct explanation {
    uint64_t writer, bad_seq; /* whose record; the one at fault, 0: none */
    hedge_record record;
    uint8_t hash[HEDGE_HASH_SIZE];
    uint8_t previous[HEDGE_HASH_SIZE]; /* where linked */
    bool linked;                       /* the record before it is there, or none is before it */
    bool follows;                      /* the hash follows from it */

    bool decided; /* a decision or a shadow: all that is below */
    /* The steps are those of deciding its request and quote again, not of what it says came out:
     * the outputs of a forged record need not belong to its inputs, nor to each other. */
    hedge_policy *policy;
    bool named; /* the policy names the asset */
    const hedge_curve *curve;
    hedge_rules rules;
    explained_breaker breakers[HEDGE_BREAKER_COUNT];

    bool score_used, depth_used;
    double score, weight;            /* where they are used */
    double effective_score, snapped; /* and on the grid; where both are */
    double model_confidence, freshness, quality, blended;

    bool on_curve; /* the curve gave the hedge, not a floor */
    double curve_hedge, slope;
    bool in_piece; /* false: outside of the knots, whose end values hold */
    size_t piece_index;
    hedge_piece piece;
    double e;                 /* snapped less the piece's knot */
    double piece_hedge;       /* by its four operations */
    double left[2], right[2]; /* the knots around: score, hedge */
    bool floored, capped;
    recomputed again; /* .refused: there are no steps at all */
    bool same;        /* every bit of the outputs */

    bool shadowed;
    hedge_record shadow;
    bool shadow_known; /* its policy is there */
    bool shadow_same;
} explanation;

/* Takes the record apart by its policy, which the explanation does not own. */
void explanation_make(explanation *x, hedge_policy *policy);

void explanation_text(const explanation *x, const char *name, FILE *out);
void explanation_json(const explanation *x, const char *name, FILE *out);

#endif
