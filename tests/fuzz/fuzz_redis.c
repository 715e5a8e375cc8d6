/* SPDX-License-Identifier: MIT
 * fuzz_redis: any bytes as what a Redis server sends, through one session of
 * the feed: subscribe, snapshot, follow.
 *
 * The input: a line of words (`piece=N`: bytes that come at a time; `auth`;
 * `db`), what the subscribed connection sends, and behind a line "--" what the
 * one for the snapshot sends. Then the server hangs up. */
#include "fuzz.h"
#include "fuzz_market.h"

#include "feed_redis.h"
#include "redis_connect.h"
#include "redis_link.h"

#include <poll.h>

/* A cap that short inputs come to, too. */
#undef REDIS_LINK_REPLY_MAX
#define REDIS_LINK_REPLY_MAX 1024

static fuzz_input streams[2]; /* of the connections, in the order they open */
static redisContext *contexts[2];
static size_t opened, piece;

#if HIREDIS_MAJOR >= 1
typedef size_t count_type;
#else
typedef int count_type;
#endif

static void *(*make_array)(const redisReadTask *, count_type);

/* What hiredis would make room for. */
static void *check_array(const redisReadTask *task, count_type n)
{
    REQUIRE(n <= REDIS_LINK_ELEMENTS_MAX);
    return make_array(task, n);
}

/* The world of redis_link.c: a connection that the input speaks through. */
static redisContext *open_input(void)
{
    static redisReplyObjectFunctions checked;
    redisContext *c = redisConnectFd(-1);

    REQUIRE(c != NULL && opened < 2);
    c->err = 0; /* whatever it thinks of the descriptor */
    if (make_array == NULL) {
        checked = *c->reader->fn;
        make_array = checked.createArray;
        checked.createArray = check_array;
    }
    c->reader->fn = &checked;
    contexts[opened++] = c;
    return c;
}

static int read_input(redisContext *c)
{
    fuzz_input *in = &streams[opened == 2 && c == contexts[1]];
    const size_t n = in->left < piece ? in->left : piece;

    if (n == 0) {
        snprintf(c->errstr, sizeof(c->errstr), "Server closed the connection");
        return REDIS_ERR;
    }
    if (redisReaderFeed(c->reader, (const char *)in->at, n) != REDIS_OK) {
        snprintf(c->errstr, sizeof(c->errstr), "%.100s", c->reader->errstr);
        return REDIS_ERR;
    }
    in->at += n;
    in->left -= n;
    /* What is over the cap is not asked for; what hiredis has read already lies there, too. */
    REQUIRE(c->reader->len <= REDIS_LINK_REPLY_MAX + piece + c->reader->pos);
    return REDIS_OK;
}

/* hiredis checks what is sent by itself; nobody reads it here. */
static int send_nowhere(redisContext *c, const int *done)
{
    (void)c, (void)done;
    return REDIS_OK;
}

/* There is no descriptor to set it on. */
static int set_nothing(redisContext *c, const struct timeval wait)
{
    (void)c, (void)wait;
    return REDIS_OK;
}

static int always_readable(struct pollfd *fds, nfds_t n, int timeout)
{
    (void)timeout;
    for (nfds_t i = 0; i < n; i++)
        fds[i].revents = i == 1 ? POLLIN : 0;
    return 1;
}

#define redis_connect(host, port, ms, stop_fd, fault, capacity) 0
#define redisConnectFd(fd) ((void)(fd), open_input())
#define redisSetTimeout(c, wait) set_nothing(c, wait)
#define redisAppendCommandArgv(c, n, words, lengths) ((void)(c), (void)(n), (void)(words), REDIS_OK)
#define redisBufferWrite(c, done) send_nowhere(c, done)
#define redisBufferRead(c) read_input(c)
#define poll(fds, n, timeout) always_readable(fds, n, timeout)
#include "redis_link.c"
#undef BACKOFF_FIRST_MS
#include "feed_redis.c"

static settings_redis take_settings(fuzz_input *in)
{
    settings_redis s = {.on = true, .host = "127.0.0.1", .port = 6379};
    char *words = fuzz_text(fuzz_take_until(in, "\n"));
    const char *at = strstr(words, "piece=");
    const unsigned long n = at != NULL ? strtoul(at + 6, NULL, 10) : 0;

    piece = n > 0 && n < 16384 ? n : 16384; /* as much as hiredis reads at a time */
    if (strstr(words, "auth") != NULL) strcpy(s.password, "secret");
    if (strstr(words, "db") != NULL) s.database = 3;
    free(words);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    fuzz_input in = {bytes, n};
    const settings_redis server = take_settings(&in);
    feed_redis f = {.server = &server, .live = fuzz_market_empty(), .stop_fd = -1};

    opened = 0;
    streams[0] = fuzz_take_until(&in, "\n--\n");
    streams[1] = in;
    pthread_mutex_init(&f.lock, NULL);
    session(&f);
    pthread_mutex_destroy(&f.lock);
    REQUIRE(!f.state.connected && f.state.losses == f.state.connects);
    REQUIRE(f.state.applied + f.state.older + f.state.malformed + f.state.unknown_asset <= n);
    fuzz_market_check();
    return 0;
}
