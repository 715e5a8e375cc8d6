# SPDX-License-Identifier: MIT
"""What mutants are tried on: libhedge's objects, and its tests linked to a shared library of them.

A mutant costs one compilation, one link of that library and the tests that execute its lines, those
first that have killed most in the least time. The tests themselves are linked once."""
import collections
import gzip
import hashlib
import json
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
LIBRARY = SOURCE / "libhedge"
FLAGS = ["-std=c11", "-w", "-D_GNU_SOURCE", "-ffp-contract=off", "-fPIC",
         "-fno-semantic-interposition", "-Werror=incompatible-pointer-types",
         "-Werror=int-conversion", "-Werror=implicit-function-declaration",
         "-Werror=return-type", "-I", str(SOURCE / "include"), "-I", str(LIBRARY)]
SUPPORT = ["unit/support.c", "unit/scene.c", "unit/knots.c", "unit/guarded.c"]
OPTIMIZED = {"curve_certify.c": "-O3"}  # as it is built; the others: -O2
UNCOUNTED = {"test_certify": "curve_certify.c"}  # a billion scores, each line counted, take too long
SLOWEST = 12  # seconds at least before a test counts as hung
MEMORY = 4 << 30


class Test:
    """A program and its arguments; its output counts where `exact`."""

    def __init__(self, name, sources, arguments=(), libraries=(), exact=False, options=()):
        self.name, self.sources, self.arguments = name, sources, list(arguments)
        self.libraries, self.exact, self.options = list(libraries), exact, list(options)
        self.seconds, self.answer, self.lines = 1.0, None, {}


def tests():
    """Unit tests, then properties, then the corpus."""
    out = []
    criterion = shlex.split(subprocess.check_output(
        ["pkg-config", "--cflags", "--libs", "criterion"], text=True))
    for path in sorted((SOURCE / "tests/unit").glob("test_*.c")):
        head = path.read_text()
        if "criterion" in head and not daemons(head):
            out.append(Test(path.stem, [f"unit/{path.name}", *SUPPORT], ["-j1", "--fail-fast"],
                            criterion))
    out.append(Test("alloc_main", ["unit/alloc_main.c", *SUPPORT], options=["-fno-builtin"]))
    out.append(Test("market_threads", ["unit/market_threads.c", *SUPPORT], ["20000"],
                    ["-lpthread"]))
    out.append(Test("policy_threads", ["unit/policy_threads.c", *SUPPORT], ["200"],
                    ["-lpthread"]))
    gsl = ["-lgsl", "-lgslcblas"]
    out.append(Test("curve_properties", ["property/curve_properties.c", "property/oracle.c",
                                         *SUPPORT], ["1", "300"], gsl))
    out.append(Test("shape_properties", ["property/shape_properties.c", "property/dual.c",
                                         "property/oracle.c", *SUPPORT], ["1", "100"], gsl))
    out.append(Test("corpus", ["corpus/corpus.c", "corpus/inputs.c", "corpus/policies.c"],
                    exact=True))
    return out


def daemons(text):
    """True of a unit test of the daemon's modules: it includes headers that libhedge has not."""
    own = {p.name for p in LIBRARY.glob("*.h")} | {p.name for p in (SOURCE / "tests/unit").iterdir()}
    return any(name not in own for name in re.findall(r'#include "([\w.]+)"', text))


def used_seconds():
    """Of the processor, by what was run: a busy machine does not count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def call(command, **more):
    subprocess.run([str(word) for word in command], check=True, **more)


def run(command, seconds, env, cwd):
    """(exit code or None for a timeout, stdout); its whole group is ended."""
    def limits():
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 20, 64 << 20))
    process = subprocess.Popen([str(c) for c in command], env=env, cwd=cwd, preexec_fn=limits,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        out = process.communicate(timeout=seconds)[0]
        code = process.returncode
    except subprocess.TimeoutExpired:
        code, out = None, b""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.communicate()
    Path(f"/tmp/criterion_{process.pid}.sock").unlink(missing_ok=True)
    return code, out


class Bench:
    """A folder with everything built. Workers share all but their own folder of it."""

    def __init__(self, folder):
        self.folder = Path(folder).resolve()
        self.programs = self.folder / "programs"
        self.sources = sorted(p.name for p in LIBRARY.glob("*.c"))
        self.tests = tests()
        self.kills = collections.Counter()  # (file, test)

    # ---- building
    def flags(self, *more):
        return [*FLAGS, "-I", self.folder, *more]

    def build(self, say):
        self.programs.mkdir(parents=True, exist_ok=True)
        (self.folder / "git_sha.h").write_text('#define HEDGE_GIT_SHA "mutant"\n')
        self.base = self.library("base", None)
        for test in self.tests:
            self.program(test)
        say(f"built {len(self.tests)} test programs")

    def library(self, name, options):
        """A folder of objects and their library."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        for source in self.sources:
            shutil.copy(LIBRARY / source, folder / source)
            call(["gcc", *self.flags(*(options or [self.level(source)])), "-c", source, "-o", source[:-2] + ".o"], cwd=folder)
        self.link(folder, options=options or ())
        return folder

    @staticmethod
    def level(source):
        return OPTIMIZED.get(source, "-O2")

    def link(self, folder, instead=None, options=()):
        """libhedge.so in `folder`, of base's objects but for `instead`."""
        objects = [folder / instead if instead == f"{s[:-2]}.o"
                   else (folder if instead is None else self.base) / f"{s[:-2]}.o"
                   for s in self.sources]
        call(["gcc", *options, "-shared", "-Wl,-Bsymbolic", "-o", folder / "libhedge.so", *objects,
              "-lyaml", "-lmd", "-lm"])

    def program(self, test):
        sources = [SOURCE / "tests" / s for s in test.sources]
        out = self.programs / test.name
        key = hashlib.sha256(b"".join(s.read_bytes() for s in sources)).hexdigest()
        stamp = out.with_suffix(".key")
        if out.exists() and stamp.exists() and stamp.read_text() == key:
            return
        headers = ["-I", SOURCE / "tests/unit", "-I", SOURCE / "tests/property"]
        call(["gcc", *self.flags("-O1", *headers, *test.options),
              f'-DHEDGE_SOURCE_DIR="{SOURCE}"', *sources, "-o", out, *test.libraries,
              "-L", self.base, "-lhedge", "-lmd", "-lm", "-Wl,--export-dynamic"])
        stamp.write_text(key)

    def tests_hash(self):
        return hashlib.sha256("".join(sorted(
            p.read_text() for p in self.programs.glob("*.key"))).encode()).hexdigest()[:16]

    # ---- running
    def try_one(self, test, folder, seconds, more=()):
        """True if it passes with the library in `folder`."""
        temporary = folder / "tmp"
        temporary.mkdir(exist_ok=True)
        env = {**os.environ, "LD_LIBRARY_PATH": str(folder), "TMPDIR": str(temporary), **dict(more)}
        code, out = run([self.programs / test.name, *test.arguments], seconds, env, temporary)
        if code == 0 and test.exact:
            if test.answer is None:
                test.answer = out
            return out == test.answer
        return code == 0

    def measure(self, say):
        """How long each test takes, and that it passes at all; then which lines it executes."""
        for test in self.tests:
            before = used_seconds()
            if not self.try_one(test, self.base, 300):
                raise SystemExit(f"{test.name} fails on libhedge as it is")
            test.seconds = used_seconds() - before
        say("all pass in " + ", ".join(f"{t.name} {t.seconds:.1f}" for t in self.tests) + " s")
        covered = self.library("covered", ["-O0", "--coverage"])
        for test in self.tests:
            if test.name not in UNCOUNTED:
                self.cover(test, covered)
        for test in self.tests:
            if test.name in UNCOUNTED:
                file = UNCOUNTED[test.name]
                test.lines[file] = set(self.known.get(file, ()))
        say("executed lines: " + ", ".join(
            f"{t.name} {sum(len(v) for v in t.lines.values())}" for t in self.tests))

    def cover(self, test, folder):
        where = folder / "counts" / test.name
        shutil.rmtree(where, ignore_errors=True)
        where.mkdir(parents=True)
        self.try_one(test, folder, 600, {"GCOV_PREFIX": str(where),
                                         "GCOV_PREFIX_STRIP": "99"}.items())
        for source in self.sources:
            data = where / f"{source[:-2]}.gcda"
            if not data.exists():
                continue
            shutil.copy(folder / f"{source[:-2]}.gcno", where)
            call(["gcov", "--json-format", data.name], cwd=where, stdout=subprocess.DEVNULL)
            with gzip.open(where / f"{source[:-2]}.gcov.json.gz") as f:
                files = json.load(f)["files"]
            self.known.setdefault(source, set())
            for each in files:
                if os.path.basename(each["file"]) != source:
                    continue
                self.known[source] |= {line["line_number"] for line in each["lines"]}
                test.lines[source] = {line["line_number"] for line in each["lines"]
                                      if line["count"] > 0}

    known = {}  # the lines of each file that have code

    def order(self, file, lines, inside):
        """The tests that execute any of the lines, the likeliest first. A table's are all."""
        known = self.known.get(file, set())
        if inside:
            # The rest of a statement counts with its first line, or not at all.
            wanted = {n for n in lines if n in known} or known
            found = [t for t in self.tests if t.lines.get(file, set()) & wanted]
        else:
            found = self.tests
        return sorted(found, key=lambda t: -(self.kills[(file, t.name)] + 0.5) / (t.seconds + 0.1))
