#!/bin/sh
# SPDX-License-Identifier: MIT
# A daemon among Redis, ClickHouse and PostgreSQL under steady load for HOURS:
#   tests/soak.sh 0.5
# Each 10 seconds a line; at the end what grew, and a verdict. 0: good, 1: not, 77: a server is
# missing. Built as it ships (Release), in build/soak.
set -eu
hours=${1:?usage: tests/soak.sh HOURS [--rate REQUESTS_PER_SECOND]}
shift
cd "$(dirname "$0")/.."
build=build/soak
mkdir -p "$build"
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release >"$build/configure.log"
cmake --build "$build" >"$build/build.log" || { cat "$build/build.log"; exit 1; }
here=$PWD/$build
HEDGED=$here/hedged/hedged HEDGE_CLI=$here/examples/hedge HEDGE_LIBRARY=$here/libhedge/libhedge.so \
    exec python3 -B tests/e2e/soak.py "$hours" "$@"
