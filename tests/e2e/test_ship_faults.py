# SPDX-License-Identifier: MIT
"""Shipping when something is wrong: nothing lost, nothing twice, no decision held up."""
import os
import random
import signal
import sqlite3
import time

import daemon
import postgres_server
import proxy
import shipping
from daemon import wait_until
from shipping import Load, fill

ROUNDS = 50


def metric(d, name, **labels):
    with d.client() as c:
        return c.metric("hedge_ship_" + name, **labels)


def times(c, n, asset="BTC"):
    """How long n single decisions take, sorted, in seconds."""
    out = []
    for _ in range(n):
        begin = time.monotonic()
        c.hedge(asset)
        out.append(time.monotonic() - begin)
    return sorted(out)


def backend(db):
    """The process that serves the daemon, or None."""
    try:
        return next(iter(db.backends()), None)
    except RuntimeError:  # the server starts anew
        return None


class Crashes(shipping.Case):
    def test_backends_killed_at_any_moment(self):
        """Ended by the server, or by kill -9, after which the server starts all of them anew."""
        with postgres_server.Postgres(restart_after_crash="on") as server:
            db = shipping.Database(server)
            d = self.serve(db.dsn())
            load, luck = Load(d), random.Random(7)
            for i in range(ROUNDS // 2):
                pid = wait_until(lambda: backend(db), f"it comes back {d.log()}", 30)
                time.sleep(luck.random() * 0.15)  # most of them ship something first
                try:
                    os.kill(pid, signal.SIGKILL if i % 10 == 9 else signal.SIGTERM)
                except ProcessLookupError:
                    pass  # the crash before took it along
            ids = load.end()
            self.wait_shipped(d, 60)
            self.assert_answered(db, ids)
            self.assert_whole(db, d)

    def test_the_server_killed_at_any_moment(self):
        with postgres_server.Postgres() as server:
            db = shipping.Database(server)
            d = self.serve(db.dsn())
            load, luck = Load(d), random.Random(8)
            for _ in range(6):
                wait_until(lambda: metric(d, "up") == 1, f"it ships again {d.log()}", 30)
                time.sleep(luck.random() * 0.2)
                server.kill()
                server.restart()
            ids = load.end()
            self.wait_shipped(d, 60)
            self.assert_answered(db, ids)
            self.assert_whole(db, d)

    def test_answers_lost_on_the_way(self):
        """The connection breaks after any number of bytes of reply: a commit may have happened."""
        db = self.database()
        with proxy.Proxy(self.server.port) as way:
            d = self.serve(db.dsn(port=way.port))
            self.wait_shipped(d)
            load, luck = Load(d, 1), random.Random(9)
            for _ in range(ROUNDS):
                before = way.connections
                way.half(luck.randrange(1, 400))
                wait_until(lambda b=before: way.connections > b, "it comes back", 20, 0.001)
                if luck.random() < 0.7:
                    way.pass_()
                    seen = metric(d, "batches_total")
                    wait_until(lambda s=seen: metric(d, "batches_total") > s, "it ships", 30)
            way.pass_()
            ids = load.end()
            self.wait_shipped(d, 60)
            self.assert_answered(db, ids)
            self.assert_whole(db, d)

    def test_the_daemon_killed_at_any_moment(self):
        db = self.database()
        d = self.serve(db.dsn())
        ids, luck = set(), random.Random(10)
        for _ in range(12):
            load = Load(d)
            wait_until(lambda x=load: len(x.ids) > 20, "it decides")
            time.sleep(luck.random() * 0.15)
            d.kill()
            ids |= load.end()
            d.start()
            self.quote(d)
        self.wait_shipped(d)
        self.assert_answered(db, ids)
        self.assert_whole(db, d)


class Trouble(shipping.Case):
    def test_an_absent_server_is_no_reason_not_to_decide(self):
        port = daemon.free_port()
        d = self.serve(f"host=127.0.0.1 port={port} dbname=d user=hedge password={shipping.SECRET}")
        detail = self.wait_reason(d, "postgres_unreachable")
        self.assertIn(str(port), detail)
        with d.client() as c:
            fill(c, 50)
            m = c.metrics()
            self.assertGreaterEqual(m[("hedge_ship_lag_records", ())], 50)
            wait_until(lambda: c.metric("hedge_ship_lag_seconds") > 0.3, "the lag grows")
        self.assertEqual(m[("hedge_ship_up", ())], 0)
        begin = time.monotonic()
        self.assertEqual(d.stop(), 0)
        self.assertLess(time.monotonic() - begin, 2)
        self.assertNotIn(shipping.SECRET, "\n".join(d.lines))
        with postgres_server.Postgres(port=port) as server:
            db = shipping.Database(server)
            d.settings["HEDGE_DB_DSN"] = db.dsn()
            d.start()
            self.wait_shipped(d)
            self.assert_whole(db, d)

    def test_a_frozen_server_holds_up_neither_decisions_nor_the_stop(self):
        with postgres_server.Postgres() as server:
            db = shipping.Database(server)
            d = self.serve(db.dsn())
            self.wait_shipped(d)
            with d.client() as c:
                times(c, 20)
                before = times(c, 200)
                self.wait_shipped(d)
                server.freeze()
                frozen = times(c, 200)
            self.assertLess(frozen[100], before[100] * 5 + 0.005)
            begin = time.monotonic()
            self.assertEqual(d.stop(), 0)
            took = time.monotonic() - begin
            self.assertLess(took, 3)
            self.assertEqual(len(d.events("stopped")), 1)
            server.thaw()
            d.start()
            self.wait_shipped(d, 30)  # the older connection's transaction is over first
            self.assert_whole(db, d)

    def test_a_server_that_only_accepts(self):
        with proxy.Proxy(1) as hole:
            hole.blackhole()
            d = self.serve(f"host=127.0.0.1 port={hole.port} dbname=x user=y")
            wait_until(lambda: hole.open, "it connects")
            with d.client() as c:
                self.assert_status(c.hedge(), 200)
            begin = time.monotonic()
            self.assertEqual(d.stop(), 0)
            self.assertLess(time.monotonic() - begin, 2)

    def test_a_server_that_talks_nonsense(self):
        with proxy.Proxy(1) as noise:
            noise.garbage()
            d = self.serve(f"host=127.0.0.1 port={noise.port} dbname=x user=y")
            wait_until(lambda: noise.connections > 5, "it comes again")
            with d.client() as c:
                self.assert_status(c.hedge(), 200)
            self.assertEqual(d.stop(), 0)

    # ---- rows
    def test_a_refused_row_is_put_aside_and_sent_when_it_may(self):
        db = self.database()
        db.query("ALTER TABLE decisions ADD CONSTRAINT no_eth CHECK (asset <> 'ETH')")
        d = self.serve(db.dsn())
        with d.client() as c:
            fill(c, 2000)
            for _ in range(7):
                c.hedge("ETH")
                fill(c, 50)
            self.wait_shipped(d)
            refused = {r["seq"] for r in c.records() if r["asset"] == "ETH"}
        self.assertEqual(len(refused), 7)
        self.assert_whole(db, d, refused)
        self.assertIn("7", self.wait_reason(d, "records_parked"))
        self.assertEqual(metric(d, "parked"), 7)
        self.assertEqual({e["seq"] for e in d.events("row_parked")}, refused)
        self.assertIn("no_eth", d.events("row_parked")[0]["reason"])
        self.reconnect(db, d)  # still refused
        self.assertEqual(metric(d, "parked"), 7)
        db.query("ALTER TABLE decisions DROP CONSTRAINT no_eth")
        self.assertEqual(d.stop(), 0)
        d.start()
        self.quote(d)
        self.wait_shipped(d)
        wait_until(lambda: metric(d, "parked") == 0, "they are taken")
        self.assertEqual(metric(d, "unparked_total"), 7)
        self.assert_whole(db, d)

    def reconnect(self, db, d):
        """Cuts the daemon's connection and waits for the next one."""
        seen = len(d.events("postgres_connected"))
        db.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
                 f"'hedged' AND datname = '{db.name}'")
        wait_until(lambda: len(d.events("postgres_connected")) > seen, "it comes back")
        with d.client() as c:
            c.hedge()
        self.wait_shipped(d)

    def test_parked_rows_may_leave_the_journal_and_are_kept_aside(self):
        db = self.database()
        db.query("ALTER TABLE decisions ADD CONSTRAINT no_eth CHECK (asset <> 'ETH')")
        d = self.serve(db.dsn(), journal_keep_s=0)
        with d.client() as c:
            c.hedge("ETH")
            fill(c, 100)
            seq = self.wait_shipped(d)
            wait_until(lambda: c.metric("hedge_journal_base_seq") == seq - 1, "one is left", 30)
            c.hedge("ETH")  # and the newest ones are parked, and stay
            c.hedge("ETH")
            self.wait_shipped(d)
        db.query("ALTER TABLE decisions DROP CONSTRAINT no_eth")
        d.stop()
        d.start()
        wait_until(lambda: metric(d, "parked") == 0, "they are taken")
        self.wait_shipped(d)
        self.assertEqual(db.value("SELECT count(*) FROM decisions WHERE asset = 'ETH'"), "3")
        self.assert_whole(db, d)

    def test_where_every_row_is_refused_it_is_not_the_rows(self):
        db = self.database()
        db.query("ALTER TABLE decisions ADD CONSTRAINT closed CHECK (false) NOT VALID")
        d = self.serve(db.dsn())
        with d.client() as c:
            fill(c, 1500)
        self.assertIn("closed", self.wait_reason(d, "postgres_refused"))
        self.assertEqual(metric(d, "fault", fault="refused"), 1)
        self.assertEqual(metric(d, "parked"), 100)
        db.query("ALTER TABLE decisions DROP CONSTRAINT closed")
        wait_until(lambda: metric(d, "parked") == 0, f"they are taken {d.log()}", 30)
        self.wait_shipped(d)
        self.assertEqual(metric(d, "fault", fault="refused"), 0)
        self.assert_whole(db, d)

    def test_a_row_of_the_journal_that_is_no_record(self):
        db = self.database()
        d = self.serve("", quote=False)
        with d.client() as c:
            for _ in range(5):
                c.hedge()
        d.stop()
        with sqlite3.connect(d.journal_path) as f:
            f.executescript("".join(f"DROP TRIGGER {name};" for name, in f.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'records'")))
            f.execute("UPDATE records SET record = substr(record, 1, 40) WHERE seq = 3")
            f.execute("UPDATE records SET record = CAST(replace(hex(record), 'x', 'y') AS BLOB) "
                      "WHERE seq = 5")
            changed = bytearray(f.execute("SELECT record FROM records WHERE seq = 6").fetchone()[0])
            changed[100] ^= 1
            f.execute("UPDATE records SET record = ? WHERE seq = 6", (bytes(changed),))
        f.close()
        d.settings["HEDGE_DB_DSN"] = db.dsn()
        d.start()
        self.wait_shipped(d)
        self.assertEqual(metric(d, "parked"), 3)
        self.reconnect(db, d)  # what does not verify is not sent the next time either
        seq = self.wait_shipped(d)
        self.assertEqual(metric(d, "parked"), 3)
        writer = int(db.value("SELECT writer FROM chain LIMIT 1"))
        self.assertEqual([row[0] for row in db.chain(writer)],
                         [n for n in range(1, seq + 1) if n not in (3, 5, 6)])
        self.assertEqual(d.stop(), 0)

    # ---- rights and tables
    def test_missing_tables(self):
        db = self.database(bare=True)
        d = self.serve(db.dsn())
        self.assertIn("--init-db", self.wait_reason(d, "postgres_schema"))
        self.assertEqual(metric(d, "fault", fault="schema"), 1)
        db.init()
        self.wait_shipped(d)
        self.assertEqual(metric(d, "fault", fault="schema"), 0)
        self.assert_whole(db, d)

    def test_a_missing_database(self):
        d = self.serve(self.server.dsn(database="later"))
        self.assertIn("later", self.wait_reason(d, "postgres_schema"))
        self.server.query("CREATE DATABASE later")
        self.assertEqual(shipping.init_db(self.server.dsn(database="later"))[0], 0)
        self.wait_shipped(d)

    def test_a_role_without_rights(self):
        db = self.database()
        self.server.query("CREATE ROLE poor LOGIN")
        d = self.serve(db.dsn(user="poor"))
        self.assertIn("GRANT hedge_daemon", self.wait_reason(d, "postgres_privilege"))
        self.server.query("GRANT hedge_daemon TO poor")
        self.wait_shipped(d)
        self.assert_whole(db, d)
        db.query("REVOKE INSERT ON decisions FROM hedge_daemon")
        with d.client() as c:
            c.hedge()
        self.wait_reason(d, "postgres_privilege")
        self.assertEqual(metric(d, "parked"), 0)
        db.query("GRANT INSERT ON decisions TO hedge_daemon")
        self.wait_shipped(d)
        self.assert_whole(db, d)

    def test_a_wrong_password_is_shown_nowhere(self):
        with postgres_server.Postgres(password="right") as server:
            d = self.serve(shipping.Database(server).dsn(password=shipping.SECRET))
            detail = self.wait_reason(d, "postgres_privilege")
            self.assertIn("28P01", detail)
            with d.client() as c:
                seen = b"".join(c.get(path).body for path in ("/readyz", "/metrics", "/decisions"))
            self.assertEqual(d.stop(), 0)
        self.assertNotIn(shipping.SECRET, seen.decode() + "\n".join(d.lines))

    # ---- one writer, two stories
    def test_an_older_copy_of_the_journal_put_back(self):
        db = self.database()
        d = self.serve(db.dsn())
        self.wait_shipped(d)
        d.stop()
        old = shipping.copy_folder(d)
        d.start()
        self.quote(d)
        with d.client() as c:
            fill(c, 100)
        self.wait_shipped(d)
        d.stop()
        fork = self.serve(db.dsn(), journal=old)
        held = db.count()
        self.assertIn("the journal ends at", self.wait_reason(fork, "postgres_diverged"))
        with fork.client() as c:
            fill(c, 200)  # longer than the database now, and another story
        wait_until(lambda: "another hash" in self.wait_reason(fork, "postgres_diverged"),
                   "it looks again", 20)
        self.assertEqual((db.count(), metric(fork, "fault", fault="diverged")), (held, 1))
        fork.stop()
        d.start()  # the true one goes on
        self.wait_shipped(d)
        self.assert_whole(db, d)

    def test_a_database_that_lost_what_has_left_the_journal(self):
        db = self.database()
        d = self.serve(db.dsn(), journal_keep_s=0)
        with d.client() as c:
            fill(c, 600)
            seq = self.wait_shipped(d)
            wait_until(lambda: c.metric("hedge_journal_base_seq") == seq - 1, "one is left", 30)
        d.stop()
        other = self.database()
        d.settings["HEDGE_DB_DSN"] = other.dsn()
        d.start()
        self.quote(d)
        self.wait_reason(d, "postgres_gap")
        self.assertEqual((other.count(), metric(d, "fault", fault="gap")), (0, 1))
        d.stop()
        d.settings["HEDGE_DB_DSN"] = db.dsn()
        d.start()
        self.wait_shipped(d)
        self.assert_whole(db, d)

    def test_two_daemons_on_copies_of_one_journal(self):
        db = self.database()
        d = self.serve(db.dsn())
        self.wait_shipped(d)
        d.stop()
        twin = shipping.copy_folder(d)
        d.start()
        self.wait_shipped(d)
        second = self.serve(db.dsn(), journal=twin)
        self.wait_reason(second, "postgres_locked")
        second.stop()
        self.wait_shipped(d)
        self.assert_whole(db, d)

    def test_rows_added_by_somebody_else_are_noticed(self):
        db = self.database()
        d = self.serve(db.dsn())
        seq = self.wait_shipped(d)
        db.query("INSERT INTO events (id, ts, kind, asset, note, version, ts_ns, policy, writer, "
                 "seq, record, hash) SELECT gen_random_uuid(), now(), 'start', '', '', '', 0, '', "
                 f"writer, {seq + 1}, '', '' FROM events LIMIT 1")
        with d.client() as c:
            c.hedge()
        self.assertIn("holds 2", self.wait_reason(d, "postgres_diverged"))
        self.assertEqual(db.count("decisions"), 0)  # that transaction is undone


if __name__ == "__main__":
    daemon.main()
