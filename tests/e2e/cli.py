# SPDX-License-Identifier: MIT
"""Runs the command-line tool `hedge` for the tests of it.

HEDGE_CLI names the program; without it HEDGE_BUILD_DIR/examples/hedge is tested.
"""
import json
import os
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("HEDGE_BUILD_DIR", os.path.join(ROOT, "build", "release"))
CLI = os.path.abspath(os.environ.get("HEDGE_CLI", os.path.join(BUILD, "examples", "hedge")))
LIBRARY = os.environ.get("HEDGE_LIBRARY", os.path.join(BUILD, "libhedge", "libhedge.so"))
POLICY = os.path.join(ROOT, "configs", "policy.yaml")
FINE, BAD_DATA, USAGE, TRIP = 0, 1, 2, 3

LINE = "curve: {method: linear, knots: [[0, 0], [1, 1]]}\n"


def hedge(*arguments, stdin="", folder=ROOT, **variables):
    """(exit code, stdout, stderr) of one run, in a plain environment."""
    keep = ("PATH", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")
    environment = {name: os.environ[name] for name in keep if name in os.environ}
    environment.update({"LC_ALL": "C.UTF-8", "TERM": "xterm"}, **variables)
    done = subprocess.run([CLI, *map(str, arguments)], input=stdin, capture_output=True, text=True,
                          cwd=folder, env=environment, timeout=120)
    return done.returncode, done.stdout, done.stderr


def strict_json(text):
    """One JSON object, without NaN or Infinity."""
    def refuse(word):
        raise ValueError(f"{word} is not JSON")
    return json.loads(text, parse_constant=refuse)


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def file(self, name, content):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        return path

    def run_ok(self, *arguments, **more):
        code, out, err = hedge(*arguments, **more)
        self.assertEqual(code, FINE, f"{arguments}: {out} {err}")
        return out

    def refused(self, expected, words, *arguments, **more):
        """The run ends with this code and its stderr holds the words; gives stdout."""
        code, out, err = hedge(*arguments, **more)
        self.assertEqual(code, expected, f"{arguments}: {out} {err}")
        self.assertRegex(err, words, f"{arguments}")
        return out
