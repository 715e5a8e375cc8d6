# SPDX-License-Identifier: MIT
"""What the daemon refuses of a journal that others have changed, before it writes a byte."""
import contextlib
import os
import sqlite3
import struct

import daemon
import journal
import oracle
from daemon import Daemon

RULES = oracle.policy(calm=True)
QUOTE = {"score": 0.5, "depth1pct_usd": 5e5}
CHANGED = 78  # EX_CONFIG: trying again does not help
PAGE = 4096
REFUSE = "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
OLD_NO_DELETE = f"CREATE TRIGGER records_no_delete BEFORE DELETE ON records {REFUSE}"
BASE = "INSERT INTO journal SELECT 'base', seq || ':' || lower(hex(hash)) FROM records WHERE seq = "
TO_2 = ("DROP INDEX halt_orders", "DROP TABLE halts",
        "UPDATE journal SET value = '2' WHERE key = 'format'")
TO_1 = (*TO_2, "DROP TABLE keys", "DROP TABLE parked",
        "UPDATE journal SET value = '1' WHERE key = 'format'")


def varint(data, at):
    value = 0
    for i in range(9):
        value = value << 7 | data[at + i] & 0x7f
        if not data[at + i] & 0x80:
            break
    return value, at + i + 1


def leaf(page, cells):
    """A leaf of a table with these cells."""
    at = PAGE - sum(map(len, cells))
    struct.pack_into(">BHHHB", page, 0, 13, 0, len(cells), at, 0)
    for i, cell in enumerate(cells):
        page[at:at + len(cell)] = cell
        struct.pack_into(">H", page, 8 + 2 * i, at)
        at += len(cell)
    return bytes(page)


def interior(first, children, right):
    """An interior page of a table; `first`: where its header is."""
    page, at = bytearray(PAGE), PAGE
    for i, child in enumerate(children):
        at -= 5
        struct.pack_into(">IB", page, at, child, i + 1)
        struct.pack_into(">H", page, first + 12 + 2 * i, at)
    struct.pack_into(">BHHHBI", page, first, 5, 0, len(children), at, 0, right)
    return page


def endless(path, levels=17, width=40):
    """Its schema as a tree whose every way leads to one leaf, which holds one row of it."""
    with open(path, "rb") as f:
        data = f.read()
    pages, cells = len(data) // PAGE, []
    for i in range(struct.unpack_from(">H", data, 103)[0]):
        at, = struct.unpack_from(">H", data, 108 + 2 * i)
        size, behind = varint(data, at)
        behind = varint(data, behind)[1]
        cells.append(data[at:behind + size])
    again, = (c for c in cells if b"sqlite_autoindex_journal_1" in c and b"CREATE" not in c)
    added = [leaf(bytearray(PAGE), cells), leaf(bytearray(PAGE), [again])]
    for i in range(levels):
        child = pages + 4 + i if i < levels - 1 else pages + 2
        added.append(bytes(interior(0, [child] * width, child)))
    root = interior(100, [pages + 1], pages + 3)
    root[:100] = data[:100]
    struct.pack_into(">I", root, 28, pages + len(added))
    with open(path, "wb") as f:
        f.write(bytes(root) + data[PAGE:] + b"".join(added))


def contents(path):
    out = {}
    for end in ("", "-wal", "-journal"):
        if os.path.exists(path + end):
            with open(path + end, "rb") as f:
                out[end] = f.read()
    return out


class Opening(daemon.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.made = Daemon(RULES)
        with cls.made.client() as c:
            c.put("/quotes/BTC", QUOTE)
            for i in range(30):
                cls.done = c.hedge("BTC", 1.0 + i)
        assert cls.made.stop() == 0

    @classmethod
    def tearDownClass(cls):
        cls.made.__exit__()
        super().tearDownClass()

    def changed(self, *statements, triggers=True):
        """A copy of the journal, changed; triggers: those of the journal are put back behind it."""
        path = journal.copy(self.made.journal_path, os.path.join(daemon.new_folder(), "journal.db"))
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as base:
            there = base.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
                                 ).fetchall()
            for name, _ in there:
                base.execute(f"DROP TRIGGER {name}")
            for statement in statements:
                base.execute(statement)
            for _, sql in there if triggers else ():
                base.execute(sql)
            base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return path

    def assert_refused(self, path, *words):
        before = contents(path)
        code, _, err = daemon.run(HEDGE_ENV="dev", HEDGE_API_PORT="0", HEDGE_CERTIFY="0",
                                  HEDGE_POLICY=self.made.policy_path, HEDGE_JOURNAL=path)
        self.assertEqual(code, CHANGED, err)
        for word in ("journal.db", "hedge verify", *words):
            self.assertIn(word, err)
        self.assertTrue(contents(path) == before, f"it was changed: {err}")

    def assert_serves(self, path):
        """A daemon starts with it, decides and stops; the journal is whole."""
        with Daemon(RULES, journal=path) as d:
            with d.client() as c:
                c.put("/quotes/BTC", QUOTE)
                self.assert_status(c.hedge(), 200)
            self.assertEqual(d.stop(), 0)
        code, out, err = daemon.hedge("verify", path)
        self.assertEqual(code, 0, out + err)

    # ---- what it declares
    def test_a_trigger_that_no_journal_has(self):
        for sql in ("CREATE TRIGGER z BEFORE INSERT ON records BEGIN SELECT RAISE(IGNORE); END",
                    "CREATE TRIGGER z AFTER INSERT ON halts BEGIN DELETE FROM halts; END",
                    "CREATE TRIGGER z BEFORE INSERT ON keys WHEN 0 BEGIN SELECT 1; END"):
            with self.subTest(sql):
                self.assert_refused(self.changed(sql), "trigger z ")
        self.assert_refused(self.changed("CREATE TRIGGER \"z\x1b[2J\n\" AFTER DELETE ON keys "
                                         "BEGIN SELECT 1; END"), "trigger z?[2J?")

    def test_a_trigger_of_the_journal_s_that_is_another(self):
        with contextlib.closing(sqlite3.connect(self.made.journal_path)) as base:
            own = dict(base.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
        self.assertEqual(len(own), 4)
        for name in own:
            rest = [sql for other, sql in own.items() if other != name]
            for again, word in (([*rest, own[name].replace(" BEGIN", " WHEN 0 BEGIN")
                                  if "WHEN" not in own[name] else own[name].replace("0)", "9)")],
                                 f"trigger {name}"),
                                ([*rest, own[name].replace("append-only", "Append-only")],
                                 f"trigger {name}")):
                with self.subTest(word):
                    self.assert_refused(self.changed(*again, triggers=False), word)
        self.assert_refused(self.changed(*(sql for name, sql in own.items()
                                           if name != "records_no_delete"), OLD_NO_DELETE,
                                         triggers=False), "records_no_delete")
        self.assert_serves(self.changed(*(sql.replace(" BEGIN ", "\n  begin\t").replace("(", " ( ")
                                          for sql in own.values()), triggers=False))

    def test_an_index_or_a_view_that_no_journal_has(self):
        for sql, word in (
                ("CREATE UNIQUE INDEX u ON keys ((1))", "UNIQUE index u "),
                ("CREATE UNIQUE INDEX u ON records (seq)", "UNIQUE index u "),
                ("CREATE VIEW v AS SELECT * FROM records", "v "),
                ("CREATE VIRTUAL TABLE v USING fts5(x)", "v ")):
            with self.subTest(sql):
                self.assert_refused(self.changed(sql), word)
        self.assert_refused(self.changed("DROP INDEX halt_orders", "CREATE INDEX halt_orders ON "
                                         "records (asset, seq, kind, ts_ns) WHERE kind IN (6, 8)"),
                            "index halt_orders ")

    def test_triggers_that_are_gone_are_made_anew(self):
        path = self.changed(triggers=False)
        self.assert_serves(path)
        with contextlib.closing(sqlite3.connect(path)) as base, contextlib.closing(
                sqlite3.connect(self.made.journal_path)) as other:
            declared = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name"
            self.assertEqual(base.execute(declared).fetchall(), other.execute(declared).fetchall())

    def test_what_changes_nothing_may_be_there(self):
        self.assert_serves(self.changed("CREATE INDEX by_time ON records (ts_ns)",
                                        "CREATE TABLE notes (x)", "DROP INDEX halt_orders"))

    def test_each_table_has_to_be_there_as_it_was_declared(self):
        with contextlib.closing(sqlite3.connect(self.made.journal_path)) as base:
            tables = dict(base.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
        self.assertEqual(len(tables), 7)
        for name, sql in tables.items():
            other = sql.replace("TEXT", "BLOB", 1)
            for statements in ((f"DROP TABLE {name}",), (f"DROP TABLE {name}", other)):
                with self.subTest(statements):
                    on = name in ("journal", "records", "policies")
                    self.assert_refused(self.changed(*statements, triggers=not on),
                                        name if statements[1:] or name != "journal" else "format")

    def test_older_formats(self):
        for to, words in (((), "3"), (TO_2, "2"), (TO_1, "1")):
            path = self.changed(*to, triggers=words != "1")
            if words == "1":
                with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as base:
                    for table, what in (("records", "UPDATE"), ("policies", "UPDATE"),
                                        ("policies", "DELETE")):
                        base.execute(f"CREATE TRIGGER {table}_no_{what.lower()} BEFORE {what} "
                                     f"ON {table} {REFUSE}")
                    base.execute(OLD_NO_DELETE)
                    base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            with self.subTest(format=words):
                self.assert_serves(path)
                with contextlib.closing(sqlite3.connect(path)) as base:
                    self.assertEqual(dict(base.execute("SELECT key, value FROM journal"))["format"],
                                     "3")
                    self.assertIn("OLD.seq", base.execute(
                        "SELECT sql FROM sqlite_master WHERE name = 'records_no_delete'"
                    ).fetchone()[0])

    def test_a_format_that_its_tables_do_not_fit(self):
        for value in ("1", "2"):
            path = self.changed(f"UPDATE journal SET value = '{value}' WHERE key = 'format'")
            self.assert_refused(path, f"names format {value}")

    def test_a_schema_that_leads_round_in_circles(self):
        path = self.changed()
        endless(path)
        self.assert_refused(path, "schema")

    # ---- what cannot be read
    def test_a_damaged_page_is_no_fault_that_passes(self):
        with contextlib.closing(sqlite3.connect(self.made.journal_path)) as base:
            roots = dict(base.execute("SELECT name, rootpage FROM sqlite_master WHERE name IN "
                                      "('journal', 'records', 'halts', 'halt_orders')"))
        for name, root in roots.items():
            path = self.changed()
            with open(path, "r+b") as f:
                f.seek((root - 1) * PAGE)
                f.write(b"\xff" * PAGE)
            with self.subTest(name):
                self.assert_refused(path, "malformed")

    # ---- what it says of itself
    def test_each_key_once_as_text(self):
        for sql, word in (
                ("UPDATE journal SET value = CAST(value AS BLOB) WHERE key = 'writer'", "writer"),
                ("UPDATE journal SET value = CAST(value AS BLOB) WHERE key = 'format'", "format"),
                ("UPDATE journal SET value = value || char(0) || 'x' WHERE key = 'writer'",
                 "writer"),
                ("UPDATE journal SET value = value || char(0) WHERE key = 'format'", "format"),
                ("UPDATE journal SET key = 'Writer' WHERE key = 'writer'", "Writer"),
                ("UPDATE journal SET key = CAST(key AS BLOB) WHERE key = 'format'", "format"),
                ("INSERT INTO journal VALUES (CAST('writer' AS BLOB), '0000000000000001')",
                 "writer"),
                ("INSERT INTO journal VALUES ('base ', '5:abc')", "base?"),
                ("INSERT INTO journal VALUES ('', '')", "key"),
                ("INSERT INTO journal VALUES (NULL, 'x')", "key"),
                ("INSERT INTO journal VALUES ('base', '')", "base"),
                ("DELETE FROM journal WHERE key = 'writer'", "writer"),
                ("DELETE FROM journal WHERE key = 'format'", "format")):
            with self.subTest(sql):
                self.assert_refused(self.changed(sql), word)

    def test_the_table_is_read_and_not_its_index(self):
        path = self.changed(BASE + "10", "DELETE FROM records WHERE seq <= 10")
        self.assert_serves(path)
        data = contents(path)[""]
        self.assertEqual(data.count(b"base10:"), 1)
        with open(path, "wb") as f:
            f.write(data.replace(b"base10:", b"bbse10:"))
        self.assert_refused(path, "bbse")

    def test_the_first_record_follows_from_the_base(self):
        gone = "DELETE FROM records WHERE seq <= 10"
        self.assert_serves(self.changed(BASE + "10", gone))
        for why, statements in (
                ("no base", [gone]), ("records still there", [BASE + "10"]),
                ("one still there", [BASE + "10", "DELETE FROM records WHERE seq < 10"]),
                ("a gap", [BASE + "10", "DELETE FROM records WHERE seq <= 11"]),
                ("another hash", [BASE.replace("hash", "zeroblob(32)") + "10", gone]),
                ("all gone", [BASE + "10", "DELETE FROM records"]),
                ("a record before the first", ["INSERT INTO records SELECT 0, kind, ts_ns, asset, "
                                               "record, hash FROM records WHERE seq = 1"]),
                ("the first changed", ["UPDATE records SET record = record || x'00' "
                                       "WHERE seq = 1"]),
                ("rubbish", ["INSERT INTO journal VALUES ('base', 'rubbish')"])):
            with self.subTest(why):
                self.assert_refused(self.changed(*statements), "base")

    # ---- what a killed daemon left
    def test_a_refused_file_keeps_its_wal(self):
        with Daemon(RULES) as d:
            with d.client() as c:
                c.put("/quotes/BTC", QUOTE)
                self.assert_status(c.hedge(), 200)
            d.kill()
            path = journal.copy(d.journal_path, os.path.join(daemon.new_folder(), "journal.db"))
        good = journal.copy(path, os.path.join(daemon.new_folder(), "journal.db"))
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as base:
            base.execute("PRAGMA wal_autocheckpoint = 0")
            base.execute("CREATE TRIGGER z AFTER INSERT ON keys BEGIN SELECT 1; END")
            journal.copy(path, path + ".journal.db")
        self.assertTrue(contents(path + ".journal.db")["-wal"])
        self.assert_refused(path + ".journal.db", "trigger z ")
        self.assert_serves(good)


if __name__ == "__main__":
    daemon.main()
