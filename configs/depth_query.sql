-- SPDX-License-Identifier: MIT
-- One row an asset: the depth of its book as hedged reads it.
--
-- The levels are read once, so that a row is one moment of the book. depth1pct_usd is price * size
-- within 1 % of the mid price, both sides, bounds included. It is null where a side is empty (then
-- that side's best price is null too) and where best_bid >= best_ask: neither has a mid price. The
-- terms are sorted: of one book, whatever order its levels come in, the sum has the same last bit.
-- ts_ms is the newest delta of the book, as a float, because 64-bit integers are written as text.
SELECT
    asset,
    if(bids > 0, bid, NULL) AS best_bid,
    if(asks > 0, ask, NULL) AS best_ask,
    if(bids > 0 AND asks > 0 AND bid < ask,
       arraySum(arraySort(arrayMap(
           (p, s) -> if(abs(p - (bid / 2 + ask / 2)) <= (bid / 2 + ask / 2) / 100, p * s, 0.),
           prices, sizes))),
       NULL) AS depth1pct_usd,
    toFloat64(newest) AS ts_ms
FROM
(
    SELECT
        asset,
        countIf(side = 'bid' AND size > 0) AS bids,
        countIf(side = 'ask' AND size > 0) AS asks,
        maxIf(price, side = 'bid' AND size > 0) AS bid,
        minIf(price, side = 'ask' AND size > 0) AS ask,
        groupArrayIf(price, size > 0) AS prices,
        groupArrayIf(size, size > 0) AS sizes,
        max(ts_ms) AS newest
    FROM order_book_levels FINAL
    WHERE side IN ('bid', 'ask')
    GROUP BY asset
)
ORDER BY asset
