#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Changes a copy of hedge.h in every way that matters, and asks abi.py what it says.

    refuses_breaks.py HEADER"""
import contextlib
import io
import sys
import tempfile
from pathlib import Path

import abi

# Name, what is replaced, by what, and the fact that the message must name.
BREAKS = [
    ("members change places",
     [("int32_t line; ", "int32_t swap; "), ("int32_t index; ", "int32_t line; "),
      ("int32_t swap; ", "int32_t index; ")], "member hedge_error.line"),
    ("a member goes from the end", [("double b, c, d;", "double b, c;")], "member hedge_piece.d"),
    ("a member comes in between",
     [("int64_t score_ts_ns;\n    double depth1pct_usd;",
       "int64_t score_ts_ns;\n    double spread;\n    double depth1pct_usd;")],
     "member hedge_quote.depth1pct_usd"),
    ("a member takes the place of another", [("uint32_t reserved;\n} hedge_request",
                                              "uint32_t urgency;\n} hedge_request")],
     "member hedge_request.urgency"),
    ("a member's type changes, its size not", [("int64_t score_age_ns;", "double score_age_ns;")],
     "member hedge_decision.score_age_ns"),
    ("an unsigned member becomes signed", [("uint64_t tried;", "int64_t tried;")],
     "member hedge_certificate.tried"),
    ("a pointer's target changes",
     [("const uint32_t *quote_flags;", "const uint64_t *quote_flags;")],
     "member hedge_size_in.quote_flags"),
    ("an array shrinks", [("char message[256];", "char message[128];")],
     "member hedge_error.message"),
    ("an array grows and moves others", [("char field[96];", "char field[128];")],
     "member hedge_error.message"),
    ("a struct inside another one grows",
     [("uint32_t reserved;\n} hedge_request",
       "uint32_t reserved;\n    double limit;\n} hedge_request")],
     "member hedge_record.quote"),
    ("a status code changes", [("HEDGE_E_IO = -4", "HEDGE_E_IO = -40")], "value HEDGE_E_IO"),
    ("a status code is renamed", [("HEDGE_E_IO = -4", "HEDGE_E_FILE = -4")], "value HEDGE_E_IO"),
    ("an enumerator goes", [("HEDGE_BLEND_PRODUCT = 3", "")], "value HEDGE_BLEND_PRODUCT"),
    ("a number changes", [("#define HEDGE_RECORD_MAX 1024", "#define HEDGE_RECORD_MAX 2048")],
     "value HEDGE_RECORD_MAX"),
    ("a fraction changes", [("HEDGE_KNOT_GAP_MIN 1e-6", "HEDGE_KNOT_GAP_MIN 1e-7")],
     "value HEDGE_KNOT_GAP_MIN"),
    ("a bit moves", [("#define HEDGE_MARK_FLOOR (UINT32_C(1) << 30)",
                      "#define HEDGE_MARK_FLOOR (UINT32_C(1) << 28)")], "value HEDGE_MARK_FLOOR"),
    ("the breakers' bits move", [("(UINT32_C(1) << HEDGE_BREAKER(trip))",
                                  "(UINT32_C(2) << HEDGE_BREAKER(trip))")],
     "value HEDGE_FLAG(HEDGE_TRIP_HALTED)"),
    ("a function goes", [("HEDGE_API void hedge_curve_free(hedge_curve *curve);", "")],
     "function hedge_curve_free"),
    ("a result's type changes", [("HEDGE_API size_t hedge_curve_knot_count",
                                  "HEDGE_API int32_t hedge_curve_knot_count")],
     "function hedge_curve_knot_count"),
    ("a parameter's type changes", [("hedge_curve_piece(const hedge_curve *curve, size_t i,",
                                     "hedge_curve_piece(const hedge_curve *curve, uint32_t i,")],
     "function hedge_curve_piece"),
    ("a parameter comes in",
     [("hedge_curve_slope(const hedge_curve *curve, double score)",
       "hedge_curve_slope(const hedge_curve *curve, double score, int32_t side)")],
     "function hedge_curve_slope"),
    ("parameters change places",
     [("put_depth(hedge_market *market, int32_t slot, double depth1pct_usd,",
       "put_depth(hedge_market *market, double depth1pct_usd, int32_t slot,")],
     "function hedge_market_put_depth"),
    ("a callback changes",
     [("hedge_progress(void *context, double done)", "hedge_progress(void *context, float done)")],
     "callback hedge_progress"),
]
ADDITIONS = [
    ("a function", [("HEDGE_API void hedge_curve_free(",
                     "HEDGE_API double hedge_curve_mean(const hedge_curve *curve);\n"
                     "HEDGE_API void hedge_curve_free(")], "function hedge_curve_mean"),
    ("a member at the end", [("double b, c, d;", "double b, c, d;\n    double secant;")],
     "member hedge_piece.secant"),
    ("a struct",
     [("typedef struct hedge_market hedge_market;",
       "typedef struct hedge_market hedge_market;\n"
       "typedef struct hedge_book {\n    uint32_t struct_size, levels;\n} hedge_book;")],
     "struct hedge_book"),
    ("an enumerator", [("HEDGE_WEIGHT_LOG = 1", "HEDGE_WEIGHT_LOG = 1, HEDGE_WEIGHT_NONE = 2")],
     "value HEDGE_WEIGHT_NONE"),
    ("a number",
     [("#define HEDGE_RECORD_MAX", "#define HEDGE_NAME_MAX 64\n#define HEDGE_RECORD_MAX")],
     "value HEDGE_NAME_MAX"),
]
# What must be noticed although there is nothing to compare it with.
UNSOUND = [
    ("a type that we do not know how to read",
     [("typedef struct hedge_market hedge_market;",
       "typedef struct hedge_market hedge_market;\n"
       "typedef union hedge_any { int32_t i; } hedge_any;")], "types counted"),
    ("a struct with a hole",
     [("int64_t score_ts_ns;\n    double depth1pct_usd;",
       "int32_t score_ts_ns;\n    double depth1pct_usd;")], "belongs to no member"),
]
# What no program notices.
HARMLESS = [
    ("a parameter is renamed", [("hedge_curve_slope(const hedge_curve *curve, double score)",
                                 "hedge_curve_slope(const hedge_curve *it, double at)")]),
    ("comments and blanks change", [("/* a quote from the future */", "/* HEDGE_NOT */")]),
    ("a release", [("#define HEDGE_VERSION_MINOR 1", "#define HEDGE_VERSION_MINOR 2")]),
]

failed = []


def expect(fine, what, said=""):
    if not fine:
        failed.append(what)
    print(("ok      " if fine else "FAILED  ") + what + ("" if fine else f": {said}"))


def facts_of(text, folder):
    """The facts of a header's text, under a library that exports what it declares."""
    path = Path(folder) / "hedge.h"
    path.write_text(text)
    header = abi.Header(path)
    return abi.describe(header, dict.fromkeys(header.functions, "HEDGE_0"))


def mutated(text, edits):
    for before, after in edits:
        assert before in text, f"the header has no {before!r} any more"
        text = text.replace(before, after, 1)
    return text


def updated(old, new, folder):
    """(whether --update took it, what is on file then)."""
    path = Path(folder) / "abi.txt"
    abi.write(path, old)
    with contextlib.redirect_stdout(io.StringIO()):
        taken = abi.update(path, abi.read(path), new)
    return taken, abi.read(path)


def try_break(name, edits, fact, text, old, folder):
    new = facts_of(mutated(text, edits), folder)
    breaks, _ = abi.compare(old, new)
    expect(any(line.startswith(fact + " ") for line in breaks), f"break: {name}", breaks)
    expect(updated(old, new, folder) == (False, old), f"    and is not recorded: {name}")
    new["value HEDGE_ABI_VERSION"] = "1"
    expect(updated(old, new, folder) == (True, new), f"    but under a new ABI it is: {name}")


def try_addition(name, edits, fact, text, old, folder):
    new = facts_of(mutated(text, edits), folder)
    breaks, additions = abi.compare(old, new)
    expect(not breaks and any(line.startswith(fact + " is new") for line in additions),
           f"addition: {name}", breaks + additions)
    with contextlib.redirect_stdout(io.StringIO()) as said:
        fine = abi.report(old, new)
    expect(not fine and "run abi.py --update and commit" in said.getvalue(),
           f"    and asks to be recorded: {name}", said.getvalue())
    expect(updated(old, new, folder) == (True, new), f"    and can be: {name}")


def try_unsound(name, act, message):
    try:
        act()
    except abi.Broken as fault:
        expect(message in str(fault), f"unsound: {name}", fault)
        return
    expect(False, f"unsound: {name}", "went through")


def main():
    text = Path(sys.argv[1]).read_text()
    with tempfile.TemporaryDirectory() as folder:
        old = facts_of(text, folder)
        header = abi.Header(Path(folder) / "hedge.h")
        for case in BREAKS:
            try_break(*case, text, old, folder)
        for case in ADDITIONS:
            try_addition(*case, text, old, folder)
        for name, edits in HARMLESS:
            new = facts_of(mutated(text, edits), folder)
            expect(abi.compare(old, new) == ([], []), f"harmless: {name}", abi.compare(old, new))
        for name, edits, message in UNSOUND:
            try_unsound(name, lambda e=edits: facts_of(mutated(text, e), folder), message)
        facts_of(text, folder) # puts the header back
        symbols = dict.fromkeys(header.functions, "HEDGE_0")
        try_unsound("a function is not exported",
                    lambda: abi.describe(header, {k: v for k, v in symbols.items()
                                                  if k != "hedge_size"}),
                    "hedge_size is declared, but not exported")
        try_unsound("a stranger is exported",
                    lambda: abi.describe(header, {**symbols, "yaml_parse": "HEDGE_0"}),
                    "yaml_parse is exported, but not declared")
        moved = abi.describe(header, {**symbols, "hedge_size": "HEDGE_1"})
        expect(len(abi.compare(old, moved)[0]) == 1, "break: a symbol's version changes")
    print(f"{len(failed)} failed" if failed else "all as they should be")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
