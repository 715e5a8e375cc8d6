# SPDX-License-Identifier: MIT
"""What every file of these tests needs: a start, a skip, a process of its own."""
import importlib.util
import os
import subprocess
import sys
import unittest

SKIP = 77  # what ctest reads as "skipped"
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
POLICY = os.path.join(ROOT, "configs", "policy.yaml")
SCORES, HEDGES = [0.0, 0.3, 0.7, 1.0], [0.05, 0.25, 0.75, 1.0]


def need(*modules):
    """Ends the file as skipped where a module is not installed."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            print(f"skipped: Python has no module {module}")
            sys.exit(SKIP)


def python(code, *arguments, timeout=120, **environment):
    """Runs code in a fresh interpreter: (exit code, negative for a signal; output; errors)."""
    done = subprocess.run([sys.executable, "-B", "-X", "faulthandler", "-c", code, *arguments],
                          capture_output=True, text=True, timeout=timeout,
                          env={**os.environ, **environment}, check=False)
    return done.returncode, done.stdout, done.stderr


def main():
    """Runs the calling file's tests; all skipped: exit 77."""
    run = unittest.main(exit=False, verbosity=1)
    result = run.result
    if result.testsRun and len(result.skipped) == result.testsRun:
        sys.exit(SKIP)
    sys.exit(not result.wasSuccessful())
