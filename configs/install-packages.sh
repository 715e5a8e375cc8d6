#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the Debian packages of the named groups that are missing:
#   configs/install-packages.sh build run test optional
# As root, or through sudo where it asks no password; otherwise it says which
# packages are missing and stops. Those of the group `optional` are left out,
# with a word, where this release has no such package or nobody can install it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
wanted= optional=
for group in "$@"; do
    packages=$(sed -n "s/^$group  *\([^ #]*\).*/\1/p" "$here/packages.txt")
    case $group in
    optional) optional="$optional $packages" ;;
    *) wanted="$wanted $packages" ;;
    esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "install-packages: not a Debian system; install what answers to these packages:" $wanted >&2
    exit 1
fi

missing_of() {
    for package in "$@"; do
        state=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
        case $state in
        "install ok installed") ;;
        *) printf ' %s' "$package" ;;
        esac
    done
}

known_of() {
    for package in "$@"; do
        if apt-cache show "$package" >/dev/null 2>&1; then
            printf ' %s' "$package"
        else
            echo "install-packages: left out, this release has no $package" >&2
        fi
    done
}

missing=$(missing_of $wanted)
optional=$(missing_of $optional)
# Lists of packages that do not know gcc have never been fetched.
if [ -n "$optional" ] && apt-cache show gcc >/dev/null 2>&1; then
    optional=$(known_of $optional)
fi
[ -n "$missing$optional" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
elif [ -z "$missing" ]; then
    echo "install-packages: left out, since neither root nor sudo is at hand:$optional" >&2
    exit 0
else
    echo "install-packages: these packages are missing, and neither root nor sudo is at hand:" >&2
    echo "    apt-get install$missing" >&2
    exit 1
fi
[ -n "$missing" ] && failed=1 || failed=0 # what is optional may fail
$as_root apt-get update -qq >&2 || exit $failed
missing="$missing$(known_of $optional)"
[ -n "$missing" ] || exit 0
echo "install-packages: installing$missing" >&2
$as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $missing >&2 || exit $failed
