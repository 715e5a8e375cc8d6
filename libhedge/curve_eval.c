/* SPDX-License-Identifier: MIT
 * curve_eval: one score at a time, and the choice of the path. */
#include "curve_eval.h"

#include <math.h>

/* At and beyond the ends, and for NaN. */
static double eval_outside(const hedge_curve *curve, double shifted)
{
    if (isnan(shifted)) return (double)NAN;
    return shifted < curve->nodes[0].shifted_x + HEDGE_SCORE_STEP ? curve->first_y : curve->last_y;
}

static inline __attribute__((always_inline)) double eval_body(const hedge_curve *curve,
                                                              double score)
{
    const double shifted = score + CURVE_SHIFT;
    /* Below the first knot this wraps around; NaN and infinities are far off. */
    const uint64_t at = curve_bits(shifted) - curve->first_bits;
    const curve_node *node;
    const curve_side *side;
    double e;

    if (__builtin_expect(at >= curve->steps, 0)) return eval_outside(curve, shifted);
    node = &curve->nodes[curve_find(curve, (uint32_t)at)];
    e = shifted - node->shifted_x;
    side = &node->side[curve_bits(e) >> 63];
    return fma(e, fma(e, fma(e, side->d, side->c), side->b), node->y);
}

static inline __attribute__((always_inline)) void
eval_n_body(const hedge_curve *curve, const double *score, double *hedge, size_t n)
{
    for (size_t i = 0; i < n; i++)
        hedge[i] = eval_body(curve, score[i]);
}

static double eval_portable(const hedge_curve *curve, double score)
{
    return eval_body(curve, score);
}

static void eval_n_portable(const hedge_curve *curve, const double *score, double *hedge, size_t n)
{
    eval_n_body(curve, score, hedge, n);
}

#ifdef CURVE_X86_PATHS
/* The baseline x86-64 has no fma instruction and would call libm's. */
#define TARGET_FMA __attribute__((target("avx2,fma")))

TARGET_FMA static double eval_fma(const hedge_curve *curve, double score)
{
    return eval_body(curve, score);
}

TARGET_FMA static void eval_n_fma(const hedge_curve *curve, const double *score, double *hedge,
                                  size_t n)
{
    eval_n_body(curve, score, hedge, n);
}

static bool has_path(curve_path path)
{
    if (path == CURVE_PATH_PORTABLE) return true;
    if (!__builtin_cpu_supports("fma") || !__builtin_cpu_supports("avx2")) return false;
    return path != CURVE_PATH_AVX512 ||
           (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"));
}

bool curve_set_path(hedge_curve *curve, curve_path path)
{
    curve_path best = path;

    while (!has_path(best))
        best--;
    curve->path = best;
    curve->eval = best == CURVE_PATH_PORTABLE ? eval_portable : eval_fma;
    switch (best) {
    case CURVE_PATH_PORTABLE:
        curve->eval_n = eval_n_portable;
        break;
    case CURVE_PATH_FMA:
        curve->eval_n = eval_n_fma;
        break;
    case CURVE_PATH_AVX2:
        curve->eval_n = curve_eval_n_avx2;
        break;
    case CURVE_PATH_AVX512:
        curve->eval_n = curve_eval_n_avx512;
        break;
    }
    return best == path;
}
#else
bool curve_set_path(hedge_curve *curve, curve_path path)
{
    curve->path = CURVE_PATH_PORTABLE;
    curve->eval = eval_portable;
    curve->eval_n = eval_n_portable;
    return path == CURVE_PATH_PORTABLE;
}
#endif

/* ---- the public calls --------------------------------------------------- */

#ifdef CURVE_LOADER_CHOOSES
/* Chosen by the loader, once: the call then costs no more than any other. */
TARGET_FMA static double checked_fma(const hedge_curve *curve, double score)
{
    return __builtin_expect(curve != NULL, 1) ? eval_body(curve, score) : (double)NAN;
}

static double checked_portable(const hedge_curve *curve, double score)
{
    return curve != NULL ? eval_body(curve, score) : (double)NAN;
}

typedef double eval_function(const hedge_curve *, double);

/* Runs while the loader works: nothing but this processor may be looked at. */
__attribute__((used, no_sanitize("address", "undefined"),
               no_profile_instrument_function)) static eval_function *
choose_eval(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx2") ? checked_fma
                                                                           : checked_portable;
}

double hedge_curve_eval(const hedge_curve *curve, double score)
    __attribute__((ifunc("choose_eval")));
#else
double hedge_curve_eval(const hedge_curve *curve, double score)
{
    return curve != NULL ? curve->eval(curve, score) : (double)NAN;
}
#endif

void hedge_curve_eval_n(const hedge_curve *curve, const double *score, double *hedge, size_t n)
{
    if (score == NULL || hedge == NULL) return;
    if (curve == NULL) {
        for (size_t i = 0; i < n; i++)
            hedge[i] = (double)NAN;
        return;
    }
    curve->eval_n(curve, score, hedge, n);
}

const char *hedge_curve_path(const hedge_curve *curve)
{
    static const char *const names[] = {"portable", "fma", "avx2", "avx512"};

    return curve != NULL ? names[curve->path] : NULL;
}
