#!/bin/sh
# SPDX-License-Identifier: MIT
# A feed that moves: makes up scores and depths for the four default assets and
# puts them twice a second, until it is stopped.
#   examples/sample_feed.sh http://127.0.0.1:8000
set -eu
url=${1:?usage: examples/sample_feed.sh URL}

# One line an asset and tick: name, score, confidence, depth. Each score swings
# around its own middle and stays inside 0.15 to 0.85.
awk 'BEGIN {
    split("BTC ETH LTC XRP", name); split("0.62 0.48 0.35 0.55", middle)
    split("2400000 1500000 300000 900000", depth); srand(1)
    for (t = 0;; t++) {
        for (i = 1; i <= 4; i++)
            printf "%s %.4f %.3f %.2f\n", name[i],
                middle[i] + 0.17 * sin(t / (9 + 2 * i)) + 0.02 * (rand() - 0.5),
                0.9 - 0.1 * rand(), depth[i] * (1 + 0.3 * sin(t / (5 + i))) * (0.95 + 0.1 * rand())
        fflush()
        system("sleep 0.5")
    }
}' | while read -r asset score confidence depth; do
    curl -sS -o /dev/null -X PUT "$url/quotes/$asset" \
        -d "{\"score\":$score,\"confidence\":$confidence,\"depth1pct_usd\":$depth}" || exit 1
done
