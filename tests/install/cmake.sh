#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the examples by find_package, and asks for versions there are and are not.
#   cmake.sh PREFIX SOURCE_FOLDER CC CXX
set -eu
prefix=$1 source=$2 cc=$3 cxx=$4
here=$(dirname "$0")
. "$here/common.sh"

configure() { # folder, version, options...
    folder=$work/$1 wanted=$2
    shift 2
    cmake -S "$here/consumer" -B "$folder" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" \
        -DEXAMPLES="$source/examples" -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" \
        -DHEDGE_WANTED="$wanted" "$@" >"$work/log" 2>&1
}

configure build 0.1 || { cat "$work/log"; exit 1; }
cmake --build "$work/build" >"$work/log" || { cat "$work/log"; exit 1; }
for way in shared static; do
    runs "$work/build/embed_c11_$way" c
    for standard in 17 20; do
        runs "$work/build/embed_cxx${standard}_$way" cpp
    done
done
needs_only "$work/build/embed_c11_static" 'libyaml-0.so.*' 'libmd.so.*' 'libm.so.*'
ldd "$work/build/embed_c11_shared" | grep -q "libhedge.so.0 => $(realpath "$lib")" ||
    fail "embed_c11_shared loads another library"

# Before 1.0 a minor version is another library.
for version in 0.0 0.2 1.0; do
    ! configure build $version || fail "version $version was found"
    grep -q 'considered but not accepted' "$work/log" || { cat "$work/log"; exit 1; }
done
