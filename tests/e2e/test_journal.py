# SPDX-License-Identifier: MIT
"""The journal: every answer is in it, in order, chained, and can be decided again."""
import os
import sqlite3
import stat
import threading

import daemon
import journal
import oracle
from daemon import Daemon

RULES = oracle.policy(calm=True, confidence={"blend": "geometric", "freshness": "linear"},
                      limits={"max_amount_usd": 1e6, "stale_depth_ms": 60000.0},
                      assets={"BTC": {}, "ETH": {"curve": {"method": "steffen"}},
                              "LTC": {"max_hedge_pct": 0.2}, "XRP": {}})
SAME = ("hedge_pct", "notional_usd", "confidence", "score", "effective_score", "liquidity_weight")


def mixed_load(c, rounds):
    """Answers and refusals of every kind: [(asset, request, answer's object), …]."""
    out = []

    def keep(asset, amount, **more):
        answer = c.hedge(asset, amount, **more)
        out.append((asset, {"amount_usd": amount, **more}, answer.json))
    for i in range(rounds):
        for k, asset in enumerate(("BTC", "ETH", "LTC")):
            c.put(f"/quotes/{asset}", {"score": (i * 37 + k * 11) % 101 / 100,
                                       "confidence": 1 - i % 10 / 20,
                                       "depth1pct_usd": 20000.0 + 54321.1 * ((i + k) % 40)})
            keep(asset, 1000.0 + i)
        keep("BTC", 5.0, override_score=i % 11 / 10)
        keep("XRP", 1.0)
        keep("DOGE", 1.0)
        keep("BTC", -1.0)
        keep("BTC", 2e6)
        keep("BTC", 1.0, override_score=2.0)
        one = {"asset": "ETH", "amount_usd": 77.0}
        got = c.post("/hedge/batch", {"requests": [one, {"asset": "XRP", "amount_usd": 1}]}).json
        out += [("ETH", {"amount_usd": 77.0}, got["decisions"][0]),
                ("XRP", {"amount_usd": 1}, got["decisions"][1])]
    return out


def walk_http(case, c):
    """Every record by GET /decisions, its chain recomputed: [(object, decoded record), …]."""
    page = c.get("/decisions", limit=1).json
    writer, previous, out = int(page["writer"], 16), journal.FIRST, []
    for seq, item in enumerate(c.records(), 1):
        data = bytes.fromhex(item["record"])
        record = journal.decode(data)
        previous = journal.chain(previous, data)
        case.assertEqual((item["seq"], record["seq"]), (seq, seq), item)
        case.assertEqual(item["hash"], previous.hex(), f"the chain at {seq}")
        case.assertEqual(record["writer"], writer, item)
        case.assertEqual(item["kind"], journal.KINDS[record["kind"]], item)
        for name, value in (("policy", record["policy_hash"]), ("version", record["build"]),
                            ("asset", record["asset"]), ("note", record["note"])):
            case.assertEqual(item.get(name, ""), value, f"{name} of {item}")
        case.assertEqual(int(item["ts_ms"]), record["ts_ns"] // 1_000_000, item)
        if record["kind"] == 1:
            case.assertEqual(item["decision_id"], journal.decision_id(writer, seq), item)
        out.append((item, record))
    head = c.get("/readyz").json["journal"]
    case.assertEqual((head["seq"], head["hash"]), (len(out), previous.hex()))
    return out


class Journal(daemon.Case):
    def serve(self, **settings):
        d = Daemon(RULES, **settings)
        self.addCleanup(d.__exit__)
        return d

    def check_load(self, c, load):
        """Each answer is in the journal with equal numbers and follows from its record."""
        walked = walk_http(self, c)
        by_id = {item["decision_id"]: (item, r) for item, r in walked if r["kind"] == 1}
        self.assertEqual(len(by_id), len(load))
        for asset, request, answer in load:
            item, record = by_id[answer["decision_id"]]
            made = record["decision"]
            self.assertEqual(record["asset"], asset, item)
            asked, quote, now = journal.oracle_inputs(record)
            self.assertEqual(asked, request, item)
            expected = oracle.decide(RULES, asset, asked, quote, now)
            if "hedge_pct" in answer:
                self.assertEqual(made["status"], 0, item)
                for name in SAME:
                    self.assertEqual(made[name], answer[name], f"{name} of {item}")
                self.assertEqual(item["policy"], answer["policy"])
                self.assertEqual(item["version"], answer["version"])
                self.assertEqual(int(item["ts_ms"]), answer["ts_ms"])
                self.assertFalse(oracle.differences({**made, "flags": answer["flags"]}, expected),
                                 item)
                self.assertTrue(oracle.close(made["liquidity_quality"],
                                             expected["liquidity_quality"]), item)
            else:
                self.assertEqual(oracle.NAMES[made["status"]], answer["breaker"], item)
                self.assertEqual(expected["breaker"], answer["breaker"], item)
                self.assertEqual([made[name] for name in SAME], [0.0] * len(SAME), item)
            for name in SAME:
                self.assertEqual(item["decision"][name], made[name], item)
            self.assertEqual(item["request"]["amount_usd"], asked["amount_usd"], item)

    def test_every_answer_is_a_record_that_decides_again(self):
        d = self.serve()
        with d.client() as c:
            self.check_load(c, mixed_load(c, 40))
        self.assertEqual(d.stop(), 0)

    def test_the_file_says_what_http_said(self):
        d = self.serve()
        with d.client() as c:
            mixed_load(c, 5)
            said = walk_http(self, c)
        self.assertEqual(d.stop(), 0)
        writer, rows = journal.rows(d.journal_path)
        records, _ = journal.walk(rows)
        self.assertEqual([r["kind"] for r in records][:2], [2, 4], "start, then the policy")
        self.assertEqual(records[-1]["kind"], 3, "the last record is the stop")
        self.assertEqual(records[:len(said)], [r for _, r in said])
        self.assertEqual({r["writer"] for r in records}, {writer})
        self.assertLess(writer, 1 << 60)
        base = sqlite3.connect(d.journal_path)
        self.addCleanup(base.close)
        self.assertEqual(base.execute("PRAGMA journal_mode").fetchone()[0], "wal")
        self.assertEqual(base.execute("PRAGMA integrity_check").fetchone()[0], "ok")
        self.assertEqual(dict(base.execute("SELECT key, value FROM journal"))["format"], "3")
        texts = base.execute("SELECT hash, text FROM policies").fetchall()
        self.assertEqual({h.hex() for h, _ in texts}, {r["policy_hash"] for r in records} - {"0" * 64})
        for digest, content in texts:
            self.assertEqual(journal.hashlib.sha256(content.encode()).digest(), digest)
        for change in ("UPDATE records SET ts_ns = 0", "DELETE FROM records",
                       "DELETE FROM policies", "UPDATE policies SET text = ''"):
            with self.assertRaises(sqlite3.DatabaseError, msg=change):
                base.execute(change)
        self.assertFalse(os.stat(d.journal_path).st_mode & (stat.S_IWGRP | stat.S_IWOTH))

    def test_a_stop_in_order_loses_nothing(self):
        for durability in ("commit", "async"):
            d = self.serve(durability=durability)
            acknowledged, stop = [], threading.Event()

            def ask():
                try:
                    with d.client() as c:
                        while not stop.is_set():
                            answer = c.hedge("BTC", 10.0)
                            if answer.status == 200:
                                acknowledged.append(answer.json)
                            elif answer.json["code"] == "stopping":
                                return
                            else:
                                raise AssertionError(repr(answer))
                except (OSError, EOFError, daemon.http.client.HTTPException):
                    pass  # the daemon hung up: it is stopping
            with d.client() as c:
                c.put("/quotes/BTC", {"score": 0.5, "depth1pct_usd": 5e5})
            threads = [threading.Thread(target=ask) for _ in range(8)]
            for t in threads:
                t.start()
            daemon.wait_until(lambda: len(acknowledged) > 500, f"{durability}: 500 answers", 20)
            code = d.stop()
            stop.set()
            for t in threads:
                t.join(20)
            self.assertEqual(code, 0, durability)
            writer, rows = journal.rows(d.journal_path)
            records, _ = journal.walk(rows)
            self.assertEqual(records[-1]["kind"], 3, f"{durability}: the stop is recorded")
            made = {journal.decision_id(writer, r["seq"]): r["decision"] for r in records
                    if r["kind"] == 1}
            lost = [a for a in acknowledged if a["decision_id"] not in made]
            self.assertEqual(lost, [], f"{durability}: lost {len(lost)} of {len(acknowledged)}")
            for a in acknowledged:
                self.assertEqual(made[a["decision_id"]]["hedge_pct"], a["hedge_pct"])
            code, out, err = daemon.hedge("verify", d.journal_path)
            self.assertEqual(code, 0, f"{durability}: {out} {err}")

    def test_a_restart_continues_the_chain(self):
        d = self.serve()
        load = []
        for turn in range(4):
            with d.client() as c:
                load += mixed_load(c, 3)
                self.check_load(c, load)
            if turn % 2:
                d.kill()
            else:
                self.assertEqual(d.stop(), 0)
            d.start()
        with d.client() as c:
            kinds = [r["kind"] for _, r in walk_http(self, c)]
        self.assertEqual((kinds.count(2), kinds.count(3)), (5, 2))

    def test_verify_passes_and_finds_damage(self):
        d = self.serve()
        with d.client() as c:
            mixed_load(c, 3)
        self.assertEqual(d.stop(), 0)
        self.assertEqual(daemon.hedge("verify", d.journal_path)[0], 0)
        changes = {
            "a changed record": "UPDATE records SET record = record || x'00' WHERE seq = 9",
            "a changed hash": "UPDATE records SET hash = zeroblob(32) WHERE seq = 9",
            "a changed column": "UPDATE records SET asset = 'ZZZ' WHERE seq = 9",
            "a missing record": "DELETE FROM records WHERE seq = 9",
            "a changed policy": "UPDATE policies SET text = text || ' '",
        }
        for why, change in changes.items():
            path = journal.copy(d.journal_path, os.path.join(daemon.new_folder(), "journal.db"))
            base = sqlite3.connect(path)
            for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type='trigger'"
                                        ).fetchall():
                base.execute(f"DROP TRIGGER {name}")
            base.execute(change)
            base.commit()
            base.close()
            code, out, err = daemon.hedge("verify", path)
            self.assertNotEqual(code, 0, f"{why} is not found: {out} {err}")
            if why != "a changed policy":
                self.assertRegex(out + err, r"\b(9|8|10)\b", f"{why}: the place is named")

    def test_a_second_daemon_on_the_same_journal_refuses(self):
        d = self.serve()
        code, _, err = daemon.run(HEDGE_ENV="dev", HEDGE_API_PORT="0",
                                  HEDGE_POLICY=d.policy_path, HEDGE_JOURNAL=d.journal_path)
        self.assertNotEqual(code, 0)
        self.assertIn("journal.db", err)
        self.assertRegex(err.lower(), r"use|lock|another|held", err)
        with d.client() as c:
            c.put("/quotes/BTC", {"score": 0.5, "depth1pct_usd": 5e5})
            self.assert_status(c.hedge(), 200, "the first one serves on")
        code, out, err = daemon.hedge("verify", d.journal_path)
        self.assertNotEqual(code, 0, "verify does not open a journal in use")
        self.assertRegex((out + err).lower(), r"use|lock|running", out + err)

    def test_a_file_that_is_no_journal_stops_the_start(self):
        policy = os.path.join(daemon.new_folder(), "policy.yaml")
        daemon.write_file(policy, oracle.text(RULES))
        folder = daemon.new_folder()
        paths = {}
        for why in ("a directory", "no database", "another database", "a missing folder",
                    "a later format"):
            paths[why] = os.path.join(folder, why.replace(" ", "-") + ".db")
        os.mkdir(paths["a directory"])
        with open(paths["no database"], "wb") as f:
            f.write(b"This is a text, and long enough to be looked at as a database.\n" * 100)
        paths["a missing folder"] = os.path.join(folder, "nowhere", "journal.db")
        for why, script in (("another database", "CREATE TABLE mine (x); INSERT INTO mine VALUES (1)"),
                            ("a later format", "CREATE TABLE journal (key TEXT PRIMARY KEY, value "
                             "TEXT NOT NULL); INSERT INTO journal VALUES ('format', '99'), "
                             "('writer', '0123456789abcdef')")):
            base = sqlite3.connect(paths[why])
            base.executescript(script)
            base.commit()
            base.close()
        def content(path):
            if not os.path.isfile(path):
                return None
            with open(path, "rb") as f:
                return f.read()
        for why, path in paths.items():
            before = content(path)
            code, _, err = daemon.run(HEDGE_ENV="dev", HEDGE_API_PORT="0", HEDGE_POLICY=policy,
                                      HEDGE_JOURNAL=path)
            self.assertGreater(code, 0, f"{why}: {err}")
            self.assertIn(os.path.basename(path), err, why)
            with self.subTest(why):
                self.assertTrue(before == content(path), "a file that is not ours was changed")

    def test_a_journal_whose_end_is_damaged_stops_the_start(self):
        d = self.serve()
        with d.client() as c:
            mixed_load(c, 1)
        self.assertEqual(d.stop(), 0)
        for why, change in (
                ("a changed record", "UPDATE records SET record = record || x'00' WHERE seq = "
                                     "(SELECT max(seq) FROM records)"),
                ("a changed hash", "UPDATE records SET hash = zeroblob(32) WHERE seq = "
                                   "(SELECT max(seq) FROM records)"),
                ("a gap", "DELETE FROM records WHERE seq = (SELECT max(seq) - 1 FROM records)"),
                ("another writer", "UPDATE journal SET value = '0000000000000001' "
                                   "WHERE key = 'writer'"),
                ("a writer in another spelling", "UPDATE journal SET value = ' ' || "
                                                 "substr(value, 2) WHERE key = 'writer'"),
                ("a base in another spelling", "INSERT INTO journal SELECT 'base', '01:' || "
                                               "lower(hex(hash)) FROM records WHERE seq = 1")):
            path = journal.copy(d.journal_path, os.path.join(daemon.new_folder(), "journal.db"))
            base = sqlite3.connect(path)
            base.execute("DROP TRIGGER records_no_update")
            base.execute("DROP TRIGGER records_no_delete")
            base.execute(change)
            base.commit()
            base.close()
            code, _, err = daemon.run(HEDGE_ENV="dev", HEDGE_API_PORT="0",
                                      HEDGE_POLICY=d.policy_path, HEDGE_JOURNAL=path)
            self.assertGreater(code, 0, f"{why}: {err}")
            self.assertIn("journal.db", err, why)
            self.assertIn("hedge verify", err, f"{why}: what to do is said")

    def test_a_read_only_journal_stops_the_start(self):
        # Still root, so that it can reach the programs, but held to the files' modes.
        wrapper = ["setpriv", "--bounding-set=-dac_override"]
        if os.geteuid() == 0 and not daemon.shutil.which("setpriv"):
            self.skipTest("root may write everywhere, and there is no setpriv to change that")
        d = self.serve()
        self.assertEqual(d.stop(), 0)
        os.chmod(d.folder, 0o555)
        os.chmod(d.policy_path, 0o444)
        os.chmod(d.journal_path, 0o444)
        self.addCleanup(os.chmod, d.folder, 0o755)
        other = Daemon(folder=d.folder, start=False, wrapper=wrapper if os.geteuid() == 0 else ())
        with self.assertRaises(AssertionError) as caught:
            other.start()
            other.kill()
        self.assertIn("journal.db", str(caught.exception))

    def test_paging_through_the_decisions(self):
        d = self.serve()
        with d.client() as c:
            load = mixed_load(c, 30)
            everything = c.records()
            self.assertEqual(len(everything), len(load) + 2)
            self.assertEqual(len(c.get("/decisions").json["records"]), 100)
            for limit in (1, 7, 100, 1000):
                after, out = 0, []
                while True:
                    page = c.get("/decisions", after=after, limit=limit).json
                    self.assertEqual(page["head"]["seq"], len(everything))
                    self.assertLessEqual(len(page["records"]), limit)
                    out += page["records"]
                    if not page["records"]:
                        break
                    self.assertEqual(page["next_after"], page["records"][-1]["seq"])
                    after = page["next_after"]
                    if limit == 1 and after > 20:
                        break
                self.assertEqual(out, everything[:len(out)])
                self.assertTrue(limit == 1 or len(out) == len(everything))
            only = c.records(asset="ETH")
            self.assertEqual(only, [r for r in everything if r["asset"] == "ETH"])
            empty = c.get("/decisions", after=len(everything)).json
            self.assertEqual(empty["records"], [])
            for query in ("after=-1", "after=x", "after=", "limit=0", "limit=1001", "limit=x",
                          "after=1&after=2", "zzz=1", "after=99999999999999999999", "limit=1.5"):
                self.assert_problem(c.get("/decisions?" + query), 400, "bad_query", why=query)


if __name__ == "__main__":
    daemon.main()
