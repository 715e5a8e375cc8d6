#!/bin/sh
# SPDX-License-Identifier: MIT
# The whole system on one machine: Redis with scores, ClickHouse with order books, PostgreSQL for
# the log of decisions, and hedged between them with a second policy in its shadow. Installs what is
# missing, builds, starts everything in one temporary folder, on 127.0.0.1 and sockets alone, says
# what to try, and goes on until Ctrl-C, which ends and removes all of it.
#   examples/system.sh          HEDGE_API_PORT=8000: in place of any free port
#   examples/system.sh --once   tries it all by itself; exit 0: every answer was right
# HEDGED and HEDGE_CLI, set to programs that are built already: nothing is installed or built.
# CLICKHOUSE_SERVER, empty: without ClickHouse, as where the release has none.
set -eu
hedged=${HEDGED:+$(realpath "$HEDGED")}
hedge=${HEDGE_CLI:+$(realpath "$HEDGE_CLI")}
unset HEDGE_CLI # or hedged would take it for a setting
cd "$(dirname "$0")/.."
. examples/steps.sh
. examples/system/processes.sh
. examples/system/servers.sh
. examples/system/tour.sh

once=${1:-}
case $once in
"" | --once) ;;
*)
    echo "usage: examples/system.sh [--once]" >&2
    exit 2
    ;;
esac
run=''
clickhouse_server=${CLICKHOUSE_SERVER-clickhouse-server} clickhouse_url=''
body='{"asset":"BTC","amount_usd":250000}'
PATH=$PATH:/usr/sbin:/sbin # the servers are there, and only root looks
export LC_ALL=C            # the logs are read
umask 022
trap stop_all EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 141' PIPE # as in system.sh | head

prepare() {
    if [ -z "$hedged" ] || [ -z "$hedge" ]; then
        configs/install-packages.sh build run system optional
        build_in build/quickstart
        hedged=build/quickstart/hedged/hedged hedge=build/quickstart/examples/hedge
    fi
    run=$(mktemp -d "$(realpath "${TMPDIR:-/tmp}")/hedge-system.XXXXXX")
    case $run in
    *[!A-Za-z0-9/._-]*) give_up "TMPDIR: its path may hold A-Z a-z 0-9 / . _ - and nothing else" ;;
    esac
    [ "$(id -u)" != 0 ] || chmod 711 "$run" # the servers' users go through it
}

start_servers() {
    echo "Starting Redis, ClickHouse and PostgreSQL in $run ..."
    start_redis
    if clickhouse_is_here; then
        start_clickhouse
    else
        echo "No clickhouse-server here (Debian 13 has none): depth comes by PUT /quotes instead."
    fi
    start_postgres
    make_tables
}

# A copy of the policy, to be edited while it runs, and one to compare it with: half the depth is
# enough for the same weight.
write_policies() {
    mkdir "$run/policy"
    cp configs/policy.yaml configs/curve_knots.yaml "$run/policy/"
    shadow=$run/policy/shadow.yaml
    sed 's/half_depth_usd: 500000/half_depth_usd: 250000/' configs/policy.yaml >"$shadow"
    ! cmp -s configs/policy.yaml "$shadow" ||
        give_up "configs/policy.yaml has no 'half_depth_usd: 500000' to make a shadow policy of"
}

start_hedged() {
    launch hedged TERM/ env HEDGE_API_PORT="${HEDGE_API_PORT:-0}" \
        HEDGE_POLICY="$run/policy/policy.yaml" HEDGE_SHADOW_POLICY="$shadow" \
        HEDGE_JOURNAL="$run/journal.db" HEDGE_REDIS_URL="redis://127.0.0.1:$redis_port" \
        HEDGE_CLICKHOUSE_URL="$clickhouse_url" HEDGE_DB_DSN="$(dsn_of hedged)" "$hedged"
    hedged_run=${running%% *}
    wait_for_line '"event":"listening"' "$run/hedged.log" $! ||
        give_up "hedged does not start" hedged
    url=$(url_in "$run/hedged.log")
}

# A pipeline, so its whole process group is ended.
start_feed() {
    launch feed TERM/- sh examples/system/feed.sh "$redis_port" "$url" "$clickhouse_url"
    wait_until_ready "$url" || give_up "hedged has no quotes: $(curl -s "$url/readyz")" feed
}

tour() { # show or try
    tour_inputs "$1"
    tour_decision "$1"
    tour_audit "$1"
    tour_shadow "$1"
}

try_all() {
    export HEDGE_DB_DSN
    tour try
    stop_one "$hedged_run"
    tour_file try
    echo
    [ "$wrong" = 0 ] || give_up "$wrong of $tried answers were wrong" hedged
    echo "All $tried answers were right."
}

say_what_runs() {
    echo
    echo "Everything runs:"
    echo "  hedged      $url   /quotes /curve?points=11 /decisions /readyz /metrics"
    echo "  Redis       redis://127.0.0.1:$redis_port"
    [ -z "$clickhouse_url" ] ||
        echo "  ClickHouse  $clickhouse_url, clickhouse-client --port $clickhouse_tcp_port"
    echo "  PostgreSQL  $HEDGE_DB_DSN"
    echo "  Logs        $run/*.log"
    echo "  Policies    $run/policy/: policy.yaml is live, shadow.yaml is tried; edit them"
    echo
    echo "To try, in another terminal, as $(id -un), in $PWD:"
    echo "  export HEDGE_DB_DSN='$HEDGE_DB_DSN'"
    tour show
    echo
    echo "Ctrl-C ends and removes all of it."
}

prepare
start_servers
write_policies
start_hedged
start_feed
decide_some
wait_until_shipped
HEDGE_DB_DSN=$(dsn_of auditor)
if [ -n "$once" ]; then
    try_all
else
    say_what_runs
    trap 'exit 0' INT TERM
    wait "${hedged_run#*/}" || :
    give_up "hedged ended by itself" hedged
fi
