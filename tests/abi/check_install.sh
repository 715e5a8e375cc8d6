#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs into a prefix of its own, moves it, and uses it as a stranger would:
# pkg-config and a compiler for the library, the programs by their paths.
#   check_install.sh BUILD_FOLDER SOURCE_FOLDER
set -eu
build=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/prefix" >/dev/null
mv "$work/prefix" "$work/moved"
p=$work/moved

for file in include/hedge/hedge.h bin/hedged bin/hedge etc/hedge/policy.yaml \
    etc/hedge/curve_knots.yaml; do
    [ -e "$p/$file" ] || { echo "not installed: $file"; exit 1; }
done
lib=$(dirname "$(find "$p" -name libhedge.so)")
PKG_CONFIG_PATH=$lib/pkgconfig
export PKG_CONFIG_PATH
cc -std=c11 -Wall -Wextra -Werror "$source/examples/embed.c" $(pkg-config --cflags --libs hedge) \
    -o "$work/embed"
LD_LIBRARY_PATH=$lib "$work/embed" "$p/etc/hedge/policy.yaml" | grep -q '^hedge 0\.[0-9]* of the exposure'

# Found beside each other, from any folder, without LD_LIBRARY_PATH.
cd /
"$p/bin/hedge" --version | grep -q '^hedge 0\.'
"$p/bin/hedged" --version | grep -q '^hedged 0\.'
"$p/bin/hedged" --check | grep -q '^good: '
"$p/bin/hedge" eval 0.3 | grep -qx '0.25'
! ldd "$p/bin/hedge" "$p/bin/hedged" "$lib/libhedge.so" | grep -iE 'gsl|not found'
