/* SPDX-License-Identifier: MIT
 * hedge.hpp: each call does what the C function does, to the bit, and those of
 * every decision do not throw or allocate. */
#include "test_hpp.hpp"

extern "C" {
#include "support.h"
}

#include <array>
#include <cmath>
#include <cstring>
#include <vector>

using hedge::curve, hedge::curve_ref, hedge::decision, hedge::market, hedge::policy, hedge::quote,
    hedge::request;

static const std::int64_t now = INT64_C(1700000000000000000);

/* ---- what must be noexcept -------------------------------------------------- */

/* Never defined: nothing here is evaluated. */
extern const curve *const c;
extern const policy *const p;
extern market *const m;
using out_t = hedge::view<double>;
using in_t = hedge::view<const double>;

static_assert(noexcept(c->eval(0.0)) &&noexcept(c->eval_n(in_t(), out_t())) &&noexcept(c->slope(
    0.0)) &&noexcept(c->inverse(0.0)) &&noexcept(c->area(0.0,
                                                         1.0)) &&noexcept(c->sensitivity(0.0,
                                                                                         out_t())));
static_assert(noexcept(p->size(request(), quote(), 0)) &&noexcept(p->size(
    request(), quote(), 0, std::declval<decision &>())) &&noexcept(p->size_n(hedge::size_in(in_t()),
                                                                             hedge::size_out()))
                  &&noexcept(p->asset("BTC")) &&noexcept(p->curve(0)));
static_assert(noexcept(m->put_score(0, 0.0, 0.0, 0)) &&noexcept(m->put_depth(0, 0.0, 0)) &&noexcept(
    m->read(0, std::declval<quote &>())) &&noexcept(m->add("BTC")));
static_assert(noexcept(hedge::blend(hedge::blending::min, 0, 0)) &&noexcept(
    hedge::liquidity_weight(hedge::weight::log, 1, 1)));

/* ---- curve -------------------------------------------------------------------- */

static bool same(const curve &a, double x)
{
    const hedge_curve *const b = a.get();
    std::array<double, 4> mine{}, theirs{};

    return same_bits(a.eval(x), hedge_curve_eval(b, x)) &&
           same_bits(a.slope(x), hedge_curve_slope(b, x)) &&
           same_bits(a.inverse(x), hedge_curve_inverse(b, x)) &&
           same_bits(a.area(0.1, x), hedge_curve_area(b, 0.1, x)) &&
           a.sensitivity(x, mine) == hedge_curve_sensitivity(b, x, theirs.data(), 4) &&
           mine == theirs && same_bits(curve_ref(a).eval(x), a.eval(x));
}

static void curves_are_the_same()
{
    const curve a = some_curve();
    rng r = {1};

    for (int i = 0; i < 20000; i++) {
        const double x = i % 4 == 0 ? rng_any(&r) : rng_unit(&r) * 1.2 - 0.1;
        CHECK(same(a, x));
    }
}

static void batches_are_the_same()
{
    const curve a = some_curve();
    std::vector<double> scores(1000), mine(1000), theirs(1000), few(999, 7);
    rng r = {2};

    for (double &score : scores)
        score = rng_unit(&r);
    hedge_curve_eval_n(a.get(), scores.data(), theirs.data(), scores.size());
    CHECK(a.eval_n(scores, mine) == HEDGE_OK && mine == theirs);
    CHECK(a.eval_n(scores, scores) == HEDGE_OK && scores == theirs);
    CHECK(a.eval_n(scores, few) == HEDGE_E_ARG && few == std::vector<double>(999, 7));
    CHECK(a.eval_n({}, {}) == HEDGE_OK);
}

static void curves_are_described_the_same()
{
    const curve a = some_curve();
    hedge::digest hash{};
    hedge::piece mine, theirs;
    double score = 0, hedge = 0;

    CHECK(a.piece_count() == 6 && a.knot_count() == 4 && a.method() == hedge::method::pchip);
    for (std::size_t i = 0; i <= 6; i++) {
        CHECK(a.piece(i, mine) == hedge_curve_piece(a.get(), i, &theirs));
        CHECK(std::memcmp(&mine, &theirs, sizeof(mine)) == 0);
    }
    CHECK(a.knot(2, score, hedge) == HEDGE_OK && score == 0.7 && hedge == 0.75);
    CHECK(hedge_curve_hash(a.get(), hash.data()) == HEDGE_OK && hash == a.hash());
    CHECK(a.path() == hedge_curve_path(a.get()) && hedge::curve().path().empty());
    CHECK(hash != hedge::digest{});
}

static bool stop_at_once(double)
{
    return false;
}

static void certification_reports_and_stops()
{
    const curve a = some_curve();
    hedge::certificate out;
    double seen = -1;
    int called = 0;
    auto only_looks = [&](double done) { seen = done; };

    CHECK(a.certify(out, [&](double done) {
        seen = done;
        return ++called < 3;
    }) == HEDGE_E_STOPPED);
    CHECK(called == 3 && seen > 0 && seen < 1);
    CHECK(a.certify(out, stop_at_once) == HEDGE_E_STOPPED);
    CHECK(hedge::detail::call_progress<decltype(only_looks)>(&only_looks, 0.5) == 0 && seen == 0.5);
}

/* ---- liquidity, names ------------------------------------------------------------ */

static void small_calls_are_the_same()
{
    rng r = {3};

    for (int i = 0; i < 1000; i++) {
        const double a = rng_unit(&r), b = rng_unit(&r), depth = rng_unit(&r) * 1e7;

        for (const auto rule : {hedge::blending::min, hedge::blending::harmonic,
                                hedge::blending::geometric, hedge::blending::product})
            CHECK(same_bits(hedge::blend(rule, a, b),
                            hedge_blend(static_cast<std::int32_t>(rule), a, b)));
        CHECK(same_bits(hedge::liquidity_weight(hedge::weight::ratio, 5e5, depth),
                        hedge_liquidity_weight(HEDGE_WEIGHT_RATIO, 5e5, depth)));
        CHECK(same_bits(hedge::liquidity_weight(hedge::weight::log, 5e5, depth),
                        hedge_liquidity_weight(HEDGE_WEIGHT_LOG, 5e5, depth)));
    }
    for (std::int32_t code = -220; code <= 1; code++) {
        CHECK(std::strcmp(hedge::status_name(code), hedge_status_name(code)) == 0);
        CHECK(std::strcmp(hedge::status_text(code), hedge_status_text(code)) == 0);
        CHECK(hedge::is_trip(code) == (code <= -100 && code > -200));
    }
    for (std::uint32_t bit = 0; bit < 33; bit++)
        CHECK(hedge::flag_name(bit) == hedge_flag_name(bit));
    CHECK(std::strcmp(hedge::method_name(hedge::method::steffen), "steffen") == 0);
    CHECK(hedge::version() == hedge_version() && hedge::abi_matches());
}

/* ---- policy ------------------------------------------------------------------------ */

static void policies_are_the_same()
{
    const policy a = some_policy();
    const policy again = hedge::or_throw(policy::parse(a.text()));
    hedge::rules mine, theirs;

    CHECK(a.asset_count() == hedge_policy_asset_count(a.get()) && a.asset_count() == 4);
    for (std::int32_t i = -1; i < 5; i++) {
        CHECK(a.rules(i, mine) == hedge_policy_rules(a.get(), i, &theirs));
        CHECK(std::memcmp(&mine, &theirs, sizeof(mine)) == 0);
        CHECK(a.curve(i).get() == hedge_policy_curve(a.get(), i));
        CHECK(a.asset_name(i).empty() || a.asset(a.asset_name(i)) == i);
    }
    CHECK(a.asset("nothing") == HEDGE_E_NOT_FOUND);
    CHECK(again.text() == a.text() && again.hash() == a.hash());
    CHECK(a.hash_hex() == hedge_policy_hash_hex(a.get()) && a.hash_hex().size() == 64);
    CHECK(a.file(0) == policy_path() && a.file(9).empty() && again.file(0).empty());
}

static void overrides_reach_the_policy()
{
    hedge::overrides with;
    hedge::rules rules;

    with.set_max_hedge_pct(0.5);
    with.set_stale_score_ms(1234);
    const policy a = hedge::or_throw(policy::load(policy_path(), with));
    CHECK(a.rules(0, rules) == HEDGE_OK && rules.max_hedge_pct == 0.5);
    CHECK(rules.limits[HEDGE_BREAKER(HEDGE_TRIP_STALE_SCORE)].limit == 1234);
    with.set_knots("/nowhere.yaml");
    CHECK(policy::load(std::string(policy_path()), with).code() == HEDGE_E_IO);
}

/* ---- decision -------------------------------------------------------------------------- */

struct rows {
    explicit rows(std::size_t n)
        : asset(n), amount(n), score(n), confidence(n), depth(n), score_ts(n), depth_ts(n)
    {
        rng r = {4};

        for (std::size_t i = 0; i < n; i++) {
            asset[i] = static_cast<std::int32_t>(rng_below(&r, 5)) - 1;
            amount[i] = rng_unit(&r) * 1e6;
            score[i] = rng_unit(&r) * 1.05;
            confidence[i] = rng_unit(&r);
            depth[i] = rng_unit(&r) * 2e6;
            score_ts[i] = now - static_cast<std::int64_t>(rng_below(&r, 4000000000));
            depth_ts[i] = now - static_cast<std::int64_t>(rng_below(&r, 6000000000));
        }
    }
    quote quote_of(std::size_t i) const
    {
        quote q;

        q.set_score(score[i], confidence[i], score_ts[i]);
        q.set_depth(depth[i], depth_ts[i]);
        return q;
    }

    std::vector<std::int32_t> asset;
    std::vector<double> amount, score, confidence, depth;
    std::vector<std::int64_t> score_ts, depth_ts;
};

static void decisions_are_the_same()
{
    const policy a = some_policy();
    const rows in(5000);
    std::size_t sized = 0;

    for (std::size_t i = 0; i < in.amount.size(); i++) {
        const request r(in.asset[i], in.amount[i]);
        const quote q = in.quote_of(i);
        decision theirs, mine;
        const std::int32_t code = hedge_size(a.get(), &r, &q, now, &theirs);
        const decision by_value = a.size(r, q, now);

        CHECK(a.size(r, q, now, mine) == code && mine.status == code);
        CHECK(std::memcmp(&mine, &theirs, sizeof(mine)) == 0);
        CHECK(std::memcmp(&by_value, &theirs, sizeof(mine)) == 0);
        CHECK(by_value.ok() == (code == HEDGE_OK));
        sized += by_value.ok();
    }
    CHECK(sized > 500 && sized < 4500);
}

static void settings_set_the_flags()
{
    quote q;
    request r(2, 5.0);

    r.set_override(0.25);
    CHECK(r.flags == HEDGE_REQUEST_OVERRIDE && r.override_score == 0.25 && r.asset == 2);
    q.set_previous(0.5);
    CHECK(q.flags == HEDGE_QUOTE_PREVIOUS && q.previous_score == 0.5);
    q.set_halted(true);
    CHECK(some_policy().size(r, q, 0).tripped(HEDGE_TRIP_HALTED));
    q.set_halted(false);
    CHECK(q.flags == HEDGE_QUOTE_PREVIOUS);
    q.struct_size = 3;
    CHECK(some_policy().size(r, q, 0).status == HEDGE_E_STRUCT_SIZE);
}

static void columns_are_the_same()
{
    const policy a = some_policy();
    const rows in(3000);
    const std::size_t n = in.amount.size();
    std::vector<std::int32_t> status(n);
    std::vector<std::uint32_t> flags(n);
    std::vector<double> pct(n), usd(n), confidence(n), score(n), weight(n), effective(n), good(n);
    std::vector<std::int64_t> score_age(n), depth_age(n);
    hedge::size_in columns(in.amount);
    hedge::size_out out;

    columns.asset(in.asset).now_ns(now).score(in.score).confidence(in.confidence);
    columns.score_ts_ns(in.score_ts).depth1pct_usd(in.depth).depth_ts_ns(in.depth_ts);
    out.status(status).flags(flags).hedge_pct(pct).notional_usd(usd).confidence(confidence);
    out.score(score).liquidity_weight(weight).effective_score(effective).liquidity_quality(good);
    out.score_age_ns(score_age).depth_age_ns(depth_age);
    CHECK(a.size_n(columns, out) == HEDGE_OK);
    for (std::size_t i = 0; i < n; i++) {
        const decision d = a.size(request(in.asset[i], in.amount[i]), in.quote_of(i), now);

        CHECK(status[i] == d.status && flags[i] == d.flags && same_bits(pct[i], d.hedge_pct));
        CHECK(same_bits(usd[i], d.notional_usd) && same_bits(confidence[i], d.confidence));
        CHECK(same_bits(score[i], d.score) && same_bits(weight[i], d.liquidity_weight));
        CHECK(same_bits(effective[i], d.effective_score) &&
              same_bits(good[i], d.liquidity_quality));
        CHECK(score_age[i] == d.score_age_ns && depth_age[i] == d.depth_age_ns);
    }
}

/* The columns of the other rows reach the member they are named for. */
static void rare_columns_reach_their_places()
{
    const policy a = some_policy();
    const std::array<double, 2> amount{1000, 1000}, override_score{0.3, 0.7}, previous{0.5, 0.5};
    const std::array<double, 2> depth{1e9, 1e9};
    const std::array<std::uint32_t, 2> request_flags{HEDGE_REQUEST_OVERRIDE, 0};
    const std::array<std::uint32_t, 2> quote_flags{HEDGE_QUOTE_DEPTH, HEDGE_QUOTE_HALTED};
    const std::array<std::int64_t, 2> times{5, 6};
    hedge::size_in in(amount);

    in.asset(3).now_ns(times).override_score(override_score).request_flags(request_flags);
    in.previous_score(previous).quote_flags(quote_flags).depth1pct_usd(depth);
    const hedge_size_in &raw = *in.get();
    CHECK(raw.asset_all == 3 && raw.now_ns == times.data());
    CHECK(raw.override_score == override_score.data() && raw.previous_score == previous.data());
    CHECK(raw.request_flags == request_flags.data() && raw.quote_flags == quote_flags.data());
    std::array<std::int32_t, 2> status{};
    CHECK(a.size_n(in, hedge::size_out().status(status)) == HEDGE_OK);
    CHECK(status[0] == HEDGE_OK && status[1] == HEDGE_TRIP_HALTED);
}

static void uneven_columns_are_refused()
{
    const policy a = some_policy();
    const std::vector<double> two(2), three(3), none;
    std::vector<double> out2(2, 7), out3(3, 7);

    CHECK(a.size_n(hedge::size_in(two).score(three), hedge::size_out().hedge_pct(out2)) ==
          HEDGE_E_ARG);
    CHECK(a.size_n(hedge::size_in(two), hedge::size_out().hedge_pct(out3)) == HEDGE_E_ARG);
    CHECK(a.size_n(hedge::size_in(two), hedge::size_out().hedge_pct(out2).score(out3)) ==
          HEDGE_E_ARG);
    CHECK(out2[0] == 7 && out3[0] == 7);
    CHECK(a.size_n(hedge::size_in(none), hedge::size_out()) == HEDGE_OK);
}

/* ---- market, record ---------------------------------------------------------------------- */

static void markets_are_the_same()
{
    market a = hedge::or_throw(market::make(2));
    quote mine, theirs;

    CHECK(a.add("BTC") == 0 && a.add("ETH") == 1 && a.add("BTC") == 0);
    CHECK(a.add("LTC") == HEDGE_E_TOO_LARGE);
    CHECK(a.put_score(1, 0.5, 0.9, 10) == HEDGE_OK && a.put_score(1, 0.5, 0.9, 9) == HEDGE_E_OLDER);
    CHECK(a.put_depth(1, 1e6, 11) == HEDGE_OK && a.put_halt(1, true) == HEDGE_OK);
    CHECK(a.read(1, mine) == HEDGE_OK && hedge_market_read(a.get(), 1, &theirs) == HEDGE_OK);
    CHECK(std::memcmp(&mine, &theirs, sizeof(mine)) == 0);
    CHECK(mine.score == 0.5 && mine.confidence == 0.9 && mine.score_ts_ns == 10);
    CHECK(mine.depth1pct_usd == 1e6 && mine.depth_ts_ns == 11);
    CHECK((mine.flags & HEDGE_QUOTE_HALTED) != 0);
    CHECK(a.put_halt(1, false) == HEDGE_OK && a.reset_slot(1) == HEDGE_OK);
    CHECK(a.read(1, mine) == HEDGE_OK && mine.flags == 0);
}

static void records_are_the_same()
{
    hedge::record record, back;
    std::array<std::uint8_t, HEDGE_RECORD_MAX> mine{}, theirs{};
    std::array<char, 37> id{};
    std::size_t n = 0, k = 0;
    hedge::digest hash{}, other{};

    record.kind = HEDGE_RECORD_DECISION;
    record.seq = 3;
    record.writer = 77;
    record.quote.score = 0.25;
    CHECK(hedge::encode(record, mine, n) == HEDGE_OK);
    CHECK(hedge_record_encode(&record, theirs.data(), theirs.size(), &k) == HEDGE_OK);
    CHECK(n == k && n > 0 && mine == theirs);
    CHECK(hedge::encode(record, hedge::view(mine.data(), n - 1), k) == HEDGE_E_TOO_LARGE);
    CHECK(hedge::decode(hedge::view(mine.data(), n), back) == HEDGE_OK);
    CHECK(std::memcmp(&record, &back, sizeof(record)) == 0);
    CHECK(hedge::decode(hedge::view(mine.data(), n - 1), back) == HEDGE_E_RECORD);
    CHECK(hedge::chain(hash, hedge::view(mine.data(), n), other) == HEDGE_OK && hash != other);
    CHECK(hedge_record_chain(hash.data(), mine.data(), n, hash.data()) == HEDGE_OK);
    CHECK(hash == other);
    CHECK(hedge_record_id(77, 3, id.data()) == HEDGE_OK && hedge::record_id(77, 3) == id);
}

/* ---- what must not allocate ------------------------------------------------------------------ */

static void a_decision_allocates_nothing()
{
    const policy a = some_policy();
    market book = hedge::or_throw(market::make(1));
    const std::int32_t asset = a.asset("BTC"), slot = book.add("BTC");
    std::array<double, 16> scores{}, hedges{};
    std::array<double, 4> sensitivity{};
    double sum = 0;
    const long before = allocations();

    CHECK(before > 0); /* it does count */
    for (int i = 0; i < 100000; i++) {
        quote q;

        scores.fill(i / 100000.0);
        sum += book.put_score(slot, scores[0], 1, now + i);
        sum += book.put_depth(slot, 1e6, now + i);
        sum += book.read(slot, q);
        sum += a.size(request(a.asset("BTC"), 1e6), q, now + i).hedge_pct;
        sum += a.curve(asset).eval_n(scores, hedges);
        sum += a.curve(asset).sensitivity(scores[0], sensitivity);
        sum += a.size_n(hedge::size_in(scores).score(scores), hedge::size_out().hedge_pct(hedges));
    }
    CHECK(allocations() == before && sum > 0);
}

void calls_are_those_of_c()
{
    curves_are_the_same();
    batches_are_the_same();
    curves_are_described_the_same();
    certification_reports_and_stops();
    small_calls_are_the_same();
    policies_are_the_same();
    overrides_reach_the_policy();
    decisions_are_the_same();
    settings_set_the_flags();
    columns_are_the_same();
    rare_columns_reach_their_places();
    uneven_columns_are_refused();
    markets_are_the_same();
    records_are_the_same();
    a_decision_allocates_nothing();
}
