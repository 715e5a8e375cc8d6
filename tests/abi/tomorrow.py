#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tomorrow's library with today's callers.

    tomorrow.py SOURCE BUILD

Builds copies of the library whose public structs have one member more at their end, and runs
old_callers on them: the sizes in releases.h are then older ones, all of them."""
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# A struct that lies inside another by value cannot grow together with it; hedge_limit never can.
INNER = ["hedge_request", "hedge_quote", "hedge_decision"]
OUTER = ["hedge_record"]


def call(*command, show=False):
    command = [str(word) for word in command]
    done = subprocess.run(command, text=True, check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if show or done.returncode != 0:
        print(done.stdout, end="")
    return done.returncode


def structs_of(text):
    """The structs that carry their size."""
    return re.findall(r"typedef struct (\w+) {\s*uint32_t struct_size", text)


def grown(text, names):
    for name in names:
        text, n = re.subn(rf"\n}} {name};", f"\n    double tomorrow;\n}} {name};", text)
        assert n == 1, name
    return text


def build(source, build_folder, work, names):
    """The library and old_callers, both with the longer structs."""
    for part in ("include", "libhedge"):
        shutil.copytree(source / part, work / part)
    header = work / "include/hedge/hedge.h"
    header.write_text(grown(header.read_text(), names))
    flags = ["-std=c11", "-O1", "-ffp-contract=off", "-D_GNU_SOURCE", "-I", work / "include"]
    abi = source / "tests/abi"
    return call("cc", *flags, "-fPIC", "-shared", "-fvisibility=hidden",
                "-I", build_folder / "libhedge", *sorted((work / "libhedge").glob("*.c")),
                "-o", work / "libhedge.so", "-lyaml", "-lmd", "-lm") or \
        call("cc", *flags, abi / "old_callers.c", abi / "old_calls.c", "-o", work / "old_callers",
             "-L", work, "-lhedge", f"-Wl,-rpath,{work}")


def attempt(source, build_folder, names, without):
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        print("longer:", ", ".join(names))
        return build(source, build_folder, work, names) or \
            call(work / "old_callers", source / "tests/abi/abi.txt", *without, show=True)


def main():
    source, build_folder = (Path(word).resolve() for word in sys.argv[1:3])
    names = structs_of((source / "include/hedge/hedge.h").read_text())
    results = [attempt(source, build_folder, [n for n in names if n not in INNER], []),
               attempt(source, build_folder, [n for n in names if n not in OUTER], OUTER)]
    return max(results)


if __name__ == "__main__":
    sys.exit(main())
