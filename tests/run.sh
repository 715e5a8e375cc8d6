#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what is missing, builds, and runs every test; the last line counts
# them. Build folders: build/tests, and build/asan for the unit and property
# tests once more under AddressSanitizer and UndefinedBehaviorSanitizer, and
# build/tsan for the threaded ones under ThreadSanitizer.
#   tests/run.sh            everything
#   tests/run.sh REGEX      the tests whose name matches, without sanitizers
set -u
cd "$(dirname "$0")/.." || exit 1
only=${1:-}
jobs=$(nproc)
passed=0 failed=0 skipped=0

configs/install-packages.sh build run test optional || exit 1

build() { # folder, CMake options...
    folder=$1
    shift
    mkdir -p "$folder"
    echo "== building $folder"
    cmake -S . -B "$folder" -G Ninja -DHEDGE_TESTS=ON -DHEDGE_WERROR=ON "$@" >"$folder/configure.log" 2>&1 ||
        { cat "$folder/configure.log"; return 1; }
    cmake --build "$folder" >"$folder/build.log" 2>&1 || { cat "$folder/build.log"; return 1; }
}

run() { # folder, ctest options...
    folder=$1
    shift
    ctest --test-dir "$folder" --output-on-failure --no-tests=error -j "$jobs" "$@" |
        tee "$folder/ctest.log"
    # ctest counts a skipped test as passed; here it is neither.
    s=$(grep -c '\*\*\*Skipped' "$folder/ctest.log")
    total=$(sed -n 's/.*tests passed, [0-9]* tests failed out of \([0-9]*\).*/\1/p' "$folder/ctest.log")
    f=$(sed -n 's/.*tests passed, \([0-9]*\) tests failed out of .*/\1/p' "$folder/ctest.log")
    if [ -z "$total" ]; then
        failed=$((failed + 1)) # nothing ran
        return
    fi
    passed=$((passed + total - f - s)) failed=$((failed + f)) skipped=$((skipped + s))
}

if build build/tests -DCMAKE_BUILD_TYPE=RelWithDebInfo; then
    if [ -n "$only" ]; then run build/tests -R "$only"; else run build/tests; fi
else
    failed=$((failed + 1))
fi
if [ -z "$only" ]; then
    if build build/asan -DCMAKE_BUILD_TYPE=RelWithDebInfo -DHEDGE_SANITIZE=address,undefined; then
        run build/asan -R '^(unit|property)[.]'
    else
        failed=$((failed + 1))
    fi
    if build build/tsan -DCMAKE_BUILD_TYPE=RelWithDebInfo -DHEDGE_SANITIZE=thread; then
        run build/tsan -R '^unit[.].*_threads$'
    else
        failed=$((failed + 1))
    fi
fi

echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
