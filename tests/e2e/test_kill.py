# SPDX-License-Identifier: MIT
"""kill -9 at random moments under load: no acknowledged decision may be lost.

HEDGE_KILL_ROUNDS sets how often (50), HEDGE_KILL_SEED repeats a run.
"""
import http.client
import os
import random
import threading
import time

import daemon
import journal
import oracle
from daemon import Daemon

ROUNDS = int(os.environ.get("HEDGE_KILL_ROUNDS", "50"))
SEED = int(os.environ.get("HEDGE_KILL_SEED", "0")) or random.SystemRandom().randrange(1, 10 ** 9)
CONNECTIONS = 16
ROUNDS_A_JOURNAL = 5
SAME = ("hedge_pct", "notional_usd", "confidence", "score", "effective_score", "liquidity_weight")


class Clients:
    """Keep-alive connections that post without a pause and keep every answer they got whole."""

    def __init__(self, port):
        self.port, self.answers, self.faults = port, [], []
        self.ready = threading.Barrier(CONNECTIONS + 1)
        self.threads = [threading.Thread(target=self.post, args=(i,), daemon=True)
                        for i in range(CONNECTIONS)]
        for t in self.threads:
            t.start()
        self.ready.wait(30)

    def post(self, number):
        kept = []
        try:
            with daemon.Client(self.port, timeout=10) as c:
                c.get("/healthz")
                self.ready.wait(30)
                turn = 0
                while True:
                    turn += 1
                    asset = oracle.ASSETS[turn % 4]
                    if number % 4 or turn % 8:
                        answer = c.hedge(asset, 1.0 + turn)
                        got = [answer.json]
                    else:
                        one = {"asset": asset, "amount_usd": 1.0 + turn}
                        answer = c.post("/hedge/batch", {"requests": [one] * 20})
                        got = answer.json["decisions"]
                    if answer.status == 200:
                        kept += got
                    else:
                        self.faults.append(repr(answer))
        except (OSError, http.client.HTTPException, threading.BrokenBarrierError):
            pass  # killed, as meant
        except ValueError as e:
            self.faults.append(f"an answer that is no JSON: {e}")
        self.answers += kept

    def join(self):
        for t in self.threads:
            t.join(20)


class Kill(daemon.Case):
    def check(self, d, acknowledged, folder, why):
        """Reads a copy of the killed journal with its log and compares."""
        path = journal.copy(d.journal_path, os.path.join(folder, "copy.db"))
        writer, rows = journal.rows(path)
        try:
            records, _ = journal.walk(rows)
        except ValueError as e:
            self.fail(f"{why}: {e}")
        made = {journal.decision_id(writer, r["seq"]): r["decision"] for r in records
                if r["kind"] == 1}
        lost = [a["decision_id"] for a in acknowledged if a["decision_id"] not in made]
        self.assertEqual(lost[:5], [], f"{why}: {len(lost)} of {len(acknowledged)} acknowledged "
                                       "decisions are not in the journal")
        for a in acknowledged:
            for name in SAME:
                self.assertEqual(made[a["decision_id"]][name], a[name], f"{why}: {a}")
        code, out, err = daemon.hedge("verify", path)
        self.assertEqual(code, 0, f"{why}: hedge verify: {out} {err}")
        for end in ("", "-wal", "-shm"):
            if os.path.exists(path + end):
                os.unlink(path + end)
        return len(made)

    def test_no_acknowledged_decision_is_lost(self):
        print(f"\n  {ROUNDS} rounds, seed {SEED}", flush=True)
        luck = random.Random(SEED)
        total, unacknowledged, begin = 0, 0, time.monotonic()
        d, acknowledged = None, []
        folder = daemon.new_folder()
        for turn in range(ROUNDS):
            why = f"seed {SEED}, round {turn}"
            if turn % ROUNDS_A_JOURNAL == 0:
                if d:
                    self.assertEqual(d.stop(), 0, why)
                    d.__exit__()
                d, acknowledged = Daemon(oracle.policy(calm=True)), []
                self.addCleanup(d.__exit__)
            with d.client() as c:
                for i, asset in enumerate(oracle.ASSETS):
                    self.assert_status(c.put(f"/quotes/{asset}", {
                        "score": luck.randint(10, 90) / 100,
                        "depth1pct_usd": 20000.0 + luck.random() * 10 ** (5 + i % 2)}), 200, why)
            clients = Clients(d.port)
            time.sleep(luck.random() ** 2 * 0.5)
            d.kill()
            clients.join()
            self.assertEqual(clients.faults, [], why)
            acknowledged += clients.answers
            total += len(clients.answers)
            made = self.check(d, acknowledged, folder, why)
            unacknowledged += made - len(acknowledged)
            d.start()
        if d:
            with d.client() as c:
                ids = {r["decision_id"] for r in c.records() if r["kind"] == "decision"}
                self.assertEqual([a for a in acknowledged if a["decision_id"] not in ids], [])
            self.assertEqual(d.stop(), 0)
        print(f"  {total} acknowledged decisions, 0 lost, in {time.monotonic() - begin:.0f} s",
              flush=True)
        self.assertGreater(total, 10 * ROUNDS, "too little load to mean anything")

    def test_async_keeps_a_whole_chain(self):
        luck = random.Random(SEED + 1)
        folder = daemon.new_folder()
        d = Daemon(oracle.policy(calm=True), durability="async")
        self.addCleanup(d.__exit__)
        for turn in range(max(2, ROUNDS // 10)):
            with d.client() as c:
                for asset in oracle.ASSETS:
                    c.put(f"/quotes/{asset}", {"score": 0.5, "depth1pct_usd": 5e5})
            clients = Clients(d.port)
            time.sleep(luck.random() * 0.3)
            d.kill()
            clients.join()
            self.assertEqual(clients.faults, [])
            self.check(d, [], folder, f"seed {SEED}, async round {turn}")
            d.start()


if __name__ == "__main__":
    daemon.main()
