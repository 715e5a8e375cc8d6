# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# What quickstart.sh and system.sh both do. Sourced by them, in the repository's root.

export no_proxy=127.0.0.1 NO_PROXY=127.0.0.1 # where a proxy is set, curl would ask it

# Builds hedged and hedge in a folder; shows what the tools said where they fail.
build_in() { # folder
    echo "Building in $1 ..."
    mkdir -p "$1"
    cmake -S . -B "$1" -G Ninja -DCMAKE_BUILD_TYPE=Release >"$1/configure.log" 2>&1 ||
        { cat "$1/configure.log" >&2; return 1; }
    cmake --build "$1" >"$1/build.log" 2>&1 || { cat "$1/build.log" >&2; return 1; }
}

# Gives a program a minute to log that it is ready: hedged first tries every score of a new curve.
wait_for_line() { # pattern, log, pid
    for _ in $(seq 1200); do
        ! grep -qs "$1" "$2" || return 0
        kill -0 "$3" 2>/dev/null || return 1
        sleep 0.05
    done
    return 1
}

# Where the hedged that wrote this log listens.
url_in() { # log
    sed -n 's/.*"event":"listening","url":"\([^"]*\)".*/\1/p' "$1"
}

# Until every asset has a score and a depth.
wait_until_ready() { # url
    for _ in $(seq 600); do
        ! curl -s "$1/readyz" | grep -q '"status":"ready"' || return 0
        sleep 0.1
    done
    return 1
}
