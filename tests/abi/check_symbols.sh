#!/bin/sh
# SPDX-License-Identifier: MIT
# The library exports what symbols.txt lists and nothing else, the header
# declares the same, and what it needs at run time has not grown.
#   check_symbols.sh LIBRARY SYMBOLS HEADER
set -eu
library=$1 symbols=$2 header=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

LC_ALL=C sort "$symbols" >"$work/listed"
nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
    LC_ALL=C sort >"$work/exported"
diff -u "$work/listed" "$work/exported" || { echo "exported symbols differ from $symbols"; exit 1; }

# Declarations: a name of ours before a parenthesis, after HEDGE_API.
sed -n '/^HEDGE_API/,/;/p' "$header" | grep -o 'hedge_[a-z_]*(' | tr -d '(' | LC_ALL=C sort -u \
    >"$work/declared"
diff -u "$work/listed" "$work/declared" || { echo "the header declares other functions"; exit 1; }

soname=$(objdump -p "$library" | awk '$1 == "SONAME" { print $2 }')
[ "$soname" = libhedge.so.0 ] || { echo "SONAME is $soname"; exit 1; }
for needed in $(objdump -p "$library" | awk '$1 == "NEEDED" { print $2 }'); do
    case $needed in
    libc.so.* | libm.so.* | libyaml-0.so.* | libmd.so.* | ld-linux*) ;;
    libasan.so.* | libubsan.so.* | libtsan.so.*) ;; # a build with sanitizers
    *)
        echo "the library needs $needed, which it must not"
        exit 1
        ;;
    esac
done
