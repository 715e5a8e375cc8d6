# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# What there is to try once everything runs: `show` prints a command, `try` runs it and judges the
# answer, so that what people are told to type is what was tried. Sourced by system.sh.
# shellcheck disable=SC2154 # what runs where is system.sh's

tried=0 wrong=0
again='build .*: [1-9][0-9]+, of which 0 differ$'

show() { # what it is, command
    printf '  # %s\n  %s\n' "$1" "$2"
}

try() { # what it is, command, what the answer must match
    printf '\n# %s\n$ %s\n' "$1" "$2"
    code=0
    answer=$(eval "$2" 2>&1) || code=$?
    echo "$answer" | sed 's/^/  /'
    tried=$((tried + 1))
    if [ "$code" != 0 ] || ! echo "$answer" | grep -Eq "$3"; then
        echo "system.sh: WRONG: exit code $code, and this must be in the answer: $3" >&2
        wrong=$((wrong + 1))
    fi
}

member() { # name; of the JSON on stdin
    sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p"
}

# Decisions for the audit and the shadow to have something to say about, and one to follow.
decide_some() {
    more=$(for amount in 1000 20000 50000 250000 1000000; do
        for asset in BTC ETH LTC XRP; do
            printf '%s{"asset":"%s","amount_usd":%s}' "${comma:-}" "$asset" "$amount"
            comma=,
        done
    done)
    curl -sSf -o "$run/batch.json" "$url/hedge/batch" -d "{\"requests\":[$more]}" ||
        give_up "POST /hedge/batch fails" hedged
    sized=$(curl -sS -w '\n%{http_code}' "$url/hedge" -d "$body")
    [ "${sized##*
}" = 200 ] || give_up "POST /hedge does not answer 200 but: $sized" hedged
    sized=${sized%
*}
    decision=$(echo "$sized" | member decision_id)
    hedge_pct=$(echo "$sized" | member hedge_pct)
}

# The head of the chain, once PostgreSQL holds all of it.
wait_until_shipped() {
    for _ in $(seq 600); do
        ! curl -s "$url/metrics" | grep -q '^hedge_ship_lag_records 0$' || break
        sleep 0.1
    done
    head=$(curl -s "$url/readyz" | sed -n 's/.*"seq":\([0-9]*\),"hash":"\([0-9a-f]*\)".*/\1:\2/p')
    [ -n "$head" ] || give_up "GET /readyz does not name the journal's head" hedged
}

tour_inputs() { # show or try
    $1 "A score, as the sentiment pipeline writes it" \
        "redis-cli -p $redis_port GET sentiment:latest:BTC" '"score":0\.'
    [ -z "$clickhouse_url" ] || $1 "The books' depth, by the query that hedged polls" \
        "clickhouse-client --port $clickhouse_tcp_port <configs/depth_query.sql" '^BTC.[0-9.]+'
    $1 "What hedged has of both" "curl -sSf $url/quotes" \
        '"asset":"BTC".*"score":0\.[0-9]+.*"depth1pct_usd":[0-9]+'
}

tour_decision() { # show or try
    $1 "A sized hedge" "curl -sSf $url/hedge -d '$body'" '"hedge_pct":0\.[0-9]+.*"decision_id"'
    row="SELECT asset, amount_usd, score, hedge_pct, hedge_pct = $hedge_pct AS as_answered"
    row="$row FROM decisions WHERE id = '$decision'"
    $1 "An earlier answer, $hedge_pct, in PostgreSQL" \
        "psql -X \"\$HEDGE_DB_DSN\" -c \"$row\"" '\| t$'
    $1 "Why it came out so" "$hedge explain $decision --db env" '^again .* gives the same bits$'
}

tour_audit() { # show or try
    for source in "--url $url" "--db env"; do
        $1 "The chain, whole up to a head noted before" \
            "$hedge verify $source --head $head" ': whole$'
        $1 "Each decision, made again, bit by bit" "$hedge replay $source" "$again"
    done
}

tour_shadow() { # show or try
    $1 "What the shadow policy would have done so far" \
        "curl -sSf $url/metrics | grep '^hedge_shadow_decisions_total'" \
        'result="other_hedge"\} [1-9]'
    $1 "The same, decision by decision" "$hedge diff $run/policy/shadow.yaml --db env" 'BTC'
}

# The journal belongs to hedged as long as it runs: to be tried when it has ended.
tour_file() { # show or try
    $1 "The journal's file: the same chain" \
        "$hedge verify $run/journal.db --head $head" ': whole$'
    $1 "and the same decisions" "$hedge replay $run/journal.db" "$again"
}
