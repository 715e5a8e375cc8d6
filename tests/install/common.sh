# SPDX-License-Identifier: MIT
# What the install tests share; sourced after $prefix and $source are set.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
lib=$(dirname "$(find "$prefix" -name libhedge.so)")
policy=$prefix/etc/hedge/policy.yaml
PKG_CONFIG_PATH=$lib/pkgconfig
export PKG_CONFIG_PATH

fail() {
    echo "$*" >&2
    exit 1
}

# Runs a program built from embed.c or embed.cpp. Both size the same hedge, and
# all that are built from one source say the same.
runs() { # program, c or cpp
    "$1" "$policy" >"$work/out" || fail "$1 failed"
    head -1 "$work/out" | grep -q '^hedge 0\.[0-9]* of the exposure' || fail "$1: no hedge"
    [ -e "$work/said.$2" ] || cp "$work/out" "$work/said.$2"
    cmp "$work/out" "$work/said.$2" || fail "$1 answers otherwise"
    head -1 "$work/out" >"$work/line"
    [ -e "$work/said.line" ] || cp "$work/line" "$work/said.line"
    cmp "$work/line" "$work/said.line" || fail "$1 sizes otherwise"
}

# Every shared library that a file loads is one of these (case patterns).
needs_only() { # file, patterns...
    file=$1
    shift
    for needed in $(ldd "$file" | awk '{ print $1 }'); do
        found=
        for pattern in linux-vdso.so.1 '*/ld-linux*' 'libc.so.*' "$@"; do
            case $needed in $pattern) found=1 ;; esac
        done
        [ "$found" ] || fail "$file needs $needed, which it must not"
    done
}
