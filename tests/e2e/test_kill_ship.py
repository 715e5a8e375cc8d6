# SPDX-License-Identifier: MIT
"""kill -9 of a daemon that ships: nothing acknowledged is lost, nothing arrives twice or untrue.

HEDGE_KILL_SHIP_ROUNDS sets how often (200), HEDGE_KILL_SEED repeats a run; kills.py does more."""
import os
import time
import unittest

import daemon
import kills
import postgres_server
import test_kill

ROUNDS = int(os.environ.get("HEDGE_KILL_SHIP_ROUNDS", "200"))


@unittest.skipUnless(postgres_server.available(), "postgresql is not installed")
class KillShip(daemon.Case):
    def test_what_was_acknowledged_arrives_once(self):
        run, begin = kills.Kills(ROUNDS, test_kill.SEED), time.monotonic()
        self.addCleanup(run.close)
        print(f"\n  {ROUNDS} kills, seed {test_kill.SEED}", flush=True)
        run.run()
        print(f"  {run.describe()}; {time.monotonic() - begin:.0f} s", flush=True)
        self.assertIsNone(run.verdict())
        self.assertGreater(run.acknowledged, 10 * ROUNDS, "too little load to mean anything")


if __name__ == "__main__":
    daemon.main()
