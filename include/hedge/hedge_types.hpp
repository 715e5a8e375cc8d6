/* SPDX-License-Identifier: MIT
 * hedge_types.hpp: the types that hedge.hpp is made of; include that one.
 * Views of arrays, structs that know their size, errors, results, owners. */
#ifndef HEDGE_HEDGE_TYPES_HPP
#define HEDGE_HEDGE_TYPES_HPP

#include <hedge/hedge.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#if defined(__cpp_exceptions)
#include <exception>
#endif
#if __cplusplus >= 202002L && __has_include(<span>)
#include <span> /* brings std::ranges::enable_borrowed_range where there is one */
#endif

namespace hedge
{

/* ---- views: a pointer and a length ------------------------------------- */

template <class T> class view;

/* Whether a C holds its elements elsewhere, so that they outlive it: then a view
 * may be made from a temporary one. For a span of your own, say so:
 *   template <class T> inline constexpr bool hedge::borrows<my::span<T>> = true; */
#if defined(__cpp_lib_span) && defined(__cpp_lib_ranges)
template <class C> inline constexpr bool borrows = std::ranges::enable_borrowed_range<C>;
#else
template <class C> inline constexpr bool borrows = false;
#endif
template <class T> inline constexpr bool borrows<view<T>> = true;
template <class C, class Traits>
inline constexpr bool borrows<std::basic_string_view<C, Traits>> = true;
#if defined(__cpp_lib_span)
template <class T, std::size_t N> inline constexpr bool borrows<std::span<T, N>> = true;
#endif

namespace detail
{

template <class C> using data_t = decltype(std::data(std::declval<C &>()));

/* What 0, NULL and nullptr are, where a pointer or a text is asked for. */
template <class N>
using if_null = std::enable_if_t<std::is_integral_v<N> || std::is_null_pointer_v<N>, int>;
/* What a whole number or a truth must not be made from. */
template <class F> using if_floating = std::enable_if_t<std::is_floating_point_v<F>, int>;

template <class C, class T, class = void> inline constexpr bool viewable = false;
/* C is what a forwarding reference deduces: an lvalue, or a temporary that owns
 * nothing; its elements are T's, but for const. */
template <class C, class T>
inline constexpr bool viewable<C, T, std::void_t<data_t<std::remove_reference_t<C>>>> =
    !std::is_same_v<std::remove_cv_t<std::remove_reference_t<C>>, view<T>> &&
    (std::is_lvalue_reference_v<C> || borrows<std::remove_cv_t<C>>)&&std::is_convertible_v<
        std::remove_pointer_t<data_t<std::remove_reference_t<C>>> (*)[], T (*)[]>;

} // namespace detail

/* Elements that somebody else owns: view<const double> to read, view<double> to
 * write. Made from whatever is contiguous, std::vector, std::array, std::span, a
 * C array, but never from a temporary that would take its elements with it. */
template <class T> class view
{
  public:
    constexpr view() noexcept = default;
    constexpr view(T *data, std::size_t size) noexcept : data_(data), size_(size)
    {
    }
    /* {0, 1} would be a null pointer and a length. */
    template <class N, detail::if_null<N> = 0> view(N, std::size_t) = delete;
    template <class C, std::enable_if_t<detail::viewable<C, T>, int> = 0>
    constexpr view(C &&from) noexcept : data_(std::data(from)), size_(std::size(from))
    {
    }

    [[nodiscard]] constexpr T *data() const noexcept
    {
        return data_;
    }
    [[nodiscard]] constexpr std::size_t size() const noexcept
    {
        return size_;
    }
    [[nodiscard]] constexpr bool empty() const noexcept
    {
        return size_ == 0;
    }
    [[nodiscard]] constexpr T *begin() const noexcept
    {
        return data_;
    }
    [[nodiscard]] constexpr T *end() const noexcept
    {
        return data_ + size_;
    }
    /* Element i < size(), unchecked. */
    [[nodiscard]] constexpr T &operator[](std::size_t i) const noexcept
    {
        return data_[i];
    }

  private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};

namespace detail
{

/* It has no elements, or it has them somewhere. */
template <class T> [[nodiscard]] constexpr bool sound(view<T> of) noexcept
{
    return of.data() != nullptr || of.empty();
}

} // namespace detail

/* ---- structs that know their size -------------------------------------- */

/* A struct of hedge.h, zeroed but for struct_size. It is one, too: pass it
 * wherever a C function wants a pointer to one. */
template <class Base> struct sized : Base {
    constexpr sized() noexcept : Base()
    {
        this->struct_size = static_cast<std::uint32_t>(sizeof(Base));
    }
    constexpr sized(const Base &from) noexcept : Base(from)
    {
    }
};

using piece = sized<hedge_piece>;
using certificate = sized<hedge_certificate>;
using rules = sized<hedge_rules>;
using digest = std::array<std::uint8_t, HEDGE_HASH_SIZE>; /* SHA-256 */

/* What to decide. A negative asset, as policy::asset gives for a name it does
 * not know, may be passed on: the answer is HEDGE_TRIP_UNKNOWN_ASSET. */
struct request : sized<hedge_request> {
    using sized<hedge_request>::sized;
    constexpr request() noexcept = default;
    constexpr request(std::int32_t of_asset, double of_usd) noexcept
    {
        asset = of_asset;
        amount_usd = of_usd;
    }
    /* The asset comes first. */
    template <class F, class U, detail::if_floating<F> = 0> request(F, U) = delete;
    /* Decide for this score, [0, 1], in place of the quote's. */
    constexpr void set_override(double to) noexcept
    {
        override_score = to;
        flags |= HEDGE_REQUEST_OVERRIDE;
    }
};

/* What the market says. Each call sets the members and the flag that says so. */
struct quote : sized<hedge_quote> {
    using sized<hedge_quote>::sized;
    constexpr quote() noexcept = default;
    constexpr void set_score(double to, double with_confidence, std::int64_t at_ns) noexcept
    {
        score = to;
        confidence = with_confidence;
        score_ts_ns = at_ns;
        flags |= HEDGE_QUOTE_SCORE;
    }
    /* A double does not hold today's nanoseconds; the time comes last. */
    template <class F, detail::if_floating<F> = 0> void set_score(double, double, F) = delete;
    constexpr void set_previous(double to) noexcept
    {
        previous_score = to;
        flags |= HEDGE_QUOTE_PREVIOUS;
    }
    constexpr void set_depth(double to_usd, std::int64_t at_ns) noexcept
    {
        depth1pct_usd = to_usd;
        depth_ts_ns = at_ns;
        flags |= HEDGE_QUOTE_DEPTH;
    }
    template <class F, detail::if_floating<F> = 0> void set_depth(double, F) = delete;
    constexpr void set_halted(bool to) noexcept
    {
        flags = to ? flags | HEDGE_QUOTE_HALTED : flags & ~HEDGE_QUOTE_HALTED;
    }
    template <class F, detail::if_floating<F> = 0> void set_halted(F) = delete;
    template <class P> void set_halted(P *) = delete; /* nor is a text a truth */
};

/* The answer. Until one is written into it, it is not ok(). */
struct decision : sized<hedge_decision> {
    using sized<hedge_decision>::sized;
    constexpr decision() noexcept
    {
        status = HEDGE_E_ARG;
    }
    /* A hedge was decided; flags may still hold breakers that only flag. */
    [[nodiscard]] constexpr bool ok() const noexcept
    {
        return status == HEDGE_OK;
    }
    /* Whether a breaker, HEDGE_TRIP_…, tripped, whatever its action was. */
    [[nodiscard]] constexpr bool tripped(std::int32_t trip) const noexcept
    {
        constexpr std::int32_t last = HEDGE_TRIP_HALTED - HEDGE_BREAKER_COUNT + 1;
        return trip <= HEDGE_TRIP_HALTED && trip >= last &&
               ((flags >> (HEDGE_TRIP_HALTED - trip)) & 1U) != 0;
    }
};

struct record : sized<hedge_record> {
    using sized<hedge_record>::sized;
    constexpr record() noexcept
    {
        request = hedge::request();
        quote = hedge::quote();
        decision = hedge::decision();
    }
};

/* Settings that replace a policy's own. */
struct overrides : sized<hedge_policy_overrides> {
    using sized<hedge_policy_overrides>::sized;
    constexpr overrides() noexcept = default;
    /* The path is not copied: it must live until the policy is loaded. */
    constexpr void set_knots(const char *path) noexcept
    {
        knots_path = path;
        set |= HEDGE_SET_KNOTS;
    }
    constexpr void set_max_hedge_pct(double to) noexcept
    {
        max_hedge_pct = to;
        set |= HEDGE_SET_MAX_HEDGE_PCT;
    }
    constexpr void set_stale_score_ms(double to) noexcept
    {
        stale_score_ms = to;
        set |= HEDGE_SET_STALE_SCORE;
    }
};

/* ---- names -------------------------------------------------------------- */

enum class method : std::int32_t {
    pchip = HEDGE_METHOD_PCHIP,
    steffen = HEDGE_METHOD_STEFFEN,
    linear = HEDGE_METHOD_LINEAR
};

enum class weight : std::int32_t { ratio = HEDGE_WEIGHT_RATIO, log = HEDGE_WEIGHT_LOG };

enum class blending : std::int32_t {
    min = HEDGE_BLEND_MIN,
    harmonic = HEDGE_BLEND_HARMONIC,
    geometric = HEDGE_BLEND_GEOMETRIC,
    product = HEDGE_BLEND_PRODUCT
};

[[nodiscard]] inline const char *status_name(std::int32_t code) noexcept
{
    return hedge_status_name(code);
}
[[nodiscard]] inline const char *status_text(std::int32_t code) noexcept
{
    return hedge_status_text(code);
}
/* Null for a bit without a meaning. */
[[nodiscard]] inline const char *flag_name(std::uint32_t bit) noexcept
{
    return hedge_flag_name(bit);
}
/* Null for an unknown method. */
[[nodiscard]] inline const char *method_name(method of) noexcept
{
    return hedge_method_name(static_cast<std::int32_t>(of));
}
/* An outcome that asks to keep the hedge there is, not an error. */
[[nodiscard]] constexpr bool is_trip(std::int32_t code) noexcept
{
    return code <= -100 && code >= -199;
}
[[nodiscard]] inline const char *version() noexcept
{
    return hedge_version();
}
/* The library that was loaded is of the kind that this header describes. */
[[nodiscard]] inline bool abi_matches() noexcept
{
    return hedge_abi_version() == HEDGE_ABI_VERSION;
}

/* ---- errors -------------------------------------------------------------- */

/* Where and why a call failed: code, file, line, index, field, message. */
struct error : sized<hedge_error> {
    using sized<hedge_error>::sized;
    constexpr error() noexcept = default;
    error(std::int32_t of_code, const char *of_field, const char *of_message) noexcept
    {
        code = of_code;
        index = -1;
        std::snprintf(field, sizeof(field), "%s", of_field);
        std::snprintf(message, sizeof(message), "%s", of_message);
    }
};

/* A T, or the error for which there is none; then value() is an empty T. Of a
 * temporary result nothing is lent, as it would not last: take the value. */
template <class T> class [[nodiscard]] result
{
  public:
    result(T value) noexcept : value_(std::move(value)), error_()
    {
    }
    result(const hedge::error &why) noexcept : value_(), error_(why)
    {
    }

    [[nodiscard]] bool ok() const noexcept
    {
        return error_.code == HEDGE_OK;
    }
    [[nodiscard]] explicit operator bool() const noexcept
    {
        return ok();
    }
    [[nodiscard]] std::int32_t code() const noexcept
    {
        return error_.code;
    }
    [[nodiscard]] const hedge::error &error() const &noexcept
    {
        return error_;
    }
    [[nodiscard]] hedge::error error() const &&noexcept
    {
        return error_;
    }
    [[nodiscard]] T &value() &noexcept
    {
        return value_;
    }
    [[nodiscard]] const T &value() const &noexcept
    {
        return value_;
    }
    /* Moves it out: `auto policy = std::move(loaded).value();` */
    [[nodiscard]] T value() &&noexcept
    {
        return std::move(value_);
    }
    void value() const && = delete;
    [[nodiscard]] T *operator->() &noexcept
    {
        return &value_;
    }
    [[nodiscard]] const T *operator->() const &noexcept
    {
        return &value_;
    }
    const T *operator->() const && = delete;

  private:
    T value_;
    hedge::error error_;
};

#if defined(__cpp_exceptions)
/* What or_throw throws: the error whole, and as one line. */
class exception : public std::exception
{
  public:
    explicit exception(const hedge::error &why) noexcept : error_(why), text_()
    {
        if (why.file[0] != '\0')
            std::snprintf(text_, sizeof(text_), "%s:%d: %s: %s", why.file, why.line, why.field,
                          why.message);
        else
            std::snprintf(text_, sizeof(text_), "%s: %s", why.field, why.message);
    }
    [[nodiscard]] const char *what() const noexcept override
    {
        return text_;
    }
    [[nodiscard]] const hedge::error &error() const noexcept
    {
        return error_;
    }

  private:
    hedge::error error_;
    char text_[sizeof(hedge_error) + 32];
};

/* The value, or throws hedge::exception:
 *   const hedge::policy policy = hedge::or_throw(hedge::policy::load(path)); */
template <class T> [[nodiscard]] T or_throw(result<T> from)
{
    if (!from.ok()) throw exception(from.error());
    return std::move(from).value();
}
#endif

namespace detail
{

/* One handle of the library, released with Free. */
template <class T, void (*Free)(T *)> class owner
{
  public:
    constexpr owner() noexcept = default;
    /* Takes over what a C function has made. */
    explicit owner(T *from) noexcept : handle_(from)
    {
    }

    [[nodiscard]] explicit operator bool() const noexcept
    {
        return handle_ != nullptr;
    }
    /* For C functions; stays owned. */
    [[nodiscard]] T *get() noexcept
    {
        return handle_.get();
    }
    [[nodiscard]] const T *get() const noexcept
    {
        return handle_.get();
    }
    /* Gives it away: the caller frees it. */
    [[nodiscard]] T *release() noexcept
    {
        return handle_.release();
    }
    /* Frees what it holds and takes over `from`. */
    void reset(T *from = nullptr) noexcept
    {
        handle_.reset(from);
    }

  private:
    struct freer {
        void operator()(T *handle) const noexcept
        {
            Free(handle);
        }
    };
    std::unique_ptr<T, freer> handle_{};
};

template <class Owner, class Handle>
[[nodiscard]] result<Owner> built(std::int32_t code, Handle *handle, error &why) noexcept
{
    if (code == HEDGE_OK) return Owner(handle);
    if (why.code == HEDGE_OK) why = error(code, "", hedge_status_text(code));
    return why;
}

/* A name with the NUL that C asks for. One that is too long, or has a NUL
 * inside, stays one that the library does not take. */
struct c_name {
    explicit c_name(std::string_view name) noexcept : text()
    {
        const std::size_t n = name.size() < sizeof(text) ? name.size() : sizeof(text) - 1;
        for (std::size_t i = 0; i < n; i++)
            text[i] = name[i] != '\0' ? name[i] : ' ';
    }
    char text[HEDGE_ASSET_NAME_MAX + 2]; /* one more than any name has */
};

/* What the library calls back: true or nothing goes on, false stops. */
template <class F> std::int32_t call_progress(void *context, double done) noexcept
{
    F &progress = *static_cast<F *>(context);
    using answer = std::invoke_result_t<F &, double>;

    static_assert(std::is_void_v<answer> || std::is_same_v<answer, bool>,
                  "progress(done) answers true to go on, false to stop, or nothing");
    if constexpr (std::is_void_v<answer>) {
        progress(done);
        return 0;
    } else {
        return progress(done) ? 0 : 1;
    }
}

[[nodiscard]] inline std::string_view text_of(const char *text) noexcept
{
    return text != nullptr ? std::string_view(text) : std::string_view();
}

} // namespace detail

} // namespace hedge

#endif
