/* SPDX-License-Identifier: MIT
 * bench_size: decisions with every check, in process, one by one and in columns.
 * Prints rows: size, 0, how, nanoseconds a decision. */
#include <hedge/hedge.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 9, ROWS = 1 << 20 };

static double score[ROWS], previous[ROWS], amount_usd[ROWS], depth1pct_usd[ROWS];
static double hedge_pct[ROWS], notional_usd[ROWS];
static int32_t status[ROWS];

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void make_rows(void)
{
    srand(1);
    for (int i = 0; i < ROWS; i++) {
        score[i] = 0.1 + 0.8 * rand() / RAND_MAX;
        previous[i] = 0.5;
        amount_usd[i] = 250000.0;
        depth1pct_usd[i] = 100000.0 + 1e6 * rand() / RAND_MAX;
    }
}

static void size_each(const hedge_policy *policy)
{
    hedge_request request = HEDGE_INIT(hedge_request);
    hedge_quote quote = HEDGE_INIT(hedge_quote);
    hedge_decision decision = HEDGE_INIT(hedge_decision);

    quote.flags = HEDGE_QUOTE_SCORE | HEDGE_QUOTE_PREVIOUS | HEDGE_QUOTE_DEPTH;
    quote.confidence = 0.9;
    for (int i = 0; i < ROWS; i++) {
        request.amount_usd = amount_usd[i];
        quote.score = score[i];
        quote.previous_score = previous[i];
        quote.depth1pct_usd = depth1pct_usd[i];
        status[i] = hedge_size(policy, &request, &quote, 1000, &decision);
        hedge_pct[i] = decision.hedge_pct;
        notional_usd[i] = decision.notional_usd;
    }
}

static void size_columns(const hedge_policy *policy)
{
    hedge_size_in in = HEDGE_INIT(hedge_size_in);
    hedge_size_out out = HEDGE_INIT(hedge_size_out);

    in.now_all_ns = 1000;
    in.amount_usd = amount_usd;
    in.score = score;
    in.previous_score = previous;
    in.depth1pct_usd = depth1pct_usd;
    out.status = status;
    out.hedge_pct = hedge_pct;
    out.notional_usd = notional_usd;
    if (hedge_size_n(policy, &in, ROWS, &out) != HEDGE_OK) abort();
}

static void bench(const char *how, const hedge_policy *policy, void (*size)(const hedge_policy *))
{
    double best = 1e18;
    int decided = 0;

    for (int round = 0; round < ROUNDS; round++) {
        const double begin = now_ns();

        size(policy);
        const double took = (now_ns() - begin) / ROWS;
        best = took < best ? took : best;
    }
    for (int i = 0; i < ROWS; i++)
        decided += status[i] == HEDGE_OK;
    printf("size\t0\t%s\t%.2f\n", how, best);
    if (decided != ROWS) fprintf(stderr, "only %d of %d were decided\n", decided, ROWS);
}

int main(int argc, char **argv)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_policy *policy;

    if (argc != 2 || hedge_policy_load(argv[1], &error, &policy) != HEDGE_OK) {
        fprintf(stderr, "usage: bench_size POLICY (%s)\n", error.message);
        return 2;
    }
    make_rows();
    bench("one by one", policy, size_each);
    bench("columns", policy, size_columns);
    hedge_policy_free(policy);
    return 0;
}
