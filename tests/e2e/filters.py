# SPDX-License-Identifier: MIT
"""Runs `hedge eval` and `hedge size` as filters, and says what they have to answer.

The oracle asks the library through ctypes for one answer at a time, and writes numbers by Python's
own shortest digits.
"""
import ctypes
import os
import random
import subprocess
import threading
import time

from cli import CLI, Case, FINE, LIBRARY, POLICY

SEED = int(os.environ.get("HEDGE_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
OK, NOT_FOUND = 0, -9
DEADLINE = 60  # seconds that an answer may take on a busy machine


# ---- the library, one call a row ------------------------------------------

class Request(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("asset", ctypes.c_int32),
                ("amount_usd", ctypes.c_double), ("override_score", ctypes.c_double),
                ("flags", ctypes.c_uint32), ("reserved", ctypes.c_uint32)]


class Quote(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("flags", ctypes.c_uint32),
                ("score", ctypes.c_double), ("previous_score", ctypes.c_double),
                ("confidence", ctypes.c_double), ("score_ts_ns", ctypes.c_int64),
                ("depth1pct_usd", ctypes.c_double), ("depth_ts_ns", ctypes.c_int64)]


class Decision(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("status", ctypes.c_int32),
                ("flags", ctypes.c_uint32), ("asset", ctypes.c_int32),
                ("hedge_pct", ctypes.c_double), ("notional_usd", ctypes.c_double),
                ("confidence", ctypes.c_double), ("score", ctypes.c_double),
                ("liquidity_weight", ctypes.c_double), ("effective_score", ctypes.c_double),
                ("liquidity_quality", ctypes.c_double), ("score_age_ns", ctypes.c_int64),
                ("depth_age_ns", ctypes.c_int64), ("ts_ns", ctypes.c_int64)]


class Oracle:
    def __init__(self):
        self.lib = lib = ctypes.CDLL(LIBRARY)
        self.policy = ctypes.c_void_p()
        lib.hedge_policy_curve.restype = ctypes.c_void_p
        lib.hedge_curve_eval.restype = lib.hedge_curve_slope.restype = ctypes.c_double
        lib.hedge_curve_inverse.restype = ctypes.c_double
        lib.hedge_status_name.restype = lib.hedge_flag_name.restype = ctypes.c_char_p
        if lib.hedge_policy_load(POLICY.encode(), None, ctypes.byref(self.policy)) != OK:
            raise RuntimeError("the policy does not load")
        self.curve = ctypes.c_void_p(lib.hedge_policy_curve(self.policy, 0))

    def eval(self, score):
        return self.lib.hedge_curve_eval(self.curve, ctypes.c_double(score))

    def slope(self, score):
        return self.lib.hedge_curve_slope(self.curve, ctypes.c_double(score))

    def inverse(self, hedge):
        return self.lib.hedge_curve_inverse(self.curve, ctypes.c_double(hedge))

    def size(self, row, now=0):
        """The decision on a dict of columns; None stands for an empty field."""
        now = row.get("now_ns", now)
        request = Request(ctypes.sizeof(Request))
        quote = Quote(ctypes.sizeof(Quote), confidence=1.0, score_ts_ns=now, depth_ts_ns=now)
        decision = Decision(ctypes.sizeof(Decision))
        request.asset = self.lib.hedge_policy_asset(self.policy, row["asset"].encode())
        request.amount_usd = row["amount_usd"]
        if row.get("override_score") is not None:
            request.flags, request.override_score = 1, row["override_score"]
        if row.get("score") is not None:
            quote.flags |= 1
            quote.score = row["score"]
            quote.confidence = row.get("confidence", 1.0)
            quote.score_ts_ns = row.get("score_ts_ns", now)
        if row.get("previous_score") is not None:
            quote.flags |= 2
            quote.previous_score = row["previous_score"]
        if row.get("depth1pct_usd") is not None:
            quote.flags |= 4
            quote.depth1pct_usd = row["depth1pct_usd"]
            quote.depth_ts_ns = row.get("depth_ts_ns", now)
        if row.get("halted"):
            quote.flags |= 8
        code = self.lib.hedge_size(self.policy, ctypes.byref(request), ctypes.byref(quote),
                                   ctypes.c_int64(now), ctypes.byref(decision))
        flags = [self.lib.hedge_flag_name(bit).decode() for bit in range(32)
                 if decision.flags >> bit & 1]
        return {"hedge_pct": decision.hedge_pct, "notional_usd": decision.notional_usd,
                "hedge_confidence": decision.confidence,
                "status": self.lib.hedge_status_name(code).decode(), "flags": flags,
                "status_code": code, "flag_bits": decision.flags, "score_used": decision.score,
                "liquidity_weight": decision.liquidity_weight,
                "effective_score": decision.effective_score,
                "liquidity_quality": decision.liquidity_quality,
                "score_age_ns": decision.score_age_ns, "depth_age_ns": decision.depth_age_ns}


def text(number):
    """Shortest digits, laid out as %g does."""
    if number != number:
        return "nan"
    if number in (float("inf"), float("-inf")):
        return repr(number)
    mantissa, exponent = f"{number!r}", 0
    sign = "-" if mantissa.startswith("-") else ""
    mantissa = mantissa.lstrip("-")
    if "e" in mantissa:
        mantissa, e = mantissa.split("e")
        exponent = int(e)
    whole, _, part = mantissa.partition(".")
    exponent += len(whole) - 1
    digits = whole + part
    exponent -= len(digits) - len(digits.lstrip("0"))
    digits = digits.strip("0")
    if not digits:
        return sign + "0"
    if -4 <= exponent < max(15, len(digits)):
        if exponent < 0:
            return sign + "0." + "0" * (-exponent - 1) + digits
        digits = digits.ljust(exponent + 1, "0")
        rest = digits[exponent + 1:]
        return sign + digits[:exponent + 1] + ("." + rest if rest else "")
    return (sign + digits[0] + ("." + digits[1:] if digits[1:] else "") +
            f"e{'-' if exponent < 0 else '+'}{abs(exponent):02d}")


# ---- running ----------------------------------------------------------------

def start(*arguments, **more):
    return subprocess.Popen([CLI, *map(str, arguments), "--policy", POLICY],
                            stdin=subprocess.PIPE, stdout=more.pop("stdout", subprocess.PIPE),
                            stderr=subprocess.PIPE, **more)


def run(*arguments, data=b""):
    """(exit code, stdout, stderr as text)."""
    p = start(*arguments)
    out, err = p.communicate(data, DEADLINE)
    return p.returncode, out, err.decode()


def run_in_pieces(rng, arguments, data):
    """The same, written in pieces of random sizes, some of them after a pause."""
    p = start(*arguments)
    got = []
    readers = [threading.Thread(target=lambda f=f: got.append((f, f.read())))
               for f in (p.stdout, p.stderr)]
    for reader in readers:
        reader.start()
    most = rng.choice((1, 7, 300, 5000, 200000))
    at = pauses = 0
    while at < len(data):
        n = rng.randint(1, most)
        try:
            p.stdin.write(data[at:at + n])
            p.stdin.flush()
        except BrokenPipeError:
            break
        at += n
        if most == 1 and at > 2000:
            most = 5000
        if pauses < 20 and rng.random() < 0.2:
            pauses += 1
            time.sleep(0.002)
    try:
        p.stdin.close()
    except BrokenPipeError:
        pass
    for reader in readers:
        reader.join()
    code = p.wait(DEADLINE)
    results = dict(got)
    out, err = results[p.stdout], results[p.stderr].decode()
    p.stdout.close()
    p.stderr.close()
    return code, out, err


def line_soon(p):
    """One line of output from a filter whose input stays open."""
    lines = []
    reader = threading.Thread(target=lambda: lines.append(p.stdout.readline()), daemon=True)
    reader.start()
    reader.join(DEADLINE)
    if not lines:
        p.kill()
        raise AssertionError("no answer while the input is open")
    return lines[0]


class Streams(Case):
    @classmethod
    def setUpClass(cls):
        cls.oracle = Oracle()

    def setUp(self):
        super().setUp()
        self.rng = random.Random(SEED)

    def same(self, arguments, data, expected, code=FINE, words=""):
        """Whatever the threads and the pieces, these bytes come out."""
        ways = [(1, None), (2, None), (8, None)] + [(self.rng.randint(1, 8), True)
                                                     for _ in range(3)]
        for threads, pieces in ways:
            args = [*arguments, "--threads", threads]
            got = (run_in_pieces(self.rng, args, data) if pieces else run(*args, data=data))
            note = f"seed {SEED}, {args}, pieces {pieces}: {got[2]}"
            if got[1] != expected:
                at = next((i for i, (a, b) in enumerate(zip(got[1], expected)) if a != b),
                          min(len(got[1]), len(expected)))
                self.fail(f"{note}: {len(got[1])} bytes for {len(expected)}, differ at {at}: "
                          f"{got[1][max(0, at - 60):at + 60]!r} for "
                          f"{expected[max(0, at - 60):at + 60]!r}")
            self.assertEqual(got[0], code, note)
            if words:
                self.assertRegex(got[2], words, note)
            else:
                self.assertEqual(got[2], "", note)

    def score(self):
        rng = self.rng
        return rng.choice((rng.random(), rng.random(), rng.uniform(-1, 2), rng.random() * 1e-7,
                           0.3, 0.7, -0.0, 5e-324, 1e308, float("inf"), float("nan"),
                           rng.randint(0, 1)))

    def note(self, hostile):
        return "".join(self.rng.choice(hostile) for _ in range(self.rng.randint(0, 12)))
