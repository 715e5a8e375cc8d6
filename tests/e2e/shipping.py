# SPDX-License-Identifier: MIT
"""A database of its own for each test, a daemon that ships into it, and how both are compared."""
import itertools
import os
import subprocess
import threading

import daemon
import journal
import oracle
import postgres_server
from daemon import Daemon, wait_until

RULES = oracle.policy(calm=True)
QUOTE = {"score": 0.5, "confidence": 0.9, "depth1pct_usd": 1e6}
SECRET = "s3cr3t-w0rd"
_numbers = itertools.count(1)

# What an owner can do: from here on no trigger refuses anything.
OPEN = """DO $$ DECLARE t record; BEGIN
  FOR t IN SELECT tgrelid::regclass AS id, tgname FROM pg_trigger
            WHERE tgname ~ '^hedge_no_' AND tgenabled <> 'D' LOOP
    EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', t.id, t.tgname);
  END LOOP;
END $$; """


class Database:
    """A fresh database on a server, with the tables in it unless bare."""

    def __init__(self, server, bare=False):
        self.server, self.name = server, f"d{next(_numbers)}"
        server.query(f"CREATE DATABASE {self.name}")
        if not bare:
            self.init()

    def dsn(self, **more):
        return self.server.dsn(database=self.name, **more)

    def init(self, **more):
        code, out, err = init_db(self.dsn(**more))
        if code:
            raise AssertionError(f"--init-db: {code} {out} {err}")
        return out

    def query(self, sql, **more):
        return self.server.query(sql, database=self.name, **more)

    def value(self, sql, **more):
        return self.server.value(sql, database=self.name, **more)

    def count(self, table="chain"):
        return int(self.value(f"SELECT count(*) FROM {table}"))

    def chain(self, writer):
        """[(seq, record, hash), …] of one writer."""
        return [(int(seq), bytes.fromhex(record), bytes.fromhex(digest)) for seq, record, digest in
                self.query("SELECT seq, encode(record, 'hex'), encode(hash, 'hex') FROM chain "
                           f"WHERE writer = {writer} ORDER BY seq, ts")]

    def backends(self):
        """The process ids that serve daemons here."""
        return [int(pid) for pid, in self.query(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'hedged' "
            f"AND datname = '{self.name}'")]


def init_db(dsn):
    return daemon.run(["--init-db"], HEDGE_DB_DSN=dsn)


def init_many(dsns):
    """Several at once: their exit codes."""
    processes = [subprocess.Popen([daemon.program("HEDGED"), "--init-db"],
                                  env=daemon.environment({"HEDGE_DB_DSN": dsn}),
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL) for dsn in dsns]
    return [p.wait(60) for p in processes]


def fill(c, n, asset="BTC"):
    """n decisions, by batches: how many were taken."""
    left = n
    while left > 0:
        part = min(left, 1000)
        answer = c.post("/hedge/batch", {"requests": [{"asset": asset, "amount_usd": 1000.0 + left}]
                                         * part})
        if answer.status == 200:
            left -= part
        elif answer.status != 503:
            raise AssertionError(answer)


class Load:
    """Threads that ask for decisions until the end; what they were told is counted."""

    def __init__(self, d, threads=2):
        self.ids, self.ending, self.lock = set(), threading.Event(), threading.Lock()
        self.threads = [threading.Thread(target=self._run, args=(d,)) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def _run(self, d):
        try:
            with d.client() as c:
                while not self.ending.is_set():
                    answer = c.hedge().json
                    with self.lock:
                        self.ids.add(answer["decision_id"])
        except OSError:
            pass  # the daemon was killed

    def end(self):
        self.ending.set()
        for thread in self.threads:
            thread.join()
        return self.ids


class Case(daemon.Case):
    """Tests on one server, each with its own database."""
    settings = {}

    @classmethod
    def setUpClass(cls):
        if not postgres_server.available():
            raise daemon.unittest.SkipTest("no PostgreSQL server here")
        cls.server = postgres_server.Postgres(**cls.settings)
        cls.addClassCleanup(cls.server.kill)

    def database(self, **more):
        return Database(self.server, **more)

    def serve(self, dsn, rules=RULES, quote=True, **settings):
        d = Daemon(rules, db_dsn=dsn, **settings)
        self.addCleanup(d.__exit__)
        if quote:
            self.quote(d)
        return d

    def quote(self, d):
        with d.client() as c:
            self.assert_status(c.put("/quotes/BTC", QUOTE), 200)

    def wait_shipped(self, d, timeout=20.0):
        """Until the database holds all the journal does: the head's seq."""
        with d.client() as c:
            def done():
                m = c.metrics()
                return (m[("hedge_ship_up", ())] == 1 and m[("hedge_ship_lag_records", ())] == 0
                        and m[("hedge_ship_shipped_seq", ())])
            return int(wait_until(done, f"all is shipped: {d.log()}", timeout))

    def wait_reason(self, d, code, timeout=20.0):
        """Until /readyz names it: its detail. The daemon still decides."""
        def named():
            with d.client() as c:
                answer = c.get("/readyz")
            found = [r["detail"] for r in answer.json["reasons"] if r["code"] == code]
            return found and (answer.status, answer.json["status"], found[0])
        status, word, detail = wait_until(named, f"/readyz names {code}: {d.log()}", timeout)
        self.assertEqual((status, word), (200, "degraded"), detail)
        return detail

    def assert_whole(self, db, d, parked=()):
        """Every record of the daemon's journal is in the database once, but those parked."""
        with d.client() as c:
            page = c.get("/decisions", limit=1).json
            kept = [(int(r["seq"]), bytes.fromhex(r["record"]), bytes.fromhex(r["hash"]))
                    for r in c.records()]
        found = db.chain(int(page["writer"], 16))
        first = kept[0][0]
        self.assertEqual([row for row in found if row[0] >= first],
                         [row for row in kept if row[0] not in parked])
        self.assertEqual([row[0] for row in found], [seq for seq in range(1, kept[-1][0] + 1)
                                                     if seq not in parked])
        previous = journal.FIRST
        for _, record, digest in found if not parked else ():
            previous = journal.chain(previous, record)
            self.assertEqual(previous, digest)
        return found

    def assert_answered(self, db, ids):
        """Each decision that was answered is there."""
        there = {row[0] for row in db.query("SELECT id FROM decisions")}
        self.assertLessEqual(ids, there)
        self.assertGreater(len(ids), 0)


def copy_folder(d):
    """The journal of a daemon that does not run, copied: the copy's path."""
    return journal.copy(d.journal_path, os.path.join(daemon.new_folder(), "journal.db"))


class Session:
    """One psql that stays open, so that a transaction can be left open in it."""

    def __init__(self, db):
        server = db.server
        self.process = subprocess.Popen(
            [postgres_server._bin() + "/psql", "-X", "-q", "-A", "-t", "-h", server.folder, "-p",
             str(server.port), "-U", postgres_server.USER, "-d", db.name],
            env=postgres_server._environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)

    def run(self, sql):
        """Runs SQL to its end."""
        self.process.stdin.write(f"{sql}\n\\echo =done=\n".encode())
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line == b"=done=\n":
                return
        raise AssertionError("psql ended")

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
