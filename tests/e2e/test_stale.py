# SPDX-License-Identifier: MIT
"""Stale, missing, future, jumping and thin quotes, under each action a policy can give."""
import time

import daemon
import oracle
from daemon import Daemon, now_ms

FRESH = {"score": 0.62, "confidence": 0.9, "depth1pct_usd": 78034.12}
SHORT = {"stale_score_ms": 400, "stale_depth_ms": 400}


def limits(action, floor=None, **values):
    """The same action for each named limit."""
    extra = {"action": action} if floor is None else {"action": action, "floor": floor}
    return {name: {"limit": value, **extra} for name, value in values.items()}


class Stale(daemon.Case):
    def serve(self, rules):
        d = Daemon(rules)
        self.addCleanup(d.__exit__)
        c = d.client()
        self.addCleanup(c.close)
        return d, c

    def assert_trips(self, answer, breaker):
        self.assert_problem(answer, 503, breaker, breaker=breaker)
        self.assertIn("decision_id", answer.json)
        if breaker == "halted":
            self.assertIsNone(answer.headers["Retry-After"])
        else:
            self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1, breaker)

    def test_a_score_ages_until_a_new_one_heals_it(self):
        _, c = self.serve(oracle.policy(calm=True, limits={"stale_score_ms": 400}))
        self.assert_status(c.put("/quotes/BTC", FRESH), 200)
        self.assert_status(c.hedge(), 200)
        time.sleep(0.45)
        self.assert_trips(c.hedge(), "stale_score")
        self.assert_status(c.hedge(override_score=0.5), 200, "an override needs no fresh score")
        ready = c.get("/readyz")
        self.assert_status(ready, 503, "no asset can be decided")
        self.assertIn("stale_score", ready.body.decode())
        self.assert_status(c.put("/quotes/BTC", {"score": 0.6}), 200)
        self.assert_status(c.hedge(), 200)

    def test_a_depth_ages_and_an_override_does_not_skip_that(self):
        _, c = self.serve(oracle.policy(calm=True, limits={"stale_depth_ms": 400}))
        self.assert_status(c.put("/quotes/BTC", FRESH), 200)
        self.assert_status(c.hedge(), 200)
        time.sleep(0.45)
        self.assert_trips(c.hedge(), "stale_depth")
        self.assert_trips(c.hedge(override_score=0.5), "stale_depth")
        self.assert_status(c.put("/quotes/BTC", {"depth1pct_usd": 78034.12}), 200)
        self.assert_status(c.hedge(), 200)

    def test_the_age_counts_from_the_quotes_own_time(self):
        _, c = self.serve(oracle.policy(limits={"stale_score_ms": 60000, "stale_depth_ms": 60000}))
        ts = now_ms()
        self.assert_status(c.put("/quotes/BTC", {**FRESH, "ts_ms": ts - 55000,
                                                 "depth_ts_ms": ts - 55000}), 200)
        self.assert_status(c.hedge(), 200)
        self.assert_status(c.put("/quotes/ETH", {**FRESH, "ts_ms": ts - 60001}), 200)
        self.assert_trips(c.hedge("ETH"), "stale_score")
        self.assert_status(c.put("/quotes/LTC", {**FRESH, "depth_ts_ms": ts - 60001}), 200)
        self.assert_trips(c.hedge("LTC"), "stale_depth")
        self.assert_status(c.put("/quotes/XRP", {**FRESH, "depth_ts_ms": ts - 60001,
                                                 "ts_ms": ts - 60001}), 200)
        self.assert_trips(c.hedge("XRP"), "stale_score")

    def test_half_a_quote_is_no_quote(self):
        _, c = self.serve(oracle.policy(calm=True))
        self.assert_trips(c.hedge("BTC"), "no_quote")
        self.assert_status(c.put("/quotes/BTC", {"score": 0.5}), 200)
        self.assert_trips(c.hedge("BTC"), "no_quote")
        self.assert_trips(c.hedge("BTC", override_score=0.5), "no_quote")
        self.assert_status(c.put("/quotes/ETH", {"depth1pct_usd": 78034.12}), 200)
        self.assert_trips(c.hedge("ETH"), "no_quote")
        answer = c.hedge("ETH", override_score=0.5)
        self.assert_status(answer, 200, "an override stands for a missing score")
        self.assert_status(c.put("/quotes/BTC", {"depth1pct_usd": 78034.12}), 200)
        self.assert_status(c.hedge("BTC"), 200)

    def test_a_thin_book_and_a_jump_are_refused(self):
        rules = oracle.policy(calm=True, limits={"max_score_jump": 0.2, "min_depth_usd": 50000.0})
        _, c = self.serve(rules)
        self.assert_status(c.put("/quotes/BTC", {**FRESH, "depth1pct_usd": 49999.99}), 200)
        self.assert_trips(c.hedge(), "min_depth")
        self.assert_trips(c.hedge(override_score=0.5), "min_depth")
        self.assert_status(c.put("/quotes/BTC", {"depth1pct_usd": 50000.0}), 200)
        self.assert_status(c.hedge(), 200)
        self.assert_status(c.put("/quotes/BTC", {"score": 0.4}), 200)
        self.assert_trips(c.hedge(), "score_jump")
        self.assert_status(c.hedge(override_score=0.9), 200, "an override does not jump")
        self.assert_status(c.put("/quotes/BTC", {"score": 0.41}), 200)
        self.assert_status(c.hedge(), 200)

    def test_little_confidence_is_refused(self):
        rules = oracle.policy(calm=True, limits={"min_confidence": 0.13})
        _, c = self.serve(rules)
        self.assert_status(c.put("/quotes/BTC", FRESH), 200)
        self.assert_status(c.hedge(), 200, "the weight is 0.135")
        self.assert_status(c.put("/quotes/BTC", {"score": 0.6, "confidence": 0.12}), 200)
        self.assert_trips(c.hedge(), "min_confidence")

    def test_a_floor_is_answered_without_data_behind_it(self):
        rules = oracle.policy(max_hedge_pct=0.9, limits={
            **limits("floor", 0.8, stale_score_ms=300),
            **limits("floor", 0.95, stale_depth_ms=600)})
        _, c = self.serve(rules)
        self.assert_status(c.put("/quotes/BTC", FRESH), 200)
        self.assert_status(c.hedge(), 200)
        time.sleep(0.35)
        got = c.hedge(amount=2000.0)
        self.assert_status(got, 200)
        self.assertEqual((got.json["hedge_pct"], got.json["notional_usd"],
                          got.json["confidence"]), (0.8, 2000.0 * 0.8, 0))
        self.assertEqual(set(got.json["flags"]), {"stale_score", "floor"})
        time.sleep(0.35)
        got = c.hedge(amount=2000.0)
        self.assert_status(got, 200)
        self.assertEqual((got.json["hedge_pct"], got.json["confidence"]), (0.9, 0),
                         "the largest floor, cut by max_hedge_pct")
        self.assertLessEqual({"stale_score", "stale_depth", "floor"}, set(got.json["flags"]))

    def test_a_flag_answers_with_what_there_is_and_marks_it(self):
        rules = oracle.policy(limits=limits("flag", **SHORT))
        _, c = self.serve(rules)
        self.assert_status(c.put("/quotes/BTC", FRESH), 200)
        time.sleep(0.45)
        seen = {"score": 0.62, "confidence": 0.9, "depth1pct_usd": 78034.12, "score_ts_ns": 0,
                "depth_ts_ns": 0}
        expected = oracle.decide(rules, "BTC", {"amount_usd": 1000.0}, seen,
                                 now_ns=10 ** 9)
        got = c.hedge()
        self.assert_status(got, 200)
        self.assertEqual(set(expected["flags"]), {"stale_score", "stale_depth"})
        self.assert_agrees(got.json, expected)

    def test_a_reject_wins_over_a_floor_and_a_flag(self):
        rules = oracle.policy(limits={**limits("floor", 0.8, stale_score_ms=200),
                                      **limits("reject", stale_depth_ms=200)})
        _, c = self.serve(rules)
        self.assert_status(c.put("/quotes/BTC", FRESH), 200)
        time.sleep(0.25)
        self.assert_trips(c.hedge(), "stale_depth")

    def test_each_asset_has_its_own_limits(self):
        rules = oracle.policy(assets={"BTC": {}, "ETH": {"limits": {"stale_score_ms": 300}}},
                              calm=True)
        _, c = self.serve(rules)
        for asset in ("BTC", "ETH"):
            self.assert_status(c.put(f"/quotes/{asset}", FRESH), 200)
        time.sleep(0.35)
        self.assert_status(c.hedge("BTC"), 200)
        self.assert_trips(c.hedge("ETH"), "stale_score")
        ready = c.get("/readyz")
        self.assert_status(ready, 200, "one asset can be decided")
        self.assertEqual(ready.json["status"], "degraded")
        self.assertTrue(any("ETH" in str(r) for r in ready.json["reasons"]), ready)

    def test_freshness_lowers_the_confidence_with_the_age(self):
        rules = oracle.policy(calm=True, limits={"stale_depth_ms": 100000},
                              confidence={"blend": "min", "freshness": "linear"})
        _, c = self.serve(rules)
        ages = {"BTC": 0, "ETH": 25000, "LTC": 50000, "XRP": 90000}
        for asset, age in ages.items():
            self.assert_status(c.put(f"/quotes/{asset}", {
                "score": 0.5, "depth1pct_usd": 500000.0, "depth_ts_ms": now_ms() - age}), 200)
        for asset, age in ages.items():
            got = c.hedge(asset).json
            self.assertAlmostEqual(got["confidence"], 0.5 * (1 - age / 100000), delta=0.01,
                                   msg=f"{asset} {age} ms old")

    def test_the_environment_shortens_the_limit_of_every_asset(self):
        d = Daemon(oracle.policy(calm=True), stale_score_s="0.3")
        self.addCleanup(d.__exit__)
        with d.client() as c:
            self.assert_status(c.put("/quotes/ETH", FRESH), 200)
            self.assert_status(c.hedge("ETH"), 200)
            time.sleep(0.35)
            self.assert_trips(c.hedge("ETH"), "stale_score")


if __name__ == "__main__":
    daemon.main()
