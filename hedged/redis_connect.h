/* SPDX-License-Identifier: MIT
 * redis_connect: a TCP connection to a server, within a time. */
#ifndef HEDGED_REDIS_CONNECT_H
#define HEDGED_REDIS_CONNECT_H

#include <stddef.h>
#include <stdint.h>

/* Connects to the first of the host's addresses that answers, in the resolver's order;
 * all of them together have so many milliseconds, a name's look-up not counted. It ends
 * early where stop_fd has something to read. A blocking socket, the caller's to close; -1:
 * fault says why, "stopping" where it was told to. Any thread. */
int redis_connect(const char *host, uint16_t port, int timeout_ms, int stop_fd, char *fault,
                  size_t capacity);

#endif
