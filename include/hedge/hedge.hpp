/* SPDX-License-Identifier: MIT
 * hedge.hpp: hedge.h for C++17 and later. Owners that release what they hold,
 * structs that know their size, arrays that know their length; nothing more:
 * each call here is the C call of the same name, inline, and hedge.h says what
 * it means, in which units and with which errors.
 *
 * Conventions that hold for everything here:
 *  - Nothing throws but or_throw, which is there only where exceptions are.
 *    What is called once a decision never allocates.
 *  - int32_t results are hedge.h's status codes. What can fail to be built
 *    comes as a result<T>.
 *  - Owners (curve, policy, market) are moved, never copied. An empty one, moved
 *    from or failed, may be called: numbers are NaN, counts 0, codes
 *    HEDGE_E_ARG, texts empty, pointers null.
 *  - A const curve or policy may be used by any number of threads at once; a
 *    market's const calls too, beside one writer. Moving or destroying an owner
 *    is for one thread, when no other uses it.
 *  - Arrays that belong together must be of one length, and a null pointer has
 *    none: else HEDGE_E_ARG, and nothing is written.
 *  - What would dangle, and arguments that were surely swapped, do not compile.
 *  - Neither exceptions nor run-time type information are needed. */
#ifndef HEDGE_HEDGE_HPP
#define HEDGE_HEDGE_HPP

#include <hedge/hedge_columns.hpp>
#include <hedge/hedge_types.hpp>

namespace hedge
{

/* ---- curve --------------------------------------------------------------- */

namespace detail
{

/* What a curve answers, be it owned or a policy's. Self has get(). */
template <class Self> class curve_calls
{
  public:
    /* The hedge at a score; NaN for NaN. Never allocates or locks. */
    [[nodiscard]] double eval(double score) const noexcept
    {
        return hedge_curve_eval(handle(), score);
    }
    /* hedges[i] = eval(scores[i]), bit for bit. Both may be the same array. */
    [[nodiscard]] std::int32_t eval_n(view<const double> scores, view<double> hedges) const noexcept
    {
        if (handle() == nullptr || scores.size() != hedges.size()) return HEDGE_E_ARG;
        if (!detail::sound(scores) || !detail::sound(hedges)) return HEDGE_E_ARG;
        hedge_curve_eval_n(handle(), scores.data(), hedges.data(), scores.size());
        return HEDGE_OK;
    }
    [[nodiscard]] double slope(double score) const noexcept
    {
        return hedge_curve_slope(handle(), score);
    }
    /* The least score on the grid whose hedge is >= hedge; NaN if none is. */
    [[nodiscard]] double inverse(double hedge) const noexcept
    {
        return hedge_curve_inverse(handle(), hedge);
    }
    [[nodiscard]] double area(double from, double to) const noexcept
    {
        return hedge_curve_area(handle(), from, to);
    }
    /* d eval(score) / d knot hedge, one a knot. */
    [[nodiscard]] std::int32_t sensitivity(double score, view<double> d_hedge) const noexcept
    {
        return hedge_curve_sensitivity(handle(), score, d_hedge.data(), d_hedge.size());
    }
    [[nodiscard]] std::size_t piece_count() const noexcept
    {
        return hedge_curve_piece_count(handle());
    }
    [[nodiscard]] std::int32_t piece(std::size_t i, hedge_piece &out) const noexcept
    {
        return hedge_curve_piece(handle(), i, &out);
    }
    [[nodiscard]] std::size_t knot_count() const noexcept
    {
        return hedge_curve_knot_count(handle());
    }
    [[nodiscard]] std::int32_t knot(std::size_t i, double &score, double &hedge) const noexcept
    {
        return hedge_curve_knot(handle(), i, &score, &hedge);
    }
    /* Of an empty curve: a negative code, which is no method. */
    [[nodiscard]] hedge::method method() const noexcept
    {
        return static_cast<hedge::method>(hedge_curve_method(handle()));
    }
    /* The curve's name; zeros for an empty one. */
    [[nodiscard]] digest hash() const noexcept
    {
        digest out{};
        (void)hedge_curve_hash(handle(), out.data());
        return out;
    }
    /* "portable", "fma", "avx2" or "avx512"; "" for an empty one. */
    [[nodiscard]] std::string_view path() const noexcept
    {
        return detail::text_of(hedge_curve_path(handle()));
    }
    /* Tries all 2^30 + 1 scores: a second or so. */
    [[nodiscard]] std::int32_t certify(hedge_certificate &out) const noexcept
    {
        return hedge_curve_certify(handle(), nullptr, nullptr, &out);
    }
    /* The same, calling progress(share done) now and then, in this thread. It
     * answers true to go on and false to stop (HEDGE_E_STOPPED), or nothing. An
     * exception must not leave it: that ends the program (std::terminate). */
    template <class F>
    [[nodiscard]] std::int32_t certify(hedge_certificate &out, F progress) const noexcept
    {
        return hedge_curve_certify(handle(), &call_progress<F>, std::addressof(progress), &out);
    }

  private:
    [[nodiscard]] const hedge_curve *handle() const noexcept
    {
        return static_cast<const Self *>(this)->get();
    }
};

} // namespace detail

/* A curve of one's own. */
class curve : public detail::owner<hedge_curve, hedge_curve_free>, public detail::curve_calls<curve>
{
  public:
    using owner::owner;
    /* Through the knots (scores[i], hedges[i]), which are copied. Allocates. */
    [[nodiscard]] static result<curve> make(hedge::method by, view<const double> scores,
                                            view<const double> hedges) noexcept
    {
        hedge::error why;
        hedge_curve *handle = nullptr;

        if (scores.size() != hedges.size())
            return hedge::error(HEDGE_E_ARG, "knots", "as many hedges are needed as scores");
        const std::int32_t code = hedge_curve_new(static_cast<std::int32_t>(by), scores.data(),
                                                  hedges.data(), scores.size(), &why, &handle);
        return detail::built<curve>(code, handle, why);
    }
};

/* A curve that somebody else owns and keeps; copied like a pointer. */
class curve_ref : public detail::curve_calls<curve_ref>
{
  public:
    constexpr curve_ref() noexcept = default;
    constexpr explicit curve_ref(const hedge_curve *of) noexcept : handle_(of)
    {
    }
    curve_ref(const curve &of) noexcept : handle_(of.get())
    {
    }
    curve_ref(const curve &&of) = delete; /* it would outlive the curve */

    [[nodiscard]] explicit operator bool() const noexcept
    {
        return handle_ != nullptr;
    }
    [[nodiscard]] const hedge_curve *get() const noexcept
    {
        return handle_;
    }

  private:
    const hedge_curve *handle_ = nullptr;
};

/* ---- liquidity and confidence -------------------------------------------- */

/* How far the book carries a score, [0, 1]. */
[[nodiscard]] inline double liquidity_weight(weight kind, double scale_usd,
                                             double depth1pct_usd) noexcept
{
    return hedge_liquidity_weight(static_cast<std::int32_t>(kind), scale_usd, depth1pct_usd);
}

/* One confidence from the model's and the liquidity's, each in [0, 1]. */
[[nodiscard]] inline double blend(blending rule, double model_confidence,
                                  double liquidity_quality) noexcept
{
    return hedge_blend(static_cast<std::int32_t>(rule), model_confidence, liquidity_quality);
}

/* ---- policy and decision -------------------------------------------------- */

/* Texts, names and curves that it hands out live as long as the policy, and
 * stay valid when it is moved. */
class policy : public detail::owner<hedge_policy, hedge_policy_free>
{
  public:
    using owner::owner;

    /* Reads a YAML file. Allocates; changes the calling thread's locale while
     * it runs. A failure's error says file, line and field. */
    [[nodiscard]] static result<policy> load(const char *path) noexcept
    {
        hedge::error why;
        hedge_policy *handle = nullptr;
        const std::int32_t code = hedge_policy_load(path, &why, &handle);
        return detail::built<policy>(code, handle, why);
    }
    [[nodiscard]] static result<policy> load(const std::string &path) noexcept
    {
        return load(path.c_str());
    }
    [[nodiscard]] static result<policy> load(const char *path,
                                             const hedge_policy_overrides &with) noexcept
    {
        hedge::error why;
        hedge_policy *handle = nullptr;
        const std::int32_t code = hedge_policy_load_with(path, &with, &why, &handle);
        return detail::built<policy>(code, handle, why);
    }
    [[nodiscard]] static result<policy> load(const std::string &path,
                                             const hedge_policy_overrides &with) noexcept
    {
        return load(path.c_str(), with);
    }
    /* The same from a text. */
    [[nodiscard]] static result<policy> parse(std::string_view text) noexcept
    {
        hedge::error why;
        hedge_policy *handle = nullptr;
        const std::int32_t code = hedge_policy_parse(text.data(), text.size(), &why, &handle);
        return detail::built<policy>(code, handle, why);
    }
    template <class N, detail::if_null<N> = 0> static result<policy> parse(N) = delete;

    /* The index of an asset, HEDGE_E_NOT_FOUND or HEDGE_E_ARG. Looks a name up:
     * keep the index, it holds for this policy. */
    [[nodiscard]] std::int32_t asset(std::string_view name) const noexcept
    {
        return hedge_policy_asset(get(), detail::c_name(name).text);
    }
    template <class N, detail::if_null<N> = 0> std::int32_t asset(N) const = delete;
    [[nodiscard]] std::size_t asset_count() const noexcept
    {
        return hedge_policy_asset_count(get());
    }
    [[nodiscard]] std::string_view asset_name(std::int32_t asset) const &noexcept
    {
        return detail::text_of(hedge_policy_asset_name(get(), asset));
    }
    [[nodiscard]] curve_ref curve(std::int32_t asset) const &noexcept
    {
        return curve_ref(hedge_policy_curve(get(), asset));
    }
    [[nodiscard]] std::int32_t rules(std::int32_t asset, hedge_rules &out) const noexcept
    {
        return hedge_policy_rules(get(), asset, &out);
    }
    /* The canonical text; hash() is its SHA-256, hash_hex() the same in digits. */
    [[nodiscard]] std::string_view text() const &noexcept
    {
        std::size_t n = 0;
        const char *const text = hedge_policy_text(get(), &n);
        return text != nullptr ? std::string_view(text, n) : std::string_view();
    }
    [[nodiscard]] digest hash() const noexcept
    {
        digest out{};
        (void)hedge_policy_hash(get(), out.data());
        return out;
    }
    [[nodiscard]] std::string_view hash_hex() const &noexcept
    {
        return detail::text_of(hedge_policy_hash_hex(get()));
    }
    /* File i that it was read from, "" behind the last. */
    [[nodiscard]] std::string_view file(std::size_t i) const &noexcept
    {
        return detail::text_of(hedge_policy_file(get(), i));
    }
    /* Of a policy about to go, they would dangle. */
    std::string_view asset_name(std::int32_t) const && = delete;
    curve_ref curve(std::int32_t) const && = delete;
    std::string_view text() const && = delete;
    std::string_view hash_hex() const && = delete;
    std::string_view file(std::size_t) const && = delete;

    /* Decides how much of an exposure to hedge. A pure function of its
     * arguments; now_ns and the quote's times share one clock. Never allocates
     * or locks; any thread. HEDGE_OK, a HEDGE_TRIP_… that rejects, HEDGE_E_ARG
     * or HEDGE_E_STRUCT_SIZE; unless HEDGE_OK, trade nothing. */
    [[nodiscard]] std::int32_t size(const hedge_request &of, const hedge_quote &market,
                                    std::int64_t now_ns, hedge_decision &out) const noexcept
    {
        return hedge_size(get(), &of, &market, now_ns, &out);
    }
    /* The same; what the call returned is the decision's status. */
    [[nodiscard]] decision size(const hedge_request &of, const hedge_quote &market,
                                std::int64_t now_ns) const noexcept
    {
        decision out;
        const std::int32_t code = hedge_size(get(), &of, &market, now_ns, &out);
        out.status = code;
        return out;
    }
    /* A double does not hold today's nanoseconds. */
    template <class F, detail::if_floating<F> = 0>
    decision size(const hedge_request &, const hedge_quote &, F) const = delete;
    template <class F, detail::if_floating<F> = 0>
    std::int32_t size(const hedge_request &, const hedge_quote &, F,
                      hedge_decision &) const = delete;
    /* Decides every row, each as size() does, bit for bit. HEDGE_OK: each row
     * has its status. Columns of different lengths, or null: HEDGE_E_ARG. */
    [[nodiscard]] std::int32_t size_n(const size_in &in, const size_out &out) const noexcept
    {
        if (!in.even() || !out.even(in.rows())) return HEDGE_E_ARG;
        /* An empty vector has no address, which C would take for a mistake. */
        if (in.rows() == 0 && get() != nullptr) return HEDGE_OK;
        return hedge_size_n(get(), in.get(), in.rows(), out.get());
    }
};

/* ---- market ---------------------------------------------------------------- */

/* The newest quote of each asset. read() is wait-free from any thread; the
 * calls that write must take turns: the caller holds one lock around them. */
class market : public detail::owner<hedge_market, hedge_market_free>
{
  public:
    using owner::owner;

    /* Room for so many assets, 1 to HEDGE_ASSETS_MAX. Allocates. */
    [[nodiscard]] static result<market> make(std::size_t capacity) noexcept
    {
        hedge::error why;
        hedge_market *handle = nullptr;
        const std::int32_t code = hedge_market_new(capacity, &handle);
        return detail::built<market>(code, handle, why);
    }

    /* The slot of a name, added if need be; HEDGE_E_ARG, HEDGE_E_TOO_LARGE. */
    [[nodiscard]] std::int32_t add(std::string_view name) noexcept
    {
        return hedge_market_add(get(), detail::c_name(name).text);
    }
    template <class N, detail::if_null<N> = 0> std::int32_t add(N) = delete;
    /* HEDGE_OK; HEDGE_E_OLDER, which changes nothing; HEDGE_E_ARG. */
    std::int32_t put_score(std::int32_t slot, double score, double confidence,
                           std::int64_t ts_ns) noexcept
    {
        return hedge_market_put_score(get(), slot, score, confidence, ts_ns);
    }
    std::int32_t put_depth(std::int32_t slot, double depth1pct_usd, std::int64_t ts_ns) noexcept
    {
        return hedge_market_put_depth(get(), slot, depth1pct_usd, ts_ns);
    }
    std::int32_t put_halt(std::int32_t slot, bool halted) noexcept
    {
        return hedge_market_put_halt(get(), slot, halted ? 1 : 0);
    }
    /* As in quote: a time is whole, and neither number nor text is a truth. */
    template <class F, detail::if_floating<F> = 0>
    std::int32_t put_score(std::int32_t, double, double, F) = delete;
    template <class F, detail::if_floating<F> = 0>
    std::int32_t put_depth(std::int32_t, double, F) = delete;
    template <class F, detail::if_floating<F> = 0> std::int32_t put_halt(std::int32_t, F) = delete;
    template <class P> std::int32_t put_halt(std::int32_t, P *) = delete;
    /* Forgets the slot's score and depth, for a clock that stepped back. */
    std::int32_t reset_slot(std::int32_t slot) noexcept
    {
        return hedge_market_reset(get(), slot);
    }
    [[nodiscard]] std::int32_t read(std::int32_t slot, hedge_quote &out) const noexcept
    {
        return hedge_market_read(get(), slot, &out);
    }
};

/* ---- record ------------------------------------------------------------------ */

/* Writes a record's canonical bytes; n becomes their number. HEDGE_RECORD_MAX
 * bytes are always enough. */
[[nodiscard]] inline std::int32_t encode(const hedge_record &from, view<std::uint8_t> bytes,
                                         std::size_t &n) noexcept
{
    return hedge_record_encode(&from, bytes.data(), bytes.size(), &n);
}
[[nodiscard]] inline std::int32_t decode(view<const std::uint8_t> bytes, hedge_record &out) noexcept
{
    return hedge_record_decode(bytes.data(), bytes.size(), &out);
}
/* SHA-256(previous, then the record's bytes); zeros before the first record. */
[[nodiscard]] inline std::int32_t chain(const digest &previous, view<const std::uint8_t> bytes,
                                        digest &out) noexcept
{
    return hedge_record_chain(previous.data(), bytes.data(), bytes.size(), out.data());
}
/* A record's UUID, with its NUL. */
[[nodiscard]] inline std::array<char, 37> record_id(std::uint64_t writer,
                                                    std::uint64_t seq) noexcept
{
    std::array<char, 37> id{};
    (void)hedge_record_id(writer, seq, id.data());
    return id;
}

} // namespace hedge

#endif
