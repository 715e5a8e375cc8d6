-- SPDX-License-Identifier: MIT
-- Once, where order_book_deltas held rows before order_book_levels_view was made: reads them into
-- the levels. Run it a minute or more after the view was made, so that whatever is newer than its
-- bound came through the view. It may be run again.
--
-- Of deltas of one level in one millisecond the last inserted must stay the last. OPTIMIZE makes
-- one part of each month, in which they lie in that order, and one thread reads them in it.
OPTIMIZE TABLE order_book_deltas FINAL;

INSERT INTO order_book_levels
SELECT ts_ms, asset, side, price, size
FROM order_book_deltas
WHERE side IN ('bid', 'ask') AND price > 0
    AND ts_ms < (toUInt64(toUnixTimestamp(now())) - 60) * 1000
SETTINGS max_threads = 1;
