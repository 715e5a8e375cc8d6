# SPDX-License-Identifier: MIT
"""bench_depth: the shipped depth query with millions of deltas behind it.

    bench_depth.py [MILLIONS] [ASSETS]     (10 4)

Starts a clickhouse-server of its own, makes deltas as a market of 100 million a day would, a third
each new levels, changed ones and removed ones, around mid prices that walk at random, and measures
at 1, 3, 10, 30, … millions. Nothing here passes or fails.
"""
import http.client
import os
import random
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))

import clickhouse_server  # noqa: E402
import daemon  # noqa: E402

RUNS = 50
CHUNK = 99_999  # deltas of one INSERT; a third of them are new levels
PER_MS = 100e6 / 86_400_000  # deltas
WALK = 0.0005  # standard deviation of a chunk's move: 1.6 % in 100 million
MAINTAIN_MS = 600_000  # as clickhouse_maintenance.sql is to be run
LIVE = 2000  # levels of an asset, both sides, at 4 assets; 500 at more
# name, price, tick: what Binance's spot books have, about
FOUR = (("BTC", 60000.0, 0.01), ("ETH", 3000.0, 0.01), ("LTC", 80.0, 0.01), ("XRP", 0.5, 0.0001))


def markets(n):
    if n <= len(FOUR):
        return FOUR[:n]
    return FOUR + tuple((f"A{i:03}", 10.0 ** (i % 4), 10.0 ** (i % 4) * 10.0 ** (-4 - i % 2))
                        for i in range(n - len(FOUR)))


def listed(values):
    return "[" + ", ".join(map(repr, values)) + "]"


class Market:
    """Deltas made in the server. Level k is born at its third of a delta, and its price depends on
    k alone, so that a later delta can change it and a still later one remove it."""

    def __init__(self, server, assets):
        self.server, self.assets = server, markets(assets)
        self.rng = random.Random(7)
        self.walk = [0.0]
        self.life = (LIVE if assets <= 4 else 500) * assets  # in levels born meanwhile
        self.begin_ms = 1_752_480_000_000
        self.chunks = 0

    @property
    def deltas(self):
        return self.chunks * CHUNK

    @property
    def newest_ms(self):
        return self.begin_ms + int(self.deltas / PER_MS)

    def add_chunk(self):
        # A level may be born some chunks before its removal: the walk back to there.
        back = self.life * 3 // CHUNK + 1
        self.walk.append(self.walk[-1] + self.rng.gauss(0, WALK))
        walk = [self.walk[max(0, self.chunks + i)] for i in range(-back, 2)]
        born = CHUNK // 3
        first = self.chunks * CHUNK
        self.server.query(f"""
            INSERT INTO order_book_deltas
            WITH {listed(m[0] for m in self.assets)} AS names,
                {listed(m[1] for m in self.assets)} AS prices,
                {listed(m[2] for m in self.assets)} AS ticks
            SELECT ts, names[a], if(s > 0, 'ask', 'bid'),
                toInt64(prices[a] * exp(moved) * (1 + s * far) / ticks[a]) * ticks[a], size
            FROM (
                SELECT toUInt64({self.begin_ms} + n / {PER_MS!r}) AS ts,
                    k % {len(self.assets)} + 1 AS a,
                    if(intHash64(k + 77) % 2 = 1, 1, -1) AS s,
                    0.001 - 0.003 * log((intHash32(k) + 0.5) / 4294967296.) AS far,
                    if(kind = 2, 0., (1 + intHash32(n) % 1000) / 100) AS size,
                    k / {born} - ({self.chunks - back}) AS position,
                    toUInt32(floor(position)) + 1 AS whole,
                    {listed(walk)} AS walk,
                    walk[whole] + (position + 1 - whole) * (walk[whole + 1] - walk[whole]) AS moved
                FROM (
                    SELECT number + {first} AS n, n % 3 AS kind,
                        toInt64(intDiv(n, 3))
                        - multiIf(kind = 0, 0, kind = 1, {self.life // 2}, {self.life}) AS k
                    FROM numbers({CHUNK}))
                WHERE k >= 0)""")
        self.chunks += 1

    def grow(self, deltas):
        while self.deltas < deltas:
            self.add_chunk()

    def trickle(self, blocks=30, rows=1000):
        """Small blocks as a writer inserts them, which stay unmerged until `measure` is done."""
        self.server.query("SYSTEM STOP MERGES")
        for _ in range(blocks):
            self.server.query(f"""
                INSERT INTO order_book_deltas
                SELECT toUInt64({self.newest_ms}), asset, side, price, size + 1
                FROM order_book_levels WHERE size > 0 LIMIT {rows}""")


class Bench:
    def __init__(self, server):
        self.server = server
        with open(clickhouse_server.DEPTH_QUERY, "rb") as f:
            self.query = f.read()

    def measure(self, label):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=600)
        times = []
        for _ in range(RUNS):
            begin = time.perf_counter()
            connection.request("POST", "/?default_format=JSONEachRow&wait_end_of_query=1",
                               self.query)
            reply = connection.getresponse()
            body = reply.read()
            times.append((time.perf_counter() - begin) * 1e3)
            if reply.status != 200:
                sys.exit(body.decode())
        connection.close()
        self.server.query("SYSTEM START MERGES")
        times.sort()
        rows, dead = self.server.query(
            "SELECT count(), countIf(size = 0) FROM order_book_levels").split()
        parts = self.server.query("SELECT count() FROM system.parts WHERE active AND "
                                  "table = 'order_book_levels'").strip()
        print(f"  {label:<44} rows={int(rows):>9,} removed={int(dead):>9,} parts={parts:>3} "
              f"median={times[RUNS // 2]:6.1f} ms worst={times[-1]:6.1f} ms", flush=True)

    def maintain(self, newest_ms):
        """The shipped statements, as if now were the newest delta's time."""
        begin = time.perf_counter()
        for statement in clickhouse_server.statements(clickhouse_server.MAINTENANCE):
            self.server.query(statement.replace("now()", f"toDateTime({newest_ms // 1000})"))
        daemon.wait_until(lambda: self.server.query(
            "SELECT count() FROM system.mutations WHERE NOT is_done") == "0\n", "done", 600, 0.05)
        print(f"  maintenance took {time.perf_counter() - begin:.1f} s", flush=True)


def main():
    millions = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    assets = int(sys.argv[2]) if len(sys.argv) > 2 else 4
    marks = sorted({m for m in (1, 3, 10, 30, 100, 300) if m < millions} | {millions})
    with ClickHouse() as server:
        print(f"ClickHouse {server.query('SELECT version()').strip()}, {os.cpu_count()} cores, "
              f"{assets} assets; {RUNS} runs each", flush=True)
        market, bench = Market(server, assets), Bench(server)
        for mark in marks:
            begin, before = time.perf_counter(), market.deltas
            market.grow(mark * 1e6)
            rate = (market.deltas - before) / (time.perf_counter() - begin)
            print(f"{market.deltas / 1e6:.1f} million deltas ({rate / 1e3:.0f} thousand/s)")
            bench.measure("never maintained, as the server left it")
            server.query("OPTIMIZE TABLE order_book_levels FINAL")
            bench.measure("never maintained, merged")
            market.trickle()
            bench.measure("and 30 blocks behind it")
        bench.maintain(market.newest_ms)
        bench.measure("maintained")
        market.grow(market.deltas + MAINTAIN_MS * PER_MS)
        bench.measure("ten minutes later, as the server left it")
        market.trickle()
        bench.measure("and 30 blocks behind it")
        bench.maintain(market.newest_ms)
        bench.measure("maintained again")


ClickHouse = clickhouse_server.ClickHouse

if __name__ == "__main__":
    main()
