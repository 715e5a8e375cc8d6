/* SPDX-License-Identifier: MIT
 * feed_clickhouse: depth from ClickHouse into the market. */
#ifndef HEDGED_FEED_CLICKHOUSE_H
#define HEDGED_FEED_CLICKHOUSE_H

#include "clickhouse_link.h"
#include "live.h"
#include "settings_clickhouse.h"

typedef struct feed_clickhouse feed_clickhouse;

/* What became of one asset's row of a reply. */
typedef enum feed_clickhouse_result {
    FEED_CLICKHOUSE_APPLIED,
    FEED_CLICKHOUSE_OLDER,
    FEED_CLICKHOUSE_MALFORMED,
    FEED_CLICKHOUSE_UNKNOWN_ASSET,
    FEED_CLICKHOUSE_CROSSED,   /* best bid >= best ask: such a book has no depth */
    FEED_CLICKHOUSE_ONE_SIDED, /* nor has one without bids or without asks */
    FEED_CLICKHOUSE_FUTURE,    /* its time is ahead by more than max_clock_skew_ms */
    FEED_CLICKHOUSE_RESULTS
} feed_clickhouse_result;

/* As metrics and logs call it. */
const char *feed_clickhouse_result_name(feed_clickhouse_result result);

typedef struct feed_clickhouse_state {
    bool connected; /* the last poll went well */
    uint64_t polls, failures;
    uint64_t books[FEED_CLICKHOUSE_RESULTS];
    double query_seconds;                  /* of the last good poll; 0: none yet */
    char fault[CLICKHOUSE_LINK_FAULT_MAX]; /* of the last poll, where it failed */
} feed_clickhouse_state;

/* An asset's row as the last good poll found it. */
typedef struct feed_clickhouse_book {
    feed_clickhouse_result result;
    bool has_bid, has_ask;
    double best_bid, best_ask;
} feed_clickhouse_book;

/* Polls for the depth of every book. Where a server is away it comes back by
 * itself, after at most 2 seconds and the time-out. NULL: no memory or no
 * thread. server and live must outlive it. */
feed_clickhouse *feed_clickhouse_new(const settings_clickhouse *server, live *l);
/* Does not wait for a server that says nothing. */
void feed_clickhouse_free(feed_clickhouse *f);

/* Any thread. */
void feed_clickhouse_read_state(feed_clickhouse *f, feed_clickhouse_state *out);
/* The book of asset i of the policy. False: the last good poll had none. */
bool feed_clickhouse_read_book(feed_clickhouse *f, const live_policy *policy, int32_t asset,
                               feed_clickhouse_book *out);

#endif
