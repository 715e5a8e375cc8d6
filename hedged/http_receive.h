/* SPDX-License-Identifier: MIT
 * http_receive: where civetweb receives requests and from which descriptor, and
 * that nothing older lies behind them.
 *
 * civetweb tells neither. But it waits and receives by poll and recv, which this
 * program has in place of libc's; on threads that serve connections they look at
 * what they are given, on all others they are libc's to the letter.
 *
 * civetweb parses a head to the end of its buffer, not to the end of what it
 * received, and a thread's buffer keeps what connections before have sent. A
 * message of blanks and an empty line is no head of its own, so the parser would
 * go on into another caller's request, token and all. So whatever a thread that
 * serves connections receives is followed by zeros up to the end of the buffer,
 * and a head has to begin where the buffer does (http_wire). */
#ifndef HEDGED_HTTP_RECEIVE_H
#define HEDGED_HTTP_RECEIVE_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_HEAD_MAX 16384 /* bytes of the buffer: civetweb's max_request_size */

/* The calling thread serves connections from now on. */
void http_receive_begin(void);

/* The next descriptor that the calling thread waits for is told, once. */
void http_receive_from(void (*found)(void *context, int fd), void *context);

/* What the calling thread receives next is a body and goes into memory of ours;
 * or no longer. */
void http_receive_body(bool body);

/* Where the calling thread's buffer begins; NULL: it has received nothing yet. */
const char *http_receive_start(void);

/* Of `capacity` bytes at `buffer`, `got` were received. Called by recv, which
 * the program has in place of libc's, and by SSL_read of tls_shim. */
void http_receive_filled(void *buffer, size_t capacity, size_t got);

#endif
