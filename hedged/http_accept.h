/* SPDX-License-Identifier: MIT
 * http_accept: whom civetweb's accept lets in.
 *
 * civetweb asks nobody before it does the handshake of TLS: its callbacks come after. But it
 * accepts by accept, which this program has in place of libc's; on the thread that accepts for the
 * server, who is not welcome is dropped there, before a thread or OpenSSL has heard of it. To
 * civetweb it looks as if the client had left. */
#ifndef HEDGED_HTTP_ACCEPT_H
#define HEDGED_HTTP_ACCEPT_H

#include <netinet/in.h>
#include <stdbool.h>

/* What the calling thread accepts from now on is asked about; the address is the peer's. */
void http_accept_ask(bool (*welcome)(void *context, struct in_addr peer), void *context);

#endif
