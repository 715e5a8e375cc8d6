#!/bin/sh
# SPDX-License-Identifier: MIT
# Feeds the system with the made-up market of sample_quotes.sh, until it is stopped: scores into
# Redis as the sentiment pipeline does it, order books into ClickHouse; where that is missing, their
# depth to hedged. A server that is away is tried again, so that one can be stopped to see what then
# happens.
#   examples/system/feed.sh REDIS_PORT HEDGED_URL [CLICKHOUSE_URL]
set -eu
redis_port=$1 hedged_url=$2 clickhouse_url=${3:-}

scores() { # now_ms; of the tick on stdin
    awk -v now="$1" '{
        for (i = 1; i < NF; i += 4) {
            key = "sentiment:latest:" $i
            value = sprintf("{\"score\":%s,\"confidence\":%s,\"ts\":%s}", $(i + 1), $(i + 2), now)
            printf "SET %s \x27%s\x27\nPUBLISH %s \x27%s\x27\n", key, value, key, value
        }
    }' | redis-cli -p "$redis_port" >/dev/null
}

# A book an asset: four levels a side within 1 % of its price, which share the depth, and one
# beyond. As text, to be read here; a real writer inserts RowBinary (docs/clickhouse.md).
books() { # now_ms; of the tick on stdin
    awk -v now="$1" 'BEGIN {
        split("BTC 65000 ETH 3400 LTC 80 XRP 0.6", w)
        for (i = 1; i < 9; i += 2) price[w[i]] = w[i + 1]
        split("0.0002 0.002 0.005 0.009 0.015", away)
    } {
        for (i = 1; i < NF; i += 4)
            for (k = 1; k <= 5; k++) {
                level($i, "bid", price[$i] * (1 - away[k]), $(i + 3) / 8)
                level($i, "ask", price[$i] * (1 + away[k]), $(i + 3) / 8)
            }
    }
    function level(asset, side, at, usd) {
        printf "%s\t%s\t%s\t%.7g\t%.6f\n", now, asset, side, at, usd / at
    }' | curl -sSf -m 2 --data-binary @- \
        "$clickhouse_url/?query=INSERT%20INTO%20order_book_deltas%20FORMAT%20TabSeparated"
}

depths() { # asset, score, confidence, depth, ...
    while [ $# -ge 4 ]; do
        curl -sSf -m 2 -o /dev/null -X PUT "$hedged_url/quotes/$1" \
            -d "{\"depth1pct_usd\":$4}" || return 1
        shift 4
    done
}

market() {
    sh "$(dirname "$0")/../sample_quotes.sh"
}

# Two of them, so that scores go on where books are held up.
market | while read -r tick; do
    echo "$tick" | scores "$(date +%s%3N)" || :
done &
market | while read -r tick; do
    if [ -n "$clickhouse_url" ]; then
        echo "$tick" | books "$(date +%s%3N)" || :
    else
        # shellcheck disable=SC2086 # its words are wanted
        depths $tick || :
    fi
done
