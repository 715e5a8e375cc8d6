#!/bin/sh
# SPDX-License-Identifier: MIT
# From a bare machine to a sized hedge: installs what is missing, builds, starts
# hedged with a sample feed, shows one decision and the curve, and goes on until
# Ctrl-C.
#   examples/quickstart.sh          HEDGE_API_PORT=8000 is tried first
#   examples/quickstart.sh --once   stops after the first decision
set -eu
cd "$(dirname "$0")/.."
. examples/steps.sh
once=${1:-}
case $once in
"" | --once) ;;
*)
    echo "usage: examples/quickstart.sh [--once]" >&2
    exit 2
    ;;
esac

configs/install-packages.sh build run
build=build/quickstart
build_in $build
hedge=$build/examples/hedge

# The journal of this run has a folder of its own; it stays for a look.
run=$(mktemp -d $build/run.XXXXXX)
daemon= feed=
stop() {
    trap - EXIT INT TERM
    trap '' PIPE
    # The feed is a pipeline in a session of its own: stop all of it.
    [ -z "$feed" ] || kill -- -"$feed" 2>/dev/null || true
    [ -z "$daemon" ] || { kill "$daemon" 2>/dev/null && wait "$daemon" || true; }
}
trap stop EXIT
trap 'exit 141' PIPE # as in quickstart.sh | head
trap 'stop; exit 0' INT TERM

start() {
    HEDGE_API_PORT=$1 HEDGE_POLICY=configs/policy.yaml HEDGE_JOURNAL=$run/journal.db \
        $build/hedged/hedged 2>"$run/hedged.log" &
    daemon=$!
    wait_for_line '"event":"listening"' "$run/hedged.log" $daemon || return 1
    url=$(url_in "$run/hedged.log")
}
if ! start "${HEDGE_API_PORT:-8000}"; then
    if ! grep -q 'cannot listen' "$run/hedged.log" || ! start 0; then
        cat "$run/hedged.log" >&2
        exit 1
    fi
fi
setsid sh examples/sample_feed.sh "$url" &
feed=$!

wait_until_ready "$url" || :
body='{"asset":"BTC","amount_usd":250000}'
echo
echo "One sized hedge:"
echo "  \$ curl -s $url/hedge -d '$body'"
echo "  $(curl -sSf "$url/hedge" -d "$body")"
echo
$hedge plot --policy configs/policy.yaml --asset BTC
echo
echo "Serving on $url, with a sample feed that moves:"
for path in /quotes "/curve?points=11" /decisions /readyz /metrics; do echo "  $url$path"; done
echo "Log: $run/hedged.log   Journal: $run/journal.db"
[ -z "$once" ] || exit 0
echo "Ctrl-C stops it; then try: $hedge verify $run/journal.db"
wait $daemon || true
