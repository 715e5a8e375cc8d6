/* SPDX-License-Identifier: MIT
 * curve_avx2: four scores of a batch at a time.
 *
 * A cache line is read for each score and the four are turned about. The
 * operations and their order are those of one score, so the bits are. */
#include "curve_eval.h"

#ifdef CURVE_X86_PATHS
#include <immintrin.h>
#include <math.h>

#define TARGET __attribute__((target("avx2,fma")))
#define INLINE TARGET static inline __attribute__((always_inline))

/* Turns four rows of four about. */
INLINE void transpose(const __m256d row[4], __m256d out[4])
{
    const __m256d a = _mm256_unpacklo_pd(row[0], row[1]), b = _mm256_unpackhi_pd(row[0], row[1]);
    const __m256d c = _mm256_unpacklo_pd(row[2], row[3]), d = _mm256_unpackhi_pd(row[2], row[3]);

    out[0] = _mm256_permute2f128_pd(a, c, 0x20);
    out[1] = _mm256_permute2f128_pd(b, d, 0x20);
    out[2] = _mm256_permute2f128_pd(a, c, 0x31);
    out[3] = _mm256_permute2f128_pd(b, d, 0x31);
}

/* Columns first to first + 3 of the nodes of four scores. */
INLINE void read_nodes(const hedge_curve *curve, const uint32_t k[4], size_t first, __m256d out[4])
{
    __m256d row[4];

    for (int i = 0; i < 4; i++)
        row[i] = _mm256_load_pd((const double *)(const void *)&curve->nodes[k[i]] + first);
    transpose(row, out);
}

INLINE __m256d eval_4(const hedge_curve *curve, __m256d score)
{
    /* Held inside of the end knots, so that the ends need no code of their
     * own. max(NaN, low) is low; NaN is put back last. */
    const __m256d low = _mm256_set1_pd(curve->nodes[0].shifted_x);
    const __m256d high = _mm256_set1_pd(curve->nodes[curve->knots - 1].shifted_x);
    const __m256d sum = _mm256_add_pd(score, _mm256_set1_pd(CURVE_SHIFT));
    const __m256d shifted = _mm256_min_pd(_mm256_max_pd(sum, low), high);
    const __m256d nan = _mm256_cmp_pd(score, score, _CMP_UNORD_Q);
    _Alignas(32) uint64_t bits[4];
    uint32_t k[4];
    __m256d near[4], far[4]; /* x, y, b0, c0; d0, b1, c1, d1 */

    _mm256_store_si256((__m256i *)(void *)bits, _mm256_castpd_si256(shifted));
    for (int i = 0; i < 4; i++)
        k[i] = curve_find(curve, (uint32_t)(bits[i] - curve->first_bits));
    read_nodes(curve, k, 0, near);
    read_nodes(curve, k, 4, far);
    const __m256d e = _mm256_sub_pd(shifted, near[0]);
    const __m256d b = _mm256_blendv_pd(near[2], far[1], e); /* by e's sign */
    const __m256d c = _mm256_blendv_pd(near[3], far[2], e);
    const __m256d d = _mm256_blendv_pd(far[0], far[3], e);
    const __m256d value =
        _mm256_fmadd_pd(e, _mm256_fmadd_pd(e, _mm256_fmadd_pd(e, d, c), b), near[1]);
    return _mm256_blendv_pd(value, _mm256_set1_pd((double)NAN), nan);
}

TARGET void curve_eval_n_avx2(const hedge_curve *curve, const double *score, double *hedge,
                              size_t n)
{
    double last[4] = {0.0, 0.0, 0.0, 0.0};
    size_t i = 0;

    for (; i + 4 <= n; i += 4)
        _mm256_storeu_pd(hedge + i, eval_4(curve, _mm256_loadu_pd(score + i)));
    if (i == n) return;
    memcpy(last, score + i, (n - i) * sizeof(double));
    _mm256_storeu_pd(last, eval_4(curve, _mm256_loadu_pd(last)));
    memcpy(hedge + i, last, (n - i) * sizeof(double));
}
#endif
