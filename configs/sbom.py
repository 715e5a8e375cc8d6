#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the bill of materials of an installed hedge-engine, as SPDX 2.3 in JSON.

    sbom.py PREFIX > hedge-engine.spdx.json

It holds every program and library below PREFIX with its checksums, what each of them links by
itself (readelf), and what is loaded with that, to the end (ldd): the package of the system that
each library is of, its version, and its licence where /usr/share/doc names just one for all of it. With
SOURCE_DATE_EPOCH set, the same files on the same system give the same bytes.
"""
import datetime
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

NONE = "NOASSERTION"
# Names of debian/copyright that SPDX writes otherwise; whole names of SPDX pass as they are.
LICENCES = {
    "Apache-2.0": "Apache-2.0", "Artistic-2": "Artistic-2.0", "BSD-2-clause": "BSD-2-Clause",
    "BSD-3-clause": "BSD-3-Clause", "BSD-4-clause": "BSD-4-Clause", "Expat": "MIT", "MIT": "MIT",
    "GPL-1+": "GPL-1.0-or-later", "GPL-2": "GPL-2.0-only", "GPL-2+": "GPL-2.0-or-later",
    "GPL-3": "GPL-3.0-only", "GPL-3+": "GPL-3.0-or-later", "ISC": "ISC",
    "LGPL-2": "LGPL-2.0-only", "LGPL-2+": "LGPL-2.0-or-later", "LGPL-2.1": "LGPL-2.1-only",
    "LGPL-2.1+": "LGPL-2.1-or-later", "LGPL-3": "LGPL-3.0-only", "LGPL-3+": "LGPL-3.0-or-later",
    "LGPLv3+": "LGPL-3.0-or-later", "PostgreSQL": "PostgreSQL", "Zlib": "Zlib", "curl": "curl",
    "zlib": "Zlib",
}


def run(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              env={**os.environ, "LC_ALL": "C"})
    except OSError as error:
        raise SystemExit(f"{command[0]}: {error.strerror}; it is needed here") from None
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


# ---- files -------------------------------------------------------------------------------------

def is_linked(path):
    """An ELF program or shared library, and not an object or a link to one."""
    if os.path.islink(path) or not os.path.isfile(path):
        return False
    with open(path, "rb") as f:
        head = f.read(18)
    return head[:4] == b"\x7fELF" and int.from_bytes(head[16:18], sys.byteorder) in (2, 3)


def linked_files(prefix):
    found = [os.path.join(folder, name) for folder, _, names in os.walk(prefix) for name in names]
    return sorted(path for path in found if is_linked(path))


def digest(path, kind):
    with open(path, "rb") as f:
        return hashlib.new(kind, f.read()).hexdigest()


def needed(path):
    return re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-dW", path))


def loaded(path):
    """{name: real path} of all that the loader would load with it."""
    out = {}
    for line in run("ldd", path).splitlines():
        at = re.match(r"\s*(\S+)(?: => (\S+))? \(0x", line)
        if at is None:
            if "not found" in line:
                raise SystemExit(f"{path}: {line.strip()}")
            continue
        where = at[2] or at[1]
        if where.startswith("/"):
            out[os.path.basename(at[1])] = os.path.realpath(where)
    return out


# ---- the system's packages ---------------------------------------------------------------------

def packages_of(paths):
    """{path: the package that a library is of}, of those that dpkg knows."""
    if shutil.which("dpkg-query") is None:
        return {}
    names = {}  # /lib may be a link to /usr/lib, and dpkg knows one of both
    for path in paths:
        other = path[len("/usr"):] if path.startswith("/usr/") else "/usr" + path
        names[path] = names[other] = path
    done = subprocess.run(["dpkg-query", "-S", *names], capture_output=True, text=True, check=False,
                          env={**os.environ, "LC_ALL": "C"})  # complains of those it does not know
    found = (line.rsplit(": ", 1) for line in done.stdout.splitlines())
    return {names[path]: owner.split(", ")[0] for owner, path in found if path in names}


def licences_of(name):
    """The licences that debian/copyright names for a package's sources, packaging left aside; none
    where it has no form for machines."""
    try:
        with open(f"/usr/share/doc/{name}/copyright", encoding="utf-8", errors="replace") as f:
            text = f.read()
    except OSError:
        return []
    if not re.match(r"Format: *https?://www\.debian\.org/doc/packaging-manuals/copyright-format",
                    text):
        return []
    out = set()
    for stanza in re.split(r"\n\s*\n", text):
        files = re.search(r"^Files: *\n? *(.*)$", stanza, re.M)
        said = re.search(r"^License: *(.*)$", stanza, re.M)
        if files is not None and said is not None and not files[1].startswith("debian/"):
            out.add(said[1].strip())
    return sorted(out)


def expression(licence):
    """The same as SPDX writes it; None: that cannot be said."""
    words = re.split(r"\s+(and|or)\s+", licence)
    names = [LICENCES.get(word, word if word in LICENCES.values() else None) for word in words[::2]]
    if None in names:
        return None
    words[::2] = names
    return " ".join(word.upper() if i % 2 else word for i, word in enumerate(words))


def tell_licence(name):
    """Only what is under one licence can be said to be: which parts a library is made of, a list of
    several does not tell."""
    found = licences_of(name)
    declared = expression(found[0]) if len(found) == 1 else None
    said = f": {', '.join(found)}" if found else ""
    return {"licenseConcluded": NONE, "licenseDeclared": declared or NONE,
            "licenseComments": f"of its parts, /usr/share/doc/{name}/copyright says{said or ' it'}"}


def spdx_id(kind, name):
    return f"SPDXRef-{kind}-" + re.sub(r"[^A-Za-z0-9.-]", "-", name.replace("+", "plus"))


def describe(name):
    """The element of a package that dpkg knows."""
    version, arch, source = run("dpkg-query", "-W", "-f",
                                "${Version}\n${Architecture}\n${source:Package}", name).split("\n")
    bare = name.split(":")[0]
    return {
        "SPDXID": spdx_id("Package", bare), "name": bare, "versionInfo": version,
        "supplier": NONE, "downloadLocation": NONE, "filesAnalyzed": False,
        **tell_licence(bare), "copyrightText": NONE, "sourceInfo": f"built from: {source}",
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                          "referenceLocator":
                              f"pkg:deb/{vendor()}/{bare}@{purl(version)}?arch={arch}"}],
    }


def purl(version):
    return "".join(c if c.isalnum() or c in ".-_~" else f"%{ord(c):02X}" for c in version)


def vendor():
    try:
        with open("/etc/os-release", encoding="utf-8") as f:
            return re.search(r'^ID="?([a-z]+)', f.read(), re.M)[1]
    except (OSError, TypeError):
        return "debian"


def unknown(path):
    """Of a library that no package claims."""
    name = os.path.basename(path)
    return {
        "SPDXID": spdx_id("Package", name), "name": name, "supplier": NONE,
        "downloadLocation": NONE, "filesAnalyzed": False, "licenseConcluded": NONE,
        "licenseDeclared": NONE, "copyrightText": NONE,
        "checksums": [{"algorithm": "SHA256", "checksumValue": digest(path, "sha256")}],
    }


# ---- the document ------------------------------------------------------------------------------

class Bill:
    def __init__(self, prefix):
        self.prefix = os.path.realpath(prefix)
        self.paths = linked_files(self.prefix)
        self.packages, self.relations, self.followed = {}, set(), set()
        self.of = {}  # the element of each library, by its real path
        self.loaded = {path: loaded(path) for path in self.paths}
        self.owners = packages_of(sorted({library for found in self.loaded.values()
                                          for library in found.values()} - set(self.paths)))
        if not self.paths:
            raise SystemExit(f"{prefix}: no program and no library is installed there")

    def element(self, path):
        """The id of the element that a library is of."""
        if path not in self.of:
            if path in self.paths:
                self.of[path] = self.file_id(path)
            else:
                name = self.owners.get(path)
                found = describe(name) if name else unknown(path)
                self.packages[found["SPDXID"]] = found
                self.of[path] = found["SPDXID"]
        return self.of[path]

    def file_id(self, path):
        return spdx_id("File", os.path.relpath(path, self.prefix))

    def relate(self, one, kind, other, comment=""):
        if one != other:
            self.relations.add((one, kind, other, comment))

    def follow(self, path):
        """What a file of ours links, and what that does."""
        found = self.loaded[path]
        for name in needed(path):
            self.relate(self.file_id(path), "DYNAMIC_LINK", self.element(found[name]), name)
        for library in set(found.values()) - set(self.paths) - self.followed:
            self.followed.add(library)
            for name in needed(library):
                if name in found:
                    self.relate(self.element(library), "DEPENDS_ON", self.element(found[name]))

    def version(self):
        for path in self.paths:
            if os.path.basename(path) == "hedged":
                return run(path, "--version").split()[1]
        name = next((p for p in self.paths if os.path.basename(p).startswith("libhedge.so.")), None)
        if name is None:
            raise SystemExit(f"{self.prefix}: neither hedged nor libhedge.so is installed there")
        return re.search(r"libhedge\.so\.\d+\.(.*)", name)[1]

    def files(self):
        return [{
            "SPDXID": self.file_id(path), "fileName": "./" + os.path.relpath(path, self.prefix),
            "fileTypes": ["BINARY"],
            "checksums": [{"algorithm": name, "checksumValue": digest(path, name.lower())}
                          for name in ("SHA1", "SHA256")],
            "licenseConcluded": "MIT", "licenseInfoInFiles": [NONE], "copyrightText": NONE,
        } for path in self.paths]

    def document(self):
        ours = "SPDXRef-Package-hedge-engine"
        for path in self.paths:
            self.follow(path)
            self.relate(ours, "CONTAINS", self.file_id(path))
        self.relate("SPDXRef-DOCUMENT", "DESCRIBES", ours)
        files = self.files()
        code = hashlib.sha1("".join(sorted(f["checksums"][0]["checksumValue"]
                                           for f in files)).encode()).hexdigest()
        own = {
            "SPDXID": ours, "name": "hedge-engine", "versionInfo": self.version(), "supplier": NONE,
            "downloadLocation": NONE, "filesAnalyzed": True,
            "packageVerificationCode": {"packageVerificationCodeValue": code},
            "licenseInfoFromFiles": [NONE], "licenseConcluded": "MIT", "licenseDeclared": "MIT",
            "copyrightText": NONE, "primaryPackagePurpose": "APPLICATION",
        }
        relations = [{"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other,
                      **({"comment": comment} if comment else {})}
                     for one, kind, other, comment in sorted(self.relations)]
        content = {"packages": [own, *(self.packages[i] for i in sorted(self.packages))],
                   "files": files, "relationships": relations}
        name = f"hedge-engine-{own['versionInfo']}"
        mark = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        return {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
                "name": name, "documentNamespace": f"urn:hedge:sbom:{purl(name)}:{mark}",
                "creationInfo": {"created": created(), "creators": ["Tool: hedge-engine-sbom"]},
                **content}


def created():
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or None
    if epoch is not None and not epoch.isdecimal():
        raise SystemExit(f"SOURCE_DATE_EPOCH={epoch}: must be a number of seconds")
    now = datetime.datetime.now(datetime.timezone.utc) if epoch is None else \
        datetime.datetime.fromtimestamp(int(epoch), datetime.timezone.utc)
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        raise SystemExit(__doc__)
    print(json.dumps(Bill(sys.argv[1]).document(), indent=1))


if __name__ == "__main__":
    main()
