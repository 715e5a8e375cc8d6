# SPDX-License-Identifier: MIT
"""Any bit changed in a journal file is found by `hedge verify`, or changes nothing that is kept.

HEDGE_FLIPS sets how many bits are tried (10,000), HEDGE_FLIP_SEED repeats a run. Each bit of what
the file says of itself, its format, its writer and where its chain begins, and of what is halted is
tried in every run; of parked copies one for each ten of the others.
"""
import os
import random
import shutil
import sqlite3
import struct
import threading
import time

import daemon
import oracle
from daemon import Daemon

FLIPS = int(os.environ.get("HEDGE_FLIPS", "10000"))
SEED = int(os.environ.get("HEDGE_FLIP_SEED", "0")) or random.SystemRandom().randrange(1, 10 ** 9)
COLUMNS = {"journal": "key, value", "policies": "hash, ts_ns, text",
           "records": "seq, kind, ts_ns, asset, record, hash",
           # when and why a record was parked is in no chain (docs/journal.md)
           "parked": "seq, record, previous, hash",
           "halts": "asset, ts_ns, seq, actor, reason"}


def contents(path):
    """All that is kept, each value with its type, read past every index; None: unreadable."""
    base = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    try:
        base.text_factory = bytes
        out = []
        for table, columns in COLUMNS.items():
            types = ", ".join(f"typeof({c})" for c in columns.split(", "))
            out.append(base.execute(f"SELECT {columns}, {types} FROM {table} NOT INDEXED "
                                    "ORDER BY 1").fetchall())
        return out
    except (sqlite3.Error, OverflowError):
        return None
    finally:
        base.close()


def differences(was, now):
    """Where two contents() differ: "policies row 3: hash"."""
    if now is None:
        return "cannot be read any more"
    out = []
    for (table, columns), old, new in zip(COLUMNS.items(), was, now):
        if len(old) != len(new):
            out.append(f"{table}: {len(new)} rows, not {len(old)}")
        for number, (a, b) in enumerate(zip(old, new), 1):
            half = len(a) // 2
            for column, k in zip(columns.split(", "), range(half)):
                if (a[k], a[half + k]) != (b[k], b[half + k]):
                    out.append(f"{table} row {number}: {column} ({b[half + k].decode()})")
    return "; ".join(out[:4])


def held_bits(path, table):
    """The bits of the page of a small table that hold something (SQLite's format, 1.6)."""
    base = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    size, = base.execute("PRAGMA page_size").fetchone()
    root, = base.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    base.close()
    with open(path, "rb") as f:
        page = os.pread(f.fileno(), size, (root - 1) * size)
    cells, begin = struct.unpack_from(">HH", page, 3)
    held = [*range(8 + 2 * cells), *range(begin, size)]
    return [((root - 1) * size + byte) * 8 + bit for byte in held for bit in range(8)]


def leave(path):
    """A copy of a journal whose first 40 records have left for Postgres, which refused two of them
    and one that is still there: its path."""
    copy = os.path.join(daemon.new_folder(), "left.db")
    shutil.copyfile(path, copy)
    base = sqlite3.connect(copy)
    digest, = base.execute("SELECT hash FROM records WHERE seq = 40").fetchone()
    base.execute("INSERT INTO parked SELECT r.seq, r.ts_ns, 'no', r.record, b.hash, r.hash FROM "
                 "records AS r JOIN records AS b ON b.seq = r.seq - 1 WHERE r.seq IN (7, 8, 45)")
    base.execute("INSERT INTO journal VALUES ('base', ?)", (f"40:{digest.hex()}",))
    base.execute("DELETE FROM records WHERE seq <= 40")
    base.commit()
    base.close()
    return copy


class Flipper(threading.Thread):
    """Changes bits in a copy of its own, one at a time, and asks `hedge verify` of each."""

    def __init__(self, path, bits, whole):
        super().__init__(daemon=True)
        self.copy = os.path.join(daemon.new_folder(), "journal.db")
        shutil.copyfile(path, self.copy)
        self.bits, self.whole = bits, whole
        self.found, self.harmless, self.missed, self.odd, self.fault = 0, 0, [], [], None

    def run(self):
        try:
            with open(self.copy, "r+b", buffering=0) as f:
                for bit in self.bits:
                    self._try(f, bit)
        except Exception as e:  # pylint: disable=broad-except
            self.fault = repr(e)

    def _try(self, f, bit):
        before = os.pread(f.fileno(), 1, bit // 8)
        os.pwrite(f.fileno(), bytes([before[0] ^ 1 << bit % 8]), bit // 8)
        code, out, err = daemon.hedge("verify", self.copy)
        if code in (1, 2):
            self.found += 1
            if not (out + err).strip():
                self.odd.append((bit, "not a word"))
        elif code != 0:
            self.odd.append((bit, f"exit code {code}: {err}"))
        elif (now := contents(self.copy)) == self.whole:
            self.harmless += 1
        else:
            self.missed.append(f"byte {bit // 8} bit {bit % 8}: {differences(self.whole, now)}")
        os.pwrite(f.fileno(), before, bit // 8)


class BitFlips(daemon.Case):
    def journal(self):
        """A journal with something of everything, at rest: its path."""
        rules = oracle.policy(calm=True)
        d = Daemon(rules)
        self.addCleanup(d.__exit__)
        for life in range(3):
            with d.client() as c:
                self.assert_status(c.hedge("LTC"), 503, "no quote yet: a rejection")
                for asset in oracle.ASSETS[:3]:
                    c.put(f"/quotes/{asset}", {"score": 0.2 + life / 4, "depth1pct_usd": 4e5})
                for i in range(120):
                    self.assert_status(c.hedge(oracle.ASSETS[i % 3], 1.5 + i), 200)
                c.hedge("BTC", 1.0, override_score=0.3)
                c.hedge("BTC", 1e12)
                c.hedge("DOGE")
                self.assert_status(c.post("/halt", {"asset": "ETH", "reason": "a test"}), 200)
                self.assert_problem(c.hedge("ETH"), 503, "halted")
                self.assert_status(c.post("/resume", {"asset": "ETH", "reason": "over"}), 200)
                self.assert_status(c.post("/halt", {"asset": "XRP", "reason": "stays"}), 200)
                for k in range(3):
                    rules["limits"]["min_depth_usd"] = 1000.0 * (1 + life) + k
                    daemon.write_file(d.policy_path, oracle.text(rules))
                    self.assert_status(c.post("/curve/reload"), 200)
                daemon.write_file(d.policy_path, "curve: {method: none}\n")
                c.post("/curve/reload")
                daemon.write_file(d.policy_path, oracle.text(rules))
            self.assertEqual(d.stop(), 0)
            if life < 2:
                d.start()
        self.assertEqual(daemon.hedge("verify", d.journal_path)[0], 0)
        return d.journal_path

    def check_bits(self, path, bits, why):
        """Flips each of them in copies of the file: how many were found."""
        whole = contents(path)
        workers = max(2, os.cpu_count() or 2)
        flippers = [Flipper(path, bits[i::workers], whole) for i in range(workers)]
        begin = time.monotonic()
        for f in flippers:
            f.start()
        for f in flippers:
            f.join()
        self.assertEqual([f.fault for f in flippers if f.fault], [], why)
        missed = [m for f in flippers for m in f.missed]
        found, harmless = sum(f.found for f in flippers), sum(f.harmless for f in flippers)
        print(f"  {why}: {found} found, {harmless} change nothing that is kept, {len(missed)} "
              f"missed, in {time.monotonic() - begin:.0f} s", flush=True)
        self.assertEqual([o for f in flippers for o in f.odd][:3], [], why)
        self.assertEqual(missed[:20], [], f"{why}: {len(missed)} of {len(bits)} changed bits alter "
                                          "what is kept and are not found")
        return found

    def test_every_changed_bit_is_found(self):
        path = self.journal()
        size = os.path.getsize(path)
        whole = contents(path)
        self.assertGreater(len(whole[2]), 300)
        self.assertGreaterEqual(len(whole[1]), 9)
        print(f"\n  {size * 8} bits, {len(whole[2])} records, {len(whole[1])} policies", flush=True)
        left = leave(path)
        self.assertEqual((len(contents(left)[3]), len(whole[4])), (3, 1))
        chosen = random.Random(SEED)
        for what, copy, table in (("what it says of itself", path, "journal"),
                                  ("and of where it begins", left, "journal"),
                                  ("what is halted", path, "halts"),
                                  ("parked copies", left, "parked")):
            bits = held_bits(copy, table)
            head, rest = bits[:8 * 20], bits[8 * 20:]
            if table == "parked":
                rest = chosen.sample(rest, min(len(rest), max(FLIPS // 10, 100)))
            self.assertGreater(self.check_bits(copy, head + rest, what), len(head + rest) // 2)
        bits = chosen.sample(range(size * 8), min(FLIPS, size * 8))
        self.assertGreater(self.check_bits(path, bits, f"seed {SEED}"), len(bits) // 2)


if __name__ == "__main__":
    daemon.main()
