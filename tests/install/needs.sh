#!/bin/sh
# SPDX-License-Identifier: MIT
# What the installed library loads: libyaml, libmd, libm, libc and nothing else, and
# those from where the system looks, with no path of its own. (A path with an empty
# part means the current folder.)
#   needs.sh PREFIX
set -eu
prefix=$1
. "$(dirname "$0")/common.sh"

needs_only "$lib/libhedge.so" 'libyaml-0.so.*' 'libmd.so.*' 'libm.so.*'
readelf -d "$lib/libhedge.so" >"$work/dynamic"
grep -q NEEDED "$work/dynamic" || fail "readelf says nothing"
! grep -E 'RPATH|RUNPATH' "$work/dynamic" || fail "the library has a path of its own"
for needed in libyaml-0.so libmd.so; do
    ldd "$lib/libhedge.so" | grep -q "$needed.*=> /" || fail "$needed was not found"
done
