/* SPDX-License-Identifier: MIT
 * hedge.hpp: what its owners, views and results promise. A plain program: it
 * counts what is allocated and freed. test_hpp_same.cpp has the calls,
 * test_hpp_refused.cpp what must not compile. */
#include "test_hpp.hpp"

#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>
#if __has_include(<span>) && __cplusplus >= 202002L
#include <span>
#endif

/* ---- what the compiler can tell ------------------------------------------ */

template <class T>
constexpr bool moves_only =
    std::is_nothrow_move_constructible_v<T> &&std::is_nothrow_move_assignable_v<T>
        &&std::is_nothrow_default_constructible_v<T> && !std::is_copy_constructible_v<T> &&
    !std::is_copy_assignable_v<T> && sizeof(T) == sizeof(void *);

static_assert(moves_only<hedge::curve> && moves_only<hedge::policy> && moves_only<hedge::market>);
static_assert(std::is_nothrow_move_constructible_v<hedge::result<hedge::policy>>);

/* As the C struct: may be passed as one, in arrays too. */
template <class T, class Base>
constexpr bool thin = sizeof(T) == sizeof(Base) &&
                      std::is_trivially_copyable_v<T> &&std::is_nothrow_default_constructible_v<T>;

static_assert(thin<hedge::request, hedge_request> && thin<hedge::quote, hedge_quote> &&
              thin<hedge::decision, hedge_decision> && thin<hedge::record, hedge_record> &&
              thin<hedge::error, hedge_error> && thin<hedge::rules, hedge_rules> &&
              thin<hedge::overrides, hedge_policy_overrides> && thin<hedge::piece, hedge_piece>);

template <class From, class T> constexpr bool makes = std::is_convertible_v<From, hedge::view<T>>;

static_assert(makes<std::vector<double> &, double> && makes<std::vector<double> &, const double>);
static_assert(makes<const std::vector<double> &, const double>);
static_assert(makes<std::array<double, 3> &, double> && makes<double (&)[3], double>);
static_assert(makes<hedge::view<double>, const double>, "views may be temporary");
static_assert(!makes<std::vector<double>, double>, "the elements would be gone");
static_assert(!makes<std::vector<double>, const double>, "the elements would be gone");
static_assert(!makes<std::array<double, 3>, const double>, "the elements would be gone");
static_assert(!makes<const std::vector<double> &, double>, "read only");
static_assert(!makes<hedge::view<const double>, double>, "read only");
static_assert(!makes<std::vector<float> &, const double>, "other elements");
static_assert(!makes<std::vector<bool> &, const bool>, "not contiguous");
static_assert(!makes<double *, double>, "no length");
#if defined(__cpp_lib_span)
static_assert(makes<std::span<double>, double> && makes<std::span<const double>, const double>);
static_assert(!makes<std::span<const double>, double>);
#endif

template <class From> constexpr bool refers = std::is_constructible_v<hedge::curve_ref, From>;

static_assert(refers<hedge::curve &> && refers<const hedge::curve &> && !refers<hedge::curve>,
              "a curve_ref does not outlive its curve");

template <class P, class = void> constexpr bool gives_curve = false;
template <class P>
constexpr bool gives_curve<P, std::void_t<decltype(std::declval<P>().curve(0))>> = true;

static_assert(gives_curve<const hedge::policy &> && !gives_curve<hedge::policy>);

/* ---- allocations ------------------------------------------------------------- */

static long allocated, live;

extern "C" {
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *at, size_t n);
void *__real_aligned_alloc(size_t to, size_t n);
char *__real_strdup(const char *text);
void __real_free(void *at);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *at, size_t n);
void *__wrap_aligned_alloc(size_t to, size_t n);
char *__wrap_strdup(const char *text);
void __wrap_free(void *at);

static void count(void)
{
    allocated++;
    live++;
}

void *__wrap_malloc(size_t n)
{
    count();
    return __real_malloc(n);
}
void *__wrap_calloc(size_t n, size_t size)
{
    count();
    return __real_calloc(n, size);
}
void *__wrap_realloc(void *at, size_t n)
{
    allocated++;
    live += at == nullptr;
    return __real_realloc(at, n);
}
void *__wrap_aligned_alloc(size_t to, size_t n)
{
    count();
    return __real_aligned_alloc(to, n);
}
char *__wrap_strdup(const char *text)
{
    count();
    return __real_strdup(text);
}
void __wrap_free(void *at)
{
    live -= at != nullptr;
    __real_free(at);
}
}

void *operator new(std::size_t n)
{
    void *at = std::malloc(n != 0 ? n : 1); /* counted there */
    if (at == nullptr) std::abort();
    return at;
}
void operator delete(void *at) noexcept
{
    std::free(at);
}
void operator delete(void *at, std::size_t) noexcept
{
    std::free(at);
}

long allocations()
{
    return allocated;
}

/* ---- owners -------------------------------------------------------------------- */

static void owners_move()
{
    hedge::curve a = some_curve();
    const hedge_curve *const handle = a.get();
    hedge::curve b = std::move(a);
    hedge::curve c;

    CHECK(a.get() == nullptr && !a && b.get() == handle && b);
    c = std::move(b);
    CHECK(b.get() == nullptr && c.get() == handle);

    hedge::curve &same = c;
    c = std::move(same);
    CHECK(c.get() == handle && c.eval(0.3) == 0.25);

    const long before = live;
    c = some_curve(); /* frees the old one */
    CHECK(live == before && c.eval(0.3) == 0.25);
    std::swap(b, c);
    CHECK(b && !c);
}

static void owners_are_given_away_and_taken_over()
{
    hedge::curve a = some_curve();
    hedge_curve *const handle = a.release();

    CHECK(!a && handle != nullptr);
    hedge::curve b(handle);
    CHECK(b.get() == handle);
    b.reset();
    CHECK(!b);
    b.reset();

    hedge_policy *raw = some_policy().release();
    hedge::policy p;
    p.reset(raw);
    CHECK(p.get() == raw && p.asset("BTC") >= 0);
}

static void vectors_hold_owners()
{
    std::vector<hedge::curve> curves;

    for (int i = 0; i < 20; i++)
        curves.push_back(some_curve());
    curves.erase(curves.begin() + 3);
    CHECK(curves.size() == 19 && curves[7].eval(0.7) == 0.75);
}

static void policies_move_with_what_they_handed_out()
{
    hedge::policy a = some_policy();
    const std::string_view text = a.text(), name = a.asset_name(0);
    const hedge::curve_ref curve = a.curve(0);
    const hedge::policy b = std::move(a);

    CHECK(text == b.text() && name == b.asset_name(0) && curve.get() == b.curve(0).get());
    CHECK(curve.eval(0.3) == 0.25);
}

/* ---- empty owners --------------------------------------------------------------- */

static void empty_curves_answer()
{
    const hedge::curve none;
    const std::array<double, 2> in{0.1, 0.2};
    std::array<double, 2> out{7, 7};
    hedge::piece piece;
    hedge::certificate certificate;
    double score = 0, hedge = 0;

    CHECK(std::isnan(none.eval(0.5)) && std::isnan(none.slope(0.5)));
    CHECK(std::isnan(none.inverse(0.5)) && std::isnan(none.area(0, 1)));
    CHECK(none.eval_n(in, out) == HEDGE_E_ARG && out[0] == 7);
    CHECK(none.sensitivity(0.5, out) == HEDGE_E_ARG && none.piece_count() == 0);
    CHECK(none.piece(0, piece) == HEDGE_E_ARG && none.knot(0, score, hedge) == HEDGE_E_ARG);
    CHECK(none.knot_count() == 0 && none.hash() == hedge::digest{});
    CHECK(hedge::method_name(none.method()) == nullptr);
    CHECK(none.certify(certificate) == HEDGE_E_ARG);
    CHECK(!hedge::curve_ref(none) && std::isnan(hedge::curve_ref().eval(0.5)));
}

static void empty_policies_and_markets_answer()
{
    const hedge::policy none;
    hedge::market nowhere;
    hedge::rules rules;
    hedge::quote quote;
    hedge::decision decision;
    const std::array<double, 1> amount{1};

    CHECK(none.asset("BTC") == HEDGE_E_ARG && none.asset_count() == 0);
    CHECK(none.asset_name(0).empty() && none.text().empty() && none.hash_hex().empty());
    CHECK(none.file(0).empty() && !none.curve(0) && none.hash() == hedge::digest{});
    CHECK(none.rules(0, rules) == HEDGE_E_ARG);
    CHECK(none.size(hedge::request(), quote, 0, decision) == HEDGE_E_ARG && !decision.ok());
    CHECK(none.size(hedge::request(), quote, 0).status == HEDGE_E_ARG);
    CHECK(none.size_n(hedge::size_in(amount), hedge::size_out()) == HEDGE_E_ARG);
    CHECK(nowhere.add("BTC") == HEDGE_E_ARG && nowhere.put_score(0, 1, 1, 1) == HEDGE_E_ARG);
    CHECK(nowhere.put_depth(0, 1, 1) == HEDGE_E_ARG && nowhere.put_halt(0, true) == HEDGE_E_ARG);
    CHECK(nowhere.reset_slot(0) == HEDGE_E_ARG && nowhere.read(0, quote) == HEDGE_E_ARG);
}

/* ---- errors ----------------------------------------------------------------------- */

static void failures_say_why()
{
    const auto missing = hedge::policy::load(std::string("/nowhere/policy.yaml"));
    const auto bad = hedge::policy::parse("curve: {knots: [[0, 0], [1, 1]]}\n\nmax_hedge_pct: 2\n");
    const std::array<double, 2> two{0, 1};
    const std::array<double, 3> rising{0, 0.5, 1}, three{0, 0.5, 0.4};
    const auto uneven = hedge::curve::make(hedge::method::pchip, two, three);
    const auto falling = hedge::curve::make(hedge::method::pchip, rising, three);
    const auto none = hedge::market::make(0);

    CHECK(!missing && missing.code() == HEDGE_E_IO && !missing.value());
    CHECK(std::strcmp(missing.error().file, "/nowhere/policy.yaml") == 0);
    CHECK(bad.code() == HEDGE_E_POLICY && bad.error().line == 3);
    CHECK(std::strcmp(bad.error().field, "max_hedge_pct") == 0 && bad.error().message[0] != '\0');
    CHECK(uneven.code() == HEDGE_E_ARG && uneven.error().message[0] != '\0');
    CHECK(falling.code() == HEDGE_E_CURVE && falling.error().index == 2);
    CHECK(none.code() == HEDGE_E_ARG && none.error().message[0] != '\0');
    CHECK(std::isnan(uneven->eval(0.5)));
}

static void or_throw_throws()
{
    bool thrown = false;

    try {
        const auto policy = hedge::or_throw(hedge::policy::parse("curve: 7\n"));
        CHECK(!policy);
    } catch (const std::exception &e) {
        const auto *const ours = dynamic_cast<const hedge::exception *>(&e);
        thrown = ours != nullptr && ours->error().code == HEDGE_E_POLICY &&
                 std::strstr(e.what(), ours->error().message) != nullptr;
    }
    CHECK(thrown);
    CHECK(hedge::or_throw(hedge::policy::load(policy_path())).asset_count() > 0);
}

static void names_are_taken_whole_or_not_at_all()
{
    const hedge::policy policy = some_policy();
    hedge::market market = hedge::or_throw(hedge::market::make(4));
    const std::string longest(HEDGE_ASSET_NAME_MAX, 'A');

    CHECK(policy.asset(std::string_view("BTCX", 3)) == policy.asset("BTC"));
    CHECK(policy.asset(std::string_view("BTC\0X", 5)) == HEDGE_E_NOT_FOUND);
    CHECK(policy.asset("") == HEDGE_E_NOT_FOUND && policy.asset({}) == HEDGE_E_NOT_FOUND);
    CHECK(policy.asset(std::string(5000, 'B')) == HEDGE_E_NOT_FOUND);
    CHECK(market.add(longest) == 0 && market.add(longest + "A") == HEDGE_E_ARG);
    CHECK(market.add(std::string_view("BTC\0", 4)) == HEDGE_E_ARG && market.add("BTC") == 1);
}

static void a_decision_is_not_ok_before_it_is_made()
{
    constexpr hedge::decision fresh;

    static_assert(!fresh.ok() && fresh.struct_size == sizeof(hedge_decision));
    hedge::decision d;
    d.flags = HEDGE_FLAG(HEDGE_TRIP_STALE_SCORE) | HEDGE_MARK_CAPPED;
    CHECK(d.tripped(HEDGE_TRIP_STALE_SCORE) && !d.tripped(HEDGE_TRIP_HALTED));
    CHECK(!d.tripped(HEDGE_OK) && !d.tripped(-131) && !d.tripped(INT32_MAX));
    CHECK(!d.tripped(INT32_MIN));
}

/* ---- the run ------------------------------------------------------------------------ */

static int failed;

void check(bool fine, const char *what, const char *file, int line)
{
    if (fine) return;
    std::fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    failed++;
}

const char *policy_path()
{
    return HEDGE_SOURCE_DIR "/configs/policy.yaml";
}

hedge::curve some_curve()
{
    static const double score[] = {0.0, 0.3, 0.7, 1.0}, hedges[] = {0.05, 0.25, 0.75, 1.0};

    return hedge::or_throw(hedge::curve::make(hedge::method::pchip, score, hedges));
}

hedge::policy some_policy()
{
    return hedge::or_throw(hedge::policy::load(policy_path()));
}

int main()
{
    some_policy(); /* what libc keeps for good on first use */

    const long before = live;

    owners_move();
    owners_are_given_away_and_taken_over();
    vectors_hold_owners();
    policies_move_with_what_they_handed_out();
    empty_curves_answer();
    empty_policies_and_markets_answer();
    failures_say_why();
    or_throw_throws();
    names_are_taken_whole_or_not_at_all();
    a_decision_is_not_ok_before_it_is_made();
    calls_are_those_of_c();
    null_is_no_array();
    CHECK(live == before); /* freed once each */
    return failed != 0;
}
