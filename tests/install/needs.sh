#!/bin/sh
# SPDX-License-Identifier: MIT
# What the installed library loads: libyaml, libmd, libm, libc and nothing else.
#   needs.sh PREFIX
set -eu
prefix=$1
. "$(dirname "$0")/common.sh"

needs_only "$lib/libhedge.so" 'libyaml-0.so.*' 'libmd.so.*' 'libm.so.*'
for needed in libyaml-0.so libmd.so; do
    ldd "$lib/libhedge.so" | grep -q "$needed.*=> /" || fail "$needed was not found"
done
