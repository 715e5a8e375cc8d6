# SPDX-License-Identifier: MIT
"""A disk that takes no more: nothing is decided that is not kept, and it heals by itself.

The daemon's files are held to a size by RLIMIT_FSIZE, which is raised later:
what a full disk and its cleaning up look like to a program.
"""
import resource
import signal
import threading

import daemon
import journal
import oracle
from daemon import Daemon, MIB

RULES = oracle.policy(calm=True)
QUOTE = {"score": 0.5, "depth1pct_usd": 5e5}


def held_to(size):
    """Runs in the new process: writes beyond `size` bytes of a file fail with EFBIG."""
    def before():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    return before


def free_the_disk(d):
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(d.process.pid, resource.RLIMIT_FSIZE, unlimited)


class FullDisk(daemon.Case):
    def serve(self, size, **settings):
        d = Daemon(RULES, before=held_to(size), **settings)
        self.addCleanup(d.__exit__)
        c = d.client()
        self.addCleanup(c.close)
        self.assert_status(c.put("/quotes/BTC", QUOTE), 200)
        return d, c

    def fill(self, c, most=20000):
        """Decides until the first refusal: (the acknowledged answers, the refusal)."""
        kept = []
        while len(kept) < most:
            answer = c.hedge("BTC", 1.0 + len(kept))
            if answer.status != 200:
                return kept, answer
            kept.append(answer.json)
        self.fail(f"{most} decisions fit below the limit")

    def check(self, d, acknowledged):
        self.assertEqual(d.stop(), 0)
        writer, rows = journal.rows(d.journal_path)
        records, _ = journal.walk(rows)
        made = {journal.decision_id(writer, r["seq"]): r["decision"] for r in records
                if r["kind"] == 1}
        lost = [a for a in acknowledged if a["decision_id"] not in made]
        self.assertEqual(lost[:3], [], f"{len(lost)} of {len(acknowledged)} are lost")
        self.assertEqual(daemon.hedge("verify", d.journal_path)[0], 0)
        return len(made)

    def test_commit_refuses_and_heals(self):
        d, c = self.serve(MIB)
        kept, refused = self.fill(c)
        self.assertGreater(len(kept), 50)
        self.assert_problem(refused, 503, ("journal_failed", "journal_full"))
        self.assertGreaterEqual(int(refused.headers["Retry-After"]), 1)
        # A commit that fails folds the WAL, which may make a little room: until that is used up.
        streak = 0
        while streak < 20:
            answer = c.hedge()
            streak = 0 if answer.status == 200 else streak + 1
            if answer.status == 200:
                kept.append(answer.json)
        for _ in range(5):
            self.assert_problem(c.hedge(), 503, ("journal_failed", "journal_full"))
        one = {"asset": "BTC", "amount_usd": 1}
        self.assert_problem(c.post("/hedge/batch", {"requests": [one] * 10}), 503,
                            ("journal_failed", "journal_full"))
        ready = c.get("/readyz")
        self.assert_status(ready, 503)
        self.assertEqual(ready.json["status"], "unready")
        self.assertIn("journal", str(ready.json["reasons"]))
        self.assert_status(c.get("/healthz"), 200)
        self.assertTrue(any("journal" in line for line in d.lines), d.log())
        self.assertEqual(c.metric("hedge_journal_lost_total"), 0)
        self.assertEqual(len([r for r in c.records() if r["kind"] == "decision"]), len(kept),
                         "what was refused is not in the journal")
        free_the_disk(d)
        again = daemon.wait_until(lambda: (lambda a: a if a.status == 200 else None)(c.hedge()),
                                  "it decides again once there is room", 10)
        kept.append(again.json)
        self.assert_status(c.get("/readyz"), 200)
        for _ in range(50):
            kept.append(c.hedge().json)
        self.assertGreaterEqual(self.check(d, kept), len(kept))

    def test_commit_under_load(self):
        d, c = self.serve(2 * MIB)
        kept, wrong, stop = [], [], threading.Event()

        def ask(number):
            try:
                with d.client() as own:
                    while not stop.is_set():
                        answer = own.hedge("BTC", 1.0 + number)
                        if answer.status == 200:
                            kept.append(answer.json)
                        elif answer.code not in ("journal_failed", "journal_full"):
                            wrong.append(repr(answer))
            except Exception as e:  # pylint: disable=broad-except
                wrong.append(f"{type(e).__name__}: {e}")
        threads = [threading.Thread(target=ask, args=(i,)) for i in range(8)]
        for t in threads:
            t.start()
        try:
            daemon.wait_until(lambda: c.get("/readyz").status == 503, "the disk is full", 60)
            free_the_disk(d)
            daemon.wait_until(lambda: c.get("/readyz").status == 200, "healed under load", 20)
            before = len(kept)
            daemon.wait_until(lambda: len(kept) > before + 200, "200 more answers", 20)
        finally:
            stop.set()
            for t in threads:
                t.join(20)
        self.assertEqual(wrong[:3], [])
        self.assertEqual(c.metric("hedge_journal_lost_total"), 0)
        self.assertEqual(self.check(d, kept), len(kept), "what was refused is not in the journal")

    def test_async_keeps_what_it_acknowledged_until_there_is_room(self):
        d, c = self.serve(MIB, durability="async")
        kept, refused = self.fill(c, most=200000)
        self.assert_problem(refused, 503, ("journal_failed", "journal_full"))
        self.assert_status(c.get("/readyz"), 503)
        self.assertEqual(c.metric("hedge_journal_lost_total"), 0)
        free_the_disk(d)
        again = daemon.wait_until(lambda: (lambda a: a if a.status == 200 else None)(c.hedge()),
                                  "it decides again once there is room", 10)
        kept.append(again.json)
        daemon.wait_until(lambda: c.get("/readyz").status == 200, "healed", 10)
        self.check(d, kept)

    def test_what_async_loses_at_the_end_is_counted_and_said(self):
        d, c = self.serve(MIB, durability="async")
        self.fill(c, most=200000)
        self.assertEqual(d.stop(), 1, "not a stop in order")
        lost = d.events("decisions_lost")
        self.assertTrue(lost, f"a line says how many were lost: {d.log()}")
        self.assertGreater(lost[0]["count"], 0)

    def test_no_room_at_the_start_refuses(self):
        d = Daemon(RULES, before=held_to(8192), start=False)
        self.addCleanup(d.__exit__)
        with self.assertRaises(AssertionError) as caught:
            d.start()
        self.assertIn("journal.db", str(caught.exception))


if __name__ == "__main__":
    daemon.main()
