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


FORGED = ("INSERT INTO events (id, ts, kind, asset, note, version, ts_ns, policy, writer, seq, "
          "record, hash) VALUES (gen_random_uuid(), now(), 'start', '', '', '', 0, '', {}, {}, '', "
          "'')")
# The owner's way to remove one row; docs/postgres.md has the same.
REPAIR = """BEGIN;
ALTER TABLE {0} DISABLE TRIGGER hedge_no_change;
DELETE FROM {0} WHERE writer = {1} AND seq = {2};
ALTER TABLE {0} ENABLE ALWAYS TRIGGER hedge_no_change;
COMMIT;"""


class Postgres(shipping.Case):
    settings = {"password": shipping.SECRET}

    def init_refused(self, db, *words, **more):
        code, out, err = shipping.init_db(db.dsn(**more))
        self.assertEqual((code, out), (BAD_CONFIG, ""), err)
        for said in words:
            self.assertIn(said, err)

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

    # ---- over what is there already
    def test_every_column_is_looked_at(self):
        db = self.database()
        columns = db.query("SELECT attrelid::regclass, attname FROM pg_attribute WHERE attnum > 0 "
                           "AND attrelid IN ('decisions'::regclass, 'events'::regclass, "
                           "'policies'::regclass)")
        self.assertEqual(len(columns), 32 + 13 + 3)
        for table, name in columns:
            db.query(f"ALTER TABLE {table} RENAME {name} TO mislaid")
            self.init_refused(db, f"{table} lacks the column {name}")
            db.query(f"ALTER TABLE {table} RENAME mislaid TO {name}")
        self.assertIn("0 more", db.init())

    def test_what_is_not_as_it_was_made_is_refused_by_name(self):
        month_0, month_1 = (f"{month(n):%Y_%m}" for n in (0, 1))
        for broken, *words in (
                ("ALTER TABLE decisions DROP COLUMN note CASCADE",
                 "decisions lacks the column note"),
                ("DROP VIEW chain; ALTER TABLE events ALTER seq TYPE integer",
                 "events.seq is integer, not bigint"),
                ("ALTER TABLE events ALTER hash DROP NOT NULL", "events.hash must not be NULL"),
                ("ALTER TABLE decisions ALTER score_ts_ns SET NOT NULL",
                 "decisions.score_ts_ns must be able to be NULL"),
                ("ALTER TABLE events ALTER received_at DROP DEFAULT", "events.received_at has no"),
                ("ALTER TABLE events ADD mine integer NOT NULL", "events.mine is none of ours"),
                ("ALTER TABLE shadow_decisions DROP CONSTRAINT shadow_decisions_pkey",
                 "shadow_decisions lacks its PRIMARY KEY (id,ts)"),
                ("ALTER TABLE policies DROP CONSTRAINT policies_pkey",
                 "policies lacks its PRIMARY KEY (hash)"),
                ("ALTER TABLE policies DROP CONSTRAINT policies_check", "policies lacks its CHECK"),
                ("ALTER TABLE policies DROP CONSTRAINT policies_check; "
                 "ALTER TABLE policies ADD CONSTRAINT policies_check CHECK (true)",
                 "policies lacks its CHECK"),
                ("ALTER TABLE policies SET UNLOGGED", "policies is not kept"),
                ("DROP VIEW chain; DROP TABLE events; CREATE TABLE events (id uuid)",
                 "events is a table, not a partitioned table"),
                ("DROP TABLE events CASCADE; CREATE TABLE events (LIKE decisions) PARTITION BY "
                 "LIST (asset)", "events is partitioned by LIST (asset), not by RANGE (ts)"),
                ("DROP TABLE policies; CREATE VIEW policies AS SELECT 1",
                 "policies is a view, not a table"),
                (f"ALTER TABLE events DETACH PARTITION events_{month_1}",
                 f"events_{month_1} is a table and no partition of events"),
                (f"DROP TABLE events_{month_1}, decisions_{month_1}; "
                 f"CREATE VIEW events_{month_1} AS SELECT 1; "
                 f"CREATE TABLE decisions_{month_1} (x integer)",
                 f"events_{month_1} is a view and no partition", f"decisions_{month_1} is a table"),
                (f"DROP TABLE events_{month_1}; ALTER TABLE events_{month_0} RENAME TO "
                 f"events_{month_1}", f"events_{month_1} holds other times than its name says"),
                (f"ALTER TABLE events_{month_0} SET UNLOGGED", f"events_{month_0}, a partition of"),
                (f"DROP TABLE events_{month_1}; CREATE FOREIGN DATA WRAPPER w; CREATE SERVER far "
                 f"FOREIGN DATA WRAPPER w; ALTER TABLE events DROP CONSTRAINT events_pkey; CREATE "
                 f"FOREIGN TABLE events_{month_1} PARTITION OF events FOR VALUES "
                 f"FROM ('{month(1)}') TO ('{month(2)}') SERVER far",
                 f"events_{month_1}, a partition of public.events, is a foreign table"),
        ):
            db = self.database()
            db.query(broken)
            self.init_refused(db, "cannot be made: ", *words)

    def test_another_owners_tables_are_refused(self):
        self.database()
        for name in ("planter", "digger"):
            self.login(name, grant=False)
        db = self.database()
        db.query("ALTER TABLE policies OWNER TO planter")
        self.init_refused(db, "policies belongs to planter")
        db = self.database()
        db.query("GRANT CREATE ON SCHEMA public TO digger")
        self.init_refused(db, "belongs to hedge, and not to digger", user="digger",
                          password=shipping.SECRET)

    def test_triggers_are_put_right_and_that_is_said(self):
        db = self.database()
        catalog = "SELECT tgrelid::regclass, tgname, tgenabled, tgtype, tgfoid FROM pg_trigger " \
                  "ORDER BY 1, 2"
        first = db.query(catalog)
        self.assertEqual({row[2] for row in first}, {"A"})
        part = f"events_{month(0):%Y_%m}"
        for number, broken in (
                (1, "DROP TRIGGER hedge_no_change ON decisions"),
                (1, "ALTER TABLE policies DISABLE TRIGGER hedge_no_truncate"),
                (1, f"ALTER TABLE {part} DISABLE TRIGGER hedge_no_change"),
                (2, f"ALTER TABLE {part} ENABLE REPLICA TRIGGER hedge_no_change, "
                    "ENABLE TRIGGER hedge_no_truncate"),
                (1, "DROP TRIGGER hedge_no_change ON policies; CREATE TRIGGER hedge_no_change "
                    "BEFORE UPDATE ON policies FOR EACH ROW EXECUTE FUNCTION hedge_refuse()"),
                (1, "DROP TRIGGER hedge_no_change ON policies; CREATE TRIGGER hedge_no_change "
                    "BEFORE UPDATE OR DELETE ON policies FOR EACH ROW WHEN (false) "
                    "EXECUTE FUNCTION hedge_refuse()"),
                (1, "DROP TRIGGER hedge_no_truncate ON events_default")):
            db.query(broken)
            self.assertNotEqual(db.query(catalog), first)
            self.assertIn(f"; {number} triggers", db.init(), broken)
            self.assertEqual(db.query(catalog), first, broken)
        self.assertNotIn("trigger", db.init())
        db.query(row(1, 1, "now()"))
        for sql in ("DELETE FROM events", "TRUNCATE events"):
            self.refused(db, "SET session_replication_role = replica; " + sql, "append-only")

    def test_rights_are_renewed(self):
        db = self.database()
        name = self.login("greedy")["user"]
        db.query("GRANT ALL ON events, policies TO hedge_daemon; GRANT ALL ON events TO PUBLIC")
        db.init()
        self.refused(db, "CREATE TRIGGER x BEFORE INSERT ON events FOR EACH ROW "
                         "EXECUTE FUNCTION suppress_redundant_updates_trigger()",
                     "permission denied", user=name)

    # ---- who may put things into the schema
    def test_a_schema_that_daemons_may_create_in_is_refused_with_what_to_do(self):
        self.database()
        self.login("maker")
        for who, does in (("PUBLIC", "CREATE"), ("hedge_daemon", "CREATE"), ("maker", "ALL")):
            db = self.database(bare=True)
            db.query(f"GRANT {does} ON SCHEMA public TO {who}")
            self.init_refused(db, f"REVOKE CREATE ON SCHEMA public FROM {who}")
            self.assertEqual(db.value("SELECT to_regclass('decisions') IS NULL"), "t")
            db.query(f"REVOKE CREATE ON SCHEMA public FROM {who}")
            db.init()
        db = self.database(bare=True)
        db.query("ALTER SCHEMA public OWNER TO maker")
        self.init_refused(db, "ALTER SCHEMA public OWNER TO")

    def test_nothing_that_lies_in_the_schema_is_run_as_the_owner(self):
        db = self.database()
        name = self.login("thief")["user"]
        db.query("GRANT CREATE ON SCHEMA public TO PUBLIC")
        several = ["text, " + more for more in (
            "text", "text, text", "text, text, text", "text, text, text, text", "regnamespace",
            "regnamespace, text", "regnamespace, text, text", "text, regclass, text", "regclass",
            "timestamptz, timestamptz", "text, timestamptz, timestamptz", "text, regprocedure",
            "regclass, regprocedure", "text, text, regclass, text, regprocedure",
            "regnamespace, text, timestamptz, timestamptz")]
        planted = [f"format({types})" for types in several] + [
            "to_char(date, text)", "hedge_guard(text, text)", "hedge_partition(text, text, text)",
            "hedge_make_partitions_in(text, integer)"]
        for signature in planted:
            db.query(f"CREATE FUNCTION public.{signature} RETURNS text LANGUAGE plpgsql AS "
                     "$$ BEGIN RAISE EXCEPTION 'captured as %', current_user; END $$", user=name)
        self.assertEqual(db.value("SELECT hedge_make_partitions(6)", user=name), "9")
        db.query("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        self.init_refused(db, "belongs to thief")  # what is called as ours is
        db.query("DROP FUNCTION hedge_guard(text, text), hedge_partition(text, text, text), "
                 "hedge_make_partitions_in(text, integer)")
        db.query("DROP TABLE decisions_default; DROP TRIGGER hedge_no_change ON policies")
        self.assertIn("1 more", db.init())

    # ---- a schema of its own
    def test_another_schema_than_public(self):
        self.database()
        name = self.login("lodger")
        for schema in ("hedge", 'o"dd $$ 100% \'s'):
            db = self.database(bare=True)
            quoted = '"' + schema.replace('"', '""') + '"'
            path = "'-csearch_path=" + quoted.replace("'", "\\'").replace(" ", "\\\\ ") + "'"
            code, _, err = shipping.init_db(db.dsn() + f" options={path}")
            self.assertEqual(code, BAD_CONFIG, err)
            self.assertIn("CREATE SCHEMA", err)
            db.query(f"CREATE SCHEMA {quoted}")
            for said in ("22 tables", "0 more"):
                code, out, err = shipping.init_db(db.dsn() + f" options={path}")
                self.assertEqual(code, 0, err)
                self.assertIn(said, out)
            self.assertEqual(db.value("SELECT to_regclass('public.events') IS NULL"), "t")
            self.assertEqual(db.value(f"SET search_path = pg_catalog; "
                                      f"SELECT {quoted}.hedge_make_partitions(4)",
                                      user="lodger"), "3")
            d = self.serve(db.dsn(**name) + f" options={path}")
            self.wait_shipped(d)
            self.assertEqual(d.stop(), 0)

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

    def test_months_are_bounded(self):
        db = self.database()
        for months in ("-1", "25", "2147483647", "-2147483648", "NULL"):
            self.refused(db, f"SELECT hedge_make_partitions({months})", "must be from 0 to 24")
        self.assertEqual(db.value("SELECT hedge_make_partitions(0)"), "0")
        self.assertEqual(db.value("SELECT hedge_make_partitions(24)"), "63")

    def test_making_them_gives_up_behind_a_long_query(self):
        db = self.database()
        with shipping.Session(db) as reader:
            reader.run("BEGIN; SELECT count(*) FROM chain;")
            self.refused(db, "SELECT hedge_make_partitions(4)", "lock timeout")
            db.query(row(1, 1, "now()"))  # nobody is held up
        self.assertEqual(db.value("SELECT hedge_make_partitions(4)"), "3")

    # ---- one daemon's role against another's
    def forged(self, db, d):
        """A row under the number of a stopped daemon, by another role: (writer, seq)."""
        self.wait_shipped(d)
        self.assertEqual(d.stop(), 0)
        writer, seq = db.query("SELECT writer, max(seq) + 5 FROM chain GROUP BY writer")[0]
        db.query(FORGED.format(writer, seq), user=self.login("forger")["user"])
        return writer, seq

    def verify(self, db):
        return daemon.hedge("verify", "--db", f"host={self.server.folder} port={self.server.port} "
                                              f"user=hedge dbname={db.name}")

    def test_a_forged_row_stops_its_victim_and_the_owner_takes_it_out(self):
        db = self.database()
        d = self.serve(db.dsn())
        writer, seq = self.forged(db, d)
        code, out, err = self.verify(db)
        self.assertEqual(code, 1, out + err)
        d.start()
        self.quote(d)
        self.wait_reason(d, "postgres_diverged")
        part = db.value(f"SELECT tableoid::regclass FROM events WHERE writer = {writer} "
                        f"AND seq = {seq}")
        db.query(REPAIR.format(part, writer, seq))
        self.wait_shipped(d)
        code, out, err = self.verify(db)
        self.assertEqual(code, 0, out + err)
        self.assertNotIn("trigger", db.init())  # all of them are as they were

    def test_a_constraint_keeps_a_role_to_its_writer(self):
        db = self.database()
        own, other = self.login("desk_a"), self.login("desk_b")
        d = self.serve(db.dsn(**own))
        self.wait_shipped(d)
        writer = db.value("SELECT DISTINCT writer FROM chain")
        for table in TABLES:
            db.query(f"ALTER TABLE {table} ADD CONSTRAINT desk_a CHECK (session_user <> 'desk_a' "
                     f"OR writer = {writer}), ADD CONSTRAINT only_desk_a CHECK (session_user = "
                     f"'desk_a' OR writer <> {writer} OR NOT pg_has_role(session_user, "
                     "'hedge_daemon', 'USAGE')) NOT VALID")
        self.refused(db, FORGED.format(writer, 99), "only_desk_a", user=other["user"])
        self.refused(db, "SET ROLE hedge_daemon; " + FORGED.format(writer, 99), "only_desk_a",
                     user=other["user"])
        self.refused(db, FORGED.format(int(writer) ^ 1, 1), "desk_a", user=own["user"])
        db.query(FORGED.format(int(writer) ^ 1, 1), user=other["user"])
        with d.client() as c:
            shipping.fill(c, 20)
        self.wait_shipped(d)
        self.assertEqual(db.count("decisions"), 20)
        self.assertIn("0 more", db.init())


if __name__ == "__main__":
    daemon.main()
