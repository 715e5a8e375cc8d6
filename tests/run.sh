#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what is missing, builds, and runs every test; the last line counts
# them. Build folders: build/tests, and build/asan for the unit, property
# and fuzz tests once more under AddressSanitizer and UndefinedBehaviorSanitizer, and
# build/tsan for the threaded ones under ThreadSanitizer.
#   tests/run.sh              everything
#   tests/run.sh REGEX        the tests whose name matches, without sanitizers
#   tests/run.sh --coverage   which lines and branches the tests run; 1 where they miss the goals
#   tests/run.sh --sanitize   the end-to-end tests under the sanitizers too
#   tests/run.sh --valgrind   the unit tests under valgrind's memcheck
set -u
cd "$(dirname "$0")/.." || exit 1
only=${1:-}
jobs=$(nproc)
passed=0 failed=0 skipped=0

# Left out, each for a reason that is said. They try a billion scores, a thousand kills or every bit
# of a journal, at a tenth of the speed and less, or ask what is decided while data grow old; and of
# --coverage, what tests `hedge` alone, or the installed library.
slow='e2e[.](bit_flips|certify|fault_table|kill|kill_ship)'
not_measured='e2e[.](audit.*|cli|haproxy|stream.*|verify)|install[.].*|abi[.].*|corpus[.].*|python[.].*|property[.].*'
# What threads of the daemon share, under ThreadSanitizer.
threaded='e2e[.](auth|backends|clickhouse|halt.*|http_contract|http_hostile|idempotency|journal|metrics|mishaps|postgres|redis|reload|shadow|ship|smuggling|stale|starve|tls.*)'

build() { # folder, CMake options...
    folder=$1
    shift
    mkdir -p "$folder"
    echo "== building $folder"
    cmake -S . -B "$folder" -G Ninja -DHEDGE_TESTS=ON "$@" >"$folder/configure.log" 2>&1 ||
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

build_and_run() { # folder, CMake options... -- ctest options...
    folder=$1 options=
    shift
    while [ "$1" != -- ]; do
        options="$options $1"
        shift
    done
    shift
    # shellcheck disable=SC2086 # options are words
    if build "$folder" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DHEDGE_WERROR=ON $options; then
        run "$folder" "$@"
    else
        failed=$((failed + 1))
    fi
}

sanitized() { # more ctest options for build/asan, and for build/tsan
    build_and_run build/asan -DHEDGE_SANITIZE=address,undefined -- $1
    build_and_run build/tsan -DHEDGE_SANITIZE=thread -- $2
}

counted() {
    echo
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ]
}

# Counters are shared by processes and threads, hence atomic; a process that is killed writes none.
coverage() {
    flags="-O1 --coverage -fprofile-update=atomic"
    find build/coverage -name '*.gcda' -delete 2>/dev/null
    build build/coverage -DCMAKE_BUILD_TYPE=Debug "-DCMAKE_C_FLAGS=$flags" \
        "-DCMAKE_CXX_FLAGS=$flags" || return 1
    echo "== left out: $slow|unit.certify: counted one by one, their scores take hours"
    echo "== left out: $not_measured: of neither libhedge/ nor hedged/, or of the library as installed"
    run build/coverage -E "^($slow|$not_measured|unit[.]certify)\$"
    gcovr -r . --filter 'libhedge/' --filter 'hedged/' --exclude-unreachable-branches \
        --json-summary build/coverage/coverage.json build/coverage/libhedge build/coverage/hedged &&
        /usr/bin/python3 -B tests/coverage.py build/coverage/coverage.json
    measured=$?
    counted && [ "$measured" = 0 ]
}

# One log a process: Criterion forks each test, and gives no child's exit code away; what a test has
# others do (localedef) is not looked at. alloc_main brings a malloc of its own, which must stay.
memchecked() { # program, its arguments...
    name=$(basename "$1")
    logs=build/tests/valgrind/$name
    echo "== $name"
    mkdir -p "$logs" && rm -f "$logs"/*
    if valgrind --trace-children=yes '--trace-children-skip=/usr/*,/bin/*' --leak-check=full \
        --errors-for-leak-kinds=definite --soname-synonyms=somalloc=nouserintercepts \
        --log-file="$logs/%p" "$@" >"$logs.out" 2>&1 &&
        ! grep -qE 'Tested: 0 |Crashing: [1-9]' "$logs.out" &&
        grep -q 'ERROR SUMMARY: 0 errors' "$logs"/* &&
        ! grep -hE 'ERROR SUMMARY: [1-9]|definitely lost: [1-9]' "$logs"/*; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        tail -5 "$logs.out"
        grep -lE 'ERROR SUMMARY: [1-9]' "$logs"/*
    fi
}

memcheck() {
    build build/tests -DCMAKE_BUILD_TYPE=RelWithDebInfo -DHEDGE_WERROR=ON || return 1
    echo "== left out: test_certify, test_certificate: their billion scores take hours here; valgrind"
    echo "   has no AVX-512, so that the library takes its AVX2 path"
    for program in build/tests/tests/unit/test_*; do
        case $program in *.dir | */test_certif*) continue ;; esac
        [ -f "$program" ] && [ -x "$program" ] && memchecked "$program"
    done
    memchecked build/tests/tests/unit/market_threads 2000
    memchecked build/tests/tests/unit/policy_threads 20
    counted
}

case $only in
--coverage | --valgrind) configs/install-packages.sh build run test optional check || exit 1 ;;
*) configs/install-packages.sh build run test optional || exit 1 ;;
esac
case $only in
--coverage)
    coverage
    ;;
--valgrind)
    memcheck
    ;;
--sanitize)
    echo "== left out: $slow: too many repetitions at this speed; what loads the library into Python"
    sanitized "-E ^($slow|e2e[.]stream.*)\$" "-R ^(unit[.].*_threads|$threaded)\$"
    counted
    ;;
-*)
    sed -n 's/^#  *\(tests\/run.sh.*\)/\1/p' "$0" >&2
    exit 2
    ;;
?*)
    build_and_run build/tests -- -R "$only"
    counted
    ;;
*)
    build_and_run build/tests --
    sanitized '-R ^(unit|property|fuzz)[.]' '-R ^unit[.].*_threads$'
    counted
    ;;
esac
