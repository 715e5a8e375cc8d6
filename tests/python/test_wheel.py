# SPDX-License-Identifier: MIT
"""The wheel: built with Debian's tools, offline; installed; used from elsewhere; weighed."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

import runner

runner.need("setuptools", "wheel", "pip", "venv", "ensurepip", "numpy")
SOURCE = os.path.join(runner.ROOT, "bindings", "python")
USE = """
import hedge, numpy as np, sys
here = sys.prefix
assert hedge.__file__.startswith(here), hedge.__file__
assert hedge.LIBRARY_PATH.startswith(here), hedge.LIBRARY_PATH
assert hedge.LIBRARY_VERSION.startswith(hedge.__version__ + "+"), hedge.LIBRARY_VERSION
curve = hedge.Curve([0, 0.3, 0.7, 1], [0.05, 0.25, 0.75, 1])
assert curve(np.array([0.3, 0.7])).tolist() == [0.25, 0.75]
p = hedge.Policy.parse("[{score: 0, hedge: 0}, {score: 1, hedge: 1}]")
assert p.size("BTC", 1.0, score=0.5, depth1pct_usd=1e12).ok
try:
    hedge.Policy.parse("a: [")
except hedge.PolicyError as fault:
    assert fault.name == "bad_syntax"
"""
LEAST, MOST = 50_000, 1_000_000  # bytes that a wheel may weigh


def clean(**more):
    """An environment in which only the wheel itself can be found, and no network is asked."""
    out = {k: v for k, v in os.environ.items()
           if not k.startswith(("PYTHON", "HEDGE_", "PIP_", "LD_LIBRARY"))}
    return {**out, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **more}


def run(*command, cwd):
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=clean(),
                          timeout=500, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{command}: {done.stdout}{done.stderr}")
    return done.stdout


def sources():
    """Every file of the sources that a build could leave something in, with its time."""
    out = {}
    for top in ("bindings", "libhedge", "include"):
        for folder, _, names in os.walk(os.path.join(runner.ROOT, top)):
            if "__pycache__" not in folder:
                out.update({p: os.stat(p).st_mtime_ns
                            for p in (os.path.join(folder, name) for name in names)})
    return out


class Wheel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        where = cls.folder.name
        cls.before = sources()
        run(sys.executable, "-m", "venv", "--system-site-packages", f"{where}/v", cwd=where)
        cls.python = f"{where}/v/bin/python"
        run(cls.python, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps",
            "-w", f"{where}/dist", SOURCE, cwd=where)
        (cls.name,) = os.listdir(f"{where}/dist")
        cls.wheel = f"{where}/dist/{cls.name}"
        run(cls.python, "-m", "pip", "install", "--no-deps", cls.wheel, cwd=where)

    def test_its_name_says_what_it_fits(self):
        import platform
        self.assertRegex(self.name,
                         rf"^hedge-\d+\.\d+\.\d+-py3-none-linux_{platform.machine()}\.whl$")

    def test_what_is_inside(self):
        with zipfile.ZipFile(self.wheel) as wheel:
            names = set(wheel.namelist())
            metadata = next(n for n in names if n.endswith("/METADATA"))
            text = wheel.read(metadata).decode()
        modules = {f"hedge/{name}" for name in os.listdir(os.path.join(SOURCE, "hedge"))
                   if not name.startswith("__pycache__")}
        inside = {n for n in names if ".dist-info/" not in n}
        notices = {n for n in inside if n.startswith("hedge/licenses/")}
        self.assertEqual(inside - notices, modules | {"hedge/libhedge.so.0", "hedge/VERSION"})
        self.assertIn("hedge/licenses/hedge", notices)
        self.assertIn("Requires-Dist: numpy", text)

    def test_its_weight(self):
        weight = os.path.getsize(self.wheel)
        with zipfile.ZipFile(self.wheel) as wheel:
            library = wheel.getinfo("hedge/libhedge.so.0").file_size
        print(f"{self.name}: {weight} bytes, the library {library}")
        self.assertTrue(LEAST < weight < MOST, weight)

    def test_it_works_from_elsewhere(self):
        with tempfile.TemporaryDirectory() as elsewhere:
            run(self.python, "-B", "-c", USE, cwd=elsewhere)

    def test_the_library_stands_alone(self):
        where = run(self.python, "-c", "import hedge; print(hedge.LIBRARY_PATH)",
                    cwd=self.folder.name).strip()
        dynamic = run("readelf", "-d", where, cwd=self.folder.name)
        # An empty part of such a path is the current folder: anybody's library.
        self.assertNotRegex(dynamic, "RPATH|RUNPATH")
        needed = set(re.findall(r"NEEDED.*\[(.*)\]", dynamic))
        self.assertEqual(needed - {"libm.so.6", "libc.so.6"} - {n for n in needed if "ld-" in n},
                         set())
        if shutil.which("ldd"):
            self.assertNotRegex(run("ldd", where, cwd=self.folder.name), "libyaml|libmd|not found")
        names = run("nm", "-D", "--defined-only", where, cwd=self.folder.name).split("\n")
        names = [line.split()[-1].partition("@")[0] for line in names if line]
        self.assertEqual([n for n in names if not n.startswith(("hedge_", "HEDGE_"))], [])

    def test_nothing_is_left_in_the_sources(self):
        self.assertEqual(sources(), self.before)

    def test_without_the_repository_it_says_so(self):
        with tempfile.TemporaryDirectory() as lone:
            shutil.copyfile(os.path.join(SOURCE, "setup.py"), f"{lone}/setup.py")
            done = subprocess.run([self.python, "setup.py", "--version"], cwd=lone, env=clean(),
                                  capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("build from a checkout of the whole repository", done.stderr)


if __name__ == "__main__":
    runner.main()
