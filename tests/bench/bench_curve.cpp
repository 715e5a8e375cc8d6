// SPDX-License-Identifier: MIT
// bench_curve: one evaluation, beside GSL and Boost in the same run.
#include <hedge/hedge.h>

#include <gsl/gsl_spline.h>

// Boost 1.74 calls isnan without a namespace.
#include <math.h>

#include <boost/math/interpolators/pchip.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <vector>

namespace
{

constexpr int rounds = 9;
constexpr std::size_t scores_n = 4096; // random, so that no branch is learnt
constexpr int passes = 200;

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

volatile double sink;

// Best of several rounds, nanoseconds a score.
template <typename Pass> double measure(Pass pass)
{
    double best = 1e9;
    for (int round = 0; round < rounds; round++) {
        const auto begin = std::chrono::steady_clock::now();
        for (int i = 0; i < passes; i++)
            sink = pass();
        const std::chrono::duration<double, std::nano> took =
            std::chrono::steady_clock::now() - begin;
        best = std::min(best, took.count() / double(passes * scores_n));
    }
    return best;
}

template <typename Eval> double one_by_one(const std::vector<double> &scores, Eval eval)
{
    return measure([&] {
        double sum = 0.0;
        for (const double s : scores)
            sum += eval(s);
        return sum;
    });
}

void bench(std::size_t n)
{
    const knots k = make_knots(n);
    const std::vector<double> scores = make_scores();
    std::vector<double> out(scores.size());

    hedge_curve *curve = nullptr;
    if (hedge_curve_new(HEDGE_METHOD_PCHIP, k.score.data(), k.hedge.data(), n, nullptr, &curve) !=
        0)
        return;
    const double ours = one_by_one(scores, [&](double s) { return hedge_curve_eval(curve, s); });
    const double batch = measure([&] {
        hedge_curve_eval_n(curve, scores.data(), out.data(), out.size());
        return out[0];
    });
    hedge_curve_free(curve);

    gsl_spline *spline = gsl_spline_alloc(gsl_interp_steffen, n);
    gsl_interp_accel *accel = gsl_interp_accel_alloc();
    gsl_spline_init(spline, k.score.data(), k.hedge.data(), n);
    const double gsl =
        one_by_one(scores, [&](double s) { return gsl_spline_eval(spline, s, accel); });
    gsl_interp_accel_free(accel);
    gsl_spline_free(spline);

    auto x = k.score, y = k.hedge;
    const boost::math::interpolators::pchip<std::vector<double>> pchip(std::move(x), std::move(y));
    const double boost = one_by_one(scores, [&](double s) { return pchip(s); });

    std::printf("curve knots=%zu hedge_ns=%.2f gsl_ns=%.2f boost_ns=%.2f best_peer/hedge=%.1f "
                "batch_ns=%.2f\n",
                n, ours, gsl, boost, std::min(gsl, boost) / ours, batch);
}

} // namespace

int main()
{
    for (const std::size_t n : {4, 16, 64, 1024})
        bench(n);
}
