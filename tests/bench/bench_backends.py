#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures what happens behind a decision: its way to Postgres, and how fast it is audited.

    tests/bench/bench_backends.py BUILD [RECORDS] [SECONDS]

BUILD is a build folder with HEDGE_TESTS; RECORDS (1,000,000) are the backlog and the journal
that is audited; SECONDS (5) is how long each load lasts. Postgres runs here, durable, on the same
processors. Nothing here passes or fails.
"""
import os
import re
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build/bench")
os.environ.update(HEDGED=f"{BUILD}/hedged/hedged", HEDGE_CLI=f"{BUILD}/examples/hedge",
                  HEDGE_LIBRARY=f"{BUILD}/libhedge/libhedge.so.0")
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
# pylint: disable=wrong-import-position
import daemon  # noqa: E402
import oracle  # noqa: E402
import postgres_server  # noqa: E402
import shipping  # noqa: E402

POST = """wrk.method = "POST"
wrk.body = '{"asset":"BTC","amount_usd":250000}'
"""
QUOTE = {"score": 0.62, "confidence": 0.9, "depth1pct_usd": 780341.0}


def say(what, **numbers):
    print(f"{what}: " + " ".join(f"{k}={v}" for k, v in numbers.items()), flush=True)


def make_journal(folder, records):
    path, policy = os.path.join(folder, "journal.db"), os.path.join(folder, "policy.yaml")
    daemon.write_file(policy, oracle.text(oracle.policy(calm=True)))
    subprocess.run([f"{BUILD}/tests/bench/make_journal", str(records), path, policy], check=True,
                   stdout=subprocess.DEVNULL)
    return path


def audit(path, records, *source):
    for command in (("verify",), ("replay",), ("diff", os.path.join(HERE, "../../configs/policy.yaml"))):
        times = []
        for _ in range(3):
            begin = time.monotonic()
            daemon.hedge(*command, *(source or (path,)), timeout=600)
            times.append(time.monotonic() - begin)
        say(f"hedge {command[0]}", source=source[0] if source else "file", records=records,
            seconds=f"{min(times):.2f}", rate=f"{records / min(times):,.0f}/s")


def backlog(db, folder, records):
    d = daemon.Daemon(oracle.policy(calm=True), folder=folder, db_dsn=db.dsn())
    begin = time.monotonic()
    first = d.memory()["VmHWM"]
    with d.client() as c:
        # While it runs the database is left alone.
        daemon.wait_until(lambda: c.metric("hedge_ship_shipped_seq") >= records, "shipped", 900, 0.05)
        took = time.monotonic() - begin
        head = c.get("/decisions", limit=1).json["head"]["seq"]
        daemon.wait_until(lambda: db.count() == head, "all of them are there", 60)
    say("shipping a backlog", records=records, seconds=f"{took:.1f}",
        rate=f"{records / took:,.0f}/s",
        grown=f"{(d.memory()['VmHWM'] - first) / daemon.MIB:.1f} MiB")
    d.stop()


def idle_latency(db, n=300):
    """From a decision's instant to the row: by the server's clock, and until a reader sees it."""
    d = daemon.Daemon(oracle.policy(calm=True), db_dsn=db.dsn())
    seen = []
    with d.client() as c:
        c.put("/quotes/BTC", QUOTE)
        daemon.wait_until(lambda: c.metric("hedge_ship_up") == 1, "it ships")
        for _ in range(n):
            c.hedge("BTC", 1.0)
            time.sleep(0.02)
        writer = int(c.get("/decisions", limit=1).json["writer"], 16)
        daemon.wait_until(lambda: c.metric("hedge_ship_lag_records") == 0, "all is shipped")
    rows = db.query("SELECT extract(epoch FROM received_at) * 1e6 - ts_ns / 1000.0 FROM decisions "
                    f"WHERE writer = {writer}")
    seen = sorted(float(us) / 1000 for us, in rows)
    say("decision to row, idle (received_at - ts)", n=len(seen),
        median=f"{statistics.median(seen):.2f} ms", p99=f"{seen[int(len(seen) * 0.99)]:.2f} ms")
    d.stop()


def load(name, seconds, **settings):
    d = daemon.Daemon(oracle.policy(calm=True), **settings)
    script = os.path.join(d.folder, "post.lua")
    daemon.write_file(script, POST)
    with d.client() as c:
        c.put("/quotes/BTC", QUOTE)
    for connections in (1, 64):
        out = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s",
                              script, d.url + "/hedge"], check=True, capture_output=True).stdout.decode()
        numbers = {k: re.search(p, out) for k, p in (("median", r"\n\s+50%\s+(\S+)"), ("p99", r"\n\s+99%\s+(\S+)"),
                                                     ("rate", r"Requests/sec:\s+(\S+)"))}
        say(f"POST /hedge {name}", connections=connections,
            **{k: m.group(1) for k, m in numbers.items()})
    if "db_dsn" in settings:
        with d.client() as c:
            begin, lag = time.monotonic(), c.metric("hedge_ship_lag_records")
            daemon.wait_until(lambda: c.metric("hedge_ship_lag_records") == 0, "it catches up", 300)
            say("  behind at its end", records=f"{lag:.0f}",
                caught_up=f"{time.monotonic() - begin:.1f} s")
    d.stop()


def main():
    records = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    seconds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    folder = daemon.new_folder()
    path = make_journal(folder, records)
    audit(path, records)
    with postgres_server.Postgres(durable=True) as server:
        db = shipping.Database(server)
        backlog(db, folder, records)
        audit(path, records, "--db", db.dsn())
        other = shipping.Database(server)
        idle_latency(other)
        load("without Postgres", seconds)
        load("with Postgres", seconds, db_dsn=other.dsn())


if __name__ == "__main__":
    main()
