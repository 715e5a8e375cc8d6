#!/bin/sh
# SPDX-License-Identifier: MIT
# Puts the made-up scores and depths of sample_quotes.sh to hedged, until it is stopped.
#   examples/sample_feed.sh http://127.0.0.1:8000
set -eu
url=${1:?usage: examples/sample_feed.sh URL}

sh "$(dirname "$0")/sample_quotes.sh" | while read -r tick; do
    # shellcheck disable=SC2086 # its words are wanted
    set -- $tick
    while [ $# -ge 4 ]; do
        curl -sS -o /dev/null -X PUT "$url/quotes/$1" \
            -d "{\"score\":$2,\"confidence\":$3,\"depth1pct_usd\":$4}" || exit 1
        shift 4
    done
done
