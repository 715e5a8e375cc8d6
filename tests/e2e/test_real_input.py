# SPDX-License-Identifier: MIT
"""Six years of real sentiment and hours of real order books through a real daemon.

Scores go the way of production: SET and PUBLISH on a real redis-server. Depths
are replayed from level-2 deltas and put over HTTP. Every answer is compared
with the oracle.
"""
import csv
import gzip
import os
import time
import unittest

import daemon
import oracle
import redis_server
from daemon import Daemon

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = os.path.join(os.path.dirname(ROOT), "shared", "data")
ASSETS = ("BTC", "ETH", "LTC", "XRP")
BOOK_OF = {"BTC": "BTC", "ETH": "BTC", "LTC": "XRP", "XRP": "XRP"}
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
AMOUNTS = (1.0, 99.99, 25000.0, 1 / 3, 1e6, 123456.789, 1e9)


def deltas():
    """{asset: [(ts_ms, side, price, size), …]} in the order of the file."""
    out = {}
    with gzip.open(os.path.join(DATA, "order_book_deltas.csv.gz"), "rt", encoding="ascii") as f:
        for row in csv.DictReader(f):
            out.setdefault(row["asset"], []).append(
                (int(row["ts_ms"]), row["side"], float(row["price"]), float(row["size"])))
    return out


def scores():
    with open(os.path.join(DATA, "fear_greed_daily.csv"), encoding="ascii") as f:
        return [int(row["value"]) / 100 for row in csv.DictReader(f)]


def depths(events, count):
    """The depth at `count` moments spread over a replay, each between two times of the feed."""
    book, moments = oracle.Book(), []
    for i, (ts, side, price, size) in enumerate(events):
        book.apply(side, price, size)
        if all(book.sides.values()) and (i + 1 == len(events) or events[i + 1][0] != ts):
            moments.append(i)
    marks = {moments[k * (len(moments) - 1) // (count - 1)] for k in range(count)}
    book, out = oracle.Book(), []
    for i, (_, side, price, size) in enumerate(events):
        book.apply(side, price, size)
        if i in marks:
            out.append(book.depth1pct())
    return out


@unittest.skipUnless(os.path.isdir(DATA), "the market data (../shared/data) is not here")
class RealBooks(unittest.TestCase):
    def test_the_books_have_the_reference_figures(self):
        events = deltas()
        for asset, ts_ms, bid, ask, depth in FIGURES:
            book = oracle.Book()
            for ts, side, price, size in events[asset]:
                if ts <= ts_ms:
                    book.apply(side, price, size)
            self.assertEqual(book.best(), (bid, ask), (asset, ts_ms))
            self.assertAlmostEqual(book.depth1pct(), depth, delta=0.006, msg=f"{asset} {ts_ms}")


@unittest.skipUnless(os.path.isdir(DATA), "the market data (../shared/data) is not here")
@unittest.skipUnless(redis_server.available(), "redis-server is not installed")
class RealInput(daemon.Case):
    def replay(self, rules, days, singles):
        """One round a day; returns how many answers were compared."""
        events = deltas()
        books = {name: depths(events[name], 1000) for name in ("BTC", "XRP")}
        compared, flags = 0, set()
        with redis_server.Redis() as redis, \
                Daemon(rules, redis_url=redis.url(0), durability="commit") as d, \
                d.client() as c, redis.client() as pipe:
            daemon.wait_until(lambda: c.metric("hedge_redis_connected") == 1, "connected to Redis")
            before = {asset: None for asset in ASSETS}
            last = 0
            for day, score in enumerate(days):
                ts_ms = last = max(time.time_ns() // 1_000_000, last + 1)
                seen = {}
                for i, asset in enumerate(ASSETS):
                    confidence = 1 - ((day * 7 + i * 13) % 50) / 100
                    value = score if i % 2 == 0 else round(1 - score, 2)
                    book = books[BOOK_OF[asset]]
                    seen[asset] = {"score": value, "confidence": confidence,
                                   "score_ts_ns": ts_ms * oracle.MS, "previous_score": before[asset],
                                   "depth1pct_usd": book[(day + 17 * i) % len(book)],
                                   "depth_ts_ns": ts_ms * oracle.MS}
                    before[asset] = value
                    stamp = ts_ms / 1000 if day % 2 else ts_ms
                    receivers = pipe.publish(asset, {"score": value, "ts": stamp,
                                                     "confidence": confidence})
                    self.assertEqual(receivers, 1, "one subscriber hears each channel")
                    self.assert_status(c.put(f"/quotes/{asset}", {
                        "depth1pct_usd": seen[asset]["depth1pct_usd"], "depth_ts_ms": ts_ms}), 200)

                def arrived():
                    held = {q["asset"]: q.get("ts_ms") for q in c.get("/quotes").json["quotes"]}
                    return all(held[asset] == ts_ms for asset in ASSETS)
                daemon.wait_until(arrived, f"day {day}: the four scores arrive", 5, every=0.0005)
                asked = [{"asset": a, "amount_usd": AMOUNTS[(day + i) % len(AMOUNTS)]}
                         for i, a in enumerate(ASSETS)]
                if day % 10 == 3:
                    asked[day % 4]["override_score"] = score
                if singles:
                    one = asked[day % 4]
                    answers = [(one, c.post("/hedge", one).json)]
                else:
                    got = c.post("/hedge/batch", {"requests": asked}).json["decisions"]
                    answers = list(zip(asked, got))
                for one, got in answers:
                    expected = oracle.decide(rules, one["asset"], one, seen[one["asset"]],
                                             ts_ms * oracle.MS)
                    why = f"day {day} {one} {seen[one['asset']]}"
                    if expected["breaker"]:
                        self.assertEqual(got.get("breaker"), expected["breaker"], f"{why} {got}")
                        flags.add(expected["breaker"])
                    else:
                        self.assert_agrees(got, expected, why)
                        flags.update(got["flags"])
                    compared += 1
            self.assertEqual(c.metric("hedge_redis_messages_total", result="applied"),
                             4.0 * len(days))
            self.assertEqual(c.metric("hedge_redis_messages_total", result="malformed"), 0.0)
            self.assertEqual(c.metric("hedge_journal_lost_total"), 0.0)
            self.assertEqual(len([r for r in c.records() if r["kind"] == "decision"]), compared)
            self.assertEqual(d.stop(), 0)
        return compared, flags

    def test_every_day_of_the_index_decides_as_the_oracle(self):
        compared, flags = self.replay(oracle.policy(), scores(), singles=False)
        print(f"\n  {compared} answers agree with the oracle; seen: {sorted(flags)}")
        self.assertIn("min_depth", flags, "the real book is thin at first")
        self.assertGreaterEqual(compared, 2000)
        self.assertIn("extreme_score", flags, "the index was below 10 and above 90 at times")

    def test_another_curve_weight_and_blend(self):
        rules = oracle.policy(
            curve={"method": "steffen", "knots": [[0.0, 0.0], [0.05, 0.02], [0.2, 0.4], [0.21, 0.4],
                                                  [0.6, 0.45], [0.95, 0.99]]},
            max_hedge_pct=0.43, liquidity={"weight": "log", "full_depth_usd": 2.0e7},
            confidence={"blend": "geometric", "freshness": "none"},
            assets={"BTC": {}, "ETH": {"curve": {"method": "linear"}}, "LTC": {
                "confidence": {"blend": "harmonic"}, "max_hedge_pct": 1.0},
                "XRP": {"confidence": {"blend": "product"},
                        "liquidity": {"weight": "ratio", "half_depth_usd": 1.0e7}}})
        compared, flags = self.replay(rules, scores()[:600], singles=True)
        print(f"\n  {compared} answers agree with the oracle; seen: {sorted(flags)}")
        self.assertIn("capped", flags)
        self.assertIn("override", flags)


if __name__ == "__main__":
    daemon.main()
