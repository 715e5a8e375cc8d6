# SPDX-License-Identifier: MIT
"""A file system that is full, and a disk whose writes and flushes fail, under load.

test_journal_faults.py holds single files to a size. Here a whole tmpfs fills up
(mounting one takes root), and calls fail with the errors of a
dying disk. HEDGE_FAULT_SEED repeats a run.
"""
import atexit
import http.client
import os
import random
import subprocess
import threading
import time
import unittest

import daemon
import faults
import journal
import oracle
from daemon import MIB

RULES = oracle.policy(calm=True)
QUOTE = {"score": 0.5, "depth1pct_usd": 5e5}
SEED = int(os.environ.get("HEDGE_FAULT_SEED", "0")) or random.SystemRandom().randrange(1, 10 ** 9)
SIZE = 64 * MIB  # what async has queued fits beside the journal once the ballast is gone
REFUSALS = ("journal_failed", "journal_full")


def mounted(size):
    """A new tmpfs of so many bytes, or None where this user may not mount."""
    path = daemon.new_folder()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "hedge-test", path],
                          capture_output=True, check=False)
    if done.returncode:
        return None
    atexit.register(unmount, path)
    return path


def unmount(path):
    if os.path.ismount(path):
        subprocess.run(["umount", path], check=False)


class Load:
    """Connections that post without a pause, and sort what they hear."""

    def __init__(self, d, connections=4):
        self.d, self.kept, self.refused, self.wrong = d, [], 0, []
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self._post, args=(i,), daemon=True)
                        for i in range(connections)]
        for t in self.threads:
            t.start()

    def _post(self, number):
        try:
            with self.d.client() as c:
                while not self.ending.is_set():
                    answer = c.hedge("BTC", 1.0 + number)
                    if answer.status == 200:
                        self.kept.append(answer.json)
                    elif answer.status == 503 and answer.code in REFUSALS:
                        self.refused += 1
                        time.sleep(0.002)
                    else:
                        self.wrong.append(repr(answer))
        except (OSError, http.client.HTTPException) as e:
            if not self.ending.is_set():
                self.wrong.append(f"{type(e).__name__}: {e}")

    def stop(self):
        self.ending.set()
        for t in self.threads:
            t.join(30)


class Disk(daemon.Case):
    def serve(self, **more):
        d, c = super().serve(RULES, **more)
        self.assert_status(c.put("/quotes/BTC", QUOTE), 200)
        return d, c

    def load(self, d):
        load = Load(d)
        self.addCleanup(load.stop)
        return load

    def more(self, load, n=100, why="it goes on"):
        before = len(load.kept)
        daemon.wait_until(lambda: len(load.kept) > before + n or load.wrong, why, 30)

    def check(self, path, acknowledged, why=""):
        """The journal at rest holds every acknowledged decision once: how many it holds."""
        writer, rows = journal.rows(path)
        records, _ = journal.walk(rows)
        made = [journal.decision_id(writer, r["seq"]) for r in records if r["kind"] == 1]
        known = [a["decision_id"] for a in acknowledged]
        self.assertEqual(len(known), len(set(known)), f"{why}: an id was given twice")
        lost = set(known) - set(made)
        self.assertEqual(len(lost), 0, f"{why}: of {len(known)} are lost {sorted(lost)[:3]}")
        code, out, err = daemon.hedge("verify", path)
        self.assertEqual(code, 0, f"{why}: {out} {err}")
        return len(made)

    def assert_refusing(self, c, d, why=""):
        self.assert_status(c.get("/healthz"), 200, why)
        ready = c.get("/readyz")
        self.assert_status(ready, 503, why)
        self.assertIn("journal", str(ready.json["reasons"]), why)
        self.assertTrue(d.alive(), why)
        self.assertEqual(c.metric("hedge_journal_lost_total"), 0, why)


class FullFileSystem(Disk):
    def full(self, **settings):
        folder = mounted(SIZE)
        if folder is None:
            self.skipTest("this user may not mount a tmpfs")
        self.addCleanup(unmount, folder)
        ballast = os.path.join(folder, "ballast")
        with open(ballast, "wb") as f:
            f.write(bytes(SIZE - 2 * MIB))
        d, c = self.serve(journal=os.path.join(folder, "journal.db"), **settings)
        load = self.load(d)
        daemon.wait_until(lambda: c.get("/readyz").status == 503, "the disk is full", 60)
        self.assertGreater(len(load.kept), 50)
        refused = load.refused
        daemon.wait_until(lambda: load.refused > refused + 20, "it refuses")
        self.assert_refusing(c, d)
        with self.assertRaises(OSError, msg="the file system itself has no room"):
            with open(os.path.join(folder, "more"), "wb", buffering=0) as f:
                while f.write(bytes(MIB)) == MIB:
                    pass
                raise OSError("short")
        os.unlink(os.path.join(folder, "more"))
        return folder, ballast, d, c, load

    def test_a_full_file_system_refuses_and_heals(self):
        folder, ballast, d, c, load = self.full()
        os.unlink(ballast)
        daemon.wait_until(lambda: c.get("/readyz").status == 200, "healed by itself", 20)
        self.more(load)
        load.stop()
        self.assertEqual(load.wrong[:3], [])
        self.assertEqual(d.stop(), 0)
        held = self.check(os.path.join(folder, "journal.db"), load.kept)
        self.assertEqual(held, len(load.kept), "what was refused is not in the journal")

    def test_killed_while_the_file_system_is_full(self):
        folder, ballast, d, _, load = self.full()
        load.ending.set()
        d.kill()
        load.stop()
        self.assertEqual(load.wrong[:3], [])
        with self.assertRaises(AssertionError) as caught:  # nothing can be kept: it says so
            d.start()
            code = d.stop()
            raise AssertionError(f"started, journal.db, ended with {code}")
        self.assertIn("journal.db", str(caught.exception))
        d.__exit__()
        os.unlink(ballast)
        d.start()
        with d.client() as c:
            c.put("/quotes/BTC", QUOTE)
            load.kept.append(c.hedge().json)
        self.assertEqual(d.stop(), 0)
        self.check(os.path.join(folder, "journal.db"), load.kept)

    def test_async_in_a_full_file_system(self):
        folder, ballast, d, c, load = self.full(durability="async")
        os.unlink(ballast)
        daemon.wait_until(lambda: c.get("/readyz").status == 200, "healed by itself", 20)
        self.more(load)
        load.stop()
        self.assertEqual(load.wrong[:3], [])
        self.assertEqual(c.metric("hedge_journal_lost_total"), 0)
        self.assertEqual(d.stop(), 0)
        self.check(os.path.join(folder, "journal.db"), load.kept)


@unittest.skipUnless(faults.available(), "HEDGE_FAULTS does not name the library to preload")
class DyingDisk(Disk):
    FAULTS = ({"fsync": "EIO"}, {"write": "EIO"}, {"write": "ENOSPC"}, {"write": "EDQUOT"},
              {"fsync": "ENOSPC"}, {"write": "EROFS", "fsync": "EIO"},
              {"write": "ENOSPC", "ftruncate": "EIO", "fallocate": "ENOSPC"},
              {"fsync": "EIO", "ftruncate": "EIO"})

    def faulty(self, **settings):
        disk = faults.Faults()
        d, c = self.serve(wrapper=disk.wrapper, **settings)
        return disk, d, c

    def test_each_fault_refuses_and_heals(self):
        disk, d, c = self.faulty()
        load = self.load(d)
        for fault in self.FAULTS:
            self.more(load, why=f"it decides before {fault}")
            refused = load.refused
            disk.fail(**fault)
            daemon.wait_until(lambda r=refused: load.refused > r + 20, f"it refuses by {fault}")
            before = len(load.kept)
            daemon.wait_until(lambda r=load.refused: load.refused > r + 20, "it still refuses")
            self.assertEqual(len(load.kept), before, f"nothing is acknowledged by {fault}")
            self.assert_refusing(c, d, fault)
            disk.fail()
            daemon.wait_until(lambda: c.get("/readyz").status == 200, f"healed of {fault}", 20)
        self.more(load)
        load.stop()
        self.assertEqual(load.wrong[:3], [])
        self.assertEqual(d.stop(), 0)
        held = self.check(d.journal_path, load.kept)
        self.assertEqual(held, len(load.kept), "what was refused is not in the journal")

    def test_files_cannot_be_opened(self):
        """EMFILE: the journal's own files are open already, and decisions go on."""
        disk, d, c = self.faulty()
        disk.fail(open="EMFILE")
        kept = [c.hedge().json for _ in range(2000)]
        disk.fail()
        self.assertEqual(d.stop(), 0)
        self.assertEqual(self.check(d.journal_path, kept), len(kept))

    def test_faults_that_come_and_go_and_a_crash_in_one(self):
        print(f"\n  seed {SEED}", flush=True)
        luck = random.Random(SEED)
        kept, total = [], 0
        disk, d, c = self.faulty()
        for turn in range(6):
            why = f"seed {SEED}, turn {turn}"
            load = self.load(d)
            self.more(load)
            for _ in range(8):
                time.sleep(luck.random() * 0.03)
                disk.fail(**luck.choice(self.FAULTS))
                time.sleep(luck.random() ** 2 * 0.05)
                disk.fail()
            disk.fail(**luck.choice(self.FAULTS))
            time.sleep(luck.random() ** 2 * 0.05)
            load.ending.set()
            d.kill()  # in the middle of a fault
            load.stop()
            self.assertEqual(load.wrong[:3], [], why)
            kept += load.kept
            total += load.refused
            disk.fail()
            copy = journal.copy(d.journal_path, os.path.join(daemon.new_folder(), "copy.db"))
            self.check(copy, kept, why)
            d.start()
            with d.client() as again:
                again.put("/quotes/BTC", QUOTE)
        self.assertEqual(d.stop(), 0)
        self.assertGreater(total, 0)
        self.check(d.journal_path, kept)
        print(f"  {len(kept)} acknowledged, {total} refused", flush=True)

    def test_async_keeps_what_it_acknowledged_through_a_fault(self):
        disk, d, c = self.faulty(durability="async")
        load = self.load(d)
        self.more(load)
        disk.fail(fsync="EIO", write="EIO")
        daemon.wait_until(lambda: c.get("/readyz").status == 503, "it is not ready", 30)
        disk.fail()
        daemon.wait_until(lambda: c.get("/readyz").status == 200, "healed", 20)
        self.more(load)
        load.stop()
        self.assertEqual(load.wrong[:3], [])
        self.assertEqual(c.metric("hedge_journal_lost_total"), 0)
        self.assertEqual(d.stop(), 0)
        self.check(d.journal_path, load.kept)


if __name__ == "__main__":
    daemon.main()
