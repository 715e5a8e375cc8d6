# SPDX-License-Identifier: MIT
"""`hedge verify`, `replay`, `diff` and `explain` on the journal of a real daemon, whole and forged.

A forger here knows the format, changes records and computes every hash anew."""
import math
import os
import shutil
import sqlite3
import statistics
import struct
import xml.etree.ElementTree
from fractions import Fraction

import daemon
import journal
import oracle
from cli import BAD_DATA, Case, FINE, LINE, USAGE, hedge, strict_json
from daemon import Daemon
from test_journal import mixed_load

RULES = oracle.policy(
    calm=True, confidence={"blend": "harmonic", "freshness": "linear"},
    limits={"max_amount_usd": 1e6, "stale_depth_ms": 60000.0, "min_confidence": 0.05,
            "min_depth_usd": {"limit": 50000.0, "action": "floor", "floor": 0.3},
            "no_quote": {"action": "floor", "floor": 0.15}},
    assets={"BTC": {}, "XRP": {},
            "ETH": {"curve": {"method": "steffen"},
                    "limits": {"max_score_jump": {"limit": 0.3, "action": "flag"}}},
            "LTC": {"max_hedge_pct": 0.2,
                    "liquidity": {"weight": "log", "full_depth_usd": 1e7}}})
SHADOW = oracle.policy(calm=True, confidence={"blend": "product", "freshness": "none"},
                       limits={"max_amount_usd": 1e7},
                       assets={"ETH": {"max_hedge_pct": 0.4}, "BTC": {}})
OTHER = oracle.policy(
    calm=True, curve={"method": "linear", "knots": [[0.0, 0.0], [0.5, 0.6], [1.0, 1.0]]},
    max_hedge_pct=0.8, limits={"max_amount_usd": 3e6, "min_depth_usd": 300000.0},
    assets={"LTC": {}, "ETH": {"liquidity": {"half_depth_usd": 1e6}}, "BTC": {}})
OUTPUTS = [m.split() for m in journal.DECISION]


def encode(r):
    """A record's bytes out of what journal.decode gives."""
    def text(value):
        data = value.encode()
        return struct.pack("<H", len(data)) + data

    def members(names, values):
        return b"".join(struct.pack("<" + kind, values[name])
                        for kind, name in (m.split() for m in names))
    data = b"HDR1" + struct.pack("<IQQq", r["kind"], r["seq"], r["writer"], r["ts_ns"])
    data += bytes.fromhex(r["policy_hash"]) + text(r["build"]) + text(r["asset"]) + text(r["note"])
    if r["kind"] in (1, 8):
        data += members(journal.REQUEST, r["request"]) + members(journal.QUOTE, r["quote"])
        data += members(journal.DECISION, r["decision"])
    return data


def bits(value):
    return struct.pack("<d", value)


def fused(a, b, c):
    """a * b + c, rounded once."""
    return float(Fraction(a) * Fraction(b) + Fraction(c))


class AuditCase(Case):
    @classmethod
    def setUpClass(cls):
        """One journal with every kind of record, by a daemon that stopped in order."""
        cls.kept = daemon.new_folder()
        shadow = os.path.join(cls.kept, "shadow.yaml")
        daemon.write_file(shadow, oracle.text(SHADOW))
        with Daemon(RULES, folder=cls.kept, shadow_policy=shadow) as served:
            with served.client() as c:
                mixed_load(c, 24)
            code = served.stop()
        assert code == 0, code
        cls.path = served.journal_path
        cls.rows = journal.rows(cls.path)[1]
        cls.records, head = journal.walk(cls.rows)
        cls.head = f"{len(cls.records)}:{head.hex()}"
        cls.writer = f"{cls.records[0]['writer']:016x}"
        cls.rules = {r["policy_hash"]: rules for rules, kind in ((RULES, 4), (SHADOW, 9))
                     for r in cls.records if r["kind"] == kind}

    def decisions(self, *kinds):
        return [r for r in self.records if r["kind"] in (kinds or (1,))]

    def copied(self, change=None, rechain=True):
        """A copy of the journal; `change` alters the list of its decoded records."""
        path = os.path.join(self.folder, "forged.db")
        shutil.copyfile(self.path, path)
        if change is None:
            return path
        records = [journal.decode(row[4]) for row in self.rows]
        change(records)
        base = sqlite3.connect(path, isolation_level=None)
        base.execute("DROP TRIGGER records_no_update")
        base.execute("DROP TRIGGER records_no_delete")
        base.execute("BEGIN")
        base.execute("DELETE FROM records")
        previous = journal.FIRST
        for at, r in enumerate(records):
            data = encode(r)
            previous = journal.chain(previous, data) if rechain else self.rows[at][5]
            base.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)",
                         (r["seq"], r["kind"], r["ts_ns"], r["asset"], data, previous))
        base.execute("COMMIT")
        base.close()
        return path

    def sql(self, path, *statements):
        base = sqlite3.connect(path)
        for name in ("records_no_update", "records_no_delete", "policies_no_update",
                     "policies_no_delete"):
            base.execute(f"DROP TRIGGER IF EXISTS {name}")
        for statement in statements:
            base.execute(*statement if isinstance(statement, tuple) else (statement,))
        base.commit()
        base.close()
        return path

    def found(self, words, *arguments, fault, seq=None, code=BAD_DATA):
        self.assertEqual(self.refused(code, words, *arguments), "")
        got, out, err = hedge(*arguments, "--json")
        answer = strict_json(out)
        self.assertEqual((got, err), (code, ""))
        self.assertEqual((answer["ok"], answer["fault"], answer.get("seq")), (False, fault, seq))
        return answer


class Verify(AuditCase):
    def test_the_journal_is_whole(self):
        answer = strict_json(self.run_ok("verify", self.path, "--json"))
        self.assertEqual((answer["records"], answer["decisions"], answer["shadows"]),
                         (len(self.records), len(self.decisions()), len(self.decisions(8))))
        self.assertEqual({journal.KINDS[r["kind"]] for r in self.records},
                         {"start", "stop", "policy", "shadow_policy", "decision", "shadow"})

    def test_heads_kept_elsewhere(self):
        places = [f"{row[0]}:{row[5].hex()}" for row in self.rows[::40]]
        arguments = [word for place in places for word in ("--head", place)]
        self.assertEqual(strict_json(self.run_ok("verify", self.path, *arguments, "--json"))
                         ["kept_heads"], len(places))
        seq, digest = self.head.split(":")
        for digits in (13, 14, 32, 63, 64):
            self.run_ok("verify", self.path, "--head", f"{seq}:{digest[:digits]}")
            self.run_ok("verify", self.path, "--head", f"{self.writer}:{seq}:{digest[:digits]}")
            wrong = digest[:digits - 1] + ("0" if digest[digits - 1] != "0" else "1")
            self.found("rewritten", "verify", self.path, "--head", f"{seq}:{wrong}",
                       fault="rewritten", seq=int(seq))
        as_number = int(digest[:13], 16)  # as the metric has it
        self.assertEqual(int(float(as_number)), as_number)
        self.run_ok("verify", self.path, "--head", f"{seq}:{as_number:013x}")
        self.found("truncated", "verify", self.path, "--head", f"{int(seq) + 1}:{digest}",
                   fault="truncated", seq=int(seq) + 1)
        self.found("kept head's writer", "verify", self.path, "--head",
                   f"{'0' * 16}:{self.head}", fault="truncated")
        for bad in (f"{seq}:{digest[:12]}", f"{digest[:13]}", f":{digest}", f"x:{seq}:{digest}",
                    f"{seq}:{digest}0", f"{seq}:{'g' * 13}", f"{self.writer}::{digest}"):
            self.refused(USAGE, "SEQ:HASH", "verify", self.path, "--head", bad)

    def leave(self, n, base=None):
        """The journal after records 1 to n have left."""
        base = base or f"{n}:{self.rows[n - 1][5].hex()}"
        return self.sql(self.copied(), f"DELETE FROM records WHERE seq <= {n}",
                        ("INSERT OR REPLACE INTO journal VALUES ('base', ?)", (base,)))

    def test_records_that_have_left(self):
        shadow = self.decisions(8)[3]["seq"]
        for n in (1, 40, shadow - 1, len(self.rows) - 1):
            path = self.leave(n)
            self.assertIn(f"records 1 to {n} have left for Postgres", self.run_ok("verify", path))
            answer = strict_json(self.run_ok("verify", path, "--head", self.head, "--json"))
            self.assertEqual(answer["base"], {"seq": n, "hash": self.rows[n - 1][5].hex()})
            self.assertEqual(answer["records"], len(self.rows) - n)
            self.run_ok("verify", path, "--head", f"{n}:{self.rows[n - 1][5].hex()}")
            self.run_ok("replay", path)
            self.run_ok("explain", n + 1, path)
            self.refused(USAGE, "has left for Postgres", "explain", n, path)
            self.found("rewritten", "verify", path, "--head", f"{n}:{'1' * 64}", fault="rewritten",
                       seq=n)
            if n > 1:
                self.found("has left the file.*--db", "verify", path, "--head",
                           f"{n - 1}:{'1' * 64}", fault="left", code=USAGE)
        self.found("record 41: .*does not follow", "verify", self.leave(40, f"40:{'1' * 64}"),
                   fault="changed", seq=41)
        self.found("record 40: .*numbered 41|record 40: missing", "verify",
                   self.leave(40, f"39:{self.rows[38][5].hex()}"), fault="missing", seq=40)
        self.found("base is not SEQ:HASH", "verify", self.leave(40, "forty"),
                   fault="not_a_journal")
        self.found("record 3: its bytes|record 3: its columns", "verify", self.sql(
            self.copied(), "INSERT INTO parked VALUES (3, 1, 'no', x'00', x'00', x'00')"),
            fault="parked")

    def test_a_shadow_repeats_its_decision(self):
        at = next(i for i, r in enumerate(self.records) if r["kind"] == 8 and
                  r["decision"]["hedge_pct"] > 0 and r["quote"]["flags"] & journal.PREVIOUS)
        for member, part, name, value in (
                ("request", "request", "amount_usd", 9.0), ("request", "request", "flags", 1),
                ("quote", "quote", "score", 0.123), ("quote", "quote", "depth1pct_usd", 7.0),
                ("quote", "quote", "score_ts_ns", 5), ("quote", "quote", "previous_score", 0.9),
                ("time", "decision", "ts_ns", 5)):
            path = self.copied(lambda rs, p=part, n=name, v=value: rs[at][p].update({n: v}))
            self.found(f"a shadow whose {member} is not its decision's", "verify", path,
                       fault="shadow", seq=at + 1)
        path = self.copied(lambda rs: rs[at].update(asset="XRP"))
        self.found("whose asset", "verify", path, fault="shadow", seq=at + 1)
        path = self.copied(lambda rs: rs[at - 1].update(kind=8))
        self.found("no decision stands before it|whose", "verify", path, fault="shadow", seq=at)

    def test_nothing_of_a_forged_record_stays_hidden(self):
        """Without new hashes, any member of any record is found by verify alone."""
        at = self.decisions()[5]["seq"] - 1
        for part, names in (("request", journal.REQUEST), ("quote", journal.QUOTE),
                            ("decision", journal.DECISION)):
            for kind, name in (m.split() for m in names):
                def change(rs, p=part, n=name, k=kind):
                    rs[at][p][n] = rs[at][p][n] + 0.5 if k == "d" else rs[at][p][n] ^ 1
                self.found("does not follow", "verify", self.copied(change, rechain=False),
                           fault="changed", seq=at + 1)


class Replay(AuditCase):
    def test_every_decision_gives_the_same_bits(self):
        answer = strict_json(self.run_ok("replay", self.path, "--json"))
        shadows, decisions = self.decisions(8), self.decisions()
        self.assertEqual({k: answer[k] for k in ("ok", "records", "decisions", "shadows",
                                                 "differences", "policies")},
                         {"ok": True, "records": len(self.records), "decisions": len(decisions),
                          "shadows": len(shadows), "differences": 0, "policies": 2})
        self.assertEqual([b["decisions"] for b in answer["builds"]], [len(decisions)])
        self.assertEqual(answer["builds"][0]["version"], decisions[0]["build"])
        self.assertIn("every decision gives the same bits again", self.run_ok("replay", self.path))

    def test_a_second_implementation_agrees(self):
        tried = 0
        for r in self.decisions(1, 8):
            asked, quote, now = journal.oracle_inputs(r)
            expected = oracle.decide(self.rules[r["policy_hash"]], r["asset"], asked, quote, now)
            made = r["decision"]
            self.assertEqual(oracle.NAMES.get(made["status"]), expected["breaker"], r)
            if expected["breaker"] is None:
                for name in (*oracle.NUMBERS, "liquidity_quality"):
                    self.assertTrue(oracle.close(made[name], expected[name]), (name, r, expected))
                tried += 1
        self.assertGreater(tried, 200)

    def test_a_forged_output_is_found_though_every_hash_is_new(self):
        """The forger leaves a whole chain: verify is content, replay and a kept head are not."""
        at = next(i for i, r in enumerate(self.records) if r["kind"] == 1 and
                  r["decision"]["flags"] == 0 and r["decision"]["hedge_pct"] > 0 and i > 50)
        for kind, name in OUTPUTS:
            def change(rs, k=kind, n=name):
                made = rs[at]["decision"]
                if k == "d":  # the least that can be changed
                    made[n] = math.nextafter(made[n], 2.0) if made[n] else 5e-324
                else:
                    made[n] += 1
            path = self.copied(change)
            if name != "ts_ns":  # a shadow is held against its decision's time
                self.run_ok("verify", path)
                self.found("rewritten", "verify", path, "--head", self.head, fault="rewritten",
                           seq=len(self.records))
            got, out, err = hedge("replay", path, "--json")
            answer = strict_json(out)
            self.assertEqual((got, err, answer["ok"], answer["fault"]),
                             (BAD_DATA, "", False, "differs"))
            self.assertEqual(answer["first"]["seq"], at + 1)
            members = [m["member"] for m in answer["first"]["members"]]
            self.assertIn(name if name != "ts_ns" else "score_age_ns", members)
            if name != "ts_ns":
                self.assertEqual((members, answer["differences"]), ([name], 1))
            _, _, err = hedge("replay", path)
            self.assertRegex(err, f"record {at + 1}: its inputs and its policy give another answer")
            self.assertIn(f"{members[0]} ", err)

    def test_a_forged_input_is_found(self):
        at = next(i for i, r in enumerate(self.records) if r["kind"] == 1 and
                  r["decision"]["flags"] == 0 and r["decision"]["hedge_pct"] > 0)
        for part, name, value in (("request", "amount_usd", 31.0), ("quote", "score", 0.777),
                                  ("quote", "depth1pct_usd", 1.0), ("request", "asset", None),
                                  ("quote", "flags", 8), ("request", "flags", 1 << 20),
                                  ("quote", "score_ts_ns", 1)):
            if value is None:
                value = self.records[at]["request"]["asset"] ^ 1
            path = self.copied(lambda rs, p=part, n=name, v=value: rs[at][p].update({n: v}))
            answer = strict_json(hedge("replay", path, "--json")[1])
            self.assertEqual((answer.get("fault"), answer.get("first", {}).get("seq")),
                             ("differs", at + 1), name)
        path = self.copied(lambda rs: rs[at].update(asset="XRP"))
        answer = strict_json(hedge("replay", path, "--json")[1])
        self.assertEqual([m["member"] for m in answer["first"]["members"]], ["request.asset"])

    def test_a_forged_shadow_is_found(self):
        at = next(i for i, r in enumerate(self.records) if r["kind"] == 8 and
                  r["decision"]["hedge_pct"] > 0)
        path = self.copied(lambda rs: rs[at]["decision"].update(hedge_pct=0.01))
        self.run_ok("verify", path)
        answer = strict_json(hedge("replay", path, "--json")[1])
        self.assertEqual((answer["first"]["seq"], answer["first"]["kind"]), (at + 1, "shadow"))

    def test_a_decision_under_another_policy_is_found(self):
        other = self.decisions(8)[0]["policy_hash"]
        at = next(i for i, r in enumerate(self.records) if r["kind"] == 1 and r["asset"] == "LTC"
                  and r["decision"]["hedge_pct"] > 0)
        path = self.copied(lambda rs: rs[at].update(policy_hash=other))
        self.run_ok("verify", path)
        answer = strict_json(hedge("replay", path, "--json")[1])
        self.assertEqual(answer["first"]["seq"], at + 1)
        self.assertEqual(answer["differences"], 1)

    def test_a_whole_other_decision_is_found_by_a_kept_head_alone(self):
        """Inputs and outputs that belong together: nothing in the file tells."""
        a, b = [i for i, r in enumerate(self.records) if r["kind"] == 1 and r["asset"] == "BTC" and
                r["decision"]["flags"] == 0 and r["decision"]["hedge_pct"] > 0][3:5]

        def change(rs):
            for part in ("ts_ns", "request", "quote", "decision"):
                rs[a][part] = rs[b][part]
                rs[a + 1][part] = rs[b + 1][part]
        path = self.copied(change)
        self.run_ok("verify", path)
        self.run_ok("replay", path)
        self.found("rewritten", "verify", path, "--head", self.head, fault="rewritten",
                   seq=len(self.records))

    def test_policies_that_are_not_there_or_not_true(self):
        first = self.decisions()[0]["seq"]
        path = self.sql(self.copied(), "DELETE FROM policies")
        self.found("its policy .* is not in the journal", "replay", path, fault="policy", seq=first)
        path = self.sql(self.copied(), "UPDATE policies SET text = text || ' '")
        self.found("does not have that hash", "replay", path, fault="policy")
        path = self.sql(self.copied(), "UPDATE records SET record = x'00' WHERE seq = 9")
        self.found("its bytes are not a record", "replay", path, fault="changed", seq=9)

    def test_a_policy_that_is_worded_otherwise_is_used(self):
        text = oracle.text(RULES) + "# as an older build might have written it\n"
        digest = journal.hashlib.sha256(text.encode()).digest()
        live = self.decisions()[0]["policy_hash"]

        def change(records):
            for r in records:
                if r["policy_hash"] == live:
                    r["policy_hash"] = digest.hex()
        path = self.copied(change)
        went_live = next(r["ts_ns"] for r in self.records if r["kind"] == 4)
        self.sql(path, ("DELETE FROM policies WHERE hash = ?", (bytes.fromhex(live),)),
                 ("INSERT INTO policies VALUES (?, ?, ?)", (digest, went_live, text)))
        self.assertEqual(strict_json(self.run_ok("verify", path, "--json"))["policies_reworded"], 1)
        self.run_ok("replay", path)

    def test_builds_are_counted_apart(self):
        def change(records):
            for r in records[: len(records) // 2]:
                r["build"] = "0.0.9+older"
        answer = strict_json(self.run_ok("replay", self.copied(change), "--json"))
        self.assertEqual({b["version"] for b in answer["builds"]},
                         {"0.0.9+older", self.records[0]["build"]})
        self.assertEqual(sum(b["decisions"] for b in answer["builds"]), len(self.decisions()))


class Diff(AuditCase):
    def policy(self, rules, name="new.yaml"):
        return self.file(name, oracle.text(rules))

    def expected(self, rules, old=None, wanted=lambda r: True):
        """[(record, (old breaker, old numbers), (new breaker, new numbers))] by the oracle."""
        out = []
        for r in self.decisions():
            if not wanted(r):
                continue
            asked, quote, now = journal.oracle_inputs(r)
            made = r["decision"]
            before = {**made, "breaker": oracle.NAMES.get(made["status"])} if old is None \
                else oracle.decide(old, r["asset"], asked, quote, now)
            out.append((r, before, oracle.decide(rules, r["asset"], asked, quote, now)))
        return out

    def check(self, answer, expected):
        both = [e for e in expected if e[1]["breaker"] is None and e[2]["breaker"] is None]
        moved = [(r, a, b) for r, a, b in both if abs(a["hedge_pct"] - b["hedge_pct"]) > 1e-9]
        self.assertEqual(answer["decisions"], len(expected))
        for name, holds in (
                ("newly_rejected", lambda a, b: not a["breaker"] and b["breaker"]),
                ("newly_decided", lambda a, b: a["breaker"] and not b["breaker"]),
                ("rejected_otherwise", lambda a, b: a["breaker"] and b["breaker"] and
                 a["breaker"] != b["breaker"])):
            self.assertEqual(answer[name], sum(bool(holds(a, b)) for _, a, b in expected), name)
        self.assertEqual(answer["hedge_changed"], len(moved))
        by = {}
        for _, a, b in expected:
            if not a["breaker"] and b["breaker"]:
                by[b["breaker"]] = by.get(b["breaker"], 0) + 1
        self.assertEqual(answer["newly_rejected_by"], by)
        for name in ("hedge_pct", "notional_usd"):
            self.check_spread(answer[name], [b[name] - a[name] for _, a, b in moved])
        largest = sorted((abs(b["notional_usd"] - a["notional_usd"]) for _, a, b in moved),
                         reverse=True)[:10]
        self.assertEqual(len(answer["largest"]), len(largest))
        for shown, size in zip(answer["largest"], largest):
            change = shown["new"]["notional_usd"] - shown["old"]["notional_usd"]
            self.assertTrue(math.isclose(abs(change), size, rel_tol=1e-9), (shown, size))
            r = self.records[shown["seq"] - 1]
            self.assertEqual((shown["asset"], shown["amount_usd"]),
                             (r["asset"], r["request"]["amount_usd"]))
            self.assertEqual(shown["decision_id"], journal.decision_id(r["writer"], r["seq"]))
        assets = {a["asset"]: a for a in answer["assets"]}
        self.assertEqual(set(assets), {r["asset"] for r, _, _ in expected})
        for name, shown in assets.items():
            part = [(a, b) for r, a, b in both if r["asset"] == name]
            total = math.fsum(b["notional_usd"] - a["notional_usd"] for a, b in part)
            self.assertTrue(oracle.close(shown["sum_notional_usd"], total, 1e6), shown)
            self.assertEqual(shown["decisions"], sum(r["asset"] == name for r, _, _ in expected))
        return moved

    def check_spread(self, shown, changes):
        sizes = sorted(map(abs, changes))
        expected = dict.fromkeys(shown, 0.0)
        if sizes:
            def rank(share):
                return sizes[max(math.ceil(share * len(sizes)), 1) - 1]
            expected = {"mean": statistics.fmean(changes), "mean_abs": statistics.fmean(sizes),
                        "median_abs": rank(0.5), "p95_abs": rank(0.95), "p99_abs": rank(0.99),
                        "max_abs": sizes[-1], "sum": math.fsum(changes),
                        "sum_abs": math.fsum(sizes)}
        self.assertEqual(set(shown), set(expected))
        for name, value in expected.items():
            self.assertTrue(oracle.close(shown[name], value, 1e4), (name, shown[name], value))

    def test_against_what_was_recorded(self):
        new = self.policy(OTHER)
        answer = strict_json(self.run_ok("diff", new, self.path, "--json"))
        moved = self.check(answer, self.expected(OTHER))
        self.assertGreater(len(moved), 30)
        self.assertGreater(answer["newly_rejected"], 10)
        self.assertGreater(answer["newly_decided"], 5)
        self.assertIn("unknown_asset", answer["newly_rejected_by"])
        self.assertIn("min_depth", answer["newly_rejected_by"])

    def test_the_same_policy_changes_nothing(self):
        answer = strict_json(self.run_ok("diff", self.policy(RULES), self.path, "--json"))
        self.assertEqual((answer["changed"], answer["largest"]), (0, []))
        self.assertEqual(answer["decisions"], len(self.decisions()))

    def test_two_policies(self):
        new, old = self.policy(OTHER), self.policy(SHADOW, "old.yaml")
        answer = strict_json(self.run_ok("diff", old, new, self.path, "--json"))
        self.check(answer, self.expected(OTHER, SHADOW))
        self.assertEqual(answer["old"]["file"], old)
        back = strict_json(self.run_ok("diff", new, old, self.path, "--json"))
        self.assertEqual(back["newly_decided"], answer["newly_rejected"])
        self.assertTrue(oracle.close(back["hedge_pct"]["sum"], -answer["hedge_pct"]["sum"]))

    def test_some_of_the_decisions(self):
        new = self.policy(OTHER)
        answer = strict_json(self.run_ok("diff", new, self.path, "--asset", "ETH", "--json"))
        self.check(answer, self.expected(OTHER, wanted=lambda r: r["asset"] == "ETH"))
        middle = self.records[len(self.records) // 2]["ts_ns"]
        seconds, rest = divmod(middle, 10**9)
        text = f"{seconds // 86400 * 86400}"
        whole = strict_json(self.run_ok("diff", new, self.path, "--since", text, "--json"))
        self.assertEqual(whole["decisions"], len(self.decisions()))
        exact = daemon.time.strftime("%Y-%m-%dT%H:%M:%S", daemon.time.gmtime(seconds))
        answer = strict_json(self.run_ok("diff", new, self.path, "--since", f"{exact}.{rest:09d}Z",
                                         "--json"))
        self.check(answer, self.expected(OTHER, wanted=lambda r: r["ts_ns"] >= middle))
        none = strict_json(self.run_ok("diff", new, self.path, "--since", "2100-01-01", "--json"))
        self.assertEqual((none["decisions"], none["assets"]), (0, []))
        self.assertIn("0 decisions", self.run_ok("diff", new, self.path, "--since", "2100-01-01"))
        for bad in ("yesterday", "2026-02-30", "2026-13-01", "2026-07-14T08:00:00", "-5", "1e9",
                    "2026-07-14T08:00:00.Z"):
            self.refused(USAGE, "--since", "diff", new, self.path, f"--since={bad}")

    def test_the_tables_and_the_pictures(self):
        new = self.policy(OTHER)
        text = self.run_ok("diff", new, self.path)
        answer = strict_json(self.run_ok("diff", new, self.path, "--json"))
        for words in ("changed", "newly rejected", "mean", "max", "largest 10 by notional",
                      answer["largest"][0]["decision_id"], "recorded hedge", "┄"):
            self.assertIn(words, text)
        self.assertRegex(text, "[\u2801-\u28ff]")
        plain = self.run_ok("diff", new, self.path, LC_ALL="C")
        self.assertTrue(plain.isascii())
        svg = os.path.join(self.folder, "diff.svg")
        self.assertNotIn("┄", self.run_ok("diff", new, self.path, "--svg", svg))
        root = xml.etree.ElementTree.parse(svg).getroot()
        space = "{http://www.w3.org/2000/svg}"
        self.assertEqual(root.tag, space + "svg")
        words = " ".join(t.text or "" for t in root.iter(space + "text"))
        for label in ("hedge as recorded", "hedge by the new policy", "time, UTC",
                      "percentage points", "decisions a cell"):
            self.assertIn(label, words)
        cells = [r for r in root.iter(space + "rect") if r.get("class", "").startswith("s")]
        self.assertGreater(len(cells), 60)
        for r in cells:
            x, y = float(r.get("x")), float(r.get("y"))
            self.assertTrue(0 <= x <= 1120 and 0 <= y <= 584, (x, y))
        out = self.run_ok("diff", new, self.path, "--svg", "-", "--since", "2100-01-01")
        xml.etree.ElementTree.fromstring(out)

    def test_refused(self):
        new = self.policy(OTHER)
        self.refused(USAGE, "NEW.yaml and FILE are missing", "diff")
        self.refused(USAGE, "FILE is missing", "diff", new)
        self.refused(USAGE, "unexpected argument", "diff", new, new, self.path, "more")
        self.refused(USAGE, "none.yaml", "diff", "none.yaml", self.path)
        self.refused(BAD_DATA, "bad.yaml:1", "diff", self.file("bad.yaml", "curve: 7\n"), self.path)
        self.refused(USAGE, "No such file", "diff", new, "none.db")
        self.refused(USAGE, "cannot write", "diff", new, self.path, "--svg", "/none/x.svg")
        path = self.sql(self.copied(), "UPDATE records SET record = x'00' WHERE seq = 9")
        self.refused(BAD_DATA, "record 9: .*not a record", "diff", new, path)


class Explain(AuditCase):
    def test_every_decision(self):
        """Each step of each decision follows from the one before, in Python as well."""
        seen = set()
        for r in self.decisions(1, 8)[::2] + self.decisions(8)[:20]:
            x = strict_json(self.run_ok("explain", r["seq"], self.path, "--json"))
            self.assertTrue(x["recomputed"]["same"] and x["follows"], x)
            self.assertEqual(x["hash"], self.rows[r["seq"] - 1][5].hex())
            self.assertEqual(x["previous_hash"], self.rows[r["seq"] - 2][5].hex())
            self.assertEqual(x["id"], journal.decision_id(r["writer"], r["seq"]))
            for _, name in OUTPUTS:
                if name not in ("status", "flags", "asset", "ts_ns"):
                    self.assertEqual(x["decision"][name], r["decision"][name], name)
            seen |= self.check_breakers(x, r)
            if r["decision"]["status"] == 0:
                self.check_numbers(x, r)
        self.assertLessEqual({("fine", "min_depth"), ("tripped", "min_depth"),
                              ("tripped", "no_quote"), ("rejected", "unknown_asset"),
                              ("rejected", "bad_amount"), ("rejected", "max_amount"),
                              ("rejected", "bad_override"), ("tripped", "extreme_score"),
                              ("not_judged", "stale_score"), ("not_reached", "min_confidence"),
                              ("tripped", "score_jump")}, seen)

    def check_breakers(self, x, r):
        rules, made = self.rules[r["policy_hash"]], r["decision"]
        seen = set()
        for i, b in enumerate(x["breakers"]):
            self.assertEqual(b["breaker"], oracle.BREAKERS[i])
            tripped = bool(made["flags"] >> i & 1)
            self.assertEqual(b["state"] in ("tripped", "rejected"), tripped, (b, r))
            self.assertEqual(b["state"] == "rejected", made["status"] == -100 - i, (b, r))
            self.assertEqual(b["state"] == "not_reached",
                             made["status"] < 0 and -100 - i < made["status"], (b, r))
            if b["state"] in ("tripped", "rejected", "fine") and "margin" in b and \
                    b["breaker"] not in ("score_jump",):
                self.assertEqual(b["margin"] < 0, tripped, b)
            if "limit" in b and b["breaker"] != "extreme_score":
                of = oracle.of_asset(rules, r["asset"])["limits"][b["field"]]
                self.assertEqual(b["limit"], of["limit"] if isinstance(of, dict) else of, b)
            seen.add((b["state"], b["breaker"]))
        return seen

    def check_numbers(self, x, r):
        rules, made = oracle.of_asset(self.rules[r["policy_hash"]], r["asset"]), r["decision"]
        if made["liquidity_weight"]:
            self.assertEqual(x["weight"]["weight"], made["liquidity_weight"])
            self.assertTrue(oracle.close(x["weight"]["weight"],
                                         oracle.weight(rules["liquidity"],
                                                       r["quote"]["depth1pct_usd"])), x)
            self.assertEqual(x["confidence"]["quality"], made["liquidity_quality"])
            self.assertEqual(x["confidence"]["freshness"] * x["weight"]["weight"],
                             made["liquidity_quality"])
        self.assertEqual(x["effective_score"], made["effective_score"])
        floored = "floor" in x["decision"]["flags"]
        self.assertEqual("curve" in x, not floored)
        if floored:
            return
        self.assertEqual(x["confidence"]["blended"], made["confidence"])
        self.assertTrue(oracle.close(made["confidence"],
                                     oracle.blend(rules["confidence"]["blend"],
                                                  x["confidence"]["model"],
                                                  x["confidence"]["quality"])))
        c = x["curve"]
        self.assertEqual(Fraction(c["score"]), oracle.snap(made["effective_score"]))
        self.assertEqual(c["e"], c["score"] - c["knot"])
        four = fused(c["e"], fused(c["e"], fused(c["e"], c["d"], c["c"]), c["b"]), c["knot_hedge"])
        self.assertEqual(bits(four), bits(c["hedge"]))
        left, _, right, _ = c["knots"]
        self.assertTrue(oracle.snap(left) <= Fraction(c["score"]) <= oracle.snap(right), c)
        self.assertEqual(made["hedge_pct"], min(c["hedge"], x["max_hedge_pct"]))
        self.assertEqual(made["notional_usd"], r["request"]["amount_usd"] * made["hedge_pct"])

    def test_the_shadow_beside(self):
        r = next(r for r in self.decisions() if r["decision"]["status"] == 0)
        x = strict_json(self.run_ok("explain", r["seq"], self.path, "--json"))
        s = self.records[r["seq"]]
        self.assertEqual((x["shadow"]["policy"], x["shadow"]["same"]), (s["policy_hash"], True))
        self.assertEqual(x["shadow"]["decision"]["hedge_pct"], s["decision"]["hedge_pct"])

    def test_by_id_and_as_text(self):
        r = next(r for r in self.decisions() if r["decision"]["flags"] == 0 and
                 r["decision"]["hedge_pct"] > 0)
        name = journal.decision_id(r["writer"], r["seq"])
        by_seq = self.run_ok("explain", r["seq"], self.path)
        self.assertEqual(self.run_ok("explain", name, self.path), by_seq)
        self.assertEqual(self.run_ok("explain", name.upper(), self.path), by_seq)
        for words in (name, r["asset"], repr(r["decision"]["hedge_pct"]), "follows from",
                      "weight ", "effective ", "curve ", "slope", "confidence ", "notional_usd",
                      "shadow ", "gives the same bits", "margin"):
            self.assertIn(words, by_seq)
        self.assertNotIn("NOT", by_seq)
        self.assertIn("policy, id", self.run_ok("explain", next(
            r["seq"] for r in self.records if r["kind"] == 4), self.path))
        first = self.run_ok("explain", 1, self.path)
        self.assertIn("which follows from its bytes and " + "0" * 64, first)

    def test_forged_decisions_show(self):
        at = next(i for i, r in enumerate(self.records) if r["kind"] == 1 and
                  r["decision"]["flags"] == 0 and r["decision"]["hedge_pct"] > 0)
        for name, words in (("hedge_pct", "NOT the curve's"), ("confidence", "NOT the recorded"),
                            ("liquidity_weight", "NOT the recorded"),
                            ("notional_usd", "NOT the recorded")):
            path = self.copied(lambda rs, n=name: rs[at]["decision"].update({n: 0.987}))
            code, out, _ = hedge("explain", at + 1, path)
            self.assertEqual(code, BAD_DATA)
            self.assertIn(words, out)
            self.assertIn("gives ANOTHER answer", out)
            self.assertRegex(out, rf"{name}: recorded 0.987, recomputed ")
        path = self.copied(lambda rs: rs[at]["decision"].update(hedge_pct=0.5), rechain=False)
        self.assertIn("does NOT follow", hedge("explain", at + 1, path)[1])

    def test_refused(self):
        self.refused(USAGE, "ID is missing", "explain")
        self.refused(USAGE, "FILE is missing", "explain", "5")
        for bad in ("five", "-1", "0123", "01234567-89ab-4cde-8000-00000000bc53"):
            code, _, err = hedge("explain", bad, self.path)
            self.assertEqual(code, FINE if bad == "0123" and len(self.records) > 123 else USAGE, err)
        self.refused(USAGE, "no record 99999 ", "explain", "99999", self.path)
        self.refused(USAGE, "numbered from 1", "explain", "0", self.path)
        self.refused(USAGE, "no record of writer 0123456789abcde0|no record of writer", "explain",
                     journal.decision_id(0x123456789ABCDE, 5), self.path)
        path = self.sql(self.copied(), "DELETE FROM policies")
        self.refused(BAD_DATA, "its policy", "explain", self.decisions()[0]["seq"], path)
        path = self.sql(self.copied(), "UPDATE records SET record = x'00' WHERE seq = 9")
        self.refused(BAD_DATA, "record 9: its bytes", "explain", "9", path)


class Sources(AuditCase):
    def test_one_source_is_named(self):
        new = self.file("new.yaml", LINE + "assets: {BTC: {}}\n")
        for command in (("verify",), ("replay",), ("diff", new), ("explain", "5")):
            self.refused(USAGE, "FILE is missing", *command)
            self.refused(USAGE, "name one of them", *command, "--db", "x", "--url", "y")
            self.refused(USAGE, "No such file", *command, "none.db")
            self.refused(USAGE, "16 hex", *command, self.path, "--writer", "xyz")
            self.refused(USAGE, "no records of writer", *command, self.path, "--writer", "1" * 16)
            self.run_ok(*command, self.path, "--writer", self.writer)
            self.assertIn("Usage: hedge " + command[0], self.run_ok(command[0], "--help"))


if __name__ == "__main__":
    daemon.main()
