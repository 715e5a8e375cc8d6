/* SPDX-License-Identifier: MIT
 * clickhouse_link: one query put again and again to a ClickHouse server that
 * is not trusted, over HTTP.
 *
 * No redirects, no proxy, no other protocol; a reply of at most 8 MiB behind
 * headers of at most 64 KiB, all within the time-out. */
#ifndef HEDGED_CLICKHOUSE_LINK_H
#define HEDGED_CLICKHOUSE_LINK_H

#include "settings_clickhouse.h"
#include "text.h"

#include <curl/curl.h>

#define CLICKHOUSE_LINK_REPLY_MAX 8388608
#define CLICKHOUSE_LINK_HEAD_MAX 65536
#define CLICKHOUSE_LINK_FAULT_MAX 256

typedef struct clickhouse_link {
    CURL *easy;
    CURLM *multi; /* keeps the connection */
    struct curl_slist *headers;
    int stop_fd; /* becomes readable when the daemon stops */
    text reply;
    size_t head_bytes;
    bool too_long; /* the reply, or what stands before it */
    char curl_fault[CURL_ERROR_SIZE];
    char fault[CLICKHOUSE_LINK_FAULT_MAX];
} clickhouse_link;

/* Readies a link; connects to nobody yet. False: no memory. The settings must
 * outlive it; a link stays where it is. */
bool clickhouse_link_open(clickhouse_link *link, const settings_clickhouse *server, int stop_fd);
void clickhouse_link_close(clickhouse_link *link);

typedef enum clickhouse_link_result {
    CLICKHOUSE_LINK_REPLY,  /* whole, in `reply`, until the next call */
    CLICKHOUSE_LINK_FAILED, /* fault */
    CLICKHOUSE_LINK_STOPPED /* the daemon stops */
} clickhouse_link_result;

/* Puts the query and waits for its reply, a JSON object a line. */
clickhouse_link_result clickhouse_link_ask(clickhouse_link *link);

#endif
