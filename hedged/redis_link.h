/* SPDX-License-Identifier: MIT
 * redis_link: one connection to a Redis server that is not trusted.
 *
 * hiredis would reserve gigabytes for an announced array and buffer a bulk of
 * any length; a link gives up on arrays of more than 64 elements and on
 * replies of more than 1 MiB. */
#ifndef HEDGED_REDIS_LINK_H
#define HEDGED_REDIS_LINK_H

#include "settings.h"

#include <hiredis/hiredis.h>

#define REDIS_LINK_ELEMENTS_MAX 64
#define REDIS_LINK_REPLY_MAX 1048576
#define REDIS_LINK_FAULT_MAX 200

typedef struct redis_link {
    redisContext *context;
    int stop_fd;        /* becomes readable when the daemon stops */
    size_t reply_bytes; /* of the reply that is not whole yet */
    char fault[REDIS_LINK_FAULT_MAX];
} redis_link;

/* Connects, authenticates and selects the database, each within 2 seconds.
 * False: fault; nothing stays open. */
bool redis_link_open(redis_link *link, const settings_redis *server, int stop_fd);
void redis_link_close(redis_link *link);

/* Sends a command without waiting for its reply. */
bool redis_link_send(redis_link *link, int n, const char *const *words);

typedef enum redis_link_result {
    REDIS_LINK_REPLY,
    REDIS_LINK_QUIET, /* nothing whole came in time */
    REDIS_LINK_BROKEN /* fault; or the daemon stops */
} redis_link_result;

/* The next reply, to be freed with freeReplyObject. */
redis_link_result redis_link_next(redis_link *link, int timeout_ms, redisReply **out);

/* Sends a command and waits for its reply; an error reply is a fault. NULL: it
 * did not come within 2 seconds, or fault. */
redisReply *redis_link_call(redis_link *link, int n, const char *const *words);

#endif
