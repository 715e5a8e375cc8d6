/* SPDX-License-Identifier: MIT
 * feed_redis: scores from Redis into the market. */
#ifndef HEDGED_FEED_REDIS_H
#define HEDGED_FEED_REDIS_H

#include "live.h"
#include "settings.h"

typedef struct feed_redis feed_redis;

typedef struct feed_redis_state {
    bool connected;
    uint64_t connects, losses;
    uint64_t applied, older, malformed, unknown_asset;
} feed_redis_state;

/* Follows `sentiment:latest:{asset}` for every asset of the live policy: the
 * channel first, then the key, so that nothing is missed between them. Comes
 * back by itself, after at most 2 seconds and a jitter. NULL: no memory or no
 * thread. settings and live must outlive it. */
feed_redis *feed_redis_new(const settings_redis *server, live *l);
void feed_redis_free(feed_redis *f);
void feed_redis_read_state(feed_redis *f, feed_redis_state *out);

#endif
