/* SPDX-License-Identifier: MIT
 * curve_avx512: eight scores of a batch at a time.
 *
 * Up to 16 knots the whole curve is held in registers, and permutes pick from
 * it. Beyond that a cache line is read for each score and the eight are turned
 * about. The operations and their order are those of one score, so the bits
 * are. */
#include "curve_eval.h"

#ifdef CURVE_X86_PATHS
#include <immintrin.h>
#include <math.h>

#define TARGET __attribute__((target("avx512f,avx512dq,avx2,fma")))
#define INLINE TARGET static inline __attribute__((always_inline))

/* Eight nodes, a column each. Sides are as in curve_side. */
typedef struct columns {
    __m512d x, y, b[2], c[2], d[2];
} columns;

/* Where eight scores lie: on the grid, held inside of the end knots, so that
 * the ends need no code of their own. NaN is held too, and put back last. */
typedef struct places {
    __m512d shifted;
    __m512i at; /* steps behind the first knot */
    __mmask8 nan;
} places;

INLINE places place(const hedge_curve *curve, __m512d score)
{
    const __m512d low = _mm512_set1_pd(curve->nodes[0].shifted_x);
    const __m512d high = _mm512_set1_pd(curve->nodes[curve->knots - 1].shifted_x);
    const __m512d shifted = _mm512_add_pd(score, _mm512_set1_pd(CURVE_SHIFT));
    places p;

    p.nan = _mm512_cmp_pd_mask(score, score, _CMP_UNORD_Q);
    p.shifted = _mm512_min_pd(_mm512_max_pd(shifted, low), high); /* max(NaN, low) is low */
    p.at = _mm512_sub_epi64(_mm512_castpd_si512(p.shifted),
                            _mm512_set1_epi64((long long)curve->first_bits));
    return p;
}

INLINE __m512d cubic(__m512d e, __m512d y, __m512d b, __m512d c, __m512d d, __mmask8 nan)
{
    const __m512d value = _mm512_fmadd_pd(e, _mm512_fmadd_pd(e, _mm512_fmadd_pd(e, d, c), b), y);

    return _mm512_mask_mov_pd(value, nan, _mm512_set1_pd((double)NAN));
}

/* Turns eight rows of eight about: column j of the rows is out[j]. */
INLINE void transpose(const __m512d row[8], __m512d out[8])
{
    __m512d pair[8], four[8];

    for (int i = 0; i < 4; i++) {
        pair[2 * i] = _mm512_unpacklo_pd(row[2 * i], row[2 * i + 1]);
        pair[2 * i + 1] = _mm512_unpackhi_pd(row[2 * i], row[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++) { /* even columns, then odd ones */
        four[4 * i] = _mm512_shuffle_f64x2(pair[i], pair[i + 2], 0x88);
        four[4 * i + 1] = _mm512_shuffle_f64x2(pair[i], pair[i + 2], 0xdd);
        four[4 * i + 2] = _mm512_shuffle_f64x2(pair[i + 4], pair[i + 6], 0x88);
        four[4 * i + 3] = _mm512_shuffle_f64x2(pair[i + 4], pair[i + 6], 0xdd);
        out[i] = _mm512_shuffle_f64x2(four[4 * i], four[4 * i + 2], 0x88);
        out[i + 2] = _mm512_shuffle_f64x2(four[4 * i + 1], four[4 * i + 3], 0x88);
        out[i + 4] = _mm512_shuffle_f64x2(four[4 * i], four[4 * i + 2], 0xdd);
        out[i + 6] = _mm512_shuffle_f64x2(four[4 * i + 1], four[4 * i + 3], 0xdd);
    }
}

INLINE columns read_nodes(const hedge_curve *curve, const uint32_t k[8])
{
    __m512d row[8], out[8];

    for (int i = 0; i < 8; i++)
        row[i] = _mm512_load_pd(&curve->nodes[k[i]]);
    transpose(row, out);
    return (columns){.x = out[0],
                     .y = out[1],
                     .b = {out[2], out[5]},
                     .c = {out[3], out[6]},
                     .d = {out[4], out[7]}};
}

/* Nodes first to first + 7. */
INLINE columns read_eight(const hedge_curve *curve, uint32_t first)
{
    uint32_t k[8];

    for (uint32_t i = 0; i < 8; i++)
        k[i] = first + i;
    return read_nodes(curve, k);
}

INLINE __m512i read_starts(const hedge_curve *curve, uint32_t first)
{
    return _mm512_cvtepu32_epi64(
        _mm256_loadu_si256((const __m256i *)(const void *)&curve->start[first]));
}

/* ---- up to 8 knots -------------------------------------------------------- */

/* One step of the search: node k + width, if that has begun. */
INLINE __m512i advance_8(__m512i starts, __m512i at, __m512i k, long long width)
{
    const __m512i next = _mm512_add_epi64(k, _mm512_set1_epi64(width));

    return _mm512_mask_mov_epi64(
        k, _mm512_cmpge_epi64_mask(at, _mm512_permutexvar_epi64(next, starts)), next);
}

INLINE __m512d eval_8(const hedge_curve *curve, const columns *t, __m512i starts, __m512d score)
{
    const places p = place(curve, score);
    __m512i k = _mm512_setzero_si512();
    __m512d e;

    k = advance_8(starts, p.at, k, 4);
    k = advance_8(starts, p.at, k, 2);
    k = advance_8(starts, p.at, k, 1);
    e = _mm512_sub_pd(p.shifted, _mm512_permutexvar_pd(k, t->x));
    /* Bit 3 of a two-table permute's index chooses the table: the side. */
    const __m512i ks = _mm512_or_si512(
        k, _mm512_and_si512(_mm512_srli_epi64(_mm512_castpd_si512(e), 60), _mm512_set1_epi64(8)));
    return cubic(e, _mm512_permutexvar_pd(k, t->y), _mm512_permutex2var_pd(t->b[0], ks, t->b[1]),
                 _mm512_permutex2var_pd(t->c[0], ks, t->c[1]),
                 _mm512_permutex2var_pd(t->d[0], ks, t->d[1]), p.nan);
}

/* ---- up to 16 knots ------------------------------------------------------- */

/* Of 16 entries, eight a table. */
INLINE __m512d pick_16(__m512d low, __m512i k, __m512d high)
{
    return _mm512_permutex2var_pd(low, k, high);
}

INLINE __m512i advance_16(const __m512i starts[2], __m512i at, __m512i k, long long width)
{
    const __m512i next = _mm512_add_epi64(k, _mm512_set1_epi64(width));

    return _mm512_mask_mov_epi64(
        k, _mm512_cmpge_epi64_mask(at, _mm512_permutex2var_epi64(starts[0], next, starts[1])),
        next);
}

INLINE __m512d eval_16(const hedge_curve *curve, const columns t[2], const __m512i starts[2],
                       __m512d score)
{
    const places p = place(curve, score);
    __m512i k = _mm512_setzero_si512();
    __m512d e, b, c, d;

    for (long long width = 8; width > 0; width /= 2)
        k = advance_16(starts, p.at, k, width);
    e = _mm512_sub_pd(p.shifted, pick_16(t[0].x, k, t[1].x));
    const __mmask8 left = _mm512_movepi64_mask(_mm512_castpd_si512(e));
    b = _mm512_mask_mov_pd(pick_16(t[0].b[0], k, t[1].b[0]), left,
                           pick_16(t[0].b[1], k, t[1].b[1]));
    c = _mm512_mask_mov_pd(pick_16(t[0].c[0], k, t[1].c[0]), left,
                           pick_16(t[0].c[1], k, t[1].c[1]));
    d = _mm512_mask_mov_pd(pick_16(t[0].d[0], k, t[1].d[0]), left,
                           pick_16(t[0].d[1], k, t[1].d[1]));
    return cubic(e, pick_16(t[0].y, k, t[1].y), b, c, d, p.nan);
}

/* ---- any number ----------------------------------------------------------- */

/* All eight from one node. */
INLINE columns repeat_node(const curve_node *node)
{
    const curve_side *side = node->side;

    return (columns){.x = _mm512_set1_pd(node->shifted_x),
                     .y = _mm512_set1_pd(node->y),
                     .b = {_mm512_set1_pd(side[0].b), _mm512_set1_pd(side[1].b)},
                     .c = {_mm512_set1_pd(side[0].c), _mm512_set1_pd(side[1].c)},
                     .d = {_mm512_set1_pd(side[0].d), _mm512_set1_pd(side[1].d)}};
}

/* True if the first is the least and the last the greatest, as in a grid. */
INLINE bool is_rising(__m512i at, const uint32_t each[8])
{
    const __mmask8 low = _mm512_cmpge_epi64_mask(at, _mm512_set1_epi64((long long)each[0]));
    const __mmask8 high = _mm512_cmple_epi64_mask(at, _mm512_set1_epi64((long long)each[7]));

    return (low & high) == 0xff;
}

INLINE columns find_eight(const hedge_curve *curve, __m512i at)
{
    _Alignas(32) uint32_t each[8];
    uint32_t k[8];

    _mm256_store_si256((__m256i *)(void *)each, _mm512_cvtepi64_epi32(at));
    k[0] = curve_find(curve, each[0]);
    k[7] = curve_find(curve, each[7]);
    if (k[0] == k[7] && is_rising(at, each)) return repeat_node(&curve->nodes[k[0]]);
    for (int i = 1; i < 7; i++)
        k[i] = curve_find(curve, each[i]);
    return read_nodes(curve, k);
}

INLINE __m512d eval_any(const hedge_curve *curve, __m512d score)
{
    const places p = place(curve, score);
    const columns t = find_eight(curve, p.at);
    const __m512d e = _mm512_sub_pd(p.shifted, t.x);
    const __mmask8 left = _mm512_movepi64_mask(_mm512_castpd_si512(e));

    return cubic(e, t.y, _mm512_mask_mov_pd(t.b[0], left, t.b[1]),
                 _mm512_mask_mov_pd(t.c[0], left, t.c[1]), _mm512_mask_mov_pd(t.d[0], left, t.d[1]),
                 p.nan);
}

/* ---- the batch ------------------------------------------------------------ */

/* Eight at a time, and what is left under a mask. */
#define EACH_EIGHT(eval)                                                                           \
    do {                                                                                           \
        size_t i = 0;                                                                              \
                                                                                                   \
        for (; i + 8 <= n; i += 8)                                                                 \
            _mm512_storeu_pd(hedge + i, eval(_mm512_loadu_pd(score + i)));                         \
        if (i < n) {                                                                               \
            const __mmask8 rest = (__mmask8)((1u << (n - i)) - 1);                                 \
                                                                                                   \
            _mm512_mask_storeu_pd(hedge + i, rest, eval(_mm512_maskz_loadu_pd(rest, score + i)));  \
        }                                                                                          \
    } while (0)

TARGET static void n_8(const hedge_curve *curve, const double *score, double *hedge, size_t n)
{
    const columns t = read_eight(curve, 0);
    const __m512i starts = read_starts(curve, 0);

#define EVAL(scores) eval_8(curve, &t, starts, scores)
    EACH_EIGHT(EVAL);
#undef EVAL
}

TARGET static void n_16(const hedge_curve *curve, const double *score, double *hedge, size_t n)
{
    const columns t[2] = {read_eight(curve, 0), read_eight(curve, 8)};
    const __m512i starts[2] = {read_starts(curve, 0), read_starts(curve, 8)};

#define EVAL(scores) eval_16(curve, t, starts, scores)
    EACH_EIGHT(EVAL);
#undef EVAL
}

TARGET static void n_any(const hedge_curve *curve, const double *score, double *hedge, size_t n)
{
#define EVAL(scores) eval_any(curve, scores)
    EACH_EIGHT(EVAL);
#undef EVAL
}

TARGET void curve_eval_n_avx512(const hedge_curve *curve, const double *score, double *hedge,
                                size_t n)
{
    if (curve->knots <= 8)
        n_8(curve, score, hedge, n);
    else if (curve->knots <= 16)
        n_16(curve, score, hedge, n);
    else
        n_any(curve, score, hedge, n);
}
#endif
