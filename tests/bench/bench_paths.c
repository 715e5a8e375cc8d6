/* SPDX-License-Identifier: MIT
 * bench_paths: a batch on each path that this processor has.
 * Prints rows: path, knots, its name, nanoseconds a score. */
#include "curve.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SCORES = 1 << 20, ROUNDS = 15, KNOTS_MAX = 1024 };

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static hedge_curve *make_curve(size_t n)
{
    static double score[KNOTS_MAX], hedge[KNOTS_MAX];
    hedge_curve *curve;

    for (size_t i = 0; i < n; i++) {
        score[i] = (double)i / (double)(n - 1);
        hedge[i] = score[i] * score[i] * (3.0 - 2.0 * score[i]);
    }
    return hedge_curve_new(HEDGE_METHOD_PCHIP, score, hedge, n, NULL, &curve) == HEDGE_OK ? curve
                                                                                          : NULL;
}

static double best_of(const hedge_curve *curve, const double *score, double *hedge)
{
    double best = 1e18;

    for (int round = 0; round < ROUNDS; round++) {
        const double begin = now_ns();

        hedge_curve_eval_n(curve, score, hedge, SCORES);
        const double took = (now_ns() - begin) / SCORES;
        best = took < best ? took : best;
    }
    return best;
}

int main(void)
{
    static const char *const names[] = {"portable", "FMA", "AVX2", "AVX-512"};
    static const size_t knots[] = {4, 16, 64, 1024};
    static double score[SCORES], hedge[SCORES];

    srand(1);
    for (size_t i = 0; i < SCORES; i++)
        score[i] = (double)rand() / RAND_MAX;
    for (size_t k = 0; k < sizeof(knots) / sizeof(knots[0]); k++) {
        hedge_curve *curve = make_curve(knots[k]);

        if (curve == NULL) return 1;
        for (curve_path path = CURVE_PATH_PORTABLE; path <= CURVE_PATH_AVX512; path++)
            if (curve_set_path(curve, path))
                printf("path\t%zu\t%s\t%.2f\n", knots[k], names[path],
                       best_of(curve, score, hedge));
        hedge_curve_free(curve);
    }
    return 0;
}
