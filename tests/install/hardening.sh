#!/bin/sh
# SPDX-License-Identifier: MIT
# Every program and library of the prefix is hardened: position-independent, all of its relocations
# done and read-only before main, no segment both writable and executable, no way in by a path of the
# build's; and the three that are ours check their stacks and, where optimised, their buffers.
#   hardening.sh PREFIX [fortified]
set -eu
prefix=$1
fortified=${2:-}
. "$(dirname "$0")/common.sh"

is_elf() { [ "$(dd if="$1" bs=4 count=1 2>/dev/null | tr -d '\177')" = ELF ]; }

linked_well() { # file
    readelf -hW "$1" >"$work/head"
    readelf -lW "$1" >"$work/segments"
    readelf -dW "$1" >"$work/dynamic"
    grep -q 'Type: *DYN' "$work/head" || fail "$1: not position-independent"
    grep -q GNU_RELRO "$work/segments" || fail "$1: no GNU_RELRO: its tables stay writable"
    grep -qE 'BIND_NOW|FLAGS.*NOW' "$work/dynamic" || fail "$1: not BIND_NOW: bound when first called"
    grep -q 'GNU_STACK.* RW ' "$work/segments" || fail "$1: its stack may be executed"
    ! grep -E '^ *LOAD.* RWE ' "$work/segments" || fail "$1: memory both writable and executable"
    ! grep TEXTREL "$work/dynamic" || fail "$1: relocations in its code"
    for path in $(sed -n 's/.*R[UN]*PATH.*\[\(.*\)\].*/\1/p' "$work/dynamic" | tr : ' '); do
        case $path in
        '$ORIGIN' | '$ORIGIN/'*) ;;
        *) fail "$1: looks for libraries in $path" ;;
        esac
    done
}

imports() { # file, pattern
    readelf -W --dyn-syms "$1" | grep -qE "UND +($2)(@|\$)"
}

compiled_well() { # file
    imports "$1" '__stack_chk_fail' || fail "$1: stacks are not checked (-fstack-protector-strong)"
    [ -z "$fortified" ] || imports "$1" '__[a-z]+_chk' || fail "$1: no _FORTIFY_SOURCE"
    readelf -hW "$1" | grep -q 'X86-64' || return 0
    # Debian's crti.o has no mark of it, so that the linker leaves it out of the file's properties;
    # the landing pads are there for systems whose own objects are built with it.
    objdump -d --no-show-raw-insn "$1" >"$work/code"
    grep -q endbr64 "$work/code" || fail "$1: no landing pads (-fcf-protection)"
}

find "$prefix/bin" "$(dirname "$lib")" "$lib" -type f | sort -u >"$work/files"
seen=0
while read -r file; do
    is_elf "$file" || continue
    case $file in *.o | *.a) continue ;; esac
    linked_well "$file"
    seen=$((seen + 1))
done <"$work/files"
[ "$seen" -ge 3 ] || fail "only $seen programs and libraries found below $prefix"
for file in "$prefix/bin/hedged" "$prefix/bin/hedge" "$lib/libhedge.so"; do
    compiled_well "$file"
done
# A frame of more than a page touches each of its pages in turn (-fstack-clash-protection).
if readelf -hW "$prefix/bin/hedged" | grep -q 'X86-64'; then
    objdump -d --no-show-raw-insn "$prefix/bin/hedged" >"$work/code"
    grep -qE '(or|mov)q? +\$0x0,.*\(%rsp' "$work/code" || fail "hedged: large frames are not probed"
fi
# What is linked statically is compiled the same.
nm "$lib/libhedge.a" >"$work/archive" 2>/dev/null
grep -q 'U __stack_chk_fail' "$work/archive" || fail "libhedge.a: stacks are not checked"
[ -z "$fortified" ] || grep -qE 'U __[a-z]+_chk$' "$work/archive" ||
    fail "libhedge.a: no _FORTIFY_SOURCE"
