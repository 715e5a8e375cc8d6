# SPDX-License-Identifier: MIT
"""Shipping into a database that loses rows, drops them, or takes its time."""
import socket
import subprocess
import threading
import time

import daemon
import postgres_server
import shipping
from daemon import wait_until
from shipping import Load, fill

TABLES = ("decisions", "shadow_decisions", "events")


def metric(d, name, **labels):
    with d.client() as c:
        return c.metric("hedge_ship_" + name, **labels)


def reasons(d):
    with d.client() as c:
        return {r["code"]: r["detail"] for r in c.get("/readyz").json["reasons"]}


def remove(db, where):
    """What an owner can do past the triggers."""
    db.query(shipping.OPEN +
             "".join(f"DELETE FROM {table} WHERE {where};" for table in TABLES))


def trigger(db, body, table="decisions"):
    db.query(f"CREATE FUNCTION mischief() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;"
             f"CREATE TRIGGER mischief BEFORE INSERT ON {table} FOR EACH ROW "
             "EXECUTE FUNCTION mischief()")


def untrigger(db, table="decisions"):
    db.query(f"DROP TRIGGER mischief ON {table}; DROP FUNCTION mischief()")


def tool(db, name):
    """One of PostgreSQL's programs, on this database."""
    return [f"{postgres_server._bin()}/{name}", "-h", db.server.folder, "-p", str(db.server.port),
            "-U", postgres_server.USER]


def dump(db):
    return subprocess.run([*tool(db, "pg_dump"), db.name], env=postgres_server._environment(),
                          check=True, capture_output=True).stdout


def restore(db, dumped):
    """Puts an older state back in one transaction, under whoever is connected."""
    drop = (b"DROP TABLE decisions, shadow_decisions, events, policies CASCADE; DROP FUNCTION "
            b"hedge_check, hedge_refuse, hedge_guard, hedge_partition, hedge_make_partitions, "
            b"hedge_make_partitions_in;\n")
    done = subprocess.run([*tool(db, "psql"), "-q", "-X", "-1", "-v", "ON_ERROR_STOP=1", "-d",
                           db.name], input=drop + dumped, env=postgres_server._environment(),
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


class Throttle:
    """A way to the server that carries only so many bytes a second towards it."""

    def __init__(self, port, rate):
        self.target, self.rate, self.open = port, rate, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            server = socket.create_connection(("127.0.0.1", self.target))
            self.open += [client, server]
            for a, b, slow in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pump, args=(a, b, slow), daemon=True).start()

    def _pump(self, a, b, slow):
        try:
            while piece := a.recv(4096):
                b.sendall(piece)
                if slow:
                    time.sleep(len(piece) / self.rate)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        for s in (self.listener, *self.open):
            s.close()


class Lost(shipping.Case):
    def assert_clean(self, db):
        code, out, err = daemon.hedge("verify", "--db", db.dsn())
        self.assertEqual(code, 0, out + err)

    def prepare(self, n=50, **settings):
        db = self.database()
        d = self.serve(db.dsn(), **settings)
        with d.client() as c:
            fill(c, n)
        self.wait_shipped(d)
        return db, d

    def decide(self, d, n=3):
        with d.client() as c:
            fill(c, n)

    def test_a_restore_under_load(self):
        db, d = self.prepare()
        dumped = dump(db)
        load = Load(d)
        self.decide(d, 200)
        wait_until(lambda: len(load.ids) > 100, "it decides")
        restore(db, dumped)
        wait_until(lambda: d.events("database_lacks_records"), f"it notices {d.log()}", 20)
        ids = load.end()
        self.wait_shipped(d)
        self.assert_answered(db, ids)
        self.assert_whole(db, d)
        self.assert_clean(db)

    def test_a_restore_of_what_has_left_the_journal(self):
        db, d = self.prepare(journal_keep_s=0)
        dumped = dump(db)
        self.decide(d, 700)
        seq = self.wait_shipped(d)
        with d.client() as c:
            wait_until(lambda: c.metric("hedge_journal_base_seq") == seq - 1, "one is left", 30)
            restore(db, dumped)
            held = db.count()
            self.decide(d)
            self.wait_reason(d, "postgres_gap")
            self.assertEqual((db.count(), metric(d, "up")), (held, 0))
            self.decide(d, 100)
            self.assertEqual(c.metric("hedge_journal_base_seq"), seq - 1)

    def test_the_partitions_of_this_month_dropped(self):
        db, d = self.prepare()
        month = time.strftime("_%Y_%m", time.gmtime())
        db.query("DROP TABLE " + ", ".join(t + month for t in TABLES))
        self.decide(d)
        wait_until(lambda: d.events("database_lacks_records"), f"it notices {d.log()}", 20)
        self.wait_shipped(d)
        self.assert_whole(db, d)
        self.assert_clean(db)

    def test_nothing_leaves_that_the_database_does_not_hold(self):
        """Rows go from the middle while nothing is sent: retention asks, and they come again."""
        db, d = self.prepare(300, journal_keep_s=2)
        remove(db, "seq BETWEEN 20 AND 90 OR seq IN (5, 150)")
        wait_until(lambda: d.events("database_lacks_records"), f"it notices {d.log()}", 20)
        seq = self.wait_shipped(d)
        with d.client() as c:
            wait_until(lambda: c.metric("hedge_journal_base_seq") == seq - 1, "they leave", 30)
        self.assertEqual([r[0] for r in db.chain(int(db.value("SELECT writer FROM chain LIMIT 1")))],
                         list(range(1, seq + 1)))
        self.assert_clean(db)

    def test_holes_are_filled_at_the_next_connection(self):
        """Every third row, a long piece, the first ones, and some around one that is parked."""
        db = self.database()
        trigger(db, "IF NEW.seq = 41 THEN RAISE check_violation; END IF; RETURN NEW;")
        d = self.serve(db.dsn())
        self.decide(d, 3000)
        self.wait_shipped(d)
        d.stop()
        remove(db, "seq < 4 OR seq BETWEEN 1000 AND 2500 OR seq BETWEEN 39 AND 42 "
                   "OR (seq % 3 = 0 AND seq BETWEEN 100 AND 130)")
        d.start()
        self.quote(d)
        self.wait_shipped(d)
        self.assert_whole(db, d, {41})
        self.assertEqual(metric(d, "parked"), 1)
        firsts = [e["first"] for e in d.events("database_lacks_records")]
        self.assertEqual(firsts, [1, 39, *range(102, 131, 3), 1000])
        untrigger(db)
        d.stop()
        d.start()
        wait_until(lambda: metric(d, "parked") == 0, "it is taken")
        self.wait_shipped(d)
        self.assert_whole(db, d)
        self.assert_clean(db)


class Slow(shipping.Case):
    def test_a_trigger_that_takes_its_time(self):
        """1,000 rows would take longer than a statement may: fewer at once go through."""
        db = self.database()
        trigger(db, "PERFORM pg_sleep(0.03); RETURN NEW;")
        d = self.serve("")
        with d.client() as c:
            fill(c, 500)
        d.stop()
        d.settings["HEDGE_DB_DSN"] = db.dsn()
        d.start()
        self.quote(d)
        self.wait_reason(d, "postgres_slow", 30)
        self.assertEqual((metric(d, "up"), metric(d, "fault", fault="slow")), (0, 1))
        wait_until(lambda: db.count() > 100, "some go through", 40, 0.2)
        wait_until(lambda: metric(d, "up") == 1, "that is up", 30)
        self.assertNotIn("postgres_slow", reasons(d))
        self.wait_shipped(d, 60)
        self.assertEqual(metric(d, "parked"), 0)
        self.assert_whole(db, d)

    def test_a_link_that_carries_little(self):
        db = self.database()
        d = self.serve("")
        with d.client() as c:
            fill(c, 1200)
        d.stop()
        way = Throttle(self.server.port, 50_000)
        self.addCleanup(way.close)
        d.settings["HEDGE_DB_DSN"] = db.dsn(port=way.port)
        d.start()
        self.quote(d)
        self.wait_reason(d, "postgres_slow", 30)
        self.assertEqual(metric(d, "up"), 0)
        seen = set()

        def whole():
            seen.update(reasons(d))
            return metric(d, "up") == 1 and metric(d, "lag_records") == 0

        wait_until(whole, "all is shipped", 100, 0.05)
        self.assertNotIn("postgres_locked", seen)
        self.assert_whole(db, d)


class Dropped(shipping.Case):
    def test_a_trigger_that_drops_the_rows_of_one_asset(self):
        db = self.database()
        trigger(db, "IF NEW.asset = 'ETH' THEN RETURN NULL; END IF; RETURN NEW;")
        d = self.serve(db.dsn())
        with d.client() as c:
            for _ in range(4):
                fill(c, 300)
                c.hedge("ETH")
            fill(c, 10)
            self.wait_shipped(d)
            dropped = {r["seq"] for r in c.records() if r["asset"] == "ETH"}
        self.assertEqual(len(dropped), 4)
        self.assert_whole(db, d, dropped)
        self.assertIn("records_parked", reasons(d))
        self.assertEqual({e["seq"] for e in d.events("row_parked")}, dropped)
        self.assertIn("drops it", d.events("row_parked")[0]["reason"])
        self.assertEqual(metric(d, "fault", fault="diverged"), 0)
        d.stop()
        d.start()  # parked ones are tried again, and dropped again
        self.wait_shipped(d)
        self.assertEqual(metric(d, "parked"), 4)
        untrigger(db)
        d.stop()
        d.start()
        wait_until(lambda: metric(d, "parked") == 0, "they are taken")
        self.wait_shipped(d)
        self.assert_whole(db, d)

    def test_a_trigger_that_drops_policies(self):
        db = self.database()
        trigger(db, "RETURN NULL;", "policies")
        d = self.serve(db.dsn())
        self.assertIn("drops it", self.wait_reason(d, "postgres_refused"))
        self.assertEqual((db.count(), metric(d, "up")), (0, 0))
        untrigger(db, "policies")
        with d.client() as c:
            fill(c, 10)
        self.wait_shipped(d)
        self.assertGreater(db.count("policies"), 0)
        self.assertEqual(metric(d, "parked"), 0)
        self.assert_whole(db, d)


if __name__ == "__main__":
    daemon.main()
