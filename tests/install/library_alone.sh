#!/bin/sh
# SPDX-License-Identifier: MIT
# HEDGE_PROGRAMS=OFF and HEDGE_STATIC=OFF build and install the shared library and
# nothing else, here into a Debian-like lib/TRIPLET, and it moves as well.
#   library_alone.sh SOURCE_FOLDER CC
set -eu
source=$1 cc=$2
build=$(mktemp -d)
cmake -S "$source" -B "$build" -G Ninja -DCMAKE_C_COMPILER="$cc" -DHEDGE_PROGRAMS=OFF \
    -DHEDGE_STATIC=OFF -DHEDGE_TESTS=OFF -DCMAKE_INSTALL_LIBDIR=lib/some-triplet \
    >"$build/log" 2>&1 && cmake --build "$build" >"$build/log" 2>&1 &&
    cmake --install "$build" --prefix "$build/first" >/dev/null || { cat "$build/log"; exit 1; }
mv "$build/first" "$build/moved"
prefix=$build/moved
. "$(dirname "$0")/common.sh"
trap 'rm -rf "$work" "$build"' EXIT

! find "$prefix" -name '*.a' -o -name 'hedge-static.pc' -o -path '*/bin/*' | grep . ||
    fail "more was installed than asked for"
# What the build asked for: a compiler, libyaml and libmd.
! grep -iE '^(civetweb|hiredis|sqlite3|cjson)' "$build/CMakeCache.txt" ||
    fail "the library alone looks for what only programs need"
"$cc" -std=c11 "$source/examples/embed.c" $(pkg-config --cflags --libs hedge) \
    "-Wl,-rpath,$lib" -o "$work/embed"
runs "$work/embed" c
cat >"$work/CMakeLists.txt" <<'PROJECT'
cmake_minimum_required(VERSION 3.16)
project(asks LANGUAGES C)
find_package(hedge CONFIG REQUIRED COMPONENTS ${WANTED})
PROJECT
cmake -S "$work" -B "$work/yes" -Dhedge_DIR="$lib/cmake/hedge" -DWANTED=shared \
    >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
! cmake -S "$work" -B "$work/no" -Dhedge_DIR="$lib/cmake/hedge" -DWANTED=static \
    >"$work/log" 2>&1 ||
    fail "a static library was found that is not there"
