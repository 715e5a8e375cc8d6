# SPDX-License-Identifier: MIT
"""The tables and queries of configs/ on a real clickhouse-server, against the oracle's books."""
import csv
import gzip
import json
import os
import random
import struct
import unittest

import clickhouse_server
import daemon
import oracle
from clickhouse_server import ClickHouse

DATA = os.path.join(os.path.dirname(clickhouse_server.ROOT), "shared", "data")
# Computed independently of this project: asset, ts_ms, best bid, best ask, depth in USD.
FIGURES = (
    ("BTC", 1430439606553, 234.83, 235.09, 78034.12),
    ("BTC", 1430446809097, 236.88, 237.15, 115441.71),
    ("BTC", 1430452814664, 236.3, 236.58, 52907.10),
    ("BTC", 1430456415625, 235.03, 235.78, 83989.49),
    ("XRP", 1733011201191, 1.9531, 1.9532, 17594091.11),
    ("XRP", 1733011203490, 1.9535, 1.9536, 18240005.31),
    ("XRP", 1733011205490, 1.9537, 1.9538, 18822396.55),
)
T = 1752480000000


def real_deltas():
    with gzip.open(os.path.join(DATA, "order_book_deltas.csv.gz"), "rt", encoding="ascii") as f:
        return [(int(r["ts_ms"]), r["asset"], r["side"], float(r["price"]), float(r["size"]))
                for r in csv.DictReader(f)]


class Levels:
    """What the rules say the levels are: the newest delta of each; of equals, the last."""

    def __init__(self):
        self.newest = {}

    def apply(self, rows):
        for ts, asset, side, price, size in rows:
            held = self.newest.get((asset, side, price))
            if held is None or ts >= held[0]:
                self.newest[asset, side, price] = (ts, size)

    def book(self, asset):
        book = oracle.Book()
        for (name, side, price), (_, size) in self.newest.items():
            if name == asset:
                book.apply(side, price, size)
        return book

    def ts(self, asset):
        return max(ts for (name, _, _), (ts, _) in self.newest.items() if name == asset)


@unittest.skipUnless(clickhouse_server.available(), "clickhouse-server is not installed")
class DepthQuery(daemon.Case):
    @classmethod
    def setUpClass(cls):
        cls.server = ClickHouse()
        with open(clickhouse_server.DEPTH_QUERY, encoding="utf-8") as f:
            cls.text = f.read()

    @classmethod
    def tearDownClass(cls):
        cls.server.kill()

    def setUp(self):
        for table in ("order_book_deltas", "order_book_levels"):
            self.server.query(f"TRUNCATE TABLE {table}")

    def rows(self):
        """{asset: row} of the shipped query."""
        text = self.server.query(self.text, default_format="JSONEachRow")
        return {row["asset"]: row for row in map(json.loads, text.splitlines())}

    def row(self, asset="BTC"):
        return self.rows()[asset]

    def merge(self):
        self.server.query("OPTIMIZE TABLE order_book_levels FINAL")

    def maintain(self):
        self.server.run_file(clickhouse_server.MAINTENANCE)
        self.wait_for_mutations()

    def wait_for_mutations(self):
        daemon.wait_until(lambda: self.server.query(
            "SELECT count() FROM system.mutations WHERE NOT is_done") == "0\n", "it is done", 30)

    def count(self, what="1"):
        return int(self.server.query(f"SELECT countIf({what}) FROM order_book_levels"))

    def assert_book(self, levels, asset, why=""):
        row, book = self.row(asset), levels.book(asset)
        self.assertEqual(row["ts_ms"], levels.ts(asset), f"{asset} {why}")
        bids, asks = book.sides["bid"], book.sides["ask"]
        self.assertEqual((row["best_bid"], row["best_ask"]),
                         (max(bids, default=None), min(asks, default=None)), f"{asset} {why}")
        if bids and asks and max(bids) < min(asks):
            expected = book.depth1pct()
            self.assertAlmostEqual(row["depth1pct_usd"], expected, delta=1e-12 * expected,
                                   msg=f"{asset} {why}")
        else:
            self.assertIsNone(row["depth1pct_usd"], f"{asset} {why}")

    # ---- what a book is

    @unittest.skipUnless(os.path.isdir(DATA), "the market data (../shared/data) is not here")
    def test_the_figures_of_real_books(self):
        deltas, last = real_deltas(), {}
        for asset, ts, bid, ask, depth in FIGURES:
            since, last[asset] = last.get(asset, 0), ts
            new = [d for d in deltas if d[1] == asset and since < d[0] <= ts]
            for i in range(0, len(new), 4000):
                self.server.insert_deltas(new[i:i + 4000])
            row = self.row(asset)
            self.assertEqual((row["best_bid"], row["best_ask"], row["ts_ms"]), (bid, ask, ts))
            self.assertAlmostEqual(row["depth1pct_usd"], depth, delta=0.006, msg=f"{asset} {ts}")
        before = self.rows()
        self.merge()
        self.assertEqual(self.rows(), before, "merging changes nothing, not the last bit")
        self.maintain()
        self.assertEqual(self.count("size = 0"), 0, "the dead levels of years ago are gone")
        self.assertEqual(self.rows(), before)

    def test_an_empty_table_has_no_rows(self):
        self.assertEqual(self.rows(), {})

    def test_one_per_cent_is_inclusive_and_of_the_mid_price(self):
        self.server.insert_deltas([
            (T, "BTC", "bid", 99.5, 1.0), (T, "BTC", "bid", 99.0, 2.0),
            (T, "BTC", "bid", 98.99, 4.0),
            (T, "BTC", "ask", 100.5, 8.0), (T, "BTC", "ask", 101.0, 16.0),
            (T, "BTC", "ask", 101.01, 32.0), (T + 5, "BTC", "ask", 150.0, 64.0)])
        self.assertEqual(self.row(), {"asset": "BTC", "best_bid": 99.5, "best_ask": 100.5,
                                      "depth1pct_usd": 99.5 + 198 + 804 + 1616, "ts_ms": T + 5})

    def test_crossed_and_one_sided_books_say_so(self):
        bid, ask = (T, "BTC", "bid", 100.0, 1.0), (T, "BTC", "ask", 101.0, 1.0)
        for rows, expected in (
                ([bid], (100.0, None, None)), ([ask], (None, 101.0, None)),
                ([(T, "BTC", "bid", 100.0, 0.0)], (None, None, None)),
                ([bid, (T, "BTC", "ask", 100.0, 1.0)], (100.0, 100.0, None)),
                ([bid, (T, "BTC", "ask", 99.0, 1.0)], (100.0, 99.0, None)),
                ([bid, ask], (100.0, 101.0, 201.0))):
            self.setUp()
            self.server.insert_deltas(rows)
            row = self.row()
            self.assertEqual((row["best_bid"], row["best_ask"], row["depth1pct_usd"]), expected)

    def test_other_sides_prices_and_sizes_are_no_levels(self):
        nan, inf = float("nan"), float("inf")
        good = [(T, "BTC", "bid", 99.5, 1.0), (T, "BTC", "ask", 100.5, 1.0)]
        bad = [(T + 1, "BTC", side, 100.0, 7.0) for side in ("buy", "Bid", "", "ask ", "b")]
        bad += [(T + 1, "BTC", "bid", price, 7.0) for price in (0.0, -1.0, nan, -inf)]
        self.server.insert_deltas(bad + good)
        self.assertEqual(self.row(), {"asset": "BTC", "best_bid": 99.5, "best_ask": 100.5,
                                      "depth1pct_usd": 200.0, "ts_ms": T})
        self.assertEqual(self.count(), 2, "nothing else is kept")
        self.server.insert_deltas([(T + 2, "BTC", "bid", 99.4, -5.0),
                                   (T + 2, "BTC", "bid", 99.3, nan)])
        self.assertEqual(self.row()["depth1pct_usd"], 200.0, "a size is above 0")
        self.server.insert_deltas([(T + 3, "BTC", "bid", 99.2, inf)])
        self.assertIsNone(self.row()["depth1pct_usd"], "and must not be infinite")

    def test_doubles_keep_their_bits(self):
        rng = random.Random(11)
        sizes = [struct.unpack("<d", struct.pack("<Q", rng.randrange(1, 0x7fe << 52)))[0]
                 for _ in range(5000)]
        self.server.insert_deltas([(T, "BITS", "bid", 1.0 + i, s) for i, s in enumerate(sizes)])
        held = self.server.query("SELECT reinterpretAsUInt64(reinterpretAsString(size)) "
                                 "FROM order_book_levels FINAL ORDER BY price").split()
        self.assertEqual([int(h) for h in held],
                         [struct.unpack("<Q", struct.pack("<d", s))[0] for s in sizes])

    # ---- which delta counts

    def test_the_last_of_one_millisecond_counts(self):
        for size in (0.0, 3.0):
            for blocks in (1, 2):
                self.setUp()
                rows = [(T, "BTC", "bid", 99.5, 1.0), (T, "BTC", "ask", 100.5, 1.0),
                        (T, "BTC", "bid", 99.0, 7.0 if size == 0 else 0.0)]
                last = [(T, "BTC", "bid", 99.0, size)]
                for block in [rows + last] if blocks == 1 else [rows, last]:
                    self.server.insert_deltas(block)
                for merged in (False, True):
                    self.assertEqual(self.row()["depth1pct_usd"], 200.0 + 99.0 * size,
                                     f"size {size}, {blocks} blocks, merged: {merged}")
                    self.merge()

    def test_random_ties_and_late_deltas(self):
        seed = random.randrange(1 << 30)
        rng = random.Random(seed)
        levels, assets = Levels(), [f"A{i}" for i in range(8)]
        for turn in range(60):
            rows = [(T + rng.randrange(max(0, turn - 3), turn + 2), rng.choice(assets),
                     rng.choice(("bid", "ask")), float(rng.randrange(98, 103)),
                     rng.choice((0.0, 0.0, 1.0, 2.5, 0.1))) for _ in range(rng.randrange(1, 30))]
            self.server.insert_deltas(rows)
            levels.apply(rows)
            if turn % 7 == 0:
                self.merge()
            if turn % 5 == 0:
                for asset in {row[1] for row in rows}:
                    self.assert_book(levels, asset, f"turn {turn}, seed {seed}")
        self.merge()
        for asset in self.rows():
            self.assert_book(levels, asset, f"merged, seed {seed}")

    def test_a_late_delta_does_not_win(self):
        self.server.insert_deltas([(T, "BTC", "bid", 99.5, 1.0), (T, "BTC", "ask", 100.5, 1.0)])
        for merged in (False, True):
            self.server.insert_deltas([(T - 1, "BTC", "bid", 99.5, 50.0),
                                       (T - 1, "BTC", "ask", 100.5, 0.0)])
            self.assertEqual(self.row()["depth1pct_usd"], 200.0, f"merged: {merged}")
            self.assertEqual(self.row()["ts_ms"], T)
            self.merge()

    # ---- maintenance and backfill

    def test_maintenance_forgets_dead_levels_and_wakes_none(self):
        now = daemon.now_ms()
        old, young = now - 3_600_000, now - 1000
        book = [(old, "BTC", "bid", 99.5, 1.0), (old, "BTC", "ask", 100.5, 1.0)]
        born = [(old - 9, "BTC", "bid", 90.0 + i / 100, 5.0) for i in range(900)]
        dead = [(old, "BTC", "bid", 90.0 + i / 100, 0.0) for i in range(900)]
        for block in (book, born, dead, [(young - 1, "BTC", "ask", 101.0, 4.0)],
                      [(young, "BTC", "ask", 101.0, 0.0)]):
            self.server.insert_deltas(block)
        self.assertEqual(self.row()["depth1pct_usd"], 200.0)
        delete = clickhouse_server.statements(clickhouse_server.MAINTENANCE)[-1]
        self.assertTrue(delete.startswith("ALTER"), delete)
        self.server.query(delete)  # while older rows with a size may lie beside the removals
        self.wait_for_mutations()
        self.assertEqual(self.row()["depth1pct_usd"], 200.0, "nothing comes back")
        self.maintain()
        self.assertEqual(self.row()["depth1pct_usd"], 200.0)
        self.assertEqual(self.count(), 3, "two levels, and one removed a second ago")
        self.server.insert_deltas([(young - 5, "BTC", "ask", 101.0, 9.0)])
        self.assertEqual(self.row()["depth1pct_usd"], 200.0, "a late delta still finds its removal")

    def test_a_table_that_was_full_before_the_view(self):
        rng = random.Random(3)
        levels, rows = Levels(), []
        self.server.query("DROP TABLE order_book_levels_view")
        for block in range(12):
            rows = [(T + rng.randrange(block, block + 2), "BTC", rng.choice(("bid", "ask")),
                     float(rng.randrange(98, 103)), rng.choice((0.0, 1.0, 2.0, 3.0)))
                    for _ in range(40)]
            self.server.insert_deltas(rows)
            levels.apply(rows)
        self.assertEqual(self.rows(), {})
        self.server.run_file(clickhouse_server.TABLES)  # makes the view, leaves the tables
        self.server.run_file(clickhouse_server.BACKFILL)
        self.assert_book(levels, "BTC")
        new = [(daemon.now_ms(), "BTC", "bid", 97.0, 5.0)]
        self.server.insert_deltas(new)
        levels.apply(new)
        self.assert_book(levels, "BTC", "the view goes on")
        self.server.run_file(clickhouse_server.BACKFILL)
        self.assert_book(levels, "BTC", "again")


if __name__ == "__main__":
    daemon.main()
