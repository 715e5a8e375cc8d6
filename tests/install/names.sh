#!/bin/sh
# SPDX-License-Identifier: MIT
# The archive brings the names of the contract into a program and no others.
#   names.sh PREFIX SOURCE_FOLDER CC CXX
set -eu
prefix=$1 source=$2 cc=$3
. "$(dirname "$0")/common.sh"

nm -g --defined-only "$lib/libhedge.a" | awk 'NF == 3 { print $3 }' | LC_ALL=C sort >"$work/global"
sed -n 's/^function \([a-z0-9_]*\) =.*/\1/p' "$source/tests/abi/abi.txt" | LC_ALL=C sort | diff -u - "$work/global" ||
    fail "libhedge.a exports other names than the contract's"

# The names that own_names.c takes are ours indeed: else it would prove nothing.
nm "$lib/libhedge.a" | awk '{ print $NF }' >"$work/all"
for name in $(sed -n 's/^TAKEN(\([a-z_]*\)).*/\1/p' "$(dirname "$0")/own_names.c"); do
    grep -qx "$name" "$work/all" || fail "the library has no $name of its own any more"
done
build() { # flags...
    "$cc" -std=c11 -Wall -Wextra -Werror $(pkg-config --cflags hedge) \
        "$(dirname "$0")/own_names.c" "$@" -o "$work/own_names"
    "$work/own_names" "$policy"
}
build $(pkg-config --libs hedge-static)
build -static $(pkg-config --static --libs hedge)
