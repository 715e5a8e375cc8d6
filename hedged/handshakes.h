/* SPDX-License-Identifier: MIT
 * handshakes: how often each address may begin one.
 *
 * A handshake costs the server a signature, before the client has shown anything;
 * so who has begun too many is turned away before the first. */
#ifndef HEDGED_HANDSHAKES_H
#define HEDGED_HANDSHAKES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct handshakes handshakes;

/* per_s of one address a second, and as many at once: 1 or more. NULL: no memory. */
handshakes *handshakes_new(long per_s);
/* Takes NULL. */
void handshakes_free(handshakes *h);

/* One connection of an address, at a moment of the steady clock. False: it is over the rate; that
 * is counted, and told in the log at most once a second for an address. Any thread. */
bool handshakes_take(handshakes *h, struct in_addr peer, int64_t now_ns);
/* How many were over since the start. Any thread. */
uint64_t handshakes_refused(handshakes *h);

#endif
