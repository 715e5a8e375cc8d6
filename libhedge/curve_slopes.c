/* SPDX-License-Identifier: MIT
 * curve_slopes: slopes at the knots that keep a cubic monotone.
 *
 * All data here is non-decreasing, so every secant is >= 0 and the papers'
 * sign tests reduce to tests for zero. */
#include "curve_slopes.h"

static double secant(const double *x, const double *y, size_t i)
{
    return (y[i + 1] - y[i]) / (x[i + 1] - x[i]);
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

/* Fritsch & Butland (1984), eq. 5 in the weighted form SciPy uses: the
 * harmonic mean of both secants, the nearer one weighing more. */
static double pchip_inner(double h0, double h1, double d0, double d1)
{
    const double w0 = 2.0 * h1 + h0;
    const double w1 = h1 + 2.0 * h0;

    if (!(d0 > 0.0 && d1 > 0.0)) return 0.0;
    return (w0 + w1) / (w0 / d0 + w1 / d1);
}

/* The three-point end formula with SciPy's limits: no slope against the
 * secant, and none beyond three times it where the next segment is flat. */
static double pchip_end(double h0, double h1, double d0, double d1)
{
    const double slope = ((2.0 * h0 + h1) * d0 - h0 * d1) / (h0 + h1);

    if (!(slope > 0.0) || !(d0 > 0.0)) return 0.0;
    if (!(d1 > 0.0) && slope > 3.0 * d0) return 3.0 * d0;
    return slope;
}

void curve_slopes_pchip(const double *x, const double *y, size_t n, double *slope)
{
    double h0, d0;

    if (n == 2) {
        slope[0] = slope[1] = secant(x, y, 0);
        return;
    }
    h0 = x[1] - x[0];
    d0 = secant(x, y, 0);
    slope[0] = pchip_end(h0, x[2] - x[1], d0, secant(x, y, 1));
    for (size_t i = 1; i + 1 < n; i++) {
        const double h1 = x[i + 1] - x[i];
        const double d1 = secant(x, y, i);

        slope[i] = pchip_inner(h0, h1, d0, d1);
        h0 = h1;
        d0 = d1;
    }
    slope[n - 1] = pchip_end(h0, x[n - 2] - x[n - 3], d0, secant(x, y, n - 3));
}

/* Steffen (1990), eqs. 8 and 11: the parabola's slope through three knots, at
 * most twice the smaller secant. */
static double steffen_inner(double h0, double h1, double d0, double d1)
{
    const double parabola = (d0 * h1 + d1 * h0) / (h0 + h1);

    return 2.0 * least(least(d0, d1), 0.5 * parabola);
}

/* At the ends the secant itself, as GSL has it. */
void curve_slopes_steffen(const double *x, const double *y, size_t n, double *slope)
{
    double h0 = x[1] - x[0];
    double d0 = secant(x, y, 0);

    slope[0] = d0;
    for (size_t i = 1; i + 1 < n; i++) {
        const double h1 = x[i + 1] - x[i];
        const double d1 = secant(x, y, i);

        slope[i] = steffen_inner(h0, h1, d0, d1);
        h0 = h1;
        d0 = d1;
    }
    slope[n - 1] = d0;
}

/* ---- gradients ------------------------------------------------------------ */

/* By the secants at the knot: before it and behind it. At an end: the end's
 * own and its neighbour's. */
typedef struct by_secants {
    double d0, d1;
} by_secants;

/* The weighted harmonic mean m has dm/dd0 = w0 m^2 / ((w0 + w1) d0^2); as
 * ratios, so that nothing overflows. */
static by_secants pchip_inner_gradient(double h0, double h1, double d0, double d1)
{
    const double w0 = 2.0 * h1 + h0, w1 = h1 + 2.0 * h0, w = w0 + w1;

    if (!(d0 > 0.0 || d1 > 0.0)) return (by_secants){0.0, 0.0};
    const double r0 = w * d1 / (w0 * d1 + w1 * d0); /* m / d0 */
    const double r1 = w * d0 / (w0 * d1 + w1 * d0); /* m / d1 */
    return (by_secants){w0 / w * r0 * r0, w1 / w * r1 * r1};
}

static by_secants pchip_end_gradient(double h0, double h1, double d0, double d1)
{
    const double w0 = (2.0 * h0 + h1) / (h0 + h1), w1 = -h0 / (h0 + h1);

    if (!(w0 * d0 + w1 * d1 > 0.0)) return (by_secants){0.0, 0.0};
    return (by_secants){w0, w1};
}

static by_secants steffen_inner_gradient(double h0, double h1, double d0, double d1)
{
    const double w0 = h1 / (h0 + h1), w1 = h0 / (h0 + h1);

    if (!(d0 > 0.0 || d1 > 0.0)) return (by_secants){0.0, 0.0};
    if (w0 * d0 + w1 * d1 < 2.0 * least(d0, d1)) return (by_secants){w0, w1};
    return d0 < d1 ? (by_secants){2.0, 0.0} : (by_secants){0.0, 2.0};
}

/* A secant's derivative is -1/h by its lower hedge, 1/h by its upper one. */
static void chain(const by_secants *by, double h0, double h1, double d_y[3])
{
    d_y[0] = -by->d0 / h0;
    d_y[1] = by->d0 / h0 - by->d1 / h1;
    d_y[2] = by->d1 / h1;
}

static size_t gradient_first(int32_t method, const double *x, const double *y, double d_y[3])
{
    const double h0 = x[1] - x[0], h1 = x[2] - x[1];
    by_secants by = {1.0, 0.0};

    if (method == HEDGE_METHOD_PCHIP)
        by = pchip_end_gradient(h0, h1, secant(x, y, 0), secant(x, y, 1));
    chain(&by, h0, h1, d_y);
    return 0;
}

static size_t gradient_last(int32_t method, const double *x, const double *y, size_t n,
                            double d_y[3])
{
    const double h0 = x[n - 1] - x[n - 2], h1 = x[n - 2] - x[n - 3];
    by_secants by = {1.0, 0.0};

    if (method == HEDGE_METHOD_PCHIP)
        by = pchip_end_gradient(h0, h1, secant(x, y, n - 2), secant(x, y, n - 3));
    by = (by_secants){by.d1, by.d0}; /* the neighbour's comes first */
    chain(&by, h1, h0, d_y);
    return n - 3;
}

size_t curve_slopes_gradient(int32_t method, const double *x, const double *y, size_t n, size_t i,
                             double d_y[3])
{
    if (n == 2) {
        const double h = x[1] - x[0];

        d_y[0] = -1.0 / h;
        d_y[1] = 1.0 / h;
        d_y[2] = 0.0;
        return 0;
    }
    if (i == 0) return gradient_first(method, x, y, d_y);
    if (i == n - 1) return gradient_last(method, x, y, n, d_y);

    const double h0 = x[i] - x[i - 1], h1 = x[i + 1] - x[i];
    const double d0 = secant(x, y, i - 1), d1 = secant(x, y, i);
    const by_secants by = method == HEDGE_METHOD_PCHIP ? pchip_inner_gradient(h0, h1, d0, d1)
                                                       : steffen_inner_gradient(h0, h1, d0, d1);
    chain(&by, h0, h1, d_y);
    return i - 1;
}
