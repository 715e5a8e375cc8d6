/* SPDX-License-Identifier: MIT
 * live: the policy and the market that decisions are made from right now. */
#ifndef HEDGED_LIVE_H
#define HEDGED_LIVE_H

#include <hedge/hedge.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct live live;

/* One policy while it is in use. Its market slots are looked up once, when it
 * goes live. */
typedef struct live_policy {
    const hedge_policy *policy;
    const int32_t *slots; /* of asset i */
    atomic_int users;     /* live's own business */
} live_policy;

/* Takes over the policy. NULL: no memory, and the policy is freed. */
live *live_new(hedge_policy *policy);
void live_free(live *l);

/* The policy of now, to be released. A decision, or a batch of them, uses one
 * policy from beginning to end, whatever is reloaded meanwhile. Any thread. */
live_policy *live_acquire(live *l);
void live_release(live_policy *policy);

/* Readies a policy to go live and takes it over: whatever can fail, fails here.
 * NULL: no memory, or more than HEDGE_ASSETS_MAX names since the start. To be
 * published, or released. */
live_policy *live_prepare(live *l, hedge_policy *policy);
/* Makes it the live one. One caller at a time. */
void live_publish(live *l, live_policy *next);
/* Goes up at each publication that changes which assets there are. */
uint32_t live_generation(const live *l);

/* What the market says of asset i of the policy; flags is 0 for i < 0. */
hedge_quote live_quote(const live *l, const live_policy *policy, int32_t asset);

/* The quotes of all assets of the policy, into room for them; a halt of all is in
 * every one of them or in none. */
void live_quotes(const live *l, const live_policy *policy, hedge_quote *quotes);

/* Halts one asset, or all of them, or takes that back: an asset is halted while
 * either says so. Holds for names that only a later policy knows, too. Any
 * quote that is read after the return says it. Any thread. */
void live_halt(live *l, const char *asset, bool halted);
void live_halt_all(live *l, bool halted);

/* One update of an asset's quote: either part or both. */
typedef struct live_update {
    bool has_score, has_depth;
    double score, confidence, depth1pct_usd;
    int64_t score_ts_ns, depth_ts_ns;
} live_update;

/* How far the clocks may differ: max_clock_skew_ms of the asset. */
int64_t live_skew_ns(const live_policy *policy, int32_t asset);

/* Applies the whole update or, if a part is older than what is held
 * (HEDGE_E_OLDER), nothing. What is held from further in the future than the
 * skew came before the clock was set back, and is forgotten. Any thread. */
int32_t live_put(live *l, const live_policy *policy, int32_t asset, const live_update *update);

#endif
