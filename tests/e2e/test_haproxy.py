# SPDX-License-Identifier: MIT
"""Three daemons behind HAProxy with configs/haproxy.cfg, and one of them is killed under load."""
import http.client
import os
import shutil
import signal
import subprocess
import threading
import time
import unittest

import clickhouse_server
import daemon
import oracle
import postgres_server
import redis_server
import stand
from daemon import Client

CONFIG = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
                      "configs", "haproxy.cfg")
CONNECTIONS = 8
WRITER = 18  # so many characters of a decision_id are the daemon's own


def haproxy():
    return shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin")


class Balancer:
    """HAProxy with the shipped configuration before daemons on these ports."""

    def __init__(self, ports):
        self.port = daemon.free_port()
        self.log_path = os.path.join(daemon.new_folder(), "haproxy.log")
        names = {"HEDGE_FRONT": f"127.0.0.1:{self.port}"}
        names.update({f"HEDGE_{i}": f"127.0.0.1:{p}" for i, p in enumerate(ports, 1)})
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([haproxy(), "-db", "-f", CONFIG],
                                            env={**os.environ, **names}, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        daemon._running.append(self)
        daemon.wait_until(self._ready, "haproxy has a daemon to send to", 20, every=0.05)

    def _ready(self):
        if self.process.poll() is not None:
            with open(self.log_path, encoding="utf-8") as log:
                raise AssertionError(f"haproxy ended: {log.read()}")
        try:
            with Client(self.port) as c:
                return c.get("/healthz").status == 200
        except OSError:
            return False

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        if self in daemon._running:
            daemon._running.remove(self)


class Load:
    """Keep-alive connections through the balancer, half of the requests with a key."""

    def __init__(self, port):
        self.port, self.ending, self.lock = port, threading.Event(), threading.Lock()
        self.kept, self.failed, self.wrong = [], [], []
        self.threads = [threading.Thread(target=self._post, args=(i,), daemon=True)
                        for i in range(CONNECTIONS)]
        for t in self.threads:
            t.start()

    def _post(self, number):
        turn = 0
        c = Client(self.port)
        while not self.ending.is_set():
            turn += 1
            asset = oracle.ASSETS[turn % 4]
            head = {"Idempotency-Key": f"{number}-{turn}"} if turn % 2 else {}
            begin = time.monotonic()
            try:
                answer = c.post("/hedge", {"asset": asset, "amount_usd": 1.0 + turn}, headers=head)
            except (OSError, http.client.HTTPException) as e:
                self.failed.append((begin, repr(e)))
                c.close()
                continue
            if answer.status == 200:
                self.kept.append(answer.json)
            elif answer.status in (502, 503, 504) and b"urn:hedge" not in answer.body:
                self.failed.append((begin, repr(answer)))  # HAProxy's own words
            else:
                self.wrong.append(repr(answer))
        c.close()

    def more(self, n):
        before = len(self.kept)
        daemon.wait_until(lambda: len(self.kept) >= before + n or self.wrong, f"{n} more answers",
                          30)

    def stop(self):
        self.ending.set()
        for t in self.threads:
            t.join(30)


@unittest.skipUnless(haproxy(), "haproxy is not installed")
@unittest.skipUnless(stand.available(), "redis-server, clickhouse-server and postgresql are needed")
class Haproxy(daemon.Case):
    def serve(self):
        self.redis = redis_server.Redis()
        self.addCleanup(self.redis.kill)
        self.clickhouse = clickhouse_server.ClickHouse()
        self.addCleanup(self.clickhouse.kill)
        self.postgres = postgres_server.Postgres()
        self.addCleanup(self.postgres.kill)
        stand.init_db(self.postgres.dsn())
        feed = stand.Feed(self.redis, self.clickhouse)
        self.addCleanup(feed.stop)
        self.daemons = []
        for _ in range(3):
            d = stand.start(oracle.policy(), self.redis.port, self.clickhouse.port,
                            self.postgres.dsn(), api_port=daemon.free_port())
            self.addCleanup(d.__exit__)
            self.daemons.append(d)
        for d in self.daemons:
            with d.client() as c:
                daemon.wait_until(lambda c=c: c.get("/readyz").status == 200, "it can decide", 20)
        self.balancer = Balancer([d.port for d in self.daemons])
        self.addCleanup(self.balancer.kill)

    def check_database(self, load):
        """Three writers, three whole chains, every acknowledged decision in one of them."""
        made = {}
        for d in self.daemons:
            with d.client() as c:
                writer, _ = stand.all_arrived(self.postgres, c)
            records = stand.walk(stand.shipped(self.postgres, writer))
            for r in records:
                if r["kind"] == 1:
                    made[stand.journal.decision_id(writer, r["seq"])] = r
        known = [a["decision_id"] for a in load.kept]
        self.assertEqual(len(known), len(set(known)))
        self.assertEqual([k for k in known if k not in made][:3], [], "acknowledged, not shipped")
        rows = self.postgres.query("SELECT id, amount_usd, hedge_pct FROM decisions")
        self.assertEqual(len(rows), len({r[0] for r in rows}), "each once")
        told = {r[0]: (float(r[1]), float(r[2])) for r in rows}
        for a in load.kept:
            self.assertEqual(told[a["decision_id"]], (a["amount_usd"], a["hedge_pct"]), a)
        self.assertEqual(self.postgres.value("SELECT count(DISTINCT writer) FROM chain"), "3")
        code, out, err = daemon.hedge("verify", "--db", self.postgres.dsn())
        self.assertEqual(code, 0, f"{out} {err}")

    def test_one_of_three_is_killed_under_load(self):
        self.serve()
        load = Load(self.balancer.port)
        self.addCleanup(load.stop)
        load.more(300)
        self.assertEqual(load.failed, [], "nothing fails while all are well")
        victim = self.daemons[1]
        victim.kill()
        gone = time.monotonic()
        load.more(600)
        failed = list(load.failed)
        # A dying process still takes connections, so one that failed may fail there again.
        self.assertLessEqual(len(failed), 2 * CONNECTIONS, failed[:5])
        late = [(t - gone, what) for t, what in failed if t > gone + 0.1]
        self.assertEqual(late, [], "only what was in flight, or sent while it died, may fail")
        victim.start()
        with victim.client() as c:
            before = c.metric("hedge_journal_records_total")
            daemon.wait_until(lambda: c.get("/readyz").status == 200, "it is back", 20)
            daemon.wait_until(lambda: c.metric("hedge_journal_records_total") > before + 50,
                              "it gets its share again", 20)
        load.more(300)
        self.assertEqual(len(load.failed), len(failed), f"{load.failed[len(failed):][:3]}")
        load.stop()
        self.assertEqual(load.wrong[:3], [])
        self.check_database(load)
        print(f"\n  {len(load.kept)} acknowledged, {len(failed)} failed, the "
              f"last of them sent {max([t - gone for t, _ in failed], default=0) * 1e3:+.1f} ms "
              "from its end", flush=True)
        for d in self.daemons:
            self.assertEqual(d.stop(), 0)

    def test_who_may_pass_and_where_to(self):
        self.serve()
        with Client(self.balancer.port) as c:
            for method, path in (("PUT", "/quotes/BTC"), ("POST", "/halt"), ("POST", "/resume"),
                                 ("POST", "/curve/reload"), ("GET", "/decisions"),
                                 ("GET", "/metrics"), ("GET", "/quotes")):
                body = {"reason": "r"} if method != "GET" else None
                self.assert_status(c.ask(method, path, body), 404, path)
            for d in self.daemons:
                with d.client() as direct:
                    self.assertEqual(direct.get("/halt").json, {"halted": []}, "none got through")
            self.assert_status(c.post("/curve", {}), 405)
            self.assert_status(c.get("/curve"), 200)
            self.assert_status(c.get("/readyz"), 200)
            same = [c.post("/hedge", {"asset": "BTC", "amount_usd": 1},
                           headers={"Idempotency-Key": f"same-{i % 12}"}) for i in range(48)]
            for i in range(12):
                ids = {a.json["decision_id"] for a in same[i::12]}
                self.assertEqual(len(ids), 1, "a key goes to the daemon that knows its answer")
            self.assertEqual([a.headers["Idempotency-Replayed"] for a in same],
                             [None] * 12 + ["true"] * 36)
            for found in ({a.json["decision_id"][:WRITER] for a in same},
                          {c.hedge().json["decision_id"][:WRITER] for _ in range(30)}):
                self.assertEqual(len(found), 3, "every daemon has its share")
        frozen = self.daemons[2]
        frozen.signal(signal.SIGSTOP)  # accepts, never answers
        daemon.wait_until(lambda: len(self.writers(6)) == 2, "the frozen one gets nothing", 60)
        frozen.signal(signal.SIGCONT)
        daemon.wait_until(lambda: len(self.writers(6)) == 3, "it gets its share again", 20)

    def writers(self, n):
        """Which daemons answered n requests; none where one of them got no answer."""
        try:
            with Client(self.balancer.port) as c:
                return {c.hedge().json["decision_id"][:WRITER] for _ in range(n)}
        except (OSError, http.client.HTTPException, KeyError, ValueError):
            return set()


if __name__ == "__main__":
    daemon.main()
