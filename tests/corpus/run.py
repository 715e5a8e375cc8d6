#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The corpus on one platform or more: every hash must be the one in expected.txt.

    run.py BUILD CASE [ARGUMENT]

    shared            the build's own shared library, through the public calls
    path NAME         every curve of the build's static library forced onto a path
    compiler NAME     the library built anew by gcc or clang at every level of optimisation
    qemu_x86          the build under processors without FMA, and with AVX2 but no AVX-512
    aarch64           built for AArch64, run there or under qemu
    aarch64_programs  the plain test programs likewise
    alarm             a library whose products are fused where the source does not say so
    update            writes expected.txt; recorded decisions are then lost to recomputation

Prints a row a platform. Exit: 0, 1, or 77 with a line "SKIPPED: why"."""
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import aarch64

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "abi"))
import abi # noqa: E402
SOURCE = HERE.parent.parent
EXPECTED = HERE / "expected.txt"
PROGRAM = ["corpus.c", "inputs.c", "policies.c"]
PATHS = ["portable", "fma", "avx2", "avx512"]
# What every target of the project has; -ffp-contract=off is the point.
STRICT = ["-std=c11", "-ffp-contract=off", "-D_GNU_SOURCE"]
LEVELS = ["-O0", "-O2", "-O3", "-O3 -march=native", "-O3 -march=x86-64-v3"]
LINKED = {"gcc": ["-O2 -flto"], "clang": []} # clang's needs a linker of its own
# The files that calculate, for the alarm.
NUMERIC = ["confidence", "curve", "curve_eval", "curve_shape", "curve_slopes", "curve_avx2",
           "curve_avx512", "decision", "liquidity"]


class Skipped(Exception):
    """The case cannot run here; the text says why."""


def expected():
    """{section: hash}"""
    lines = EXPECTED.read_text().splitlines()
    return dict(line.split() for line in lines if line and not line.startswith("#"))


def call(command, **options):
    """Runs quietly; on failure shows what was said."""
    command = [str(word) for word in command]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, **options)
    if done.returncode != 0:
        print(" ".join(command), done.stdout, sep="\n")
        sys.exit(1)
    return done.stdout


def corpus(command, env=None):
    """(exit code, {section: hash}) of one run of the program."""
    command = [str(word) for word in command]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False, env={**os.environ, **(env or {})})
    if done.returncode == 77:
        return 77, {}
    if done.returncode != 0:
        print(" ".join(command), f"exit {done.returncode}", done.stdout, done.stderr, sep="\n")
        return done.returncode, {}
    return 0, dict(line.split() for line in done.stdout.splitlines())


class Table:
    """A row a platform; remembers whether all were right."""

    def __init__(self):
        self.wanted = expected()
        self.fine = True
        self.rows = 0

    def note(self, name, what):
        print(f"{name:<44} {what}", flush=True)

    def compare(self, name, code, got):
        self.rows += 1
        self.note(name, got.get("total", f"failed, exit {code}"))
        differ = [s for s in self.wanted if got.get(s) != self.wanted[s]]
        if code == 0 and got.keys() == self.wanted.keys() and not differ:
            return
        self.fine = False
        if code == 0:
            self.note("", "not the same: " + ", ".join(differ or ["the sections themselves"]))

    def run(self, name, command, env=None):
        self.compare(name, *corpus(command, env))

    def result(self):
        if not self.fine:
            print("The bits have changed: this library cannot recompute recorded decisions.")
        return 0 if self.fine and self.rows else 1


# ---- building ----------------------------------------------------------------


def build_library(folder, options, env=None):
    """The shared and the static library, by the project's own CMake files."""
    call(["cmake", "-S", SOURCE, "-B", folder, "-G", "Ninja", "-DHEDGE_PROGRAMS=OFF",
          "-DHEDGE_TESTS=OFF", "-DCMAKE_BUILD_TYPE=None", *options],
         env={**os.environ, **(env or {})})
    call(["cmake", "--build", folder, "--target", "hedge", "hedge_private", "-j", "1"])
    return folder / "libhedge"


def build_program(folder, compiler, library, private=False, cflags=(), ldflags=()):
    """The corpus against the shared library or, for the paths, the static one."""
    out = folder / ("corpus_paths" if private else "corpus")
    command = [*compiler, *STRICT, *cflags, "-I", SOURCE / "include"]
    if private:
        command += ["-DCORPUS_PATHS", "-I", SOURCE / "libhedge"]
    command += [HERE / name for name in PROGRAM] + ["-o", out]
    command += [library / "libhedge_private.a"] if private else ["-L", library, "-lhedge"]
    call([*command, *ldflags, "-lyaml", "-lmd", "-lm"])
    return out


def forced(table, name, command):
    """The paths this processor has; the others are cases of their own, and skipped there."""
    for path in PATHS:
        code, got = corpus([*command, path])
        if code != 77:
            table.compare(f"{name}, {path}", code, got)


# ---- cases ---------------------------------------------------------------------


def case_shared(build, table):
    table.run("as built, shared library", [build / "tests/corpus/corpus"])


def case_path(build, table, path):
    code, got = corpus([build / "tests/corpus/corpus_paths", path])
    if code == 77:
        raise Skipped(f"this processor or this build has no path {path}")
    table.compare(f"as built, {path}", code, got)


def levels_of(name):
    """The levels of a compiler, with what runs their code: qemu where this machine cannot."""
    for level in LEVELS + LINKED[name]:
        if "x86-64" not in level or has_v3():
            yield level, []
        elif platform.machine() == "x86_64":
            if not shutil.which("qemu-x86_64"):
                raise Skipped(f"{level}: neither this processor nor a qemu-x86_64 runs it")
            yield level, ["qemu-x86_64", "-cpu", "Haswell"]


def has_v3():
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False
    return platform.machine() == "x86_64" and {"avx2", "fma", "bmi2", "movbe"} <= set(flags)


def case_compiler(build, table, name):
    if not shutil.which(name):
        raise Skipped(f"there is no {name}")
    for level, qemu in levels_of(name):
        words = level.split()
        folder = build / "tests/corpus" / name / level.replace(" ", "").replace("=", "")
        library = build_library(folder, [f"-DCMAKE_C_COMPILER={name}", f"-DCMAKE_C_FLAGS={level}"])
        rpath = [f"-Wl,-rpath,{library}"]
        program = build_program(folder, [name], library, cflags=words, ldflags=rpath)
        table.run(f"{name} {level}", [*qemu, program])
        program = build_program(folder, [name], library, private=True, cflags=words)
        forced(table, f"{name} {level}", [*qemu, program])


def case_qemu_x86(build, table):
    """The loader's own choice of a path, made on other processors."""
    if platform.machine() != "x86_64":
        raise Skipped("this machine is not x86-64, nor are its libraries")
    if not shutil.which("qemu-x86_64"):
        raise Skipped("there is no qemu-x86_64")
    programs = build / "tests/corpus"
    for cpu, has, has_not in (("Nehalem", "portable", "fma"), ("Haswell", "avx2", "avx512")):
        qemu = ["qemu-x86_64", "-cpu", cpu]
        if corpus([*qemu, programs / "corpus_paths", has_not])[0] != 77:
            print(f"{cpu} has {has_not} here: it stands for nothing")
            table.fine = False
        table.run(f"qemu {cpu}, shared library", [*qemu, programs / "corpus"])
        table.run(f"qemu {cpu}, {has}", [*qemu, programs / "corpus_paths", has])


def case_aarch64(build, table):
    if platform.machine() == "aarch64":
        case_shared(build, table) # the other cases build for it too
        return
    cross = aarch64.Cross(build / "tests/corpus/aarch64")
    for level in ("-O0", "-O3"):
        folder = cross.folder / level
        library = build_library(folder, cross.cmake_options(level), cross.env())
        program = build_program(folder, [aarch64.COMPILER], library, cflags=[level, *cross.cflags],
                                ldflags=cross.ldflags)
        table.run(f"{aarch64.COMPILER} {level}", cross.run([library], program))


def case_aarch64_programs(build, table):
    if platform.machine() == "aarch64":
        raise Skipped("this machine is one: unit.alloc, unit.market_threads and property.curve "
                      "run on it as they are")
    cross = aarch64.Cross(build / "tests/corpus/aarch64")
    folder = cross.folder / "-O3"
    library = build_library(folder, cross.cmake_options("-O3"), cross.env())
    for name, sources, libraries, arguments in aarch64.PROGRAMS:
        out = folder / name
        command = [aarch64.COMPILER, "-O2", *STRICT, *cross.cflags, "-fno-builtin",
                   f'-DHEDGE_SOURCE_DIR="{SOURCE}"']
        for include in ("include", "libhedge", "tests/unit"):
            command += ["-I", SOURCE / include]
        call([*command, *[SOURCE / "tests" / source for source in sources], "-o", out,
              library / "libhedge_private.a", *cross.ldflags, *libraries, "-lyaml", "-lmd",
              "-lpthread", "-lm"])
        call([*cross.run([library], out), *arguments])
        table.rows += 1
        table.note(f"{name} on AArch64", "passed")
    check_layouts(table, cross)


def check_layouts(table, cross):
    """Sizes, offsets and numbers are those of abi.txt on AArch64 too."""
    abi.CC, abi.EMULATOR = aarch64.COMPILER, cross.run([], "")[:-1]
    facts = abi.measure(abi.Header(SOURCE / "include/hedge/hedge.h"))
    on_file = abi.read(HERE.parent / "abi/abi.txt")
    differ = [fact for fact in facts if on_file.get(fact) != facts[fact]]
    table.fine = table.fine and not differ
    table.note(f"{len(facts)} facts of abi.txt on AArch64", ", ".join(differ) or "the same")


def case_alarm(build, table):
    """The test of the test: fused products must show."""
    folder = build / "tests/corpus/alarm"
    folder.mkdir(parents=True, exist_ok=True)
    flags = [] if platform.machine() == "aarch64" else ["-march=x86-64-v3"]
    if flags and not has_v3():
        raise Skipped("this processor has no FMA")
    call(["gcc", "-std=c11", "-O2", *flags, "-ffp-contract=fast", "-D_GNU_SOURCE", "-I",
          SOURCE / "include", "-I", SOURCE / "libhedge",
          *[HERE / name for name in PROGRAM],
          *[SOURCE / f"libhedge/{name}.c" for name in NUMERIC], "-o", folder / "corpus",
          build / "libhedge/libhedge_private.a", "-lyaml", "-lmd", "-lm"])
    code, got = corpus([folder / "corpus"])
    differ = [s for s in table.wanted if got.get(s) != table.wanted[s]]
    table.rows += 1
    table.note("gcc -ffp-contract=fast, which is forbidden", got.get("total", f"exit {code}"))
    table.note("", "differs in: " + (", ".join(differ) or "nothing"))
    table.fine = code != 0 or "total" in differ
    if not table.fine:
        print("nobody would notice a compiler that fuses products")


def case_update(build, _table):
    code, got = corpus([build / "tests/corpus/corpus"])
    head = [line for line in EXPECTED.read_text().splitlines() if line.startswith("#")]
    if code == 0:
        EXPECTED.write_text("\n".join(head + [f"{s:<12} {h}" for s, h in got.items()]) + "\n")


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    build, name = Path(sys.argv[1]).resolve(), sys.argv[2]
    table = Table()
    try:
        globals()[f"case_{name}"](build, table, *sys.argv[3:])
    except (Skipped, aarch64.Unavailable) as why:
        print(f"SKIPPED: {why}")
        return 77 if table.fine else 1
    return 0 if name == "update" else table.result()


if __name__ == "__main__":
    sys.exit(main())
