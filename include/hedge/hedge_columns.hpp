/* SPDX-License-Identifier: MIT
 * hedge_columns.hpp: the columns of policy::size_n; include hedge.hpp.
 *
 * A column is an array of the caller's, one element a row, of which only the
 * place is kept: it must outlive the call of size_n and not be resized. */
#ifndef HEDGE_HEDGE_COLUMNS_HPP
#define HEDGE_HEDGE_COLUMNS_HPP

#include <hedge/hedge_types.hpp>

namespace hedge
{

/* The inputs. What is not set has hedge_size_in's default in every row. */
class size_in
{
  public:
    explicit size_in(view<const double> amount_usd) noexcept
        : in_(), rows_(amount_usd.size()), even_(detail::sound(amount_usd))
    {
        in_.amount_usd = amount_usd.data();
    }

    size_in &asset(std::int32_t all) noexcept
    {
        in_.asset_all = all;
        return *this;
    }
    size_in &asset(view<const std::int32_t> column) noexcept
    {
        return put(in_.asset, column);
    }
    template <class F, detail::if_floating<F> = 0> size_in &asset(F) = delete;
    size_in &now_ns(std::int64_t all) noexcept
    {
        in_.now_all_ns = all;
        return *this;
    }
    size_in &now_ns(view<const std::int64_t> column) noexcept
    {
        return put(in_.now_ns, column);
    }
    template <class F, detail::if_floating<F> = 0> size_in &now_ns(F) = delete;
    size_in &override_score(view<const double> column) noexcept
    {
        return put(in_.override_score, column);
    }
    size_in &request_flags(view<const std::uint32_t> column) noexcept
    {
        return put(in_.request_flags, column);
    }
    size_in &score(view<const double> column) noexcept
    {
        return put(in_.score, column);
    }
    size_in &confidence(view<const double> column) noexcept
    {
        return put(in_.confidence, column);
    }
    size_in &score_ts_ns(view<const std::int64_t> column) noexcept
    {
        return put(in_.score_ts_ns, column);
    }
    size_in &previous_score(view<const double> column) noexcept
    {
        return put(in_.previous_score, column);
    }
    size_in &depth1pct_usd(view<const double> column) noexcept
    {
        return put(in_.depth1pct_usd, column);
    }
    size_in &depth_ts_ns(view<const std::int64_t> column) noexcept
    {
        return put(in_.depth_ts_ns, column);
    }
    size_in &quote_flags(view<const std::uint32_t> column) noexcept
    {
        return put(in_.quote_flags, column);
    }

    [[nodiscard]] std::size_t rows() const noexcept
    {
        return rows_;
    }
    /* Every column is there and has as many rows as amount_usd. */
    [[nodiscard]] bool even() const noexcept
    {
        return even_;
    }
    [[nodiscard]] const hedge_size_in *get() const noexcept
    {
        return &in_;
    }

  private:
    template <class T> size_in &put(const T *&at, view<const T> column) noexcept
    {
        at = column.data();
        even_ = even_ && detail::sound(column) && column.size() == rows_;
        return *this;
    }

    sized<hedge_size_in> in_;
    std::size_t rows_;
    bool even_;
};

/* The outputs. What is not set is not written. */
class size_out
{
  public:
    size_out() noexcept : out_()
    {
    }

    size_out &status(view<std::int32_t> column) noexcept
    {
        return put(out_.status, column);
    }
    size_out &flags(view<std::uint32_t> column) noexcept
    {
        return put(out_.flags, column);
    }
    size_out &hedge_pct(view<double> column) noexcept
    {
        return put(out_.hedge_pct, column);
    }
    size_out &notional_usd(view<double> column) noexcept
    {
        return put(out_.notional_usd, column);
    }
    size_out &confidence(view<double> column) noexcept
    {
        return put(out_.confidence, column);
    }
    size_out &score(view<double> column) noexcept
    {
        return put(out_.score, column);
    }
    size_out &liquidity_weight(view<double> column) noexcept
    {
        return put(out_.liquidity_weight, column);
    }
    size_out &effective_score(view<double> column) noexcept
    {
        return put(out_.effective_score, column);
    }
    size_out &liquidity_quality(view<double> column) noexcept
    {
        return put(out_.liquidity_quality, column);
    }
    size_out &score_age_ns(view<std::int64_t> column) noexcept
    {
        return put(out_.score_age_ns, column);
    }
    size_out &depth_age_ns(view<std::int64_t> column) noexcept
    {
        return put(out_.depth_age_ns, column);
    }

    /* Every column that is set has so many rows. */
    [[nodiscard]] bool even(std::size_t rows) const noexcept
    {
        return columns_ == 0 || (even_ && rows_ == rows);
    }
    [[nodiscard]] const hedge_size_out *get() const noexcept
    {
        return &out_;
    }

  private:
    template <class T> size_out &put(T *&at, view<T> column) noexcept
    {
        at = column.data();
        even_ = even_ && detail::sound(column) && (columns_ == 0 || column.size() == rows_);
        rows_ = column.size();
        columns_++;
        return *this;
    }

    sized<hedge_size_out> out_;
    std::size_t rows_ = 0;
    unsigned columns_ = 0;
    bool even_ = true;
};

} // namespace hedge

#endif
