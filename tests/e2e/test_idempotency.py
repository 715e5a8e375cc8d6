# SPDX-License-Identifier: MIT
"""Idempotency-Key: one key, one decision, one record, whatever is asked again and when."""
import os
import threading

import daemon
import journal
from daemon import Daemon

QUOTE = {"score": 0.62, "confidence": 0.9, "depth1pct_usd": 78034.12}
BTC = {"asset": "BTC", "amount_usd": 250000.0}


class Idempotency(daemon.Case):
    def serve(self, **settings):
        d = Daemon(policy="[{score: 0, hedge: 0}, {score: 1, hedge: 1}]", **settings)
        self.addCleanup(d.__exit__)
        return d

    def ask(self, client, key, body=None):
        return client.post("/hedge", body or BTC, headers={"Idempotency-Key": key})

    def assert_again(self, answer, first):
        self.assertEqual((answer.status, answer.body), (first.status, first.body))
        self.assertEqual(answer.headers["Idempotency-Replayed"], "true")

    def decisions(self, client):
        return [r for r in client.records() if r["kind"] == "decision"]

    def test_the_same_key_gives_the_same_answer_and_one_record(self):
        for durability in ("commit", "async"):
            with self.subTest(durability), self.serve(durability=durability).client() as c:
                c.put("/quotes/BTC", QUOTE)
                first = self.ask(c, "order-1")
                self.assert_status(first, 200)
                self.assertNotIn("Idempotency-Replayed", first.headers)
                c.put("/quotes/BTC", {**QUOTE, "score": 0.8})  # it would be another decision now
                for key in ("order-1", '"order-1"', "order-1"):
                    self.assert_again(self.ask(c, key), first)
                other = self.ask(c, "order-2")
                self.assertNotEqual(other.json["hedge_pct"], first.json["hedge_pct"])
                self.assertEqual([r["decision_id"] for r in self.decisions(c)],
                                 [first.json["decision_id"], other.json["decision_id"]])
                self.assertEqual(c.metric("hedge_idempotent_replays_total"), 3)
                self.assertEqual(c.metric("hedge_decisions_total", outcome="decided"), 2)

    def test_a_rejection_is_given_again_too_and_does_not_ask_to_wait(self):
        with self.serve().client() as c:
            first = self.ask(c, "k")
            self.assert_problem(first, 503, "no_quote")
            self.assertIsNone(first.headers["Retry-After"], "the same key would get the same")
            c.put("/quotes/BTC", QUOTE)
            self.assert_again(self.ask(c, "k"), first)
            self.assert_status(self.ask(c, "another"), 200)
            self.assertEqual(len(self.decisions(c)), 2)

    def test_another_request_under_the_key_is_refused(self):
        with self.serve().client() as c:
            c.put("/quotes/BTC", QUOTE)
            c.put("/quotes/ETH", QUOTE)
            self.ask(c, "k")
            for body in ({**BTC, "amount_usd": 250001.0}, {**BTC, "asset": "ETH"},
                         {**BTC, "override_score": 0.5}):
                self.assert_problem(self.ask(c, "k", body), 422, "key_reused")
            self.ask(c, "o", {**BTC, "override_score": 0.5})
            self.assert_problem(self.ask(c, "o", {**BTC, "override_score": 0.25}), 422,
                                "key_reused")
            self.assertEqual(len(self.decisions(c)), 2, "nothing was recorded for these")

    def test_a_request_that_was_never_decided_leaves_the_key_free(self):
        with self.serve().client() as c:
            c.put("/quotes/BTC", QUOTE)
            self.assert_problem(self.ask(c, "k", {"asset": "BTC"}), 422, "bad_value")
            self.assert_status(self.ask(c, "k"), 200)

    def test_bad_keys_and_other_routes(self):
        with self.serve().client() as c:
            c.put("/quotes/BTC", QUOTE)
            for key in ("", '""', "a b", "x" * 256, 'a"b', "a\\b", "caf\xe9"):
                self.assert_problem(self.ask(c, key), 400, "bad_header", why=repr(key))
            self.assert_status(self.ask(c, "x" * 255), 200)
            for method, path, body in (("POST", "/hedge/batch", {"requests": [BTC]}),
                                       ("PUT", "/quotes/BTC", QUOTE), ("GET", "/quotes", None)):
                answer = c.ask(method, path, body, headers={"Idempotency-Key": "k"})
                self.assert_problem(answer, 400, "bad_header")
        d = self.serve()
        answer = daemon.raw(d.port, b"POST /hedge HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n"
                            b"Idempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n{}")
        self.assertIn(b" 400 ", answer.split(b"\r\n")[0])

    def test_many_at_once_get_one_decision(self):
        d = self.serve()
        answers, lock = [], threading.Lock()
        with d.client() as c:
            c.put("/quotes/BTC", QUOTE)

            def work():
                with d.client() as mine:
                    for i in range(25):
                        answer = self.ask(mine, f"key-{i}")
                        with lock:
                            answers.append((i, answer.status, answer.body))

            threads = [threading.Thread(target=work) for _ in range(20)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            self.assertEqual(len(answers), 500)
            self.assertEqual(len(set(answers)), 25, "each key has one answer")
            self.assertEqual(len(self.decisions(c)), 25)

    def test_keys_survive_kill_and_restart(self):
        d = self.serve()
        with d.client() as c:
            c.put("/quotes/BTC", QUOTE)
            first = self.ask(c, "k")
        d.kill()
        d.start()
        with d.client() as c:  # no quote is left, and none is needed
            self.assert_again(self.ask(c, "k"), first)
        self.assertEqual(d.stop(), 0)
        _, rows = journal.rows(d.journal_path)
        records, _ = journal.walk(rows)
        self.assertEqual([r["kind"] for r in records].count(1), 1)

    def test_a_key_ends_after_ten_minutes(self):
        d = self.serve()
        with d.client() as c:
            c.put("/quotes/BTC", QUOTE)
            first = self.ask(c, "k")
        d.stop()
        for age_s, again in ((590, True), (610, False)):
            path = journal.copy(d.journal_path, os.path.join(d.folder, f"aged-{age_s}.db"))
            base = journal.sqlite3.connect(path)
            base.execute("UPDATE keys SET ts_ns = ts_ns - ?", (age_s * 10**9,))
            base.commit()
            base.close()
            aged = Daemon(policy="[{score: 0, hedge: 0}, {score: 1, hedge: 1}]", journal=path)
            self.addCleanup(aged.__exit__)
            with aged.client() as c:
                c.put("/quotes/BTC", QUOTE)
                answer = self.ask(c, "k")
                self.assertEqual(answer.body == first.body, again)
                self.ask(c, "another")  # drops what is out of date
            aged.stop()
            base = journal.sqlite3.connect(path)
            self.assertEqual(base.execute("SELECT count(*) FROM keys").fetchone()[0], 2)
            base.close()


if __name__ == "__main__":
    daemon.main()
