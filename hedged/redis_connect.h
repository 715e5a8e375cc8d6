/* SPDX-License-Identifier: MIT
 * redis_connect: a TCP connection to a server, within a time. */
#ifndef HEDGED_REDIS_CONNECT_H
#define HEDGED_REDIS_CONNECT_H

#include <stddef.h>
#include <stdint.h>

/* Connects to the first of the host's addresses that answers, in the resolver's order;
 * all of them together have so many milliseconds, a name's look-up not counted. A
 * blocking socket, the caller's to close; -1: fault says why. Any thread. */
int redis_connect(const char *host, uint16_t port, int timeout_ms, char *fault, size_t capacity);

#endif
