/* SPDX-License-Identifier: MIT
 * Arrays between two pages that nobody may touch. */
#ifndef HEDGE_TESTS_GUARDED_H
#define HEDGE_TESTS_GUARDED_H

#include "support.h"

typedef struct guarded {
    double *low;  /* as many doubles right behind a forbidden page, */
    double *high; /* or right before one */
    size_t room;  /* doubles from low to the forbidden page */
    size_t bytes; /* of all of it */
} guarded;

/* Room for n doubles. Ends the program where there is no memory. */
guarded guarded_new(size_t n);
void guarded_read_only(const guarded *g);
void guarded_free(const guarded *g);

#endif
