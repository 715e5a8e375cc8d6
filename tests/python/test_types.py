# SPDX-License-Identifier: MIT
"""The package's type hints hold under mypy --strict."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import runner

PACKAGE = os.path.join(runner.ROOT, "bindings", "python", "hedge")
USE = """
import hedge
import numpy as np
curve = hedge.Curve([0.0, 1.0], np.array([0.0, 1.0]))
one: float = curve(0.5)
many = curve(np.array([0.5]))
decision: hedge.Decision = hedge.Policy.parse("x").size("BTC", 1.0, score=0.5)
decisions: hedge.Decisions = hedge.Policy.parse("x").size_many(asset="BTC", amount_usd=1.0)
share: float = decision.hedge_pct + decisions.hedge_pct.mean()
"""


def mypy():
    """How mypy is started, or None."""
    if shutil.which("mypy"):
        return ["mypy"]
    known = subprocess.run([sys.executable, "-m", "mypy", "--version"], capture_output=True,
                           check=False).returncode == 0
    return [sys.executable, "-m", "mypy"] if known else None


@unittest.skipUnless(mypy(), "mypy is not installed")
class Types(unittest.TestCase):
    def check(self, *arguments):
        with tempfile.TemporaryDirectory() as cache:
            done = subprocess.run(
                [*mypy(), "--strict", "--python-executable", sys.executable, "--cache-dir", cache,
                 *arguments], capture_output=True, text=True, check=False,
                env={**os.environ, "MYPYPATH": os.path.dirname(PACKAGE)})
        return done.returncode, done.stdout + done.stderr

    def test_the_package_is_strict(self):
        code, out = self.check(PACKAGE)
        self.assertEqual(code, 0, out)

    def test_a_callers_types(self):
        code, out = self.check("-c", USE)
        self.assertEqual(code, 0, out)
        code, out = self.check("-c", USE + "wrong: str = decision.hedge_pct\n")
        self.assertEqual(code, 1, out)


class Marker(unittest.TestCase):
    def test_the_package_says_that_it_is_typed(self):
        self.assertTrue(os.path.isfile(os.path.join(PACKAGE, "py.typed")))

    def test_house_rules(self):
        for name in sorted(os.listdir(PACKAGE)):
            if not name.endswith(".py"):
                continue
            with open(os.path.join(PACKAGE, name), encoding="utf-8") as file:
                lines = file.read().splitlines()
            self.assertEqual(lines[0], "# SPDX-License-Identifier: MIT", name)
            self.assertLess(len(lines), 600, name)


if __name__ == "__main__":
    runner.main()
