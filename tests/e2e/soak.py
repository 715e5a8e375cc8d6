# SPDX-License-Identifier: MIT
"""Hours of steady load on one daemon, and what has grown at their end: see tests/soak.sh."""
import argparse
import contextlib
import math
import os
import sys
import time

import clickhouse_server
import daemon
import postgres_server
import proxy
import redis_server
import soak_load
import stand
from daemon import MIB

EVERY_S = 10.0
MOST_RATE = 600.0  # requests a second: the database keeps every decision
GOAL_MIB_H = 1.0
THREADS = 660  # met before it begins: as many as may be idle without being closed for others
JUDGED_FROM_S = 20 * 60.0  # a slope of less time says nothing


def stat(pid):
    """(seconds of processor, threads) of a process."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(fields[17])


def percentile(values, p):
    return values[min(len(values) - 1, int(p * len(values)))] if values else math.nan


class Samples:
    """What the process was like, every 10 seconds."""

    def __init__(self, d, tally):
        self.d, self.tally, self.rows = d, tally, []
        self.begin = time.monotonic()

    def take(self):
        took, pid = self.tally.since(), self.d.process.pid
        cpu_s, threads = stat(pid)
        row = {"t": time.monotonic() - self.begin, "rss": self.d.memory()["VmRSS"] / MIB,
               "fds": stand.descriptors(pid), "threads": threads, "cpu_s": cpu_s,
               "p50": percentile(took, 0.50) * 1e3, "p99": percentile(took, 0.99) * 1e3,
               "journal": sum(os.path.getsize(self.d.journal_path + end) / MIB
                              for end in ("", "-wal") if os.path.exists(self.d.journal_path + end))}
        self.rows.append(row)
        print(f"{row['t']:8.0f} s  rss {row['rss']:7.2f} MiB  fds {row['fds']:4d}  threads "
              f"{threads:4d}  journal {row['journal']:7.1f} MiB  requests {self.tally.requests:9d}  "
              f"declared {self.tally.declared:6d}  errors {len(self.tally.wrong):3d}  "
              f"p50 {row['p50']:6.2f} ms  p99 {row['p99']:7.2f} ms", flush=True)

    def settled(self):
        """Those after the warm-up: a fifth of the time, 5 minutes at most."""
        warm = min(300.0, self.rows[-1]["t"] / 5)
        return [r for r in self.rows if r["t"] >= warm]


def slope(rows, name):
    """(growth an hour, its standard error) by least squares. What one sample says of the next
    (autocorrelation) makes samples count for fewer than they are."""
    n = len(rows)
    if n < 4:
        return math.nan, math.inf
    t = [r["t"] / 3600 for r in rows]
    y = [r[name] for r in rows]
    mt, my = sum(t) / n, sum(y) / n
    square = sum((a - mt) ** 2 for a in t)
    b = sum((a - mt) * (v - my) for a, v in zip(t, y)) / square
    rest = [v - my - b * (a - mt) for a, v in zip(t, y)]
    total = sum(e * e for e in rest)
    if total == 0.0:
        return b, 0.0
    lag = max(0.0, min(0.99, sum(p * q for p, q in zip(rest, rest[1:])) / total))
    return b, math.sqrt(total / (n - 2) / square * (1 + lag) / (1 - lag))


# ---- the verdict -------------------------------------------------------------------------------

class Verdict:
    def __init__(self):
        self.bad = 0

    def say(self, good, text):
        """good: True, False, or None where it cannot be told."""
        self.bad += good is False
        print(f"{'?' if good is None else 'ok' if good else 'BAD':4} {text}", flush=True)

    def memory(self, rows):
        b, error = slope(rows, "rss")
        low, high, span_s = b - 2 * error, b + 2 * error, rows[-1]["t"] - rows[0]["t"]
        text = (f"rss grows by {b:+.2f} MiB/h, {low:+.2f} to {high:+.2f} (95 %), over "
                f"{span_s / 60:.1f} minutes; the goal is below {GOAL_MIB_H:.0f}")
        if span_s < JUDGED_FROM_S:
            self.say(None, text + "; too short to judge")
        else:
            self.say(True if high < GOAL_MIB_H else False if low > GOAL_MIB_H else None, text)

    def flat(self, rows, name):
        """The least of the last third is not above the most of the first: what comes and goes
        with slow clients is no growth."""
        third = max(1, len(rows) // 3)
        first, last = [r[name] for r in rows[:third]], [r[name] for r in rows[-third:]]
        self.say(min(last) <= min(first) + 2,
                 f"{name}: {min(first)} to {max(first)} in the first third, "
                 f"{min(last)} to {max(last)} in the last")

    def equal(self, what, got, wanted):
        self.say(got == wanted, f"{what}: {got}" + ("" if got == wanted else f", not {wanted}"))


def judge(samples, tally):
    v, rows = Verdict(), samples.settled()
    v.memory(rows)
    v.flat(rows, "fds")
    v.flat(rows, "threads")
    v.say(not tally.wrong, f"{len(tally.wrong)} errors of {tally.requests} requests; "
                           f"{tally.declared} declared: {dict(tally.codes)}")
    for line in tally.wrong[:10]:
        print("    ", line)
    return v


def judge_records(v, d, postgres, tally, made_before):
    """The chain, and that what was acknowledged, the journal and PostgreSQL are one."""
    with d.client() as c:
        v.equal("lost", int(c.metric("hedge_journal_lost_total")), 0)
        writer, _ = stand.all_arrived(postgres, c, 300.0)
        code, out, err = daemon.hedge("verify", "--url", d.url, timeout=600)
        v.say(code == 0, f"hedge verify --url: {(out or err).strip().splitlines()[-1]}")
    v.equal("exit code", d.stop(60), 0)
    code, out, err = daemon.hedge("verify", "--db", postgres.dsn(), timeout=3600)
    v.say(code == 0, f"hedge verify --db: {(out or err).strip().splitlines()[-1]}")
    last = int(postgres.value(f"SELECT max(seq) FROM chain WHERE writer = {writer}"))
    v.equal("records in PostgreSQL", int(postgres.value("SELECT count(*) FROM chain")), last)
    v.equal("decisions in PostgreSQL", int(postgres.value("SELECT count(*) FROM decisions")),
            tally.decided + made_before)


# ---- the run -----------------------------------------------------------------------------------

def serve(held):
    """The servers behind proxies, and a daemon before them."""
    redis, postgres = held.enter_context(redis_server.Redis()), \
        held.enter_context(postgres_server.Postgres())
    clickhouse = held.enter_context(clickhouse_server.ClickHouse()) \
        if clickhouse_server.available() else None
    stand.init_db(postgres.dsn())
    servers = [("redis", redis), ("postgres", postgres)] + \
        ([("clickhouse", clickhouse)] if clickhouse else [])
    proxies = {name: held.enter_context(proxy.Proxy(s.port)) for name, s in servers}
    d = held.enter_context(stand.start(
        soak_load.rules(0.9), proxies["redis"].port,
        proxies["clickhouse"].port if clickhouse else None,
        postgres.dsn(port=proxies["postgres"].port), certify=1, journal_keep_s=60,
        http_idle_ms=60000))
    feed = stand.Feed(redis, clickhouse, soak_load.FED)
    held.callback(feed.stop)
    with d.client() as c:
        for asset in (soak_load.HALTED, soak_load.PUT) + (() if clickhouse else soak_load.FED):
            c.put(f"/quotes/{asset}", soak_load.QUOTE)
    return d, postgres, list(proxies.items())


def run(hours, rate):
    with contextlib.ExitStack() as held:
        d, postgres, proxies = serve(held)
        with d.client() as c:
            stand.daemon.wait_until(lambda: c.get("/readyz").status == 200, "it is ready", 20)
            halts = "/halt" in c.get("/openapi.json").json["paths"]
        made_before = soak_load.meet_every_thread(d.port, THREADS)
        found, decided = soak_load.peak(d.port)
        made_before += decided
        rate = rate or min(found / 2, MOST_RATE)
        print(f"peak {found:.0f} requests/s from these callers; {rate:.0f}/s for {hours:g} hours; "
              f"halts: {'yes' if halts else 'no such route'}; servers: "
              f"{', '.join(name for name, _ in proxies)}", flush=True)
        tally = soak_load.Tally()
        samples, cpu_s = Samples(d, tally), stat(d.process.pid)[0]
        callers = [soak_load.Caller(d.port, tally, rate / 4, i, halts) for i in range(4)]
        trouble = soak_load.Trouble(d, proxies, tally, halts)
        while time.monotonic() - samples.begin < hours * 3600 and d.alive():
            time.sleep(EVERY_S)
            samples.take()
        trouble.end()
        for each in callers:
            each.end()
        v = judge(samples, tally)
        v.say(d.alive(), "the daemon is alive")
        print(f"     {dict(trouble.counts)}; the daemon used "
              f"{(stat(d.process.pid)[0] - cpu_s) / samples.rows[-1]['t']:.2f} processors, "
              f"this process {time.process_time() / samples.rows[-1]['t']:.2f}")
        judge_records(v, d, postgres, tally, made_before)
    print("verdict:", f"{v.bad} BAD" if v.bad else "good", flush=True)
    return 1 if v.bad else 0


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("hours", type=float)
    p.add_argument("--rate", type=float, help="requests a second; half of the peak where absent, "
                                              f"{MOST_RATE:.0f} at most")
    given = p.parse_args()
    if not (redis_server.available() and postgres_server.available()):
        print("skipped: redis-server or PostgreSQL is missing")
        return daemon.SKIP
    return run(given.hours, given.rate)


if __name__ == "__main__":
    sys.exit(main())
