/* SPDX-License-Identifier: MIT
 * Connecting to a Redis server, within a time. */
#include "redis_connect.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define FILLERS 8

/* Listens on a free port of 127.0.0.1 with so many places for those who wait. */
static int listen_at(int places, uint16_t *port)
{
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof(at);

    cr_assert(bind(fd, (struct sockaddr *)&at, n) == 0 && listen(fd, places) == 0 &&
              getsockname(fd, (struct sockaddr *)&at, &n) == 0);
    *port = ntohs(at.sin_port);
    return fd;
}

/* Takes every place, so that nobody else is answered. */
static void fill(uint16_t port, int fds[FILLERS])
{
    const struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};

    for (int i = 0; i < FILLERS; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fds[i], (const struct sockaddr *)&at, sizeof(at));
    }
}

Test(redis_connect, connects_and_blocks)
{
    uint16_t port;
    const int server = listen_at(4, &port), stop = eventfd(0, 0);
    char fault[128] = "";
    const int fd = redis_connect("127.0.0.1", port, 60000, stop, fault, sizeof(fault));

    cr_expect(fd >= 0, "%s", fault);
    close(fd);
    close(server);
    cr_expect_eq(redis_connect("127.0.0.1", port, 60000, stop, fault, sizeof(fault)), -1);
    cr_expect_str_eq(fault, "Connection refused");
    close(stop);
}

Test(redis_connect, a_server_that_is_silent_is_given_up_in_time_and_for_a_stop)
{
    uint16_t port;
    const int server = listen_at(0, &port), stop = eventfd(0, 0);
    char fault[128] = "";
    int fds[FILLERS];

    fill(port, fds);
    cr_expect_eq(redis_connect("127.0.0.1", port, 50, stop, fault, sizeof(fault)), -1);
    cr_expect_str_eq(fault, "Connection timed out");
    eventfd_write(stop, 1);
    cr_expect_eq(redis_connect("127.0.0.1", port, 600000, stop, fault, sizeof(fault)), -1);
    cr_expect_str_eq(fault, "stopping");
    for (int i = 0; i < FILLERS; i++)
        close(fds[i]);
    close(server);
    close(stop);
}
