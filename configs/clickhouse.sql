-- SPDX-License-Identifier: MIT
-- The order books that hedged reads depth from; docs/clickhouse.md explains them.
--   clickhouse-client -n < clickhouse.sql
-- Runs on ClickHouse 18.16 and on today's (26.9). Tried on single servers; on a cluster the
-- engines become Replicated ones, which was not tried.

-- What the market data writer inserts, in the order of the exchange: the size that rests at a
-- price from ts_ms (Unix time, milliseconds) on. 0 removes the level. Sides: 'bid' and 'ask'.
CREATE TABLE IF NOT EXISTS order_book_deltas
(
    ts_ms UInt64,
    asset String,
    side String,
    price Float64,
    size Float64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(toDateTime(intDiv(ts_ms, 1000)))
ORDER BY (asset, ts_ms);

-- The newest delta of each level, so that what a query reads grows with the book and not with its
-- history. A later ts_ms wins; of equal ones, what was inserted last.
CREATE TABLE IF NOT EXISTS order_book_levels
(
    ts_ms UInt64,
    asset String,
    side String,
    price Float64,
    size Float64
)
ENGINE = ReplacingMergeTree(ts_ms)
ORDER BY (asset, side, price);

-- Fills it with each insert. What the deltas held before the view was there needs
-- clickhouse_backfill.sql.
CREATE MATERIALIZED VIEW IF NOT EXISTS order_book_levels_view TO order_book_levels AS
SELECT ts_ms, asset, side, price, size
FROM order_book_deltas
WHERE side IN ('bid', 'ask') AND price > 0;
