# SPDX-License-Identifier: MIT
"""Misuse: each case in an interpreter of its own, which must end with a Python exception."""
import unittest
from concurrent.futures import ThreadPoolExecutor

import runner

BEGIN = f"""
import copy, ctypes, pickle, sys, threading
import numpy as np
import hedge
from hedge.handle import Handle
curve = hedge.Curve({runner.SCORES}, {runner.HEDGES})
policy = hedge.Policy.load({runner.POLICY!r})
x = np.linspace(0.0, 1.0, 1000)
class Forgetful(hedge.Curve):
    def __init__(self): pass
class Careless(hedge.Policy):
    def __init__(self): pass
"""

# code: the exception's name that must stand at the end of the traceback, or its whole line
CASES = {
    "curve.close(); curve(0.5)": "ClosedError",
    "curve.close(); curve(x, out=x)": "ClosedError",
    "policy.close(); policy.size('BTC', 1.0)": "ClosedError",
    "hedge.Curve.__new__(hedge.Curve)(0.5)": "ClosedError",
    "hedge.Curve.__new__(hedge.Curve).knots": "ClosedError",
    "hedge.Curve.__new__(hedge.Curve).hash": "ClosedError",
    "hedge.Curve.__new__(hedge.Curve).certify()": "ClosedError",
    "pickle.dumps(hedge.Curve.__new__(hedge.Curve))": "ClosedError",
    "hedge.Policy.__new__(hedge.Policy).curve('BTC')": "ClosedError",
    "hedge.Policy.__new__(hedge.Policy).text": "ClosedError",
    "Forgetful()(x)": "ClosedError",
    "Forgetful().sensitivity(x)": "ClosedError",
    "copy.copy(Forgetful())": "ClosedError",
    "Careless().size_many(asset='BTC', amount_usd=x)": "ClosedError",
    "curve.__init__([1, 0], [0, 1])": "CurveError",
    "hedge.Curve(x * np.nan, x)": "CurveError",
    "hedge.Curve(np.zeros(0), np.zeros(0))": "CurveError",
    "hedge.Curve(np.broadcast_to(0.5, 1 << 30), np.broadcast_to(0.5, 1 << 30)[:3])": "ValueError",
    "hedge.Curve(np.broadcast_to(0.5, 1 << 40), np.broadcast_to(0.5, 1 << 40))": "CurveError",
    "hedge.Curve(range(0, 1), [None])": "TypeError",
    "curve(np.array([1j]))": "TypeError",
    "curve(np.array([object()]))": "TypeError",
    "curve(np.array(['a']))": "TypeError",
    "curve(np.zeros(3, 'V8'))": "TypeError",
    "curve(curve)": "TypeError",
    "curve()": "TypeError",
    "curve(x, out=b'12345678')": "TypeError",
    "curve(x, out=np.zeros(999))": "ValueError",
    "curve(x, out=np.zeros(1000, '>f8'))": "TypeError",
    "curve(x, out=np.broadcast_to(0.0, 1000))": "ValueError",
    "curve(np.broadcast_to(0.5, (1 << 44,)))": "MemoryError",
    "curve.sensitivity(np.broadcast_to(0.5, (1 << 44,)))": "MemoryError",
    "policy.size_many(asset='BTC', amount_usd=np.broadcast_to(0.5, (1 << 44,)))": "MemoryError",
    "policy.size_many(asset='BTC', amount_usd=np.zeros((1 << 22, 1)), "
    "score=np.zeros((1, 1 << 22)))": "MemoryError",
    "a = []; a.append(a); curve(a)": "ValueError",
    "policy.size('BTC', 10 ** 400)":
        "TypeError: amount_usd has an integer too large for 64 bits; give a float",
    "curve([0.5, -10 ** 30])": "TypeError: x has an integer too large for 64 bits; give a float",
    "policy.size('BTC', 1.0, now=1 << 64)": "OverflowError",
    "policy.size('BTC', 1.0, now=-(1 << 63))": "ValueError",
    "policy.rules('BTC' * (1 << 20))": "AssetError",
    "policy.curve(-1)": "TypeError",
    "hedge.Policy.parse('[' * 1000000)": "PolicyError",
    "hedge.Policy.parse(b'\\xff' * 10)": "PolicyError",
    "hedge.Policy.parse(b'')": "PolicyError",
    "hedge.Policy.parse('\\0' * 100)": "PolicyError",
    "hedge.Policy.parse('a' * (1 << 24))": "PolicyError",
    "hedge.Policy.load('/dev/zero')": "PolicyError",
    "hedge.Policy.load('/')": "PolicyError",
    "hedge.Policy.load('')": "PolicyError",
    "hedge.Policy.load('x' * 100000)": "PolicyError",
    "hedge.flag_names(-1)": "ValueError",
    "hedge.flag_names(1 << 40)": "ValueError",
    "hedge.flag_names(1 << 5000)": "ValueError",
    "hedge.status_name('ok')": "TypeError: code must be an integer, not str",
    "hedge.status_text(None)": "TypeError: code must be an integer, not NoneType",
    "hedge.flag_names(1.5)": "TypeError: flags must be an integer, not float",
    "pickle.dumps(curve._handle)": "TypeError",
    "Handle.__new__(Handle)._as_parameter_": "AttributeError",
    "curve.certify(progress=lambda share: 1 / 0)": "ZeroDivisionError",
    "curve.certify(progress=sys.exit)": "SystemExit",
    "curve.knots[0][:] = 7; curve.pieces[0].b = 1": "AttributeError",
    "policy.rules('BTC').limits['stale_score'].limit = 0": "FrozenInstanceError",
    # From within a call: the object closed by the very progress it tells.
    "curve.certify(progress=lambda share: curve.close() or share < 1 or curve(0.5))": "ClosedError",
    # A knot list that shrinks while it is read.
    "class L(list):\n"
    "    def __getitem__(self, i): self.clear(); return 0.5\n"
    "    def __len__(self): return 5\n"
    "hedge.Curve(L([0.1] * 5), x[:5])": "Error",
    # Subclasses that lie about how much memory is theirs.
    "class B(bytes):\n"
    "    def __len__(self): return 1 << 40\n"
    "hedge.Policy.parse(B(b'a: ['))": "PolicyError",
    "class S(str):\n"
    "    def encode(self, *a): return None\n"
    "hedge.Policy.parse(S('a: ['))": "PolicyError",
    "class O(np.ndarray):\n"
    "    shape = (1000,)\n"
    "    dtype = np.dtype(np.float64)\n"
    "curve(x, out=np.zeros(1).view(O))": "ValueError",
    "class A:\n"
    "    def __array__(self, *a, **k): raise RuntimeError('no')\n"
    "curve(A())": "RuntimeError",
    "class A:\n"
    "    def __array__(self, *a, **k): return 'not an array'\n"
    "curve(A())": "Error",
}

# What must go well, though it looks dangerous.
FINE = {
    "an array in which everything overlaps":
        "y = np.lib.stride_tricks.as_strided(x, (1000, 1000), (0, 8))\n"
        "assert (curve(y)[7] == curve(x)).all()\n",
    "one memory cell for a whole out":
        "cell = np.zeros(1); o = np.lib.stride_tricks.as_strided(cell, (1000,), (0,))\n"
        "curve(x, out=o); assert cell[0] == 1.0\n",
    "unaligned memory, in and out":
        "raw = np.frombuffer(bytearray(8 * 1000 + 1), np.uint8)[1:].view(np.float64)\n"
        "raw[:] = x; want = curve(x); curve(raw, out=raw); assert (raw == want).all()\n",
    "hash and equality of what never was":
        "a, b = Forgetful(), Forgetful(); assert a != b and a == a; hash(a); repr(a); {a: 1}[a]\n"
        "assert Careless() != Careless(); repr(Careless()); a.close()\n",
    "garbage cycles":
        "import gc\n"
        "for _ in range(1000):\n"
        "    c = copy.copy(curve); c.me = c\n"
        "    p = copy.copy(policy); p.c = p.curve('BTC'); p.me = p\n"
        "gc.collect()\n",
    "a second __init__ while others hold the first":
        "c = policy.curve('BTC'); c.__init__([0, 1], [0, 1]); assert c(0.5) == 0.5\n"
        "policy.close(); assert c(0.5) == 0.5\n",
    "NaN, infinities, subnormals, signed zeros":
        "y = np.array([np.nan, np.inf, -np.inf, 5e-324, -0.0, 1e308])\n"
        "assert curve(y)[1:].tolist() == [1.0, 0.05, 0.05, 0.05, 1.0] and np.isnan(curve(y)[0])\n"
        "curve.slope(y); curve.inverse(y); curve.sensitivity(y); curve.area(y, y[::-1])\n",
    "extremes of every time":
        "ends = np.array([-(1 << 63), -1, 0, 1, (1 << 63) - 1])\n"
        "d = policy.size_many(asset='BTC', amount_usd=1.0, score=0.5, depth1pct_usd=1e6,\n"
        "                     now=ends[1:, None, None], score_ts=ends[:, None], depth_ts=ends)\n"
        "assert d.shape == (4, 5, 5) and 0 < d.ok.sum() < d.ok.size\n",
}


class Misuse(unittest.TestCase):
    def run_all(self, codes):
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda code: runner.python(BEGIN + code), codes))

    def test_ends_with_an_exception(self):
        for (code, name), (status, _, errors) in zip(CASES.items(), self.run_all(CASES)):
            with self.subTest(code):
                if name == "SystemExit":
                    self.assertEqual((status, errors), (1, errors), errors)
                    continue
                self.assertEqual(status, 1, errors)
                last = next(line for line in reversed(errors.splitlines())
                            if line and not line.startswith(" "))
                if ": " in name:  # the message, too
                    self.assertEqual(last, name, errors)
                self.assertIn(name.split(":")[0], last.split(":")[0], errors)

    def test_goes_well(self):
        for (what, code), (status, _, errors) in zip(FINE.items(), self.run_all(FINE.values())):
            with self.subTest(what):
                self.assertEqual((status, errors), (0, ""))


if __name__ == "__main__":
    runner.main()
