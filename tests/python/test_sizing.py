# SPDX-License-Identifier: MIT
"""size_many over columns: each row as hedge_size decides it, to the last bit."""
import ctypes
import os
import time
import unittest

import numpy as np

import hedge
import runner
from hedge import layout
from hedge.library import lib

NOW = 1_700_000_000_000_000_000
LIMITS = """
curve: {method: steffen, knots: [[0, 0.05], [0.3, 0.25], [0.7, 0.75], [1, 1]]}
max_hedge_pct: 0.8
confidence: {blend: harmonic, freshness: linear}
limits:
  max_score_jump: {limit: 0.4, action: flag}
  min_depth_usd: {limit: 20000, action: floor, floor: 0.3}
  no_quote: {action: floor, floor: 0.2}
  min_confidence: 0.0001
assets: {BTC: {}, ETH: {max_hedge_pct: 0.5}, XRP: {limits: {stale_score_ms: 1000}}}
"""
NAMES = np.array(["BTC", "ETH", "XRP", "DOGE"])


def draw(n, seed):
    """Columns in which every kind of row happens."""
    rng = np.random.default_rng(seed)

    def some(share, values, others):
        return np.where(rng.random(n) < share, others, values)
    return {
        "asset": NAMES[rng.choice(4, n, p=[0.4, 0.3, 0.25, 0.05])],
        "amount_usd": some(0.05, rng.uniform(0, 1e6, n), rng.choice([-1.0, np.nan, 2e9, 0.0], n)),
        "score": some(0.05, rng.random(n), rng.choice([np.nan, 1.5, -0.1, 1.0], n)),
        "confidence": some(0.05, rng.random(n), np.nan),
        "previous_score": some(0.5, rng.random(n), np.nan),
        "depth1pct_usd": some(0.1, rng.uniform(0, 1e6, n), rng.choice([np.nan, 100.0], n)),
        "override_score": some(0.8, rng.uniform(0, 1.1, n), np.nan),
        "halted": rng.random(n) < 0.02,
        "score_ts": NOW - rng.integers(-10 ** 9, 4 * 10 ** 9, n),
        "depth_ts": NOW - rng.integers(0, 6 * 10 ** 9, n),
        "now": NOW + rng.integers(0, 10 ** 9, n),
    }


def by_hand(policy, columns, i):
    """hedge_size itself on row i, without any of the package's code for columns."""
    def at(name, default=None):
        if name not in columns:
            return default
        return np.asarray(columns[name]).reshape(-1)[i].item()

    def given(name):
        value = at(name)
        return value is not None and value == value
    request, quote = layout.new(layout.Request), layout.new(layout.Quote)
    out = layout.new(layout.Decision)
    names = policy.assets
    request.asset = names.index(at("asset")) if at("asset") in names else -1
    request.amount_usd = at("amount_usd")
    if given("override_score"):
        request.override_score, request.flags = at("override_score"), 1
    now = at("now")
    quote.confidence = at("confidence", 1.0)
    quote.score_ts_ns, quote.depth_ts_ns = at("score_ts", now), at("depth_ts", now)
    if "score" in columns:
        quote.score, quote.flags = at("score"), quote.flags | 1
    if given("previous_score"):
        quote.previous_score, quote.flags = at("previous_score"), quote.flags | 2
    if "depth1pct_usd" in columns:
        quote.depth1pct_usd, quote.flags = at("depth1pct_usd"), quote.flags | 4
    quote.flags |= 8 if at("halted") else 0
    lib.hedge_size(policy._handle, ctypes.byref(request), ctypes.byref(quote), now,
                   ctypes.byref(out))
    return out


class Rows(unittest.TestCase):
    def setUp(self):
        self.policy = hedge.Policy.parse(LIMITS)

    def assert_rows(self, got, columns, rows):
        for i in rows:
            want = by_hand(self.policy, columns, i)
            row = got.structured.reshape(-1)[i]
            for name in row.dtype.names:
                exact = getattr(want, "status" if name == "code" else name)
                self.assertEqual(np.asarray(exact, row.dtype[name]).tobytes(),
                                 row[name].tobytes(), f"row {i}: {name}")

    def test_every_row_is_hedge_size(self):
        seed = int(os.environ.get("HEDGE_TEST_SEED", "11"))
        columns = draw(4000, seed)
        got = self.policy.size_many(**columns)
        self.assert_rows(got, columns, range(0, 4000, 3))
        statuses = set(got.status.tolist())
        self.assertGreaterEqual(len(statuses), 8, f"seed {seed}: {statuses}")
        self.assertTrue(got.flag("floor").any() and got.flag("override").any())
        self.assertTrue((got.ok == (got.status == "ok")).all())
        self.assertTrue((got.hedge_pct[~got.ok] == 0).all())

    def test_every_row_is_policy_size(self):
        columns = draw(300, 12)
        got = self.policy.size_many(**columns)
        for i in range(300):
            row = {name: column[i].item() for name, column in columns.items()}
            one = self.policy.size(row.pop("asset"), row.pop("amount_usd"), **row)
            self.assertEqual(
                (one.code, one.flags, one.hedge_pct, one.notional_usd, one.confidence, one.score,
                 one.effective_score, one.score_age_ns, one.depth_age_ns),
                (got.code[i], hedge.flag_names(int(got.flags[i])), got.hedge_pct[i],
                 got.notional_usd[i], got.confidence[i], got.score[i], got.effective_score[i],
                 got.score_age_ns[i], got.depth_age_ns[i]))

    def test_columns_that_are_absent(self):
        full = draw(500, 13)
        for left_out in (["override_score"], ["previous_score", "halted"], ["confidence"],
                         ["score"], ["depth1pct_usd"], ["score_ts", "depth_ts"],
                         ["score", "previous_score", "depth1pct_usd", "override_score", "halted"]):
            columns = {k: v for k, v in full.items() if k not in left_out}
            self.assert_rows(self.policy.size_many(**columns), columns, range(500))

    def test_broadcast(self):
        amounts, scores = np.array([[1.0], [250.0], [1e6]]), np.linspace(0.1, 0.9, 5)
        got = self.policy.size_many(asset="BTC", amount_usd=amounts, score=scores,
                                    depth1pct_usd=1e6, now=NOW)
        self.assertEqual(got.shape, (3, 5))
        wide = np.broadcast_arrays(amounts, scores)
        columns = {"asset": np.full((3, 5), "BTC"), "amount_usd": wide[0], "score": wide[1],
                   "depth1pct_usd": np.full((3, 5), 1e6), "now": np.full((3, 5), NOW)}
        self.assert_rows(got, columns, range(15))
        one = self.policy.size_many(asset="BTC", amount_usd=1.0, score=0.5, depth1pct_usd=1e6)
        self.assertEqual((one.shape, bool(one.ok)), ((), True))
        self.assertEqual((one.status.shape, one.status.item()), ((), "ok"))
        self.assertEqual(got.status.tolist(), [["ok"] * 5] * 3)
        none = self.policy.size_many(asset=[], amount_usd=[])
        self.assertEqual((len(none), none.status.shape), (0, (0,)))
        with self.assertRaises(ValueError):
            self.policy.size_many(asset="BTC", amount_usd=[1.0, 2.0], score=[0.1, 0.2, 0.3])

    def test_strides_and_byte_orders(self):
        columns = draw(200, 14)
        want = self.policy.size_many(**columns).structured.tobytes()
        odd = {}
        for name, column in columns.items():
            if column.dtype.kind == "f":
                column = np.repeat(column, 2).astype(">f8")[::2]
            elif column.dtype.kind == "i":
                column = column.astype(">i8")
            elif column.dtype.kind == "U":
                column = column.astype(object)
            odd[name] = column[::-1].copy()[::-1]
        self.assertEqual(self.policy.size_many(**odd).structured.tobytes(), want)

    def test_a_halt_of_one_row(self):
        got = self.policy.size_many(asset="BTC", amount_usd=1.0, score=0.5, depth1pct_usd=1e6,
                                    halted=[False, True])
        self.assertEqual(got.status.tolist(), ["ok", "halted"])

    def test_a_halt_by_numpy(self):
        row = dict(score=0.5, depth1pct_usd=1e6)
        for halted in (np.bool_(True), np.array([True])[0]):
            self.assertEqual(self.policy.size("BTC", 1.0, halted=halted, **row).status, "halted")
        self.assertTrue(self.policy.size("BTC", 1.0, halted=np.bool_(False), **row).ok)
        for halted in (1, np.int64(1), "yes", None, np.array([True])):
            with self.assertRaises(TypeError, msg=repr(halted)):
                self.policy.size("BTC", 1.0, halted=halted, **row)

    def test_integers_too_large(self):
        for large in (10 ** 30, -10 ** 30, 2 ** 64, 10 ** 5000, [1, 10 ** 30]):
            with self.assertRaisesRegex(TypeError, "amount_usd has an integer too large"):
                self.policy.size_many(asset="BTC", amount_usd=large)
        self.assertEqual(self.policy.size("BTC", 2 ** 64 - 1).amount_usd, 2.0 ** 64)

    def test_names_as_numpy_strings(self):
        if not hasattr(getattr(np, "dtypes", None), "StringDType"):
            self.skipTest("NumPy before 2.0")
        names = np.array(["BTC", "ETH", "DOGE"], np.dtypes.StringDType())
        got = self.policy.size_many(asset=names, amount_usd=1.0, score=0.5, depth1pct_usd=1e6)
        self.assertEqual(got.status.tolist(), ["ok", "ok", "unknown_asset"])
        names = np.array(["BTC", None], np.dtypes.StringDType(na_object=None))
        with self.assertRaisesRegex(TypeError, r"asset\[1\] must be a name, not NoneType"):
            self.policy.size_many(asset=names, amount_usd=1.0)

    def test_missing_times(self):
        stale = self.policy.size_many(asset="BTC", amount_usd=1.0, score=0.5, depth1pct_usd=1e6,
                                      score_ts=np.array(["NaT"], "M8[ns]"))
        self.assertEqual(stale.status.tolist(), ["stale_score"])
        with self.assertRaisesRegex(ValueError, "now"):
            self.policy.size_many(asset="BTC", amount_usd=1.0, score=0.5, depth1pct_usd=1e6,
                                  now=np.array(["2024-01-01", "NaT"], "M8[ns]"))

    def test_now_is_the_clock_read_once(self):
        before = time.time_ns()
        got = self.policy.size_many(asset="BTC", amount_usd=np.ones(1000), score=0.5,
                                    depth1pct_usd=1e6, score_ts=before)
        ages = np.unique(got.score_age_ns)
        self.assertEqual(len(ages), 1)
        self.assertTrue(0 <= ages[0] <= time.time_ns() - before)

    def test_wrong_types(self):
        good = {"asset": "BTC", "amount_usd": 1.0}
        for name, bad in (("asset", 0), ("asset", [0]), ("asset", ["BTC", None]),
                          ("asset", [b"BTC"]), ("amount_usd", "1"), ("amount_usd", [None]),
                          ("score", 1j), ("score", np.ma.masked_array([0.5], [True])),
                          ("halted", 1), ("halted", "no"), ("now", 1.5), ("now", "2024"),
                          ("score_ts", [1.5]), ("depth_ts", True), ("score", [True])):
            with self.assertRaises(TypeError, msg=f"{name}={bad!r}"):
                self.policy.size_many(**{**good, name: bad})
        for columns in ({}, {"asset": "BTC"}, {"amount_usd": 1.0}):
            with self.assertRaisesRegex(TypeError, "needs"):
                self.policy.size_many(**columns)
        with self.assertRaises(TypeError):
            self.policy.size_many([1, 2, 3])
        with self.assertRaises(ValueError):
            self.policy.size_many(**good).flag("floors")


if __name__ == "__main__":
    runner.main()
