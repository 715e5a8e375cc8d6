# SPDX-License-Identifier: MIT
"""hedged --init-db: the tables, who may do what with them, and their partitions."""
import datetime

import daemon
import shipping

BAD_CONFIG, LATER = 78, 75
TABLES = ("decisions", "shadow_decisions", "events")


def month(ahead):
    today = datetime.datetime.now(datetime.timezone.utc).date()
    number = today.year * 12 + today.month - 1 + ahead
    return datetime.date(number // 12, number % 12 + 1, 1)


def row(writer, seq, ts):
    """An INSERT of one event."""
    return ("INSERT INTO events (id, ts, kind, asset, note, version, ts_ns, policy, writer, seq, "
            f"record, hash) VALUES (gen_random_uuid(), '{ts}', 'start', '', '', '', 0, '', "
            f"{writer}, {seq}, '', '')")


class Postgres(shipping.Case):
    settings = {"password": shipping.SECRET}

    def login(self, name, grant=True):
        self.server.query(f"CREATE ROLE {name} LOGIN PASSWORD '{shipping.SECRET}'"
                          + (" IN ROLE hedge_daemon" if grant else ""))
        return {"user": name, "password": shipping.SECRET}

    def refused(self, db, sql, words, **more):
        with self.assertRaises(RuntimeError, msg=sql) as caught:
            db.query(sql, **more)
        self.assertIn(words, str(caught.exception), sql)

    # ---- --init-db
    def test_it_is_repeatable_and_says_what_it_did(self):
        db = self.database(bare=True)
        self.assertIn("22 tables and partitions made", db.init())
        catalog = ("SELECT relname, relkind FROM pg_class WHERE relnamespace = "
                   "'public'::regnamespace UNION ALL SELECT tgname || tgrelid::regclass, 't' "
                   "FROM pg_trigger ORDER BY 1, 2")
        first = db.query(catalog)
        self.assertIn("0 more", db.init())
        self.assertEqual(db.query(catalog), first)

    def test_several_at_once_in_one_database_and_in_others(self):
        databases = [self.database(bare=True) for _ in range(3)]
        self.assertEqual(shipping.init_many([db.dsn() for db in databases * 3]), [0] * 9)
        for db in databases:
            self.assertEqual(db.count(), 0)

    def test_half_of_it_is_none_of_it(self):
        db = self.database(bare=True)
        db.query("CREATE VIEW policies AS SELECT 1")  # in the way of the fourth table
        code, out, err = shipping.init_db(db.dsn())
        self.assertEqual((code, out), (BAD_CONFIG, ""), err)
        self.assertEqual(db.query("SELECT to_regclass('decisions'), to_regclass('events')"),
                         [("", "")])

    def test_who_cannot_be_served_is_told_why_and_never_the_password(self):
        free = daemon.free_port()
        cases = [("", BAD_CONFIG, "HEDGE_DB_DSN"),
                 (self.server.dsn(password="wr0ng-" + shipping.SECRET), BAD_CONFIG, "password"),
                 (self.server.dsn(database="nowhere"), BAD_CONFIG, "nowhere"),
                 (self.server.dsn(port=free), LATER, str(free)),
                 (f"postgresql://hedge:{shipping.SECRET}@127.0.0.1:{free}/x", LATER, str(free)),
                 (f"postgresql://hedge:a@{shipping.SECRET}@127.0.0.1/x", BAD_CONFIG, "%40"),
                 (f"host=127.0.0.1 password=x {shipping.SECRET}", BAD_CONFIG, "HEDGE_DB_DSN")]
        for dsn, expected, said in cases:
            code, out, err = shipping.init_db(dsn)
            self.assertEqual((code, out), (expected, ""), err)
            self.assertIn(said, err)
            self.assertNotIn(shipping.SECRET, err)
        code, _, err = daemon.run(["--check"], db_dsn=cases[0][0],
                                  HEDGE_DB_DSN=f"host=x password=x {shipping.SECRET}")
        self.assertEqual(code, BAD_CONFIG)
        self.assertNotIn(shipping.SECRET, err)

    def test_a_database_that_cannot_hold_any_text_is_refused(self):
        self.server.query("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
        code, _, err = shipping.init_db(self.server.dsn(database="latin"))
        self.assertEqual(code, BAD_CONFIG, err)
        self.assertIn("createdb -E UTF8", err)

    # ---- append only
    def test_nobody_changes_or_removes_a_row(self):
        db = self.database()
        db.query(row(1, 1, "now()"))
        db.query(row(1, 2, "1999-01-01"))  # in the default partition
        db.query("INSERT INTO policies (hash, text) VALUES (sha256('x'), 'x')")
        parts = [name for name, in db.query(
            "SELECT inhrelid::regclass FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid "
            "WHERE c.relkind = 'r'")]
        self.assertEqual(len(parts), 18)
        for table in TABLES + ("policies",) + tuple(parts):
            self.refused(db, f"TRUNCATE {table}", "append-only")
        for table in ("events", "events_default", f"events_{month(0):%Y_%m}"):
            self.refused(db, f"UPDATE {table} SET note = 'x'", "append-only")
            self.refused(db, f"UPDATE {table} SET ts = ts + interval '1 month'", "append-only")
            self.refused(db, f"DELETE FROM {table}", "append-only")
        self.refused(db, "DELETE FROM policies", "append-only")
        self.refused(db, "UPDATE policies SET text = 'y'", "append-only")
        self.refused(db, "INSERT INTO policies (hash, text) VALUES (sha256('x'), 'y')", "check")
        self.assertEqual((db.count("events"), db.count("policies")), (2, 1))

    def test_the_daemons_role_adds_and_reads_and_no_more(self):
        db = self.database()
        name = self.login("shipper")["user"]
        db.query(row(1, 1, "now()"), user=name)
        self.assertEqual(db.value("SELECT count(*) FROM chain", user=name), "1")
        self.assertEqual(db.value("SELECT hedge_make_partitions()", user=name), "0")
        for sql in ("UPDATE events SET note = 'x'", "DELETE FROM events", "TRUNCATE events",
                    "DROP TABLE events", "ALTER TABLE events DISABLE TRIGGER ALL",
                    f"UPDATE events_{month(0):%Y_%m} SET note = 'x'",
                    "SELECT hedge_guard('events', true)",
                    "SELECT hedge_partition('events', 'x', '')"):
            self.refused(db, sql, "", user=name)
        stranger = self.login("stranger", grant=False)["user"]
        for sql in ("SELECT * FROM chain", row(1, 2, "now()"), "SELECT hedge_make_partitions()"):
            self.refused(db, sql, "permission denied", user=stranger)

    def test_an_owner_who_is_no_superuser_can_make_the_tables(self):
        self.database()  # the role hedge_daemon is there, which takes CREATEROLE to make
        self.server.query(f"CREATE ROLE keeper LOGIN PASSWORD '{shipping.SECRET}'")
        db = self.database(bare=True)
        self.server.query(f"ALTER DATABASE {db.name} OWNER TO keeper")
        db.query("ALTER SCHEMA public OWNER TO keeper")
        db.init(user="keeper", password=shipping.SECRET)
        self.refused(db, "TRUNCATE events", "append-only", user="keeper")

    # ---- partitions
    def test_months_have_a_partition_each_and_odd_times_the_default_one(self):
        db = self.database()
        for table in TABLES:
            for ahead in range(-1, 4):
                self.assertEqual(db.value(f"SELECT to_regclass('{table}_{month(ahead):%Y_%m}') "
                                          "IS NOT NULL"), "t")
        where = {"events_default": ["1970-01-01", "2262-04-11", f"{month(4)}"],
                 f"events_{month(0):%Y_%m}": ["now()"],
                 f"events_{month(1):%Y_%m}": [f"{month(1)} 00:00:00+00",
                                              f"{month(2)} 00:00:00+00"],
                 f"events_{month(2):%Y_%m}": []}
        # The last instant of a month and the first of the next one, in UTC.
        where[f"events_{month(1):%Y_%m}"][1] = f"{month(2) - datetime.timedelta(days=1)} " \
                                               "23:59:59.999999+00"
        where[f"events_{month(2):%Y_%m}"] = [f"{month(2)} 00:00:00+00"]
        seq = 0
        for times in where.values():
            for ts in times:
                seq += 1
                db.query(row(1, seq, ts))
        for table, times in where.items():
            self.assertEqual(db.count(table), len(times), table)

    def test_more_months_are_made_and_one_that_the_default_partition_holds_stays_there(self):
        db = self.database()
        db.query(row(1, 1, f"{month(5)}"))
        self.assertEqual(db.value("SELECT hedge_make_partitions(6)"), "8")  # 3 by 3, less 1
        self.assertEqual(db.value(f"SELECT to_regclass('events_{month(5):%Y_%m}') IS NULL"), "t")
        db.query(row(1, 2, f"{month(6)}"))
        self.assertEqual(db.count(f"events_{month(6):%Y_%m}"), 1)
        self.assertEqual(db.count("events_default"), 1)
        self.refused(db, f"TRUNCATE events_{month(6):%Y_%m}", "append-only")

    def test_making_them_gives_up_behind_a_long_query(self):
        db = self.database()
        with shipping.Session(db) as reader:
            reader.run("BEGIN; SELECT count(*) FROM chain;")
            self.refused(db, "SELECT hedge_make_partitions(4)", "lock timeout")
            db.query(row(1, 1, "now()"))  # nobody is held up
        self.assertEqual(db.value("SELECT hedge_make_partitions(4)"), "3")


if __name__ == "__main__":
    daemon.main()
