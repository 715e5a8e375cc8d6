/* SPDX-License-Identifier: MIT
 * hedge.hpp: what would dangle, write nowhere or mix arguments up does not compile;
 * a null pointer that only shows at run time is refused. */
#include "test_hpp.hpp"

#include <array>
#include <initializer_list>
#include <string>
#include <vector>
#if __has_include(<span>) && __cplusplus >= 202002L
#include <span>
#endif

/* Whether EXPRESSION of a V compiles. `declval<V>()` is `v`. */
#define COMPILES(name, expression)                                                                 \
    template <class V, class = void> constexpr bool name = false;                                  \
    template <class V> constexpr bool name<V, std::void_t<decltype(expression)>> = true
#define v std::declval<V>()

/* ---- results lend nothing of a temporary ----------------------------------- */

using loaded = hedge::result<hedge::policy>;

COMPILES(arrow, v->asset_count());
COMPILES(arrow_curve, v->curve(0));
COMPILES(arrow_text, v->text());
COMPILES(takes_value, v.value());

static_assert(arrow<loaded &> && arrow<const loaded &> && !arrow<loaded> && !arrow<const loaded>);
static_assert(arrow_curve<loaded &> && !arrow_curve<loaded> && !arrow_curve<const loaded>);
static_assert(arrow_text<const loaded &> && !arrow_text<loaded> && !arrow_text<const loaded>);
static_assert(takes_value<loaded &> && takes_value<const loaded &> && takes_value<loaded> &&
              !takes_value<const loaded>);

template <class V> using error_of = decltype(v.error());

static_assert(std::is_same_v<error_of<loaded &>, const hedge::error &> &&
              std::is_same_v<error_of<const loaded &>, const hedge::error &>);
static_assert(std::is_same_v<error_of<loaded>, hedge::error> &&
                  std::is_same_v<error_of<const loaded>, hedge::error>,
              "a copy, which a reference keeps alive");

/* ---- views take no temporary that owns --------------------------------------- */

template <class From, class T>
constexpr bool makes =
    std::is_convertible_v<From, hedge::view<T>> &&std::is_constructible_v<hedge::view<T>, From>;
template <class From>
constexpr bool makes_any = std::is_constructible_v<hedge::view<const double>, From>;

static_assert(!makes_any<const std::vector<double>> && !makes_any<std::vector<double>>);
static_assert(!makes_any<std::array<const double, 2>> && !makes_any<const std::array<double, 2>>);
static_assert(!makes_any<std::initializer_list<double>> &&
              !makes_any<const std::initializer_list<double>>);
static_assert(!makes_any<double[2]> && !makes_any<const double[2]>);
static_assert(!std::is_constructible_v<hedge::size_in, std::array<const double, 2>> &&
              !std::is_constructible_v<hedge::size_in, std::initializer_list<double>> &&
              !std::is_constructible_v<hedge::size_in, const std::vector<double>>);
static_assert(std::is_constructible_v<hedge::size_in, const std::vector<double> &> &&
              std::is_constructible_v<hedge::size_in, std::array<const double, 2> &> &&
              std::is_constructible_v<hedge::size_in, const hedge::view<double>>);
static_assert(makes<const hedge::view<double>, const double> &&
              makes<std::string_view, const char> && !makes<std::string, const char> &&
              makes<const std::string &, const char>);
#if defined(__cpp_lib_span)
static_assert(makes_any<std::span<double>> && makes_any<const std::span<double>> &&
              makes_any<std::span<const double, 2>>);
#endif

/* A span that somebody wrote: refused until it says that it borrows. */
template <class T> struct their_span {
    T *data() const;
    std::size_t size() const;
};
template <class T> struct our_span : their_span<T> {
};
template <class T> inline constexpr bool hedge::borrows<our_span<T>> = true;

static_assert(!makes_any<their_span<double>> && makes_any<their_span<double> &> &&
              makes_any<our_span<double>> && makes_any<const our_span<const double>>);

/* ---- no null pointer from a number -------------------------------------------- */

template <class P>
constexpr bool points = std::is_constructible_v<hedge::view<const double>, P, std::size_t>;

static_assert(points<double *> && points<const double *> && !points<int> && !points<long> &&
              !points<std::size_t> && !points<std::nullptr_t> && !points<bool>);

COMPILES(eval_zero, v.eval_n({0, 1}, std::declval<hedge::view<double>>()));
COMPILES(eval_into_zero, v.eval_n(std::declval<hedge::view<const double>>(), {0, 1}));
COMPILES(eval_null, v.eval_n({nullptr, 1}, std::declval<hedge::view<double>>()));
COMPILES(eval_pair, v.eval_n({std::declval<double *>(), 1}, {std::declval<double *>(), 1}));
COMPILES(eval_none, v.eval_n({}, {}));
COMPILES(make_zero, V::make(hedge::method::linear, {0, 2}, {0, 2}));
COMPILES(make_pair, V::make(hedge::method::linear, {std::declval<double *>(), 2},
                            {std::declval<const double *>(), 2}));
COMPILES(sensitivity_zero, v.sensitivity(0.5, {0, 4}));
COMPILES(score_zero, v.score({0, 1}));

static_assert(!eval_zero<hedge::curve> && !eval_into_zero<hedge::curve> &&
              !eval_null<hedge::curve>);
static_assert(eval_pair<hedge::curve> && eval_none<hedge::curve>);
static_assert(!make_zero<hedge::curve> && make_pair<hedge::curve>);
static_assert(!sensitivity_zero<hedge::curve> && !score_zero<hedge::size_in> &&
              !score_zero<hedge::size_out>);

COMPILES(asset_null, v.asset(nullptr));
COMPILES(asset_zero, v.asset(0));
COMPILES(asset_text, v.asset("BTC"));
COMPILES(asset_empty, v.asset({}));
COMPILES(add_null, v.add(nullptr));
COMPILES(add_text, v.add("BTC"));
COMPILES(parse_null, V::parse(nullptr));
COMPILES(parse_text, V::parse("curve: 7"));

static_assert(!asset_null<hedge::policy> && !asset_zero<hedge::policy>);
static_assert(asset_text<hedge::policy> && asset_empty<hedge::policy>);
static_assert(!add_null<hedge::market> && add_text<hedge::market>);
static_assert(!parse_null<hedge::policy> && parse_text<hedge::policy>);

/* ---- arguments that were surely swapped ------------------------------------------ */

template <class A, class U> constexpr bool requests = std::is_constructible_v<hedge::request, A, U>;
template <class A> constexpr bool requests_any = requests<A, int> &&requests<A, double>;

static_assert(requests_any<int> && requests_any<std::int32_t> && requests_any<std::int64_t> &&
              requests_any<std::size_t> && requests<int, float> && requests<int, std::size_t>);
static_assert(!requests<double, double> && !requests<double, int> && !requests<float, int>);

struct truthy {
    operator bool() const;
};

template <class T, class V> using halts_t = decltype(v.set_halted(std::declval<T>()));
template <class T, class = void> constexpr bool halts = false;
template <class T> constexpr bool halts<T, std::void_t<halts_t<T, hedge::quote>>> = true;

static_assert(halts<bool> && halts<int> && halts<std::int32_t &> && halts<unsigned> &&
              halts<truthy> && halts<std::vector<bool>::reference> && halts<std::true_type>);
static_assert(!halts<double> && !halts<float> && !halts<const char *> && !halts<const char (&)[5]>);

COMPILES(halt_literal, v.set_halted(0));
COMPILES(set_times, (v.set_score(1, 1, 0), v.set_score(0.5, 0.9, std::int64_t()), v.set_depth(1, 0),
                     v.set_depth(1e6, std::size_t())));
COMPILES(set_score_swapped, v.set_score(std::int64_t(), 0.5, 0.9));
COMPILES(set_depth_swapped, v.set_depth(std::int64_t(), 1e6));
COMPILES(put_all, (v.put_score(0, 1, 1, 0), v.put_score(0, 0.5, 0.9, std::int64_t()),
                   v.put_depth(0, 1, 0), v.put_halt(0, true), v.put_halt(0, 0)));
COMPILES(put_score_swapped, v.put_score(0, std::int64_t(), 0.5, 0.9));
COMPILES(put_depth_swapped, v.put_depth(0, std::int64_t(), 1e6));
COMPILES(put_halt_number, v.put_halt(0, 0.5));
COMPILES(put_halt_text, v.put_halt(0, "no"));

static_assert(halt_literal<hedge::quote> && set_times<hedge::quote> && put_all<hedge::market>);
static_assert(!set_score_swapped<hedge::quote> && !set_depth_swapped<hedge::quote>);
static_assert(!put_score_swapped<hedge::market> && !put_depth_swapped<hedge::market> &&
              !put_halt_number<hedge::market> && !put_halt_text<hedge::market>);

COMPILES(sizes, (v.size({}, {}, 0), v.size(hedge::request(), hedge::quote(), std::int64_t())));
COMPILES(size_by_double, v.size(hedge::request(), hedge::quote(), 1e18));
COMPILES(size_into_by_double,
         v.size(hedge::request(), hedge::quote(), 1e18, std::declval<hedge::decision &>()));
COMPILES(all_rows, v.asset(0).asset(std::size_t()).now_ns(0).now_ns(std::int64_t()));
COMPILES(asset_double, v.asset(1.0));
COMPILES(now_double, v.now_ns(1e18));

static_assert(sizes<hedge::policy> && !size_by_double<hedge::policy> &&
              !size_into_by_double<hedge::policy>);
static_assert(all_rows<hedge::size_in> && !asset_double<hedge::size_in> &&
              !now_double<hedge::size_in>);

#undef v

/* ---- at run time -------------------------------------------------------------------- */

void null_is_no_array()
{
    const hedge::curve curve = some_curve();
    const hedge::policy policy = some_policy();
    double *const nowhere = nullptr;
    const hedge::view<double> one(nowhere, 1), none(nowhere, 0);
    const hedge::view<const std::uint8_t> no_bytes(static_cast<std::uint8_t *>(nullptr), 1);
    const hedge::view<std::uint8_t> no_room(static_cast<std::uint8_t *>(nullptr), 8);
    const std::array<double, 1> in{0.5};
    std::array<double, 1> out{7};
    hedge::record record;
    hedge::digest hash{};
    std::size_t n = 0;

    CHECK(curve.eval_n(one, out) == HEDGE_E_ARG && curve.eval_n(in, one) == HEDGE_E_ARG);
    CHECK(curve.eval_n(none, none) == HEDGE_OK);
    CHECK(curve.sensitivity(0.5, hedge::view<double>(nowhere, 4)) == HEDGE_E_ARG);
    CHECK(hedge::curve::make(hedge::method::linear, hedge::view<double>(nowhere, 2),
                             hedge::view<double>(nowhere, 2))
              .code() == HEDGE_E_ARG);
    CHECK(policy.size_n(hedge::size_in(one), hedge::size_out().hedge_pct(out)) == HEDGE_E_ARG);
    CHECK(policy.size_n(hedge::size_in(in).score(one), hedge::size_out().hedge_pct(out)) ==
          HEDGE_E_ARG);
    CHECK(policy.size_n(hedge::size_in(in), hedge::size_out().hedge_pct(one)) == HEDGE_E_ARG);
    CHECK(policy.size_n(hedge::size_in(in), hedge::size_out().score(one).hedge_pct(out)) ==
          HEDGE_E_ARG);
    CHECK(policy.size_n(hedge::size_in(none).score(none), hedge::size_out().score(none)) ==
          HEDGE_OK);
    CHECK(hedge::encode(record, no_room, n) == HEDGE_E_ARG);
    CHECK(hedge::decode(no_bytes, record) == HEDGE_E_ARG);
    CHECK(hedge::chain(hash, no_bytes, hash) == HEDGE_E_ARG && hash == hedge::digest{});
    CHECK(out[0] == 7);

    const hedge::error &why = hedge::policy::parse("curve: 7\n").error(); /* lives on */
    CHECK(why.code == HEDGE_E_POLICY && why.message[0] != '\0');
}
