# SPDX-License-Identifier: MIT
"""Curve: what it takes, what it answers, what it is made of."""
import copy
import math
import pickle
import unittest

import numpy as np

import hedge
import runner

STEP = 2.0 ** -30


def default(method="pchip"):
    return hedge.Curve(runner.SCORES, runner.HEDGES, method)


class Named(hedge.Curve):
    """A subclass whose __init__ takes something else."""

    def __init__(self, name):
        super().__init__(runner.SCORES, runner.HEDGES)
        self.name = name


class Values(unittest.TestCase):
    def setUp(self):
        self.curve = default()

    def test_a_number_gives_a_python_float(self):
        for x in (0.3, 0, np.float32(0.5), np.int64(1), np.array(0.25), np.float64(0.3)):
            self.assertIs(type(self.curve(x)), float, repr(x))
        self.assertEqual(self.curve(0.3), 0.25)
        self.assertEqual(self.curve(np.float64(0.7)), 0.75)

    def test_arrays_keep_their_shape(self):
        for shape in ((0,), (1,), (7,), (3, 4), (2, 3, 5), (0, 3), (4, 0)):
            got = self.curve(np.zeros(shape))
            self.assertEqual((got.shape, got.dtype), (shape, np.float64))
            self.assertTrue((got == 0.05).all())

    def test_the_bits_do_not_depend_on_the_way_in(self):
        x = np.random.default_rng(7).uniform(-0.1, 1.1, 4096)
        x[:4] = [np.nan, np.inf, -np.inf, -0.0]
        alone = np.array([self.curve(float(v)) for v in x])
        grid = x.reshape(64, 64)
        wide = np.zeros((64, 128))
        wide[:, ::2] = grid
        packed = np.zeros(4096, [("tag", "i1"), ("x", "f8")])
        packed["x"] = x
        ways = {
            "batch": self.curve(x), "list": self.curve(x.tolist()),
            "reversed": self.curve(x[::-1])[::-1], "big-endian": self.curve(x.astype(">f8")),
            "2-d": self.curve(grid), "Fortran": self.curve(np.asfortranarray(grid)),
            "transposed": self.curve(grid.T).T, "strided": self.curve(wide[:, ::2]),
            "unaligned": self.curve(packed["x"]), "memoryview": self.curve(memoryview(x)),
            "read-only": self.curve(np.broadcast_to(x, (2, 4096)))[1],
        }
        self.assertFalse(packed["x"].flags.aligned)
        for way, got in ways.items():
            self.assertEqual(np.ravel(got).tobytes(), alone.tobytes(), way)

    def test_out_gets_the_bits(self):
        x = np.random.default_rng(8).random((16, 8))
        want = self.curve(x).tobytes()
        fortran = np.empty((16, 8), order="F")
        strided = np.zeros((16, 16))[:, ::2]
        turned = np.empty((16, 8))[::-1]
        for out in (np.empty((16, 8)), fortran, strided, turned):
            self.assertIs(self.curve(x, out=out), out)
            self.assertEqual(out.tobytes(), want)
        self.assertIs(self.curve(np.asfortranarray(x), out=fortran), fortran)
        self.assertEqual(fortran.tobytes(), want)
        zero = np.empty(())
        self.assertIs(self.curve(0.3, out=zero), zero)
        self.assertEqual(zero, 0.25)

    def test_out_may_overlap_the_input(self):
        base = np.random.default_rng(9).random(1001)
        want = self.curve(base[:1000]).tobytes()
        for shift in (0, 1):
            work = base.copy()
            self.curve(work[:1000], out=work[shift:1000 + shift])
            self.assertEqual(work[shift:1000 + shift].tobytes(), want, shift)
        work = base[:1000].copy()
        self.curve(work, out=work[::-1])
        self.assertEqual(work[::-1].tobytes(), want)

    def test_contiguous_arrays_are_not_copied(self):
        import tracemalloc
        x, out = np.full(1 << 20, 0.3), np.empty(1 << 20)
        self.curve(x, out=out)
        tracemalloc.start()
        self.curve(x, out=out)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        self.assertLess(most, x.nbytes // 100)
        self.assertTrue((out == 0.25).all())

    def test_input_is_left_alone(self):
        x = np.array([0.1, 0.2])
        x.flags.writeable = False
        self.curve(x)
        self.assertEqual(x.tolist(), [0.1, 0.2])

    def test_what_is_not_a_number_is_a_type_error(self):
        bad = [None, "0.5", b"0.5", 1j, True, [True], ["a"], [None], [1j], object(), {}, {0.5},
               np.array([1], "M8[ns]"), np.array([1], "m8[s]"), np.ma.masked_array([0.5], [True]),
               np.zeros(2, [("a", float)]), np.array([0.5], object), 10 ** 400, (x for x in [0.5])]
        for x in bad:
            for call in (self.curve, self.curve.slope, self.curve.inverse,
                         self.curve.sensitivity, lambda x: self.curve.area(0.0, x)):
                with self.assertRaises(TypeError, msg=repr(x)):
                    call(x)

    def test_bad_outs(self):
        x = np.zeros(4)
        frozen = np.zeros(4)
        frozen.flags.writeable = False
        for out in ([0.0] * 4, np.zeros(4, np.float32), np.zeros(4, ">f8"), np.zeros(4, int),
                    np.ma.zeros(4), memoryview(x), 1.0):
            with self.assertRaises(TypeError, msg=repr(out)):
                self.curve(x, out=out)
        for out in (np.zeros(3), np.zeros((4, 1)), np.zeros(()), frozen):
            with self.assertRaises(ValueError, msg=repr(out)):
                self.curve(x, out=out)
        with self.assertRaises(ValueError):
            self.curve([[0.1], [0.2, 0.3]])


class Shape(unittest.TestCase):
    def test_slope_is_the_pieces_derivative(self):
        for method in hedge.METHODS:
            curve = default(method)
            for piece in curve.pieces:
                x = (piece.from_score + piece.to_score) / 2
                x = round(x / STEP) * STEP
                e = x - piece.knot
                want = piece.b + e * (2 * piece.c + 3 * e * piece.d)
                self.assertAlmostEqual(curve.slope(x), want, delta=1e-12 * (1 + abs(want)))
        self.assertEqual(default().slope([[-1.0, 2.0]]).tolist(), [[0.0, 0.0]])
        self.assertTrue(math.isnan(default().slope(math.nan)))

    def test_inverse_is_the_least_score(self):
        curve = default()
        h = np.linspace(0.06, 1.0, 50).reshape(5, 10)
        x = curve.inverse(h)
        self.assertEqual(x.shape, h.shape)
        self.assertTrue((curve(x) >= h).all())
        self.assertTrue((curve(x - STEP) < h).all())
        self.assertTrue(math.isnan(curve.inverse(1.5)))
        self.assertEqual(curve.inverse(0.01), 0.0)

    def test_area(self):
        curve = default()
        x = (np.arange(200000) + 0.5) / 200000
        self.assertAlmostEqual(curve.area(0.0, 1.0), curve(x).mean(), delta=1e-9)
        self.assertEqual(curve.area(0.2, 0.6), -curve.area(0.6, 0.2))
        self.assertEqual(curve.area([0.0, 0.5], 1.0).shape, (2,))
        self.assertAlmostEqual(curve.area(1.0, 3.0), 2.0, delta=1e-12)
        self.assertTrue(math.isnan(curve.area(0.0, math.inf)))
        with self.assertRaises(ValueError):
            curve.area([0.0, 0.1], [0.0, 0.1, 0.2])

    def test_sensitivity_against_differences(self):
        curve, h = default(), 1e-6
        x = np.array([[0.05, 0.2, 0.33], [0.5, 0.69, 0.95]])
        got = curve.sensitivity(x)
        self.assertEqual(got.shape, (2, 3, 4))
        self.assertTrue(np.allclose(got.sum(axis=-1), 1.0, atol=1e-13))
        for i in range(1, 3):
            up, down = list(runner.HEDGES), list(runner.HEDGES)
            up[i] += h
            down[i] -= h
            want = (hedge.Curve(runner.SCORES, up)(x) - hedge.Curve(runner.SCORES, down)(x))
            self.assertTrue(np.allclose(got[..., i], want / (2 * h), atol=1e-7), i)
        self.assertEqual(curve.sensitivity(0.5).shape, (4,))
        rows = curve.sensitivity([0.5, math.nan])
        self.assertTrue(np.isnan(rows[1]).all() and not np.isnan(rows[0]).any())

    def test_pieces_are_the_curve(self):
        curve = default()
        pieces = curve.pieces
        self.assertEqual(len(pieces), 6)
        self.assertEqual(pieces[0].from_score, 0.0)
        self.assertEqual(pieces[-1].to_score, 1.0)
        for before, after in zip(pieces, pieces[1:]):
            self.assertEqual(before.to_score, after.from_score)
        for p in pieces:
            x = round((0.7 * p.from_score + 0.3 * p.to_score) / STEP) * STEP
            e = x - p.knot
            self.assertAlmostEqual(curve(x), p.hedge + e * (p.b + e * (p.c + e * p.d)), delta=1e-15)

    def test_certify(self):
        told = []
        certificate = default("steffen").certify(told.append)
        self.assertEqual(certificate.fault, "fine")
        self.assertGreaterEqual(certificate.tried, 2 ** 30 + 1)
        self.assertEqual(told, sorted(told))
        self.assertEqual(told[-1], 1.0)

    def test_an_exception_in_progress_stops(self):
        calls = []

        def stop(share):
            calls.append(share)
            raise KeyError("enough")
        with self.assertRaises(KeyError):
            default().certify(stop)
        self.assertEqual(len(calls), 1)
        with self.assertRaises(TypeError):
            default().certify(progress=3)


class Identity(unittest.TestCase):
    def test_equality_is_by_knots_and_method(self):
        self.assertEqual(default(), default())
        self.assertEqual(len({default(), default(), default("linear")}), 2)
        self.assertNotEqual(default(), default("linear"))
        self.assertNotEqual(default(), "pchip")
        # The digest of the documented bytes, computed a second time.
        import hashlib
        import struct
        knots = [v for pair in zip(runner.SCORES, runner.HEDGES) for v in pair]
        want = hashlib.sha256(struct.pack("<QQ8d", 0, 4, *knots)).hexdigest()
        self.assertEqual(default().hash, want)

    def test_knots_come_back(self):
        curve = default()
        self.assertEqual(curve.knots.tolist(), [list(k) for k in zip(runner.SCORES, runner.HEDGES)])
        curve.knots[:] = 0  # a copy
        self.assertEqual(curve(0.3), 0.25)
        self.assertEqual(curve.method, "pchip")

    def test_copies_stand_alone(self):
        x = np.linspace(0, 1, 1001)
        for method in hedge.METHODS:
            for make in (copy.copy, copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))):
                first = default(method)
                other = make(first)
                first.close()
                self.assertEqual(other, first)
                self.assertEqual(other(x).tobytes(), default(method)(x).tobytes())

    def test_a_subclass_keeps_its_kind_and_attributes(self):
        other = pickle.loads(pickle.dumps(Named("mine")))
        self.assertIs(type(other), Named)
        self.assertEqual((other.name, other(0.3)), ("mine", 0.25))

    def test_repr(self):
        curve = default()
        self.assertEqual(eval(repr(curve), {"Curve": hedge.Curve}), curve)
        many = hedge.Curve(np.linspace(0, 1, 100), np.linspace(0, 1, 100))
        self.assertIn("100 knots", repr(many))
        self.assertLess(len(repr(many)), 120)
        curve.close()
        self.assertEqual(repr(curve), "<Curve, closed>")

    def test_closing(self):
        with default() as curve:
            self.assertEqual(curve(0.3), 0.25)
        curve.close()  # twice is fine
        for use in (lambda: curve(0.3), lambda: curve([0.3]), lambda: curve.knots,
                    lambda: curve.slope(0.1), curve.certify, lambda: pickle.dumps(curve),
                    curve.__enter__, lambda: curve.pieces, curve.plot):
            with self.assertRaisesRegex(hedge.ClosedError, "was closed"):
                use()


class Errors(unittest.TestCase):
    def test_the_knot_is_named(self):
        cases = [
            (([0, 0.5, 0.4], [0, 0.1, 0.2]), 2, "knots[2]"),
            (([0, 0.5, 1.1], [0, 0.1, 0.2]), 2, "knots[2]"),
            (([0, 0.5, 1.0], [0, 0.3, 0.2]), 2, "knots[2]"),
            (([math.nan, 0.5], [0, 0.3]), 0, "knots[0]"),
            (([0, 0.5], [0, math.inf]), 1, "knots[1]"),
            (([0.5], [0.5]), -1, "knots"),
            (([], []), -1, "knots"),
            ((np.linspace(0, 1, 4097), np.linspace(0, 1, 4097)), -1, "knots"),
        ]
        for knots, index, field in cases:
            with self.assertRaises(hedge.CurveError) as caught:
                hedge.Curve(*knots)
            fault = caught.exception
            self.assertIsInstance(fault, ValueError)
            self.assertEqual((fault.index, fault.field, fault.code, fault.name),
                             (index, field, -7, "bad_curve"))
            self.assertIn(field, str(fault))
            again = pickle.loads(pickle.dumps(fault))
            self.assertEqual((str(again), again.index), (str(fault), index))

    def test_shapes_and_methods(self):
        for arguments, error in ((([0, 1], [0, 1, 1]), ValueError), ((0.5, 0.5), ValueError),
                                 (([[0, 1]], [[0, 1]]), ValueError),
                                 (([0, 1], [0, 1], "cubic"), ValueError),
                                 (([0, 1], [0, 1], 0), TypeError),
                                 ((["0", "1"], [0, 1]), TypeError), ((None, None), TypeError)):
            with self.assertRaises(error):
                hedge.Curve(*arguments)

    def test_knots_are_read_through_any_stride(self):
        knots = np.array([runner.SCORES, runner.HEDGES]).T
        self.assertEqual(hedge.Curve(knots[:, 0], knots[:, 1]), default())
        self.assertEqual(hedge.Curve(knots[:, 0].astype(">f8"), knots[:, 1]), default())


if __name__ == "__main__":
    runner.main()
