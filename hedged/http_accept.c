/* SPDX-License-Identifier: MIT
 * http_accept: whom civetweb's accept lets in. */
#include "http_accept.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static _Thread_local bool (*ask)(void *context, struct in_addr peer);
static _Thread_local void *ask_context;

void http_accept_ask(bool (*welcome)(void *context, struct in_addr peer), void *context)
{
    ask = welcome;
    ask_context = context;
}

/* A reset: nothing of it stays behind here, not even the end of a connection. */
static void drop(int fd)
{
    const struct linger at_once = {.l_onoff = 1};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fd);
}

/* In place of libc's. (The headers may have macros of this name, hence the label.) */
int http_accept_accept(int listener, struct sockaddr *peer, socklen_t *n) __asm__("accept");

int http_accept_accept(int listener, struct sockaddr *peer, socklen_t *n)
{
    const int fd = accept4(listener, peer, n, 0);

    if (fd < 0 || ask == NULL || peer == NULL || peer->sa_family != AF_INET) return fd;
    if (ask(ask_context, ((const struct sockaddr_in *)(const void *)peer)->sin_addr)) return fd;
    drop(fd);
    errno = ECONNABORTED;
    return -1;
}
