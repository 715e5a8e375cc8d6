/* SPDX-License-Identifier: MIT
 * bench_size: one decision with every check, in process. */
#include <hedge/hedge.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
    enum { ROUNDS = 9, CALLS = 2000000 };
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_request request = HEDGE_INIT(hedge_request);
    hedge_quote quote = HEDGE_INIT(hedge_quote);
    hedge_decision decision = HEDGE_INIT(hedge_decision);
    hedge_policy *policy;
    double scores[1024], best = 1e9, sum = 0.0;
    int decided = 0;

    if (argc != 2 || hedge_policy_load(argv[1], &error, &policy) != HEDGE_OK) {
        fprintf(stderr, "usage: bench_size POLICY (%s)\n", error.message);
        return 2;
    }
    request.amount_usd = 250000.0;
    quote.flags = HEDGE_QUOTE_SCORE | HEDGE_QUOTE_PREVIOUS | HEDGE_QUOTE_DEPTH;
    quote.confidence = 0.9;
    quote.previous_score = 0.5;
    quote.depth1pct_usd = 780341.2;
    srand(1);
    for (int i = 0; i < 1024; i++)
        scores[i] = 0.1 + 0.8 * rand() / RAND_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        const double begin = now_ns();

        for (int i = 0; i < CALLS; i++) {
            quote.score = scores[i & 1023];
            decided += hedge_size(policy, &request, &quote, 1000, &decision) == HEDGE_OK;
            sum += decision.hedge_pct;
        }
        const double took = (now_ns() - begin) / CALLS;
        best = took < best ? took : best;
    }
    printf("hedge_size ns=%.1f (checksum %.6f, %d decided)\n", best, sum, decided);
    hedge_policy_free(policy);
    return 0;
}
