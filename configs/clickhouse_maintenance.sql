-- SPDX-License-Identifier: MIT
-- Every ten minutes or so: forgets removed levels, which the depth query would otherwise read for
-- good. Only those that were removed more than ten minutes ago, so that a delta which comes late,
-- by less than that, still finds what it must not overwrite; and only those of which no row with a
-- size is left anywhere, since without the removal an older row would count again. OPTIMIZE lets
-- go of these older rows; without it the DELETE is as safe, but finds less.
OPTIMIZE TABLE order_book_levels FINAL;

ALTER TABLE order_book_levels DELETE
WHERE size = 0
    AND ts_ms < (toUInt64(toUnixTimestamp(now())) - 600) * 1000
    AND (asset, side, price) NOT IN
        (SELECT asset, side, price FROM order_book_levels WHERE size != 0);
