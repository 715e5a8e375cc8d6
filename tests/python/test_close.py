# SPDX-License-Identifier: MIT
"""Closing under every attribute and method: the object lives until the call is back."""
import copy
import pickle
import unittest
from unittest import mock

import hedge
import runner
from hedge import certificate, curve, drawing, policy, sizing
from hedge.library import lib


def stop(share):
    if share < 1:
        raise InterruptedError


class Axes:
    """As much of Matplotlib's as Curve.plot asks for."""

    def __getattr__(self, _name):
        return lambda *_a, **_k: (self,)


ROW = dict(score=0.5, depth1pct_usd=1e6, now=10 ** 18)
# Every public name, and the others that call the library.
CURVE = {
    "__call__": lambda c: (c(0.5), c([0.1, 0.2])),
    "__copy__": copy.copy,
    "__enter__": lambda c: c.__enter__(),
    "__eq__": lambda c: c == copy.copy(c),
    "__hash__": hash,
    "__reduce__": pickle.dumps,
    "__repr__": repr,
    "_repr_svg_": lambda c: c._repr_svg_(),
    "area": lambda c: (c.area(0.1, 0.2), c.area(0.1, [0.2, 0.3])),
    "certify": lambda c: c.certify(stop),
    "close": lambda c: c.close(),
    "hash": lambda c: c.hash,
    "inverse": lambda c: (c.inverse(0.5), c.inverse([0.1, 0.2])),
    "knots": lambda c: c.knots,
    "method": lambda c: c.method,
    "pieces": lambda c: c.pieces,
    "plot": lambda c: c.plot(Axes()),
    "sensitivity": lambda c: c.sensitivity([0.1, 0.2]),
    "slope": lambda c: (c.slope(0.5), c.slope([0.1, 0.2])),
}
POLICY = {
    "__copy__": copy.copy,
    "__enter__": lambda p: p.__enter__(),
    "__eq__": lambda p: p == copy.copy(p),
    "__hash__": hash,
    "__reduce__": pickle.dumps,
    "__repr__": repr,
    "assets": lambda p: p.assets,
    "close": lambda p: p.close(),
    "curve": lambda p: p.curve("BTC")(0.5),
    "files": lambda p: p.files,
    "hash": lambda p: p.hash,
    "load": lambda p: p.load(runner.POLICY),
    "parse": lambda p: p.parse(p.text),
    "rules": lambda p: p.rules("BTC"),
    "size": lambda p: p.size("BTC", 1.0, **ROW),
    "size_many": lambda p: p.size_many(asset="BTC", amount_usd=[1.0, 2.0], **ROW),
    "text": lambda p: p.text,
}


class Closing:
    """The library, but the object is closed when the call has begun."""

    def __init__(self, target):
        self.target, self.calls, self.freed, self.early = target, 0, [], []
        handle = target._handle
        self.address, self.free = handle._as_parameter_, handle._free
        handle._free = self.freed.append

    def __getattr__(self, name):
        function = getattr(lib, name)
        if name.endswith(("_free", "_new", "_load", "_parse")):
            return function

        def call(*arguments):
            if self.address not in [getattr(a, "_as_parameter_", a) for a in arguments]:
                return function(*arguments)
            self.calls += 1
            before = len(self.freed)
            self.target.close()
            if len(self.freed) > before:
                self.early.append(name)
                raise hedge.ClosedError(f"freed under {name}")
            return function(*arguments)
        return call


class Close(unittest.TestCase):
    def check(self, make, uses):
        calls = 0
        for name, use in uses.items():
            with self.subTest(name):
                target = make()
                spy = Closing(target)
                with mock.patch.multiple(curve, lib=spy), mock.patch.multiple(policy, lib=spy), \
                        mock.patch.multiple(sizing, lib=spy), \
                        mock.patch.multiple(certificate, lib=spy):
                    try:
                        use(target)
                    except (hedge.ClosedError, InterruptedError):
                        pass
                self.assertEqual(spy.early, [])
                target.close()
                # Once, when nobody is inside any more.
                self.assertEqual(len(spy.freed), 1)
                spy.free(spy.freed[0])
                calls += spy.calls
        self.assertGreater(calls, 10)

    def test_under_every_use_of_a_curve(self):
        self.check(lambda: hedge.Curve(runner.SCORES, runner.HEDGES), CURVE)

    def test_under_every_use_of_a_policy(self):
        self.check(lambda: hedge.Policy.load(runner.POLICY), POLICY)

    def test_no_use_is_left_out(self):
        for kind, uses in ((hedge.Curve, CURVE), (hedge.Policy, POLICY)):
            public = {name for name in dir(kind) if not name.startswith("_")}
            self.assertEqual(public - set(uses), set())
        self.assertFalse(hasattr(drawing, "lib"))

    def test_threads_that_close_and_threads_that_use(self):
        """The same for real, in a process of its own: nothing but ClosedError comes of it."""
        code, out, errors = runner.python(RACE, runner.HERE)
        self.assertEqual((code, out, errors), (0, "done\n", ""))


RACE = """
import sys, threading, time
sys.path.insert(0, sys.argv[1])
import hedge, runner
from test_close import CURVE, POLICY
sys.setswitchinterval(1e-6)
faults = []
def use(box, call, done):
    while not done.is_set():
        try:
            call(box[0])
        except (hedge.ClosedError, InterruptedError):
            pass
        except BaseException as fault:
            faults.append(fault)
            raise
def race(make, uses, seconds):
    box, done = [make()], threading.Event()
    threads = [threading.Thread(target=use, args=(box, call, done)) for call in uses]
    for thread in threads: thread.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        old, box[0] = box[0], make()
        old.close()
        del old
        time.sleep(0)
    done.set()
    for thread in threads: thread.join()
curve = lambda: hedge.Curve(runner.SCORES, runner.HEDGES)
text = hedge.Policy.load(runner.POLICY).text
policy = lambda: hedge.Policy.parse(text)
for name, call in CURVE.items():
    race(curve, [call] * 2, 0.1)
for name, call in POLICY.items():
    race(policy, [call] * 2, 0.1)
race(curve, [call for name, call in CURVE.items() if name != 'certify'], 1.0)
race(policy, POLICY.values(), 1.0)
assert not faults, faults
print('done')
"""

if __name__ == "__main__":
    runner.main()
