#!/bin/sh
# SPDX-License-Identifier: MIT
# 500 slow connections of slowhttptest (heads, bodies, reads) beside a caller that asks 50 times a
# second: how many of its requests failed, and how long they took. Nothing here passes or fails.
#   tests/bench/slow.sh BUILD [SECONDS]     a build folder; how long each attack lasts (20)
set -eu
cd "$(dirname "$0")/../.."
build=${1:?a build folder} seconds=${2:-20}
run=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$run"' EXIT
cat >"$run/policy.yaml" <<POLICY
curve: {knots: [[0, .05], [.3, .25], [.7, .75], [1, 1]]}
limits: {stale_score_ms: 86400000, stale_depth_ms: 86400000}
POLICY
cat >"$run/good.py" <<'PYTHON'
import http.client, sys, time
host, port, seconds, what = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
times, failed, end = [], 0, time.monotonic() + seconds
while time.monotonic() < end:
    begin = time.monotonic()
    try:
        c = http.client.HTTPConnection(host, port, timeout=10)
        c.request("POST", "/hedge", '{"asset":"BTC","amount_usd":1}')
        failed += c.getresponse().status != 200
        c.close()
    except OSError:
        failed += 1
    times.append(time.monotonic() - begin)
    time.sleep(max(0.0, 0.02 - times[-1]))
times.sort()
print(f"{what}: {len(times)} requests, {failed} failed, median {times[len(times) // 2] * 1e3:.1f} ms, "
      f"p99 {times[int(len(times) * .99)] * 1e3:.1f} ms, most {times[-1] * 1e3:.1f} ms")
PYTHON
# slowhttptest has one address: its share is not what is measured here. An older daemon warns of
# the name and goes on.
HEDGE_CERTIFY=0 HEDGE_API_PORT=0 HEDGE_HTTP_CONNECTIONS_PER_PEER=0 HEDGE_POLICY=$run/policy.yaml \
    HEDGE_JOURNAL=$run/journal.db "$build/hedged/hedged" 2>"$run/log" &
server=$!
until grep -q '"listening"' "$run/log" 2>/dev/null; do sleep 0.01; done
url=$(sed -n 's/.*"url":"\([^"]*\)".*/\1/p' "$run/log")
port=${url##*:}
curl -sf -o /dev/null -X PUT "$url/quotes/BTC" -d '{"score":0.62,"depth1pct_usd":780341}'
attack() { # name, options of slowhttptest
    what=$1
    shift
    slowhttptest -c 500 -r 250 -l "$seconds" -p 3 "$@" >"$run/slow.log" 2>&1 &
    slow=$!
    sleep 2 # until the connections are there
    /usr/bin/python3 "$run/good.py" 127.0.0.1 "$port" "$((seconds - 2))" "$what"
    wait "$slow" || true
}
attack "500 slow heads" -H -i 1 -t GET -u "$url/healthz"
attack "500 slow bodies" -B -i 1 -s 8192 -t POST -u "$url/hedge"
attack "500 slow readers" -X -w 512 -y 1024 -n 1 -z 32 -k 3 -u "$url/curve?points=10001"
