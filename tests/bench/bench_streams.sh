#!/bin/sh
# SPDX-License-Identifier: MIT
# Measures `hedge eval` and `hedge size` as filters: rows/s, the best of five runs
# each, on one thread and on as many as there are cores, and the processor time
# that a row takes, which other work on the machine changes less.
#   tests/bench/bench_streams.sh [HEDGE] [ROWS]   (build/bench/examples/hedge, 2000000)
set -eu
cd "$(dirname "$0")/../.."
run=$(mktemp -d)
trap 'rm -rf "$run"' EXIT
grep -m1 'model name' /proc/cpuinfo
echo "cores: $(nproc), load: $(cut -d' ' -f1-3 /proc/loadavg)"
/usr/bin/python3 - "$run" "${1:-build/bench/examples/hedge}" "${2:-2000000}" <<'PYTHON'
import os
import random
import sys
import time

folder, hedge, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])


def make():
    rng = random.Random(1)
    with open(f"{folder}/plain", "w") as plain, open(f"{folder}/csv", "w") as table, \
            open(f"{folder}/jsonl", "w") as lines, open(f"{folder}/size", "w") as size:
        table.write("id,score,note\n")
        size.write("asset,amount_usd,score,confidence,depth1pct_usd\n")
        for i in range(rows):
            score = repr(rng.random())
            plain.write(f"{score}\n")
            table.write(f"{i},{score},BTC-{i % 97}\n")
            lines.write(f'{{"id":{i},"score":{score},"note":"BTC-{i % 97}"}}\n')
            size.write(f"{('BTC', 'ETH', 'LTC')[i % 3]},{rng.uniform(1, 1e6):.2f},{score},"
                       f"{rng.random():.4f},{rng.uniform(1e4, 2e6):.2f}\n")


def run(name, arguments):
    """(seconds, processor seconds) of one run."""
    actions = [(os.POSIX_SPAWN_OPEN, 0, f"{folder}/{name}", os.O_RDONLY, 0),
               (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
    begin = time.monotonic()
    pid = os.posix_spawn(hedge, [hedge, *arguments], os.environ, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        sys.exit(f"{arguments}: {status}")
    return time.monotonic() - begin, usage.ru_utime + usage.ru_stime


make()
for what, name, arguments in (
        ("eval, a score a line", "plain", "eval"),
        ("eval, CSV of 3 columns", "csv", "eval --format csv --header"),
        ("eval, JSON lines of 3 members", "jsonl", "eval --format jsonl"),
        ("size, CSV of 5 columns", "size", "size --format csv --header"),
        ("size, hedge_pct alone", "size",
         "size --format csv --header --answers hedge_pct --answer-only")):
    for threads in sorted({1, os.cpu_count()}):
        runs = [run(name, [*arguments.split(), "--threads", str(threads), "--policy",
                           "configs/policy.yaml"]) for _ in range(5)]
        print(f"{what:31} threads={threads} {rows / min(r[0] for r in runs) / 1e6:6.1f} million rows/s,"
              f" {min(r[1] for r in runs) / rows * 1e9:5.0f} ns of processor a row", flush=True)
PYTHON
