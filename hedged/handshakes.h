/* SPDX-License-Identifier: MIT
 * handshakes: how often each address may begin one.
 *
 * A handshake costs the server a signature, before the client has shown anything, and a thread
 * until it is done; so who has begun too many is turned away before the next. */
#ifndef HEDGED_HANDSHAKES_H
#define HEDGED_HANDSHAKES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct handshakes handshakes;

typedef struct handshake handshake; /* one that is begun and not done */

/* per_s of one address a second, and as many at once; 0: any number. NULL: no memory. */
handshakes *handshakes_new(long per_s);
/* Takes NULL. */
void handshakes_free(handshakes *h);

/* One connection of an address, at a moment of the steady clock. False: it is over the rate, or
 * open_most of its handshakes (0: any number) are not done yet; that is counted, and told in the
 * log at most once a second for an address. Any thread. */
bool handshakes_take(handshakes *h, struct in_addr peer, uint32_t open_most, int64_t now_ns);
/* One begins; handshake_end when it is done or given up. NULL: there is no memory to count it. Any
 * thread. */
handshake *handshakes_begin(handshakes *h, struct in_addr peer);
/* Takes NULL. */
void handshake_end(handshake *one);
/* How many were over since the start. Any thread. */
uint64_t handshakes_refused(handshakes *h);

#endif
