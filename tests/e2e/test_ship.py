# SPDX-License-Identifier: MIT
"""Shipping: every record of the journal is in Postgres, exactly once, to the bit.

`test_ship.py backlog N` ships a journal of N records and prints rate and memory.
"""
import decimal
import math
import os
import random
import sqlite3
import struct
import sys
import time

import daemon
import journal
import oracle
import shipping
from daemon import Daemon, wait_until
from shipping import Load, fill
from test_journal import RULES as MIXED, mixed_load

FLOATS = {"score": "decision", "hedge_pct": "decision", "confidence": "decision",
          "notional_usd": "decision", "effective_score": "decision",
          "liquidity_weight": "decision", "liquidity_quality": "decision"}
FLAGS = {0: "halted", 1: "unknown_asset", 2: "no_quote", 3: "bad_amount", 4: "max_amount",
         5: "bad_override", 6: "bad_quote", 7: "clock_skew", 8: "stale_score", 9: "stale_depth",
         10: "score_jump", 11: "min_depth", 12: "extreme_score", 13: "min_confidence",
         29: "override", 30: "floor", 31: "capped"}
AMOUNTS = (0.1 + 0.2, 1e22, 123456789.12345679, 5e-324, 2.2250738585072014e-308,
           1.7976931348623157e308, 1152921504606846976.0, 0.0001, 12345.0, 1e4, 99999999.0, 1e-7,
           4503599627370497.5, 0.0, -0.0, -1.5, -1e300)


def bits(x):
    return struct.pack(">d", x).hex()


def expected_row(writer, record, digest):
    """What a decision's columns must say, by its record."""
    asked, seen, made = record["request"], record["quote"], record["decision"]
    score, depth = seen["flags"] & journal.SCORE, seen["flags"] & journal.DEPTH
    out = {name: bits(made[name]) for name in FLOATS}
    out.update(
        id=journal.decision_id(writer, record["seq"]), asset=record["asset"],
        version=record["build"], note=record["note"], policy=record["policy_hash"],
        us=str(record["ts_ns"] // 1000), ts_ns=str(record["ts_ns"]),
        status="ok" if made["status"] == 0 else oracle.NAMES[made["status"]],
        flags=",".join(name for bit, name in FLAGS.items() if made["flags"] >> bit & 1),
        liquidity_depth=bits(seen["depth1pct_usd"]) if depth else "",
        override_score=bits(asked["override_score"]) if asked["flags"] & journal.OVERRIDE else "",
        quote_score=bits(seen["score"]) if score else "",
        quote_confidence=bits(seen["confidence"]) if score else "",
        previous_score=(bits(seen["previous_score"]) if seen["flags"] & journal.PREVIOUS else ""),
        halted="t" if seen["flags"] & journal.HALTED else "f",
        score_ts_ns=str(seen["score_ts_ns"]) if score else "",
        depth_ts_ns=str(seen["depth_ts_ns"]) if depth else "",
        score_age_ns=str(made["score_age_ns"]), depth_age_ns=str(made["depth_age_ns"]),
        writer=str(writer), seq=str(record["seq"]), hash=digest)
    return out


def columns():
    """Each of them as text that keeps every bit."""
    special = {"us": "(extract(epoch FROM ts) * 1000000)::bigint",
               "flags": "array_to_string(flags, ',')", "policy": "encode(policy, 'hex')",
               "hash": "encode(hash, 'hex')"}
    for name in list(FLOATS) + ["liquidity_depth", "override_score", "quote_score",
                                "quote_confidence", "previous_score"]:
        special[name] = f"encode(float8send({name}), 'hex')"
    return special


class Ship(shipping.Case):
    def assert_columns(self, db, d):
        """Each row of decisions says what its record does."""
        with d.client() as c:
            writer = int(c.get("/decisions", limit=1).json["writer"], 16)
            records = {r["seq"]: (journal.decode(bytes.fromhex(r["record"])), r["hash"])
                       for r in c.records() if r["kind"] == "decision"}
        special = columns()
        names = list(expected_row(writer, *next(iter(records.values()))))
        rows = db.query("SELECT amount_usd, " + ", ".join(special.get(n, n) for n in names)
                        + " FROM decisions ORDER BY seq")
        self.assertEqual(len(rows), len(records))
        for amount, *values in rows:
            found = dict(zip(names, values))
            record, digest = records[int(found["seq"])]
            self.assertEqual(found, expected_row(writer, record, digest))
            self.assertEqual(float(amount), record["request"]["amount_usd"])
            asked = record["request"]["amount_usd"]  # in its shortest digits, or in all of them
            self.assertIn(decimal.Decimal(amount), (decimal.Decimal(repr(asked)),
                                                    decimal.Decimal(asked)))

    # ---- what arrives
    def test_every_column_says_what_the_record_does(self):
        db = self.database()
        d = self.serve(db.dsn(), MIXED)
        with d.client() as c:
            load = mixed_load(c, 20)
            luck = random.Random(11)
            any_bits = (struct.unpack("<d", luck.randbytes(8))[0] for _ in range(300))
            for amount in AMOUNTS + tuple(x for x in any_bits if math.isfinite(x)):
                c.hedge("BTC", amount)
        self.wait_shipped(d)
        self.assert_whole(db, d)
        self.assert_columns(db, d)
        there = {row[0] for row in db.query("SELECT id FROM decisions")}
        self.assertLessEqual({answer["decision_id"] for _, _, answer in load}, there)
        self.assertEqual(db.value("SELECT count(*) FROM decisions WHERE received_at < ts"), "0")

    def test_every_kind_of_record_and_the_policies_that_they_name(self):
        db = self.database()
        shadow = os.path.join(daemon.new_folder(), "shadow.yaml")
        daemon.write_file(shadow, oracle.text(oracle.policy(calm=True, max_hedge_pct=0.5)))
        d = self.serve(db.dsn(), shadow_policy=shadow)
        with d.client() as c:
            c.hedge()
            daemon.write_file(d.policy_path, oracle.text(oracle.policy(max_hedge_pct=0.25)))
            self.assert_status(c.post("/curve/reload"), 200)
            daemon.write_file(d.policy_path, "nonsense: [")
            c.post("/curve/reload")
            c.hedge()
            expected = [(r["seq"], r["kind"], r["asset"], r["note"]) for r in c.records()
                        if r["kind"] not in ("decision", "shadow")]
        self.wait_shipped(d)
        self.assert_whole(db, d)
        self.assertEqual([(int(s), k, a, n) for s, k, a, n in db.query(
            "SELECT seq, kind, asset, note FROM events ORDER BY seq")], expected)
        self.assertEqual({k for _, k, _, _ in expected},
                         {"start", "policy", "policy_refused", "shadow_policy"})
        self.assertEqual((db.count("decisions"), db.count("shadow_decisions")), (2, 2))
        self.assertEqual(db.query("SELECT policy FROM decisions UNION SELECT policy FROM "
                                  "shadow_decisions EXCEPT SELECT hash FROM policies"), [])
        self.assertEqual(d.stop(), 0)
        self.assertEqual(db.value("SELECT kind FROM chain ORDER BY seq DESC LIMIT 1"), "stop")

    def test_a_stop_sends_what_is_left(self):
        db = self.database()
        d = self.serve(db.dsn())
        self.wait_shipped(d)
        with d.client() as c:
            fill(c, 8000)
            seq = c.get("/readyz").json["journal"]["seq"]
        self.assertEqual(d.stop(), 0)
        self.assertEqual(db.count(), seq + 1)  # the stop too
        self.assertEqual(db.value("SELECT max(seq) FROM chain"), str(seq + 1))

    def test_a_backlog_goes_out_in_order_and_in_little_memory(self):
        rate, more = backlog(self, self.database(), 100_000)
        print(f"  a backlog of 100000: {rate:.0f} rows/s, {more / daemon.MIB:.1f} MiB", flush=True)
        if more > 16 * daemon.MIB:
            self.assertTrue(self.sanitized(), more)  # such a build keeps what was freed

    def sanitized(self):
        """The daemon is a sanitizer's build, by the terabytes of address space that it takes."""
        d = self.serve("", quote=False)
        return d.memory()["VmPeak"] > 1 << 40

    def test_two_daemons_in_one_database(self):
        db = self.database()
        both = [self.serve(db.dsn()) for _ in range(2)]
        loads = [Load(d) for d in both]
        wait_until(lambda: min(len(load.ids) for load in loads) > 300, "both decide")
        ids = loads[0].end() | loads[1].end()
        for d in both:
            self.wait_shipped(d)
            self.assert_whole(db, d)
        self.assert_answered(db, ids)
        self.assertEqual(db.value("SELECT count(DISTINCT writer) FROM chain"), "2")

    # ---- what leaves the journal
    def test_what_has_arrived_leaves_the_journal(self):
        db = self.database()
        d = self.serve(db.dsn(), journal_keep_s=0)
        with d.client() as c:
            fill(c, 3000)
            seq = self.wait_shipped(d)
            wait_until(lambda: c.metric("hedge_journal_base_seq") == seq - 1, "one is left", 30)
            self.assertEqual(c.metric("hedge_ship_forgotten_total"), seq - 1)
        self.assertEqual(d.stop(), 0)
        d.settings["HEDGE_JOURNAL_KEEP_S"] = "3600"
        self.assert_from_base(db, d)
        d.start()
        self.quote(d)
        with d.client() as c:
            fill(c, 100)
        self.wait_shipped(d)
        self.assert_whole(db, d)
        d.stop()
        self.assert_from_base(db, d)

    def assert_from_base(self, db, d):
        """The file goes on from its base, whose hash the database has."""
        with sqlite3.connect(journal.copy(d.journal_path, os.path.join(d.folder, "copy.db"))) as f:
            seq, digest = f.execute("SELECT value FROM journal WHERE key = 'base'"
                                    ).fetchone()[0].split(":")
        f.close()
        self.assertEqual(db.query(f"SELECT encode(hash, 'hex') FROM chain WHERE seq = {seq}"),
                         [(digest,)])
        _, rows = journal.rows(os.path.join(d.folder, "copy.db"))
        self.assertGreater(len(rows), 0)
        journal.walk(rows, bytes.fromhex(digest), int(seq))

    def test_what_has_not_arrived_stays(self):
        db = self.database()
        d = self.serve(db.dsn(), journal_keep_s=0)
        self.wait_shipped(d)
        db.query("ALTER TABLE decisions RENAME TO away")
        with d.client() as c:
            fill(c, 500)
            self.wait_reason(d, "postgres_schema")
            time.sleep(1.2)  # longer than it waits between two looks
            records = [r["kind"] for r in c.records()]
            self.assertEqual(records.count("decision"), 500)
            db.query("ALTER TABLE away RENAME TO decisions")
            seq = self.wait_shipped(d)
            wait_until(lambda: c.metric("hedge_journal_base_seq") == seq - 1, "one is left", 30)
        self.assertEqual(db.count("decisions"), 500)


def backlog(case, db, n):
    """Ships a journal of n decisions: (rows a second, how many bytes the daemon grew)."""
    d = Daemon(shipping.RULES, durability="async")
    case.addCleanup(d.__exit__)
    case.quote(d)
    with d.client() as c:
        fill(c, n)
    d.stop()
    d.start()
    with d.client() as c:
        c.get("/metrics")
        alone = d.memory()["VmHWM"]
    d.stop()
    d.settings["HEDGE_DB_DSN"] = db.dsn()
    begin = time.monotonic()
    d.start()
    seq = case.wait_shipped(d, 600)
    took = time.monotonic() - begin
    case.assertEqual(db.query("SELECT count(*), count(DISTINCT seq), min(seq), max(seq) "
                              "FROM chain"), [(str(seq), str(seq), "1", str(seq))])
    return n / took, d.memory()["VmHWM"] - alone


if __name__ == "__main__":
    if sys.argv[1:2] == ["backlog"]:
        Ship.settings = {"durable": True, "shared_buffers": "128MB", "max_wal_size": "1GB"}
        count = int(sys.argv[2])
        Ship.test_backlog = lambda self: print(backlog(self, self.database(), count))
        sys.argv[1:] = ["Ship.test_backlog"]
    daemon.main()
