/* SPDX-License-Identifier: MIT
 * log: one JSON object a line on stderr, bounded in rate. */
#include "log.h"

#include "clock.h"
#include "text.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EVENTS_MAX 64
#define LINES_A_SECOND 20
#define DECISIONS_A_SECOND 1000

/* A second's count of one event. */
typedef struct bucket {
    const char *event;
    int64_t second;
    uint32_t lines;
    uint64_t suppressed;
} bucket;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bucket buckets[EVENTS_MAX];
static uint64_t suppressed_total;

static bucket *bucket_of(const char *event)
{
    for (size_t i = 0; i < EVENTS_MAX; i++) {
        if (buckets[i].event == NULL) buckets[i].event = event;
        if (strcmp(buckets[i].event, event) == 0) return &buckets[i];
    }
    return &buckets[EVENTS_MAX - 1]; /* more events than foreseen share the last one */
}

/* Whether the line may be written, and how many were not since the last. */
static bool admit(const char *event, uint64_t *suppressed)
{
    const int64_t second = clock_steady_ns() / NS_PER_S;
    const uint32_t most = strcmp(event, "decision") == 0 ? DECISIONS_A_SECOND : LINES_A_SECOND;
    bucket *b;
    bool admitted;

    pthread_mutex_lock(&lock);
    b = bucket_of(event);
    if (b->second != second) {
        b->second = second;
        b->lines = 0;
    }
    admitted = b->lines++ < most;
    if (!admitted) {
        b->suppressed++;
        suppressed_total++;
    }
    *suppressed = b->suppressed;
    if (admitted) b->suppressed = 0;
    pthread_mutex_unlock(&lock);
    return admitted;
}

static void put_time(text *t)
{
    const int64_t now = clock_wall_ns();
    const time_t seconds = (time_t)(now / NS_PER_S);
    char stamp[32];
    struct tm parts;

    gmtime_r(&seconds, &parts);
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &parts);
    text_printf(t, "{\"ts\":\"%s.%03dZ\"", stamp, (int)(now % NS_PER_S / NS_PER_MS));
}

/* One write a line, so that lines of several threads do not mix. A log that
 * nobody reads must not stop the daemon: a pipe that polls as writable takes
 * PIPE_BUF bytes without waiting, and what it would not take is counted. */
static void write_line(const text *t)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    bool written;

    pthread_mutex_lock(&lock);
    written = !t->failed && t->n <= PIPE_BUF && poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) &&
              write(STDERR_FILENO, t->bytes, t->n) == (ssize_t)t->n;
    suppressed_total += !written;
    pthread_mutex_unlock(&lock);
}

void log_write(log_level level, const char *event, const log_member *members, size_t n)
{
    static const char *const levels[] = {"error", "warn", "info"};
    char line[PIPE_BUF + 1]; /* no more is written, and without memory it is needed most */
    uint64_t suppressed;
    text t = text_in(line, sizeof(line));

    if (!admit(event, &suppressed)) return;
    put_time(&t);
    text_member_string(&t, "level", levels[level]);
    text_member_string(&t, "event", event);
    for (size_t i = 0; i < n; i++) {
        if (members[i].text != NULL)
            text_member_string(&t, members[i].name, members[i].text);
        else
            text_member_double(&t, members[i].name, members[i].number);
    }
    if (suppressed > 0) text_member_int(&t, "suppressed", (int64_t)suppressed);
    text_puts(&t, "}\n");
    write_line(&t);
}

uint64_t log_suppressed(void)
{
    uint64_t n;

    pthread_mutex_lock(&lock);
    n = suppressed_total;
    pthread_mutex_unlock(&lock);
    return n;
}
