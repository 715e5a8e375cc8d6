#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs into a prefix of its own, moves it, and looks at what is there.
#   prefix.sh BUILD_FOLDER SOURCE_FOLDER PREFIX
set -eu
build=$1 source=$2 prefix=$3

rm -rf "$prefix" "$prefix.first"
cmake --install "$build" --prefix "$prefix.first" >/dev/null
mv "$prefix.first" "$prefix"

expect() { # files below the prefix
    for file; do
        [ -e "$prefix/$file" ] || { echo "not installed: $file"; exit 1; }
    done
}
lib=$(dirname "$(cd "$prefix" && find . -name libhedge.so)")
expect include/hedge/hedge.h include/hedge/hedge.hpp etc/hedge/policy.yaml \
    etc/hedge/curve_knots.yaml "$lib/libhedge.so.0" "$lib/libhedge.a" "$lib/pkgconfig/hedge.pc" \
    "$lib/pkgconfig/hedge-static.pc" "$lib/cmake/hedge/hedge-config.cmake" \
    "$lib/cmake/hedge/hedge-config-version.cmake"
for header in "$source"/include/hedge/*; do
    cmp "$header" "$prefix/include/hedge/$(basename "$header")"
done
# Nothing that other builds read knows where it was installed or built.
if grep -rlF -e "$prefix.first" -e "$build" -e "$source" "$prefix/$lib/pkgconfig" \
    "$prefix/$lib/cmake"; then
    echo "these files hold a path that does not move with them"
    exit 1
fi
