/* SPDX-License-Identifier: MIT
 * Many readers and one writer at a time on one market: no quote is ever torn, none goes back in
 * time. A plain program, so that it also runs under the thread sanitizer.
 * Arguments: writes (default 200000), readers (default 4). */
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 3, READERS_MAX = 64 };

static hedge_market *market;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static atomic_int writers_left;
static long writes;

/* Everything that is put follows from the time, so a mixture shows. */
static double score_at(int64_t t)
{
    return (double)(t % 1009) / 1009;
}

static double confidence_at(int64_t t)
{
    return (double)(t % 1013) / 1013;
}

static double depth_at(int64_t t)
{
    return (double)t * 3 + 7;
}

static const char *fault_of(const hedge_quote *q, const hedge_quote *before)
{
    if ((before->flags & ~HEDGE_QUOTE_HALTED) & ~q->flags) return "a part was lost";
    if (q->score_ts_ns < before->score_ts_ns) return "the score went back";
    if (q->depth_ts_ns < before->depth_ts_ns) return "the depth went back";
    if ((q->flags & HEDGE_QUOTE_SCORE) && q->score != score_at(q->score_ts_ns)) return "torn score";
    if ((q->flags & HEDGE_QUOTE_SCORE) && q->confidence != confidence_at(q->score_ts_ns))
        return "torn confidence";
    if ((q->flags & HEDGE_QUOTE_PREVIOUS) && q->previous_score != score_at(q->score_ts_ns - 1))
        return "torn previous score";
    if ((q->flags & HEDGE_QUOTE_DEPTH) && q->depth1pct_usd != depth_at(q->depth_ts_ns))
        return "torn depth";
    /* Depth t is put right after score t, and every 16th step halts. */
    if ((q->flags & HEDGE_QUOTE_DEPTH) &&
        (q->depth_ts_ns > q->score_ts_ns || q->depth_ts_ns < q->score_ts_ns - 1))
        return "a score and a depth that never stood together";
    return NULL;
}

static void *reader(void *arg)
{
    hedge_quote before[SLOTS];
    unsigned long *reads = arg;

    memset(before, 0, sizeof(before));
    do {
        for (int32_t i = 0; i < SLOTS; i++) {
            hedge_quote q = HEDGE_INIT(hedge_quote);
            const char *fault;

            if (hedge_market_read(market, i, &q) != HEDGE_OK) continue; /* not added yet */
            fault = fault_of(&q, &before[i]);
            if (fault != NULL) {
                fprintf(stderr, "slot %d: %s (score %lld, depth %lld)\n", (int)i, fault,
                        (long long)q.score_ts_ns, (long long)q.depth_ts_ns);
                exit(1);
            }
            before[i] = q;
            ++*reads;
        }
    } while (atomic_load(&writers_left) > 0);
    return NULL;
}

static void must(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "%s\n", what);
    exit(1);
}

/* Each writer has a slot of its own; they take turns as the contract asks. */
static void *writer(void *arg)
{
    const char *name = arg;

    pthread_mutex_lock(&turn);

    const int32_t slot = hedge_market_add(market, name);

    pthread_mutex_unlock(&turn);
    must(slot >= 0, "no slot");
    for (int64_t t = 1; t <= writes; t++) {
        pthread_mutex_lock(&turn);
        must(hedge_market_put_score(market, slot, score_at(t), confidence_at(t), t) == HEDGE_OK,
             name);
        pthread_mutex_unlock(&turn);
        pthread_mutex_lock(&turn);
        must(hedge_market_put_depth(market, slot, depth_at(t), t) == HEDGE_OK, name);
        if (t % 16 < 2) hedge_market_put_halt(market, slot, t % 16 == 0);
        pthread_mutex_unlock(&turn);
    }
    atomic_fetch_sub(&writers_left, 1);
    return NULL;
}

int main(int argc, char **argv)
{
    static char names[SLOTS][4] = {"BTC", "ETH", "XRP"};
    static unsigned long reads[READERS_MAX][8]; /* apart, so that counting does not slow reading */
    pthread_t readers[READERS_MAX], writers[SLOTS];
    const int n = argc > 2 ? atoi(argv[2]) : 4;
    unsigned long total = 0;

    writes = argc > 1 ? atol(argv[1]) : 200000;
    must(n >= 1 && n <= READERS_MAX && writes > 0, "usage: market_threads [writes [readers]]");
    must(hedge_market_new(SLOTS, &market) == HEDGE_OK, "no market");
    atomic_store(&writers_left, SLOTS);
    for (int i = 0; i < n; i++)
        must(pthread_create(&readers[i], NULL, reader, reads[i]) == 0, "no thread");
    for (int i = 0; i < SLOTS; i++)
        must(pthread_create(&writers[i], NULL, writer, names[i]) == 0, "no thread");
    for (int i = 0; i < SLOTS; i++)
        pthread_join(writers[i], NULL);
    for (int i = 0; i < n; i++) {
        pthread_join(readers[i], NULL);
        total += reads[i][0];
    }
    must(total > 0, "nothing was read");
    hedge_market_free(market);
    printf("%ld writes to each of %d slots, %lu whole quotes read by %d threads\n", writes, SLOTS,
           total, n);
    return 0;
}
