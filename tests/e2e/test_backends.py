# SPDX-License-Identifier: MIT
"""The whole path: real books in ClickHouse, real scores on Redis, HTTP, rows in PostgreSQL.

The books' times are shifted so that the last delta is of now. Each answer is compared with the
oracle and, number for number, with its row.
"""
import collections
import os
import struct
import unittest

import clickhouse_server
import daemon
import journal
import oracle
import postgres_server
import redis_server
import stand
import test_real_input

SIX_HOURS_MS = 6 * 3600000.0  # the first moments of a book are that old when its last one is new
RULES = oracle.policy(limits={"stale_score_ms": SIX_HOURS_MS, "stale_depth_ms": SIX_HOURS_MS})
AMOUNTS = (1.0, 99.99, 25000.0, 1 / 3, 1e6, 123456.789, 1e9, 0.1 + 0.2)
SCORES_A_MOMENT = 60
SAME = ("hedge_pct", "notional_usd", "confidence", "score", "effective_score", "liquidity_weight")


def bits(number):
    return struct.pack("<d", float(number))


@unittest.skipUnless(os.path.isdir(test_real_input.DATA), "no market data (../shared/data)")
@unittest.skipUnless(stand.available(), "redis-server, clickhouse-server and postgresql are needed")
class Backends(daemon.Case):
    def setUp(self):
        self.redis = redis_server.Redis()
        self.addCleanup(self.redis.kill)
        self.clickhouse = clickhouse_server.ClickHouse()
        self.addCleanup(self.clickhouse.kill)
        self.postgres = postgres_server.Postgres()
        self.addCleanup(self.postgres.kill)
        stand.init_db(self.postgres.dsn())
        self.d = stand.start(RULES, self.redis.port, self.clickhouse.port, self.postgres.dsn())
        self.addCleanup(self.d.__exit__)
        self.c = self.d.client()
        self.addCleanup(self.c.close)
        self.pipe = self.redis.client()
        self.addCleanup(self.pipe.close)
        daemon.wait_until(lambda: self.c.metric("hedge_redis_connected") == 1, "redis is connected")

    def insert(self, asset, shift_ms, events):
        self.clickhouse.insert_deltas([(ts + shift_ms, asset, side, price, size)
                                       for ts, side, price, size in events])

    def publish(self, asset, score, confidence, ts_ms):
        self.assertEqual(self.pipe.publish(asset, {"score": score, "ts": ts_ms,
                                                   "confidence": confidence}), 1)
        daemon.wait_until(lambda: self.c.quote(asset).get("ts_ms") == ts_ms, "the score arrives",
                          5, every=0.0005)

    def moments(self):
        """The reference figures in the order of a feed: for each asset the deltas up to each."""
        events = test_real_input.deltas()
        last = {asset: found[-1][0] for asset, found in events.items()}
        for asset, found in events.items():
            shift, at = daemon.now_ms() - last[asset], 0
            for name, ts_ms, _, _, depth in test_real_input.FIGURES:
                if name != asset:
                    continue
                part = [e for e in found[at:] if e[0] <= ts_ms]
                at += len(part)
                yield asset, shift, part, part[-1][0] + shift, depth

    def test_from_real_books_and_scores_to_rows(self):
        days, answers, books = test_real_input.scores(), [], collections.defaultdict(oracle.Book)
        day = 0
        for asset, shift, part, newest, depth in self.moments():
            self.insert(asset, shift, part)
            for _, side, price, size in part:
                books[asset].apply(side, price, size)
            daemon.wait_until(lambda: (self.c.quote(asset) or {}).get("depth_ts_ms") == newest,
                              f"the book of {asset} up to {newest}", 20)
            seen = self.c.quote(asset)["depth1pct_usd"]
            self.assertAlmostEqual(seen, depth, delta=0.006)
            self.assertAlmostEqual(seen, books[asset].depth1pct(), delta=1e-9 * depth)
            begin = daemon.now_ms()
            for i in range(SCORES_A_MOMENT):
                score, confidence = days[day % len(days)], 1 - (day * 7 % 50) / 100
                self.publish(asset, score, confidence, begin + i - SCORES_A_MOMENT)
                one = {"asset": asset, "amount_usd": AMOUNTS[day % len(AMOUNTS)]}
                if day % 10 == 3:
                    one["override_score"] = days[(day + 1) % len(days)]
                answers.append((one, self.c.post("/hedge", one)))
                day += 5
        for one in ({"asset": "ETH", "amount_usd": 1}, {"asset": "BTC", "amount_usd": 1e12},
                    {"asset": "BTC", "amount_usd": 1, "override_score": 2}):
            answers.append((one, self.c.post("/hedge", one)))
        self.compare(answers)

    def compare(self, answers):
        writer, _ = stand.all_arrived(self.postgres, self.c)
        records = {journal.decision_id(writer, r["seq"]): r
                   for r in stand.walk(stand.shipped(self.postgres, writer)) if r["kind"] == 1}
        names = ("id", "asset", "amount_usd", "hedge_pct", "notional_usd", "confidence", "score",
                 "effective_score", "liquidity_weight", "status", "override_score",
                 "encode(policy, 'hex') AS policy", "version", "ts_ns", "liquidity_depth",
                 "array_to_string(flags, ',') AS flags")
        keys = [n.split()[-1] for n in names]
        rows = {r[0]: dict(zip(keys, r)) for r in self.postgres.query(
            f"SELECT {', '.join(names)} FROM decisions WHERE writer = {writer}")}
        self.assertEqual(len(rows), len(answers), "a row for each decision and no other")
        seen = collections.Counter()
        for one, answer in answers:
            got = answer.json
            row, record = rows[got["decision_id"]], records[got["decision_id"]]
            request, quote, now_ns = journal.oracle_inputs(record)
            expected = oracle.decide(RULES, one["asset"], one, quote, now_ns)
            why = f"{one} {got} {row}"
            self.assertEqual(bits(row["amount_usd"]), bits(one["amount_usd"]), why)
            self.assertEqual(row["ts_ns"], str(now_ns), why)
            self.assertEqual(row["asset"], one["asset"], why)
            if "override_score" in one:
                self.assertEqual(bits(row["override_score"]), bits(one["override_score"]), why)
            else:
                self.assertEqual(row["override_score"], "", why)
            if answer.status != 200:
                self.assertEqual(got["code"], expected["breaker"], why)
                self.assertEqual(row["status"], got["code"], why)
                self.assertEqual(bits(row["hedge_pct"]), bits(0.0), why)
                seen[got["code"]] += 1
                continue
            self.assert_agrees(got, expected, why)
            self.assertEqual(row["status"], "ok", why)
            for name in SAME:
                self.assertEqual(bits(row[name]), bits(got[name]), f"{name}: {why}")
            self.assertEqual((row["policy"], row["version"]), (got["policy"], got["version"]), why)
            flags = [f for f in row["flags"].split(",") if f]
            self.assertEqual(sorted(flags), sorted(got["flags"]), why)
            self.assertEqual(bits(row["liquidity_depth"]), bits(quote["depth1pct_usd"]), why)
            seen["ok"] += 1
        print(f"\n  {len(answers)} decisions, each the same in the answer, the oracle and the row: "
              f"{dict(seen)}", flush=True)
        self.assertGreater(seen["ok"], 300)
        self.audit(writer)

    def audit(self, writer):
        """What an auditor does with the database alone, and with the file behind it."""
        for command in ("verify", "replay"):
            for source in (("--db", self.postgres.dsn()), ("--url", self.d.url)):
                code, out, err = daemon.hedge(command, *source)
                self.assertEqual(code, 0, f"{command} {source}: {out} {err}")
        self.c.close()
        self.assertEqual(self.d.stop(), 0)
        for command in ("verify", "replay"):
            code, out, err = daemon.hedge(command, self.d.journal_path)
            self.assertEqual(code, 0, f"{command}: {out} {err}")
        _, rows = journal.rows(self.d.journal_path)
        there = stand.shipped(self.postgres, writer)
        self.assertEqual({r[0]: (r[4], r[5]) for r in rows}, there, "the same bytes in both")


if __name__ == "__main__":
    daemon.main()
