/* SPDX-License-Identifier: MIT
 * redis_link: one connection to a Redis server that is not trusted. */
#include "redis_link.h"

#include "clock.h"
#include "redis_connect.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MS 2000

#if HIREDIS_MAJOR >= 1
typedef size_t element_count;
#else
typedef int element_count;
#endif

static void *(*create_array)(const redisReadTask *, element_count);

/* hiredis takes NULL for "out of memory" and gives the connection up. */
static void *create_small_array(const redisReadTask *task, element_count n)
{
    return n <= REDIS_LINK_ELEMENTS_MAX ? create_array(task, n) : NULL;
}

static void cap_arrays(redisContext *context)
{
    static redisReplyObjectFunctions capped;

    if (create_array == NULL) { /* one thread opens links */
        capped = *context->reader->fn;
        create_array = capped.createArray;
        capped.createArray = create_small_array;
    }
    context->reader->fn = &capped;
    /* Its buffer is not given back in between: hiredis 0.14 aborts where there is no
     * memory for a smaller one. REDIS_LINK_REPLY_MAX bounds it. */
    context->reader->maxbuf = 0;
}

static bool fail(redis_link *link, const char *what)
{
    snprintf(link->fault, sizeof(link->fault), "%.180s", what);
    return false;
}

static bool fail_context(redis_link *link)
{
    return fail(link, link->context->errstr[0] != '\0' ? link->context->errstr : "connection lost");
}

void redis_link_close(redis_link *link)
{
    if (link->context != NULL) redisFree(link->context);
    link->context = NULL;
}

static bool authenticate(redis_link *link, const settings_redis *server)
{
    const char *words[3] = {"AUTH", server->user, server->password};
    redisReply *reply;

    if (server->password[0] == '\0') return true;
    if (server->user[0] == '\0') words[1] = server->password;
    reply = redis_link_call(link, server->user[0] != '\0' ? 3 : 2, words);
    if (reply == NULL) return false;
    freeReplyObject(reply);
    return true;
}

static bool choose_database(redis_link *link, const settings_redis *server)
{
    char number[16];
    const char *words[2] = {"SELECT", number};
    redisReply *reply;

    if (server->database == 0) return true;
    snprintf(number, sizeof(number), "%d", server->database);
    reply = redis_link_call(link, 2, words);
    if (reply == NULL) return false;
    freeReplyObject(reply);
    return true;
}

bool redis_link_open(redis_link *link, const settings_redis *server, int stop_fd)
{
    const struct timeval wait = {.tv_sec = ANSWER_MS / 1000};
    int fd;

    *link = (redis_link){.stop_fd = stop_fd};
    fd = redis_connect(server->host, server->port, ANSWER_MS, stop_fd, link->fault,
                       sizeof(link->fault));
    if (fd < 0) return false;
    link->context = redisConnectFd(fd);
    if (link->context == NULL) {
        close(fd);
        return fail(link, "out of memory");
    }
    if (link->context->err != 0) {
        fail_context(link);
    } else {
        cap_arrays(link->context);
        redisSetTimeout(link->context, wait);
        if (authenticate(link, server) && choose_database(link, server)) return true;
    }
    redis_link_close(link);
    return false;
}

bool redis_link_send(redis_link *link, int n, const char *const *words)
{
    const char **argv = (const char **)(uintptr_t)words; /* hiredis only reads them */

    if (redisAppendCommandArgv(link->context, n, argv, NULL) != REDIS_OK) return fail_context(link);
    /* Not asked whether it is done: hiredis 0.14 would look into the empty buffer for
     * the next command, and there may be no memory for one. */
    do {
        if (redisBufferWrite(link->context, NULL) != REDIS_OK) return fail_context(link);
        if (link->context->obuf == NULL) return fail(link, "out of memory");
    } while (sdslen(link->context->obuf) > 0);
    return true;
}

/* One read of what has come, counted against the cap. */
static bool read_some(redis_link *link)
{
    redisContext *c = link->context;
    const size_t before = c->reader->len;

    if (redisBufferRead(c) != REDIS_OK) return fail_context(link);
    link->reply_bytes += c->reader->len - before;
    return link->reply_bytes <= REDIS_LINK_REPLY_MAX || fail(link, "a reply over 1 MiB");
}

/* 1: readable, 0: not in time, -1: stop or broken. */
static int wait_readable(redis_link *link, int64_t until_ns)
{
    struct pollfd fds[2] = {{.fd = link->stop_fd, .events = POLLIN},
                            {.fd = link->context->fd, .events = POLLIN}};
    const int64_t left_ms = (until_ns - clock_steady_ns()) / NS_PER_MS;
    const int n = poll(fds, 2, left_ms > 0 ? (int)left_ms : 0);

    if (fds[0].revents != 0) {
        fail(link, "stopping");
        return -1;
    }
    if (n < 0 && errno != EINTR) {
        fail(link, strerror(errno));
        return -1;
    }
    return n > 0 ? 1 : 0;
}

redis_link_result redis_link_next(redis_link *link, int timeout_ms, redisReply **out)
{
    const int64_t until_ns = clock_steady_ns() + timeout_ms * NS_PER_MS;
    void *reply = NULL;

    for (;;) {
        int readable;

        if (redisGetReplyFromReader(link->context, &reply) != REDIS_OK) {
            fail_context(link);
            return REDIS_LINK_BROKEN;
        }
        if (reply != NULL) {
            /* What is left in the buffer belongs to the next ones. */
            link->reply_bytes = link->context->reader->len - link->context->reader->pos;
            *out = reply;
            return REDIS_LINK_REPLY;
        }
        readable = wait_readable(link, until_ns);
        if (readable < 0 || (readable > 0 && !read_some(link))) return REDIS_LINK_BROKEN;
        if (readable == 0 && clock_steady_ns() >= until_ns) return REDIS_LINK_QUIET;
    }
}

redisReply *redis_link_call(redis_link *link, int n, const char *const *words)
{
    redisReply *reply = NULL;

    if (!redis_link_send(link, n, words)) return NULL;
    switch (redis_link_next(link, ANSWER_MS, &reply)) {
    case REDIS_LINK_QUIET:
        fail(link, "no answer within 2 seconds");
        return NULL;
    case REDIS_LINK_BROKEN:
        return NULL;
    case REDIS_LINK_REPLY:
        break;
    }
    if (reply->type != REDIS_REPLY_ERROR) return reply;
    fail(link, reply->str);
    freeReplyObject(reply);
    return NULL;
}
