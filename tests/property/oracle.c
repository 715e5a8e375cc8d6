/* SPDX-License-Identifier: MIT
 * What others make of the same knots. */
#include "oracle.h"

#include <gsl/gsl_interp.h>
#include <math.h>
#include <stdlib.h>

struct oracle {
    int32_t method;
    size_t n;
    double x[HEDGE_KNOTS_MAX], y[HEDGE_KNOTS_MAX];
    long double slope[HEDGE_KNOTS_MAX];
    gsl_interp *gsl; /* for Steffen of three knots or more */
};

static long double secant(const oracle *o, size_t i)
{
    return ((long double)o->y[i + 1] - o->y[i]) / ((long double)o->x[i + 1] - o->x[i]);
}

static long double width(const oracle *o, size_t i)
{
    return (long double)o->x[i + 1] - o->x[i];
}

/* Fritsch and Butland (1984): 1/m = a/d0 + (1-a)/d1, a = (1 + h1/(h0+h1)) / 3. */
static long double pchip_inner(const oracle *o, size_t i)
{
    const long double d0 = secant(o, i - 1), d1 = secant(o, i);
    const long double h0 = width(o, i - 1), h1 = width(o, i);
    const long double a = (1 + h1 / (h0 + h1)) / 3;

    if (d0 == 0 || d1 == 0) return 0;
    return d0 * d1 / (a * d1 + (1 - a) * d0);
}

/* One-sided three-point formula, kept between 0 and 3 d0 as in scipy's _edge_case. */
static long double pchip_edge(long double h0, long double h1, long double d0, long double d1)
{
    const long double m = ((2 * h0 + h1) * d0 - h0 * d1) / (h0 + h1);

    if (m <= 0 || d0 == 0) return 0;
    return d1 == 0 && m > 3 * d0 ? 3 * d0 : m;
}

static void pchip_slopes(oracle *o)
{
    const size_t last = o->n - 1;

    if (o->n == 2) {
        o->slope[0] = o->slope[1] = secant(o, 0);
        return;
    }
    for (size_t i = 1; i < last; i++)
        o->slope[i] = pchip_inner(o, i);
    o->slope[0] = pchip_edge(width(o, 0), width(o, 1), secant(o, 0), secant(o, 1));
    o->slope[last] = pchip_edge(width(o, last - 1), width(o, last - 2), secant(o, last - 1),
                                secant(o, last - 2));
}

oracle *oracle_new(int32_t method, const knots *k)
{
    oracle *o = calloc(1, sizeof(*o));

    if (o == NULL) abort();
    o->method = k->n == 2 ? HEDGE_METHOD_LINEAR : method;
    o->n = k->n;
    for (size_t i = 0; i < k->n; i++) {
        o->x[i] = on_grid(k->score[i]);
        o->y[i] = k->hedge[i];
    }
    if (o->method == HEDGE_METHOD_PCHIP) pchip_slopes(o);
    if (o->method == HEDGE_METHOD_STEFFEN) {
        o->gsl = gsl_interp_alloc(gsl_interp_steffen, o->n);
        gsl_interp_init(o->gsl, o->x, o->y, o->n);
    }
    return o;
}

static size_t segment_of(const oracle *o, double x)
{
    size_t low = 0, high = o->n - 2;

    while (low < high) {
        const size_t middle = (low + high + 1) / 2;

        if (x >= o->x[middle])
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

double oracle_eval(const oracle *o, double x)
{
    if (o->gsl != NULL) return gsl_interp_eval(o->gsl, o->x, o->y, x, NULL);

    const size_t i = segment_of(o, x);
    const long double h = width(o, i), t = ((long double)x - o->x[i]) / h;
    const long double y0 = o->y[i], y1 = o->y[i + 1], u = 1 - t;

    if (o->method == HEDGE_METHOD_LINEAR) return (double)(u * y0 + t * y1);
    /* Hermite's basis. */
    return (double)(u * u * (1 + 2 * t) * y0 + t * t * (3 - 2 * t) * y1 +
                    h * t * u * (u * o->slope[i] - t * o->slope[i + 1]));
}

double oracle_slope(const oracle *o, double x)
{
    return o->gsl != NULL ? gsl_interp_eval_deriv(o->gsl, o->x, o->y, x, NULL) : NAN;
}

double oracle_area(const oracle *o, double from, double to)
{
    return o->gsl != NULL ? gsl_interp_eval_integ(o->gsl, o->x, o->y, from, to, NULL) : NAN;
}

void oracle_free(oracle *o)
{
    if (o->gsl != NULL) gsl_interp_free(o->gsl);
    free(o);
}
