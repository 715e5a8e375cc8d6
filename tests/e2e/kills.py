#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""kills.py COUNT [SEED]: kill -9 of a daemon that ships, at random moments under load.

HEDGED and HEDGE_CLI name what is tested. Every 250 kills a new journal is begun
and the old one compared with what arrived. The server is out of reach, slow or
killed at times, so that there is a backlog."""
import random
import sys
import time

import daemon
import journal
import oracle
import postgres_server
import proxy
import stand
import test_kill
from daemon import Daemon

A_JOURNAL = 250  # kills
PERIOD = 8       # kills between changes of how the server is reached


class Kills:
    """Counts of what must all be zero, and of what shows that it means something."""

    def __init__(self, count, seed):
        self.count, self.seed, self.luck = count, seed, random.Random(seed)
        self.acknowledged = self.records = self.killed = self.server_killed = self.backlog = 0
        self.lost = self.twice = self.phantom = 0
        self.faults = []
        self.postgres = postgres_server.Postgres()
        self.way = proxy.Proxy(self.postgres.port, seed=seed)
        stand.init_db(self.postgres.dsn())

    def close(self):
        self.way.close()
        self.postgres.kill()

    # ---- the trouble
    def _change(self):
        """How the server is reached from now on."""
        kind = self.luck.choice(("well", "well", "away", "cut", "slow", "killed", "frozen"))
        self.postgres.thaw()
        self.way.pass_()
        if kind == "away":
            self.way.refuse()
            self.way.cut()
        elif kind == "cut":
            self.way.half(self.luck.randint(1, 3000))
        elif kind == "slow":
            self.way.delay(0.02)
        elif kind == "killed":
            self.postgres.kill()
            self.postgres.restart()
            self.server_killed += 1
        elif kind == "frozen":
            self.postgres.freeze()

    def _cycle(self, d, kept):
        with d.client() as c:
            for asset in oracle.ASSETS:
                answer = c.put(f"/quotes/{asset}", {"score": self.luck.randint(10, 90) / 100,
                                                    "depth1pct_usd": 5e5})
                if answer.status != 200:
                    self.faults.append(repr(answer))
        clients = test_kill.Clients(d.port)
        time.sleep(self.luck.random() ** 2 * 0.25)
        d.kill()
        clients.join()
        self.faults += clients.faults
        kept += [a["decision_id"] for a in clients.answers]
        self.killed += 1
        d.start()

    # ---- the reckoning
    def _compare(self, d, kept):
        """The journal at rest, what arrived of it, and what was acknowledged."""
        with d.client() as c:
            writer, seq = stand.head(c)
            self.backlog = max(self.backlog, seq - stand.arrived(self.postgres, writer))
            stand.all_arrived(self.postgres, c, timeout=300)
        if d.stop() != 0:
            self.faults.append(f"a stop that was not in order: {d.log()}")
        _, rows = journal.rows(d.journal_path)
        held = {r[0]: (r[4], r[5]) for r in rows}
        made = {journal.decision_id(writer, r["seq"]) for r in journal.walk(rows)[0]
                if r["kind"] == 1}
        there = stand.shipped(self.postgres, writer)  # raises where one is there twice
        stand.walk(there)
        self.records += len(held)
        self.acknowledged += len(kept)
        self.twice += len(kept) - len(set(kept))
        self.lost += len(set(kept) - made)
        self.phantom += sum(1 for s, row in there.items() if held.get(s) != row)
        if len(there) < seq:
            self.faults.append(f"{len(there)} rows for {seq} records")
        self._verify("verify", d.journal_path)

    def _verify(self, *words):
        code, out, err = daemon.hedge(*words, timeout=600)
        if code:
            self.faults.append(f"hedge {' '.join(words)}: {code} {out} {err}")

    def run(self):
        done = 0
        while done < self.count:
            kept = []
            dsn = self.postgres.dsn(port=self.way.port)
            with Daemon(oracle.policy(calm=True), db_dsn=dsn) as d:
                for turn in range(min(A_JOURNAL, self.count - done)):
                    if turn % PERIOD == 0:
                        self._change()
                    self._cycle(d, kept)
                    done += 1
                self.postgres.thaw()
                self.way.pass_()
                self._compare(d, kept)
        self._verify("verify", "--db", self.postgres.dsn())

    def verdict(self):
        """None, or what is wrong."""
        if self.lost or self.twice or self.phantom or self.faults:
            return (f"seed {self.seed}: {self.lost} lost, {self.twice} twice, {self.phantom} "
                    f"phantom, {self.faults[:3]}")
        return None

    def describe(self):
        return (f"{self.killed} kills (seed {self.seed}; the server was killed "
                f"{self.server_killed} times): {self.acknowledged} acknowledged, {self.records} "
                f"records; {self.lost} lost, {self.twice} twice, {self.phantom} phantom; backlog "
                f"at the end up to {self.backlog}")


def main():
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    seed = int(sys.argv[2]) if len(sys.argv) == 3 else random.SystemRandom().randrange(1, 10 ** 9)
    daemon.program("HEDGED")
    kills, begin = Kills(int(sys.argv[1]), seed), time.monotonic()
    try:
        kills.run()
    finally:
        kills.close()
    print(f"{kills.describe()}; {time.monotonic() - begin:.0f} s")
    if kills.verdict():
        raise SystemExit(kills.verdict())


if __name__ == "__main__":
    main()
