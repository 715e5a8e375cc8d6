# SPDX-License-Identifier: MIT
"""What operators do by mistake, and what the machine does to them: nothing may go wrong unseen."""
import os
import shutil
import signal
import subprocess
import threading
import time

import daemon
import journal
import oracle
from daemon import Client, Daemon, wait_until

RULES = oracle.policy(calm=True)
QUOTE = {"score": 0.5, "depth1pct_usd": 5e5}


def blocks(pid, number):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        mask = next(line.split()[1] for line in status if line.startswith("SigBlk:"))
    return bool(int(mask, 16) >> (number - 1) & 1)


class Mishaps(daemon.Case):
    def serve(self, policy=RULES, **settings):
        return super().serve(policy, **settings)

    def other_policy(self, cap):
        return f"max_hedge_pct: {cap}\ncurve: {{knots: [[0, 0], [1, 1]]}}\n"

    # ---- the journal

    def test_a_journal_that_was_moved_away_is_noticed(self):
        d, c = self.serve()
        self.assert_status(c.put("/quotes/BTC", QUOTE), 200)
        self.assert_status(c.hedge(), 200)
        os.rename(d.journal_path, d.journal_path + ".old")
        self.assert_problem(c.hedge(), 503, "journal_failed")
        self.assert_status(c.get("/readyz"), 503)
        self.assertIn("moved", str(c.get("/readyz").json["reasons"]))
        os.rename(d.journal_path + ".old", d.journal_path)
        self.assert_status(c.hedge(), 200, "put back, it goes on")
        self.assertEqual(d.stop(), 0)
        self.assertEqual(daemon.hedge("verify", d.journal_path)[0], 0)

    def test_a_journal_that_was_removed_is_noticed(self):
        for victim in ("", "-wal"):
            d, c = self.serve()
            self.assert_status(c.put("/quotes/BTC", QUOTE), 200)
            self.assert_status(c.hedge(), 200)
            os.unlink(d.journal_path + victim)
            self.assert_problem(c.hedge(), 503, "journal_failed", victim)
            d.stop()

    def test_a_new_journal_has_its_tables_without_its_wal(self):
        d, _ = self.serve()
        d.kill()
        lone = os.path.join(d.folder, "lone.db")
        shutil.copy(d.journal_path, lone)
        code, _, err = daemon.hedge("verify", lone)
        self.assertEqual(code, 0, err)

    def test_every_name_of_a_journal_is_a_file(self):
        for name in (":memory:", "file:x.db?mode=memory"):
            d, c = self.serve(journal=name)
            self.assert_status(c.put("/quotes/BTC", QUOTE), 200)
            self.assert_status(c.hedge(), 200)
            self.assertEqual(d.stop(), 0)
            self.assertTrue(os.path.isfile(os.path.join(d.folder, name)), os.listdir(d.folder))

    def test_a_port_in_use_leaves_the_journal_alone(self):
        d, _ = self.serve()
        other = Daemon(RULES, start=False, api_port=str(d.port))
        with self.assertRaisesRegex(AssertionError, "ended with 75 .*cannot listen"):
            other.start()
        self.assertFalse(os.path.exists(other.journal_path))

    # ---- the policy

    def test_a_pipe_in_place_of_the_policy_holds_nothing_up(self):
        d, c = self.serve()
        before = c.get("/curve").json["policy"]
        os.unlink(d.policy_path)
        os.mkfifo(d.policy_path)
        self.assert_problem(c.post("/curve/reload"), 422, "bad_policy")
        self.assertEqual(c.get("/curve").json["policy"], before)
        c.get("/readyz"), c.get("/metrics")
        begin = time.monotonic()
        self.assertEqual(d.stop(), 0)
        self.assertLess(time.monotonic() - begin, 5)

    def test_a_folder_that_was_away_is_watched_again(self):
        d = Daemon(start=False)
        inner = os.path.join(d.folder, "inner")
        os.mkdir(inner)
        path = os.path.join(inner, "policy.yaml")
        daemon.write_file(path, self.other_policy(0.9))
        d.settings["HEDGE_POLICY"] = path
        d.start()
        self.addCleanup(d.__exit__)
        with d.client() as c:
            before = c.get("/curve").json["policy"]
            os.rename(inner, inner + ".away")
            wait_until(lambda: c.get("/readyz").json["reasons"] and "policy_refused" in
                       str(c.get("/readyz").json), "the missing file is told of")
            os.rename(inner + ".away", inner)
            wait_until(lambda: "policy_refused" not in str(c.get("/readyz").json), "it healed")
            self.assertEqual(c.get("/curve").json["policy"], before)
            daemon.write_file(path, self.other_policy(0.8))
            wait_until(lambda: c.get("/curve").json["max_hedge_pct"] == 0.8, "the edit is seen")

    def test_a_busy_folder_does_not_put_a_reload_off(self):
        d, c = self.serve(self.other_policy(0.9))
        stop = threading.Event()

        def scribble():
            while not stop.is_set():
                daemon.write_file(os.path.join(d.folder, "noise"), "x")
                time.sleep(0.01)

        thread = threading.Thread(target=scribble)
        thread.start()
        try:
            daemon.write_file(d.policy_path, self.other_policy(0.7))
            wait_until(lambda: c.get("/curve").json["max_hedge_pct"] == 0.7, "the reload", 2.5)
        finally:
            stop.set()
            thread.join()

    def test_a_policy_that_cannot_go_live_is_not_recorded_as_live(self):
        def names(letter):
            return "curve: {knots: [[0, 0], [1, 1]]}\nassets: {" + ", ".join(
                f"{letter}{i}: {{}}" for i in range(600)) + "}\n"

        d, c = self.serve(names("a"))
        first = c.get("/curve").json["policy"]
        daemon.write_file(d.policy_path, names("b"))
        self.assert_problem(c.post("/curve/reload"), 503, "not_loaded")
        time.sleep(0.3)
        records = c.records()
        self.assertEqual({r["policy"] for r in records}, {first}, records)
        self.assertEqual([r["kind"] for r in records if r["kind"] != "policy_refused"],
                         ["start", "policy"])

    def test_signals_during_the_start_do_not_end_it(self):
        for pause_ms in range(0, 12):
            d = Daemon(RULES, start=False)
            process = subprocess.Popen([daemon.program("HEDGED")], cwd=d.folder,
                                       env=daemon.environment(d.settings),
                                       stderr=subprocess.DEVNULL)
            # Before main there is nobody to hold a signal back, so wait until it is.
            wait_until(lambda: blocks(process.pid, signal.SIGHUP), "main holds SIGHUP back")
            time.sleep(pause_ms / 1000)
            process.send_signal(signal.SIGHUP)
            time.sleep(0.1)
            self.assertIsNone(process.poll(), f"SIGHUP {pause_ms} ms into main")
            process.terminate()
            self.assertEqual(process.wait(10), 0)

    # ---- the rest of the world

    def test_a_log_that_nobody_reads_stops_nothing(self):
        port = daemon.free_port()
        d = Daemon(RULES, start=False, api_port=str(port), log_decisions="1")
        process = subprocess.Popen([daemon.program("HEDGED")], cwd=d.folder,
                                   env=daemon.environment(d.settings), stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        try:
            def serves():
                try:
                    with Client(port) as c:
                        return c.get("/curve").status == 200
                except OSError:
                    return False

            wait_until(serves, "it serves")
            with Client(port, timeout=10) as c:
                self.assert_status(c.put("/quotes/BTC", QUOTE), 200)
                for _ in range(1500):
                    self.assert_status(c.hedge(), 200)
        finally:
            process.terminate()
            self.assertEqual(process.wait(10), 0)

    def test_a_batch_sees_every_quote_at_one_instant(self):
        d, c = self.serve("curve: {knots: [[0, 0], [1, 1]]}\n"
                          "limits: {max_clock_skew_ms: 0, min_depth_usd: 0}\n")
        stop = threading.Event()

        def feed():
            with d.client() as mine:
                i = 0
                while not stop.is_set():
                    i += 1
                    mine.put("/quotes/BTC", {"score": 0.2 + i % 500 / 1000, "depth1pct_usd": 5e5})

        self.assert_status(c.put("/quotes/BTC", QUOTE), 200)
        thread = threading.Thread(target=feed)
        thread.start()
        try:
            for _ in range(40):
                answers = c.post("/hedge/batch", {
                    "requests": [{"asset": "BTC", "amount_usd": 1}] * 500}).json["decisions"]
                self.assertEqual(len({(a.get("score"), a.get("code")) for a in answers}), 1)
                self.assertNotIn("code", answers[0])
        finally:
            stop.set()
            thread.join()
        self.assertEqual(d.stop(), 0)
        _, rows = journal.rows(d.journal_path)
        journal.walk(rows)


if __name__ == "__main__":
    daemon.main()
