/* SPDX-License-Identifier: MIT
 * shadow: a policy that is tried beside the live one. */
#include "shadow.h"

#include "clock.h"
#include "log.h"
#include "metrics.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* |difference of hedge_pct|: 0 alone, and then what a desk would call little or
 * much. */
#define BUCKETS 9
static const double bounds[BUCKETS] = {0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5};

#define NANO 1e9 /* sums are kept as whole numbers of it, so that threads can add */

struct shadow {
    live *holder; /* of the policy; its market stays empty */
    policy_watch *watch;
    atomic_ullong same, other_hedge, rejected_alone, decided_alone;
    atomic_ullong buckets[BUCKETS + 1]; /* the last: over all bounds */
    atomic_ullong sum_nano, most_nano;
};

/* ---- deciding --------------------------------------------------------------- */

live_policy *shadow_acquire(shadow *s)
{
    return live_acquire(s->holder);
}

void shadow_decide(const live_policy *policy, const hedge_record *decided, hedge_record *out)
{
    *out = *decided;
    out->kind = HEDGE_RECORD_SHADOW;
    out->note[0] = '\0';
    hedge_policy_hash(policy->policy, out->policy_hash);
    out->request.asset = hedge_policy_asset(policy->policy, out->asset);
    out->decision = (hedge_decision)HEDGE_INIT(hedge_decision);
    /* hedge_size refuses only what no code of ours may pass. */
    if (hedge_size(policy->policy, &out->request, &out->quote, out->ts_ns, &out->decision) !=
        out->decision.status)
        abort();
}

/* ---- counting ----------------------------------------------------------------- */

static void add(atomic_ullong *counter, unsigned long long n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static double get(const atomic_ullong *counter)
{
    return (double)atomic_load_explicit((atomic_ullong *)(uintptr_t)counter, memory_order_relaxed);
}

static void note_difference(shadow *s, double difference)
{
    const unsigned long long nano = (unsigned long long)llround(difference * NANO);
    unsigned long long most = atomic_load_explicit(&s->most_nano, memory_order_relaxed);
    size_t i = 0;

    while (i < BUCKETS && !(difference <= bounds[i]))
        i++;
    add(&s->buckets[i], 1);
    add(&s->sum_nano, nano);
    while (nano > most && !atomic_compare_exchange_weak(&s->most_nano, &most, nano)) {
    }
}

void shadow_count(shadow *s, const hedge_record *decided, const hedge_record *would)
{
    const hedge_decision *a = &decided->decision, *b = &would->decision;

    if (a->status == HEDGE_OK && b->status == HEDGE_OK)
        note_difference(s, fabs(a->hedge_pct - b->hedge_pct));
    if (a->status == HEDGE_OK && b->status != HEDGE_OK)
        add(&s->rejected_alone, 1);
    else if (a->status != HEDGE_OK && b->status == HEDGE_OK)
        add(&s->decided_alone, 1);
    else
        add(a->hedge_pct == b->hedge_pct ? &s->same : &s->other_hedge, 1);
}

static void write_differences(const shadow *s, text *out)
{
    static const char family[] = "hedge_shadow_difference_ratio";

    metrics_family(out, family, "histogram",
                   "How far hedge_pct is from the shadow's, where both decided.");
    metrics_histogram(out, family, "", bounds, BUCKETS, s->buckets, get(&s->sum_nano) / NANO);
    metrics_single(out, "hedge_shadow_difference_max_ratio", "gauge",
                   "The largest of them since the start.", get(&s->most_nano) / NANO);
}

void shadow_write(shadow *s, text *out)
{
    static const char family[] = "hedge_shadow_decisions_total";
    live_policy *policy = shadow_acquire(s);
    policy_watch_state state;
    char labels[96];

    policy_watch_read_state(s->watch, &state);
    metrics_single(out, "hedge_shadow_policy_ok", "gauge",
                   "1: the shadow's files say what is tried; 0: they are refused.",
                   state.ok ? 1 : 0);
    metrics_family(out, "hedge_shadow_policy_info", "gauge", "The shadow policy, by its hash.");
    snprintf(labels, sizeof(labels), "policy=\"%s\"", hedge_policy_hash_hex(policy->policy));
    metrics_sample(out, "hedge_shadow_policy_info", labels, 1);
    live_release(policy);
    metrics_family(out, family, "counter",
                   "Decisions by what the shadow would have done: the same hedge (or rejected as "
                   "well), another hedge, rejected alone, decided alone.");
    metrics_sample(out, family, "result=\"same\"", get(&s->same));
    metrics_sample(out, family, "result=\"other_hedge\"", get(&s->other_hedge));
    metrics_sample(out, family, "result=\"rejected_alone\"", get(&s->rejected_alone));
    metrics_sample(out, family, "result=\"decided_alone\"", get(&s->decided_alone));
    write_differences(s, out);
}

/* ---- life --------------------------------------------------------------------- */

/* No shadow decision may name a policy that the journal does not hold. */
static bool record_policy(const hedge_policy *policy, journal *j)
{
    hedge_record record = HEDGE_INIT(hedge_record);

    record.kind = HEDGE_RECORD_SHADOW_POLICY;
    record.ts_ns = clock_wall_ns();
    hedge_policy_hash(policy, record.policy_hash);
    snprintf(record.build, sizeof(record.build), "%s", hedge_version());
    snprintf(record.note, sizeof(record.note), "start");
    return journal_append_policy(j, &record, hedge_policy_text(policy, NULL)) == JOURNAL_OK;
}

static shadow *fail(shadow *s, char message[JOURNAL_MESSAGE_MAX], const char *what)
{
    snprintf(message, JOURNAL_MESSAGE_MAX, "HEDGE_SHADOW_POLICY: %s", what);
    shadow_free(s);
    return NULL;
}

shadow *shadow_new(const policy_watch_options *options, hedge_policy *policy, journal *j,
                   char message[JOURNAL_MESSAGE_MAX])
{
    shadow *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        hedge_policy_free(policy);
        return fail(s, message, "out of memory");
    }
    s->holder = live_new(policy);
    if (s->holder == NULL) return fail(s, message, "out of memory");
    if (!record_policy(policy, j)) return fail(s, message, "the journal cannot be written");
    s->watch = policy_watch_new(options, s->holder, j);
    if (s->watch == NULL) return fail(s, message, "no thread to watch its files");
    LOG(LOG_INFO, "shadow_policy_taken", LOG_TEXT("cause", "start"),
        LOG_TEXT("policy", hedge_policy_hash_hex(policy)));
    return s;
}

void shadow_free(shadow *s)
{
    if (s == NULL) return;
    policy_watch_free(s->watch);
    live_free(s->holder);
    free(s);
}

void shadow_ask(shadow *s)
{
    policy_watch_ask(s->watch);
}

void shadow_read_state(shadow *s, policy_watch_state *out)
{
    policy_watch_read_state(s->watch, out);
}
