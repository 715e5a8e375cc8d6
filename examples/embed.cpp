/* SPDX-License-Identifier: MIT
 * embed: sizes one hedge in process, then a batch of scores over the curve.
 *   c++ -std=c++17 embed.cpp $(pkg-config --cflags --libs hedge) -o embed && ./embed policy.yaml */
#include <hedge/hedge.hpp>

#include <array>
#include <chrono>
#include <cstdio>

static std::int64_t clock_ns()
{
    using namespace std::chrono;
    return duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
}

static hedge::decision size_one(const hedge::policy &policy, const char *asset)
{
    const std::int64_t now_ns = clock_ns();
    hedge::quote quote;

    quote.set_score(0.62, 0.9, now_ns);
    quote.set_depth(780341.2, now_ns);
    return policy.size(hedge::request(policy.asset(asset), 250000.0), quote, now_ns);
}

static bool print_curve(hedge::curve_ref curve)
{
    const std::array<double, 5> scores{0.0, 0.25, 0.5, 0.75, 1.0};
    std::array<double, 5> hedges{};

    if (curve.eval_n(scores, hedges) != HEDGE_OK) return false;
    for (std::size_t i = 0; i < scores.size(); i++)
        std::printf("score %.2f: hedge %.6f\n", scores[i], hedges[i]);
    return true;
}

int main(int argc, char **argv)
{
    const auto policy = hedge::policy::load(argc > 1 ? argv[1] : "policy.yaml");

    if (!policy) {
        const hedge::error &e = policy.error();
        std::fprintf(stderr, "%s:%d: %s: %s\n", e.file, e.line, e.field, e.message);
        return 1;
    }

    const hedge::decision decision = size_one(policy.value(), "BTC");

    if (decision.ok())
        std::printf("hedge %.4f of the exposure: %.2f USD, confidence %.3f\n", decision.hedge_pct,
                    decision.notional_usd, decision.confidence);
    else
        std::printf("keep the hedge you have: %s\n", hedge::status_text(decision.status));
    return print_curve(policy->curve(policy->asset("BTC"))) && decision.ok() ? 0 : 1;
}
