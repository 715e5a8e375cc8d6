#!/bin/sh
# SPDX-License-Identifier: MIT
# The programs of a moved prefix find the library and the policy beside them,
# from any folder, without LD_LIBRARY_PATH.
#   programs.sh PREFIX
set -eu
prefix=$1
. "$(dirname "$0")/common.sh"

cd /
"$prefix/bin/hedge" --version | grep -q '^hedge 0\.'
"$prefix/bin/hedged" --version | grep -q '^hedged 0\.'
"$prefix/bin/hedged" --check | grep -q '^good: '
"$prefix/bin/hedge" eval 0.3 | grep -qx '0.25'
! ldd "$prefix/bin/hedge" "$prefix/bin/hedged" "$lib/libhedge.so" | grep -iE 'gsl|not found'
