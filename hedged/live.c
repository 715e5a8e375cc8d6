/* SPDX-License-Identifier: MIT
 * live: the policy and the market that decisions are made from right now. */
#include "live.h"

#include "clock.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

struct live {
    hedge_market *market;
    pthread_mutex_t policy_lock; /* around `current` and its first user */
    pthread_mutex_t market_lock; /* writers of the market take turns */
    live_policy *current;
    atomic_uint generation;

    /* Under market_lock: what is halted, by slot, and how many slots there are. */
    bool all_halted, halted[HEDGE_ASSETS_MAX];
    int32_t slots;
    atomic_uint halts; /* odd while slots are being halted or resumed */
};

/* Under market_lock. A slot is halted before anybody can read it. A negative
 * code: the market is full. */
static int32_t add_slot(live *l, const char *name)
{
    const int32_t slot = hedge_market_add(l->market, name);

    if (slot < 0) return slot;
    if (slot >= l->slots) l->slots = slot + 1;
    if (l->all_halted || l->halted[slot]) hedge_market_put_halt(l->market, slot, 1);
    return slot;
}

static void policy_free(live_policy *p)
{
    hedge_policy_free((hedge_policy *)(uintptr_t)p->policy); /* ours: taken over in policy_new */
    free((void *)(uintptr_t)p->slots);
    free(p);
}

/* Takes over the policy on success only. */
static live_policy *policy_new(live *l, hedge_policy *policy)
{
    const size_t n = hedge_policy_asset_count(policy);
    live_policy *p = calloc(1, sizeof(*p));
    int32_t *slots = calloc(n, sizeof(*slots));

    if (p == NULL || slots == NULL) goto fail;
    pthread_mutex_lock(&l->market_lock);
    for (size_t i = 0; i < n; i++)
        slots[i] = add_slot(l, hedge_policy_asset_name(policy, (int32_t)i));
    pthread_mutex_unlock(&l->market_lock);
    for (size_t i = 0; i < n; i++)
        if (slots[i] < 0) goto fail; /* the market is full of assets of older policies */
    p->policy = policy;
    p->slots = slots;
    atomic_init(&p->users, 1);
    return p;
fail:
    free(slots);
    free(p);
    return NULL;
}

live *live_new(hedge_policy *policy)
{
    live *l = calloc(1, sizeof(*l));

    if (l == NULL || hedge_market_new(HEDGE_ASSETS_MAX, &l->market) != HEDGE_OK) goto fail;
    pthread_mutex_init(&l->policy_lock, NULL);
    pthread_mutex_init(&l->market_lock, NULL);
    l->current = policy_new(l, policy);
    if (l->current == NULL) goto fail;
    return l;
fail:
    hedge_policy_free(policy);
    if (l != NULL) hedge_market_free(l->market);
    free(l);
    return NULL;
}

void live_free(live *l)
{
    if (l == NULL) return;
    live_release(l->current);
    hedge_market_free(l->market);
    pthread_mutex_destroy(&l->policy_lock);
    pthread_mutex_destroy(&l->market_lock);
    free(l);
}

live_policy *live_acquire(live *l)
{
    live_policy *p;

    pthread_mutex_lock(&l->policy_lock);
    p = l->current;
    atomic_fetch_add_explicit(&p->users, 1, memory_order_relaxed);
    pthread_mutex_unlock(&l->policy_lock);
    return p;
}

void live_release(live_policy *p)
{
    if (p != NULL && atomic_fetch_sub(&p->users, 1) == 1) policy_free(p);
}

static bool same_assets(const hedge_policy *a, const hedge_policy *b)
{
    const size_t n = hedge_policy_asset_count(a);

    if (hedge_policy_asset_count(b) != n) return false;
    for (int32_t i = 0; (size_t)i < n; i++) /* both are sorted by name */
        if (strcmp(hedge_policy_asset_name(a, i), hedge_policy_asset_name(b, i)) != 0) return false;
    return true;
}

live_policy *live_prepare(live *l, hedge_policy *policy)
{
    live_policy *next = policy_new(l, policy);

    if (next == NULL) hedge_policy_free(policy);
    return next;
}

void live_publish(live *l, live_policy *next)
{
    live_policy *before;

    pthread_mutex_lock(&l->policy_lock);
    before = l->current;
    l->current = next;
    pthread_mutex_unlock(&l->policy_lock);
    if (!same_assets(before->policy, next->policy)) atomic_fetch_add(&l->generation, 1);
    live_release(before);
}

uint32_t live_generation(const live *l)
{
    return atomic_load(&((live *)(uintptr_t)l)->generation);
}

hedge_quote live_quote(const live *l, const live_policy *policy, int32_t asset)
{
    hedge_quote quote = HEDGE_INIT(hedge_quote);

    if (asset >= 0) hedge_market_read(l->market, policy->slots[asset], &quote);
    return quote;
}

void live_quotes(const live *l, const live_policy *policy, hedge_quote *quotes)
{
    const size_t n = hedge_policy_asset_count(policy->policy);

    for (;;) {
        const unsigned before = atomic_load(&((live *)(uintptr_t)l)->halts);

        for (size_t i = 0; i < n; i++)
            quotes[i] = live_quote(l, policy, (int32_t)i);
        if (before % 2 == 0 && atomic_load(&((live *)(uintptr_t)l)->halts) == before) return;
        sched_yield();
    }
}

/* ---- halts ------------------------------------------------------------------ */

void live_halt(live *l, const char *asset, bool halted)
{
    int32_t slot;

    pthread_mutex_lock(&l->market_lock);
    slot = add_slot(l, asset);
    if (slot >= 0) { /* else no policy with this name can go live */
        l->halted[slot] = halted;
        hedge_market_put_halt(l->market, slot, l->all_halted || halted);
    }
    pthread_mutex_unlock(&l->market_lock);
}

void live_halt_all(live *l, bool halted)
{
    pthread_mutex_lock(&l->market_lock);
    l->all_halted = halted;
    atomic_fetch_add(&l->halts, 1);
    for (int32_t slot = 0; slot < l->slots; slot++)
        hedge_market_put_halt(l->market, slot, halted || l->halted[slot]);
    atomic_fetch_add(&l->halts, 1);
    pthread_mutex_unlock(&l->market_lock);
}

/* ---- updates ---------------------------------------------------------------- */

static bool is_older(const hedge_quote *held, const live_update *u)
{
    return (u->has_score && (held->flags & HEDGE_QUOTE_SCORE) &&
            u->score_ts_ns < held->score_ts_ns) ||
           (u->has_depth && (held->flags & HEDGE_QUOTE_DEPTH) &&
            u->depth_ts_ns < held->depth_ts_ns);
}

int64_t live_skew_ns(const live_policy *policy, int32_t asset)
{
    hedge_rules rules = HEDGE_INIT(hedge_rules);

    if (hedge_policy_rules(policy->policy, asset, &rules) != HEDGE_OK) return 0;
    return (int64_t)(rules.limits[HEDGE_BREAKER(HEDGE_TRIP_CLOCK_SKEW)].limit * NS_PER_MS);
}

static bool from_future(const hedge_quote *held, int64_t latest_ns)
{
    return ((held->flags & HEDGE_QUOTE_SCORE) && held->score_ts_ns > latest_ns) ||
           ((held->flags & HEDGE_QUOTE_DEPTH) && held->depth_ts_ns > latest_ns);
}

/* Forgets what is held from the future, and keeps the half that is not. Until
 * the update the slot has no quote, where it tripped the clock's breaker before. */
static void forget_early(live *l, int32_t slot, const hedge_quote *held, int64_t latest_ns)
{
    hedge_market_reset(l->market, slot);
    if ((held->flags & HEDGE_QUOTE_SCORE) && held->score_ts_ns <= latest_ns)
        hedge_market_put_score(l->market, slot, held->score, held->confidence, held->score_ts_ns);
    if ((held->flags & HEDGE_QUOTE_DEPTH) && held->depth_ts_ns <= latest_ns)
        hedge_market_put_depth(l->market, slot, held->depth1pct_usd, held->depth_ts_ns);
}

int32_t live_put(live *l, const live_policy *policy, int32_t asset, const live_update *update)
{
    const int32_t slot = policy->slots[asset];
    int32_t code = HEDGE_OK;
    hedge_quote held;
    int64_t latest_ns;

    pthread_mutex_lock(&l->market_lock);
    held = live_quote(l, policy, asset);
    latest_ns = clock_wall_ns() + live_skew_ns(policy, asset);
    if (from_future(&held, latest_ns)) {
        forget_early(l, slot, &held, latest_ns);
        held = live_quote(l, policy, asset);
    }
    if (is_older(&held, update)) {
        code = HEDGE_E_OLDER;
    } else {
        if (update->has_score)
            code = hedge_market_put_score(l->market, slot, update->score, update->confidence,
                                          update->score_ts_ns);
        if (update->has_depth && code == HEDGE_OK)
            code =
                hedge_market_put_depth(l->market, slot, update->depth1pct_usd, update->depth_ts_ns);
    }
    pthread_mutex_unlock(&l->market_lock);
    return code;
}
