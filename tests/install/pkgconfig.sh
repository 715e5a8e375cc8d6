#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the examples by pkg-config: shared, with the archive, and wholly static.
#   pkgconfig.sh PREFIX SOURCE_FOLDER CC CXX
set -eu
prefix=$1 source=$2 cc=$3 cxx=$4
. "$(dirname "$0")/common.sh"

[ "$(pkg-config --modversion hedge)" = "$(sed -n 's/#define HEDGE_VERSION_[A-Z]* //p' \
    "$prefix/include/hedge/hedge.h" | paste -sd.)" ] || fail "hedge.pc has another version"
for flag in -lhedge -lyaml -lmd -lm; do
    case " $(pkg-config --static --libs hedge) " in
    *" $flag "*) ;;
    *) fail "pkg-config --static --libs hedge lacks $flag" ;;
    esac
done
case " $(pkg-config --libs hedge) " in
*-lyaml* | *-lmd*) fail "a client of the shared library is asked for more than it" ;;
esac
[ "$(realpath "$(pkg-config --variable=libdir hedge)")" = "$(realpath "$lib")" ] ||
    fail "hedge.pc has not moved with its prefix"

build() { # compiler, standard, suffix of embed, name, flags...
    compiler=$1 standard=$2 suffix=$3 out=$work/embed_$2_$4
    shift 4
    "$compiler" -std="$standard" -O2 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror \
        $(pkg-config --cflags hedge) "$source/examples/embed.$suffix" "$@" -o "$out"
    runs "$out" "$suffix"
}

each_way() { # compiler, standard, suffix
    build "$@" shared $(pkg-config --libs hedge) "-Wl,-rpath,$lib"
    needs_only "$out" 'libhedge.so.0' 'libyaml-0.so.*' 'libmd.so.*' 'libm.so.*' \
        'libstdc++.so.*' 'libgcc_s.so.*'
    build "$@" archive $(pkg-config --libs hedge-static)
    needs_only "$out" 'libyaml-0.so.*' 'libmd.so.*' 'libm.so.*' 'libstdc++.so.*' 'libgcc_s.so.*'
    build "$@" static -static $(pkg-config --static --libs hedge)
    ! ldd "$out" >/dev/null 2>&1 || fail "$out is not static"
}

each_way "$cc" c11 c
each_way "$cxx" c++17 cpp
each_way "$cxx" c++20 cpp
# The archive's code is position-independent: it may go into a shared library.
"$cc" -shared $(pkg-config --cflags hedge) -Wl,--whole-archive "$lib/libhedge.a" \
    -Wl,--no-whole-archive -Wl,--no-undefined -lyaml -lmd -lm -lc -o "$work/plugin.so"
build "$cxx" c++17 cpp bare -fno-exceptions -fno-rtti $(pkg-config --libs hedge) "-Wl,-rpath,$lib"
