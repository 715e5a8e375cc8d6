/* SPDX-License-Identifier: MIT
 * feed_redis: scores from Redis into the market. */
#include "feed_redis.h"

#include "clock.h"
#include "json.h"
#include "log.h"
#include "redis_link.h"

#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CHANNEL "sentiment:latest:"
#define BACKOFF_FIRST_MS 100
#define BACKOFF_MOST_MS 2000
#define PING_AFTER_MS 1000 /* of silence */
#define DEAD_AFTER_MS 3000 /* of silence, pings included */
#define KEY_BYTES_MOST "65000"

struct feed_redis {
    const settings_redis *server;
    live *live;
    int stop_fd;
    pthread_t thread;
    pthread_mutex_t lock; /* around the state */
    feed_redis_state state;
    unsigned seed; /* of the jitter */
};

typedef enum verdict { APPLIED, OLDER, MALFORMED, UNKNOWN_ASSET } verdict;

static void count(feed_redis *f, verdict v)
{
    pthread_mutex_lock(&f->lock);
    f->state.applied += v == APPLIED;
    f->state.older += v == OLDER;
    f->state.malformed += v == MALFORMED;
    f->state.unknown_asset += v == UNKNOWN_ASSET;
    pthread_mutex_unlock(&f->lock);
}

/* ---- one message ------------------------------------------------------------ */

/* Unix time in seconds or, above 1e11 (the year 5138 in seconds, 1973 in
 * milliseconds), in milliseconds; to the microsecond, which is what a double
 * holds of it. */
static bool read_time(double ts, int64_t *out)
{
    const double us = ts > 1e11 ? ts * 1e3 : ts * 1e6;

    if (!(us > 0.0 && us < 9.2e15)) return false;
    *out = llround(us) * 1000;
    return true;
}

static bool in_unit(double v)
{
    return v >= 0.0 && v <= 1.0;
}

/* A member that is there twice could be read either way, so it is not read. */
static bool repeats(const cJSON *object, const char *name)
{
    int n = 0;

    for (const cJSON *member = object->child; member != NULL; member = member->next)
        n += strcmp(member->string, name) == 0;
    return n > 1;
}

static bool read_members(const cJSON *object, live_update *out, problem *why)
{
    static const char *const names[] = {"score", "ts", "confidence"};
    double ts;
    bool given;

    for (size_t i = 0; i < 3; i++)
        if (repeats(object, names[i]))
            return problem_set(why, 0, "repeated", names[i], "%s is there twice", names[i]);
    out->confidence = 1.0;
    if (!json_number(object, "score", NULL, &out->score, why) ||
        !json_number(object, "ts", NULL, &ts, why) ||
        !json_number(object, "confidence", &given, &out->confidence, why))
        return false;
    if (!in_unit(out->score)) return problem_set(why, 0, "range", "score", "score outside 0 to 1");
    if (!in_unit(out->confidence))
        return problem_set(why, 0, "range", "confidence", "confidence outside 0 to 1");
    if (!read_time(ts, &out->score_ts_ns))
        return problem_set(why, 0, "range", "ts", "ts is not a Unix time");
    out->has_score = true;
    return true;
}

/* {"score": 0 to 1, "ts": Unix time, "confidence": 0 to 1}; members that we do
 * not know are the pipeline's own business. */
static bool read_message(const char *payload, size_t n, live_update *out, problem *why)
{
    cJSON *object = json_read_object(payload, n, why);
    bool ok;

    *out = (live_update){0};
    if (object == NULL) return false;
    ok = read_members(object, out, why);
    cJSON_Delete(object);
    return ok;
}

/* A time beyond the allowed skew would make every later score look older, so
 * it is malformed. */
static bool from_future(const live_policy *p, int32_t asset, int64_t ts_ns)
{
    return ts_ns - clock_wall_ns() > live_skew_ns(p, asset);
}

static verdict apply(feed_redis *f, const live_policy *p, const char *name,
                     const redisReply *payload)
{
    const int32_t asset = hedge_policy_asset(p->policy, name);
    problem why = {0};
    live_update update;

    if (asset < 0) return UNKNOWN_ASSET;
    if (!read_message(payload->str, (size_t)payload->len, &update, &why)) {
        LOG(LOG_WARN, "redis_malformed", LOG_TEXT("asset", name), LOG_TEXT("message", why.detail),
            LOG_TEXT("member", why.member));
        return MALFORMED;
    }
    if (from_future(p, asset, update.score_ts_ns)) {
        LOG(LOG_WARN, "redis_malformed", LOG_TEXT("asset", name),
            LOG_TEXT("message", "ts is in the future by more than max_clock_skew_ms"));
        return MALFORMED;
    }
    return live_put(f->live, p, asset, &update) == HEDGE_OK ? APPLIED : OLDER;
}

static void take(feed_redis *f, const char *key, const redisReply *payload)
{
    const size_t prefix = strlen(CHANNEL);
    live_policy *p;

    if (strncmp(key, CHANNEL, prefix) != 0) {
        count(f, UNKNOWN_ASSET);
        return;
    }
    p = live_acquire(f->live);
    count(f, apply(f, p, key + prefix, payload));
    live_release(p);
}

/* ---- a connection's life ------------------------------------------------------ */

static bool is_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING;
}

/* What a subscribed connection says: message, subscribe, pong. */
static void take_push(feed_redis *f, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 || !is_text(reply->element[0]) ||
        strcmp(reply->element[0]->str, "message") != 0)
        return;
    if (is_text(reply->element[1]) && is_text(reply->element[2]))
        take(f, reply->element[1]->str, reply->element[2]);
}

typedef char channel_name[sizeof(CHANNEL) + HEDGE_ASSET_NAME_MAX];

static void name_channel(const live_policy *p, size_t asset, channel_name out)
{
    snprintf(out, sizeof(channel_name), CHANNEL "%s",
             hedge_policy_asset_name(p->policy, (int32_t)asset));
}

static void not_what_was_asked(redis_link *link, const char *command, const redisReply *reply)
{
    snprintf(link->fault, sizeof(link->fault), "%s: %.150s", command,
             reply->str != NULL ? reply->str : "an answer of another kind");
}

/* Subscribes to one asset's channel and waits until the server has said so. */
static bool subscribe_one(feed_redis *f, redis_link *link, const channel_name channel)
{
    const char *const words[] = {"SUBSCRIBE", channel};
    bool done = false, ok = redis_link_send(link, 2, words);

    while (ok && !done) {
        redisReply *reply;

        if (redis_link_next(link, DEAD_AFTER_MS, &reply) != REDIS_LINK_REPLY) return false;
        ok = reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 && is_text(reply->element[0]);
        if (!ok)
            not_what_was_asked(link, "SUBSCRIBE", reply);
        else if (strcmp(reply->element[0]->str, "subscribe") == 0)
            done = true;
        else
            take_push(f, reply); /* a score that came between */
        freeReplyObject(reply);
    }
    return ok;
}

static bool subscribe(feed_redis *f, redis_link *link, const live_policy *p)
{
    for (size_t i = 0; i < hedge_policy_asset_count(p->policy); i++) {
        channel_name channel;

        name_channel(p, i, channel);
        if (!subscribe_one(f, link, channel)) return false;
    }
    return true;
}

/* Reads one key as it is now. A range of it: whatever somebody has stored
 * there, the answer is short, and the other assets are not held up. */
static bool read_key(feed_redis *f, redis_link *link, const channel_name key)
{
    const char *const words[] = {"GETRANGE", key, "0", KEY_BYTES_MOST};
    redisReply *reply = NULL;
    bool ok;

    if (!redis_link_send(link, 4, words) ||
        redis_link_next(link, DEAD_AFTER_MS, &reply) != REDIS_LINK_REPLY)
        return false;
    ok = is_text(reply);
    if (ok && reply->len > 0) take(f, key, reply);
    if (!ok && reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "WRONGTYPE", 9) == 0) {
        count(f, MALFORMED); /* a list or so: the asset's own trouble */
        ok = true;
    }
    if (!ok) not_what_was_asked(link, "GETRANGE", reply);
    freeReplyObject(reply);
    return ok;
}

/* Reads all keys. Another connection: a subscribed one may not. */
static bool snapshot(feed_redis *f, const live_policy *p, char fault[REDIS_LINK_FAULT_MAX])
{
    redis_link link;
    bool ok = redis_link_open(&link, f->server, f->stop_fd);

    for (size_t i = 0; ok && i < hedge_policy_asset_count(p->policy); i++) {
        channel_name key;

        name_channel(p, i, key);
        ok = read_key(f, &link, key);
    }
    if (!ok) snprintf(fault, REDIS_LINK_FAULT_MAX, "%s", link.fault);
    redis_link_close(&link);
    return ok;
}

/* Takes messages until the connection breaks, or the assets change. */
static void follow(feed_redis *f, redis_link *link, uint32_t generation)
{
    static const char *const ping[] = {"PING"};
    int64_t heard_ns = clock_steady_ns();

    while (live_generation(f->live) == generation) {
        redisReply *reply;

        switch (redis_link_next(link, PING_AFTER_MS, &reply)) {
        case REDIS_LINK_REPLY:
            heard_ns = clock_steady_ns();
            take_push(f, reply);
            freeReplyObject(reply);
            break;
        case REDIS_LINK_QUIET:
            if (clock_steady_ns() - heard_ns > DEAD_AFTER_MS * NS_PER_MS) {
                snprintf(link->fault, sizeof(link->fault), "no answer to PING");
                return;
            }
            if (!redis_link_send(link, 1, ping)) return;
            break;
        case REDIS_LINK_BROKEN:
            return;
        }
    }
    snprintf(link->fault, sizeof(link->fault), "the policy changed; subscribing anew");
}

static void set_connected(feed_redis *f, bool connected)
{
    pthread_mutex_lock(&f->lock);
    f->state.connects += connected;
    f->state.losses += f->state.connected && !connected;
    f->state.connected = connected;
    pthread_mutex_unlock(&f->lock);
}

/* One connection from beginning to end. True: it had been up. */
static bool session(feed_redis *f)
{
    const uint32_t generation = live_generation(f->live);
    redis_link link;
    live_policy *p;
    bool up = false;

    if (redis_link_open(&link, f->server, f->stop_fd)) {
        p = live_acquire(f->live);
        up = subscribe(f, &link, p) && snapshot(f, p, link.fault);
        live_release(p);
        if (up) {
            set_connected(f, true);
            LOG(LOG_INFO, "redis_connected", LOG_TEXT("host", f->server->host),
                LOG_NUMBER("port", f->server->port));
            follow(f, &link, generation);
            set_connected(f, false);
        }
        redis_link_close(&link);
    }
    if (strcmp(link.fault, "stopping") != 0)
        LOG(LOG_WARN, up ? "redis_lost" : "redis_unreachable", LOG_TEXT("host", f->server->host),
            LOG_NUMBER("port", f->server->port), LOG_TEXT("message", link.fault));
    return up;
}

/* True: the daemon stops. Half of the wait is jitter, so that replicas that
 * lost one server do not come back to it all at once. */
static bool pause_or_stop(feed_redis *f, int wait_ms)
{
    struct pollfd stop = {.fd = f->stop_fd, .events = POLLIN};

    return poll(&stop, 1, wait_ms / 2 + rand_r(&f->seed) % (wait_ms / 2 + 1)) > 0;
}

static void *feed_main(void *argument)
{
    feed_redis *f = argument;
    int wait_ms = BACKOFF_FIRST_MS;

    for (;;) {
        if (session(f))
            wait_ms = BACKOFF_FIRST_MS;
        else
            wait_ms = wait_ms * 2 < BACKOFF_MOST_MS ? wait_ms * 2 : BACKOFF_MOST_MS;
        if (pause_or_stop(f, wait_ms)) return NULL;
    }
}

feed_redis *feed_redis_new(const settings_redis *server, live *l)
{
    feed_redis *f = calloc(1, sizeof(*f));

    if (f == NULL) return NULL;
    *f = (feed_redis){.server = server, .live = l, .seed = (unsigned)clock_wall_ns()};
    pthread_mutex_init(&f->lock, NULL);
    f->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (f->stop_fd < 0 || pthread_create(&f->thread, NULL, feed_main, f) != 0) {
        if (f->stop_fd >= 0) close(f->stop_fd);
        free(f);
        return NULL;
    }
    return f;
}

void feed_redis_free(feed_redis *f)
{
    if (f == NULL) return;
    eventfd_write(f->stop_fd, 1);
    pthread_join(f->thread, NULL);
    close(f->stop_fd);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

void feed_redis_read_state(feed_redis *f, feed_redis_state *out)
{
    pthread_mutex_lock(&f->lock);
    *out = f->state;
    pthread_mutex_unlock(&f->lock);
}
