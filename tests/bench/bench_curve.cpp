// SPDX-License-Identifier: MIT
// bench_curve: one evaluation and a batch, beside GSL, Boost and QuantLib in the same run.
//
// Prints rows: what, knots, who, nanoseconds a score. Scores are random and too many for a branch
// predictor to learn by heart; each result is stored, so that no peer waits for a running sum.
#include <hedge/hedge.h>

#include <gsl/gsl_spline.h>

// Boost 1.74 calls isnan without a namespace.
#include <math.h>

#include <boost/math/interpolators/pchip.hpp>
#ifdef HEDGE_BENCH_QUANTLIB
#include <ql/math/interpolations/cubicinterpolation.hpp>
#endif

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <vector>

namespace
{

constexpr int rounds = 15;
constexpr std::size_t scores_n = 1 << 20;

struct knots {
    std::vector<double> score, hedge;
};

knots make_knots(std::size_t n)
{
    if (n == 4) return {{0.0, 0.3, 0.7, 1.0}, {0.05, 0.25, 0.75, 1.0}};
    std::mt19937_64 random(n);
    std::uniform_real_distribution<double> rise(0.0, 1.0);
    knots k;
    double sum = 0.0;
    for (std::size_t i = 0; i < n; i++) {
        k.score.push_back(double(i) / double(n - 1));
        k.hedge.push_back(sum += rise(random));
    }
    for (double &h : k.hedge)
        h /= sum;
    return k;
}

std::vector<double> make_scores()
{
    std::mt19937_64 random(1);
    std::uniform_real_distribution<double> any(0.0, 1.0);
    std::vector<double> scores(scores_n);
    for (double &s : scores)
        s = any(random);
    return scores;
}

const std::vector<double> scores = make_scores();
std::vector<double> results(scores_n);
volatile double sink;

// Best of several rounds, nanoseconds a score.
template <typename Pass> double measure(Pass pass)
{
    double best = 1e9;
    for (int round = 0; round < rounds; round++) {
        const auto begin = std::chrono::steady_clock::now();
        pass();
        const std::chrono::duration<double, std::nano> took =
            std::chrono::steady_clock::now() - begin;
        sink = results[scores_n / 2];
        best = std::min(best, took.count() / double(scores_n));
    }
    return best;
}

template <typename Eval> double one_by_one(Eval eval)
{
    return measure([&] {
        for (std::size_t i = 0; i < scores_n; i++)
            results[i] = eval(scores[i]);
    });
}

void row(const char *what, std::size_t n, const char *who, double ns)
{
    std::printf("%s\t%zu\t%s\t%.2f\n", what, n, who, ns);
}

void bench_hedge(const knots &k)
{
    const std::size_t n = k.score.size();
    hedge_curve *curve = nullptr;
    if (hedge_curve_new(HEDGE_METHOD_PCHIP, k.score.data(), k.hedge.data(), n, nullptr, &curve) !=
        HEDGE_OK)
        return;
    row("evaluation", n, "libhedge",
        one_by_one([&](double s) { return hedge_curve_eval(curve, s); }));
    row("batch", n, "libhedge",
        measure([&] { hedge_curve_eval_n(curve, scores.data(), results.data(), scores_n); }));

    hedge_certificate certificate = HEDGE_INIT(hedge_certificate);
    const auto begin = std::chrono::steady_clock::now();
    if (hedge_curve_certify(curve, nullptr, nullptr, &certificate) == HEDGE_OK) {
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        std::printf("certify\t%zu\tlibhedge\t%.2f\n", n, took.count());
    }
    hedge_curve_free(curve);
}

void bench_gsl(const knots &k)
{
    const std::size_t n = k.score.size();
    gsl_spline *spline = gsl_spline_alloc(gsl_interp_steffen, n);
    gsl_interp_accel *accel = gsl_interp_accel_alloc();
    gsl_spline_init(spline, k.score.data(), k.hedge.data(), n);
    row("evaluation", n, "GSL",
        one_by_one([&](double s) { return gsl_spline_eval(spline, s, accel); }));
    gsl_interp_accel_free(accel);
    gsl_spline_free(spline);
}

void bench_boost(const knots &k)
{
    auto x = k.score, y = k.hedge;
    const boost::math::interpolators::pchip<std::vector<double>> pchip(std::move(x), std::move(y));
    row("evaluation", k.score.size(), "Boost", one_by_one([&](double s) { return pchip(s); }));
}

#ifdef HEDGE_BENCH_QUANTLIB
void bench_quantlib(const knots &k)
{
    using QuantLib::CubicInterpolation;
    const CubicInterpolation cubic(
        k.score.begin(), k.score.end(), k.hedge.begin(), CubicInterpolation::FritschButland, false,
        CubicInterpolation::SecondDerivative, 0.0, CubicInterpolation::SecondDerivative, 0.0);
    row("evaluation", k.score.size(), "QuantLib", one_by_one([&](double s) { return cubic(s); }));
}
#endif

} // namespace

int main()
{
    for (const std::size_t n : {4, 16, 64, 1024}) {
        const knots k = make_knots(n);
        bench_hedge(k);
        bench_gsl(k);
        bench_boost(k);
#ifdef HEDGE_BENCH_QUANTLIB
        bench_quantlib(k);
#endif
    }
}
