/* SPDX-License-Identifier: MIT
 * redis_connect: a TCP connection to a server, within a time.
 *
 * hiredis can connect, too, but 0.14 aborts the process where memory is short. */
#include "redis_connect.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Waits until the connection stands, or until then. 0, or an errno; ECANCELED: stop. */
static int wait_connected(int fd, int stop_fd, int64_t until_ns)
{
    struct pollfd fds[2] = {{.fd = fd, .events = POLLOUT}, {.fd = stop_fd, .events = POLLIN}};
    socklen_t size = sizeof(int);
    int fault = 0, n;

    do {
        const int64_t left_ms = (until_ns - clock_steady_ns()) / NS_PER_MS;

        n = poll(fds, 2, left_ms > 0 ? (int)left_ms : 0);
    } while (n < 0 && errno == EINTR);
    if (n == 0) return ETIMEDOUT;
    if (n > 0 && fds[1].revents != 0) return ECANCELED;
    if (n < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &size) != 0) return errno;
    return fault;
}

/* A blocking socket that is connected; -1: errno. */
static int connect_to(const struct addrinfo *at, int stop_fd, int64_t until_ns)
{
    const int yes = 1;
    const int fd =
        socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, at->ai_protocol);
    int fault = 0;

    if (fd < 0) return -1;
    if (connect(fd, at->ai_addr, at->ai_addrlen) != 0)
        fault = errno == EINPROGRESS ? wait_connected(fd, stop_fd, until_ns) : errno;
    if (fault == 0 && (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) != 0 ||
                       setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) != 0))
        fault = errno;
    if (fault == 0) return fd;
    close(fd);
    errno = fault;
    return -1;
}

int redis_connect(const char *host, uint16_t port, int timeout_ms, int stop_fd, char *fault,
                  size_t capacity)
{
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
    const int64_t until_ns = clock_steady_ns() + timeout_ms * NS_PER_MS;
    struct addrinfo *found;
    char number[8];
    int fd = -1, result, left = 0;
    bool stop = false;

    snprintf(number, sizeof(number), "%u", (unsigned)port);
    result = getaddrinfo(host, number, &wanted, &found);
    if (result != 0) {
        snprintf(fault, capacity, "%s",
                 result == EAI_SYSTEM ? strerror(errno) : gai_strerror(result));
        return -1;
    }
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next)
        left++;
    /* An equal part of what is left for each, so that one that is silent leaves some. */
    for (const struct addrinfo *at = found; at != NULL && fd < 0 && !stop;
         at = at->ai_next, left--) {
        const int64_t now_ns = clock_steady_ns();

        fd = connect_to(at, stop_fd, now_ns + (until_ns - now_ns) / left);
        stop = fd < 0 && errno == ECANCELED;
    }
    if (fd < 0) snprintf(fault, capacity, "%s", stop ? "stopping" : strerror(errno));
    freeaddrinfo(found);
    return fd;
}
