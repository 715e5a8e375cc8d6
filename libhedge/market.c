/* SPDX-License-Identifier: MIT
 * market: the newest quote of each asset, read without waiting.
 *
 * Each slot holds its quote twice (the left-right technique: P. Ramalhete,
 * A. Correia, "Left-Right", 2013). Readers announce themselves in one of two
 * counters and read the active copy; a writer changes the other copy, makes it
 * the active one, and changes the first only when the readers that might still
 * look at it have left. A reader does four steps whatever a writer does. */
#include <hedge/hedge.h>

#include "policy.h"
#include "struct_size.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_LINE 64

typedef struct slot {
    _Alignas(CACHE_LINE) hedge_quote copy[2];
    _Alignas(CACHE_LINE) atomic_uint active; /* the copy to read */
    atomic_uint counter;                     /* the counter to arrive at */
    _Alignas(CACHE_LINE) atomic_uint readers[2];
    char name[HEDGE_ASSET_NAME_MAX + 1];
} slot;

struct hedge_market {
    slot *slots;
    size_t capacity;
    atomic_size_t count;
};

int32_t hedge_market_new(size_t capacity, hedge_market **out)
{
    hedge_market *market;

    if (out == NULL) return HEDGE_E_ARG;
    *out = NULL;
    if (capacity < 1 || capacity > HEDGE_ASSETS_MAX) return HEDGE_E_ARG;
    market = calloc(1, sizeof(*market));
    if (market == NULL) return HEDGE_E_NOMEM;
    market->slots = aligned_alloc(CACHE_LINE, capacity * sizeof(slot));
    if (market->slots == NULL) {
        free(market);
        return HEDGE_E_NOMEM;
    }
    market->capacity = capacity;
    *out = market;
    return HEDGE_OK;
}

void hedge_market_free(hedge_market *market)
{
    if (market == NULL) return;
    free(market->slots);
    free(market);
}

static slot *slot_at(const hedge_market *market, int32_t i)
{
    if (market == NULL || i < 0) return NULL;
    if ((size_t)i >= atomic_load_explicit(&market->count, memory_order_acquire)) return NULL;
    return &market->slots[i];
}

int32_t hedge_market_add(hedge_market *market, const char *name)
{
    const hedge_quote empty = HEDGE_INIT(hedge_quote);
    size_t count;
    slot *s;

    if (market == NULL || name == NULL || !policy_name_ok(name)) return HEDGE_E_ARG;
    count = atomic_load_explicit(&market->count, memory_order_relaxed);
    for (size_t i = 0; i < count; i++)
        if (strcmp(market->slots[i].name, name) == 0) return (int32_t)i;
    if (count == market->capacity) return HEDGE_E_TOO_LARGE;
    s = &market->slots[count];
    memset(s, 0, sizeof(*s));
    s->copy[0] = s->copy[1] = empty;
    strcpy(s->name, name); /* fits: checked above */
    atomic_store_explicit(&market->count, count + 1, memory_order_release);
    return (int32_t)count;
}

/* The quote as the writer sees it. Only a writer may look without arriving. */
static const hedge_quote *held(const slot *s)
{
    return &s->copy[atomic_load_explicit(&s->active, memory_order_relaxed)];
}

static void wait_until_left(slot *s, unsigned counter)
{
    while (atomic_load(&s->readers[counter]) != 0)
        sched_yield();
}

/* The order of these steps is the technique; each store and load that decides
 * it is sequentially consistent. */
static void publish(slot *s, const hedge_quote *quote)
{
    const unsigned old = atomic_load_explicit(&s->active, memory_order_relaxed);
    const unsigned before = atomic_load_explicit(&s->counter, memory_order_relaxed);

    s->copy[1 - old] = *quote;
    atomic_store(&s->active, 1 - old);
    wait_until_left(s, 1 - before);
    atomic_store(&s->counter, 1 - before);
    wait_until_left(s, before);
    s->copy[old] = *quote;
}

int32_t hedge_market_put_score(hedge_market *market, int32_t i, double score, double confidence,
                               int64_t ts_ns)
{
    slot *s = slot_at(market, i);
    hedge_quote q;

    if (s == NULL) return HEDGE_E_ARG;
    q = *held(s);
    if (q.flags & HEDGE_QUOTE_SCORE) {
        if (ts_ns < q.score_ts_ns) return HEDGE_E_OLDER;
        /* The same one again, as after a reconnect, must not wipe out the one before. */
        if (ts_ns == q.score_ts_ns && score == q.score && confidence == q.confidence)
            return HEDGE_OK;
        q.previous_score = q.score;
        q.flags |= HEDGE_QUOTE_PREVIOUS;
    }
    q.score = score;
    q.confidence = confidence;
    q.score_ts_ns = ts_ns;
    q.flags |= HEDGE_QUOTE_SCORE;
    publish(s, &q);
    return HEDGE_OK;
}

int32_t hedge_market_put_depth(hedge_market *market, int32_t i, double depth1pct_usd, int64_t ts_ns)
{
    slot *s = slot_at(market, i);
    hedge_quote q;

    if (s == NULL) return HEDGE_E_ARG;
    q = *held(s);
    if ((q.flags & HEDGE_QUOTE_DEPTH) && ts_ns < q.depth_ts_ns) return HEDGE_E_OLDER;
    q.depth1pct_usd = depth1pct_usd;
    q.depth_ts_ns = ts_ns;
    q.flags |= HEDGE_QUOTE_DEPTH;
    publish(s, &q);
    return HEDGE_OK;
}

int32_t hedge_market_reset(hedge_market *market, int32_t i)
{
    slot *s = slot_at(market, i);
    hedge_quote q = HEDGE_INIT(hedge_quote);

    if (s == NULL) return HEDGE_E_ARG;
    q.flags = held(s)->flags & HEDGE_QUOTE_HALTED;
    publish(s, &q);
    return HEDGE_OK;
}

int32_t hedge_market_put_halt(hedge_market *market, int32_t i, int halted)
{
    slot *s = slot_at(market, i);
    hedge_quote q;

    if (s == NULL) return HEDGE_E_ARG;
    q = *held(s);
    q.flags = halted ? q.flags | HEDGE_QUOTE_HALTED : q.flags & ~HEDGE_QUOTE_HALTED;
    publish(s, &q);
    return HEDGE_OK;
}

int32_t hedge_market_read(const hedge_market *market, int32_t i, hedge_quote *out)
{
    slot *s = slot_at(market, i);
    unsigned counter;
    hedge_quote q;

    if (s == NULL || out == NULL) return HEDGE_E_ARG;
    if (!struct_size_room(out->struct_size, OLDEST_QUOTE)) return HEDGE_E_STRUCT_SIZE;
    counter = atomic_load(&s->counter);
    atomic_fetch_add(&s->readers[counter], 1);
    q = s->copy[atomic_load(&s->active)];
    atomic_fetch_sub_explicit(&s->readers[counter], 1, memory_order_release);
    struct_size_answer(out, &q, sizeof(q));
    return HEDGE_OK;
}
