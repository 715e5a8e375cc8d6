# SPDX-License-Identifier: MIT
"""size_many over a pandas DataFrame: the same decisions, on the same index."""
import unittest

import runner

runner.need("pandas")
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

import hedge  # noqa: E402
import test_sizing  # noqa: E402


def frame(n=500, seed=21):
    return pd.DataFrame(test_sizing.draw(n, seed), index=pd.Index(range(1000, 1000 + n), name="id"))


class Frames(unittest.TestCase):
    def setUp(self):
        self.policy = hedge.Policy.parse(test_sizing.LIMITS)

    def test_the_same_as_columns(self):
        rows = frame()
        want = self.policy.size_many(**test_sizing.draw(500, 21))
        kinds = {
            "plain": rows,
            "categories": rows.assign(asset=rows.asset.astype("category")),
            "strings": rows.assign(asset=rows.asset.astype("string")),
            "times": rows.assign(**{name: pd.to_datetime(rows[name])
                                    for name in ("now", "score_ts", "depth_ts")}),
            "zones": rows.assign(**{name: pd.to_datetime(rows[name], utc=True)
                                    .dt.tz_convert("Asia/Tokyo")
                                    for name in ("now", "score_ts", "depth_ts")}),
            "nullable": rows.assign(override_score=rows.override_score.astype("Float64"),
                                    previous_score=rows.previous_score.astype("Float64"),
                                    now=rows.now.astype("Int64"),
                                    halted=rows.halted.astype("boolean")),
        }
        for kind, given in kinds.items():
            got = self.policy.size_many(given)
            self.assertTrue(got.index.equals(rows.index), kind)
            for name in want.structured.dtype.names:
                self.assertEqual(got[name].to_numpy().tobytes(), getattr(want, name).tobytes(),
                                 f"{kind}: {name}")
            self.assertEqual(got.status.tolist(), want.status.tolist())

    def test_any_order_and_a_part(self):
        rows = frame()
        want = self.policy.size_many(rows)
        mixed = rows.sample(frac=0.5, random_state=3)
        self.assertTrue(self.policy.size_many(mixed).equals(want.loc[mixed.index]))
        self.assertEqual(len(self.policy.size_many(rows.iloc[:0])), 0)

    def test_keywords_fill_in(self):
        rows = frame().drop(columns=["asset", "now"])
        got = self.policy.size_many(rows, asset="ETH", now=test_sizing.NOW)
        want = self.policy.size_many(rows.assign(asset="ETH", now=test_sizing.NOW))
        self.assertTrue(got.equals(want))
        with self.assertRaisesRegex(ValueError, "given twice: score"):
            self.policy.size_many(frame(), score=0.5)
        with self.assertRaises(ValueError):
            self.policy.size_many(rows.iloc[:1], asset=["BTC", "ETH"])

    def test_keywords_alone_fill_every_row(self):
        given = dict(asset="BTC", amount_usd=1.0, score=0.5, depth1pct_usd=1e6,
                     now=test_sizing.NOW)
        one = self.policy.size("BTC", **{k: v for k, v in given.items() if k != "asset"})
        for n in (0, 1, 3):
            rows = pd.DataFrame({"note": ["x"] * n}, index=range(5, 5 + n))
            got = self.policy.size_many(rows, ignore_unknown=True, **given)
            self.assertEqual(got.index.tolist(), rows.index.tolist())
            self.assertEqual(got.notional_usd.tolist(), [one.notional_usd] * n)
        rows = pd.DataFrame({"amount_usd": [1.0]})
        with self.assertRaisesRegex(ValueError, r"a shape of \(2,\), the frame \(1,\)"):
            self.policy.size_many(rows, asset=["BTC", "ETH"])

    def test_indices_must_agree(self):
        """Rows go by position, so a Series that pandas would put elsewhere is refused."""
        rows = pd.DataFrame({"asset": "BTC", "amount_usd": [1.0, 2.0, 3.0]}, index=[10, 11, 12])
        given = dict(depth1pct_usd=1e6, now=test_sizing.NOW)
        scores = pd.Series([0.2, 0.5, 0.8], index=rows.index)
        got = self.policy.size_many(rows, score=scores, **given)
        want = self.policy.size_many(rows.assign(score=scores), **given)
        self.assertTrue(got.equals(want))
        for moved in (scores[::-1], scores.reset_index(drop=True), scores.iloc[:1],
                      scores.to_frame()[::-1]):
            with self.assertRaisesRegex(ValueError, r"the index of score is not that of the frame"
                                                    r".*\.reindex.*score\.to_numpy\(\)"):
                self.policy.size_many(rows, score=moved, **given)
        again = self.policy.size_many(rows, score=scores[::-1].reindex(rows.index), **given)
        self.assertTrue(again.equals(want))
        by_position = self.policy.size_many(rows, score=scores[::-1].to_numpy(), **given)
        self.assertEqual(by_position.score.tolist(), [0.8, 0.5, 0.2])
        columns = dict(asset="BTC", amount_usd=rows.amount_usd, **given)
        self.assertEqual(self.policy.size_many(score=scores, **columns).score.tolist(),
                         [0.2, 0.5, 0.8])
        with self.assertRaisesRegex(ValueError, "the index of score is not that of amount_usd"):
            self.policy.size_many(score=scores[::-1], **columns)

    def test_to_frame(self):
        given = dict(asset="BTC", score=0.5, depth1pct_usd=1e6, now=test_sizing.NOW)
        one = self.policy.size_many(amount_usd=1.0, **given).to_frame()
        two = self.policy.size_many(amount_usd=[1.0, 1.0], **given).to_frame(["a", "b"])
        self.assertEqual((one.shape[0], one.status[0], two.index.tolist()), (1, "ok", ["a", "b"]))
        self.assertTrue(two.reset_index(drop=True)[:1].equals(one))
        with self.assertRaisesRegex(ValueError, r"decisions of shape \(2, 1\) are no rows"):
            self.policy.size_many(amount_usd=[[1.0], [1.0]], **given).to_frame()

    def test_unknown_columns_are_refused_unless_told(self):
        rows = frame().assign(Score=0.5, note="x")
        with self.assertRaisesRegex(ValueError, "'Score', 'note'; known: asset, amount_usd"):
            self.policy.size_many(rows)
        got = self.policy.size_many(rows, ignore_unknown=True)
        self.assertTrue(got.equals(self.policy.size_many(frame())))

    def test_no_rows_have_no_types(self):
        rows = pd.DataFrame(columns=list(test_sizing.draw(1, 1)))
        self.assertEqual(set(rows.dtypes), {np.dtype(object)})
        got = self.policy.size_many(rows)
        self.assertEqual((len(got), got.hedge_pct.dtype), (0, np.float64))

    def test_times_with_a_zone_beyond_int64(self):
        if not hasattr(pd.Timestamp, "as_unit"):
            self.skipTest("pandas before 2.0")
        now = pd.Timestamp("2024-01-01", tz="UTC")
        far = pd.Series([now.to_datetime64()]).astype("M8[s]") + np.timedelta64(18446744073, "s")
        given = dict(asset="BTC", amount_usd=1e5, score=0.5, depth1pct_usd=1e6)
        for times in (dict(now=now, score_ts=far.dt.tz_localize("UTC")),
                      dict(now=pd.Series(np.array(["3000-01-01"], "M8[us]"))
                           .dt.tz_localize("UTC")),
                      dict(now=now, score_ts=pd.array([2 ** 64 - 1], "UInt64"))):
            with self.assertRaises(OverflowError):
                self.policy.size_many(**given, **times)

    def test_what_a_frame_may_not_hold(self):
        rows = frame(4)
        twice = pd.concat([rows, rows[["score"]]], axis=1)
        with self.assertRaisesRegex(ValueError, "given twice"):
            self.policy.size_many(twice)
        for bad in (rows.assign(score="0.5"), rows.assign(score=None),
                    rows.assign(asset=[None, "BTC", "BTC", "BTC"]),
                    rows.assign(asset=pd.Categorical([None, "BTC", "BTC", "BTC"])),
                    rows.assign(now=1.5), rows.assign(halted=0)):
            with self.assertRaises(TypeError):
                self.policy.size_many(bad)
        with self.assertRaisesRegex(TypeError, "needs amount_usd"):
            self.policy.size_many(rows.drop(columns="amount_usd"))

    def test_missing_values_fail_closed(self):
        rows = pd.DataFrame({
            "asset": "BTC", "amount_usd": 1.0, "depth1pct_usd": 1e6, "now": test_sizing.NOW,
            "score": pd.array([0.5, None], "Float64"),
            "halted": pd.array([None, False], "boolean")})
        self.assertEqual(self.policy.size_many(rows).status.tolist(), ["halted", "bad_quote"])

    def test_series_into_a_curve(self):
        curve = hedge.Curve(runner.SCORES, runner.HEDGES)
        series = pd.Series([0.3, None, 0.7])
        for given in (series, series.astype("Float64")):
            got = curve(given)
            self.assertEqual(got[[0, 2]].tolist(), [0.25, 0.75])
            self.assertTrue(np.isnan(got[1]))
        with self.assertRaises(TypeError):
            curve(pd.Series(["a"]))
        with self.assertRaises(TypeError):
            curve(pd.Series([True]))


if __name__ == "__main__":
    runner.main()
