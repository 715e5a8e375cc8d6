# SPDX-License-Identifier: MIT
"""HEDGE_SHADOW_POLICY: decided beside the live policy, recorded, counted, never answered."""
import os

import daemon
import journal
import oracle
from daemon import Daemon, write_file

QUOTE = {"score": 0.62, "confidence": 0.9, "depth1pct_usd": 78034.12}
LIVE = oracle.policy(calm=True)
BOLD = oracle.policy(calm=True, curve={"method": "linear", "knots": [[0.0, 0.5], [1.0, 1.0]]})
SHY = oracle.policy(calm=True, limits={**oracle.policy(calm=True)["limits"],
                                       "max_amount_usd": 5000.0})


class Shadow(daemon.Case):
    def serve(self, shadow, **settings):
        folder = daemon.new_folder()
        self.shadow_path = os.path.join(folder, "shadow.yaml")
        write_file(self.shadow_path, oracle.text(shadow) if isinstance(shadow, dict) else shadow)
        d = Daemon(policy=LIVE, folder=folder, shadow_policy=self.shadow_path, **settings)
        self.addCleanup(d.__exit__)
        with d.client() as c:
            for asset in oracle.ASSETS:
                self.assert_status(c.put(f"/quotes/{asset}", QUOTE), 200)
        return d

    def pairs(self, d):
        """(the records, [(decision, its shadow), …]) of a stopped daemon's journal."""
        self.assertEqual(d.stop(), 0)
        _, rows = journal.rows(d.journal_path)
        records, _ = journal.walk(rows)
        found = []
        for before, r in zip(records, records[1:]):
            if r["kind"] == 8:
                self.assertEqual(before["kind"], 1, "a shadow is right behind its decision")
                found.append((before, r))
        return records, found

    def check_pair(self, decided, would, policy):
        for name in ("quote", "ts_ns", "asset"):
            self.assertEqual(would[name], decided[name], name)
        for name in ("flags", "amount_usd", "override_score"):
            self.assertEqual(would["request"][name], decided["request"][name])
        request, quote, now_ns = journal.oracle_inputs(would)
        expected = oracle.decide(policy, would["asset"], request, quote, now_ns)
        self.assertEqual(would["decision"]["hedge_pct"], expected["hedge_pct"])
        self.assertEqual(oracle.NAMES.get(would["decision"]["status"], "ok"),
                         expected.get("breaker") or "ok")

    def test_it_is_recorded_and_never_answered(self):
        d = self.serve(BOLD)
        with d.client() as c:
            one = c.hedge("BTC", 1000.0)
            many = c.post("/hedge/batch", {"requests": [
                {"asset": "ETH", "amount_usd": 5.0}, {"asset": 7, "amount_usd": 5.0},
                {"asset": "NONE", "amount_usd": 5.0},
                {"asset": "XRP", "amount_usd": 7.0, "override_score": 0.3}]}).json["decisions"]
            live = oracle.decide(LIVE, "BTC", {"amount_usd": 1000.0},
                                 {**QUOTE, "score_ts_ns": 0, "depth_ts_ns": 0})
            self.assert_agrees(one.json, live)
            self.assertEqual(many[0]["hedge_pct"], one.json["hedge_pct"])
            self.assertEqual(many[1]["code"], "bad_value")
            self.assertEqual(many[2]["code"], "unknown_asset")
            self.assertEqual(c.metric("hedge_decisions_total", outcome="decided"), 3)
            self.assertEqual(c.metric("hedge_decisions_total", outcome="rejected"), 1)
            said = [r for r in c.records() if r["kind"] == "shadow"]
            self.assertEqual(len(said), 4)
            self.assertNotEqual(said[0]["policy"], one.json["policy"])
            self.assertNotEqual(said[0]["decision"]["hedge_pct"], one.json["hedge_pct"])
        records, pairs = self.pairs(d)
        self.assertEqual(len(pairs), 4)
        for decided, would in pairs:
            self.assertEqual(decided["request"].keys(), would["request"].keys())
            if decided["asset"] != "NONE":
                self.check_pair(decided, would, BOLD)
        taken = [r for r in records if r["kind"] == 9]
        self.assertEqual([r["note"] for r in taken], ["start"])
        self.assertEqual(taken[0]["policy_hash"], pairs[0][1]["policy_hash"])
        base = journal.sqlite3.connect(d.journal_path)
        held = {h.hex() for h, in base.execute("SELECT hash FROM policies")}
        base.close()
        self.assertIn(taken[0]["policy_hash"], held, "so that it can be decided again")

    def test_the_metrics_say_how_far_they_differ(self):
        d = self.serve(BOLD)
        with d.client() as c:
            live = [c.hedge(asset, 10.0).json["hedge_pct"] for asset in oracle.ASSETS]
            would = [r["decision"]["hedge_pct"] for r in c.records() if r["kind"] == "shadow"]
            apart = [abs(a - b) for a, b in zip(live, would)]
            self.assertEqual(len(apart), 4)
            self.assertEqual(c.metric("hedge_shadow_decisions_total", result="other_hedge"), 4)
            self.assertEqual(c.metric("hedge_shadow_difference_ratio_count"), 4)
            self.assertAlmostEqual(c.metric("hedge_shadow_difference_ratio_sum"), sum(apart), 7)
            self.assertAlmostEqual(c.metric("hedge_shadow_difference_max_ratio"), max(apart), 7)
            within = sum(a <= 0.5 for a in apart)
            self.assertEqual(c.metric("hedge_shadow_difference_ratio_bucket", le="0.5"), within)

    def test_outcomes_that_differ_are_counted_apart(self):
        d = self.serve(SHY)
        with d.client() as c:
            self.assert_status(c.hedge("BTC", 100.0), 200)
            self.assert_status(c.hedge("BTC", 6000.0), 200)  # the shadow rejects it
            self.assert_problem(c.hedge("BTC", 2e9), 422, "max_amount")  # and so do both
            for result, n in (("same", 2), ("rejected_alone", 1), ("decided_alone", 0),
                              ("other_hedge", 0)):
                self.assertEqual(c.metric("hedge_shadow_decisions_total", result=result), n, result)

    def test_it_follows_its_file_and_not_the_live_one(self):
        d = self.serve(BOLD)
        with d.client() as c:
            before = c.hedge("BTC", 10.0).json
            write_file(self.shadow_path, oracle.text(SHY))
            daemon.wait_until(lambda: len(d.events("shadow_policy_taken")) == 2, "it is taken")
            self.assertEqual(c.hedge("BTC", 10.0).json["policy"], before["policy"])
            write_file(self.shadow_path, "curve: {method: cubic}\n")
            daemon.wait_until(lambda: d.events("shadow_policy_refused"), "it is refused")
            ready = c.get("/readyz")
            self.assertEqual(ready.json["status"], "degraded")
            self.assertIn("shadow_policy_refused", [r["code"] for r in ready.json["reasons"]])
            self.assertEqual(c.metric("hedge_shadow_policy_ok"), 0)
            self.assertEqual(c.metric("hedge_policy_ok"), 1)
            self.assert_status(c.hedge("BTC", 10.0), 200)
        records, pairs = self.pairs(d)
        self.assertEqual([r["kind"] for r in records if r["kind"] in (4, 5, 9)], [4, 9, 9, 5])
        self.assertEqual(len({would["policy_hash"] for _, would in pairs}), 2)
        self.assertEqual(len({decided["policy_hash"] for decided, _ in pairs}), 1)

    def test_a_bad_one_stops_the_start_and_says_which(self):
        folder = daemon.new_folder()
        path = os.path.join(folder, "shadow.yaml")
        write_file(path, "curve:\n  method: cubic\n")
        write_file(os.path.join(folder, "policy.yaml"), oracle.text(LIVE))
        settings = {"HEDGE_POLICY": os.path.join(folder, "policy.yaml"),
                    "HEDGE_SHADOW_POLICY": path, "HEDGE_API_PORT": "0",
                    "HEDGE_JOURNAL": os.path.join(folder, "j.db")}
        for arguments in ((), ("--check",)):
            code, _, err = daemon.run(arguments, **settings)
            self.assertEqual(code, 78)
            self.assertIn("HEDGE_SHADOW_POLICY", err)
            self.assertIn(":2:", err)

    def test_an_asset_that_it_does_not_name(self):
        d = self.serve(oracle.policy(calm=True, assets=("BTC",)))
        with d.client() as c:
            self.assert_status(c.hedge("ETH", 10.0), 200)
            self.assertEqual(c.metric("hedge_shadow_decisions_total", result="rejected_alone"), 1)
        _, pairs = self.pairs(d)
        self.assertEqual(oracle.NAMES[pairs[0][1]["decision"]["status"]], "unknown_asset")

    def test_with_a_key_there_is_one_pair(self):
        d = self.serve(BOLD)
        with d.client() as c:
            for _ in range(3):
                c.post("/hedge", {"asset": "BTC", "amount_usd": 1.0},
                       headers={"Idempotency-Key": "k"})
        _, pairs = self.pairs(d)
        self.assertEqual(len(pairs), 1)


if __name__ == "__main__":
    daemon.main()
