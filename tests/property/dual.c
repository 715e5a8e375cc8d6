/* SPDX-License-Identifier: MIT
 * The curve in long double together with its exact derivative by any knot's hedge. */
#include "dual.h"

#include <math.h>

/* ---- arithmetic -------------------------------------------------------------- */

static dual plus(dual a, dual b)
{
    return (dual){a.v + b.v, a.d + b.d, 0};
}

static dual times(dual a, dual b)
{
    return (dual){a.v * b.v, a.d * b.v + a.v * b.d, 0};
}

static dual scaled(long double by, dual a)
{
    return (dual){by * a.v, by * a.d, 0};
}

static dual over(dual a, dual b)
{
    return (dual){a.v / b.v, (a.d * b.v - a.v * b.d) / (b.v * b.v), 0};
}

/* ---- slopes ------------------------------------------------------------------ */

static long double width(const knots *k, size_t i)
{
    return (long double)on_grid(k->score[i + 1]) - on_grid(k->score[i]);
}

static dual secant(const knots *k, size_t i, size_t j)
{
    const long double rise = (long double)k->hedge[i + 1] - k->hedge[i], h = width(k, i);

    return (dual){rise / h, ((i + 1 == j) - (i == j)) / h, 0};
}

/* 1/m = a/d0 + (1 - a)/d1. Near a flat segment m is that secant over its own weight. */
static dual pchip_inner(long double h0, long double h1, dual d0, dual d1)
{
    const long double a = (1 + h1 / (h0 + h1)) / 3;

    if (d0.v == 0 && d1.v == 0) return (dual){0};
    if (d0.v == 0) return scaled(1 / a, d0);
    if (d1.v == 0) return scaled(1 / (1 - a), d1);
    return over(times(d0, d1), plus(scaled(a, d1), scaled(1 - a, d0)));
}

/* Never more than 3 d0 here: no secant is below 0. */
static dual pchip_edge(long double h0, long double h1, dual d0, dual d1)
{
    const dual m = plus(scaled((2 * h0 + h1) / (h0 + h1), d0), scaled(-h0 / (h0 + h1), d1));

    return m.v > 0 ? m : (dual){0};
}

/* The parabola's slope, at most twice the smaller secant. */
static dual steffen_inner(long double h0, long double h1, dual d0, dual d1)
{
    const dual least = d0.v < d1.v ? d0 : d1;
    const dual p = plus(scaled(h1 / (h0 + h1), d0), scaled(h0 / (h0 + h1), d1));

    if (d0.v == 0 && d1.v == 0) return (dual){0};
    return p.v < 2 * least.v ? p : scaled(2, least);
}

static dual end_slope(int32_t method, const knots *k, size_t own, size_t next, size_t j)
{
    const dual d0 = secant(k, own, j);

    if (method == HEDGE_METHOD_STEFFEN) return d0;
    return pchip_edge(width(k, own), width(k, next), d0, secant(k, next, j));
}

static dual slope_at(int32_t method, const knots *k, size_t i, size_t j)
{
    const size_t last = k->n - 1;

    if (k->n == 2) return secant(k, 0, j);
    if (i == 0) return end_slope(method, k, 0, 1, j);
    if (i == last) return end_slope(method, k, last - 1, last - 2, j);

    const long double h0 = width(k, i - 1), h1 = width(k, i);
    const dual d0 = secant(k, i - 1, j), d1 = secant(k, i, j);

    return method == HEDGE_METHOD_PCHIP ? pchip_inner(h0, h1, d0, d1)
                                        : steffen_inner(h0, h1, d0, d1);
}

static bool close_to(long double a, long double b)
{
    return fabsl(a - b) <= 0x1p-40L * (fabsl(a) + fabsl(b)) && (a != 0 || b != 0);
}

static bool kink_at(int32_t method, const knots *k, size_t i)
{
    const size_t last = k->n - 1, low = i > 0 ? i - 1 : 0, high = low + 1 < last ? low + 1 : low;
    const long double d0 = secant(k, low, 0).v, d1 = secant(k, high, 0).v;
    const long double h0 = width(k, low), h1 = width(k, high);
    const long double p = (h1 * d0 + h0 * d1) / (h0 + h1), least = d0 < d1 ? d0 : d1;

    if (method == HEDGE_METHOD_STEFFEN) return i > 0 && i < last && close_to(p, 2 * least);
    if (i == 0 && last > 1)
        return close_to((2 * width(k, 0) + width(k, 1)) * secant(k, 0, 0).v,
                        width(k, 0) * secant(k, 1, 0).v);
    if (i == last && last > 1)
        return close_to((2 * width(k, last - 1) + width(k, last - 2)) * secant(k, last - 1, 0).v,
                        width(k, last - 1) * secant(k, last - 2, 0).v);
    return false;
}

bool dual_kink(int32_t method, const knots *k, size_t segment)
{
    return method != HEDGE_METHOD_LINEAR &&
           (kink_at(method, k, segment) || kink_at(method, k, segment + 1));
}

/* ---- the curve --------------------------------------------------------------- */

size_t dual_segment(const knots *k, double score)
{
    size_t low = 0, high = k->n - 2;

    while (low < high) {
        const size_t middle = (low + high + 1) / 2;

        if (score >= on_grid(k->score[middle]))
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* Hermite's basis; b is its derivative by u. */
static dual cubic(const knots *k, size_t i, size_t j, long double e, dual m0, dual m1)
{
    const long double h = width(k, i), u = e / h, v = (h - e) / h;
    const long double a[4] = {v * v * (1 + 2 * u), u * u * (3 - 2 * u), h * u * v * v,
                              -h * u * u * v};
    const long double b[4] = {-6 * u * v, 6 * u * v, h * v * (1 - 3 * u), h * u * (3 * u - 2)};
    const dual of[4] = {{k->hedge[i], i == j, 0}, {k->hedge[i + 1], i + 1 == j, 0}, m0, m1};
    dual f = {0};
    long double by_u = (b[1]) * ((long double)k->hedge[i + 1] - k->hedge[i]);

    for (int n = 0; n < 4; n++) {
        f = plus(f, scaled(a[n], of[n]));
        if (n >= 2) by_u += b[n] * of[n].v;
    }
    f.by_score = by_u / h;
    return f;
}

dual dual_curve(int32_t method, const knots *k, double score, size_t j)
{
    const size_t i = dual_segment(k, score);
    const long double e = (long double)score - on_grid(k->score[i]);

    if (method == HEDGE_METHOD_LINEAR) {
        dual f = scaled(e, secant(k, i, j));

        f = plus(f, (dual){k->hedge[i], i == j, 0});
        f.by_score = secant(k, i, j).v;
        return f;
    }
    return cubic(k, i, j, e, slope_at(method, k, i, j), slope_at(method, k, i + 1, j));
}

long double dual_steepest(int32_t method, const knots *k, size_t i)
{
    long double most = secant(k, i, 0).v;

    if (method == HEDGE_METHOD_LINEAR) return most;
    most = fmaxl(most, slope_at(method, k, i, 0).v);
    return fmaxl(most, slope_at(method, k, i + 1, 0).v);
}
