# SPDX-License-Identifier: MIT
"""A damaged -wal file: `hedge verify` finds it, and no daemon starts on it and numbers anew.

SQLite takes what follows a frame that does not fit for a commit that a crash tore, and passes it by.
HEDGE_FLIPS sets how many bits are tried (1,000), HEDGE_FLIP_SEED repeats a run."""
import os
import random
import shutil
import struct

import daemon
import oracle
from daemon import Daemon

FLIPS = int(os.environ.get("HEDGE_FLIPS", "1000"))
SEED = int(os.environ.get("HEDGE_FLIP_SEED", "0")) or random.SystemRandom().randrange(1, 10 ** 9)
HEADER, FRAME = 32, 24 + 4096
CONFIG = 78


def read(path):
    with open(path, "rb") as f:
        return f.read()


def commits(wal):
    """Where each commit ends, in bytes from the beginning of the -wal."""
    salts = wal[16:24]
    out = []
    for at in range(HEADER, len(wal) - FRAME + 1, FRAME):
        _, commit = struct.unpack_from(">II", wal, at)
        if wal[at + 8:at + 16] != salts:
            break
        if commit:
            out.append(at + FRAME)
    return out


class Wal(daemon.Case):
    def killed(self):
        """A daemon that was killed behind 60 commits, at least."""
        d = Daemon(oracle.policy(calm=True))
        self.addCleanup(d.__exit__)
        with d.client() as c:
            c.put("/quotes/BTC", {"score": 0.5, "depth1pct_usd": 4e5})
            for i in range(60):
                self.assert_status(c.hedge("BTC", 1.0 + i), 200)
        d.kill()
        return d

    def records(self, path):
        """How many `hedge verify` finds; None: it says that the -wal is damaged."""
        code, out, err = daemon.hedge("verify", path, "--json")
        answer = daemon.json.loads(out)
        if code == 0:
            return answer["records"]
        self.assertEqual((code, answer["fault"]), (1, "damaged"), out + err)
        self.assertIn("its -wal file", answer["message"])
        return None

    def copied(self, d):
        path = os.path.join(daemon.new_folder(), "journal.db")
        for end in ("", "-wal"):
            shutil.copyfile(d.journal_path + end, path + end)
        return path

    def test_each_bit_but_those_of_the_newest_commit(self):
        path = self.copied(self.killed())
        wal = read(path + "-wal")
        ends, whole = commits(wal), self.records(path)
        self.assertGreater(len(ends), 60)
        luck = random.Random(SEED)
        older = luck.sample(range(HEADER * 8, ends[-2] * 8), FLIPS)
        newest = luck.sample(range(ends[-2] * 8, ends[-1] * 8), FLIPS // 10)
        print(f"\n  seed {SEED}: {len(wal)} bytes, {len(ends)} commits, {whole} records",
              flush=True)
        found = 0
        with open(path + "-wal", "r+b", buffering=0) as f:
            for bit in [*range(HEADER * 8), *older, *newest]:
                os.pwrite(f.fileno(), bytes([wal[bit // 8] ^ 1 << bit % 8]), bit // 8)
                got = self.records(path)
                found += got is None
                if bit // 8 < ends[-2]:
                    self.assertIsNone(got, f"seed {SEED}: byte {bit // 8} bit {bit % 8}")
                elif got is not None:
                    self.assertGreaterEqual(got, whole - 1, f"seed {SEED}: byte {bit // 8}")
                os.pwrite(f.fileno(), wal[bit // 8:bit // 8 + 1], bit // 8)
        print(f"  {found} of {HEADER * 8 + len(older) + len(newest)} found", flush=True)
        self.assertEqual(self.records(path), whole)

    def test_a_daemon_does_not_start_on_it(self):
        d = self.killed()
        wal = bytearray(read(d.journal_path + "-wal"))
        ends = commits(wal)
        for where in (20, ends[0] + 500, ends[-2] - 100):
            changed = bytearray(wal)
            changed[where] ^= 4
            daemon_files = {d.journal_path: read(d.journal_path),
                            d.journal_path + "-wal": bytes(changed)}
            with open(d.journal_path + "-wal", "wb") as f:
                f.write(changed)
            code, _, err = daemon.run(folder=d.folder, **d.settings)
            self.assertEqual(code, CONFIG, err)
            self.assertIn("its -wal file is damaged", err)
            self.assertIn("journal_wal_damaged", err)
            for path, content in daemon_files.items():
                self.assertTrue(read(path) == content, f"{path} was changed")
        with open(d.journal_path + "-wal", "wb") as f:
            f.write(wal)
        d.start()
        with d.client() as c:
            self.assert_status(c.hedge("BTC"), 503, "its quotes are those of another life")
        self.assertEqual(d.stop(), 0)
        self.assertEqual(daemon.hedge("verify", d.journal_path)[0], 0)

    def test_a_torn_newest_commit_is_no_damage(self):
        """What a crash leaves: a commit cut off, or with holes, behind those that were flushed."""
        d = self.killed()
        path = self.copied(d)
        wal = read(path + "-wal")
        ends, whole = commits(wal), self.records(path)
        for cut in (ends[-1] - 1, ends[-1] - 4000, ends[-2] + FRAME // 2, ends[-2] + 10, ends[-2]):
            with open(path + "-wal", "wb") as f:
                f.write(wal[:cut])
            self.assertEqual(self.records(path), whole - 1, cut)
        holes = [at for at in range(ends[-2], ends[-1] - 512, 512) if any(wal[at:at + 512])]
        self.assertGreater(len(holes), 4)
        for hole in holes:
            with open(path + "-wal", "wb") as f:
                f.write(wal[:hole] + bytes(512) + wal[hole + 512:])
            self.assertEqual(self.records(path), whole - 1, hole)

    def test_frames_of_an_earlier_round_are_no_damage(self):
        """The daemon writes the file again from its beginning; longer rounds stand behind."""
        d = Daemon(oracle.policy(calm=True))
        self.addCleanup(d.__exit__)
        with d.client() as c:
            c.put("/quotes/BTC", {"score": 0.5, "depth1pct_usd": 4e5})
            many = [{"asset": "BTC", "amount_usd": 1.0 + i} for i in range(500)]
            salts, rounds = read(d.journal_path + "-wal")[16:24], 0
            for _ in range(200):
                self.assert_status(c.post("/hedge/batch", {"requests": many}), 200)
                now = read(d.journal_path + "-wal")[16:24]
                rounds, salts = rounds + (now != salts), now
                if rounds == 2:
                    break
        d.kill()
        self.assertEqual(rounds, 2)
        wal = read(d.journal_path + "-wal")
        self.assertLess(commits(wal)[-1], len(wal) - FRAME, "nothing stands behind")
        self.assertGreater(self.records(d.journal_path), 500)
        d.start()
        self.assertEqual(d.stop(), 0)


if __name__ == "__main__":
    daemon.main()
