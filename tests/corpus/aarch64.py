# SPDX-License-Identifier: MIT
"""A cross compiler, qemu, and AArch64's libraries beside the machine's own.

The libraries come from the machine's ordinary apt sources, into a state folder of their own: the
machine's package lists and architectures stay as they are, and nobody needs to be root."""
import os
import re
import shutil
import subprocess
from pathlib import Path

COMPILER = "aarch64-linux-gnu-gcc"
ROOT = "/usr/aarch64-linux-gnu" # where Debian's cross libc lies
PACKAGES = {"libyaml-dev": "libyaml", "libmd-dev": "libmd", "libgsl-dev": "libgsl"}
TESTS = Path(__file__).resolve().parent.parent
UNIT = ["unit/support.c", "unit/scene.c"]
# Name, sources, libraries, arguments: kept to seconds under qemu.
PROGRAMS = [
    ("alloc_main", ["unit/alloc_main.c", *UNIT], [], []),
    ("market_threads", ["unit/market_threads.c", *UNIT], [], ["5000", "2"]),
    ("curve_properties", ["property/curve_properties.c", "unit/knots.c", "property/oracle.c",
                          *UNIT], ["-lgsl", "-lgslcblas"], ["1", "300"]),
    ("old_callers", ["abi/old_callers.c", "abi/old_calls.c"], [], [TESTS / "abi/abi.txt"]),
]


class Unavailable(Exception):
    """Something is missing; the text says what."""


# On top of the machine's configuration. Its hooks would tidy up the machine's own cache.
SETTINGS = """\
#clear APT::Architectures;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Architecture "arm64";
APT::Sandbox::User "";
Dir::State "{folder}";
Dir::State::lists "{folder}/lists";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::Retries "1";
Acquire::http::Timeout "20";
"""


def apt(folder, *words):
    """apt-get for arm64 packages with all of its state in the folder; what it said."""
    (folder / "apt.conf").write_text(SETTINGS.format(folder=folder))
    done = subprocess.run(["apt-get", "-q", "-c", folder / "apt.conf", *words], cwd=folder,
                          text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        said = done.stdout.strip()[-400:]
        raise Unavailable(f"apt-get {' '.join(words)} for arm64 failed: {said}")
    return done.stdout.strip()[-400:]


def dependencies(deb, stem):
    """The packages of the same library that a -dev package needs."""
    done = subprocess.run(["dpkg-deb", "-f", deb, "Depends"], text=True, check=True,
                          stdout=subprocess.PIPE)
    return re.findall(rf"\b{stem}[a-z0-9.-]*", done.stdout)


def fetch(folder):
    """Unpacks the libraries into folder/root, once."""
    root, done = folder / "root", folder / "complete"
    if done.exists():
        return root
    for part in ("lists/partial", "cache/archives/partial", "root"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    said = apt(folder, "update") # which is content without a single source in reach
    try:
        apt(folder, "download", *PACKAGES)
    except Unavailable as why:
        raise Unavailable(f"{why}\napt-get update said: {said}") from why
    wanted = []
    for package, stem in PACKAGES.items():
        wanted += dependencies(next(folder.glob(f"{package}_*.deb")), stem)
    apt(folder, "download", *wanted)
    for deb in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", deb, root], check=True)
    done.touch()
    return root


class Cross:
    """How to build for AArch64 and run what was built."""

    def __init__(self, folder):
        self.folder = Path(folder)
        for tool in (COMPILER, "qemu-aarch64", "apt-get", "dpkg-deb"):
            if not shutil.which(tool):
                raise Unavailable(f"there is no {tool}")
        root = fetch(self.folder / "packages")
        self.libraries = root / "usr/lib/aarch64-linux-gnu"
        self.root = root
        self.cflags = ["-I", str(root / "usr/include")]
        self.ldflags = ["-L", str(self.libraries), f"-Wl,-rpath-link,{self.libraries}"]

    def env(self):
        """Lets pkg-config see AArch64's packages and no others."""
        return {"PKG_CONFIG_LIBDIR": str(self.libraries / "pkgconfig"),
                "PKG_CONFIG_SYSROOT_DIR": str(self.root)}

    def cmake_options(self, level):
        return ["-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64",
                f"-DCMAKE_C_COMPILER={COMPILER}", f"-DCMAKE_C_FLAGS={level}",
                f"-DCMAKE_SHARED_LINKER_FLAGS=-Wl,-rpath-link,{self.libraries}"]

    def run(self, libraries, program):
        path = os.pathsep.join(str(folder) for folder in [*libraries, self.libraries])
        return ["qemu-aarch64", "-L", ROOT, "-E", f"LD_LIBRARY_PATH={path}", str(program)]
