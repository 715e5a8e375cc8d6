/* SPDX-License-Identifier: MIT
 * fuzz_clickhouse: any bytes as a ClickHouse server's reply, through one poll
 * of the feed.
 *
 * The input: a line `STATUS PIECE` (the HTTP status; bytes that come at a
 * time), the reply's headers, an empty line, and its body. */
#include "fuzz.h"
#include "fuzz_market.h"

#include "feed_clickhouse.h"

/* Caps that short inputs come to, too. */
#undef CLICKHOUSE_LINK_REPLY_MAX
#undef CLICKHOUSE_LINK_HEAD_MAX
#define CLICKHOUSE_LINK_REPLY_MAX 2048
#define CLICKHOUSE_LINK_HEAD_MAX 256

static long http_status;
static size_t piece;
static fuzz_input head, body;
static CURLMsg done = {.msg = CURLMSG_DONE};

typedef size_t taker(char *bytes, size_t size, size_t n, void *context);

/* As curl does, in pieces that the taker must not keep and may refuse. */
static bool hand_over(fuzz_input part, taker *take, void *context)
{
    while (part.left > 0) {
        const size_t n = part.left < piece ? part.left : piece;
        char *copy = fuzz_text((fuzz_input){part.at, n});
        const bool taken = take(copy, 1, n, context) == n;

        free(copy);
        if (!taken) return false;
        part.at += n;
        part.left -= n;
    }
    return true;
}

static CURLMcode perform_input(int *running);

#undef curl_easy_getinfo
#define curl_easy_getinfo(easy, what, out) (*(out) = http_status)
#define curl_multi_add_handle(multi, easy) (CURLM_OK)
#define curl_multi_remove_handle(multi, easy) ((void)(easy))
#define curl_multi_perform(multi, running) perform_input(running)
#define curl_multi_info_read(multi, left) ((void)(left), &done)
#include "clickhouse_link.c"
#undef POLL_MS
#include "feed_clickhouse.c"

static feed_clickhouse feed;

static CURLMcode perform_input(int *running)
{
    const bool taken =
        hand_over(head, take_head, &feed.link) && hand_over(body, take_body, &feed.link);

    done.data.result = taken ? CURLE_OK : CURLE_WRITE_ERROR;
    *running = 0;
    return CURLM_OK;
}

static uint64_t count_rows(const feed_clickhouse_state *s)
{
    uint64_t rows = 0;

    for (size_t i = 0; i < FEED_CLICKHOUSE_RESULTS; i++)
        rows += s->books[i];
    return rows;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const settings_clickhouse server = {.on = true, .origin = "http://127.0.0.1:8123"};
    fuzz_input in = {bytes, n};
    char *line = fuzz_text(fuzz_take_until(&in, "\n")), *rest;
    bool good;

    http_status = strtol(line, &rest, 10);
    piece = strtoul(rest, NULL, 10);
    if (piece == 0) piece = 16384; /* as much as curl hands over at a time */
    free(line);
    head = fuzz_take_until(&in, "\n\n");
    body = in;
    memset(&feed, 0, sizeof(feed));
    feed.server = &server;
    feed.live = fuzz_market_empty();
    pthread_mutex_init(&feed.lock, NULL);
    good = ask(&feed);
    pthread_mutex_destroy(&feed.lock);
    REQUIRE(feed.link.reply.n <= CLICKHOUSE_LINK_REPLY_MAX);
    REQUIRE(!good || (head.left <= CLICKHOUSE_LINK_HEAD_MAX && feed.link.reply.n == body.left));
    text_free(&feed.link.reply);
    REQUIRE(feed.state.polls == 1 && feed.state.failures == !good);
    REQUIRE(feed.state.connected == good && (feed.state.fault[0] == '\0') == good);
    REQUIRE(!good || http_status == 200);
    REQUIRE(count_rows(&feed.state) <= body.left);
    fuzz_market_check();
    return 0;
}
