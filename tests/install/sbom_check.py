# SPDX-License-Identifier: MIT
"""What configs/sbom.py writes of a prefix is SPDX 2.3, and is what readelf, ldd and dpkg say.

    sbom_check.py SBOM_PY PREFIX
"""
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile

SCRIPT, PREFIX = os.path.abspath(sys.argv[1]), os.path.realpath(sys.argv[2])
KINDS = {"DESCRIBES", "CONTAINS", "DYNAMIC_LINK", "DEPENDS_ON"}


def check(holds, what):
    if not holds:
        raise SystemExit(f"sbom: {what}")


def said(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True,
                          env={**os.environ, "LC_ALL": "C"}).stdout


def bill(epoch, cwd):
    done = subprocess.run([sys.executable, "-B", SCRIPT, PREFIX], capture_output=True, text=True,
                          cwd=cwd, env={**os.environ, "SOURCE_DATE_EPOCH": epoch}, check=False)
    check(done.returncode == 0, done.stderr)
    return done.stdout


def check_refusal(words, prefix=PREFIX, **environment):
    """One line that says what is wrong, and no bill."""
    done = subprocess.run([sys.executable, "-B", SCRIPT, prefix], capture_output=True, text=True,
                          env={**os.environ, **environment}, check=False)
    check(done.returncode != 0 and done.stdout == "" and words in done.stderr and
          "Traceback" not in done.stderr, f"{words}: {done.stderr}")


def check_form(d):
    """What SPDX 2.3 demands of a document, and of each element."""
    check((d["spdxVersion"], d["dataLicense"], d["SPDXID"]) ==
          ("SPDX-2.3", "CC0-1.0", "SPDXRef-DOCUMENT"), "its head")
    check(re.fullmatch(r"[a-z]+:[^#\s]+", d["documentNamespace"]), d["documentNamespace"])
    check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", d["creationInfo"]["created"]), "created")
    check(all(re.match("(Tool|Person|Organization): .", c) for c in d["creationInfo"]["creators"]),
          "creators")
    ids = [e["SPDXID"] for e in d["packages"] + d["files"]] + [d["SPDXID"]]
    check(len(ids) == len(set(ids)), "an id is there twice")
    check(all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", i) for i in ids), "an id is none")
    for p in d["packages"]:
        check({"name", "downloadLocation", "licenseConcluded", "licenseDeclared",
               "copyrightText"} <= set(p), f"a member is missing of {p}")
        check(p["filesAnalyzed"] == ("packageVerificationCode" in p), p["name"])
    for r in d["relationships"]:
        check(r["relationshipType"] in KINDS, r)
        check({r["spdxElementId"], r["relatedSpdxElement"]} <= set(ids), f"leads nowhere: {r}")
    code = hashlib.sha1("".join(sorted(
        c["checksumValue"] for f in d["files"] for c in f["checksums"]
        if c["algorithm"] == "SHA1")).encode()).hexdigest()
    own = next(p for p in d["packages"] if p["name"] == "hedge-engine")
    check(own["packageVerificationCode"]["packageVerificationCodeValue"] == code, "its code")
    check(own["versionInfo"] in said(f"{PREFIX}/bin/hedged", "--version"), own["versionInfo"])


def check_files(d):
    """Every program and library is there, as it is, and with what readelf says that it needs."""
    files = {f["fileName"]: f for f in d["files"]}
    there = set()
    for folder, _, names in os.walk(PREFIX):
        for path in (os.path.join(folder, name) for name in names):
            head = subprocess.run(["readelf", "-hW", path], capture_output=True, text=True,
                                  check=False).stdout
            if not os.path.islink(path) and re.search(r"Type: +(DYN|EXEC)", head):
                there.add("./" + os.path.relpath(path, PREFIX))
    check(set(files) == there, f"{set(files) ^ there}")
    for name in ("bin/hedged", "bin/hedge", "libhedge.so.", "hedge/libssl.so",
                 "hedge/libcrypto.so"):
        check(any(name in path for path in there), f"{name} is not listed")
    for name, f in files.items():
        with open(os.path.join(PREFIX, name), "rb") as data:
            content = data.read()
        for c in f["checksums"]:
            check(hashlib.new(c["algorithm"].lower(), content).hexdigest() == c["checksumValue"],
                  f"{name}: {c['algorithm']}")
        told = {r["comment"]: r["relatedSpdxElement"] for r in d["relationships"]
                if r["spdxElementId"] == f["SPDXID"] and r["relationshipType"] == "DYNAMIC_LINK"}
        read = set(re.findall(r"NEEDED.*\[(.*)\]",
                              said("readelf", "-dW", os.path.join(PREFIX, name))))
        check(set(told) == read, f"{name} needs {read}, and the bill says {set(told)}")
        check(read, f"{name} needs nothing")
        if "libhedge.so.0" in told:
            check(told["libhedge.so.0"].startswith("SPDXRef-File"), "our own is no package")


def check_packages(d):
    """All that is loaded is of a package that is listed, in the version that is installed."""
    listed = {p["name"]: p for p in d["packages"]}
    loaded = set()
    for f in d["files"]:
        out = said("ldd", os.path.join(PREFIX, f["fileName"]))
        loaded |= {os.path.realpath(p) for p in re.findall(r"(/\S+) \(0x", out)}
    loaded = {p for p in loaded if not p.startswith(PREFIX)}
    either = {p for path in loaded for p in (path, path.removeprefix("/usr"))}
    told = subprocess.run(["dpkg", "-S", *sorted(either)], capture_output=True, text=True,
                          check=False).stdout
    owners = {os.path.realpath(path): name
              for name, path in re.findall(r"^([^:,]+).*: (/\S+)$", told, re.M)}
    check(set(owners) == loaded, f"of no package: {loaded - set(owners)}")
    seen = {"hedge-engine", *owners.values()}
    installed = dict(re.findall(r"^(\S+) (\S+)$", said(
        "dpkg-query", "-W", "-f", "${Package} ${Version}\n", *set(owners.values())), re.M))
    for name, version in installed.items():
        check(name in listed, f"{name} is loaded and not listed")
        check(listed[name]["versionInfo"] == version, f"{name} is {version}")
    check(set(listed) == seen, f"listed and not loaded: {set(listed) - seen}")
    check(len(seen) > 10, "too few")


def main():
    text = bill("1700000000", "/")
    check(text == bill("1700000000", "/tmp"), "not the same bytes twice")
    d, later = json.loads(text), json.loads(bill("1700000001", "/"))
    check(d["creationInfo"]["created"] == "2023-11-14T22:13:20Z", "SOURCE_DATE_EPOCH")
    check(later["documentNamespace"] == d["documentNamespace"], "the same files have one name")
    check_form(d)
    check_files(d)
    with tempfile.TemporaryDirectory() as empty:
        check_refusal("no program and no library", empty)
        check_refusal("is needed here", PATH=empty)
    check_refusal("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH="yesterday")
    if not os.path.exists("/usr/bin/dpkg-query"):
        return
    check_packages(d)
    licences = [p["licenseDeclared"] for p in d["packages"]]
    print(f"{len(d['files'])} files, {len(licences)} packages, {len(d['relationships'])} relations;"
          f" {licences.count('NOASSERTION')} licences are not in a form for machines, or several")


if __name__ == "__main__":
    main()
