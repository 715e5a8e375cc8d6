/* SPDX-License-Identifier: MIT
 * What else there is to know of a curve, on random and wicked knots: slope, area, sensitivity and
 * pieces, each within the bound that the header states, against long double, dual numbers and GSL.
 * Arguments: seed (default 1), curves (default 3000). Curve i of seed s is curve 0 of seed s + i.
 */
#include "dual.h"
#include "oracle.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { PLACES = 40, SPANS = 24 };

typedef struct subject {
    uint64_t seed;
    const knots *k;
    int32_t method;
    hedge_curve *curve;
    const oracle *other;
    rng r;
    double first, last; /* the end knots' scores on the grid */
    bool tiny;          /* a rise below 2^-900, where relative bounds cannot hold */
} subject;

static void fail(const subject *s, const char *what, double x, long double got, long double want,
                 long double most)
{
    fprintf(stderr, "seed %llu, %s, %zu knots (%s): %s at %a = %.17g: %.21Lg, not %.21Lg (%Lg)\n",
            (unsigned long long)s->seed, hedge_method_name(s->method), s->k->n, s->k->kind, what, x,
            x, got, want, most);
    for (size_t i = 0; i < s->k->n && s->k->n <= 16; i++)
        fprintf(stderr, "  {%a, %a},\n", s->k->score[i], s->k->hedge[i]);
    exit(1);
}

static void near(const subject *s, const char *what, double x, long double got, long double want,
                 long double most)
{
    if (!(fabsl(got - want) <= most)) fail(s, what, x, got, want, most);
}

/* ---- places ------------------------------------------------------------------ */

static double hold(const subject *s, double x)
{
    return fmin(fmax(on_grid(x), s->first), s->last);
}

/* A grid point between the end knots: a knot, a middle, a few steps off, or anywhere. */
static double draw_place(subject *s)
{
    const size_t i = (size_t)rng_below(&s->r, s->k->n - 1);
    const double low = s->k->score[i], high = s->k->score[i + 1], t = rng_unit(&s->r);
    const double off = ((double)rng_below(&s->r, 9) - 4) * HEDGE_SCORE_STEP;

    switch (rng_below(&s->r, 4)) {
    case 0:
        return hold(s, low + off);
    case 1:
        return hold(s, low / 2 + high / 2 + off);
    case 2:
        return hold(s, high);
    default:
        return hold(s, low * (1 - t) + high * t);
    }
}

/* ---- slope ------------------------------------------------------------------- */

static void check_slope(const subject *s, double x)
{
    const size_t i = dual_segment(s->k, x);
    const double slope = hedge_curve_slope(s->curve, x);
    /* Behind the last knot's score nothing follows: the slope there is the segment's. */
    const long double want = dual_curve(s->method, s->k, x, 0).by_score;
    const long double steepest = dual_steepest(s->method, s->k, i);

    if (s->tiny) return;
    near(s, "slope", x, slope, want, 0x1p-46L * steepest);
    if (s->method == HEDGE_METHOD_STEFFEN && s->k->n > 2)
        near(s, "GSL's slope", x, slope, oracle_slope(s->other, x), 0x1p-40L * steepest);
}

/* ---- area -------------------------------------------------------------------- */

static long double piece_area(const hedge_piece *p, long double from, long double to)
{
    const long double ends[2] = {from - p->knot, to - p->knot};
    long double f[2];

    for (int i = 0; i < 2; i++) {
        const long double e = ends[i];

        f[i] = e * (p->hedge + e * (p->b / 2.0L + e * (p->c / 3.0L + e * (p->d / 4.0L))));
    }
    return f[1] - f[0];
}

/* The exact integral of the pieces, low <= high. */
static long double exact_area(const subject *s, double low, double high)
{
    const double y0 = s->k->hedge[0], y1 = s->k->hedge[s->k->n - 1];
    long double sum = 0;

    if (low < s->first) sum += y0 * ((long double)fmin(high, s->first) - low);
    if (high > s->last) sum += y1 * ((long double)high - fmax(low, s->last));
    for (size_t i = 0; i < hedge_curve_piece_count(s->curve); i++) {
        hedge_piece p = HEDGE_INIT(hedge_piece);

        if (hedge_curve_piece(s->curve, i, &p) != HEDGE_OK) fail(s, "piece", low, 0, 0, 0);
        if (p.to <= low || p.from >= high) continue;
        sum += piece_area(&p, fmax(p.from, low), fmin(p.to, high));
    }
    return sum;
}

static double draw_end(subject *s)
{
    static const double far[] = {-1, 2, -3.75, 17, -1e3, 12345.678, 1e9, -1e15, 1e15, 1e100};

    switch (rng_below(&s->r, 8)) {
    case 0:
        return far[rng_below(&s->r, COUNT(far))];
    case 1:
        return rng_unit(&s->r) * 4 - 2;
    case 2:
        return s->k->score[rng_below(&s->r, s->k->n)];
    case 3:
        return rng_below(&s->r, 2) == 0 ? s->first : s->last;
    case 4:
        return draw_place(s) + HEDGE_SCORE_STEP * (rng_unit(&s->r) - 0.5);
    default:
        return rng_unit(&s->r);
    }
}

static long double area_bound(double from, double to)
{
    return 0x1p-49L * (1 + fabsl((long double)to - from));
}

static void check_area(subject *s)
{
    const double a = draw_end(s), c = rng_below(&s->r, 4) == 0 ? a + rng_unit(&s->r) : draw_end(s);
    const double b = draw_end(s), got = hedge_curve_area(s->curve, a, c);
    const long double want = a <= c ? exact_area(s, a, c) : -exact_area(s, c, a);

    near(s, "area", a, got, want, area_bound(a, c));
    if (!same_bits(got, -hedge_curve_area(s->curve, c, a)) && got != 0)
        fail(s, "area the other way", a, got, -hedge_curve_area(s->curve, c, a), 0);
    if (hedge_curve_area(s->curve, a, a) != 0) fail(s, "area of nothing", a, got, 0, 0);
    near(s, "area in two parts", b,
         (long double)hedge_curve_area(s->curve, a, b) + hedge_curve_area(s->curve, b, c), got,
         area_bound(a, b) + area_bound(b, c) + area_bound(a, c));
    if (s->method == HEDGE_METHOD_STEFFEN && s->k->n > 2) {
        const double low = hold(s, fmin(a, c)), high = hold(s, fmax(a, c));

        near(s, "GSL's area", low, hedge_curve_area(s->curve, low, high),
             oracle_area(s->other, low, high), 1e-12L);
    }
}

/* ---- sensitivity ------------------------------------------------------------- */

static void check_sensitivity(const subject *s, double x)
{
    static double got[HEDGE_KNOTS_MAX];
    static long double want[HEDGE_KNOTS_MAX];
    const size_t n = s->k->n, i = dual_segment(s->k, x);
    const size_t low = i > 0 ? i - 1 : 0, high = i + 2 < n ? i + 2 : n - 1;
    /* With three knots or at an end a slope looks past its own segment only inwards. */
    const size_t from = i + 2 == n && n > 2 ? i - 1 : low, to = i == 0 && n > 2 ? 2 : high;
    long double largest = 0, sum = 0;
    size_t nonzero = 0;
    const bool kink = dual_kink(s->method, s->k, i);

    if (s->tiny) return;
    if (hedge_curve_sensitivity(s->curve, x, got, n) != HEDGE_OK) fail(s, "refused", x, 0, 0, 0);
    for (size_t j = 0; j < n; j++) {
        want[j] = j >= from && j <= to ? dual_curve(s->method, s->k, x, j).d : 0;
        largest = fmaxl(largest, fabsl(want[j]));
        nonzero += got[j] != 0;
        sum += got[j];
    }
    for (size_t j = 0; j < n; j++) {
        if (!kink) near(s, "sensitivity", x, got[j], want[j], 0x1p-46L * largest);
        if (!(j >= from && j <= to) && got[j] != 0) fail(s, "not local", x, got[j], 0, 0);
    }
    if (nonzero > 4) fail(s, "more than four", x, nonzero, 4, 0);
    if (!kink) near(s, "the sum", x, sum, 1, 4 * 0x1p-46L * largest);
}

/* ---- pieces ------------------------------------------------------------------ */

static double by_piece(const hedge_piece *p, double x)
{
    const double e = x - p->knot;

    return fma(e, fma(e, fma(e, p->d, p->c), p->b), p->hedge);
}

/* At the middle of a segment the right half has the word. */
static void check_piece(subject *s, const hedge_piece *p, size_t i)
{
    const double steps = (p->to - p->from) / HEDGE_SCORE_STEP;
    const double last = i % 2 == 0 ? steps - 1 : steps;

    for (int n = 0; n < 8; n++) {
        const double at = n == 0 ? 0 : n == 1 ? last : (double)rng_below(&s->r, (uint64_t)last + 1);
        const double x = p->from + at * HEDGE_SCORE_STEP, f = hedge_curve_eval(s->curve, x);

        if (!same_bits(by_piece(p, x), f)) fail(s, "piece", x, by_piece(p, x), f, 0);
    }
}

static void check_pieces(subject *s)
{
    const size_t n = hedge_curve_piece_count(s->curve);
    double at = s->first;

    if (n != 2 * (s->k->n - 1)) fail(s, "number of pieces", 0, n, 0, 0);
    for (size_t i = 0; i < n; i++) {
        hedge_piece p = HEDGE_INIT(hedge_piece);

        if (hedge_curve_piece(s->curve, i, &p) != HEDGE_OK) fail(s, "no piece", at, i, 0, 0);
        if (!same_bits(p.from, at) || !(p.to > p.from)) fail(s, "gap", at, p.from, at, 0);
        if (p.from != on_grid(p.from)) fail(s, "off the grid", at, p.from, 0, 0);
        if (!same_bits(p.knot, i % 2 == 0 ? p.from : p.to)) fail(s, "knot", at, p.knot, 0, 0);
        if (!same_bits(p.hedge, s->k->hedge[(i + 1) / 2])) fail(s, "hedge", at, p.hedge, 0, 0);
        check_piece(s, &p, i);
        at = p.to;
    }
    if (!same_bits(at, s->last)) fail(s, "does not reach the last knot", at, at, s->last, 0);
}

/* ---- all --------------------------------------------------------------------- */

static bool has_tiny_rise(const knots *k)
{
    for (size_t i = 0; i + 1 < k->n; i++) {
        const double rise = k->hedge[i + 1] - k->hedge[i];

        if (rise > 0 && rise < 0x1p-900) return true;
    }
    return false;
}

static void check_curve(uint64_t seed, const knots *k, int32_t method)
{
    oracle *other = oracle_new(method, k);
    subject s = {.seed = seed,
                 .k = k,
                 .method = method,
                 .other = other,
                 .r = {seed ^ 0x5eed},
                 .first = on_grid(k->score[0]),
                 .last = on_grid(k->score[k->n - 1]),
                 .tiny = has_tiny_rise(k)};

    s.curve = curve_of(method, k->score, k->hedge, k->n);
    if (s.curve == NULL) fail(&s, "refused", 0, 0, 0, 0);
    for (int i = 0; i < PLACES; i++) {
        const double x = draw_place(&s);

        check_slope(&s, x);
        if (k->n <= 600 || i < 4) check_sensitivity(&s, x);
    }
    for (int i = 0; i < (k->n <= 600 ? SPANS : 2); i++)
        check_area(&s);
    check_pieces(&s);
    hedge_curve_free(s.curve);
    oracle_free(other);
}

int main(int argc, char **argv)
{
    static knots k;
    const uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    const uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 3000;

    for (uint64_t i = 0; i < count; i++) {
        rng r = {(seed + i) * UINT64_C(0x9e3779b97f4a7c15)};

        knots_draw(&r, &k);
        for (int32_t method = HEDGE_METHOD_PCHIP; method <= HEDGE_METHOD_LINEAR; method++)
            check_curve(seed + i, &k, method);
    }
    printf("%llu curves from seed %llu, each by three methods: slope, area, sensitivity, pieces\n",
           (unsigned long long)count, (unsigned long long)seed);
    return 0;
}
