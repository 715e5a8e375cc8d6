# SPDX-License-Identifier: MIT
"""`hedge verify`: whole and damaged journals, made here from docs/journal.md alone."""
import ctypes
import hashlib
import os
import signal
import sqlite3
import struct
import subprocess
import sys
import unittest

from cli import BAD_DATA, Case, LIBRARY, LINE, POLICY, USAGE, hedge, strict_json

WRITER = 0x0123456789ABCDE
TABLES = """
CREATE TABLE journal  (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE policies (hash BLOB PRIMARY KEY, ts_ns INTEGER NOT NULL, text TEXT NOT NULL);
CREATE TABLE records  (seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, ts_ns INTEGER NOT NULL,
                       asset TEXT NOT NULL, record BLOB NOT NULL, hash BLOB NOT NULL);
CREATE TABLE certificates (curve_hash BLOB NOT NULL, build TEXT NOT NULL, ts_ns INTEGER NOT NULL,
                           PRIMARY KEY (curve_hash, build));
CREATE TABLE parked (seq INTEGER PRIMARY KEY, ts_ns INTEGER NOT NULL, reason TEXT NOT NULL,
                     record BLOB NOT NULL, previous BLOB NOT NULL, hash BLOB NOT NULL);
CREATE TABLE keys (key TEXT PRIMARY KEY, ts_ns INTEGER NOT NULL, record BLOB NOT NULL)
                   WITHOUT ROWID;
CREATE TABLE halts (asset TEXT PRIMARY KEY, ts_ns INTEGER NOT NULL, seq INTEGER NOT NULL,
                    actor TEXT NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX halt_orders ON records (asset, seq, kind, ts_ns) WHERE kind IN (6, 7);
"""
POLICY_TEXT = LINE + "assets: {BTC: {}, ETH: {}}\n"
POLICY_HASH = hashlib.sha256(POLICY_TEXT.encode()).digest()
START, STOP, LIVE, HALT = 2, 3, 4, 6
NOTE = ("anna", "a person, \u00fc")  # of a halt: who, and why


def text(value):
    data = value.encode()
    return struct.pack("<H", len(data)) + data


def record(kind, seq, ts_ns, asset="", note="", status=0, writer=WRITER, policy=POLICY_HASH):
    data = b"HDR1" + struct.pack("<IQQq", kind, seq, writer, ts_ns) + policy
    data += text("0.1.0+test") + text(asset) + text(note)
    if kind == 1:
        answered = (0.5, 500.0, 0.9, 0.5, 1.0, 0.5, 1.0) if status == 0 else (0.0,) * 7
        data += struct.pack("<iIdd", 0, 0, 1000.0, 0.0)
        data += struct.pack("<IdddqdqiIi", 5, 0.5, 0.0, 0.9, ts_ns, 1e6, ts_ns, status, 0, 0)
        data += struct.pack("<dddddddqqq", *answered, 0, 0, ts_ns)
    return data


def story(n=12, writer=WRITER, policy=POLICY_HASH):
    """[(seq, kind, ts_ns, asset, record)]: a start, a policy, decisions, a halt, a stop."""
    out = []
    for seq in range(1, n + 1):
        ts_ns = 1_752_480_000_123_456_789 + seq * 1_000_000_007
        kind = {1: START, 2: LIVE, n - 1: HALT, n: STOP}.get(seq, 1)
        asset = "BTC" if kind in (1, HALT) else ""
        note = " ".join(NOTE) if kind == HALT else ""
        status = -108 if kind == 1 and seq % 3 == 0 else 0
        out.append((seq, kind, ts_ns, asset,
                    record(kind, seq, ts_ns, asset, note, status, writer, policy)))
    return out


def chained(records):
    """The rows with their hashes, and the head's hash."""
    previous, out = bytes(32), []
    for row in records:
        previous = hashlib.sha256(previous + row[4]).digest()
        out.append((*row, previous))
    return out, previous


def fill(base, rows, policies):
    """Makes the tables, and puts in what belongs to the rows."""
    base.executescript(TABLES)
    base.executemany("INSERT INTO journal VALUES (?, ?)",
                     [("format", "3"), ("writer", f"{WRITER:016x}")])
    live_ns = next((ts_ns for _, kind, ts_ns, *_ in rows if kind == LIVE), 5)
    base.executemany("INSERT INTO policies VALUES (?, ?, ?)",
                     [(digest, live_ns, text) for digest, text in policies])
    base.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)", rows)
    base.executemany("INSERT OR REPLACE INTO halts VALUES (?, ?, ?, ?, ?)",
                     [(asset, ts_ns, seq, *NOTE) for seq, kind, ts_ns, asset, *_ in rows
                      if kind == HALT])


def make(path, rows, policies=((POLICY_HASH, POLICY_TEXT),), wal=False):
    base = sqlite3.connect(path)
    if wal:
        base.execute("PRAGMA journal_mode=WAL")
    fill(base, rows, policies)
    base.commit()
    base.close()
    return path


def content(folder):
    """Every file in a folder, with its bytes."""
    out = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as f:
            out[name] = f.read()
    return out


KILLED = """
import os, signal, sqlite3, sys
sys.path.insert(0, sys.argv[1])
import test_verify
rows, _ = test_verify.chained(test_verify.story())
base = sqlite3.connect(sys.argv[2], isolation_level=None)
base.execute("PRAGMA locking_mode=EXCLUSIVE")
base.execute("PRAGMA journal_mode=WAL")
base.execute("PRAGMA synchronous=FULL")
test_verify.fill(base, rows, ((test_verify.POLICY_HASH, test_verify.POLICY_TEXT),))
print("ready", flush=True)
sys.stdin.read()
"""


class Verify(Case):
    def journal(self, rows=None, **more):
        path = os.path.join(self.folder, "journal.db")
        if os.path.exists(path):
            os.unlink(path)
        return make(path, chained(story())[0] if rows is None else rows, **more)

    def found(self, words, path, *arguments, fault, seq=None):
        """verify fails with exit code 1 and names the place, as text and as JSON."""
        out = self.refused(BAD_DATA, words, "verify", path, *arguments)
        self.assertEqual(out, "")
        code, out, err = hedge("verify", path, *arguments, "--json")
        answer = strict_json(out)
        self.assertEqual((code, err), (BAD_DATA, ""))
        self.assertEqual((answer["ok"], answer["fault"], answer.get("seq")), (False, fault, seq))
        self.assertRegex(answer["message"], ".")

    def test_a_good_journal(self):
        for wal in (False, True):
            path = self.journal(wal=wal)
            before = content(self.folder)
            _, head = chained(story())
            out = self.run_ok("verify", path)
            self.assertRegex(out, r"^\S+: whole\n")
            for name, value in (("records", "12"), ("decisions", "8"), ("rejections", "3"),
                                ("head", f"12:{head.hex()}"), ("writer", f"{WRITER:016x}"),
                                ("first", "2025-07-14T08:00:01.123456796Z")):
                self.assertRegex(out, rf"(?m)^  {name} +{value}$")
            answer = strict_json(self.run_ok("verify", path, "--json"))
            self.assertEqual({k: answer[k] for k in ("ok", "records", "decisions", "rejections",
                                                     "policies")},
                             {"ok": True, "records": 12, "decisions": 8, "rejections": 3,
                              "policies": 1})
            self.assertEqual(answer["head"], {"seq": 12, "hash": head.hex()})
            self.assertEqual(content(self.folder), before, "nothing is written or left")

    def test_an_empty_journal(self):
        path = self.journal(rows=[], policies=())
        self.assertIn("records     0", self.run_ok("verify", path))
        self.assertIsNone(strict_json(self.run_ok("verify", path, "--json"))["first_time"])
        self.refused(USAGE, "not SEQ:HASH", "verify", path, "--head", "0:" + "0" * 64)

    def test_any_flipped_bit_of_a_record_is_found(self):
        rows, _ = chained(story())
        size = len(rows[4][4])
        for at in range(0, size, 9):
            data = bytearray(rows[4][4])
            data[at] ^= 1 << at % 8
            changed = rows[:4] + [(*rows[4][:4], bytes(data), rows[4][5])] + rows[5:]
            path = self.journal(changed)
            self.refused(BAD_DATA, "record 5: changed", "verify", path)

    def test_a_change_with_a_new_hash_is_found_at_the_next(self):
        rows, _ = chained(story())
        forged = story()
        forged[4] = (*forged[4][:4], record(1, 5, forged[4][2], "BTC", "", -108))
        changed = rows[:4] + [chained(forged)[0][4]] + rows[5:]
        self.found("record 6: changed: its hash does not follow", self.journal(changed),
                   fault="changed", seq=6)

    def test_changed_columns_are_found(self):
        rows, _ = chained(story())
        for column, value in ((1, 2), (2, 7), (3, "ETH"), (4, "text"), (5, b"short")):
            row = list(rows[4])
            row[column] = value
            self.found("record 5: changed", self.journal(rows[:4] + [tuple(row)] + rows[5:]),
                       fault="changed", seq=5)

    def test_a_missing_record_is_found(self):
        rows, _ = chained(story())
        self.found("record 5: missing: record 6 comes next", self.journal(rows[:4] + rows[5:]),
                   fault="missing", seq=5)
        self.found("record 1: missing", self.journal(rows[1:]), fault="missing", seq=1)

    def test_removing_and_renumbering_is_found(self):
        rows, _ = chained(story())
        moved = rows[:4] + [(r[0] - 1, *r[1:]) for r in rows[5:]]
        self.found("record 5: .*those of record 6", self.journal(moved), fault="reordered", seq=5)

    def test_swapped_records_are_found(self):
        rows, _ = chained(story())
        swapped = rows[:4] + [(5, *rows[5][1:]), (6, *rows[4][1:])] + rows[6:]
        self.found("record 5: .*reordered.*record 6", self.journal(swapped),
                   fault="reordered", seq=5)

    def test_a_record_before_the_first_is_found(self):
        rows, _ = chained(story())
        self.found("record 1: .*numbered 0", self.journal([(0, *rows[0][1:])] + rows),
                   fault="reordered", seq=1)

    def test_another_writers_records_are_found(self):
        self.found("record 1: written by", self.journal(chained(story(writer=WRITER + 1))[0]),
                   fault="changed", seq=1)

    def test_a_kept_head(self):
        rows, head = chained(story())
        path = self.journal()
        for row in rows:
            self.run_ok("verify", path, "--head", f"{row[0]}:{row[5].hex()}")
        self.run_ok("verify", path, "--head", f"12:{head.hex().upper()}")
        short = self.journal(rows[:9])
        self.run_ok("verify", short)
        self.found("record 10: truncated: .*record 9, .*record 12", short, "--head",
                   f"12:{head.hex()}", fault="truncated", seq=10)
        other, _ = chained(story()[:6] + story(n=13)[6:12])
        self.found("record 12: rewritten", self.journal(other), "--head", f"12:{head.hex()}",
                   fault="rewritten", seq=12)
        for wrong in ("12", "12:", f"x:{head.hex()}", f"12:{head.hex()}0", f"-1:{head.hex()}",
                      f":{head.hex()}", f"12:{'g' * 64}"):
            self.refused(USAGE, "SEQ:HASH", "verify", path, f"--head={wrong}")

    def test_policies(self):
        changed = ((POLICY_HASH, POLICY_TEXT + " "),)
        self.found(f"policy {POLICY_HASH.hex()[:12]}: .*changed", self.journal(policies=changed),
                   fault="policy")
        self.found("record 2: its policy", self.journal(policies=()), fault="policy", seq=2)
        nonsense = "this is a text that is long enough, but it is no policy\n"
        digest = hashlib.sha256(nonsense.encode()).digest()
        both = ((POLICY_HASH, POLICY_TEXT), (digest, nonsense))
        self.found("not a policy", self.journal(policies=both), fault="policy")
        self.found("32 bytes", self.journal(policies=((b"short", POLICY_TEXT),)), fault="policy")

    def test_a_canonical_policy_is_known_as_such(self):
        if not os.path.exists(LIBRARY):
            self.skipTest(f"no {LIBRARY}")
        if "asan" in os.environ.get("LD_PRELOAD", "") or not self.loads():
            self.skipTest(f"{LIBRARY} does not load into this Python")
        canonical = self.canonical(POLICY)
        digest = hashlib.sha256(canonical).digest()
        rows, _ = chained(story(policy=digest))
        path = self.journal(rows, policies=((digest, canonical.decode()),))
        self.assertEqual(strict_json(self.run_ok("verify", path, "--json"))["policies_reworded"], 0)
        shown = strict_json(self.run_ok("check", "--quick", "--json"))["policy"]
        self.assertEqual(shown, digest.hex())
        path = self.journal()
        self.assertEqual(strict_json(self.run_ok("verify", path, "--json"))["policies_reworded"], 1)

    @staticmethod
    def loads():
        return subprocess.run([sys.executable, "-c", f"import ctypes; ctypes.CDLL({LIBRARY!r})"],
                              capture_output=True).returncode == 0

    @staticmethod
    def canonical(path):
        library = ctypes.CDLL(LIBRARY)
        library.hedge_policy_text.restype = ctypes.c_char_p
        policy = ctypes.c_void_p()
        assert library.hedge_policy_load(path.encode(), None, ctypes.byref(policy)) == 0
        canonical = library.hedge_policy_text(policy, None)
        library.hedge_policy_free(policy)
        return canonical

    def test_what_is_no_journal_is_refused(self):
        for name, data in (("text", b"hello"), ("empty", b""), ("noise", os.urandom(5000)),
                           ("magic", b"SQLite format 3\0" + os.urandom(5000))):
            path = self.file(name, data)
            self.found("not a journal", path, fault="not_a_journal")
        other = os.path.join(self.folder, "other.db")
        base = sqlite3.connect(other)
        base.execute("CREATE TABLE t (x)")
        base.commit()
        base.close()
        self.found("not a journal", other, fault="not_a_journal")
        for key, value, words in (("format", "4", "format '4'"), ("writer", "xyz", "writer")):
            path = self.journal()
            base = sqlite3.connect(path)
            base.execute("UPDATE journal SET value = ? WHERE key = ?", (value, key))
            base.commit()
            base.close()
            self.found(words, path, fault="not_a_journal")

    def test_a_view_in_place_of_a_table_is_refused(self):
        path = self.journal()
        base = sqlite3.connect(path)
        base.executescript("ALTER TABLE records RENAME TO hidden;"
                           "CREATE VIEW records AS SELECT * FROM hidden;")
        base.close()
        self.found("not a journal", path, fault="not_a_journal")

    def test_a_damaged_file_is_found(self):
        rows, _ = chained(story(400))
        path = self.journal(rows)
        with open(path, "r+b") as f:
            f.seek(40960)
            f.write(os.urandom(8192))
        code, out, err = hedge("verify", path)
        self.assertEqual((code, out), (BAD_DATA, ""), err)

    def test_a_missing_file_is_not_made(self):
        path = os.path.join(self.folder, "none.db")
        self.refused(USAGE, "none.db: No such file", "verify", path)
        answer = strict_json(hedge("verify", path, "--json")[1])
        self.assertEqual((answer["ok"], answer["fault"]), (False, "unreadable"))
        self.assertEqual(os.listdir(self.folder), [])
        self.refused(USAGE, "not a regular file", "verify", self.folder)
        self.refused(USAGE, "FILE is missing", "verify")
        self.refused(USAGE, "unexpected argument", "verify", path, path)

    def test_odd_names_are_opened(self):
        for name in ("a b.db", "50%25.db", "what?mode=rw.db", "a#b.db", "\u00fc.db"):
            path = make(os.path.join(self.folder, name), chained(story())[0])
            self.run_ok("verify", path)
            os.unlink(path)
        os.symlink(self.journal(), os.path.join(self.folder, "link"))
        self.run_ok("verify", os.path.join(self.folder, "link"))

    def killed(self, end):
        """A journal whose owner is alive until end(process) is called."""
        path = os.path.join(self.folder, "journal.db")
        owner = subprocess.Popen([sys.executable, "-B", "-c", KILLED,
                                  os.path.dirname(os.path.abspath(__file__)), path],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(owner.stdout.close)
        self.addCleanup(owner.stdin.close)
        self.addCleanup(owner.kill)
        self.assertEqual(owner.stdout.readline(), b"ready\n")
        end(owner, path)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        return path

    def test_a_journal_in_use_is_not_read(self):
        def end(_, path):
            self.refused(USAGE, "in use by a running daemon.*GET /decisions", "verify", path)
            answer = strict_json(hedge("verify", path, "--json")[1])
            self.assertEqual((answer["ok"], answer["fault"]), (False, "in_use"))
        self.killed(end)

    def test_a_killed_owners_journal_is_whole_and_stays_as_it_was(self):
        path = self.killed(lambda *_: None)
        before = content(self.folder)
        self.assertGreater(len(before["journal.db-wal"]), 0)
        for _ in range(2):
            answer = strict_json(self.run_ok("verify", path, "--json"))
            self.assertEqual((answer["records"], answer["head"]["hash"]),
                             (12, chained(story())[1].hex()))
            self.assertEqual(content(self.folder), before, "neither file was changed, none left")
        base = sqlite3.connect(path)
        self.assertEqual(base.execute("SELECT count(*) FROM records").fetchone(), (12,))
        base.close()

    def test_a_journal_that_may_only_be_read(self):
        path = self.journal(wal=True)
        os.chmod(path, 0o400)
        os.chmod(self.folder, 0o500)
        self.addCleanup(os.chmod, self.folder, 0o700)
        self.run_ok("verify", path)


if __name__ == "__main__":
    unittest.main()
