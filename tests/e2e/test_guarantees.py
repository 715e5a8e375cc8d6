# SPDX-License-Identifier: MIT
"""docs/guarantees.md names tests that there are: HEDGE_BUILD, a build folder, lists them."""
import fnmatch
import os
import re
import shutil
import subprocess
import unittest

import daemon

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
GROUPS = ("abi", "corpus", "e2e", "fuzz", "install", "property", "python", "unit")


def listed(build):
    """What ctest knows in a build folder, and what it left out for want of a compiler."""
    ctest = shutil.which("ctest")
    if ctest is None:
        return None
    out = subprocess.run([ctest, "-N"], cwd=build, capture_output=True, check=True, text=True,
                         timeout=60).stdout
    names = re.findall(r"^\s*Test\s+#\d+: (\S+)", out, re.M)
    if not shutil.which("clang"):
        names += [re.sub("_gcc$", "_clang", name) for name in names if name.endswith("_gcc")]
    return names


def missing(text, names):
    """What stands in backquotes, looks like a test, a file or a switch of theirs, and is none."""
    out = []
    for quoted in re.findall(r"`([^`]+)`", text):
        word = quoted.split()[0]
        if re.fullmatch(rf"({'|'.join(GROUPS)})\.[\w.*]+", word):
            found = fnmatch.filter(names, word)
        elif word.startswith("tests/"):
            found = os.path.exists(os.path.join(ROOT, word))
        elif word.startswith("fuzz_"):
            found = os.path.exists(os.path.join(ROOT, "tests/fuzz", word + ".c"))
        elif word.startswith("HEDGE_"):
            found = any(word in read(os.path.join(ROOT, "tests/e2e", name))
                        for name in os.listdir(os.path.join(ROOT, "tests/e2e"))
                        if name.endswith(".py"))
        else:
            continue
        if not found:
            out.append(word)
    return out


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


class Guarantees(unittest.TestCase):
    def test_each_named_test_exists(self):
        if not os.environ.get("HEDGE_BUILD"):
            self.skipTest("HEDGE_BUILD names no build folder")
        if os.environ.get("HEDGE_FAULTS_MEMORY") == "":
            self.skipTest("a sanitized build leaves tests out")
        names = listed(os.environ["HEDGE_BUILD"])
        if names is None:
            self.skipTest("no ctest in PATH")
        self.assertGreater(len(names), 100)
        text = read(os.path.join(ROOT, "docs/guarantees.md"))
        self.assertEqual(missing(text, names), [])
        self.assertGreater(len(re.findall(r"`(?:e2e|unit|install)\.\w+`", text)), 50)
        # and it would be seen
        wrong = ["e2e.none", "unit.none*", "tests/none.py", "fuzz_none", "HEDGE_" + "NONE"]
        planted = " ".join(f"`{word}`" for word in ["e2e.kill", *wrong, "unit.*", "e2e.halt 3"])
        self.assertEqual(missing(planted, names), wrong)


if __name__ == "__main__":
    daemon.main()
