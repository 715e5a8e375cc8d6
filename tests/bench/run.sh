#!/bin/sh
# SPDX-License-Identifier: MIT
# Measures the library and the daemon beside their peers, in one run, and
# prints the numbers. Nothing here passes or fails.
#   tests/bench/run.sh [SECONDS]          how long each load lasts (5)
#   tests/bench/run.sh library [CHART]    the library alone; draws CHART.svg
set -eu
cd "$(dirname "$0")/../.."
library= chart= seconds=5
case ${1:-} in
library) library=yes chart=${2:-} ;;
*) seconds=${1:-5} ;;
esac
build=build/bench
configs/install-packages.sh build run test bench
mkdir -p $build
cmake -S . -B $build -G Ninja -DCMAKE_BUILD_TYPE=Release -DHEDGE_TESTS=ON >$build/configure.log
cmake --build $build >$build/build.log 2>&1 || { cat $build/build.log; exit 1; }
run=$(mktemp -d $build/run.XXXXXX)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true' EXIT

machine="$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) cores"
echo "$machine"
{
    $build/tests/bench/bench_curve
    $build/tests/bench/bench_paths
    $build/tests/bench/bench_size configs/policy.yaml
    /usr/bin/python3 tests/bench/bench_scipy.py
} >"$run/rows.tsv"
/usr/bin/python3 tests/bench/report.py "$run/rows.tsv" --machine "$machine" ${chart:+--chart "$chart"}
[ -z "$library" ] || exit 0

# A policy that does not let the one quote of the load grow stale.
cat >"$run/policy.yaml" <<POLICY
curve: {knots: [[0, .05], [.3, .25], [.7, .75], [1, 1]]}
limits: {stale_score_ms: 86400000, stale_depth_ms: 86400000}
POLICY
cat >"$run/post.lua" <<'LUA'
wrk.method = "POST"
wrk.body = '{"asset":"BTC","amount_usd":250000}'
LUA

load() { # name, url, connections
    wrk -t1 -c"$3" -d"$seconds"s --latency -s "$run/post.lua" "$2" >"$run/wrk.log"
    awk -v name="$1" -v c="$3" '
        $1 == "50%" { p50 = $2 } $1 == "99%" { p99 = $2 }
        /Requests\/sec/ { rate = $2 } /Non-2xx/ { bad = $NF }
        END { printf "%s connections=%d median=%s p99=%s rate=%.0f/s refused=%d\n",
                     name, c, p50, p99, rate, bad }' "$run/wrk.log"
}

serve() { # durability, what kind of start it is
    begin=$(date +%s%N)
    HEDGE_API_PORT=0 HEDGE_DURABILITY=$1 HEDGE_POLICY=$run/policy.yaml HEDGE_JOURNAL=$run/$1.db \
        $build/hedged/hedged 2>"$run/$1.log" &
    server=$!
    while ! grep -q '"listening"' "$run/$1.log"; do sleep 0.001; done
    url=$(sed -n 's/.*"url":"\([^"]*\)".*/\1/p' "$run/$1.log")
    curl -sf -o /dev/null -X PUT "$url/quotes/BTC" -d '{"score":0.62,"depth1pct_usd":780341}'
    curl -sf -o /dev/null "$url/hedge" -d '{"asset":"BTC","amount_usd":1}'
    echo "$2 to the first sized hedge: $((($(date +%s%N) - begin) / 1000000)) ms" \
        "(listening after $(sed -n 's/.*"start_ms":\([0-9.]*\).*/\1/p' "$run/$1.log") ms)," \
        "resident $(awk '/VmRSS/ { print $2 }' /proc/$server/status) KiB"
}

stop() {
    kill "$server"
    wait "$server" || true
    server=
}

for durability in commit async; do
    serve $durability "first start, the curve certified,"
    stop
    serve $durability "start with a known curve"
    for connections in 1 16 64; do load "POST /hedge $durability" "$url/hedge" $connections; done
    echo "resident after the load: $(awk '/VmRSS/ { print $2 }' /proc/$server/status) KiB;" \
        "$(curl -s "$url/metrics" | grep ^hedge_journal_lost_total)"
    stop
done
port=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
$build/tests/bench/bench_hello 127.0.0.1:"$port" &
server=$!
sleep 0.3
for connections in 1 16 64; do load "civetweb hello" "http://127.0.0.1:$port/" $connections; done
stop
