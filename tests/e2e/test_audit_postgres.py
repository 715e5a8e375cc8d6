# SPDX-License-Identifier: MIT
"""`hedge … --db` against the owner of the database: what is read is the tables, or nothing is."""
import os
import re
import unittest

import daemon
import journal
import postgres_server
import shipping
from cli import BAD_DATA, FINE, USAGE, hedge, strict_json
from daemon import Daemon
from shipping import OPEN
from test_audit_sources import AuditCase, RULES, SQL, fill
from test_journal import mixed_load

TABLES = ("decisions", "shadow_decisions", "events", "policies")
LOGIN = "auditor"


@unittest.skipUnless(postgres_server.available(), "no PostgreSQL")
class Owner(AuditCase):
    """Each test has a database of its own with the same records, and an auditor who only reads."""

    @classmethod
    def setUpClass(cls):
        cls.server = postgres_server.Postgres()
        cls.server.query(f"CREATE ROLE {LOGIN} LOGIN")
        cls.served = Daemon(RULES)
        with cls.served.client() as c:
            mixed_load(c, 3)
        cls.served.stop()
        cls.path = cls.served.journal_path
        cls.honest = shipping.Database(cls.server)
        cls.records = fill(cls.honest, cls.path)
        cls.grant(cls.honest)
        cls.writer = cls.records[0]["writer"]

    @classmethod
    def tearDownClass(cls):
        cls.served.__exit__()
        cls.server.kill()

    @staticmethod
    def grant(db, schema="public"):
        names = ", ".join(f"{schema}.{name}" for name in TABLES)
        db.query(f"GRANT USAGE ON SCHEMA {schema} TO {LOGIN}; GRANT SELECT ON {names} TO {LOGIN}")

    def setUp(self):
        super().setUp()
        self.fresh()

    def fresh(self):
        self.db = shipping.Database(self.server, bare=True)
        self.server.query(f"DROP DATABASE {self.db.name};"
                          f"CREATE DATABASE {self.db.name} TEMPLATE {self.honest.name}")
        self.dsn = self.db.dsn(user=LOGIN)

    def commands(self):
        first = next(r for r in self.records if r["kind"] == 1)
        name = journal.decision_id(first["writer"], first["seq"])
        return ("verify",), ("replay",), ("explain", name), ("diff", self.served.policy_path)

    def refused_by_all(self, words, fault, code, dsn=None):
        for command in self.commands():
            with self.subTest(command=command):
                self.refused(code, words, *command, "--db", dsn or self.dsn)
        return self.found(words, "verify", "--db", dsn or self.dsn, fault=fault, code=code)

    def whole(self, dsn=None):
        for command in self.commands():
            self.run_ok(*command, "--db", dsn or self.dsn)
        shown = strict_json(self.run_ok("verify", "--db", dsn or self.dsn, "--json"))
        self.assertEqual((shown["records"], len(shown["chains"])), (len(self.records), 1))
        return shown

    # ---- what is honest
    def test_a_login_that_may_only_read_the_tables(self):
        self.assertTrue(self.whole()["path"].endswith(f"/{self.db.name}, schema public"))
        self.db.query(f"REVOKE SELECT ON decisions FROM {LOGIN}")
        self.refused_by_all("permission denied for table decisions", "unreadable", USAGE)
        self.db.query(f"GRANT SELECT ON decisions TO {LOGIN};"
                      "REVOKE USAGE ON SCHEMA public FROM PUBLIC, " + LOGIN)
        self.refused_by_all("USAGE on its schema", "not_a_journal", BAD_DATA)

    def test_a_schema_of_any_name(self):
        for name in ('we"ird', "x; DROP", "schön", "\x1b[2J", "\u009b2J"):
            quoted = '"' + name.replace('"', '""') + '"'
            self.db.query(f"ALTER SCHEMA public RENAME TO {quoted};"
                          f"ALTER DATABASE {self.db.name} SET search_path = {quoted}")
            shown = name.replace("\x1b", "?").replace("\u009b", "??")
            self.assertTrue(self.whole()["path"].endswith(", schema " + shown))
            self.db.query(f"ALTER SCHEMA {quoted} RENAME TO public")

    # ---- the view `chain` is nobody's witness
    def test_a_view_chain_that_hides_is_not_asked(self):
        n = self.forge_writer(77)
        self.db.query("CREATE TABLE kept AS SELECT * FROM chain;")
        for text in ("SELECT * FROM kept WHERE false",
                     "SELECT writer, seq, kind, id, ts_ns, asset, record, hash, ts FROM kept "
                     f"WHERE writer = {self.writer}"):
            self.db.query("CREATE OR REPLACE VIEW chain AS " + text)
            shown = strict_json(hedge("replay", "--db", self.dsn, "--json")[1])
            self.assertEqual(shown["records"], len(self.records) + n)
            self.found("writer 000000000000004d, record 1: written by", "verify", "--db", self.dsn,
                       fault="changed", seq=1)
        self.db.query("DROP VIEW chain")
        self.run_ok("replay", "--db", self.dsn)

    def forge_writer(self, writer):
        """The events once more as those of another one: how many."""
        self.db.query("CREATE TABLE more AS SELECT * FROM events;"
                      f"UPDATE more SET writer = {writer}, id = gen_random_uuid();"
                      "UPDATE more SET seq = n FROM (SELECT id, row_number() OVER (ORDER BY seq) n "
                      "FROM more) x WHERE more.id = x.id; INSERT INTO events SELECT * FROM more")
        return int(self.db.value("SELECT count(*) FROM more"))

    # ---- what bears the name is not the table
    def test_a_null_where_none_may_be(self):
        self.db.query(OPEN + "ALTER TABLE decisions ALTER writer DROP NOT NULL;"
                      "CREATE TABLE kept AS SELECT * FROM decisions LIMIT 1;"
                      "UPDATE kept SET writer = NULL, id = gen_random_uuid();"
                      "INSERT INTO decisions SELECT * FROM kept")
        self.refused_by_all(r"decisions\S*\.writer may be NULL", "not_a_journal", BAD_DATA)

    def test_every_column_is_as_declared(self):
        for table in TABLES:
            for name, in self.db.query("SELECT column_name FROM information_schema.columns WHERE "
                                       "is_nullable = 'NO' AND table_schema = 'public' AND "
                                       f"table_name = '{table}' AND column_name <> 'ts'"):
                with self.subTest(table=table, column=name):
                    self.db.query(f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey;"
                                  f"ALTER TABLE {table} ALTER {name} DROP NOT NULL")
                    self.found(f"{name} may be NULL", "verify", "--db", self.dsn,
                               fault="not_a_journal")
                    key = "hash" if table == "policies" else "id, ts"
                    self.db.query(f"ALTER TABLE {table} ALTER {name} SET NOT NULL;"
                                  f"ALTER TABLE {table} ADD PRIMARY KEY ({key})")
        self.whole()

    def test_columns_of_other_types(self):
        for change, words in (
                ("seq TYPE numeric", "seq is of type numeric, not bigint"),
                ("score TYPE real", "score is of type real, not double precision"),
                ("amount_usd TYPE float8", "amount_usd is of type double precision, not numeric"),
                ("note TYPE varchar", "note is of type character varying, not text")):
            with self.subTest(change=change):
                self.db.query("DROP VIEW IF EXISTS chain; ALTER TABLE decisions ALTER " + change)
                self.refused_by_all(words, "not_a_journal", BAD_DATA)
                self.fresh()
        self.db.query("ALTER TABLE decisions DROP note; ALTER TABLE decisions ADD note text "
                      "GENERATED ALWAYS AS ('') STORED NOT NULL")
        self.refused_by_all("note is computed", "not_a_journal", BAD_DATA)
        self.fresh()
        self.db.query("ALTER TABLE events RENAME note TO notes")
        self.refused_by_all("note is missing", "not_a_journal", BAD_DATA)

    def test_a_view_in_place_of_a_table(self):
        for table in TABLES:
            with self.subTest(table=table):
                self.db.query(f"ALTER TABLE {table} RENAME TO kept; CREATE VIEW {table} AS "
                              "SELECT * FROM kept WHERE current_setting('application_name') <> '';"
                              f"GRANT SELECT ON {table} TO {LOGIN}")
                self.refused_by_all(f"public.{table}, owned by {postgres_server.USER}, is a view",
                                    "not_a_journal", BAD_DATA)
                self.db.query(f"DROP VIEW {table}; CREATE MATERIALIZED VIEW {table} AS "
                              f"SELECT * FROM kept; GRANT SELECT ON {table} TO {LOGIN}")
                self.refused_by_all("is a materialized view", "not_a_journal", BAD_DATA)
                self.db.query(f"DROP MATERIALIZED VIEW {table}; ALTER TABLE kept RENAME TO {table}")
        self.whole()
        self.db.query("ALTER TABLE events RENAME TO kept; CREATE TABLE events (LIKE kept);"
                      f"GRANT SELECT ON events TO {LOGIN}")
        self.refused_by_all("is a plain table, not a partitioned", "not_a_journal", BAD_DATA)
        self.db.query('CREATE ROLE "\x1b[2J"; ALTER TABLE events OWNER TO "\x1b[2J"')
        _, _, err = hedge("verify", "--db", self.dsn)
        self.assertIn('owned by "?[2J", is a plain table', err)
        self.db.query('DROP TABLE events; DROP ROLE "\x1b[2J"')
        self.refused_by_all("there is no table public.events", "not_a_journal", BAD_DATA)

    def test_foreign_tables(self):
        self.db.query("CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;"
                      "ALTER TABLE policies RENAME TO kept; CREATE FOREIGN TABLE policies "
                      "(hash bytea NOT NULL, text text NOT NULL, received_at timestamptz NOT NULL) "
                      f"SERVER s; GRANT SELECT ON policies TO {LOGIN}")
        self.refused_by_all("public.policies, .* is a foreign table", "not_a_journal", BAD_DATA)
        self.db.query("DROP FOREIGN TABLE policies; ALTER TABLE kept RENAME TO policies;"
                      "ALTER TABLE decisions DROP CONSTRAINT decisions_pkey;"
                      "CREATE FOREIGN TABLE past PARTITION OF decisions FOR VALUES "
                      "FROM ('1999-01-01') TO ('1999-02-01') SERVER s")
        self.refused_by_all("public.past, .* is a foreign table", "not_a_journal", BAD_DATA)
        self.db.query("DROP FOREIGN TABLE past; CREATE TABLE extra () INHERITS (policies)")
        self.refused_by_all("inherit from public.policies", "not_a_journal", BAD_DATA)
        self.db.query("DROP TABLE extra; CREATE TABLE past PARTITION OF decisions FOR VALUES "
                      "FROM ('1999-01-01') TO ('1999-02-01') PARTITION BY LIST (asset);"
                      "CREATE TABLE past_btc PARTITION OF past FOR VALUES IN ('BTC')")
        self.whole()

    # ---- rows that some do not see
    def test_row_security(self):
        self.db.query("ALTER TABLE decisions ENABLE ROW LEVEL SECURITY;"
                      f"CREATE POLICY part ON decisions FOR SELECT TO {LOGIN} USING (asset = 'x')")
        self.refused_by_all(f"row security of .*decisions hides rows from {LOGIN}: .*BYPASSRLS",
                            "unreadable", USAGE)
        self.whole(self.db.dsn())  # the owner, to whom it does not apply
        self.server.query(f"ALTER ROLE {LOGIN} BYPASSRLS")
        self.addCleanup(self.server.query, f"ALTER ROLE {LOGIN} NOBYPASSRLS")
        self.whole()

    def test_a_check_that_says_what_is_not_there(self):
        """A partition is read though a constraint claims that the writer is not in it."""
        n = self.forge_writer(77)
        self.db.query("CREATE FUNCTION other() RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT 5';"
                      "ALTER TABLE events ADD CHECK (writer <> other());"
                      "CREATE OR REPLACE FUNCTION other() RETURNS bigint IMMUTABLE LANGUAGE sql "
                      "AS 'SELECT 77'")
        shown = strict_json(hedge("replay", "--db", self.dsn, "--json")[1])
        self.assertEqual(shown["records"], len(self.records) + n)

    # ---- another place
    def second_log(self):
        with open(SQL, encoding="utf-8") as f:
            text = f.read()
        self.db.query("CREATE SCHEMA truth; SET search_path = truth;" + text)
        self.grant(self.db, "truth")

    def test_two_logs_are_chosen_between_by_who_reads(self):
        self.second_log()
        for setting in ("truth, public", "truth", '"$user", public'):
            self.db.query(f"ALTER DATABASE {self.db.name} SET search_path = {setting}")
            self.refused_by_all("schemas public, truth: choose one", "usage", USAGE)
            shown = self.whole(self.dsn + " options=-csearch_path=public")
            self.assertIn(", schema public", shown["path"])
            empty = strict_json(self.run_ok("verify", "--db", self.dsn +
                                            " options=-csearch_path=truth", "--json"))
            self.assertEqual(empty["records"], 0)
            self.assertIn(", schema truth", empty["path"])
        self.assertEqual(hedge("verify", "--db", self.dsn, PGOPTIONS="-csearch_path=public")[0],
                         FINE)
        self.db.query(f"REVOKE USAGE ON SCHEMA public FROM PUBLIC, {LOGIN};"
                      f"ALTER DATABASE {self.db.name} SET search_path = public, truth")
        self.refused_by_all("schemas public, truth: choose one", "usage", USAGE)

    def test_functions_and_operators_of_others_are_not_called(self):
        self.db.query(
            "CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO PUBLIC;"
            "CREATE FUNCTION evil.no(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'evil'; END $$;"
            "CREATE FUNCTION evil.no(oid, oid) RETURNS boolean LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'evil'; END $$;"
            "CREATE FUNCTION evil.no(text, text) RETURNS boolean LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'evil'; END $$;"
            "CREATE FUNCTION evil.to_regclass(text) RETURNS regclass LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'evil'; END $$;"
            "CREATE FUNCTION evil.min(bigint) RETURNS bigint LANGUAGE sql AS 'SELECT 5';"
            + "".join(f"CREATE OPERATOR evil.{o} (FUNCTION = evil.no, LEFTARG = {t}, "
                      f"RIGHTARG = {t});" for o in ("=", ">") for t in ("bigint", "oid", "text"))
            + "CREATE TABLE evil.pg_class (); CREATE TABLE evil.pg_settings ();"
            f"ALTER DATABASE {self.db.name} SET search_path = evil, pg_catalog, public")
        self.whole()

    # ---- each column, to the bit
    def test_a_zero_with_a_sign_and_a_microsecond(self):
        seq = next(r["seq"] for r in self.records
                   if r["kind"] == 1 and r["decision"]["hedge_pct"] == 0)
        odd = next(r["seq"] for r in self.records if r["kind"] == 1 and r["ts_ns"] % 1000)
        for at, column, value in ((seq, "hedge_pct", "'-0'"), (seq, "notional_usd", "'-0'"),
                                  (odd, "ts", "ts + interval '1 us'"),
                                  (odd, "ts", "ts - interval '1 us'")):
            with self.subTest(column=column, value=value):
                where = f"WHERE writer = {self.writer} AND seq = {at}"
                self.db.query(f"CREATE TABLE kept AS SELECT {column} FROM decisions {where};"
                              + OPEN + f"UPDATE decisions SET {column} = {value} {where}")
                self.found(f"its column {column} differs", "verify", "--db", self.dsn,
                           fault="changed", seq=at)
                self.db.query(OPEN + f"UPDATE decisions SET {column} = kept.{column} FROM kept "
                              f"{where}; DROP TABLE kept")
        self.whole()

    # ---- by the indexes
    def test_nothing_is_sorted(self):
        """The plans of the statements that the server logs."""
        self.db.query(
            OPEN + "CREATE TABLE one AS SELECT * FROM decisions LIMIT 1;"
            + "".join(f"UPDATE one SET writer = 99, seq = {2000 * i};"
                      "INSERT INTO decisions SELECT (jsonb_populate_record(one, jsonb_build_object("
                      "'id', gen_random_uuid(), 'seq', one.seq + n))).* FROM one, "
                      "generate_series(1, 2000) n;" for i in range(4))
            + "ANALYZE")
        self.server.query(f"ALTER DATABASE {self.db.name} SET log_statement = 'all'")
        size = os.path.getsize(self.server.log_path)
        for command in ("verify", "replay"):
            hedge(command, "--db", self.dsn, "--writer", f"{99:016x}")
        with open(self.server.log_path, encoding="utf-8") as f:
            f.seek(size)
            sent = re.findall(r"statement: ((?:DECLARE hedge_rows|WITH RECURSIVE w\(writer\)).*)",
                              f.read())
        self.assertEqual(len(sent), 4)
        for sql in sent:
            plan = "\n".join(row for row, in self.db.query(
                "BEGIN; SET LOCAL search_path = pg_catalog; EXPLAIN " + sql))
            self.assertNotRegex(plan, r"Sort  ?\(")
            self.assertRegex(plan, r"Index (Only )?Scan using decisions_\S*writer_seq_idx")
            self.assertNotRegex(plan, r"Seq Scan on decisions_(default|\d+)")


if __name__ == "__main__":
    daemon.main()
