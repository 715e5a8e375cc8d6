# SPDX-License-Identifier: MIT
"""Every score of a curve is tried before its policy goes live, and requests do not wait for it."""
import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import threading
import time

import daemon
import oracle
from daemon import Daemon, environment, new_folder, program, wait_until, write_file

MANY = 300  # curves: minutes of work, so that whatever ends sooner was not waited for


def rules(*lows):
    """A policy whose asset i has a curve of its own, beginning at lows[i]."""
    policy = oracle.policy(calm=True)
    policy["assets"] = {f"A{i}": {"curve": {"method": "pchip",
                                            "knots": [[0.0, low], [0.3, 0.25], [1.0, 1.0]]}}
                        for i, low in enumerate(lows)}
    return policy


def many():
    return rules(*[0.2 * i / MANY for i in range(MANY)])


def tried(d):
    """How many curves each certification tried."""
    return [event["curves_tried"] for event in d.events("policy_certified")]


def change(d, sql):
    """Changes the journal of a daemon that is stopped; the number of rows."""
    with contextlib.closing(sqlite3.connect(d.journal_path)) as journal:
        rows = journal.execute(sql).rowcount
        journal.commit()
    return rows


class Certify(daemon.Case):
    def test_the_first_start_certifies_and_the_next_one_knows(self):
        with Daemon(rules(0.01, 0.02, 0.02), certify=1) as d:
            self.assertEqual(tried(d), [2], "equal curves are one")
            with d.client() as c:
                self.assertIs(c.get("/curve").json["certified"], True)
            self.assertEqual(d.stop(), 0)
            d.start()
            self.assertEqual(tried(d), [])
            self.assertEqual(d.stop(), 0)
        code, _, err = daemon.hedge("verify", d.journal_path)
        self.assertEqual(code, 0, err)

    def test_a_policy_of_before_is_live_at_once(self):
        with Daemon(rules(0.01), certify=1) as d:
            first, second = oracle.text(rules(0.01)), oracle.text(rules(0.02))
            with d.client() as c:
                for text in (second, first, second):
                    write_file(d.policy_path, text)
                    c.post("/curve/reload")
            self.assertEqual(tried(d), [1, 1])
            wait_until(lambda: len(d.events("policy_live")) >= 3, "each went live")

    def test_a_journal_from_before_certificates_is_taken_up(self):
        with Daemon(rules(0.01)) as d:
            self.assertEqual(d.stop(), 0)
            for sql in ("DROP INDEX halt_orders", "DROP TABLE halts", "DROP TABLE keys",
                        "DROP TABLE parked", "DROP TABLE certificates",
                        "DROP TRIGGER records_no_delete",
                        "CREATE TRIGGER records_no_delete BEFORE DELETE ON records"
                        " BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"):
                self.assertEqual(change(d, sql), -1)
            change(d, "UPDATE journal SET value = '1' WHERE key = 'format'")
            d.settings["HEDGE_CERTIFY"] = "1"
            d.start()
            self.assertEqual(tried(d), [1])
            self.assertEqual(d.stop(), 0)
        code, _, err = daemon.hedge("verify", d.journal_path)
        self.assertEqual(code, 0, err)

    def test_other_code_certifies_again(self):
        with Daemon(rules(0.01), certify=1) as d:
            version = d.events("listening")[0]["version"]
            self.assertEqual(d.stop(), 0)
            with contextlib.closing(sqlite3.connect(d.journal_path)) as journal:
                (build,), = journal.execute("SELECT build FROM certificates")
            # A version alone names no code: a tree may have changed, a compiler, a processor.
            self.assertRegex(build, "^" + re.escape(version) + r" [0-9a-f]{40} [a-z0-9]+$")
            other = build.replace(build.split()[1], "0" * 40)
            self.assertEqual(change(d, f"UPDATE certificates SET build = '{other}'"), 1)
            d.start()
            self.assertEqual(tried(d), [1])

    def test_what_is_done_is_kept_when_it_is_killed(self):
        with Daemon(many(), start=False, certify=1) as d:
            process = self.begin(d)
            end = time.monotonic() + 120
            for line in process.stderr:  # a line every ten seconds
                done = json.loads(line).get("done", 0)
                if done > 0 or time.monotonic() > end:
                    break
            process.kill()
            process.wait()
            process.stderr.close()
            with contextlib.closing(sqlite3.connect(d.journal_path)) as journal:
                (kept,), = journal.execute("SELECT count(*) FROM certificates")
            self.assertGreater(done, 0)
            self.assertGreaterEqual(kept, done)

    @staticmethod
    def begin(d):
        return subprocess.Popen([program("HEDGED")], cwd=d.folder, env=environment(d.settings),
                                stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def test_switched_off_it_says_so(self):
        with Daemon(rules(0.01)) as d:
            self.assertEqual(tried(d), [])
            self.assertEqual(len(d.events("not_certified")), 1)
            with d.client() as c:
                self.assertIs(c.get("/curve").json["certified"], False)

    def test_a_setting_that_is_neither_is_refused(self):
        write_file(os.path.join(folder := new_folder(), "p.yaml"), oracle.text(rules(0.01)))
        code, _, err = daemon.run(folder=folder, HEDGE_POLICY="p.yaml", HEDGE_CERTIFY="maybe")
        self.assertEqual(code, 78)
        self.assertIn("HEDGE_CERTIFY", err)


class Meanwhile(daemon.Case):
    def test_requests_go_on_under_the_old_policy(self):
        with Daemon(rules(0.01), certify=1) as d:
            with d.client() as c:
                c.put("/quotes/A0", {"score": 0.5, "depth1pct_usd": 500000.0})
                old = c.hedge("A0").json["policy"]
                answer, asked = [], threading.Event()

                def reload():
                    with d.client(timeout=120) as other:
                        asked.set()
                        answer.append(other.post("/curve/reload"))

                write_file(d.policy_path, oracle.text(rules(*[0.01 * i for i in range(1, 5)])))
                thread = threading.Thread(target=reload)
                thread.start()
                asked.wait()
                during = []
                while thread.is_alive():
                    during.append(c.hedge("A0"))
                thread.join()
                self.assert_status(answer[0], 200)
                new = c.hedge("A0").json["policy"]
            for each in during:
                self.assert_status(each, 200)
                self.assertIn(each.json["policy"], (old, new))
            under_old = sum(each.json["policy"] == old for each in during)
            self.assertGreater(under_old, 100, "requests waited for the certification")
            self.assertNotEqual(new, old)
            self.assertEqual(sum(tried(d)), 4)

    def test_a_long_certification_does_not_put_off_the_stop(self):
        for how in ("file", "signal", "request"):
            with self.subTest(how), Daemon(rules(0.01), certify=1) as d:
                write_file(d.policy_path, oracle.text(many()))
                if how == "signal":
                    d.signal(signal.SIGHUP)
                if how == "request":
                    threading.Thread(target=self.ask_and_forget, args=(d,), daemon=True).start()
                time.sleep(1.5)  # it is at it
                self.assertEqual(d.stop(timeout=20), 0)
                code, out, err = daemon.hedge("verify", d.journal_path)
                self.assertEqual(code, 0, err)
                self.assertEqual(len(d.events("policy_live")), 0)
                self.assertEqual(len(d.events("policy_refused")), 0, "nothing is wrong with it")

    def test_what_was_withdrawn_meanwhile_does_not_go_live(self):
        with Daemon(rules(0.01), certify=1) as d, d.client(timeout=60) as c:
            before = c.get("/curve").json["policy"]
            corrected = rules(0.01)
            corrected["max_hedge_pct"] = 0.1  # the curve is known: it needs no time
            write_file(d.policy_path, oracle.text(many()))
            time.sleep(1.5)  # it is at it
            write_file(d.policy_path, oracle.text(corrected))
            answer = c.post("/curve/reload")
            self.assert_status(answer, 200)
            now = c.get("/curve").json
            self.assertEqual(now["max_hedge_pct"], 0.1)
            self.assertNotEqual(now["policy"], before)
            live = [r["policy"] for r in c.records() if r["kind"] == "policy"]
            self.assertEqual(live, [before, now["policy"]], "the mistake never was live")

    def test_a_file_that_is_bad_or_gone_by_then_changes_nothing(self):
        for how in ("bad", "gone"):
            with self.subTest(how), Daemon(rules(0.01), certify=1) as d, d.client() as c:
                before = c.get("/curve").json["policy"]
                write_file(d.policy_path, oracle.text(many()))
                time.sleep(1.5)
                if how == "bad":
                    write_file(d.policy_path, "garbage: [")
                else:
                    os.remove(d.policy_path)
                wait_until(lambda: d.events("policy_refused"), "it is refused", timeout=30)
                self.assertEqual(c.get("/curve").json["policy"], before)
                self.assertEqual(d.events("policy_live"), [])

    def test_files_that_are_only_touched_do_not_put_it_off(self):
        with Daemon(rules(0.01), certify=1) as d:
            write_file(d.policy_path, oracle.text(rules(0.03)))

            def live():
                os.utime(d.policy_path)
                return d.events("policy_live")
            wait_until(live, "it went live", timeout=60, every=0.05)

    def test_reloads_that_wait_do_not_take_the_threads(self):
        with Daemon(rules(0.01), certify=1) as d, d.client() as c:
            c.put("/quotes/A0", {"score": 0.5, "depth1pct_usd": 500000.0})
            write_file(d.policy_path, oracle.text(many()))
            answers = []

            def ask():
                try:
                    with d.client(timeout=100) as other:
                        answers.append(other.post("/curve/reload"))
                except OSError:
                    pass  # it waited until the daemon was gone
            for _ in range(40):
                threading.Thread(target=ask, daemon=True).start()
            wait_until(lambda: len(answers) >= 30, "the others are turned away", timeout=30)
            for answer in list(answers):
                self.assert_problem(answer, 503, "not_loaded")
                self.assertTrue(answer.headers.get("Retry-After"))
            self.assert_status(c.hedge("A0"), 200)
            self.assertEqual(d.stop(), 0)

    @staticmethod
    def ask_and_forget(d):
        try:
            with d.client() as c:
                c.post("/curve/reload")
        except OSError:
            pass

    def test_a_stop_while_it_starts_ends_in_order(self):
        port = daemon.free_port()
        d = Daemon(many(), start=False, certify=1, api_port=port)
        process = Certify.begin(d)
        try:
            wait_until(lambda: os.path.exists(d.journal_path), "the journal is there")
            time.sleep(1.0)  # it is at it
            with daemon.Client(port) as c:
                self.assert_status(c.get("/healthz"), 200)
                self.assert_problem(c.get("/readyz"), 503, "stopping")
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(20), 0)
        finally:
            process.kill()
            process.wait()
            process.stderr.close()
        code, _, err = daemon.hedge("verify", d.journal_path)
        self.assertEqual(code, 0, err)
        with Daemon(rules(0.01), folder=d.folder) as after:
            with after.client() as c:
                self.assertEqual(c.records()[0]["kind"], "start", "nothing stopped that not began")


if __name__ == "__main__":
    daemon.main()
