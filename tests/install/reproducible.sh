#!/bin/sh
# SPDX-License-Identifier: MIT
# The same sources, built twice in folders of different names, are the same bytes: all that is
# installed, debugging information and build ids with it. Nothing is taken from a compiler's cache.
#   reproducible.sh SOURCE_FOLDER CC
set -eu
source=$1 cc=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CCACHE_DISABLE=1
export CCACHE_DISABLE

build() { # source and build folder, umask, what else is different
    mkdir -p "$work/$1"
    for part in CMakeLists.txt include libhedge hedged examples configs pkgconfig; do
        cp -r "$source/$part" "$work/$1/$part"
    done
    (
        umask "$3"
        cd "$work/$1"
        cmake -S . -B "$2" -G Ninja -DCMAKE_C_COMPILER="$cc" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
            -DHEDGE_TESTS=OFF >"$work/log" 2>&1 &&
            cmake --build "$2" -j "$4" >"$work/log" 2>&1 &&
            cmake --install "$2" --prefix "$work/$5" >"$work/log" 2>&1
    ) || { cat "$work/log"; exit 1; }
}
build one b 022 2 first
build another/and/longer some/build 077 1 second

(cd "$work/first" && find . -type f | sort) >"$work/files"
(cd "$work/second" && find . -type f | sort) | cmp - "$work/files"
for file in bin/hedged bin/hedge libhedge.so libcrypto.so libssl.so libhedge.a; do
    grep -q "/$file" "$work/files" || { echo "$file is not installed"; exit 1; }
done
different=0
while read -r file; do
    cmp "$work/first/$file" "$work/second/$file" || different=$((different + 1))
done <"$work/files"
[ "$different" -eq 0 ] || { echo "$different files are not the same"; exit 1; }
# And they could not be, were a path of the build's in them.
! grep -rlF "$work" "$work/first" || { echo "these know where they were built"; exit 1; }
echo "$(wc -l <"$work/files") files, each the same bytes twice"
