/* SPDX-License-Identifier: MIT
 * One call of hedge_size with everything it looks at, and what to expect of it. */
#ifndef HEDGE_TESTS_SCENE_H
#define HEDGE_TESTS_SCENE_H

#include "support.h"

#define MS INT64_C(1000000)
#define NOW (INT64_C(1752480000000) * MS)

typedef struct scene {
    const hedge_policy *policy;
    hedge_request request;
    hedge_quote quote;
    int64_t now_ns;
} scene;

/* A request of 1000 USD of asset 0 with a fresh quote that trips nothing. */
scene scene_new(const hedge_policy *policy);
/* Decides; *out is set up, and filled with rubbish first. */
int32_t scene_decide(const scene *s, hedge_decision *out);

/* The decision when nothing rejects, from the public functions alone: the marks
 * are given, and floor is the hedge declared or negative. */
hedge_decision scene_expect(const scene *s, uint32_t flags, double floor);

/* True if both are the same to the last bit (the struct has no padding). */
bool same_decision(const hedge_decision *a, const hedge_decision *b);
/* True if every number of a rejected decision is +0. */
bool is_empty_handed(const hedge_decision *d);
/* True for what must hold of any decision at all. */
bool is_sound(const scene *s, const hedge_decision *d, int32_t rc);

#endif
