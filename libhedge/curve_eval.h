/* SPDX-License-Identifier: MIT
 * curve_eval: the ways to compute the same bits. */
#ifndef HEDGE_CURVE_EVAL_H
#define HEDGE_CURVE_EVAL_H

#include "curve.h"

#ifdef CURVE_X86_PATHS
void curve_eval_n_avx2(const hedge_curve *curve, const double *score, double *hedge, size_t n);
void curve_eval_n_avx512(const hedge_curve *curve, const double *score, double *hedge, size_t n);
#endif

#endif
