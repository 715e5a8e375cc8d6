#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Mutation testing of libhedge: would a test notice if this line were wrong?

    mutate.py [--jobs 1] [--files curve.c,decision.c] [--sample N] [--seed S] [--resume]
              [--folder build/mutation]

Makes small changes to each file of libhedge, one at a time, and runs the tests that execute the
changed lines. A change is killed when one fails, crashes or takes ten times as long. A change that
the compiler turns into the same object, or into that of another change, is dropped and counted
apart. --sample takes so many of each file, by the seed. --resume keeps what an earlier run killed
or explained, and tries its survivors again where the tests have changed.

Survivors that no test can kill are explained in survivors.txt; only the others are listed. Exit 1
if there are any."""
import argparse
import collections
import hashlib
import json
import random
import shutil
import sys
import threading
import time
from pathlib import Path

import bench
import mutants

HERE = Path(__file__).resolve().parent
OUTCOMES = ("killed", "survived", "trivial", "invalid")


def squeezed(text):
    return " ".join(text.split())


class Change:
    """A mutant of a file, as people name it."""

    def __init__(self, file, source, maker, mutant):
        self.file, self.mutant = file, mutant
        self.function = maker.function_at(mutant.start)
        first = source.rfind("\n", 0, mutant.start) + 1
        last = source.find("\n", mutant.end)
        self.line = source.count("\n", 0, mutant.start) + 1
        self.lines = list(range(self.line, source.count("\n", 0, mutant.end) + 2))
        self.old = squeezed(source[first:last])
        self.new = squeezed(source[first:mutant.start] + mutant.new + source[mutant.end:last])
        self.text = mutant.applied(source)
        self.key = hashlib.sha256(f"{file}\0{self.text}".encode()).hexdigest()[:24]

    @property
    def name(self):
        return (self.file, self.function, self.old, self.new)

    def __str__(self):
        return f"{self.file}:{self.line} {self.function}\n- {self.old}\n+ {self.new}"


def explained():
    """{(file, function, old, new)} of survivors.txt."""
    out, block = {}, []
    path = HERE / "survivors.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    for line in lines + [""]:
        if line.strip() and not line.startswith("#"):
            block.append(line)
            continue
        if block:
            if len(block) < 4 or block[1][:2] != "- " or block[2][:2] != "+ ":
                raise SystemExit(f"survivors.txt: not FILE FUNCTION, -, +, reason: {block}")
            file, function = block[0].split()
            out[(file, function, block[1][2:], block[2][2:])] = " ".join(block[3:])
        block = []
    return out


class Run:
    def __init__(self, options):
        self.options = options
        self.bench = bench.Bench(options.folder)
        self.results = self.bench.folder / "results.jsonl"
        self.done, self.objects, self.lock = {}, {}, threading.Lock()
        self.begun = time.monotonic()

    def say(self, words):
        print(f"[{time.monotonic() - self.begun:6.0f} s] {words}", flush=True)

    # ---- what to try
    def changes(self):
        names = self.options.files.split(",") if self.options.files else self.bench.sources
        out = []
        for file in names:
            source = (bench.LIBRARY / file).read_text()
            maker = mutants.Maker(source)
            made = [Change(file, source, maker, m) for m in maker.mutants()]
            random.Random(f"{self.options.seed} {file}").shuffle(made)
            out += made[:self.options.sample] if self.options.sample else made
        random.Random(self.options.seed).shuffle(out)  # an early end is still a sample
        return out

    def load(self):
        if not self.options.resume or not self.results.exists():
            self.results.unlink(missing_ok=True)
            return
        for line in self.results.read_text().splitlines():
            row = json.loads(line)
            self.done[row["key"]] = row

    def settled(self, change):
        """The outcome of an earlier run that still holds."""
        row = self.done.get(change.key)
        if row is None or (row["outcome"] == "survived" and row["tests"] != self.tests_hash
                           and change.name not in self.explained):
            return None
        return row

    # ---- trying
    def judge(self, change, folder):
        """(outcome, by which test)."""
        file, out = change.file, change.file[:-2] + ".o"
        (folder / file).write_text(change.text)
        code, _ = bench.run(["gcc", *self.bench.flags(self.bench.level(file)), "-c", file, "-o", out], 60,
                            None, folder)
        if code != 0:
            return "invalid", ""
        code = (folder / out).read_bytes()
        if code == (self.bench.base / out).read_bytes():
            return "trivial", "the same object"
        digest = hashlib.sha256(code).hexdigest()
        with self.lock:
            twin = self.objects.setdefault((file, digest), change.key)
        if twin != change.key:
            return "trivial", "another change's object"
        self.bench.link(folder, out)
        for test in self.bench.order(file, change.lines, change.function != "-"):
            if not self.bench.try_one(test, folder, max(bench.SLOWEST, 10 * test.seconds)):
                with self.lock:
                    self.bench.kills[(file, test.name)] += 1
                return "killed", test.name
        return "survived", ""

    def worker(self, number, queue):
        folder = self.bench.folder / f"worker{number}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        while True:
            with self.lock:
                if not queue:
                    return
                change = queue.popleft()
            outcome, by = self.judge(change, folder)
            shutil.rmtree(folder / "tmp", ignore_errors=True)
            row = {"key": change.key, "outcome": outcome, "by": by, "tests": self.tests_hash,
                   "file": change.file, "line": change.line}
            with self.lock:
                self.done[change.key] = row
                with self.results.open("a") as f:
                    f.write(json.dumps(row) + "\n")
                if outcome == "survived" and change.name not in self.explained:
                    print(f"survived: {change}\n", flush=True)

    def go(self):
        self.bench.folder.mkdir(parents=True, exist_ok=True)
        self.explained = explained()
        self.bench.build(self.say)
        self.tests_hash = self.bench.tests_hash()
        self.load()
        changes = self.changes()
        queue = collections.deque(c for c in changes if self.settled(c) is None)
        self.say(f"{len(changes)} changes, {len(queue)} to try")
        if queue:
            self.bench.measure(self.say)
        workers = [threading.Thread(target=self.worker, args=(i, queue))
                   for i in range(self.options.jobs)]
        for w in workers:
            w.start()
        for w in workers:
            w.join()
        return self.report(changes)

    # ---- the reckoning
    def report(self, changes):
        rows = collections.defaultdict(collections.Counter)
        left = []
        for change in changes:
            outcome = self.done[change.key]["outcome"]
            if outcome == "survived" and change.name in self.explained:
                outcome = "explained"
            elif outcome == "survived":
                left.append(change)
            rows[change.file][outcome] += 1
            rows["all"][outcome] += 1
        print(f"\n{'file':<20}{'killed':>8}{'survived':>10}{'explained':>11}{'score':>8}"
              f"{'trivial':>9}{'invalid':>9}")
        for file in [*sorted(set(rows) - {"all"}), "all"]:
            n = rows[file]
            tried = n["killed"] + n["survived"] + n["explained"]
            score = f"{100 * n['killed'] / tried:.1f} %" if tried else "-"
            print(f"{file:<20}{n['killed']:>8}{n['survived']:>10}{n['explained']:>11}{score:>8}"
                  f"{n['trivial']:>9}{n['invalid']:>9}")
        if left:
            print(f"\n{len(left)} survivors that nobody has explained:\n")
            for change in sorted(left, key=lambda c: (c.file, c.line)):
                print(f"{change}\n")
        return 1 if left else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--files", default="")
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--folder", default=str(bench.SOURCE / "build/mutation"))
    sys.exit(Run(parser.parse_args()).go())


if __name__ == "__main__":
    main()
