# SPDX-License-Identifier: MIT
"""Random curves through the package against SciPy's PchipInterpolator, by Hypothesis.

SciPy gets the knots' scores on the grid of 2^-30, and grid points to answer.
"""
import os
import unittest

import runner

runner.need("numpy", "scipy", "hypothesis")
import numpy as np  # noqa: E402
from hypothesis import HealthCheck, given, seed, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from scipy.interpolate import PchipInterpolator  # noqa: E402

import hedge  # noqa: E402

STEPS = 1 << 30
SEED = int(os.environ.get("HEDGE_TEST_SEED", "1"))
MANY = settings(max_examples=300, deadline=None, database=None, print_blob=True,
                suppress_health_check=list(HealthCheck))


def on_grid(score):
    return np.rint(np.asarray(score) * STEPS) / STEPS


@st.composite
def knots(draw):
    """2 to 40 knots: gaps from a thousand grid steps up, flat and steep stretches."""
    n = draw(st.integers(2, 40))
    gaps = draw(st.lists(st.integers(1100, STEPS // n), min_size=n, max_size=n))
    at = np.minimum(np.cumsum(gaps), STEPS) / STEPS
    if draw(st.booleans()):
        at = at - at[0]  # begins at 0
    rises = draw(st.lists(st.one_of(st.just(0.0), st.floats(0, 1), st.floats(0, 1e-9)),
                          min_size=n, max_size=n))
    total = max(1.0, float(np.sum(rises)))
    hedges = np.minimum(np.cumsum(np.asarray(rises) / total), 1.0)
    return at, np.maximum.accumulate(hedges)


@st.composite
def scores(draw, at):
    """Grid points anywhere, and beside knots."""
    anywhere = draw(st.lists(st.integers(0, STEPS), min_size=1, max_size=40))
    near = draw(st.lists(st.tuples(st.sampled_from(list(at)), st.integers(-3, 3)), max_size=40))
    return np.clip([i / STEPS for i in anywhere] + [x + i / STEPS for x, i in near], 0.0, 1.0)


class Properties(unittest.TestCase):
    @seed(SEED)
    @MANY
    @given(st.data())
    def test_pchip_is_scipys(self, data):
        x, y = data.draw(knots())
        at = data.draw(scores(x))
        at = at[(at >= x[0]) & (at <= x[-1])]
        curve = hedge.Curve(x, y)
        with np.errstate(over="ignore"):  # SciPy divides by slopes that may be subnormal
            oracle = PchipInterpolator(on_grid(x), y)
        np.testing.assert_allclose(curve(at), oracle(at), rtol=0, atol=1e-12)
        scale = 1 + np.abs(oracle.derivative()(at))
        self.assertTrue((np.abs(curve.slope(at) - oracle.derivative()(at)) <= 1e-8 * scale).all())
        area = oracle.integrate(x[0], x[-1])
        self.assertAlmostEqual(curve.area(x[0], x[-1]), float(area), delta=1e-12)

    @seed(SEED)
    @MANY
    @given(st.data(), st.sampled_from(hedge.METHODS))
    def test_promises(self, data, method):
        x, y = data.draw(knots())
        curve = hedge.Curve(x, y, method)
        self.assertEqual(curve(x).tobytes(), (y + 0.0).tobytes())  # exact at the knots
        at = np.sort(np.concatenate([data.draw(scores(x)), np.nextafter(x, 2), [-1.0, 2.0]]))
        got = curve(at)
        self.assertTrue((np.diff(got) >= 0).all())
        self.assertTrue(((got >= y[0]) & (got <= y[-1])).all())
        h = got[len(got) // 2]
        self.assertGreaterEqual(curve(curve.inverse(h)), h)
        self.assertLessEqual(curve.inverse(h), max(at[len(at) // 2], 0.0) + 1 / STEPS)

    @seed(SEED)
    @MANY
    @given(st.data(), st.sampled_from(hedge.METHODS),
           st.lists(st.floats(allow_nan=True, width=64), min_size=1, max_size=70))
    def test_one_by_one_in_a_batch_and_strided_are_one(self, data, method, anything):
        x, y = data.draw(knots())
        curve = hedge.Curve(x, y, method)
        at = np.concatenate([anything, data.draw(scores(x))])
        alone = np.array([curve(float(v)) for v in at])
        wide = np.zeros(3 * len(at))
        wide[::3] = at
        out, apart = np.empty(len(at)), np.empty(2 * len(at))[::2]
        ways = (curve(at), curve(wide[::3]), curve(at[::-1])[::-1], curve(at, out=out),
                curve(at, out=apart), curve(at.astype(">f8")), curve(at.copy(), out=None))
        for got in ways:
            self.assertEqual(got.tobytes(), alone.tobytes())


if __name__ == "__main__":
    runner.main()
