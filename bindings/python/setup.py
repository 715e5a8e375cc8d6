# SPDX-License-Identifier: MIT
"""Builds the wheel: the package with a libhedge of its own inside.

Everything is built in a temporary folder, so nothing is left in the sources
and they may be read-only. CMake builds the library from the repository that
this folder lies in; libyaml and libmd become part of it.
"""

import atexit
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from setuptools import Command, Distribution, setup
from setuptools.command.build import build

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:  # setuptools before 70.1
    try:
        from wheel.bdist_wheel import bdist_wheel
    except ImportError:  # asked for its requirements only
        bdist_wheel = None

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SONAME = "libhedge.so.0"
# What the library takes in and their licences ask to be told.
NOTICES = {"libyaml": "/usr/share/doc/libyaml-dev/copyright",
           "libmd": "/usr/share/doc/libmd-dev/copyright"}


def version():
    """The one version, which stands in the public header."""
    header = ROOT / "include" / "hedge" / "hedge.h"
    if not header.is_file():
        sys.exit(f"hedge: {header} is missing; build from a checkout of the whole repository")
    text = header.read_text(encoding="utf-8")
    return ".".join(re.search(rf"HEDGE_VERSION_{part} (\d+)", text).group(1)
                    for part in ("MAJOR", "MINOR", "PATCH"))


class BuildLibrary(Command):
    """Runs CMake and lays the library, its version and the licences into the package."""

    description = "build libhedge"
    user_options = []

    def initialize_options(self):
        self.build_lib = None
        self.build_temp = None
        self.editable_mode = False

    def finalize_options(self):
        self.set_undefined_options(
            "build", ("build_lib", "build_lib"), ("build_temp", "build_temp"))

    def run(self):
        if self.editable_mode:
            return  # the sources find HEDGE_LIBRARY or the system's library
        folder = Path(self.build_temp).resolve() / "cmake"
        self.spawn_cmake("-S", ROOT, "-B", folder, "-DCMAKE_BUILD_TYPE=Release",
                         "-DHEDGE_PROGRAMS=OFF", "-DHEDGE_TESTS=OFF",
                         "-DHEDGE_BUNDLE_DEPENDENCIES=ON", "-DCMAKE_SHARED_LINKER_FLAGS=-s",
                         "-DCMAKE_SKIP_RPATH=ON")  # it loads nothing but the system's
        self.spawn_cmake("--build", folder, "--target", "hedge",
                         "--parallel", os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL")
                         or str(os.cpu_count() or 1))
        package = Path(self.build_lib) / "hedge"
        (package / "licenses").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / "libhedge" / SONAME, package / SONAME)
        (package / "VERSION").write_text(version() + "\n", encoding="ascii")
        shutil.copyfile(ROOT / "LICENSE", package / "licenses" / "hedge")
        for name, notice in NOTICES.items():
            if Path(notice).is_file():
                shutil.copyfile(notice, package / "licenses" / name)

    @staticmethod
    def spawn_cmake(*arguments):
        command = ["cmake", *map(str, arguments)]
        # A CMake from PyPI sees this build's Python paths and need not: clean ones.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        try:
            subprocess.run(command, check=True, env=environment)
        except FileNotFoundError:
            sys.exit("hedge: cmake is missing; configs/packages.txt, group build, lists what "
                     "it takes to build")
        except subprocess.CalledProcessError as failed:
            sys.exit(f"hedge: {' '.join(command)} failed ({failed.returncode}); "
                     "configs/packages.txt, group build, lists what it takes to build")

    def get_outputs(self):
        package = Path(self.build_lib) / "hedge"
        return [str(path) for path in [package / SONAME, package / "VERSION",
                                       *sorted((package / "licenses").glob("*"))]]

    def get_source_files(self):
        return []

    def get_output_mapping(self):
        return {}


class Build(build):
    sub_commands = [*build.sub_commands, ("build_library", None)]


class BinaryDistribution(Distribution):
    """It holds machine code, though no extension module."""

    def has_ext_modules(self):
        return True


commands = {"build": Build, "build_library": BuildLibrary}
if bdist_wheel is not None:
    class Wheel(bdist_wheel):
        """The library is called through ctypes: any Python 3, this platform alone."""

        def get_tag(self):
            return "py3", "none", super().get_tag()[2]

    commands["bdist_wheel"] = Wheel

scratch = tempfile.mkdtemp(prefix="hedge-wheel-")
atexit.register(shutil.rmtree, scratch, ignore_errors=True)
setup(
    version=version(),
    distclass=BinaryDistribution,
    cmdclass=commands,
    options={"build": {"build_base": scratch}, "egg_info": {"egg_base": scratch},
             "bdist_wheel": {"bdist_dir": f"{scratch}/bdist"}},
)
