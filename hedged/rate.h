/* SPDX-License-Identifier: MIT
 * rate: how often each caller may ask.
 *
 * A bucket a caller that holds one second's worth: it is kept as the moment at
 * which it is full again, and a full bucket need not be kept at all. So the
 * table is bounded and forgets nobody who has asked within a second. */
#ifndef HEDGED_RATE_H
#define HEDGED_RATE_H

#include <stdint.h>

#define RATE_CALLERS 4096 /* that can be told apart within one second, about */

typedef struct rate rate;

/* per_s requests a second, 1 or more. NULL: no memory. */
rate *rate_new(long per_s);
void rate_free(rate *r);

/* One request of a caller at a moment of the steady clock. 0: granted; else how
 * long (ns) until one would be. Where too many callers ask at once, those that
 * find no place share one. Any thread. */
int64_t rate_take(rate *r, const char *caller, int64_t now_ns);

#endif
