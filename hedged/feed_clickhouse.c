/* SPDX-License-Identifier: MIT
 * feed_clickhouse: depth from ClickHouse into the market. */
#include "feed_clickhouse.h"

#include "clock.h"
#include "json.h"
#include "log.h"

#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MOST_MS 2000

/* A book of one slot of the market, which belongs to one name for good. */
typedef struct slot_book {
    feed_clickhouse_book book;
    uint64_t reply; /* the number of the reply that it stands in */
} slot_book;

struct feed_clickhouse {
    const settings_clickhouse *server;
    live *live;
    int stop_fd;
    pthread_t thread;
    clickhouse_link link;
    pthread_mutex_t lock; /* around the next four */
    feed_clickhouse_state state;
    slot_book books[HEDGE_ASSETS_MAX];
    uint64_t reply; /* the one that is being taken */
    uint64_t whole; /* the last one that was taken to its end */
    unsigned seed;  /* of the jitter */
};

const char *feed_clickhouse_result_name(feed_clickhouse_result result)
{
    static const char *const names[FEED_CLICKHOUSE_RESULTS] = {
        "applied", "older", "malformed", "unknown_asset", "crossed", "one_sided", "future"};

    return names[result];
}

/* ---- one row --------------------------------------------------------------------- */

typedef struct row {
    const char *asset; /* in the tree */
    feed_clickhouse_book book;
    bool has_depth;
    double depth1pct_usd;
    int64_t ts_ns;
} row;

/* A number, or null where there is none. */
static bool read_nullable(const cJSON *object, const char *name, bool *has, double *out, problem *p)
{
    *has = !cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(object, name));
    return !*has || json_number(object, name, NULL, out, p);
}

/* To the microsecond, as PUT /quotes has it. */
static bool read_time(double ms, int64_t *out)
{
    if (!(ms > 0.0 && ms < 9.2e12)) return false;
    *out = llround(ms * 1000.0) * 1000;
    return true;
}

static bool read_row(const cJSON *object, row *out, problem *p)
{
    static const char *const names[] = {"asset",         "best_bid", "best_ask",
                                        "depth1pct_usd", "ts_ms",    NULL};
    feed_clickhouse_book *b = &out->book;
    double ms;

    if (!json_check_members(object, names, p) || !json_string(object, "asset", &out->asset, p) ||
        !read_nullable(object, "best_bid", &b->has_bid, &b->best_bid, p) ||
        !read_nullable(object, "best_ask", &b->has_ask, &b->best_ask, p) ||
        !read_nullable(object, "depth1pct_usd", &out->has_depth, &out->depth1pct_usd, p) ||
        !json_number(object, "ts_ms", NULL, &ms, p))
        return false;
    if ((b->has_bid && !(b->best_bid > 0.0)) || (b->has_ask && !(b->best_ask > 0.0)))
        return problem_set(p, 422, "bad_value",
                           b->has_bid && !(b->best_bid > 0.0) ? "best_bid" : "best_ask",
                           "must be a price above 0");
    if (!read_time(ms, &out->ts_ns))
        return problem_set(p, 422, "bad_value", "ts_ms", "must be a Unix time in milliseconds");
    b->result = !b->has_bid || !b->has_ask     ? FEED_CLICKHOUSE_ONE_SIDED
                : !(b->best_bid < b->best_ask) ? FEED_CLICKHOUSE_CROSSED
                                               : FEED_CLICKHOUSE_APPLIED;
    if (b->result == FEED_CLICKHOUSE_APPLIED && !(out->has_depth && out->depth1pct_usd >= 0.0))
        return problem_set(p, 422, "bad_value", "depth1pct_usd",
                           "must be a number, 0 or more, of a book that has both sides");
    return true;
}

static feed_clickhouse_result put(feed_clickhouse *f, const live_policy *policy, int32_t asset,
                                  const row *r)
{
    const live_update update = {
        .has_depth = true, .depth1pct_usd = r->depth1pct_usd, .depth_ts_ns = r->ts_ns};

    /* Such a time would make every later depth look older. */
    if (r->ts_ns - clock_wall_ns() > live_skew_ns(policy, asset)) return FEED_CLICKHOUSE_FUTURE;
    return live_put(f->live, policy, asset, &update) == HEDGE_OK ? FEED_CLICKHOUSE_APPLIED
                                                                 : FEED_CLICKHOUSE_OLDER;
}

/* ---- what is remembered of a book --------------------------------------------------- */

/* A book without depth, its time out of line, or sound. */
static bool is_trouble(feed_clickhouse_result result)
{
    return result == FEED_CLICKHOUSE_CROSSED || result == FEED_CLICKHOUSE_ONE_SIDED ||
           result == FEED_CLICKHOUSE_FUTURE;
}

/* A line where an asset's book goes from one state to another. */
static void log_change(const char *asset, feed_clickhouse_result before,
                       const feed_clickhouse_book *now)
{
    if (now->result == before || (!is_trouble(now->result) && !is_trouble(before))) return;
    LOG(is_trouble(now->result) ? LOG_WARN : LOG_INFO, "clickhouse_book", LOG_TEXT("asset", asset),
        LOG_TEXT("result", feed_clickhouse_result_name(now->result)),
        LOG_NUMBER("best_bid", now->has_bid ? now->best_bid : (double)NAN),
        LOG_NUMBER("best_ask", now->has_ask ? now->best_ask : (double)NAN));
}

static void remember(feed_clickhouse *f, int32_t slot, const char *asset,
                     const feed_clickhouse_book *book)
{
    feed_clickhouse_result before;

    pthread_mutex_lock(&f->lock);
    before = f->books[slot].reply != 0 ? f->books[slot].book.result : FEED_CLICKHOUSE_APPLIED;
    f->books[slot] = (slot_book){.book = *book, .reply = f->reply};
    pthread_mutex_unlock(&f->lock);
    log_change(asset, before, book);
}

/* ---- one reply ------------------------------------------------------------------------ */

static feed_clickhouse_result take_row(feed_clickhouse *f, const live_policy *policy,
                                       const cJSON *object, problem *why)
{
    int32_t asset;
    row r = {0};

    if (!read_row(object, &r, why)) return FEED_CLICKHOUSE_MALFORMED;
    asset = hedge_policy_asset(policy->policy, r.asset);
    if (asset < 0) return FEED_CLICKHOUSE_UNKNOWN_ASSET;
    if (f->books[policy->slots[asset]].reply == f->reply) { /* this thread alone writes them */
        problem_set(why, 422, "bad_value", "asset", "%.31s has two rows", r.asset);
        return FEED_CLICKHOUSE_MALFORMED;
    }
    if (r.book.result == FEED_CLICKHOUSE_APPLIED) r.book.result = put(f, policy, asset, &r);
    remember(f, policy->slots[asset], r.asset, &r.book);
    return r.book.result;
}

/* One line, which ends with NUL. */
static feed_clickhouse_result take_line(feed_clickhouse *f, const live_policy *policy,
                                        const char *line, size_t n, problem *why)
{
    cJSON *object = json_read_object(line, n, why);
    feed_clickhouse_result result = FEED_CLICKHOUSE_MALFORMED;

    if (object != NULL) result = take_row(f, policy, object, why);
    cJSON_Delete(object);
    pthread_mutex_lock(&f->lock);
    f->state.books[result]++;
    pthread_mutex_unlock(&f->lock);
    if (result == FEED_CLICKHOUSE_MALFORMED)
        LOG(LOG_WARN, "clickhouse_malformed", LOG_TEXT("message", why->detail),
            LOG_TEXT("member", why->member));
    return result;
}

/* False, and a fault: it has rows, and none of them can be read. */
static bool take_reply(feed_clickhouse *f, const live_policy *policy, text *reply, char *fault)
{
    char *line = reply->bytes, *end;
    size_t read = 0, malformed = 0;
    problem why = {0};

    if (reply->n == 0) return true; /* no books */
    end = line + reply->n;
    while (line < end) {
        char *stop = memchr(line, '\n', (size_t)(end - line));

        if (stop == NULL) stop = end;
        *stop = '\0';
        if (take_line(f, policy, line, (size_t)(stop - line), &why) == FEED_CLICKHOUSE_MALFORMED)
            malformed++;
        else
            read++;
        line = stop + 1;
    }
    if (malformed == 0 || read > 0) return true;
    snprintf(fault, CLICKHOUSE_LINK_FAULT_MAX,
             "no row of the reply can be read; the last one: %.40s%s%.120s", why.member,
             why.member[0] != '\0' ? ": " : "", why.detail);
    return false;
}

/* ---- polling ---------------------------------------------------------------------------- */

/* What the poll has come to; logs where that is news, and each failure. */
static void conclude(feed_clickhouse *f, bool good, int64_t duration_ns)
{
    bool before;

    pthread_mutex_lock(&f->lock);
    before = f->state.connected;
    f->state.connected = good;
    f->state.polls++;
    f->state.failures += !good;
    if (good) {
        f->state.query_seconds = (double)duration_ns / NS_PER_S;
        f->whole = f->reply;
    }
    snprintf(f->state.fault, sizeof(f->state.fault), "%s", good ? "" : f->link.fault);
    pthread_mutex_unlock(&f->lock);
    if (good && !before)
        LOG(LOG_INFO, "clickhouse_connected", LOG_TEXT("url", f->server->origin),
            LOG_NUMBER("query_ms", (double)duration_ns / NS_PER_MS));
    if (!good)
        LOG(LOG_WARN, before ? "clickhouse_lost" : "clickhouse_unreachable",
            LOG_TEXT("url", f->server->origin), LOG_TEXT("message", f->link.fault));
}

/* One poll. True: it went well. */
static bool ask(feed_clickhouse *f)
{
    const int64_t begin_ns = clock_steady_ns();
    const clickhouse_link_result result = clickhouse_link_ask(&f->link);
    const int64_t duration_ns = clock_steady_ns() - begin_ns;
    bool good = result == CLICKHOUSE_LINK_REPLY;

    if (result == CLICKHOUSE_LINK_STOPPED) return false;
    if (good) {
        live_policy *policy = live_acquire(f->live);

        pthread_mutex_lock(&f->lock);
        f->reply++;
        pthread_mutex_unlock(&f->lock);
        good = take_reply(f, policy, &f->link.reply, f->link.fault);
        live_release(policy);
    }
    conclude(f, good, duration_ns);
    return good;
}

/* True: the daemon stops. */
static bool pause_or_stop(feed_clickhouse *f, int wait_ms)
{
    struct pollfd stop = {.fd = f->stop_fd, .events = POLLIN};

    return poll(&stop, 1, wait_ms) > 0;
}

/* Half of the wait behind a failure is jitter, so that replicas that lost one
 * server do not come back to it all at once. */
static void *feed_main(void *argument)
{
    feed_clickhouse *f = argument;
    int backoff_ms = BACKOFF_FIRST_MS, wait_ms;

    do {
        if (ask(f)) {
            backoff_ms = BACKOFF_FIRST_MS;
            wait_ms = f->server->interval_ms;
        } else {
            backoff_ms = backoff_ms * 2 < BACKOFF_MOST_MS ? backoff_ms * 2 : BACKOFF_MOST_MS;
            wait_ms = backoff_ms / 2 + rand_r(&f->seed) % (backoff_ms / 2 + 1);
        }
    } while (!pause_or_stop(f, wait_ms));
    return NULL;
}

feed_clickhouse *feed_clickhouse_new(const settings_clickhouse *server, live *l)
{
    feed_clickhouse *f;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return NULL;
    f = calloc(1, sizeof(*f));
    if (f == NULL) return NULL;
    f->server = server;
    f->live = l;
    f->seed = (unsigned)clock_wall_ns();
    snprintf(f->state.fault, sizeof(f->state.fault), "no answer yet");
    pthread_mutex_init(&f->lock, NULL);
    f->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (f->stop_fd >= 0 && clickhouse_link_open(&f->link, server, f->stop_fd)) {
        if (pthread_create(&f->thread, NULL, feed_main, f) == 0) return f;
        clickhouse_link_close(&f->link);
    }
    if (f->stop_fd >= 0) close(f->stop_fd);
    pthread_mutex_destroy(&f->lock);
    free(f);
    return NULL;
}

void feed_clickhouse_free(feed_clickhouse *f)
{
    if (f == NULL) return;
    eventfd_write(f->stop_fd, 1);
    pthread_join(f->thread, NULL);
    clickhouse_link_close(&f->link);
    close(f->stop_fd);
    pthread_mutex_destroy(&f->lock);
    free(f);
    curl_global_cleanup();
}

void feed_clickhouse_read_state(feed_clickhouse *f, feed_clickhouse_state *out)
{
    pthread_mutex_lock(&f->lock);
    *out = f->state;
    pthread_mutex_unlock(&f->lock);
}

bool feed_clickhouse_read_book(feed_clickhouse *f, const live_policy *policy, int32_t asset,
                               feed_clickhouse_book *out)
{
    const slot_book *s = &f->books[policy->slots[asset]];
    bool there;

    pthread_mutex_lock(&f->lock);
    there = s->reply != 0 && s->reply >= f->whole;
    *out = s->book;
    pthread_mutex_unlock(&f->lock);
    return there;
}
