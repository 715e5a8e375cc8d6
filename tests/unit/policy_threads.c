/* SPDX-License-Identifier: MIT
 * One policy and its curve, used by several threads at once without a lock, while another thread
 * loads and frees policies of its own: everyone gets the bits that one thread alone gets. A plain
 * program, so that it also runs under the thread sanitizer.
 * Arguments: rounds (default 2000), threads (default 4). */
#include "support.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 37, THREADS_MAX = 64 };

static const char text[] = "curve: {knots: [[0, .05], [.3, .25], [.7, .75], [1, 1]]}\n"
                           "assets: {BTC: {}, ETH: {curve: {method: steffen}}}\n";

/* What is asked in every round, and answered. */
typedef struct answers {
    double hedge[ROWS], slope[ROWS], inverse[ROWS], area[ROWS], batch[ROWS], pct[ROWS], alone[ROWS];
    double sensitivity[4 * ROWS];
    int32_t status[ROWS];
    uint8_t hash[HEDGE_HASH_SIZE], curve_hash[HEDGE_HASH_SIZE];
    hedge_piece piece[6];
    hedge_rules rules;
    int32_t asset, certified;
    uint64_t tried;
} answers;

static const hedge_policy *policy;
static answers expected;
static long rounds;
static atomic_int busy;

static void must(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static int32_t stop_soon(void *context, double done)
{
    (void)context;
    return done > 0;
}

static void ask_curve(const hedge_curve *curve, answers *a)
{
    double score[ROWS];

    for (int i = 0; i < ROWS; i++) {
        const double x = score[i] = (double)i / (ROWS - 2);

        a->hedge[i] = hedge_curve_eval(curve, x);
        a->slope[i] = hedge_curve_slope(curve, x);
        a->inverse[i] = hedge_curve_inverse(curve, 0.05 + x * 0.9);
        a->area[i] = hedge_curve_area(curve, 0.1, x);
        must(hedge_curve_sensitivity(curve, x, &a->sensitivity[(size_t)i * 4], 4) == HEDGE_OK,
             "sensitivity");
    }
    hedge_curve_eval_n(curve, score, a->batch, ROWS);
    for (size_t i = 0; i < COUNT(a->piece); i++) {
        a->piece[i] = (hedge_piece)HEDGE_INIT(hedge_piece);
        must(hedge_curve_piece(curve, i, &a->piece[i]) == HEDGE_OK, "piece");
    }
    must(hedge_curve_hash(curve, a->curve_hash) == HEDGE_OK, "curve hash");
}

static void ask_columns(answers *a)
{
    hedge_size_in in = HEDGE_INIT(hedge_size_in);
    hedge_size_out out = HEDGE_INIT(hedge_size_out);
    double amount[ROWS], score[ROWS], depth[ROWS];

    for (int i = 0; i < ROWS; i++) {
        amount[i] = 1000;
        score[i] = (double)i / (ROWS - 1);
        depth[i] = 1e6;
    }
    in.now_all_ns = 1000;
    in.amount_usd = amount;
    in.score = score;
    in.depth1pct_usd = depth;
    out.status = a->status;
    out.hedge_pct = a->pct;
    must(hedge_size_n(policy, &in, ROWS, &out) == HEDGE_OK, "hedge_size_n");
}

static void ask_alone(answers *a)
{
    hedge_request request = HEDGE_INIT(hedge_request);
    hedge_quote quote = HEDGE_INIT(hedge_quote);

    request.amount_usd = 1000;
    quote.flags = HEDGE_QUOTE_SCORE | HEDGE_QUOTE_DEPTH;
    quote.confidence = 1;
    quote.depth1pct_usd = 1e6;
    quote.score_ts_ns = quote.depth_ts_ns = 1000;
    for (int i = 0; i < ROWS; i++) {
        hedge_decision d = HEDGE_INIT(hedge_decision);

        quote.score = (double)i / (ROWS - 1);
        must(hedge_size(policy, &request, &quote, 1000, &d) == HEDGE_OK, "hedge_size");
        a->alone[i] = d.hedge_pct;
    }
}

static void ask_policy(answers *a)
{
    size_t n = 0;

    a->asset = hedge_policy_asset(policy, "ETH");
    a->rules = (hedge_rules)HEDGE_INIT(hedge_rules);
    must(hedge_policy_rules(policy, a->asset, &a->rules) == HEDGE_OK, "rules");
    must(hedge_policy_hash(policy, a->hash) == HEDGE_OK, "hash");
    must(hedge_policy_asset_count(policy) == 2, "count");
    must(strcmp(hedge_policy_asset_name(policy, 0), "BTC") == 0, "name");
    must(strlen(hedge_policy_text(policy, &n)) == n && n > 0, "text");
    must(strlen(hedge_policy_hash_hex(policy)) == 64, "hex");
    must(hedge_policy_file(policy, 0) == NULL, "file");
}

static void ask(answers *a, bool certify)
{
    memset(a, 0, sizeof(*a)); /* padding too: they are compared whole */
    ask_curve(hedge_policy_curve(policy, 0), a);
    ask_columns(a);
    ask_alone(a);
    ask_policy(a);
    if (certify) {
        hedge_certificate c = HEDGE_INIT(hedge_certificate);

        a->certified = hedge_curve_certify(hedge_policy_curve(policy, 1), stop_soon, NULL, &c);
        a->tried = c.tried;
    } else {
        a->certified = HEDGE_E_STOPPED;
        a->tried = expected.tried;
    }
}

static void *user(void *arg)
{
    answers *mine = arg;

    for (long i = 0; i < rounds; i++) {
        ask(mine, i % 1024 == 0); /* certifying takes much longer than all the rest */
        must(memcmp(mine, &expected, sizeof(expected)) == 0, "not what one thread alone gets");
    }
    atomic_fetch_sub(&busy, 1);
    return NULL;
}

static void *loader(void *arg)
{
    unsigned long *loaded = arg;

    do {
        static const char bad[] = "curve: {knots: [[0, 0.5], [1, 0.25]]}\n";
        hedge_error error = HEDGE_INIT(hedge_error);
        hedge_policy *p = NULL;

        must(hedge_policy_parse(text, sizeof(text) - 1, &error, &p) == HEDGE_OK, error.message);
        must(strcmp(hedge_policy_text(p, NULL), hedge_policy_text(policy, NULL)) == 0, "text");
        hedge_policy_free(p);
        must(hedge_policy_parse(bad, sizeof(bad) - 1, &error, &p) == HEDGE_E_CURVE, "bad policy");
        ++*loaded;
    } while (atomic_load(&busy) > 0);
    return NULL;
}

int main(int argc, char **argv)
{
    static answers mine[THREADS_MAX];
    pthread_t threads[THREADS_MAX], loading;
    const int n = argc > 2 ? atoi(argv[2]) : 4;
    hedge_policy *shared = NULL;
    unsigned long loaded = 0;

    rounds = argc > 1 ? atol(argv[1]) : 2000;
    must(n >= 1 && n <= THREADS_MAX && rounds > 0, "usage: policy_threads [rounds [threads]]");
    must(hedge_policy_parse(text, sizeof(text) - 1, NULL, &shared) == HEDGE_OK, "no policy");
    policy = shared;
    ask(&expected, true);
    must(expected.certified == HEDGE_E_STOPPED && expected.tried > 0, "not stopped");
    must(memcmp(expected.pct, expected.alone, sizeof(expected.pct)) == 0, "columns differ");
    atomic_store(&busy, n);
    for (int i = 0; i < n; i++)
        must(pthread_create(&threads[i], NULL, user, &mine[i]) == 0, "no thread");
    must(pthread_create(&loading, NULL, loader, &loaded) == 0, "no thread");
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    pthread_join(loading, NULL);
    hedge_policy_free(shared);
    printf("%ld rounds by each of %d threads, %lu other policies loaded and freed\n", rounds, n,
           loaded);
    return 0;
}
