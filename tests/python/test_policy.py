# SPDX-License-Identifier: MIT
"""Policy: reading one, what it says, one decision against the design's second computation."""
import copy
import os
import pickle
import random
import sys
import tempfile
import unittest

import hedge
import runner

sys.path.insert(0, os.path.join(runner.ROOT, "tests", "e2e"))
import oracle  # noqa: E402

NOW = 1_700_000_000_000_000_000


class Reading(unittest.TestCase):
    def test_the_default_policy(self):
        policy = hedge.Policy.load(runner.POLICY)
        self.assertEqual(policy.assets, ("BTC", "ETH", "LTC", "XRP"))
        self.assertEqual([os.path.basename(f) for f in policy.files],
                         ["policy.yaml", "curve_knots.yaml"])
        self.assertEqual(policy.curve("ETH"), hedge.Curve(runner.SCORES, runner.HEDGES))
        rules = policy.rules("BTC")
        self.assertEqual((rules.weight, rules.blend, rules.freshness), ("ratio", "min", "none"))
        self.assertEqual(rules.half_depth_usd, 500000.0)
        self.assertEqual(rules.limits["extreme_score"], hedge.Limit(0.1, 0.9, 0.0, "flag"))
        self.assertEqual(rules.limits["stale_score"].limit, 3000.0)
        self.assertEqual(list(rules.limits), list(oracle.BREAKERS))

    def test_the_text_stands_for_the_policy(self):
        policy = hedge.Policy.load(runner.POLICY)
        for again in (hedge.Policy.parse(policy.text), hedge.Policy.parse(policy.text.encode()),
                      pickle.loads(pickle.dumps(policy)), copy.copy(policy),
                      copy.deepcopy(policy)):
            self.assertEqual((again, again.text, again.files), (policy, policy.text, ()))
        import hashlib
        self.assertEqual(policy.hash, hashlib.sha256(policy.text.encode()).hexdigest())
        other = hedge.Policy.parse(oracle.text(oracle.policy(max_hedge_pct=0.5)))
        self.assertEqual(len({policy, other, copy.copy(policy)}), 2)

    def test_faults_say_where(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "bad.yaml")
            with open(path, "w", encoding="ascii") as file:
                file.write("curve: {knots: [[0, 0], [1, 1]]}\nassets:\n"
                           "  BTC: {limits: {stale_score_ms: -1}}\n")
            with self.assertRaises(hedge.PolicyError) as caught:
                hedge.Policy.load(path)
            fault = caught.exception
            self.assertIsInstance(fault, ValueError)
            self.assertEqual((fault.file, fault.line, fault.field, fault.code, fault.name),
                             (path, 3, "assets.BTC.limits.stale_score_ms", -6, "bad_policy"))
            self.assertIn("must be above 0", fault.message)
            for part in (f"{path}:3", fault.field, fault.message):
                self.assertIn(part, str(fault))
            self.assertEqual(pickle.loads(pickle.dumps(fault)).line, 3)
            with self.assertRaises(hedge.PolicyError) as caught:
                hedge.Policy.load(os.path.join(folder, "nowhere.yaml"))
            self.assertEqual((caught.exception.name, caught.exception.line), ("io_error", 0))
        with self.assertRaises(hedge.PolicyError) as caught:
            hedge.Policy.parse("a: [")
        self.assertEqual(caught.exception.name, "bad_syntax")

    def test_wrong_types(self):
        for call, bad, error in ((hedge.Policy.load, 3, TypeError),
                                 (hedge.Policy.load, "a\0b", ValueError),
                                 (hedge.Policy.parse, None, TypeError),
                                 (hedge.Policy.parse, bytearray(b"x"), TypeError),
                                 (hedge.Policy.parse, "\ud800", ValueError)):
            with self.assertRaises(error):
                call(bad)
        with self.assertRaisesRegex(TypeError, "Policy.load"):
            hedge.Policy()

    def test_unknown_assets(self):
        policy = hedge.Policy.load(runner.POLICY)
        for call in (policy.curve, policy.rules):
            with self.assertRaisesRegex(hedge.AssetError, "'DOGE'; it has: BTC"):
                call("DOGE")
            with self.assertRaises(LookupError):
                call("BTC\0X")
            with self.assertRaises(TypeError):
                call(0)

    def test_a_curve_outlives_its_policy(self):
        policy = hedge.Policy.load(runner.POLICY)
        curve = policy.curve("BTC")
        policy.close()
        del policy
        self.assertEqual(curve(0.7), 0.75)
        self.assertEqual(pickle.loads(pickle.dumps(curve))(0.7), 0.75)

    def test_closing(self):
        with hedge.Policy.load(runner.POLICY) as policy:
            pass
        for use in (lambda: policy.assets, lambda: policy.text, lambda: policy.curve("BTC"),
                    lambda: policy.size("BTC", 1.0), lambda: policy.hash, lambda: policy.files,
                    lambda: policy.size_many(asset="BTC", amount_usd=1.0)):
            with self.assertRaisesRegex(hedge.ClosedError, "was closed"):
                use()
        self.assertEqual(repr(policy), "<Policy, closed>")


def draw_rules(rng):
    """Random settings, so that each breaker trips with each action now and then."""
    def limit(value):
        action = rng.choice(["reject", "flag", "floor"])
        out = {"limit": value, "action": action}
        return {**out, "floor": rng.choice([0.0, 0.2, 0.7])} if action == "floor" else out
    return oracle.policy(
        limits={"stale_score_ms": limit(3000.0), "stale_depth_ms": limit(5000.0),
                "max_clock_skew_ms": limit(250.0), "max_score_jump": limit(0.3),
                "min_depth_usd": limit(10000.0), "min_confidence": limit(0.2),
                "max_amount_usd": limit(1e6)},
        max_hedge_pct=rng.choice([1.0, 0.4]),
        liquidity=rng.choice([{"weight": "ratio", "half_depth_usd": 3e5},
                              {"weight": "log", "full_depth_usd": 1e7}]),
        confidence={"blend": rng.choice(["min", "harmonic", "geometric", "product"]),
                    "freshness": rng.choice(["none", "linear"])})


def draw_case(rng):
    """Keywords of Policy.size, and the same for the oracle."""
    often = rng.random
    quote, request = {}, {"amount_usd": rng.choice([0.0, 2.5e5, 1e6, 2e6, -1.0, float("nan")])}
    if often() < 0.9:
        quote.update(score=rng.choice([rng.random(), 0.05, 0.95, 1.5]),
                     confidence=rng.choice([rng.random(), 1.0, -0.5]),
                     score_ts_ns=NOW - rng.choice([0, 10 ** 9, 4 * 10 ** 9, -10 ** 9]))
    if often() < 0.3 and "score" in quote:
        quote["previous_score"] = rng.random()
    if often() < 0.9:
        quote.update(depth1pct_usd=rng.choice([rng.random() * 1e6, 5e3, float("inf")]),
                     depth_ts_ns=NOW - rng.choice([0, 3 * 10 ** 9, 6 * 10 ** 9]))
    if often() < 0.1:
        quote["halted"] = True
    if often() < 0.2:
        request["override_score"] = rng.choice([rng.random(), 1.2])
    if len({"score_ts_ns", "depth_ts_ns"} & set(quote)) < 2:
        # A daemon looks at the request first, the library at what has arrived.
        request = {"amount_usd": 2.5e5}
    given = {k.removesuffix("_ns"): v for k, v in {**quote, **request}.items()}
    amount = given.pop("amount_usd")
    return amount, given, request, quote


class Sizing(unittest.TestCase):
    def test_against_the_oracle(self):
        seed = int(os.environ.get("HEDGE_TEST_SEED", "20240229"))
        rng = random.Random(seed)
        seen = set()
        for _ in range(60):
            rules = draw_rules(rng)
            policy = hedge.Policy.parse(oracle.text(rules))
            for _ in range(40):
                asset = rng.choice(["BTC", "XRP", "XRP", "DOGE"])
                amount, given, request, quote = draw_case(rng)
                got = policy.size(asset, amount, now=NOW, **given)
                want = oracle.decide(rules, asset, request, quote, NOW)
                why = f"seed {seed}: {asset} {amount} {given}"
                self.assertEqual(got.status, want["breaker"] or "ok", why)
                self.assertEqual(set(got.flags), set(want["flags"]), why)
                for name in oracle.ZERO:
                    scale = max(1.0, abs(want[name]))
                    self.assertTrue(oracle.close(getattr(got, name), want[name], scale), why)
                seen.add(got.status)
        self.assertGreaterEqual(len(seen), 10, seen)  # the draw reaches most breakers

    def test_a_rejection_is_an_outcome(self):
        got = hedge.Policy.load(runner.POLICY).size("BTC", 1000.0)
        self.assertEqual((got.ok, got.status, got.code, got.flags),
                         (False, "no_quote", -102, ("no_quote",)))
        self.assertEqual((got.hedge_pct, got.notional_usd), (0.0, 0.0))
        self.assertEqual(got.reason, hedge.status_text(-102))

    def test_marks_stand_in_the_reason(self):
        policy = hedge.Policy.load(runner.POLICY)
        got = policy.size("BTC", 1000.0, score=0.05, depth1pct_usd=1e6)
        self.assertTrue(got.ok)
        self.assertEqual(got.reason, "decided (marked: extreme_score)")
        with self.assertRaises(AttributeError):
            got.hedge_pct = 1.0

    def test_times_default_to_now(self):
        policy = hedge.Policy.load(runner.POLICY)
        got = policy.size("BTC", 1.0, score=0.5, depth1pct_usd=1e6, now=NOW)
        self.assertEqual((got.status, got.score_age_ns, got.ts_ns), ("ok", 0, NOW))
        import time
        before = time.time_ns()
        got = policy.size("BTC", 1.0, score=0.5, depth1pct_usd=1e6)
        self.assertTrue(before <= got.ts_ns <= time.time_ns())
        old = policy.size("BTC", 1.0, score=0.5, depth1pct_usd=1e6, score_ts=NOW)
        self.assertEqual(old.status, "stale_score")

    def test_nan_is_never_sized(self):
        policy, nan = hedge.Policy.load(runner.POLICY), float("nan")
        good = dict(score=0.5, depth1pct_usd=1e6, now=NOW)
        for change, status in (({"score": nan}, "bad_quote"), ({"confidence": nan}, "bad_quote"),
                               ({"depth1pct_usd": nan}, "bad_quote")):
            self.assertEqual(policy.size("BTC", 1.0, **{**good, **change}).status, status)
        self.assertEqual(policy.size("BTC", nan, **good).status, "bad_amount")
        self.assertEqual(policy.size("BTC", 1.0, override_score=nan, **good).flags, ())

    def test_wrong_types(self):
        policy = hedge.Policy.load(runner.POLICY)
        for bad in ("1", None, 1j, True, [1.0], b"1", object()):
            with self.assertRaises(TypeError, msg=repr(bad)):
                policy.size("BTC", bad)
        for name in ("score", "confidence", "previous_score", "depth1pct_usd", "override_score",
                     "now", "score_ts", "depth_ts", "halted"):
            with self.assertRaises(TypeError, msg=name):
                policy.size("BTC", 1.0, **{name: "0.5"})
        for asset in (0, None, b"BTC", ["BTC"]):
            with self.assertRaises(TypeError):
                policy.size(asset, 1.0)
        # Cut off at a NUL, this would be another asset.
        self.assertEqual(policy.size("BTC\0X", 1.0).status, "unknown_asset")


if __name__ == "__main__":
    runner.main()
