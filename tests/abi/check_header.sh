#!/bin/sh
# SPDX-License-Identifier: MIT
# hedge.h compiles alone, with every warning an error.
#   check_header.sh STANDARD INCLUDE_FOLDER
set -eu
standard=$1 include=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
case $standard in
c++*) compilers="g++ clang++" suffix=cpp ;;
*) compilers="gcc clang" suffix=c ;;
esac
cat >"$work/alone.$suffix" <<'SOURCE'
#include <hedge/hedge.h>
int main(void)
{
    hedge_quote quote = HEDGE_INIT(hedge_quote);
    return quote.struct_size == sizeof(quote) && hedge_abi_version ? 0 : 1;
}
SOURCE
ran=0
for compiler in $compilers; do
    command -v $compiler >/dev/null || { echo "no $compiler here: not tried"; continue; }
    $compiler -std="$standard" -Wall -Wextra -Wpedantic -Werror -Wno-address \
        -Wno-pointer-bool-conversion -Wno-missing-field-initializers -I"$include" \
        -c "$work/alone.$suffix" -o "$work/alone.o"
    ran=$((ran + 1))
done
[ $ran -gt 0 ]
