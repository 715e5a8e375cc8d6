# SPDX-License-Identifier: MIT
"""`hedge verify` over journals' files that a forger made, and over honest ones like them."""
import os
import sqlite3
import struct

import daemon
import journal
import shipping
import test_audit
from cli import Case, USAGE, strict_json
from test_verify import content

RECORDS = ("kind INTEGER NOT NULL, ts_ns INTEGER NOT NULL, asset TEXT NOT NULL, "
           "record BLOB NOT NULL, hash BLOB NOT NULL")
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"


def parked(row, before, **changes):
    """A statement that parks a row of records as the daemon does."""
    put = {"seq": row[0], "ts_ns": 1, "reason": "refused", "record": row[4], "previous": before,
           "hash": row[5], **changes}
    return "INSERT INTO parked VALUES (?, ?, ?, ?, ?, ?)", tuple(put.values())


def halt(records, asset="BTC", kind=6):
    """Adds a halt to decoded records, or a resume (kind 7)."""
    records.append({**records[-1], "kind": kind, "seq": len(records) + 1, "asset": asset,
                    "ts_ns": records[-1]["ts_ns"] + 1, "note": "- a test"})


class FileCase(test_audit.AuditCase):
    def parked(self, number, **changes):
        before = self.rows[number - 2][5] if number > 1 else journal.FIRST
        return parked(self.rows[number - 1], before, **changes)

    def left(self, n, *more):
        """A copy of the journal whose records 1 to n have left."""
        return self.sql(self.copied(), f"DELETE FROM records WHERE seq <= {n}", *more,
                        ("INSERT OR REPLACE INTO journal VALUES ('base', ?)",
                         (f"{n}:{self.rows[n - 1][5].hex()}",)))

    def rebuilt(self, table, declaration, *more):
        """A copy where a table has another declaration, and the rows it had."""
        columns = {"records": "seq, kind, ts_ns, asset, record, hash", "journal": "key, value",
                   "policies": "hash, ts_ns, text", "keys": "key, ts_ns, record",
                   "certificates": "curve_hash, build, ts_ns",
                   "parked": "seq, ts_ns, reason, record, previous, hash"}[table]
        return self.sql(self.copied(), f"CREATE TABLE old AS SELECT {columns} FROM {table}",
                        f"DROP TABLE {table}", f"CREATE TABLE {table} {declaration}",
                        f"INSERT INTO {table} ({columns}) SELECT {columns} FROM old",
                        "DROP TABLE old", *more)

    def past_index(self, table, *statements):
        """A copy changed where the table's unique index does not see it."""
        path = self.copied()
        index = f"sqlite_autoindex_{table}_1"
        base = sqlite3.connect(path)
        master = base.execute("SELECT * FROM sqlite_master WHERE name = ?", (index,)).fetchone()
        declared, = base.execute("SELECT sql FROM sqlite_master WHERE name = ?",
                                 (table,)).fetchone()
        base.execute("PRAGMA writable_schema = ON")
        base.execute("DELETE FROM sqlite_master WHERE name = ?", (index,))
        base.execute("UPDATE sqlite_master SET sql = replace(sql, 'PRIMARY KEY', '') "
                     "WHERE name = ?", (table,))
        base.commit()
        base.close()
        self.sql(path, *statements)
        base = sqlite3.connect(path)
        base.execute("PRAGMA writable_schema = ON")
        base.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (declared, table))
        base.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", master)
        base.commit()
        base.close()
        return path

    def refused_by_all(self, words, path, fault):
        self.found(words, "verify", path, fault=fault)
        for command in ("replay", "explain 20"):
            self.refused(1, words, *command.split(), path)


    def older(self, path, value="1", drop=("parked", "keys", "certificates", "halts")):
        """The file as one of an older format, which has no halts."""
        return self.sql(path, *(f"DROP TABLE {name}" for name in drop), "DROP INDEX halt_orders",
                        ("UPDATE journal SET value = ? WHERE key = 'format'", (value,)))


class Honest(FileCase):
    def test_a_journal_of_format_1(self):
        path = self.older(self.copied())
        answer = strict_json(self.run_ok("verify", path, "--head", self.head, "--json"))
        self.assertEqual((answer["parked"], answer["parked_alone"]), (0, 0))
        self.assertNotIn("parked", self.run_ok("verify", path))

    def test_declared_with_other_spaces(self):
        self.run_ok("verify", self.rebuilt("records", f"(\n\tseq  integer PRIMARY KEY , {RECORDS}\n"
                                                      ")"))

    def test_parked_records(self):
        last = len(self.rows)
        path = self.sql(self.copied(), *map(self.parked, (1, 3, 4, last)))
        answer = strict_json(self.run_ok("verify", path, "--json"))
        self.assertEqual((answer["parked"], answer["parked_alone"]), (4, 0))
        self.assertIn("parked      4 that Postgres refused (copies; the records are here)",
                      self.run_ok("verify", path))
        path = self.left(4, *map(self.parked, (1, 3, 4, 5, last)))
        answer = strict_json(self.run_ok("verify", path, "--json"))
        self.assertEqual((answer["parked"], answer["parked_alone"]), (5, 3))
        self.assertEqual(answer["chains"][0]["parked_alone"], 3)
        self.assertRegex(self.run_ok("verify", path), "parked +5 that Postgres refused, of which 3 "
                                                      "have left the file")


class Forged(FileCase):
    # ---- what lies beside the file
    def test_a_rollback_journal_is_refused_and_left(self):
        for wal in (b"", b"junk" * 20):
            path = self.copied()
            self.file("forged.db-wal", wal)
            self.file("forged.db-journal", b"")
            if not wal:
                self.run_ok("verify", path)
            self.file("forged.db-journal", b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(504))
            before = content(self.folder)
            self.found("rollback journal.*copy both", "verify", path, fault="unreadable",
                       code=USAGE)
            self.refused(USAGE, "rollback journal", "replay", path)
            self.assertEqual(content(self.folder), before)

    def test_what_is_no_file_beside_it_is_refused(self):
        """SQLite would open it, and a FIFO keeps whoever opens it waiting."""
        for end, other in (("-journal", "-wal"), ("-wal", "-journal")):
            path = self.copied()
            for make in (os.mkfifo, os.mkdir):
                make(path + end)
                for wal in (b"", b"junk" * 20):
                    if other == "-wal":
                        self.file("forged.db-wal", wal)
                    self.found(f"its name and {end} is not a regular file", "verify", path,
                               fault="unreadable", code=USAGE)
                (os.unlink if make is os.mkfifo else os.rmdir)(path + end)
            if other == "-wal":
                os.unlink(path + other)

    # ---- tables
    def test_tables_of_another_declaration(self):
        pair = "(key TEXT, value TEXT NOT NULL)"
        for table, declaration in (
                ("records", f"(seq INTEGER, {RECORDS})"),
                ("records", f"(seq INTEGER PRIMARY KEY DESC, {RECORDS})"),
                ("records", f"(seq INTEGER PRIMARY KEY, {RECORDS}) WITHOUT ROWID"),
                ("records", f"(seq REAL PRIMARY KEY, {RECORDS})"),
                ("records", f"(seq TEXT PRIMARY KEY, {RECORDS})"),
                ("records", f"(seq BLOB PRIMARY KEY, {RECORDS})"),
                ("records", f"(seq INTEGER PRIMARY KEY, {RECORDS}, more)"),
                ("records", f"(seq INTEGER PRIMARY KEY, {RECORDS}, more AS (seq) VIRTUAL)"),
                ("records", f"(seq INTEGER PRIMARY KEY, {RECORDS.replace('ts_ns INTEGER', 'ts_ns')}"
                            ")"),
                ("policies", "(hash BLOB, ts_ns INTEGER NOT NULL, text TEXT NOT NULL)"),
                ("policies", "(hash BLOB PRIMARY KEY, ts_ns INTEGER NOT NULL, text BLOB NOT NULL)"),
                ("policies", "(hash BLOB PRIMARY KEY, ts_ns NOT NULL, text TEXT NOT NULL)"),
                ("journal", pair), ("journal", "(key PRIMARY KEY, value)"),
                ("parked", "(seq INTEGER, ts_ns, reason, record, previous, hash)"),
                ("keys", "(key TEXT PRIMARY KEY, ts_ns INTEGER NOT NULL, record BLOB NOT NULL)"),
                ("certificates", "(curve_hash BLOB, build TEXT, ts_ns INTEGER)")):
            with self.subTest(table=table, declaration=declaration):
                self.refused_by_all(f"table {table} is not declared",
                                    self.rebuilt(table, declaration), "not_a_journal")

    def test_an_index_that_hides_the_table(self):
        """Pages of an index with the honest rows, over a table with others."""
        path = self.rebuilt("records", f"(seq INTEGER, {RECORDS})",
                            "CREATE INDEX whole ON records (seq, kind, ts_ns, asset, record, hash)")
        self.found("table records", "verify", path, fault="not_a_journal")
        path = self.sql(self.copied(), "CREATE INDEX whole ON records (seq, kind, ts_ns, asset, "
                                       "record, hash)")
        self.run_ok("verify", path)
        base = sqlite3.connect(path)
        base.execute("PRAGMA writable_schema = ON")
        kept = base.execute("SELECT * FROM sqlite_master WHERE name = 'whole'").fetchone()
        base.execute("DELETE FROM sqlite_master WHERE name = 'whole'")
        base.commit()
        base.close()
        self.sql(path, "UPDATE records SET ts_ns = ts_ns + 1 WHERE seq = 7")
        base = sqlite3.connect(path)
        base.execute("PRAGMA writable_schema = ON")
        base.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", kept)
        base.commit()
        base.close()
        self.found("record 7: changed", "verify", path, fault="changed", seq=7)

    def test_views_and_virtual_tables(self):
        for table in ("records", "policies", "journal", "parked", "keys", "certificates"):
            for view in (ENDLESS, f"SELECT * FROM hidden_{table}"):
                path = self.sql(self.copied(), f"CREATE TABLE hidden_{table} AS SELECT * FROM "
                                f"{table}", f"DROP TABLE {table}", f"CREATE VIEW {table} AS {view}")
                self.refused_by_all("a view, a virtual table", path, "not_a_journal")
        path = self.copied()
        try:
            self.sql(path, "CREATE TABLE hidden AS SELECT * FROM records", "DROP TABLE records",
                     "CREATE VIRTUAL TABLE records USING fts4(content='hidden', seq, kind, ts_ns, "
                     "asset, record, hash)")
        except sqlite3.OperationalError:
            return  # this SQLite has none
        self.refused_by_all("a view, a virtual table", path, "not_a_journal")

    def test_a_view_that_calls_itself_a_table(self):
        for sql in (f"CREATE VIEW parked AS {ENDLESS}", f"create view parked as {ENDLESS}",
                    f"CREATE/**/VIEW parked AS {ENDLESS}",
                    "CREATE TABLE parked AS SELECT 1", "CREATE TABLE other (x)"):
            path = self.copied()
            base = sqlite3.connect(path)
            base.execute("PRAGMA writable_schema = ON")
            base.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'parked'", (sql,))
            base.commit()
            base.close()
            self.found("not a journal", "verify", path, fault="not_a_journal")

    def test_triggers_that_are_not_the_journals(self):
        """Each would run in the daemon: the first makes it answer and keep nothing."""
        abort = "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
        for name, trigger in (
                ("z", "z BEFORE INSERT ON records BEGIN SELECT RAISE(IGNORE); END"),
                ("z", "z AFTER INSERT ON halts BEGIN DELETE FROM halts; END"),
                ("records_no_update", f"records_no_update AFTER UPDATE ON records {abort}"),
                ("records_no_update", f"records_no_update BEFORE UPDATE ON halts {abort}"),
                ("records_no_update",
                 f"records_no_update BEFORE UPDATE OF hash ON records {abort}"),
                ("policies_no_insert", f"policies_no_insert BEFORE INSERT ON policies {abort}"),
                ("records_no_delete", "records_no_delete BEFORE DELETE ON records WHEN OLD.seq > "
                 "ifnull((SELECT CAST(value AS INTEGER) FROM journal WHERE key = 'BASE'), 0) "
                 + abort)):
            with self.subTest(trigger=trigger):
                self.refused_by_all(f"no journal has its trigger {name}$", self.sql(
                    self.copied(), "CREATE TRIGGER " + trigger), "not_a_journal")
        path = self.sql(self.copied(), "CREATE TRIGGER \"\x1b[2J\x9b\" BEFORE INSERT ON keys "
                                       "BEGIN SELECT RAISE(IGNORE); END")
        self.refused_by_all(r"no journal has its trigger \\x1b\[2J", path, "not_a_journal")

    def test_the_journals_own_triggers(self):
        """There or not, as older daemons wrote them, whatever their spaces and letters' case."""
        base = sqlite3.connect(self.path)
        own = base.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        base.close()
        self.assertEqual(len(own), 4)
        self.run_ok("verify", self.path)
        for name, sql in own:
            self.run_ok("verify", self.sql(self.copied(), sql))
            self.run_ok("verify", self.sql(self.copied(), sql.replace("BEFORE", " before\n\t")))
            self.refused_by_all(f"trigger {name}$", self.sql(
                self.copied(), sql.replace("ABORT", "IGNORE").replace(
                    ", 'the journal is append-only'", "")), "not_a_journal")
        self.run_ok("verify", self.sql(
            self.copied(), "CREATE TRIGGER records_no_delete BEFORE DELETE ON records BEGIN SELECT "
                           "RAISE(ABORT, 'the journal is append-only'); END"))

    def test_indexes_that_no_journal_has(self):
        """A UNIQUE one lets the daemon's own rows drop each other; others run what they name."""
        for name, index in (("u", "UNIQUE INDEX u ON keys((1))"),
                            ("u", "UNIQUE INDEX u ON records (hash)"),
                            ("i", "INDEX i ON records (hex(record))"),
                            ("i", "INDEX i ON records (seq) WHERE asset <> 'BTC'"),
                            ("i", "INDEX i ON records (asset COLLATE NOCASE)"),
                            ("halt_orders", "INDEX halt_orders ON records (asset)"),
                            ("halt_orders", "INDEX halt_orders ON records (asset, seq, kind, ts_ns)"
                                            " WHERE kind IN (6, 8)"),
                            ("keys_by_age", "INDEX keys_by_age ON keys (record)")):
            with self.subTest(index=index):
                self.refused_by_all(f"no journal has its index {name}$", self.sql(
                    self.copied(), f"DROP INDEX IF EXISTS {name}", "CREATE " + index),
                    "not_a_journal")
        self.run_ok("verify", self.sql(self.copied(), "CREATE INDEX i ON records (ts_ns, asset)",
                                       "DROP INDEX halt_orders", "DROP INDEX keys_by_age"))

    def test_pages_that_come_twice(self):
        """As in a table whose pages were tied so that its rows come again and again."""
        path = self.copied()
        base = sqlite3.connect(path)
        root, = base.execute("SELECT rootpage FROM sqlite_master WHERE name = 'records'").fetchone()
        size, = base.execute("PRAGMA page_size").fetchone()
        base.close()
        with open(path, "r+b") as f:
            f.seek((root - 1) * size)
            page = f.read(size)
            self.assertEqual(page[0], 5, "a page of pages")
            first, second = struct.unpack_from(">HH", page, 12)
            f.seek((root - 1) * size + second)
            f.write(page[first:first + 4])
        seq = self.found("comes out of its turn", "verify", path, fault="damaged",
                         seq=self.rows_of_page(page, first) + 1)["seq"]
        self.assertGreater(seq, 1)
        self.refused(1, "comes out of its turn", "replay", path)

    def test_damage_that_no_scan_meets(self):
        """Every row reads as it was; whoever looks for one by its number or index goes astray."""
        path = self.copied()
        at, page = self.page_of(path, "records")
        first, = struct.unpack_from(">H", page, 12)
        self.assertTrue(1 < page[first + 4] < 0x80, "a number of one byte")
        self.write(path, at + first + 4, bytes([page[first + 4] ^ 1]))
        self.assertEqual(journal.rows(path)[1], self.rows)
        self.found("damaged file: .*out of order", "verify", path, fault="damaged")
        path = self.past_index("policies", "DELETE FROM policies WHERE 0")
        self.run_ok("verify", path)
        path = self.sql(self.copied(), "INSERT INTO keys VALUES ('k', 1, x'00')")
        self.write(path, self.page_of(path, "keys_by_age")[0] + 3, b"\0\0")
        self.found("damaged file: ", "verify", path, fault="damaged")

    def test_an_index_of_halts_with_another_condition(self):
        """Its statement was set back; the daemon asks this index at its start what is halted."""
        path = self.sql(self.copied(halt), "DROP INDEX halt_orders",
                        "CREATE INDEX halt_orders ON records (asset, seq, kind, ts_ns) WHERE kind "
                        "IN (6, 7) AND asset <> 'BTC'")
        base = sqlite3.connect(path)
        base.execute("PRAGMA writable_schema = ON")
        base.execute("UPDATE sqlite_master SET sql = replace(sql, ' AND asset <> ' || "
                     "quote('BTC'), '') "
                     "WHERE name = 'halt_orders'")
        base.commit()
        base.close()
        self.found("damaged file: row [0-9]+ missing from index halt_orders", "verify", path,
                   fault="damaged")

    def test_parked_copies_that_are_hidden(self):
        path = self.sql(self.copied(), *map(self.parked, (1, 3, 4)))
        at, page = self.page_of(path, "parked")
        self.write(path, at + 3, struct.pack(">H", struct.unpack_from(">H", page, 3)[0] - 1))
        self.found("damaged file: ", "verify", path, fault="damaged")

    def test_tables_of_others(self):
        """Of columns alone; a condition would be worked out for each row of theirs."""
        self.run_ok("verify", self.sql(self.copied(), "CREATE TABLE mine (x, y)",
                                       "INSERT INTO mine VALUES (1, 2)", "ANALYZE"))
        for declaration in ("(x CHECK (x LIKE '%a%a%a%a%a%b'))", "(x, y AS (hex(x)))",
                            "(x DEFAULT (1))"):
            self.refused_by_all("its table mine is not declared as a journal's", self.sql(
                self.copied(), "CREATE TABLE mine " + declaration), "not_a_journal")

    @staticmethod
    def page_of(path, name):
        """Where the first page of a table or an index is in the file, and its bytes."""
        base = sqlite3.connect(path)
        root, = base.execute("SELECT rootpage FROM sqlite_master WHERE name = ?",
                             (name,)).fetchone()
        size, = base.execute("PRAGMA page_size").fetchone()
        base.close()
        with open(path, "rb") as f:
            return (root - 1) * size, os.pread(f.fileno(), size, (root - 1) * size)

    @staticmethod
    def write(path, at, data):
        with open(path, "r+b") as f:
            f.seek(at)
            f.write(data)

    @staticmethod
    def rows_of_page(page, cell):
        """The greatest row number below a cell: a number of 7 bits a byte."""
        number, at = 0, cell + 4
        while page[at] & 0x80:
            number, at = number << 7 | page[at] & 0x7F, at + 1
        return number << 7 | page[at]

    def test_a_list_of_tables_that_does_not_end(self):
        """Pages that lead to one page again and again, in 41 ways each, 17 deep."""
        path, levels, ways = self.copied(), 17, 40
        base = sqlite3.connect(path)
        size, = base.execute("PRAGMA page_size").fetchone()
        base.close()
        with open(path, "rb") as f:
            first = f.read(size)
        last = os.path.getsize(path) // size
        number, = struct.unpack_from(">H", first, 103)
        self.assertEqual(first[100], 13, "a page of rows")
        leaf = first[100:108 + 2 * number].ljust(100 + 2 * number, b"\0") + bytes(size)
        begin, = struct.unpack_from(">H", first, 105)
        leaf = bytearray(leaf[:begin] + first[begin:])
        cell = next(c for c in map(lambda k: self.cell(first, k), range(number))
                    if b"sqlite_autoindex_journal_1" in c and b"CREATE" not in c)
        one = bytearray(size)
        struct.pack_into(">BHHHBH", one, 0, 13, 0, 1, size - len(cell), 0, size - len(cell))
        one[size - len(cell):] = cell
        pages = [leaf, one]
        for i in range(levels):
            below = last + 4 + i if i < levels - 1 else last + 2
            pages.append(self.page_of_pages(size, 0, [below] * ways, below))
        root = self.page_of_pages(size, 100, [last + 1], last + 3)
        root[:100] = first[:100]
        struct.pack_into(">I", root, 28, last + len(pages))
        self.write(path, 0, bytes(root))
        self.write(path, last * size, b"".join(map(bytes, pages)))
        self.refused_by_all("its list of tables does not end", path, "not_a_journal")

    @staticmethod
    def cell(page, k):
        """The bytes of a row of the list of tables: its size and its number are shorter than 128
        and 16,384, or two bytes each."""
        at, = struct.unpack_from(">H", page, 108 + 2 * k)
        end, size = at, 0
        while True:
            size, end = size << 7 | page[end] & 0x7F, end + 1
            if not page[end - 1] & 0x80:
                break
        while page[end] & 0x80:
            end += 1
        return page[at:end + 1 + size]

    @staticmethod
    def page_of_pages(size, at, below, right):
        page, end = bytearray(size), size
        for k, child in enumerate(below):
            end -= 5
            struct.pack_into(">IB", page, end, child, k + 1)
            struct.pack_into(">H", page, at + 12 + 2 * k, end)
        struct.pack_into(">BHHHBI", page, at, 5, 0, len(below), end, 0, right)
        return page

    # ---- base
    def test_rows_at_or_below_the_base(self):
        def based(seq, *statements):
            return self.sql(self.copied(), *statements,
                            ("INSERT INTO journal VALUES ('base', ?)",
                             (f"{seq}:{self.rows[seq - 1][5].hex()}",)))
        self.refused_by_all("record 1 is in the file, whose base", based(40), "reordered")
        self.refused_by_all("record 40 is in the file", based(
            40, "DELETE FROM records WHERE seq < 40"), "reordered")
        below = ("INSERT INTO records SELECT -5, kind, ts_ns, asset, record, hash FROM records "
                 "WHERE seq = 50")
        self.refused_by_all("record -5 is in the file", based(
            40, "DELETE FROM records WHERE seq <= 40", below), "reordered")
        self.found("record 1: .*numbered -5", "verify", self.sql(self.copied(), below),
                   fault="reordered", seq=1)

    def test_a_base_that_no_record_left(self):
        for place in (f"0:{'0' * 64}", f"0:{self.rows[0][5].hex()}", f"-1:{'0' * 64}", "x", ""):
            self.refused_by_all("not a journal", self.sql(
                self.copied(), ("INSERT INTO journal VALUES ('base', ?)", (place,))),
                "not_a_journal")
        self.refused_by_all("no record is behind its base", self.left(len(self.rows)), "truncated")

    def test_values_in_another_spelling(self):
        """They read the same; only the daemon's own spelling was written by a daemon."""
        honest = f"40:{self.rows[39][5].hex()}"
        for place in (honest.upper(), "0" + honest, " " + honest, "+" + honest):
            self.refused_by_all("base is not SEQ:HASH", self.sql(
                self.left(40), ("UPDATE journal SET value = ? WHERE key = 'base'", (place,))),
                "not_a_journal")
        for change in ("'ABCDEF' || substr(value, 7)", "' ' || substr(value, 2)",
                       "'+' || substr(value, 2)", "'0x' || substr(value, 3)"):
            self.refused_by_all("16 hex digits in small letters", self.sql(
                self.copied(), f"UPDATE journal SET value = {change} WHERE key = 'writer'"),
                "not_a_journal")

    def test_a_writer_that_is_not_there(self):
        """With records, and without: then none of them could belie what is read for it."""
        for gone in ((), ("records",), ("records", "policies", "halts")):
            for how in ("DELETE FROM journal WHERE key = 'writer'",
                        "UPDATE journal SET key = 'Writer' WHERE key = 'writer'",
                        "UPDATE journal SET value = substr(value, 2) WHERE key = 'writer'"):
                self.refused_by_all("not a journal", self.sql(
                    self.copied(), *(f"DELETE FROM {table}" for table in gone), how),
                    "not_a_journal")

    def test_a_format_that_the_tables_do_not_fit(self):
        for value, drop, table in (("1", (), "parked"), ("2", (), "halts"),
                                   ("3", ("halts",), "halts"), ("2", ("halts", "keys"), "keys"),
                                   ("1", ("halts", "keys"), "parked"),
                                   ("3", ("certificates",), "certificates")):
            path = self.sql(self.copied(), *(f"DROP TABLE {name}" for name in drop),
                            ("UPDATE journal SET value = ? WHERE key = 'format'", (value,)))
            self.refused_by_all(f"format {value}, which its table {table}", path, "not_a_journal")

    def test_a_format_that_was_lowered_with_its_tables(self):
        """A daemon would begin it anew as format 3, with no halts."""
        for value, drop in (("1", ("halts", "parked", "keys")), ("2", ("halts",))):
            self.run_ok("verify", self.older(self.copied(), value, drop))
            for kind, asset, name in ((6, "BTC", "BTC"), (7, "ETH", "ETH"), (6, "", "everything")):
                self.found(f"format {value}, but a record halts or resumes {name}", "verify",
                           self.older(self.copied(lambda rs: halt(rs, asset, kind)), value, drop),
                           fault="not_a_journal")
            path = self.older(self.copied(), value, drop)
            self.sql(path, "CREATE INDEX halt_orders ON records (asset, seq, kind, ts_ns) WHERE "
                           "kind IN (6, 7)")
            self.refused_by_all(f"format {value}, which its index halt_orders", path,
                                "not_a_journal")

    def test_a_key_of_the_journal_twice(self):
        honest = f"40:{self.rows[39][5].hex()}"
        for key, value in (("base", honest), ("writer", "0" * 16), ("format", "1")):
            first = ("INSERT INTO journal VALUES ('base', ?)", (honest,))
            path = self.past_index("journal", first, ("INSERT INTO journal VALUES (?, ?)",
                                                      (key, value)))
            self.refused_by_all("each once", path, "not_a_journal")
        self.refused_by_all("each once", self.sql(
            self.copied(), "UPDATE journal SET value = CAST(value AS BLOB) WHERE key = 'writer'"),
            "not_a_journal")

    def test_a_key_of_the_journal_that_is_unknown(self):
        for key, value in (("x", "y"), ("FORMAT", "3"), ("base ", "50:abc"), ("bbse", "1:2"),
                           ("", "")):
            self.refused_by_all("format, writer and base alone", self.sql(
                self.copied(), ("INSERT INTO journal VALUES (?, ?)", (key, value))),
                "not_a_journal")

    # ---- policies
    def test_a_policy_twice(self):
        for put in ("SELECT hash, ts_ns, 'a lie' FROM policies", "SELECT * FROM policies",
                    "SELECT hash, ts_ns + 1, text FROM policies"):
            path = self.past_index("policies", f"INSERT INTO policies {put} LIMIT 1")
            self.found("two rows bear its hash", "verify", path, fault="policy")
            self.refused(1, "two rows bear its hash", "replay", path)

    def test_the_time_of_a_policys_later_life(self):
        """A policy can go live again, near its first time or many batches behind it."""
        first = next(r for r in self.records if r["kind"] == 4)

        def again(records, at):
            records.insert(at, {**first, "ts_ns": first["ts_ns"] + 1})
            for seq, r in enumerate(records, 1):
                r["seq"] = seq
        for at in (first["seq"], len(self.records)):
            path = self.copied(lambda records, at=at: again(records, at))
            self.run_ok("verify", path)
            digest = bytes.fromhex(first["policy_hash"])
            self.sql(path, ("UPDATE policies SET ts_ns = ts_ns + 1 WHERE hash = ?", (digest,)))
            self.found(f"policy {first['policy_hash'][:12]}: the first record that says",
                       "verify", path, fault="policy")

    def test_values_of_other_types_in_policies(self):
        for change in ("text = CAST(text AS BLOB)", "ts_ns = ts_ns || ' and more'",
                       "ts_ns = ts_ns + 0.5e30", "ts_ns = CAST(ts_ns AS BLOB)",
                       "hash = CAST(hex(hash) AS TEXT)"):
            self.found("not a hash of 32 bytes, a text and a time", "verify", self.sql(
                self.copied(), f"UPDATE policies SET {change}"), fault="policy")

    # ---- parked records
    def test_parked_copies_that_are_not_what_they_say(self):
        row, other = self.rows[39], self.rows[49]
        lie = bytearray(row[4])
        lie[-1] ^= 1
        lie = bytes(lie)
        alien = row[4][:16] + bytes(8) + row[4][24:]
        for words, changes in (
                ("not a record", {"record": b"\0", "hash": b"\0" * 32}),
                ("not a record", {"record": row[4] + b"\0"}),
                ("not a record", {"record": row[4].decode("latin-1")}),
                ("types", {"hash": b"\0"}), ("types", {"previous": row[5].hex()}),
                ("types", {"ts_ns": "now"}), ("types", {"reason": b"no"}),
                ("does not follow", {"record": lie}), ("does not follow", {"hash": other[5]}),
                ("does not follow", {"previous": other[5]}),
                ("another writer", {"record": alien,
                                    "hash": journal.chain(self.rows[38][5], alien)}),
                ("another record", {"record": other[4],
                                    "hash": journal.chain(self.rows[38][5], other[4])})):
            for make in (lambda s: self.sql(self.copied(), s), lambda s: self.left(60, s),
                         lambda s: self.left(39, s)):
                self.found(f"parked copy of record 40: .*{words}", "verify",
                           make(self.parked(40, **changes)), fault="parked")
        forged = {"record": lie, "hash": journal.chain(self.rows[38][5], lie)}
        self.found("record 40: it differs from the record", "verify", self.sql(
            self.copied(), self.parked(40, **forged)), fault="parked")
        self.found("record 40: its hash is not that of the base", "verify", self.left(
            40, self.parked(40, **forged)), fault="parked")
        self.found("record 41: the hash before it", "verify", self.left(
            60, self.parked(40, **forged), self.parked(41)), fault="parked")
        self.found("record 1: the hash before it", "verify", self.left(60, self.parked(
            1, previous=other[5], hash=journal.chain(other[5], self.rows[0][4]))), fault="parked")

    def test_parked_copies_of_records_that_never_were(self):
        last = self.rows[-1]
        data = bytearray(last[4])
        data[8:16] = (len(self.rows) + 1).to_bytes(8, "little")
        digest = journal.chain(last[5], bytes(data))
        self.found("the journal ends before it", "verify", self.sql(self.copied(), parked(
            (len(self.rows) + 1, 0, 0, "", bytes(data), digest), last[5])), fault="parked")
        for seq in (0, -7):
            self.found(f"record {seq}: it is not in its place", "verify", self.sql(
                self.copied(), self.parked(3, seq=seq)), fault="parked")

    def test_a_forged_record_is_named_before_its_copy(self):
        self.found("record 40: changed", "verify", self.sql(
            self.copied(), self.parked(40), "UPDATE records SET ts_ns = 1 WHERE seq = 40"),
            fault="changed", seq=40)


class Shipped(shipping.Case, Case):
    def test_a_daemons_parked_records(self):
        """As the daemon parks them and lets the records leave."""
        db = self.database()
        db.query("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                 "RAISE check_violation USING MESSAGE = 'no ETH'; END $$; "
                 "CREATE TRIGGER no_eth BEFORE INSERT ON decisions FOR EACH ROW "
                 "WHEN (NEW.asset = 'ETH') EXECUTE FUNCTION refuse()")
        d = self.serve(db.dsn(), journal_keep_s=0)
        with d.client() as c:
            for _ in range(2):
                c.hedge("ETH")
            shipping.fill(c, 20)
            seq = self.wait_shipped(d)
            daemon.wait_until(lambda: c.metric("hedge_journal_base_seq") == seq - 1,
                              "one is left", 30)
        self.assertEqual(d.stop(), 0)
        d.settings["HEDGE_JOURNAL_KEEP_S"] = "3600"
        d.start()
        with d.client() as c:
            for _ in range(3):
                c.hedge("ETH")
            self.wait_shipped(d)
        self.assertEqual(d.stop(), 0)
        path = shipping.copy_folder(d)
        answer = strict_json(self.run_ok("verify", path, "--json"))
        self.assertEqual((answer["parked"], answer["parked_alone"]), (5, 2))
        self.assertRegex(self.run_ok("verify", path), "have left for Postgres, but those parked")
        base = sqlite3.connect(path)
        base.execute("UPDATE parked SET record = x'00', hash = x'00' WHERE seq = "
                     "(SELECT min(seq) FROM parked)")
        base.commit()
        base.close()
        self.refused(1, "the parked copy of record", "verify", path)


if __name__ == "__main__":
    daemon.main()
