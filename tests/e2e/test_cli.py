# SPDX-License-Identifier: MIT
"""The command-line tool `hedge`: each command's answers, refusals, help and exit codes.

`hedge verify` has a file of its own.
"""
import os
import pty
import re
import shutil
import signal
import subprocess
import textwrap
import time
import unittest
import xml.etree.ElementTree as ElementTree

from cli import BAD_DATA, CLI, Case, FINE, LINE, POLICY, ROOT, TRIP, USAGE, hedge, strict_json

COMMANDS = ("eval", "size", "check", "plot", "verify")
SVG = "{http://www.w3.org/2000/svg}"
TWO_CURVES = """\
curve: {method: linear, knots: [[0, 0], [1, 1]]}
assets: {BTC: {}, ETH: {curve: {method: steffen, knots: [[0, 0.1], [0.5, 0.2], [1, 0.9]]}}}
"""


WRONG = """
#include <stdlib.h>
#include <hedge/hedge.h>

int32_t hedge_curve_certify(const hedge_curve *curve, hedge_progress *progress, void *context,
                            hedge_certificate *out)
{
    const double at = atof(getenv("WRONG_AT")) / 1073741824.0;
    const double to = atof(getenv("WRONG_TO"));

    for (int i = 0; i < 100; i++)
        if (progress != NULL && progress(context, i / 100.0) != 0) return HEDGE_E_STOPPED;
    out->fault = atoi(getenv("WRONG_FAULT"));
    out->score[0] = at, out->score[1] = at + 0x1p-30;
    out->hedge[0] = hedge_curve_eval(curve, at), out->hedge[1] = to;
    return HEDGE_E_CERTIFY;
}
"""


class Program(Case):
    def test_help_begins_with_an_example(self):
        for words in ([], *([c] for c in COMMANDS)):
            out = self.run_ok(*words, "--help")
            lines = out.splitlines()
            self.assertEqual(lines[0], "Example:", words)
            self.assertRegex(lines[1], r"^  hedge \w+", words)
            self.assertIn("Exit codes:", out, words)
            self.assertLessEqual(max(map(len, lines)), 90, words)

    def test_help_names_every_command_and_option(self):
        out = self.run_ok("--help")
        for command in COMMANDS:
            self.assertRegex(out, rf"(?m)^  {command} +\w")
        for command, options in {"eval": "policy asset inverse slope keep-going json format column "
                                         "header answer-only prefix on-error chunk-header threads",
                                 "size": "policy asset amount score confidence depth override "
                                         "previous-score age-ms depth-age-ms json format columns "
                                         "answers now-ns header answer-only prefix on-error "
                                         "chunk-header threads",
                                 "check": "quick threads json",
                                 "plot": "policy asset svg width height ascii",
                                 "verify": "head json"}.items():
            out = self.run_ok(command, "--help")
            for option in options.split():
                self.assertRegex(out, rf"(?m)^  --{option}\b", command)

    def test_version(self):
        self.assertRegex(self.run_ok("--version"), r"^hedge \d+\.\d+\.\d+\+\S+\n$")

    def test_no_command_is_wrong_usage(self):
        self.refused(USAGE, "Usage: hedge COMMAND")

    def test_a_mistyped_command_is_suggested(self):
        self.refused(USAGE, "unknown command 'vrify'; did you mean 'verify'", "vrify")
        self.refused(USAGE, "unknown command 'siez'; did you mean 'size'", "siez")
        self.refused(USAGE, "unknown option '--verison'; did you mean '--version'", "--verison")
        code, _, err = hedge("frobnicate")
        self.assertEqual(code, USAGE)
        self.assertNotIn("did you mean", err)

    def test_a_mistyped_option_is_suggested(self):
        for command, given, meant in (("eval", "--invrese", "inverse"),
                                      ("size", "--amuont", "amount"),
                                      ("check", "--thread", "threads"),
                                      ("plot", "--heigth", "height"),
                                      ("verify", "--haed", "head"), ("eval", "-json", "json")):
            self.refused(USAGE, f"unknown option '{given}'; did you mean '--{meant}'", command,
                         given)

    def test_options_are_read_strictly(self):
        self.refused(USAGE, "--asset is given twice", "eval", "--asset", "BTC", "--asset", "ETH")
        self.refused(USAGE, "--asset needs a value", "eval", "--asset")
        self.refused(USAGE, "--asset needs a value", "eval", "--asset", "--json")
        self.refused(USAGE, "--json takes no value", "eval", "--json=1")
        for command in ("size", "plot"):
            self.refused(USAGE, "unexpected argument 'more'", command, "more")
        self.refused(USAGE, "unexpected argument 'b'", "check", "a", "b")
        self.assertEqual(self.run_ok("eval", "--asset=ETH", "--", "-1"), "0.05\n")

    def test_a_full_disk_is_not_success(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        with open("/dev/full", "w") as full:
            done = subprocess.run([CLI, "--help"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, USAGE)
        self.assertIn("cannot write", done.stderr)


class Policy(Case):
    """Which policy is used."""

    def test_the_order_of_places(self):
        one = self.file("one.yaml", "[{score: 0, hedge: 0.25}, {score: 1, hedge: 0.25}]")
        two = self.file("two.yaml", "[{score: 0, hedge: 0.5}, {score: 1, hedge: 0.5}]")
        self.assertEqual(self.run_ok("eval", "1"), "1\n")
        self.assertEqual(self.run_ok("eval", "1", HEDGE_POLICY=one), "0.25\n")
        self.assertEqual(self.run_ok("eval", "--policy", two, "1", HEDGE_POLICY=one), "0.5\n")

    def test_none_is_found(self):
        self.refused(USAGE, r"(?s)configs/policy\.yaml.*HEDGE_POLICY", "eval", "1",
                     folder=self.folder)
        self.refused(USAGE, r"\$HEDGE_POLICY: /no/where does not exist", "eval", "1",
                     HEDGE_POLICY="/no/where")
        self.refused(USAGE, "/no/such does not exist", "eval", "--policy", "/no/such", "1")

    def test_a_bad_one_names_its_line(self):
        bad = self.file("bad.yaml", "curve: {method: pchip,\n  knots: [[0, 0.5], [1, 0.4]]}\n")
        for command in (("eval", "1", "--policy", bad), ("plot", "--policy", bad), ("check", bad),
                        ("size", "--policy", bad, "--asset", "BTC", "--amount", "1", "--score", "1",
                         "--depth", "1")):
            self.refused(BAD_DATA, rf"^{re.escape(bad)}:2: \S+: \S", *command)

    def test_assets_with_different_curves_must_be_chosen(self):
        path = self.file("two.yaml", TWO_CURVES)
        self.refused(USAGE, "BTC and ETH have different curves", "eval", "--policy", path, "0.5")
        self.assertEqual(self.run_ok("eval", "--policy", path, "--asset", "ETH", "0.5"), "0.2\n")
        self.refused(USAGE, "no asset 'ETX'; did you mean 'ETH'", "eval", "--policy", path,
                     "--asset", "ETX", "0.5")


class Eval(Case):
    def test_knots_are_exact(self):
        self.assertEqual(self.run_ok("eval", "0", "0.3", "0.7", "1"), "0.05\n0.25\n0.75\n1\n")

    def test_scores_outside_and_not_a_number(self):
        self.assertEqual(self.run_ok("eval", "-7", "1e9", "inf", "-inf", "nan"),
                         "0.05\n1\n1\n0.05\nnan\n")

    def test_numbers_read_back_and_are_short(self):
        scores = [i / 997 for i in range(998)]
        lines = self.run_ok("eval", *map(repr, scores)).split()
        values = [v["hedge"] for v in strict_json(
            self.run_ok("eval", "--json", *map(repr, scores)))["points"]]
        self.assertEqual([float(line) for line in lines], values)
        self.assertEqual(values, sorted(values))
        for line, value in zip(lines, values):
            self.assertEqual(line, min((f"%.{n}g" % value for n in (15, 16, 17)
                                        if float(f"%.{n}g" % value) == value), key=len))

    def test_a_stream_equals_arguments(self):
        scores = [repr(i / 20000) for i in range(20001)]
        out = self.run_ok("eval", stdin="\n".join(scores))
        self.assertEqual(len(out.splitlines()), 20001)
        self.assertEqual(out.splitlines()[::500], self.run_ok("eval", *scores[::500]).splitlines())
        self.assertEqual(self.run_ok("eval", stdin=" 0.3\r\n0.7\t\n"), "0.25\n0.75\n")
        self.assertEqual(self.run_ok("eval", stdin=""), "")

    def test_a_stream_answers_without_waiting_for_its_end(self):
        with subprocess.Popen([CLI, "eval", "--policy", POLICY], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as p:
            for score, expected in ((b"0.3\n", b"0.25\n"), (b"0.7\n", b"0.75\n")):
                p.stdin.write(score)
                p.stdin.flush()
                self.assertEqual(p.stdout.readline(), expected)
            p.stdin.close()
            self.assertEqual(p.wait(10), FINE)

    def test_a_line_that_is_no_number(self):
        for bad in ("foo", "", "0.5 0.6", "0.5x", "1e999", "0,5", "0.5\0"):
            out = self.refused(BAD_DATA, "line 2: '.*' is not a number", "eval",
                               stdin=f"0.3\n{bad}\n0.7\n")
            self.assertEqual(out, "0.25\n", repr(bad))
            self.assertEqual(self.refused(BAD_DATA, "line 2", "eval", "--json",
                                          stdin=f"0.3\n{bad}\n0.7\n"), "")
        out = self.refused(BAD_DATA, "(?s)line 1:.*line 3:", "eval", "--keep-going",
                           stdin="a\n0.3\nb\n0.7")
        self.assertEqual(out, "nan\n0.25\nnan\n0.75\n")
        self.refused(USAGE, "'foo' is not a number", "eval", "0.5", "foo")
        self.refused(USAGE, "cannot read standard input", "eval", stdin="1" * 70000)

    def test_inverse(self):
        hedges = ["0.05", "0.25", "0.5", "0.750001", "1"]
        scores = [float(s) for s in self.run_ok("eval", "--inverse", *hedges).split()]
        step = 2.0 ** -30
        for hedge_text, score in zip(hedges, scores):
            at, below = map(float, self.run_ok("eval", repr(score), repr(score - step)).split())
            self.assertGreaterEqual(at, float(hedge_text))
            if score > 0:
                self.assertLess(below, float(hedge_text))
        self.assertEqual(self.run_ok("eval", "--inverse", "1.5", "nan"), "nan\nnan\n")

    def test_slope(self):
        path = self.file("line.yaml", "[{score: 0, hedge: 0}, {score: 0.5, hedge: 1}]")
        out = self.run_ok("eval", "--policy", path, "--slope", "0.25", "0.75")
        rows = [[float(x) for x in line.split("\t")] for line in out.splitlines()]
        self.assertEqual([r[0] for r in rows], [0.5, 1])
        self.assertAlmostEqual(rows[0][1], 2)
        self.assertEqual(rows[1][1], 0)

    def test_json(self):
        answer = strict_json(self.run_ok("eval", "--json", "--slope", "--asset", "LTC", "0.3",
                                         "nan"))
        self.assertEqual((answer["asset"], answer["method"]), ("LTC", "pchip"))
        self.assertRegex(answer["policy"], r"^[0-9a-f]{64}$")
        self.assertEqual(answer["points"][0]["hedge"], 0.25)
        self.assertGreater(answer["points"][0]["slope"], 0)
        self.assertEqual(answer["points"][1], {"score": None, "hedge": None, "slope": None})


class Size(Case):
    GOOD = ("size", "--asset", "BTC", "--amount", "250000", "--score", "0.62", "--confidence",
            "0.9", "--depth", "78034.12")

    def replaced(self, **changes):
        """GOOD with options changed, added, or (None) left out."""
        options = dict(zip((w[2:] for w in self.GOOD[1::2]), self.GOOD[2::2]))
        options.update({name.replace("_", "-"): value for name, value in changes.items()})
        return ["size", *(f"--{name}={value}" for name, value in options.items()
                          if value is not None)]

    def test_the_steps(self):
        answer = strict_json(self.run_ok(*self.GOOD, "--json"))
        weight = 78034.12 / (78034.12 + 500000)
        self.assertAlmostEqual(answer["liquidity_weight"], weight, places=15)
        self.assertEqual(answer["effective_score"], 0.62 * answer["liquidity_weight"])
        curve = float(self.run_ok("eval", repr(answer["effective_score"])))
        self.assertEqual(answer["hedge_pct"], curve)
        self.assertEqual(answer["notional_usd"], 250000 * curve)
        self.assertAlmostEqual(answer["confidence"], weight, places=15)
        self.assertEqual((answer["status"], answer["code"], answer["flags"]), ("ok", 0, []))
        self.assertLess(abs(answer["ts_ms"] / 1000 - time.time()), 60)

    def test_text(self):
        out = self.run_ok(*self.GOOD)
        for step in ("score", "liquidity weight", "effective score", "hedge", "notional",
                     "confidence", "flags", "policy", "version"):
            self.assertRegex(out, rf"(?m)^  {step}  +\S")
        self.assertRegex(out, r"^BTC: hedge 9\.17 %")

    def test_trips(self):
        for name, changes in {
                "unknown_asset": {"asset": "DOGE"}, "bad_amount": {"amount": "-1"},
                "max_amount": {"amount": "1e12"}, "bad_quote": {"score": "nan"},
                "min_depth": {"depth": "9999"}, "stale_score": {"age_ms": "3001"},
                "stale_depth": {"depth_age_ms": "5001"}, "clock_skew": {"age_ms": "-251"},
                "bad_override": {"override": "1.5"}}.items():
            arguments = self.replaced(**changes)
            out = self.refused(TRIP, rf"^hedge size: {name}: \w", *arguments)
            self.assertEqual(out, "", name)
            code, out, err = hedge(*arguments, "--json")
            answer = strict_json(out)
            self.assertEqual((code, err, answer["status"]), (TRIP, "", name))
            self.assertLess(answer["code"], -99)
            self.assertEqual((answer["hedge_pct"], answer["notional_usd"]), (0, 0))
        for value in ("nan", "inf", "-inf"):
            for option in ("score", "amount", "depth", "confidence"):
                code, out, _ = hedge(*self.replaced(**{option: value}), "--json")
                self.assertEqual(code, TRIP, (option, value))
                strict_json(out)

    def test_flags_and_marks(self):
        answer = strict_json(self.run_ok(*self.replaced(score="0.95"), "--json"))
        self.assertEqual(answer["flags"], ["extreme_score"])
        answer = strict_json(self.run_ok(*self.replaced(score=None, override="0.5"), "--json"))
        self.assertEqual((answer["flags"], answer["score"]), (["override"], 0.5))
        path = self.file("cap.yaml", LINE + "max_hedge_pct: 0.01\nlimits: {stale_depth_ms: "
                         "{limit: 1000, action: floor, floor: 0.005}}\nassets: {BTC: {}}\n")
        answer = strict_json(self.run_ok(*self.replaced(policy=path), "--json"))
        self.assertEqual((answer["flags"], answer["hedge_pct"]), (["capped"], 0.01))
        arguments = self.replaced(policy=path, depth_age_ms="2000")
        answer = strict_json(self.run_ok(*arguments, "--json"))
        self.assertEqual((answer["flags"], answer["hedge_pct"]), (["stale_depth", "floor"], 0.005))
        self.assertRegex(self.run_ok(*arguments), r"hedge +0\.005  \(a declared floor\)")

    def test_a_jump_needs_the_previous_score(self):
        path = self.file("jump.yaml", LINE + "limits: {max_score_jump: 0.2}\nassets: {BTC: {}}\n")
        self.run_ok(*self.replaced(policy=path))
        self.run_ok(*self.replaced(policy=path, previous_score="0.5"))
        self.refused(TRIP, "score_jump", *self.replaced(policy=path, previous_score="0.1"))

    def test_wrong_usage(self):
        for option in ("asset", "amount", "score", "depth"):
            self.refused(USAGE, f"--{option} is missing", *self.replaced(**{option: None}))
        for option in ("amount", "score", "depth", "confidence", "override", "previous_score",
                       "age_ms", "depth_age_ms"):
            for value in ("", "x", "1 ", " 1", "1,5", "1e999"):
                self.refused(USAGE, "is not a number", *self.replaced(**{option: value}))
        self.refused(USAGE, "milliseconds", *self.replaced(age_ms="nan"))
        self.refused(USAGE, "milliseconds", *self.replaced(age_ms="1e13"))


class Check(Case):
    def test_the_shipped_policy_is_without_warnings(self):
        out = self.run_ok("check", "--quick")
        self.assertRegex(out, r"^configs/policy\.yaml: valid\n")
        self.assertNotIn("warning", out)
        self.assertIn("--quick", out.splitlines()[-1])
        self.assertNotIn("\ncertified", out)
        for text in ("BTC, ETH, LTC, XRP", "pchip, 4 knots", "curve_knots.yaml"):
            self.assertIn(text, out)
        self.assertRegex(out, r"extreme_score +0\.1 to 0\.9 +flag")

    def test_every_score_is_tried(self):
        answer = strict_json(self.run_ok("check", "--json", POLICY))
        self.assertIs(answer["ok"], True)
        curve, = answer["curves"]
        self.assertIs(curve["certified"], True)
        self.assertEqual(curve["scores"], 2**30 + 1)
        self.assertEqual([a["asset"] for a in answer["assets"]], ["BTC", "ETH", "LTC", "XRP"])

    def test_each_distinct_curve_is_certified_once(self):
        path = self.file("two.yaml", TWO_CURVES.replace("}}}", "}}, LTC: {max_hedge_pct: 0.5}}"))
        out = self.run_ok("check", path, "--threads", "2")
        self.assertEqual(re.findall(r"(?m)^certified: (\w+): all 1,073,741,825 scores", out),
                         ["BTC", "ETH"])

    def test_a_curve_that_breaks_its_promise_is_found(self):
        """A library that finds a fault is put before the real one."""
        with open(CLI, "rb") as f:
            sanitized = re.search(rb"__[at]san_init", f.read())
        if sanitized or not shutil.which("cc"):
            self.skipTest("needs cc and a build without sanitizers")
        source = self.file("wrong.c", WRONG)
        library = os.path.join(self.folder, "wrong.so")
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-I", os.path.join(ROOT, "include"),
                        source, "-o", library], check=True)
        for number, fault, words in ((1, "not_exact_at_knot", r"the hedge at the knot \S+ is \S+"),
                                     (2, "outside", r"the hedge \S+ at score \S+ is outside"),
                                     (3, "decreases", r"the hedge falls from \S+ at score \S+ to"),
                                     (4, "jumps", r"the hedge jumps from \S+ at score \S+ to"),
                                     (5, "differs_in_batch", r"the hedge at score \S+ is \S+ alone")):
            wrong = {"LD_PRELOAD": library, "WRONG_AT": "500000000", "WRONG_TO": "0.3",
                     "WRONG_FAULT": str(number)}
            code, out, _ = hedge("check", "--json", POLICY, **wrong)
            answer = strict_json(out)
            curve, = answer["curves"]
            self.assertEqual((code, answer["ok"], curve["certified"]), (BAD_DATA, False, False))
            self.assertEqual((curve["fault"], curve["score"], curve["other_hedge"]),
                             (fault, 500000000 / 2**30, 0.3))
            self.refused(BAD_DATA, "^not certified: BTC: " + words, "check", POLICY, **wrong)

    def test_ctrl_c_stops_it(self):
        path = self.file("many.yaml", LINE + "assets:\n" + "".join(
            f"  A{i}: {{curve: {{method: linear, knots: [[0, 0], [1, 0.{i}]]}}}}\n"
            for i in range(1, 100)))
        with subprocess.Popen([CLI, "check", path, "--threads", "2"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as p:
            self.assertIn(b"valid", p.stdout.readline())
            time.sleep(0.2)
            p.send_signal(signal.SIGINT)
            self.assertEqual(p.wait(60), -signal.SIGINT)
            self.assertNotIn(b"certified", p.stdout.read())

    def test_warnings(self):
        path = self.file("odd.yaml", textwrap.dedent("""\
            curve: {method: steffen, knots: [[0.1, 0.05], [0.3, 0.1], [0.31, 0.6], [0.8, 0.9]]}
            max_hedge_pct: 0.7
            limits:
              stale_score_ms: {limit: 90000, action: flag}
              stale_depth_ms: {limit: 3000, action: floor, floor: 0.8}
              extreme_score: {below: 0, above: 1}
              min_depth_usd: 0
            assets: {BTC: {}, ETH: {max_hedge_pct: 1}}
            """))
        out = self.run_ok("check", "--quick", path)
        for words in ("first knot is at score 0.1", "last knot is at score 0.8",
                      "max_hedge_pct: cuts the curve", "steep: from score 0.3 to 0.31",
                      "extreme_score: switched off", "stale_score_ms: a score may be 90 s old",
                      "stale_score_ms: flag", "stale_depth_ms: its floor 0.8 is above",
                      "min_depth_usd: 0"):
            self.assertEqual(len(re.findall(rf"(?m)^warning: .*{re.escape(words)}", out)), 1, words)
        self.assertRegex(out, r"steep.*\(BTC, ETH\)")
        self.assertRegex(out, r"above max_hedge_pct.*\(BTC\)")
        answer = strict_json(self.run_ok("check", "--quick", "--json", path))
        self.assertEqual(len(answer["warnings"]), out.count("warning:"))

    def test_faults(self):
        for content, words in (("curve: {method: cubic}\n", r":1: \S*method"),
                               ("limits:\n  stale_score_msec: 5\n", r":2: \S*stale_score_msec"),
                               ("assets: {BTC: {}\n", r":\d+: ")):
            path = self.file("bad.yaml", content)
            self.refused(BAD_DATA, re.escape(path) + words, "check", path)
            code, out, err = hedge("check", "--json", path)
            answer = strict_json(out)
            self.assertEqual((code, err, answer["ok"]), (BAD_DATA, "", False))
            self.assertEqual(answer["error"]["file"], path)
            self.assertGreater(answer["error"]["line"], 0)
        self.refused(USAGE, "does not exist", "check", "/no/such")
        self.refused(USAGE, "no policy: /dev/null is not a regular file", "check", "/dev/null")
        self.refused(USAGE, "Is a directory", "check", self.folder)
        self.refused(USAGE, re.escape(self.folder), "check", self.folder)
        for threads in ("0", "257", "x", "-1", "1.5"):
            self.refused(USAGE, "--threads", "check", "--threads", threads)


class Plot(Case):
    def test_braille(self):
        out = self.run_ok("plot")
        self.assertRegex(out, r"^BTC hedge, pchip through 4 knots, policy [0-9a-f]{12}\n")
        self.assertTrue(any("\u2800" <= c <= "\u28ff" for c in out))
        self.assertEqual(out.count("\u25cf"), 4 + 1, "four knots and the legend's")
        self.assertNotIn("\033", out, "no colour in a pipe")
        for label in ("100 %", "50 %", "  0 %", "0.25", "effective score"):
            self.assertIn(label, out)
        self.assertTrue(all(line == line.rstrip() for line in out.splitlines()))

    def test_ascii(self):
        for out in (self.run_ok("plot", "--ascii"), self.run_ok("plot", LC_ALL="C")):
            self.assertTrue(out.isascii())
            self.assertIn("*", out)
            self.assertRegex(out, r"(?m)^o knot")

    def test_size(self):
        for width, height in ((20, 5), (64, 9), (500, 200)):
            lines = self.run_ok("plot", "--width", width, "--height", height).splitlines()
            self.assertEqual(len(lines), height + 6)
            self.assertLessEqual(max(map(len, lines[3:])), width)
        for option, value in (("--width", "19"), ("--width", "x"), ("--height", "0"),
                              ("--height", "9999")):
            self.refused(USAGE, option, "plot", option, value)

    def on_terminal(self, **variables):
        reader, writer = pty.openpty()
        with subprocess.Popen([CLI, "plot", "--policy", POLICY, "--height", "6"], stdout=writer,
                              env={"LC_ALL": "C.UTF-8", "TERM": "xterm", **variables}) as p:
            os.close(writer)
            out = b""
            try:
                while part := os.read(reader, 65536):
                    out += part
            except OSError:
                pass  # how a pseudo-terminal says that it is closed
            self.assertEqual(p.wait(10), FINE)
        os.close(reader)
        return out.decode()

    def test_colour_on_a_terminal_alone(self):
        self.assertIn("\033[", self.on_terminal())
        self.assertNotIn("\033", self.on_terminal(NO_COLOR="1"))
        self.assertNotIn("\033", self.on_terminal(TERM="dumb"))

    def test_svg(self):
        path = os.path.join(self.folder, "curve.svg")
        self.assertEqual(self.run_ok("plot", "--asset", "ETH", "--svg", path), "")
        root = ElementTree.parse(path).getroot()
        self.assertEqual((root.tag, root.get("width"), root.get("height")),
                         (SVG + "svg", "800", "500"))
        self.assertEqual(len(root.findall(f".//{SVG}circle")), 4)
        policy = strict_json(self.run_ok("check", "--quick", "--json"))["policy"]
        title = root.find(f"{SVG}title").text
        for word in ("ETH", "pchip", policy[:12]):
            self.assertIn(word, title)
        labels = [e.text for e in root.iter(f"{SVG}text")]
        for label in ("effective score", "0.5", "50\u00a0%"):
            self.assertIn(label, labels)
        tags = {e.tag.replace(SVG, "") for e in root.iter()}
        self.assertLessEqual(tags, {"svg", "title", "desc", "style", "rect", "text", "path",
                                    "circle"})
        self.assertIn("prefers-color-scheme:dark", root.find(f"{SVG}style").text)

    def test_svg_cap_and_size(self):
        path = self.file("cap.yaml", LINE + "max_hedge_pct: 0.6\nassets: {BTC: {}}\n")
        out = self.run_ok("plot", "--policy", path, "--svg", "-", "--width", "400",
                          "--height", "300")
        root = ElementTree.fromstring(out)
        self.assertEqual(root.get("viewBox"), "0 0 400 300")
        self.assertIn("max_hedge_pct 0.6", [e.text for e in root.iter(f"{SVG}text")])
        self.assertIn("max_hedge_pct 0.6", self.run_ok("plot", "--policy", path))

    def test_svg_faults(self):
        self.refused(USAGE, "cannot write", "plot", "--svg", "/no/such/folder/x.svg")
        self.refused(USAGE, "--width", "plot", "--svg", "x.svg", "--width", "100")


# ---- journals, made from docs/journal.md ---------------------------------


if __name__ == "__main__":
    unittest.main()
