# SPDX-License-Identifier: MIT
"""The kill switch: what it stops, who may say what, and what it survives.

HEDGE_HALT_ROUNDS sets how often a halt is hit by load (60), HEDGE_HALT_KILLS how often the
daemon is killed (30), HEDGE_HALT_SEED repeats a run. docs/halt.md has the promises.
"""
import http.client
import json
import os
import random
import statistics
import threading
import time

import daemon
import journal
import oracle
import postgres_server
import stand
from daemon import Client
from halts import ALL, HALT, RESUME, Case, halted, order, quote_all

ROUNDS = int(os.environ.get("HEDGE_HALT_ROUNDS", "60"))
KILLS = int(os.environ.get("HEDGE_HALT_KILLS", "30"))
SEED = int(os.environ.get("HEDGE_HALT_SEED", "0")) or random.SystemRandom().randrange(1, 10 ** 9)
CLIENTS = 64


class Orders(Case):
    def test_what_is_no_order_halts_and_records_nothing(self):
        d, c = self.serve()
        quote_all(c)
        head = c.get("/readyz").json["journal"]["seq"]
        wrong = [({}, "reason")]
        wrong += [({"reason": r}, "reason") for r in (
            None, 1, True, [], {}, "", " ", "   ", "a\nb", "a\rb", "\t", "\x1b[2J", "a\x7f",
            "a\u0085b", "a\u009b31m", "a\u2028b", "a\u2029b", "\u202egnp", "\u2066x", "\u200fx",
            "x" * 201, "é" * 101, "x" * 5000)]
        wrong += [({"reason": "r", "asset": a}, "asset") for a in (
            None, 1, False, [], ["BTC"], {}, "", "x" * 32, "B" * 5000)]
        wrong += [({"reason": "r", "actor": a}, "actor") for a in (
            None, 1, [], "", " ", "a b", "é", "a\n", "a\x7f", "x" * 128)]
        wrong += [({"reason": "x" * 128, "actor": "a" * 127}, "reason")]
        for path in ("/halt", "/resume"):
            for body, member in wrong:
                self.assert_problem(c.post(path, body), 422, "bad_value", f"{path} {body}",
                                    member=member)
            for asset in ("DOGE", "btc", "BTC ", " BTC", "*", "all", "BTC\n", "BTC,ETH"):
                answer = c.post(path, order("r", asset))
                self.assert_problem(answer, 422, "unknown_asset", f"{path} {asset}", member="asset")
                self.assertIn(asset, answer.json["detail"])
            for body in (b"", b"{", b"[]", b'"halt"', b"null", b'{"reason":"r"}x',
                         b'{"reason":"a\x00"}', b'{"reason":"\xff"}', b'{"reason":"\\u0000"}'):
                self.assert_problem(c.post(path, body), 400, "bad_json", f"{path} {body}")
            for body in (b'{"reason":"r","asset":"BTC","asset":"ETH"}',
                         b'{"reason":"r","reason":"s"}', b'{"reason":"r","Asset":"BTC"}',
                         b'{"reason":"r","assets":["BTC"]}'):
                self.assert_problem(c.post(path, body), 400, "bad_member", f"{path} {body}")
            answer = c.ask("POST", path, order("r"), headers={"Idempotency-Key": "k"})
            self.assert_problem(answer, 400, "bad_header", path)
            c.close()  # such an answer closes
        for method, path, allow in (("GET", "/resume", "POST"), ("PUT", "/halt", "GET, POST"),
                                    ("DELETE", "/halt", "GET, POST")):
            answer = c.ask(method, path, {} if method == "PUT" else None)
            self.assert_problem(answer, 405, "method_not_allowed", f"{method} {path}")
            self.assertEqual(answer.headers["Allow"], allow)
        for path in ("/halt/BTC", "/halt/", "/Halt", "/halts"):
            self.assert_status(c.post(path, order("r")), 404, path)
        for method, path in (("GET", "/halt"), ("POST", "/halt"), ("POST", "/resume")):
            body = order("r") if method == "POST" else None
            for query, name in (("asset=BTC", "asset"), ("asset", "asset"), ("reason=r", "reason")):
                answer = c.ask(method, f"{path}?{query}", body)
                self.assert_problem(answer, 400, "bad_query", f"{method} {path}?{query}",
                                    member=name)
                self.assertEqual(answer.headers["Connection"], "close")
                c.close()
        self.assertEqual(c.get("/halt").json, {"halted": []})
        self.assertEqual(c.get("/readyz").json["journal"]["seq"], head)
        self.assert_status(c.hedge(), 200)
        self.assertEqual(c.metric("hedge_halts_total"), 0)
        self.assertEqual(d.stop(), 0)

    def test_the_longest_order_is_kept_whole(self):
        d, c = self.serve()
        for reason, actor in (("x" * 200, "a" * 54), ("é" * 100, "someone"),
                              ("r" * 127, "a" * 127), ("é" * 63, "a" * 127), (" a  b ", "-"),
                              ("\"\\<>&'/ \u00a0 日本", "!~")):
            self.halt(c, reason, "BTC", actor=actor)
            self.resume(c, reason, "BTC", actor=actor)
            a, b = c.records()[-2:]
            self.assertEqual([r["note"] for r in (a, b)], [f"{actor} {reason}"] * 2)
            self.assertEqual(a["note"].partition(" ")[::2], (actor, reason))
        self.halt(c, "no name")
        self.assertEqual(c.records()[-1]["note"], "- no name")
        self.assertEqual(d.stop(), 0)
        self.check_journal(d.journal_path)


class Latches(Case):
    def test_everything_and_one_by_one_are_apart(self):
        d, c = self.serve()
        quote_all(c)
        first = self.halt(c, "feed", "BTC", actor="anna")
        self.assertEqual((first["changed"], len(first["halted"])), (True, 1))
        one = first["halted"][0]
        self.assertEqual({k: one[k] for k in ("asset", "actor", "reason", "latched", "record")},
                         {"asset": "BTC", "actor": "anna", "reason": "feed", "latched": True,
                          "record": first["record"]})
        self.assertLess(abs(one["since_ms"] - daemon.now_ms()), 60000)
        self.assert_halted(c.hedge("BTC"))
        self.assert_halted(c.hedge("BTC", override_score=0.5), "no override gets past it")
        self.assert_halted(c.hedge("BTC", -1.0), "nor is anything else looked at")
        self.assert_status(c.hedge("ETH"), 200)
        again = self.halt(c, "feed still", "BTC", actor="ben")
        self.assertFalse(again["changed"])
        self.assertNotEqual(again["record"], first["record"])
        self.assertEqual(again["halted"], [{**one, "actor": "ben", "reason": "feed still",
                                            "record": again["record"]}], "since the first")
        everything = self.halt(c, "all", actor="zoe")
        self.assertEqual([h.get("asset") for h in everything["halted"]], [None, "BTC"])
        for asset in oracle.ASSETS:
            self.assert_halted(c.hedge(asset), asset)
        for asset in ("BTC", "ETH"):
            answer = c.post("/resume", order("r", asset))
            self.assert_problem(answer, 409, "halted_all", asset, member="asset")
        head = c.get("/readyz").json["journal"]["seq"]
        over = self.resume(c, "all good")
        self.assertEqual((over["changed"], [h["asset"] for h in over["halted"]]), (True, ["BTC"]))
        self.assert_status(c.hedge("ETH"), 200)
        self.assert_halted(c.hedge("BTC"))
        nothing = self.resume(c, "all good")
        self.assertEqual((nothing["changed"], "record" in nothing), (False, False))
        self.assertFalse(self.resume(c, "r", "ETH")["changed"])
        self.assertEqual(c.get("/readyz").json["journal"]["seq"], head + 3, "no record of nothing")
        self.assertEqual(self.resume(c, "r", "BTC")["halted"], [])
        self.assert_status(c.hedge("BTC"), 200)
        self.assertEqual(d.stop(), 0)
        notes = [(r["kind"], r["asset"], r["note"]) for r in self.check_journal(d.journal_path)
                 if r["kind"] in (HALT, RESUME)]
        self.assertEqual(notes, [(HALT, "BTC", "anna feed"), (HALT, "BTC", "ben feed still"),
                                 (HALT, "", "zoe all"), (RESUME, "", "- all good"),
                                 (RESUME, "BTC", "- r")])

    def test_what_is_shown_while_halted(self):
        d, c = self.serve()
        quote_all(c)
        self.halt(c, "one", "BTC")
        ready = c.get("/readyz")
        self.assertEqual((ready.status, ready.json["status"]), (200, "degraded"))
        self.assertEqual([(r["code"], r.get("asset")) for r in ready.json["reasons"]],
                         [("halted", "BTC")])
        self.assertEqual([c.metric("hedge_halted", asset=a) for a in oracle.ASSETS],
                         [float(a == "BTC") for a in oracle.ASSETS])
        self.assertEqual(c.metric("hedge_halted_all"), 0)
        self.halt(c, "a secret reason", actor="anna")
        ready = c.get("/readyz")
        self.assertEqual((ready.status, ready.json["status"]), (503, "unready"))
        self.assertEqual([(r["code"], r.get("asset")) for r in ready.json["reasons"]],
                         [("halted", None)])
        self.assertIsNone(ready.headers["Retry-After"], "it does not end by itself")
        for word in ("secret", "anna"):
            self.assertNotIn(word, ready.body.decode(), "anybody may read /readyz")
        self.assertEqual([c.metric("hedge_halted", asset=a) for a in oracle.ASSETS], [1.0] * 4)
        self.assertEqual([c.metric("hedge_" + m) for m in (
            "halted_all", "halts_total", "resumes_total", "halts_unlatched")], [1, 2, 0, 0])
        for path in ("/quotes", "/curve", "/decisions", "/healthz", "/metrics", "/halt"):
            self.assert_status(c.get(path), 200, path)
        self.assertTrue(all(q["halted"] for q in c.get("/quotes").json["quotes"]))
        quote_all(c)  # feeds go on
        self.assert_status(c.post("/curve/reload"), 200)
        self.resume(c)
        self.resume(c, asset="BTC")
        self.assert_status(c.get("/readyz"), 200)
        self.assertEqual([c.metric("hedge_halted", asset=a) for a in oracle.ASSETS], [0.0] * 4)
        self.assertEqual(d.stop(), 0)

    def test_a_batch_a_shadow_and_an_answer_given_again(self):
        d, c = self.serve(shadow_policy=None)
        shadow = os.path.join(d.folder, "shadow.yaml")
        daemon.write_file(shadow, oracle.text(oracle.policy(calm=True, max_hedge_pct=0.5)))
        self.assertEqual(d.stop(), 0)
        d.settings["HEDGE_SHADOW_POLICY"] = shadow
        d.start()
        c = d.client()
        self.addCleanup(c.close)
        quote_all(c)
        asked = {"asset": "BTC", "amount_usd": 5.0}
        key = {"Idempotency-Key": "before"}
        before = c.post("/hedge", asked, headers=key)
        self.assert_status(before, 200)
        self.halt(c)
        again = c.post("/hedge", asked, headers=key)
        self.assertEqual((again.status, again.body), (200, before.body), "it is history")
        self.assertEqual(again.headers["Idempotency-Replayed"], "true")
        key = {"Idempotency-Key": "during"}
        refused = c.post("/hedge", asked, headers=key)
        self.assert_halted(refused)
        batch = c.post("/hedge/batch", {"requests": [{"asset": a, "amount_usd": 1.0}
                                                     for a in oracle.ASSETS]})
        self.assertEqual([p["code"] for p in batch.json["decisions"]], ["halted"] * 4)
        records = c.records()
        for r in records[-9:]:
            self.assertEqual((r["kind"] in ("decision", "shadow"), r["status"]), (True, "halted"))
        self.assertEqual([r["kind"] for r in records[-8:]], ["decision", "shadow"] * 4)
        self.resume(c)
        self.assertEqual(c.post("/hedge", asked, headers=key).body, refused.body)
        self.assert_status(c.hedge(), 200)
        self.assertEqual(d.stop(), 0)
        self.check_journal(d.journal_path)
        for words in (("verify", d.journal_path), ("replay", d.journal_path),
                      ("explain", records[-1]["seq"] + 1, d.journal_path)):
            code, out, err = daemon.hedge(*words)
            self.assertEqual(code, 0, f"{words} {out} {err}")

    def test_assets_that_come_and_go(self):
        with_sol = oracle.policy(calm=True, assets={"BTC": {}, "SOL": {}})
        without = oracle.policy(calm=True, assets={"BTC": {}})
        d, c = self.serve(without)

        def live(rules):
            daemon.write_file(d.policy_path, oracle.text(rules))
            self.assert_status(c.post("/curve/reload"), 200)
        self.assert_problem(c.post("/halt", order("r", "SOL")), 422, "unknown_asset")
        self.halt(c, "all")
        live(with_sol)
        quote_all(c, ("BTC", "SOL"))
        self.assert_halted(c.hedge("SOL"), "it came while everything was halted")
        self.resume(c)
        self.assert_status(c.hedge("SOL"), 200)
        self.halt(c, "mine", "SOL")
        live(without)
        self.assertEqual(halted(c), {"SOL": "mine"})
        self.assert_problem(c.hedge("SOL"), 422, "unknown_asset")
        live(with_sol)
        self.assert_halted(c.hedge("SOL"), "it left and came back")
        live(without)
        d.kill()
        d.start()
        c = d.client()
        self.addCleanup(c.close)
        self.assertEqual(halted(c), {"SOL": "mine"})
        self.halt(c, "still", "SOL")
        live(with_sol)
        quote_all(c, ("BTC", "SOL"))
        self.assert_halted(c.hedge("SOL"), "it came back after a restart")
        self.assert_status(c.hedge("BTC"), 200)
        live(without)
        self.assertTrue(self.resume(c, "gone", "SOL")["changed"], "unknown, but halted")
        self.assert_problem(c.post("/resume", order("r", "SOL")), 422, "unknown_asset")
        live(with_sol)
        self.assert_status(c.hedge("SOL"), 200)
        self.assertEqual(d.stop(), 0)
        self.check_journal(d.journal_path)

    def test_reloads_while_halting(self):
        rules = [oracle.policy(calm=True, assets={f"A{i}.{n}": {} for i in range(40)})
                 for n in range(8)]
        d, c = self.serve(rules[0])
        stop, faulty = threading.Event(), []

        def reload():
            with d.client() as mine:
                n = 0
                while not stop.is_set():
                    n += 1
                    daemon.write_file(d.policy_path, oracle.text(rules[n % 8]))
                    answer = mine.post("/curve/reload")
                    if answer.status != 200:
                        faulty.append(repr(answer))
        thread = threading.Thread(target=reload, daemon=True)
        thread.start()
        for i in range(40):
            self.halt(c, f"round {i}")
            quotes = c.get("/quotes").json["quotes"]
            self.assertEqual([q["asset"] for q in quotes if not q["halted"]], [], f"round {i}")
            self.resume(c)
            quotes = c.get("/quotes").json["quotes"]
            self.assertEqual([q["asset"] for q in quotes if q["halted"]], [], f"round {i}")
        stop.set()
        thread.join(30)
        self.assertEqual(faulty, [])
        self.assertEqual(d.stop(), 0)
        self.check_journal(d.journal_path)

    def test_postgres_gets_the_events(self):
        if not postgres_server.available():
            self.skipTest("no PostgreSQL")
        server = postgres_server.Postgres()
        self.addCleanup(server.kill)
        stand.init_db(server.dsn())
        d, c = self.serve(db_dsn=server.dsn())
        self.halt(c, "in a bottle", "BTC", actor="anna")
        self.resume(c, "found", "BTC", actor="ben")
        stand.all_arrived(server, c)
        rows = server.query("SELECT kind, asset, note FROM events WHERE kind IN ('halt', 'resume') "
                            "ORDER BY seq")
        self.assertEqual([tuple(r) for r in rows],
                         [("halt", "BTC", "anna in a bottle"), ("resume", "BTC", "ben found")])
        self.assertEqual(d.stop(), 0)
        self.assertEqual(daemon.hedge("verify", "--db", server.dsn())[0], 0)


class Hammer:
    """Clients that ask without a pause and note when, what came, and which record it was."""

    def __init__(self, port):
        self.port, self.kept, self.mixed, self.faults = port, [], [], []
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self._ask, args=(i,), daemon=True)
                        for i in range(CLIENTS)]
        for t in self.threads:
            t.start()

    def _ask(self, number):
        kept = []
        pair = {"requests": [{"asset": a, "amount_usd": 1.0} for a in ("ETH", "LTC")]}
        try:
            with Client(self.port) as c:
                while not self.ending.is_set():
                    sent = time.monotonic()
                    if number % 8 == 0:
                        answer = c.post("/hedge/batch", pair)
                        if answer.status != 200 and answer.code == "journal_full":
                            continue  # async: more than the disk takes
                        codes = {a.get("code", "ok") for a in answer.json["decisions"]}
                        if len(codes) > 1:
                            self.mixed.append(repr(answer))
                        kept.append((sent, time.monotonic(), "ETH", codes.pop()))
                        continue
                    answer = c.hedge("BTC")
                    if answer.json.get("code") == "journal_full":
                        continue
                    kept.append((sent, time.monotonic(), "BTC", answer.json.get("code", "ok")))
        except (OSError, http.client.HTTPException, ValueError, KeyError) as e:
            self.faults.append(repr(e))
        self.kept += kept

    def stop(self):
        self.ending.set()
        for t in self.threads:
            t.join(30)
        return self.kept


class Load(Case):
    def hammer(self, **settings):
        d, c = self.serve(**settings)
        quote_all(c)
        load = Hammer(d.port)
        self.addCleanup(load.stop)
        spans, free, last, took = [], [], time.monotonic(), []
        for i in range(ROUNDS):
            asset = "BTC" if i % 2 else ALL
            sent = time.monotonic()
            self.halt(c, f"round {i}", asset)
            begin = time.monotonic()
            took.append(begin - sent)
            free.append((last, sent))
            time.sleep(0.02)  # decisions that are wrong need a chance to come about
            spans.append((begin, time.monotonic(), asset))
            self.resume(c, f"round {i}", asset)
            last = time.monotonic()
            time.sleep(0.02)
        kept = load.stop()
        self.assertEqual(load.faults, [])
        self.assertEqual(load.mixed[:3], [], "a batch sees everything halted, or nothing")
        self.assertEqual({code for *_, code in kept}, {"ok", "halted"})
        inside = outside = 0
        for begin, end, what in spans:
            within = [k for k in kept if begin <= k[0] and k[1] <= end and what in (ALL, k[2])]
            inside += len(within)
            self.assertEqual([k for k in within if k[3] != "halted"], [], "asked after the answer")
        for begin, end in free:
            within = [k for k in kept if begin <= k[0] and k[1] <= end]
            outside += len(within)
            self.assertEqual([k for k in within if k[3] != "ok"], [], "asked after the resume")
        self.assertGreater(min(inside, outside), ROUNDS)
        self.assertEqual(d.stop(), 0)
        records = self.check_journal(d.journal_path)
        self.assertEqual(sum(r["kind"] == HALT for r in records), ROUNDS)
        print(f"\n  {ROUNDS} halts under {CLIENTS} clients: {len(kept)} answers, {inside} asked "
              f"while halted, {outside} while not; a halt took {statistics.median(took) * 1e3:.2f} "
              f"ms (median), {max(took) * 1e3:.2f} ms (most)", flush=True)

    def test_no_decision_after_the_answer(self):
        self.hammer()

    def test_no_decision_after_the_answer_async(self):
        self.hammer(durability="async")

    def test_a_full_queue_lets_halts_in(self):
        d, c = self.serve()
        quote_all(c)
        stop, seen, wrong = threading.Event(), [], []
        body = json.dumps({"requests": [{"asset": "ETH", "amount_usd": 1.0}] * 1000}).encode()

        def fill():
            try:
                with d.client() as mine:
                    while not stop.is_set():
                        answer = mine.post("/hedge/batch", body)
                        if answer.status != 200:
                            seen.append(answer.code)
            except (OSError, http.client.HTTPException, ValueError) as e:
                wrong.append(repr(e))
        threads = [threading.Thread(target=fill, daemon=True) for _ in range(40)]
        for t in threads:
            t.start()
        full, i = 0, 0
        while full < 2 and i < 20:
            before = len(seen)
            self.halt(c, f"round {i}", "BTC")
            self.resume(c, f"round {i}", "BTC")
            full += len(seen) > before  # the queue was full meanwhile
            i += 1
        stop.set()
        for t in threads:
            t.join(60)
        self.assertEqual(wrong, [])
        self.assertEqual((full, set(seen)), (2, {"journal_full"}))
        self.assertEqual(d.stop(60), 0)
        _, rows = journal.rows(d.journal_path)
        self.assertEqual([r[1] for r in rows if r[1] in (HALT, RESUME)], [HALT, RESUME] * i)
        print(f"\n  {i} halts and resumes among {len(rows)} records, {full} while the queue was "
              "full", flush=True)


class Kills(Case):
    def test_an_acknowledged_halt_is_there_after_a_kill(self):
        luck = random.Random(SEED)
        d, c = self.serve()
        for i in range(KILLS):
            asset = luck.choice((ALL, *oracle.ASSETS))
            with d.client() as c:
                quote_all(c)
                self.halt(c, f"kill {i}", asset)
                time.sleep(luck.random() ** 3 * 0.02)
                d.kill()
            d.start()
            told = [(e["asset"], e["level"]) for e in d.events("halt_in_force")]
            self.assertEqual(told, [(asset or "(all)", "warn")], f"seed {SEED}")
            with d.client() as c:
                self.assertEqual(halted(c), {asset: f"kill {i}"}, f"seed {SEED} trial {i}")
                self.assert_halted(c.hedge(asset or "LTC"))
                self.resume(c, "over", asset)
        self.assertEqual(d.stop(), 0)
        self.check_journal(d.journal_path)
        print(f"\n  seed {SEED}: {KILLS} kills, every halt still there", flush=True)

    def test_a_kill_in_between_leaves_the_last_or_the_one_in_flight(self):
        luck = random.Random(SEED + 1)
        d, _ = self.serve(durability=luck.choice(("commit", "async")))
        now, flown = set(), 0
        for i in range(KILLS):
            state = {"held": set(now), "flying": None}
            ready = threading.Event()

            def work(port=d.port, seed=luck.random(), state=state, ready=ready):
                mine = random.Random(seed)
                try:
                    with Client(port) as c:
                        while True:
                            asset = mine.choice(("BTC", "ETH"))
                            wanted = state["held"] ^ {asset}
                            state["flying"] = wanted
                            ready.set()
                            path = "/halt" if asset in wanted else "/resume"
                            answer = c.post(path, order("a race", asset))
                            assert answer.status == 200, answer
                            state["held"], state["flying"] = wanted, None
                except (OSError, http.client.HTTPException):
                    pass  # killed, as meant
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            ready.wait(10)
            time.sleep(luck.random() * 0.02)
            d.kill()
            thread.join(20)
            d.start()
            with d.client() as c:
                now = set(halted(c))
            self.assertIn(now, [s for s in (state["held"], state["flying"]) if s is not None],
                          f"seed {SEED} trial {i}")
            flown += now == state["flying"]
        self.assertEqual(d.stop(), 0)
        self.check_journal(d.journal_path)
        print(f"\n  seed {SEED}: {KILLS} kills, {flown} times what was in flight had arrived",
              flush=True)


if __name__ == "__main__":
    daemon.main()
