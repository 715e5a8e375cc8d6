/* SPDX-License-Identifier: MIT
 * http_receive: where civetweb receives requests and from which descriptor, and
 * that nothing older lies behind them. */
#include "http_receive.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static _Thread_local bool serves, reads_body;
static _Thread_local char *start;
static _Thread_local void (*tell)(void *context, int fd);
static _Thread_local void *tell_context;

void http_receive_begin(void)
{
    serves = true;
}

void http_receive_from(void (*found)(void *context, int fd), void *context)
{
    tell = found;
    tell_context = context;
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

/* ---- in place of libc's ------------------------------------------------------- */

/* (The headers may have inline functions of these names, hence the labels.) */
ssize_t http_receive_recv(int fd, void *buffer, size_t n, int flags) __asm__("recv");
int http_receive_poll(struct pollfd *fds, nfds_t n, int timeout_ms) __asm__("poll");

ssize_t http_receive_recv(int fd, void *buffer, size_t n, int flags)
{
    const ssize_t got = recvfrom(fd, buffer, n, flags, NULL, NULL);

    if (got >= 0 && (size_t)got <= n && (flags & MSG_PEEK) == 0)
        http_receive_filled(buffer, n, (size_t)got);
    return got;
}

int http_receive_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
    const struct timespec timeout = {.tv_sec = timeout_ms / 1000,
                                     .tv_nsec = timeout_ms % 1000 * 1000000L};

    if (tell != NULL && n == 1) {
        tell(tell_context, fds[0].fd);
        tell = NULL;
    }
    return ppoll(fds, n, timeout_ms >= 0 ? &timeout : NULL, NULL);
}
