#!/bin/sh
# SPDX-License-Identifier: MIT
# Looks for inputs that break a fuzz target, each for so many seconds, one by one on one core:
#   tests/fuzz/run.sh [--keep] SECONDS [TARGET...]
# Build folder: build/fuzz; what is found stays in build/fuzz/found. --keep merges the inputs
# that reach something new into tests/fuzz/corpus, at most 60 files and 100 KiB a target.
# Exit 1: a finding.
set -u
cd "$(dirname "$0")/../.." || exit 2
keep=
[ "${1:-}" = --keep ] && keep=1 && shift
seconds=${1:-}
case $seconds in
'' | *[!0-9]*) sed -n '4s/^# *//p' tests/fuzz/run.sh >&2; exit 2 ;;
esac
shift

configs/install-packages.sh build test fuzz || exit 2
folder=build/fuzz
found=$folder/found
mkdir -p "$found"
echo "== building $folder"
CC=clang CXX=clang++ cmake -S . -B $folder -G Ninja -DHEDGE_TESTS=ON -DHEDGE_FUZZ=ON \
    -DHEDGE_SANITIZE=fuzzer-no-link,address,undefined -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    >$folder/configure.log 2>&1 || { cat $folder/configure.log; exit 2; }
cmake --build $folder --target fuzz >$folder/build.log 2>&1 || { cat $folder/build.log; exit 2; }

[ $# -gt 0 ] || set -- $(ls $folder/tests/fuzz | sed -n 's/^fuzz_\([a-z]*\)$/\1/p')

# The last number that libFuzzer gave behind a word of its log.
last() { # word, log
    sed -n "s/.*$1: *\([0-9][0-9]*\).*/\1/p" "$2" | tail -1
}

# Takes inputs over that reach what the corpus does not: those that reach the most come first, in
# the order that libFuzzer writes them.
keep_new() { # target, gathered
    corpus=tests/fuzz/corpus/$1
    rm -rf "$found/merged"
    mkdir -p "$found/merged"
    cp "$corpus"/* "$found/merged"
    "$folder/tests/fuzz/fuzz_$1" -set_cover_merge=1 $2 "$found/merged" "$3" >/dev/null 2>&1
    n=$(ls "$corpus" | wc -l)
    bytes=$(cat "$corpus"/* | wc -c)
    for file in $(ls -tr "$found/merged"); do
        [ -e "$corpus/$file" ] && continue
        size=$(wc -c <"$found/merged/$file")
        { [ "$n" -lt 60 ] && [ $((bytes + size)) -le 102400 ]; } || break
        cp "$found/merged/$file" "$corpus/found_$(printf %.12s "$file")"
        n=$((n + 1)) bytes=$((bytes + size))
    done
}

failed=0
echo "target           executions   exec/s    edges features findings"
for target in "$@"; do
    gathered=$found/$target
    log=$found/$target.log
    mkdir -p "$gathered"
    # Threads of a server allocate while an input runs: it would look for leaks behind each.
    case $target in
    http) options="-timeout=20 -rss_limit_mb=4096 -detect_leaks=0" ;;
    *) options="-timeout=2 -rss_limit_mb=512" ;;
    esac
    dictionary=
    [ -f "tests/fuzz/$target.dict" ] && dictionary=-dict=tests/fuzz/$target.dict
    before=$(ls "$found" | grep -c "^$target-")
    nice -n 19 "$folder/tests/fuzz/fuzz_$target" $options $dictionary -max_total_time="$seconds" \
        -print_final_stats=1 -artifact_prefix="$found/$target-" \
        "$gathered" "tests/fuzz/corpus/$target" >"$log" 2>&1
    code=$?
    findings=$(($(ls "$found" | grep -c "^$target-") - before))
    printf '%-14s %12s %8s %8s %8s %8s\n' "$target" "$(last number_of_executed_units "$log")" \
        "$(last average_exec_per_sec "$log")" "$(last cov "$log")" "$(last ft "$log")" "$findings"
    if [ $code != 0 ] || [ $findings != 0 ]; then
        failed=1
        grep -hE 'broken:|^==.*ERROR|^SUMMARY|runtime error|Test unit written' "$log"
    elif [ -n "$keep" ]; then
        keep_new "$target" "$options" "$gathered"
    fi
done
exit $failed
