/* SPDX-License-Identifier: MIT
 * fuzz_http: any bytes on a connection to the daemon's real server, with its
 * real routes. What comes back are whole replies of declared statuses, and
 * then the end of the connection. */
#include "fuzz.h"
#include "fuzz_app.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLIES_MAX (4 << 20) /* bytes; the whole curve is 500 KiB */
#define ANSWER_S 15           /* a hang, on however busy a machine */

static void served(void *context, size_t route, int status, int64_t duration_ns)
{
    (void)context, (void)route, (void)status;
    REQUIRE(duration_ns >= 0);
}

static bool is_open(void *context)
{
    return atomic_load(&((app *)context)->open);
}

/* From many addresses in turn: what one has used a moment ago cannot be had again
 * at once, and thousands are asked for each second. */
static int connect_to(uint16_t port)
{
    static uint32_t turn;
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct sockaddr_in from = {.sin_family = AF_INET,
                                     .sin_addr.s_addr =
                                         htonl(UINT32_C(0x7f010001) + (turn++ & 0xff) * 256)};
    const struct timeval wait = {.tv_sec = ANSWER_S};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    REQUIRE(fd >= 0);
    REQUIRE(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0);
    REQUIRE(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) == 0);
    REQUIRE(bind(fd, (const struct sockaddr *)&from, sizeof(from)) == 0);
    if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) { /* the fuzzer's alarm */
        struct pollfd done = {.fd = fd, .events = POLLOUT};
        int error = 0;
        socklen_t size = sizeof(error);

        REQUIRE(errno == EINTR);
        while (poll(&done, 1, ANSWER_S * 1000) < 0)
            REQUIRE(errno == EINTR);
        REQUIRE(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0);
    }
    return fd;
}

/* Sends the input and reads to the end. A server that has answered and hangs up
 * before it has read everything resets the connection: *cut. */
static size_t converse(uint16_t port, const uint8_t *bytes, size_t n, char *out, size_t room,
                       bool *cut)
{
    const int fd = connect_to(port);
    const struct linger at_once = {.l_onoff = 1};
    size_t sent = 0, got = 0;

    *cut = false;
    while (sent < n) {
        const ssize_t part = send(fd, bytes + sent, n - sent, MSG_NOSIGNAL);

        if (part < 0 && errno == EINTR) continue;
        if (part <= 0) break;
        sent += (size_t)part;
    }
    shutdown(fd, SHUT_WR);
    for (;;) {
        const ssize_t part = recv(fd, out + got, room - got, 0);

        if (part < 0 && errno == EINTR) continue;
        REQUIRE(part >= 0 || errno == ECONNRESET); /* EAGAIN: it hangs */
        *cut = part < 0;
        if (part <= 0) break;
        got += (size_t)part;
        REQUIRE(got < room);
    }
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)); /* ports are few */
    close(fd);
    return got;
}

/* The server lives to the end of the process. */
static uint16_t start_once(app *a)
{
    static http_service service = {.served = served, .open = is_open};
    static uint16_t port;
    static const char good[] = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    const http_options options = {.host = "127.0.0.1",
                                  .limits = {.most = CONNECTIONS_LEAST,
                                             .head_ms = 60000,
                                             .body_ms = 60000,
                                             .answer_ms = 60000,
                                             .idle_ms = 60000}};
    char message[200], reply[1024] = "";
    bool cut;

    if (service.context != NULL) return port;
    service.routes = fuzz_app_routes(&service.route_count);
    service.context = a;
    REQUIRE(http_start(&options, &service, &port, message) != NULL);
    /* It serves: else whatever it is sent would be refused, and look good. */
    converse(port, (const uint8_t *)good, strlen(good), reply, sizeof(reply) - 1, &cut);
    REQUIRE(strncmp(reply, "HTTP/1.1 200 ", 13) == 0);
    return port;
}

static bool is_declared(int status)
{
    static const int declared[] = {200, 400, 401, 403, 404, 405, 408, 409,
                                   411, 413, 417, 422, 429, 431, 503};

    for (size_t i = 0; i < sizeof(declared) / sizeof(declared[0]); i++)
        if (status == declared[i]) return true;
    return false;
}

/* A header's value, up to the line's end; "" where there is none. */
static void header(const char *head, const char *name, char out[80])
{
    const char *at = strstr(head, name);

    out[0] = '\0';
    if (at == NULL) return;
    at += strlen(name);
    snprintf(out, 80, "%.*s", (int)strcspn(at, "\r"), at);
}

/* One reply from the front; returns what is behind it. */
static char *check_reply(char *at, char *end, bool cut)
{
    char *body = strstr(at, "\r\n\r\n"), type[80], length[80];
    const int status = atoi(at + strlen("HTTP/1.1 "));
    size_t n;

    if (body == NULL && cut) return end;
    REQUIRE(strncmp(at, "HTTP/1.1 ", 9) == 0 && body != NULL);
    *body = '\0';
    body += 4;
    if (status == 100) return body;
    REQUIRE(is_declared(status));
    header(at, "\r\nContent-Type: ", type);
    header(at, "\r\nContent-Length: ", length);
    REQUIRE(type[0] != '\0' && length[0] != '\0');
    n = strtoul(length, NULL, 10);
    if (n > 0 && body == end) return end; /* to HEAD */
    if (n > (size_t)(end - body) && cut) return end;
    REQUIRE(n <= (size_t)(end - body));
    fuzz_app_check_reply(status, type, body, n);
    return body + n;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static char replies[REPLIES_MAX + 1];
    app *a = fuzz_app_empty();
    bool cut;
    const size_t got = converse(start_once(a), bytes, n, replies, REPLIES_MAX, &cut);
    char *end = replies + got;

    *end = '\0';
    for (char *at = replies; at < end;)
        at = check_reply(at, end, cut);
    return 0;
}
