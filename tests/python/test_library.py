# SPDX-License-Identifier: MIT
"""Finding, checking and refusing libraries; struct layouts and codes against the C header."""
import ctypes
import os
import shutil
import subprocess
import tempfile
import unittest

import hedge
import runner
from hedge import curve, layout, rules, status

REAL = hedge.LIBRARY_PATH
SHOW = "import hedge; print(hedge.LIBRARY_PATH); print(hedge.LIBRARY_VERSION)"
STRUCT_SIZE = -3


def compiler():
    cc = os.environ.get("CC") or "cc"
    return cc if shutil.which(cc) else None


@unittest.skipUnless(compiler(), "no C compiler")
class Refusing(unittest.TestCase):
    """Libraries made to be wrong: one function replaced, all others the real ones."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def shim(self, source, *real):
        path = os.path.join(self.folder.name, "libshim.so")
        text = os.path.join(self.folder.name, "shim.c")
        with open(text, "w", encoding="ascii") as file:
            file.write("#include <stdint.h>\n#include <stddef.h>\n" + source)
        subprocess.run([compiler(), "-shared", "-fPIC", "-o", path, text,
                        "-Wl,--no-as-needed", *real,
                        f"-Wl,-rpath,{os.path.dirname(REAL)}"], check=True)
        return path

    def assert_refused(self, path, *parts, named=None):
        """The message names the file that the functions came from."""
        code, _, errors = runner.python("import hedge", HEDGE_LIBRARY=path)
        self.assertEqual(code, 1, errors)
        last = errors.strip().splitlines()[-1]
        self.assertTrue(last.startswith("ImportError: "), errors)
        for part in (named or path, *parts):
            self.assertIn(part, last)

    def test_the_shim_itself_is_fine(self):
        path = self.shim("", REAL)
        code, out, errors = runner.python(SHOW, HEDGE_LIBRARY=path)
        self.assertEqual((code, out.splitlines()[1]), (0, hedge.LIBRARY_VERSION), errors)

    def test_another_abi(self):
        path = self.shim("uint32_t hedge_abi_version(void) { return 7; }\n"
                         'const char *hedge_version(void) { return "9.9.9+x"; }', REAL)
        self.assert_refused(path, "ABI version 7")

    def test_another_version(self):
        path = self.shim('const char *hedge_version(void) { return "0.0.9+abc"; }', REAL)
        self.assert_refused(path, "0.0.9+abc", hedge.__version__)

    def test_other_structs(self):
        five = "{ (void)a; (void)b; (void)c; (void)d; (void)e; return -3; }"
        any_ = "const void *a, const void *b, const void *c, int64_t d, void *e"
        cases = {
            "hedge_decision": f"int32_t hedge_size({any_}) {five}",
            "hedge_size_in": "int32_t hedge_size_n(void *a, void *b, size_t n, void *c)"
                             "{ (void)a; (void)b; (void)c; (void)n; return -3; }",
            "hedge_piece": "int32_t hedge_curve_piece(void *a, size_t i, void *b)"
                           "{ (void)a; (void)b; (void)i; return -3; }",
            "hedge_rules": "int32_t hedge_policy_rules(void *a, int32_t i, void *b)"
                           "{ (void)a; (void)b; (void)i; return -3; }",
            "hedge_certificate":
                "int32_t hedge_curve_certify(void *a, void *b, void *c, void *d)"
                "{ (void)a; (void)b; (void)c; (void)d; return -3; }",
        }
        for name, source in cases.items():
            with self.subTest(name):
                self.assert_refused(self.shim(source, REAL), name, "struct_size",
                                    named=os.path.dirname(REAL))

    def test_a_missing_function(self):
        libc_only = self.shim('const char *hedge_version(void) { return "0.1.0"; }\n'
                              "uint32_t hedge_abi_version(void) { return 0; }")
        self.assert_refused(libc_only, "has no function hedge_status_name")

    def test_what_is_no_library(self):
        self.assert_refused(os.path.join(self.folder.name, "none.so"), "HEDGE_LIBRARY")
        text = os.path.join(self.folder.name, "text.so")
        with open(text, "w", encoding="ascii") as file:
            file.write("not a library")
        self.assert_refused(text, "HEDGE_LIBRARY")
        fifo = os.path.join(self.folder.name, "fifo.so")
        os.mkfifo(fifo)  # to open it is to wait for ever
        for path in (fifo, self.folder.name, "/dev/null"):
            self.assert_refused(path, "no regular file", "HEDGE_LIBRARY")

    def test_a_fault_of_a_curve_is_raised(self):
        path = self.shim(
            "struct c { uint32_t n; int32_t fault; uint64_t tried; double s[2], h[2]; };\n"
            "static int calls;\n"
            "int32_t hedge_curve_certify(void *a, void *b, void *c, struct c *out)\n"
            "{ (void)a; (void)b; (void)c; if (calls++ == 0) return -13;\n"
            "  out->fault = 3; out->tried = 5; out->s[0] = 0.25; out->s[1] = 0.5;\n"
            "  out->h[0] = 0.5; out->h[1] = 0.25; return -12; }", REAL)
        code, out, errors = runner.python(
            "import hedge\n"
            "try: hedge.Curve([0, 1], [0, 1]).certify()\n"
            "except hedge.CertificateError as e: print(e.certificate, e.code, e.name)",
            HEDGE_LIBRARY=path)
        want = hedge.Certificate("falls", 5, (0.25, 0.5), (0.5, 0.25))
        self.assertEqual((code, out.strip()), (0, f"{want} -12 not_certified"), errors)


class Finding(unittest.TestCase):
    def package(self, folder, library=None):
        """A copy of the package, as if it were installed."""
        here = os.path.dirname(hedge.__file__)
        there = os.path.join(folder, "hedge")
        shutil.copytree(here, there, ignore=shutil.ignore_patterns("__pycache__", "libhedge*"))
        with open(os.path.join(there, "VERSION"), "w", encoding="ascii") as file:
            file.write(hedge.__version__)
        if library:
            shutil.copyfile(library, os.path.join(there, "libhedge.so.0"))
        return there

    def test_the_variable_then_the_package_then_the_system(self):
        with tempfile.TemporaryDirectory() as folder:
            there = self.package(folder, REAL)
            inside = os.path.join(there, "libhedge.so.0")
            elsewhere = os.path.join(folder, "mine.so")
            shutil.copyfile(REAL, elsewhere)
            for variable, want in ((elsewhere, elsewhere), ("", inside)):
                code, out, errors = runner.python(SHOW, PYTHONPATH=folder, HEDGE_LIBRARY=variable)
                self.assertEqual((code, out.splitlines()[:1]), (0, [want]), errors)
            os.remove(inside)
            system = os.path.join(folder, "lib")
            os.mkdir(system)
            shutil.copyfile(REAL, os.path.join(system, "libhedge.so.0"))
            code, out, errors = runner.python(SHOW, PYTHONPATH=folder, HEDGE_LIBRARY="",
                                              LD_LIBRARY_PATH=system)
            self.assertEqual((code, out.splitlines()[:1]),
                             (0, [os.path.join(system, "libhedge.so.0")]), errors)

    def test_a_relative_path_is_meant_from_here(self):
        code, out, errors = runner.python(
            "import os; os.chdir(os.path.dirname(os.environ['WHERE'])); " + SHOW,
            HEDGE_LIBRARY=os.path.basename(REAL), WHERE=REAL)
        self.assertEqual((code, out.splitlines()[:1]), (0, [REAL]), errors)

    def test_without_any(self):
        with tempfile.TemporaryDirectory() as folder:
            self.package(folder)
            code, _, errors = runner.python("import hedge", PYTHONPATH=folder, HEDGE_LIBRARY="",
                                            LD_LIBRARY_PATH="")
            if code == 0:
                self.skipTest("the system has a libhedge")
            self.assertIn("ImportError: hedge: cannot load libhedge.so.0", errors)
            self.assertIn("HEDGE_LIBRARY", errors)


@unittest.skipUnless(compiler(), "no C compiler")
class Layout(unittest.TestCase):
    """What the header says, by compiling it."""

    def ask(self, expressions):
        lines = "".join(f'printf("%lld\\n", (long long)({e}));\n' for e in expressions)
        with tempfile.TemporaryDirectory() as folder:
            source, program = os.path.join(folder, "ask.c"), os.path.join(folder, "ask")
            with open(source, "w", encoding="ascii") as file:
                file.write("#include <hedge/hedge.h>\n#include <stdio.h>\n"
                           f"int main(void) {{\n{lines}return 0; }}\n")
            subprocess.run([compiler(), "-I", os.path.join(runner.ROOT, "include"), source,
                            "-o", program], check=True)
            out = subprocess.run([program], capture_output=True, text=True, check=True).stdout
        return [int(line) for line in out.split()]

    def test_structs(self):
        asked = {}
        for name, kind in {**layout.STRUCTS, "hedge_limit": layout.Limit}.items():
            asked[f"sizeof({name})"] = ctypes.sizeof(kind)
            for field in kind._fields_:
                descriptor = getattr(kind, field[0])
                asked[f"offsetof({name}, {field[0]})"] = descriptor.offset
                asked[f"sizeof((({name} *)0)->{field[0]})"] = descriptor.size
        self.assertEqual(dict(zip(asked, self.ask(asked))), asked)
        self.assertGreater(len(asked), 150)

    def test_numbers(self):
        asked = {"HEDGE_ABI_VERSION": 0, "HEDGE_BREAKER_COUNT": layout.BREAKER_COUNT,
                 "HEDGE_REQUEST_OVERRIDE": status.REQUEST_OVERRIDE,
                 "HEDGE_QUOTE_SCORE": status.QUOTE_SCORE,
                 "HEDGE_QUOTE_PREVIOUS": status.QUOTE_PREVIOUS,
                 "HEDGE_QUOTE_DEPTH": status.QUOTE_DEPTH, "HEDGE_QUOTE_HALTED": status.QUOTE_HALTED,
                 "HEDGE_OK": status.OK, "HEDGE_E_ARG": status.E_ARG,
                 "HEDGE_E_NOMEM": status.E_NOMEM, "HEDGE_E_CURVE": status.E_CURVE,
                 "HEDGE_KNOTS_MAX": curve.KNOTS_MAX, "HEDGE_E_NOT_FOUND": status.E_NOT_FOUND,
                 "HEDGE_E_CERTIFY": status.E_CERTIFY, "HEDGE_E_STOPPED": status.E_STOPPED,
                 "HEDGE_E_STRUCT_SIZE": STRUCT_SIZE}
        for prefix, names in (("METHOD", curve.METHODS), ("WEIGHT", rules.WEIGHTS),
                              ("BLEND", rules.BLENDS), ("FRESHNESS", rules.FRESHNESSES),
                              ("ACTION", rules.ACTIONS),
                              ("CERTIFY", hedge.certificate.FAULTS)):
            asked.update({f"HEDGE_{prefix}_{n.upper()}": i for i, n in enumerate(names)})
        for name, bit in status.FLAGS.items():
            macro = f"HEDGE_MARK_{name.upper()}" if bit >= 29 \
                else f"HEDGE_FLAG(HEDGE_TRIP_{name.upper()})"
            asked[macro] = 1 << bit
        self.assertEqual(dict(zip(asked, self.ask(asked))), asked)

    def test_the_version_is_the_headers(self):
        want = self.ask(f"HEDGE_VERSION_{part}" for part in ("MAJOR", "MINOR", "PATCH"))
        self.assertEqual(hedge.__version__, ".".join(map(str, want)))

    def test_names(self):
        self.assertEqual(hedge.status_name(-113), "min_confidence")
        for code in (1, -99, 1 << 32, -(1 << 40), (1 << 32) - 100):
            self.assertEqual(hedge.status_name(code), "unknown")
        self.assertEqual(hedge.flag_names(1 << 31 | 1 << 12), ("extreme_score", "capped"))
        self.assertEqual(hedge.flag_names(1 << 20), ("bit20",))


if __name__ == "__main__":
    runner.main()
