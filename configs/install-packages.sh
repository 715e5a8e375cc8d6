#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the Debian packages of the named groups that are missing:
#   configs/install-packages.sh build run test
# As root, or through sudo where it asks no password; otherwise it says which
# packages are missing and stops.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
wanted=$(for group in "$@"; do
    sed -n "s/^$group  *\([^ #]*\).*/\1/p" "$here/packages.txt"
done)

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "install-packages: not a Debian system; install what answers to these packages:" $wanted >&2
    exit 1
fi
missing=
for package in $wanted; do
    state=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
    case $state in
    "install ok installed") ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "install-packages: these packages are missing, and neither root nor sudo is at hand:" >&2
    echo "    apt-get install$missing" >&2
    exit 1
fi
echo "install-packages: installing$missing" >&2
$as_root apt-get update -qq >&2
$as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $missing >&2
