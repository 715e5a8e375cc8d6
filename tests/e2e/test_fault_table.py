# SPDX-License-Identifier: MIT
"""Each of the three servers in each kind of trouble, and then well again, under steady requests.

A table of what was seen is printed. HEDGE_FAULT_CELLS: only cells whose name contains it.
"""
import os
import signal
import threading
import time
import unittest

import clickhouse_server
import daemon
import postgres_server
import proxy
import redis_server
import stand

ONLY = os.environ.get("HEDGE_FAULT_CELLS", "")
AT_ONCE = 4
STALE = {"redis": ("stale_score", 1.0), "clickhouse": ("stale_depth", 1.5)}
STUCK_S = 2.0  # an answer that took this long has waited for a server
MEMORY = 96 << 20  # what a fault may cost at its worst; a sanitizer keeps what was freed
FAULTS = {"absent at start": 3.0, "killed": 3.0, "frozen": 3.0, "slow": 3.0, "garbage": 3.0,
          "cut": 3.0, "blackhole": 3.0, "half": 3.0, "refused": 3.0}
LONG_S = 10.0  # one freeze of each server lasts longer than every time-out
MAKES = {"redis": redis_server.Redis, "clickhouse": clickhouse_server.ClickHouse,
         "postgres": postgres_server.Postgres}


class Cell:
    """One server in one kind of trouble, with a daemon and a feed of its own."""

    def __init__(self, server, fault, seconds):
        self.server, self.fault, self.seconds = server, fault, seconds
        self.name = f"{server}: {fault}"
        self.closing, self.error = [], None
        self.servers, self.row = {}, {}

    def run(self, shared):
        try:
            self._run(shared)
        except Exception as e:  # pylint: disable=broad-except
            self.error = f"{type(e).__name__}: {e}"
        finally:
            for close in reversed(self.closing):
                close()

    # ---- the servers
    def _own(self):
        """Faults of the process itself need a server that no other cell uses."""
        return self.fault in ("absent at start", "killed", "frozen")

    def _servers(self, shared):
        self.servers = dict(shared)
        if self._own():
            made = MAKES[self.server]()
            self.closing.append(made.kill)
            self.servers[self.server] = made
            if self.server == "postgres":
                stand.init_db(made.dsn())
        self.sick = self.servers[self.server]
        self.proxy = proxy.Proxy(self.sick.port)
        self.closing.append(self.proxy.close)

    def _port(self, name):
        return self.proxy.port if name == self.server else self.servers[name].port

    # ---- the trouble
    def _away(self):
        self.sick.kill()

    def _back(self):
        if self.server == "postgres":
            self.sick.restart()
            return
        more = {"folder": self.sick.folder} if self.server == "clickhouse" else {}
        again = MAKES[self.server](port=self.sick.port, **more)
        self.closing.append(again.kill)
        self.servers[self.server] = self.sick = again
        if self.feed:
            setattr(self.feed, self.server, again)

    def _begin(self):
        if self.fault == "killed":
            self._away()
        elif self.fault == "frozen":
            self._freeze()
        elif self.fault == "slow":
            self.proxy.delay(0.1)
        elif self.fault == "garbage":
            self.proxy.garbage()
            self.proxy.cut()
        elif self.fault == "blackhole":
            self.proxy.blackhole()
        elif self.fault == "half":
            self.proxy.half(40)
        elif self.fault == "refused":
            self.proxy.refuse()
            self.proxy.cut()

    def _freeze(self):
        if self.server == "redis":
            self.sick.process.send_signal(signal.SIGSTOP)
        else:
            self.sick.freeze()

    def _thaw(self):
        if self.server == "redis":
            self.sick.process.send_signal(signal.SIGCONT)
        else:
            self.sick.thaw()

    def _during(self):
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            time.sleep(0.25)
            if self.fault == "cut":
                self.proxy.cut()

    def _end(self):
        if self.fault == "absent at start" or self.fault == "killed":
            self._back()
        elif self.fault == "frozen":
            self._thaw()
        self.proxy.pass_()

    # ---- from beginning to end
    def _run(self, shared):
        self.feed = None
        self._servers(shared)
        if self.fault == "absent at start":
            self._away()
        if self._own() and self.server != "postgres":
            self.feed = stand.Feed(**{self.server: self.sick})
            self.closing.append(self.feed.stop)
        d = stand.start(redis=self._port("redis"), clickhouse=self._port("clickhouse"),
                        dsn=self.servers["postgres"].dsn(port=self._port("postgres")))
        self.closing.append(d.__exit__)
        if self.fault != "absent at start" or self.server == "postgres":
            stand.fed(d)
        requests = stand.Requests(d.port)
        self.closing.append(requests.stop)
        if self.fault != "absent at start" or self.server == "postgres":
            requests.good(20)
        descriptors, before = stand.descriptors(d.process.pid), d.memory()["VmRSS"]
        begin = time.monotonic()
        self._begin()
        self._during()
        ended = time.monotonic()
        self._end()
        well = time.monotonic()
        healed = requests.good(20)
        with d.client() as c:
            stand.all_arrived(self.servers["postgres"], c)
            arrived = time.monotonic()
            requests.stop()
            writer, seq = stand.all_arrived(self.servers["postgres"], c)
            self._judge(d, c, requests, (begin, ended, well), writer, seq)
        self.row.update(
            heal=max(0.0, healed - well), ship=arrived - well,
            memory=d.memory()["VmHWM"] / daemon.MIB,
            descriptors=stand.descriptors(d.process.pid) - descriptors)
        assert d.alive(), d.log()
        assert self.row["descriptors"] <= 4, f"{self.row['descriptors']} descriptors more"
        grown = d.memory()["VmHWM"] - before
        assert grown < MEMORY, f"{grown / daemon.MIB} MiB more"
        code = d.stop()
        assert code == 0, f"exit code {code}: {d.log()}"

    def _judge(self, d, c, requests, times, writer, seq):
        begin, ended, well = times
        rows = stand.shipped(self.servers["postgres"], writer)
        records = [r for r in stand.walk(rows) if r["kind"] == 1]
        assert len(rows) >= seq, f"{len(rows)} rows for {seq} records"
        made = {stand.journal.decision_id(writer, r["seq"]): r for r in records}
        assert requests.broken == [], requests.broken[:3]
        trips, worst = {}, 0.0
        for _, took, status, answer in requests.heard:
            worst = max(worst, took)
            assert answer["decision_id"] in made, f"not in PostgreSQL: {answer}"
            if status != 200:
                trips[answer["code"]] = trips.get(answer["code"], 0) + 1
        during = requests.since(begin, ended)
        self.row.update(asked=len(during), trips=trips, worst=worst,
                        ok=sum(1 for h in during if h[2] == 200))
        assert during, "nothing was asked during the fault"
        assert worst < STUCK_S, f"an answer took {worst:.2f} s"
        self._judge_trips(records, trips, requests, begin)

    def _judge_trips(self, records, trips, requests, begin):
        if self.server == "postgres":
            assert trips == {}, f"PostgreSQL touches decisions: {trips}"
            return
        breaker, limit_s = STALE[self.server]
        allowed = {breaker, "no_quote"} if self.fault == "absent at start" else {breaker}
        assert set(trips) <= allowed, f"{trips}, and only {allowed} may trip"
        age = "score_age_ns" if self.server == "redis" else "depth_age_ns"
        for r in records:
            made = r["decision"]
            if made["status"] == stand.oracle.CODE[breaker]:
                assert made[age] > limit_s * 1e9, f"it tripped {breaker} at an age of {made[age]}"
        early = [h for h in requests.since(begin, begin + limit_s - 0.75) if h[2] != 200]
        if self.fault != "absent at start":
            assert early == [], f"refused before anything was old: {early[0]}"
        if self.fault in ("killed", "frozen", "blackhole", "refused", "garbage"):
            assert trips.get(breaker), f"nothing reached it for {self.seconds} s, yet no {breaker}"

    def describe(self):
        r = self.row
        if self.error:
            return f"  {self.name:<28} {self.error[:300]}"
        return (f"  {self.name:<28} {self.seconds:4.0f} s  asked {r['asked']:4d}  ok {r['ok']:4d}  "
                f"trips {str(r['trips']):<32} worst {r['worst'] * 1e3:5.0f} ms  good again "
                f"{r['heal']:5.2f} s  shipped {r['ship']:5.2f} s  {r['memory']:3.0f} MiB")


@unittest.skipUnless(stand.available(), "redis-server, clickhouse-server and postgresql are needed")
class FaultTable(unittest.TestCase):
    def test_every_server_in_every_trouble(self):
        cells = [Cell(server, fault, LONG_S if fault == "frozen" else seconds)
                 for server in MAKES for fault, seconds in FAULTS.items()]
        cells = [c for c in cells if ONLY in c.name]
        cells.sort(key=lambda c: -c.seconds)
        with redis_server.Redis() as redis, clickhouse_server.ClickHouse() as clickhouse, \
                postgres_server.Postgres() as postgres:
            stand.init_db(postgres.dsn())
            shared = {"redis": redis, "clickhouse": clickhouse, "postgres": postgres}
            feed = stand.Feed(redis, clickhouse)
            waiting, lock = list(cells), threading.Lock()

            def work():
                while True:
                    with lock:
                        if not waiting:
                            return
                        cell = waiting.pop(0)
                    cell.run(shared)
            begin = time.monotonic()
            workers = [threading.Thread(target=work) for _ in range(AT_ONCE)]
            for w in workers:
                w.start()
            for w in workers:
                w.join()
            feed.stop()
        print(f"\n  {len(cells)} cells in {time.monotonic() - begin:.0f} s", flush=True)
        for cell in sorted(cells, key=lambda c: c.name):
            print(cell.describe(), flush=True)
        self.assertEqual([f"{c.name}: {c.error}" for c in cells if c.error], [])


if __name__ == "__main__":
    daemon.main()
