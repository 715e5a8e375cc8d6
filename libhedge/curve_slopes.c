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
