#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a program that was built against libhedge relies on, and whether it still holds.

    abi.py LIBRARY HEADER DESCRIPTION            compares; exit 1 if anything differs
    abi.py LIBRARY HEADER DESCRIPTION --update   writes the description anew

The description lists a fact a line: exported functions with their version and prototype, types,
structs with sizes and members, numbers. Layouts and numbers are measured by a compiled program,
not worked out. A fact that is gone or changed is a break, which --update refuses to record unless
HEDGE_ABI_VERSION has been raised. The facts are those of 64-bit machines."""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

CC = os.environ.get("CC", "cc")
EMULATOR = [] # runs what CC builds, where this machine does not
# Macros that are no numbers. HEDGE_BREAKER and HEDGE_FLAG are measured for every trip.
NOT_NUMBERS = {"HEDGE_HEDGE_H", "HEDGE_API", "HEDGE_MUST_CHECK", "HEDGE_INIT", "HEDGE_BREAKER",
               "HEDGE_FLAG"}
# Moves with every release and breaks nobody.
RELEASE = {"HEDGE_VERSION_MAJOR", "HEDGE_VERSION_MINOR", "HEDGE_VERSION_PATCH"}
MAY_NEED = {"libc", "libm", "libyaml-0", "libmd"}
RUNTIME = ("ld-linux", "libasan", "libubsan", "libtsan") # the loader; builds with sanitizers
EXPORT = '__attribute__((visibility("default")))'


class Broken(Exception):
    """The header, the library and what we understand of them do not agree."""


def run(*command, stdin=None):
    done = subprocess.run([str(word) for word in command], input=stdin, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise Broken(f"{' '.join(map(str, command))}\n{done.stderr or done.stdout}")
    return done.stdout


# ---- reading the header ----------------------------------------------------------


def without_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)


def preprocessed(header):
    """The header's own declarations with every macro expanded, one blank between words."""
    lines, ours = [], False
    for line in run(CC, "-E", "-std=c11", header).splitlines():
        marker = re.match(r'# \d+ "(.*)"', line)
        if marker:
            ours = marker.group(1) == str(header)
        elif ours:
            lines.append(line)
    return " ".join(" ".join(lines).split())


def tidy(text):
    text = re.sub(r"\s+", " ", text.strip())
    text = re.sub(r"\s*([(),*\[\]])\s*", r"\1", text)
    return re.sub(r"(\*+)", r" \1", text).replace(",", ", ")


def typed(declaration):
    """(name, type) of 'const char *name[3]'; an array's length goes to the type."""
    declaration = declaration.strip()
    found = re.fullmatch(r"(.*?)(\w+)\s*((?:\[[^]]*\])*)", declaration, re.S)
    if found is None or not found.group(1).strip():
        return "", tidy(declaration) # a type alone: void
    return found.group(2), tidy(found.group(1)) + tidy(found.group(3))


def prototype(declaration):
    """(name, prototype without the parameters' names)."""
    head, parameters = re.fullmatch(r"(.*?)\((.*)\)", declaration.strip(), re.S).groups()
    name, result = typed(head)
    return name, f"{result} ({', '.join(typed(p)[1] for p in parameters.split(','))})"


def members_of(body):
    """[(name, type)] of a struct's members, 'double from, to;' being two."""
    members = []
    for declaration in filter(None, (part.strip() for part in body.split(";"))):
        first, *others = declaration.split(",")
        name, kind = typed(first)
        members.append((name, kind))
        base = kind.split("[")[0].rstrip(" *")
        members += [typed(f"{base} {other}") for other in others]
    return members


class Header:
    """What the header declares."""

    def __init__(self, path):
        self.path = Path(path).resolve()
        text = preprocessed(self.path)
        self.plain = without_comments(self.path.read_text())
        attributes = r'__attribute__\s*\(\(\s*(?:visibility\s*\(\s*"default"\s*\)|\w+)\s*\)\)'
        exports = re.findall(rf"(?:{attributes}\s*)+([^;]*);", text)
        self.functions = dict(prototype(one) for one in exports)
        self.structs = {name: members_of(body) for name, body in
                        re.findall(r"typedef struct (\w+) ?{([^}]*)}", text)}
        self.opaque = re.findall(r"typedef struct (\w+) (\w+);", text)
        self.callbacks = dict(prototype(one) for one in
                              re.findall(r"typedef (?!struct)([^;{]*\([^;]*\));", text))
        self.enums = re.findall(r"(\w+)\s*(?:=[^,}]*)?[,}]",
                                " ".join(re.findall(r"enum ?{[^}]*}", text)))
        macros = run(CC, "-E", "-dM", "-std=c11", self.path)
        self.macros = sorted(set(re.findall(r"^#define (HEDGE_\w+)", macros, re.M)) -
                             NOT_NUMBERS - RELEASE)
        self.check(text)

    def check(self, text):
        """Nothing may have been overlooked: everything is counted a second way."""
        counts = {
            "functions": (len(self.functions), len(re.findall(r"^HEDGE_API", self.plain, re.M)),
                          len(re.findall(r'visibility ?\( ?"default" ?\)', text))),
            "types": (len(self.structs) + len(self.opaque) + len(self.callbacks),
                      len(re.findall(r"\btypedef\b", self.plain))),
        }
        for what, numbers in counts.items():
            if len(set(numbers)) != 1:
                raise Broken(f"{what} counted in different ways: {numbers}")
        numbers = set(self.enums) | set(self.macros) | NOT_NUMBERS | RELEASE
        names = set(self.functions) | set(self.structs) | set(self.callbacks)
        names |= {name for pair in self.opaque for name in pair}
        names |= {name for members in self.structs.values() for name, _ in members}
        for word in sorted(set(re.findall(r"\bHEDGE_\w+", self.plain)) - numbers):
            raise Broken(f"{word} stands in the header, but is no number that was found")
        names.add("hedge_init_struct")  # what HEDGE_INIT is in C++: a template, nothing exported
        for word in sorted(set(re.findall(r"\bhedge_\w+", self.plain)) - names):
            raise Broken(f"{word} stands in the header, but is no function or type that was found")


# ---- measuring -------------------------------------------------------------------


def probe_source(header):
    """A program that prints the facts that only a compiler knows."""
    lines = [f'#include "{header.path}"', "#include <stdio.h>",
             "#define NUMBER(name, number) "
             'printf("value %s = %.17g\\n", name, (double)(number))', "int main(void) {"]
    for name in header.enums + header.macros:
        lines.append(f'NUMBER("{name}", {name});')
    for trip in (name for name in header.enums if name.startswith("HEDGE_TRIP_")):
        for macro in ("HEDGE_BREAKER", "HEDGE_FLAG"):
            lines.append(f'NUMBER("{macro}({trip})", {macro}({trip}));')
    for struct, members in header.structs.items():
        lines.append(f'printf("struct {struct} = size %zu, align %zu\\n", sizeof({struct}), '
                     f"_Alignof({struct}));")
        for name, kind in members:
            lines.append(f'printf("member {struct}.{name} = offset %zu, size %zu, {kind}\\n", '
                         f"offsetof({struct}, {name}), sizeof((({struct} *)0)->{name}));")
    return "\n".join([*lines, "return 0;", "}", ""])


def measure(header):
    """{fact: value} of layouts and numbers."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "probe"
        run(CC, "-std=c11", "-Werror", "-x", "c", "-", "-o", program, stdin=probe_source(header))
        lines = run(*EMULATOR, program).splitlines()
    return dict(line.split(" = ", 1) for line in lines)


def numbers_in(value):
    return [int(n) for n in re.findall(r"(?:offset|size|align) (\d+)", value)]


def check_no_holes(facts, header):
    """Members cover their struct to the byte, so none was overlooked and no padding leaks."""
    for struct, members in header.structs.items():
        at = 0
        for name, _ in members:
            offset, size = numbers_in(facts[f"member {struct}.{name}"])[:2]
            if offset != at:
                raise Broken(f"{struct}: {at} to {offset} belongs to no member")
            at = offset + size
        if at != numbers_in(facts[f"struct {struct}"])[0]:
            raise Broken(f"{struct}: nothing lies at its end, from {at} on")


# ---- the library -----------------------------------------------------------------


def exported(library):
    """{name: version} of what the library exports; it must be functions with our prefix."""
    symbols = {}
    for line in run("nm", "-D", "--defined-only", library).splitlines():
        _, kind, name = line.split()
        if kind == "A":
            continue # the version itself
        if kind not in "Ti":
            raise Broken(f"{name} is exported, and is no function ({kind})")
        name, _, version = name.partition("@@")
        symbols[name] = version or "no version"
    return symbols


def check_library(library, abi_version):
    """Its name follows the ABI's number; what it needs has not grown."""
    dump = run("objdump", "-p", library)
    soname = re.search(r"SONAME\s+(\S+)", dump)
    if soname is None or soname.group(1) != f"libhedge.so.{abi_version}":
        raise Broken(f"the library is called {soname and soname.group(1)}, "
                     f"not libhedge.so.{abi_version}")
    for needed in re.findall(r"NEEDED\s+(\S+)", dump):
        if needed.split(".so")[0] not in MAY_NEED and not needed.startswith(RUNTIME):
            raise Broken(f"the library needs {needed}, which it must not")


def check_releases(facts, header, path):
    """Each struct that carries its size stands in the table of sizes, as it is now."""
    rows = re.findall(r'ROW\((\w+), "([^"]+)", (\d+)\)', Path(path).read_text())
    sizes = {struct: int(size) for struct, _, size in rows} # the last one
    for struct, members in header.structs.items():
        size = numbers_in(facts[f"struct {struct}"])[0]
        if members[0][0] == "struct_size" and sizes.get(struct) != size:
            raise Broken(f"{struct} has {size} bytes, and {path} says {sizes.get(struct)}: "
                         "add a row for this release")


def describe(header, symbols):
    """{fact: value} of a header and the symbols of its library."""
    facts = measure(header)
    check_no_holes(facts, header)
    for name in sorted(header.functions.keys() ^ symbols.keys()):
        where = "declared, but not exported" if name in header.functions else \
            "exported, but not declared"
        raise Broken(f"{name} is {where}")
    for name, text in header.functions.items():
        facts[f"function {name}"] = f"{symbols[name]}, {text}"
    for name, text in header.callbacks.items():
        facts[f"callback {name}"] = text
    for struct, name in header.opaque:
        facts[f"opaque {name}"] = f"struct {struct}"
    return facts


# ---- comparing -------------------------------------------------------------------


def grown_only(fact, old, new):
    """A struct may become longer; its members are facts of their own."""
    return fact.startswith("struct ") and \
        numbers_in(old)[1:] == numbers_in(new)[1:] and numbers_in(old)[0] < numbers_in(new)[0]


def inside_old(fact, facts, old):
    """A new member that lies where the struct of old has its members."""
    struct = "struct " + fact.removeprefix("member ").split(".")[0]
    return fact.startswith("member ") and struct in old and \
        numbers_in(facts[fact])[0] < numbers_in(old[struct])[0]


def compare(old, new):
    """(breaks, additions), a sentence each."""
    breaks, additions = [], []
    for fact, value in old.items():
        if fact not in new:
            breaks.append(f"{fact} is gone (it was {value})")
        elif grown_only(fact, value, new[fact]):
            additions.append(f"{fact} has grown: {value} to {new[fact]}")
        elif new[fact] != value:
            breaks.append(f"{fact} was {value}, and is {new[fact]}")
    for fact, value in new.items():
        if fact in old:
            continue
        if inside_old(fact, new, old):
            breaks.append(f"{fact} is new, and inside of what older programs know")
        else:
            additions.append(f"{fact} is new: {value}")
    return breaks, additions


def raised(old, new):
    fact = "value HEDGE_ABI_VERSION"
    return fact in old and int(new[fact]) > int(old[fact])


def read(path):
    lines = Path(path).read_text().splitlines()
    return dict(line.split(" = ", 1) for line in lines if line and not line.startswith("#"))


HEAD = """\
# SPDX-License-Identifier: MIT
# What programs built against libhedge rely on, on 64-bit machines. Written by abi.py --update.
# A line may be added; one that changes or goes breaks programs in the field.
"""


def write(path, facts):
    kinds = ["function", "callback", "opaque", "struct", "member", "value"]
    order = sorted(facts, key=lambda fact: kinds.index(fact.split()[0])) # in the header's order
    Path(path).write_text(HEAD + "".join(f"{fact} = {facts[fact]}\n" for fact in order))


def update(path, old, new):
    """Records what is new. False: it would record a break."""
    breaks, _ = compare(old, new)
    if breaks and not raised(old, new):
        print("Not recorded: these break existing programs, and HEDGE_ABI_VERSION is the same.",
              *breaks, sep="\n  ")
        return False
    write(path, new)
    return True


def report(old, new):
    breaks, additions = compare(old, new)
    if breaks:
        print("These break programs that were built against the library:", *breaks, sep="\n  ")
        if raised(old, new):
            print("HEDGE_ABI_VERSION was raised for them: run abi.py --update and commit.")
    if additions:
        print("These are new: run abi.py --update and commit.", *additions, sep="\n  ")
    return not breaks and not additions


def main():
    if sys.maxsize < 2**32:
        print("SKIPPED: the facts are those of 64-bit machines")
        return 77
    if len(sys.argv) < 4:
        sys.exit("usage: abi.py LIBHEDGE.SO HEDGE.H ABI.TXT [--update]")
    library, path, description = sys.argv[1:4]
    header = Header(path)
    new = describe(header, exported(library))
    check_library(library, new["value HEDGE_ABI_VERSION"])
    check_releases(new, header, Path(__file__).with_name("releases.h"))
    old = read(description) if Path(description).exists() else {}
    if "--update" in sys.argv[4:]:
        return 0 if update(description, old, new) else 1
    print(f"{len(new)} facts: {len(header.functions)} functions, {len(header.structs)} structs, "
          f"{len(header.enums) + len(header.macros)} numbers")
    return 0 if report(old, new) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Broken as fault:
        print(fault)
        sys.exit(1)
