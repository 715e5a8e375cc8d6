/* SPDX-License-Identifier: MIT
 * fuzz_curve: any knots. A curve that is built keeps its promises: monotone to
 * the bit, exact at the knots, bounded, one by one as in a batch, and its
 * inverse is the least score. */
#include "fuzz.h"

#include "support.h"

#include <math.h>

#define KNOTS_MOST 48
#define SCORES 64

typedef struct knots {
    size_t n;
    double score[KNOTS_MOST], hedge[KNOTS_MOST];
} knots;

/* Knots as they come; most do not make a curve. */
static void take_raw(fuzz_input *in, knots *k)
{
    for (size_t i = 0; i < k->n; i++) {
        k->score[i] = fuzz_take_double(in);
        k->hedge[i] = fuzz_take_double(in);
    }
}

/* Knots out of steps upwards, of sizes from the least gap to the whole range. */
static void take_steps(fuzz_input *in, knots *k)
{
    double score = 0.0, hedge = 0.0;

    for (size_t i = 0; i < k->n; i++) {
        const uint32_t run = fuzz_take_u32(in), rise = fuzz_take_u32(in);

        score += HEDGE_KNOT_GAP_MIN * 1.001 + ldexp(run >> 5, -27 - (int)(run & 31));
        hedge += ldexp(rise >> 5, -27 - (int)(rise & 31) * 34);
        k->score[i] = score > 1.0 ? 1.0 : score;
        k->hedge[i] = hedge > 1.0 ? 1.0 : hedge;
    }
}

/* Scores from everywhere, each beside its neighbours. */
static size_t take_scores(fuzz_input *in, const knots *k, double out[SCORES])
{
    size_t n = 0;

    while (n + 4 <= SCORES && (in->left > 0 || n == 0)) {
        const uint32_t from = fuzz_take_u32(in);
        const double near = from & 1 ? k->score[from / 2 % k->n] : ldexp(from, -32);

        out[n++] = near;
        out[n++] = near + HEDGE_SCORE_STEP;
        out[n++] = next_down(near);
        out[n++] = fuzz_take_double(in);
    }
    return n;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void check_order(const hedge_curve *curve, double *score, size_t n)
{
    const double low = hedge_curve_eval(curve, -1.0), high = hedge_curve_eval(curve, 2.0);
    double hedge[SCORES];
    size_t numbers = 0;

    hedge_curve_eval_n(curve, score, hedge, n);
    for (size_t i = 0; i < n; i++) {
        const double one = hedge_curve_eval(curve, score[i]);

        REQUIRE(same_bits(one, hedge[i]) || (isnan(one) && isnan(hedge[i])));
        REQUIRE(isnan(one) == isnan(score[i]));
        if (!isnan(score[i])) score[numbers++] = score[i];
    }
    qsort(score, numbers, sizeof(score[0]), by_size);
    for (size_t i = 0; i < numbers; i++) {
        const double here = hedge_curve_eval(curve, score[i]);

        REQUIRE(here >= low && here <= high);
        REQUIRE(hedge_curve_slope(curve, score[i]) >= 0.0);
        if (i > 0) REQUIRE(hedge_curve_eval(curve, score[i - 1]) <= here);
    }
}

static void check_inverse(const hedge_curve *curve, double hedge)
{
    const double least = hedge_curve_inverse(curve, hedge);

    if (isnan(least)) {
        REQUIRE(!(hedge_curve_eval(curve, 1.0) >= hedge));
        return;
    }
    REQUIRE(least >= 0.0 && least <= 1.0 && hedge_curve_eval(curve, least) >= hedge);
    if (least > 0.0) REQUIRE(hedge_curve_eval(curve, least - HEDGE_SCORE_STEP) < hedge);
}

static void check_curve(const hedge_curve *curve, const knots *k, fuzz_input *in)
{
    double score[SCORES];

    for (size_t i = 0; i < k->n; i++) {
        REQUIRE(same_bits(hedge_curve_eval(curve, k->score[i]), k->hedge[i] + 0.0));
        check_inverse(curve, k->hedge[i]);
    }
    check_order(curve, score, take_scores(in, k, score));
    check_inverse(curve, fuzz_take_double(in));
    check_inverse(curve, ldexp(fuzz_take_u32(in), -32));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    fuzz_input in = {bytes, n};
    const uint8_t how = fuzz_take_u8(&in);
    const int32_t method = (how & 63) % 4; /* one of them unknown */
    hedge_error error = HEDGE_INIT(hedge_error);
    knots k = {.n = fuzz_take_u8(&in) % (KNOTS_MOST + 1)};
    hedge_curve *curve;
    int32_t code;

    if (how & 64)
        take_raw(&in, &k);
    else
        take_steps(&in, &k);
    code = hedge_curve_new(method, k.score, k.hedge, k.n, &error, &curve);
    REQUIRE((code == HEDGE_OK) == (curve != NULL));
    if (curve == NULL) {
        REQUIRE(code == HEDGE_E_CURVE || code == HEDGE_E_ARG);
        REQUIRE(error.code == code && error.index >= -1 && error.index < (int32_t)k.n);
        return 0;
    }
    check_curve(curve, &k, &in);
    hedge_curve_free(curve);
    return 0;
}
