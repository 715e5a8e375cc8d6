/* SPDX-License-Identifier: MIT
 * http_receive: where civetweb receives requests, and that nothing older lies
 * behind them. */
#include "http_receive.h"

#include <string.h>
#include <sys/socket.h>

static _Thread_local bool serves, reads_body;
static _Thread_local char *start;

void http_receive_begin(void)
{
    serves = true;
}

void http_receive_body(bool body)
{
    reads_body = body;
}

const char *http_receive_start(void)
{
    return start;
}

void http_receive_filled(void *buffer, size_t capacity, size_t got)
{
    char *end = (char *)buffer + capacity;

    if (!serves || reads_body) return;
    if (capacity == HTTP_HEAD_MAX) start = buffer; /* the whole buffer: all of it is free */
    /* OpenSSL may be asked for less than there is room for. */
    if (start != NULL && (char *)buffer >= start && end < start + HTTP_HEAD_MAX)
        end = start + HTTP_HEAD_MAX;
    memset((char *)buffer + got, 0, (size_t)(end - ((char *)buffer + got)));
}

/* In place of libc's for every library of the process; it differs on threads that
 * serve connections alone. (The header may have an inline recv of its own, hence
 * the label.) */
ssize_t http_receive_recv(int fd, void *buffer, size_t n, int flags) __asm__("recv");

ssize_t http_receive_recv(int fd, void *buffer, size_t n, int flags)
{
    const ssize_t got = recvfrom(fd, buffer, n, flags, NULL, NULL);

    if (got >= 0 && (size_t)got <= n && (flags & MSG_PEEK) == 0)
        http_receive_filled(buffer, n, (size_t)got);
    return got;
}
