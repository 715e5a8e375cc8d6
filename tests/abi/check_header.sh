#!/bin/sh
# SPDX-License-Identifier: MIT
# Each public header compiles alone, with every warning an error; those of C++
# also without exceptions and run-time type information, and twice in a program.
#   check_header.sh STANDARD INCLUDE_FOLDER
set -eu
standard=$1 include=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"

try() { # compiler, source, flags...
    compiler=$1 source=$2
    shift 2
    # A class, function or macro that a header forgot to include shows here.
    "$compiler" -std="$standard" $warnings -I"$include" "$source" "$@"
}

cat >"$work/alone.c" <<'SOURCE'
#include <hedge/hedge.h>
int main(void)
{
    hedge_quote quote = HEDGE_INIT(hedge_quote);
    return quote.struct_size == sizeof(quote) && hedge_abi_version ? 0 : 1;
}
SOURCE
cp "$work/alone.c" "$work/alone.cpp"
for header in "$include"/hedge/*.hpp; do
    name=$(basename "$header" .hpp)
    printf '#include <hedge/%s.hpp>\n' "$name" >"$work/$name.cpp"
done

check_c() { # compiler, suffix
    try "$1" "$work/alone.$2" -Wno-address -Wno-pointer-bool-conversion \
        -Wno-missing-field-initializers -fsyntax-only
}

check_cpp() { # compiler
    check_c "$1" cpp
    for header in "$include"/hedge/*.hpp; do
        name=$(basename "$header" .hpp)
        try "$1" "$work/$name.cpp" -fno-exceptions -fno-rtti -Weffc++ -Wold-style-cast -fsyntax-only
        try "$1" "$work/$name.cpp" -Weffc++ -Wold-style-cast -Wsign-conversion \
            -fsyntax-only
    done
    # Whatever a header defines is inline: two that include it still link.
    cp "$work/hedge.cpp" "$work/again.cpp"
    for name in hedge again; do
        try "$1" "$work/$name.cpp" -c -o "$work/$name.o"
    done
    "$1" -r -nostdlib "$work/hedge.o" "$work/again.o" -o "$work/both.o"
}

case $standard in
c++*) compilers="g++ clang++" ;;
*) compilers="gcc clang" ;;
esac
ran=0
for one in $compilers; do
    command -v "$one" >/dev/null || { echo "no $one here: not tried"; continue; }
    case $one in
    *++) check_cpp "$one" ;;
    *) check_c "$one" c ;;
    esac
    echo "$one: fine"
    ran=$((ran + 1))
done
[ $ran -gt 0 ]
