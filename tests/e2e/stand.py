# SPDX-License-Identifier: MIT
"""Redis, ClickHouse and PostgreSQL side by side, fed without a pause, and daemons that use them."""
import http.client
import os
import threading
import time
from urllib.parse import urlencode

import clickhouse_server
import daemon
import journal
import oracle
import postgres_server
import redis_server
from daemon import Daemon

# Old sooner than what ships, so that a fault of a few seconds shows.
RULES = oracle.policy(limits={"stale_score_ms": 1000.0, "stale_depth_ms": 1500.0})
FAST = {"clickhouse_interval_ms": 100, "clickhouse_timeout_ms": 500}
INSERT = "INSERT INTO order_book_deltas FORMAT RowBinary"
LEVELS = ((99.5, "bid"), (99.9, "bid"), (100.1, "ask"), (100.5, "ask"))


def available():
    return (redis_server.available() and clickhouse_server.available()
            and postgres_server.available())


def init_db(dsn):
    """What an operator does once."""
    code, out, err = daemon.run(["--init-db"], HEDGE_DB_DSN=dsn)
    if code:
        raise AssertionError(f"hedged --init-db: {code} {out} {err}")


class Feed:
    """Scores on Redis each 50 ms and books in ClickHouse each 200 ms, for every asset.

    A server that is away is tried again: the feed never ends by itself."""

    def __init__(self, redis=None, clickhouse=None, assets=oracle.ASSETS):
        self.redis, self.clickhouse, self.assets = redis, clickhouse, assets
        self.ending, self.scores, self.books = threading.Event(), 0, 0
        work = ([self._scores] if redis else []) + ([self._books] if clickhouse else [])
        self.threads = [threading.Thread(target=w, daemon=True) for w in work]
        for t in self.threads:
            t.start()

    def _scores(self):
        link = None
        while not self.ending.wait(0.05):
            try:
                if link is None:
                    link = redis_server.Resp(self.redis.port)
                    link.socket.settimeout(1)
                for asset in self.assets:
                    link.publish(asset, {"score": 0.3 + self.scores % 40 / 100, "confidence": 0.9,
                                         "ts": time.time()})
                self.scores += 1
            except (OSError, RuntimeError, ValueError):
                if link:
                    link.socket.close()
                link = None
        if link:
            link.close()

    def _books(self):
        while not self.ending.wait(0.2):
            now = daemon.now_ms()
            rows = [(now, asset, side, price, 1000.0 + (self.books + k) % 17)
                    for asset in self.assets for k, (price, side) in enumerate(LEVELS)]
            link = http.client.HTTPConnection("127.0.0.1", self.clickhouse.port, timeout=1)
            try:
                link.request("POST", "/?" + urlencode({"query": INSERT}),
                             body=clickhouse_server.row_binary(rows))
                if link.getresponse().status == 200:
                    self.books += 1
            except (OSError, http.client.HTTPException):
                pass
            finally:
                link.close()

    def stop(self):
        self.ending.set()
        for t in self.threads:
            t.join(10)


class Requests:
    """POST /hedge at a steady rate: each as (when, seconds it took, status, answer)."""

    def __init__(self, port, every_s=0.02, assets=oracle.ASSETS):
        self.port, self.every_s, self.assets = port, every_s, assets
        self.heard, self.broken = [], []
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._post, daemon=True)
        self.thread.start()

    def _post(self):
        turn = 0
        with daemon.Client(self.port) as c:
            while not self.ending.wait(self.every_s):
                begin = time.monotonic()
                try:
                    answer = c.hedge(self.assets[turn % len(self.assets)], 1.0 + turn)
                except (OSError, http.client.HTTPException) as e:
                    self.broken.append(repr(e))
                    c.close()
                    continue
                turn += 1
                self.heard.append((begin, time.monotonic() - begin, answer.status, answer.json))

    def good(self, n=1):
        """Waits for n answers of 200 in a row from now on; returns when the first was asked for."""
        first = len(self.heard)

        def found():
            run = 0
            for i in range(first, len(self.heard)):
                run = run + 1 if self.heard[i][2] == 200 else 0
                if run == n:
                    return self.heard[i - n + 1][0]
            return None
        return daemon.wait_until(found, f"{n} good answers in a row", 30)

    def stop(self):
        self.ending.set()
        self.thread.join(40)

    def since(self, begin, end=float("inf")):
        return [h for h in self.heard if begin <= h[0] < end]


def start(policy=None, redis=None, clickhouse=None, dsn=None, **settings):
    """A daemon before these; redis and clickhouse are ports."""
    more = dict(FAST) if clickhouse else {}
    more.update(settings)
    if redis:
        more["redis_url"] = f"redis://127.0.0.1:{redis}"
    if clickhouse:
        more["clickhouse_url"] = f"http://127.0.0.1:{clickhouse}"
    if dsn:
        more["db_dsn"] = dsn
    return Daemon(policy or RULES, **more)


def fed(d, assets=oracle.ASSETS):
    """Waits until a daemon holds a score and a depth of every asset."""
    with d.client() as c:
        daemon.wait_until(
            lambda: sum("score" in q and "depth1pct_usd" in q
                        for q in c.get("/quotes").json["quotes"]) == len(assets),
            "a score and a depth of every asset", 20)


# ---- what has arrived ------------------------------------------------------------------------

def shipped(postgres, writer, after=0):
    """{seq: (record, hash)} of a writer in PostgreSQL; a seq that is there twice is an error."""
    out = {}
    for seq, record, digest in postgres.query(
            "SELECT seq, encode(record, 'hex'), encode(hash, 'hex') FROM chain "
            f"WHERE writer = {writer} AND seq > {after} ORDER BY seq"):
        if int(seq) in out:
            raise AssertionError(f"seq {seq} of writer {writer:#x} is there twice")
        out[int(seq)] = (bytes.fromhex(record), bytes.fromhex(digest))
    return out


def walk(rows):
    """Checks that {seq: (record, hash)} is a whole chain from 1 on: the decoded records."""
    previous, out = journal.FIRST, []
    for number, seq in enumerate(sorted(rows), 1):
        record, digest = rows[seq]
        if seq != number:
            raise AssertionError(f"seq {seq} stands where {number} belongs")
        previous = journal.chain(previous, record)
        if previous != digest:
            raise AssertionError(f"the chain breaks at {seq}")
        out.append(journal.decode(record))
    return out


def head(c):
    """(writer, seq) of a daemon's newest record."""
    page = c.get("/decisions", limit=1).json
    return int(page["writer"], 16), page["head"]["seq"]


def arrived(postgres, writer):
    """The newest seq of a writer in PostgreSQL; 0: none."""
    return int(postgres.value(f"SELECT coalesce(max(seq), 0) FROM chain WHERE writer = {writer}"))


def all_arrived(postgres, c, timeout=60.0):
    """Waits until PostgreSQL holds the daemon's journal up to what is its head now."""
    writer, seq = head(c)
    daemon.wait_until(lambda: arrived(postgres, writer) >= seq,
                      f"record {seq} of {writer:#x} in PostgreSQL", timeout, every=0.05)
    return writer, seq


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))
