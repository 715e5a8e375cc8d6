# SPDX-License-Identifier: MIT
"""Pictures: the SVG is a whole document with the curve in it; Matplotlib draws the same."""
import unittest
from xml.etree import ElementTree

import numpy as np

import hedge
import runner

SVG = "{http://www.w3.org/2000/svg}"


class Svg(unittest.TestCase):
    def test_is_well_formed_and_says_what_it_is(self):
        for n in (2, 4, 300):
            curve = hedge.Curve(np.linspace(0, 1, n), np.linspace(0.1, 0.9, n), "steffen")
            root = ElementTree.fromstring(curve._repr_svg_())
            self.assertEqual(root.tag, SVG + "svg")
            self.assertEqual(root.get("role"), "img")
            self.assertEqual(root.find(SVG + "title").text, f"Hedge curve, steffen, {n} knots")
            self.assertIn(curve.hash[:12], root.find(SVG + "desc").text)
            self.assertEqual(len(root.findall(f".//{SVG}circle")), n)

    def test_the_line_rises_through_the_knots(self):
        curve = hedge.Curve(runner.SCORES, runner.HEDGES)
        root = ElementTree.fromstring(curve._repr_svg_())
        path = next(p for p in root.iter(SVG + "path") if p.get("class") == "c").get("d")
        points = np.array([[float(v) for v in p.split()] for p in path[1:].split("L")])
        self.assertTrue((np.diff(points[:, 0]) >= 0).all())
        self.assertTrue((np.diff(points[:, 1]) <= 0).all())  # SVG's y points down
        drawn = {tuple(p) for p in points.tolist()}
        for dot in root.iter(SVG + "circle"):
            self.assertIn((float(dot.get("cx")), float(dot.get("cy"))), drawn)
        width, height = float(root.get("width")), float(root.get("height"))
        self.assertTrue(((points > 0) & (points < [width, height])).all())

    def test_closed(self):
        curve = hedge.Curve([0, 1], [0, 1])
        curve.close()
        self.assertIsNone(curve._repr_svg_())


class Plot(unittest.TestCase):
    def test_matplotlib_gets_curve_and_knots(self):
        try:
            import matplotlib
        except ImportError as missing:
            self.skipTest(str(missing))
        matplotlib.use("Agg")
        from matplotlib import pyplot
        curve = hedge.Curve(runner.SCORES, runner.HEDGES)
        ax = curve.plot()
        line, knots = ax.lines
        self.assertEqual(np.column_stack(knots.get_data()).tolist(), curve.knots.tolist())
        x, y = line.get_data()
        self.assertEqual(np.asarray(y).tobytes(), curve(np.asarray(x)).tobytes())
        other = pyplot.figure().add_subplot()
        self.assertIs(curve.plot(other), other)
        pyplot.close("all")

    def test_without_matplotlib_the_error_says_so(self):
        code, _, errors = runner.python(
            "import sys; sys.modules['matplotlib'] = None\n"
            "import hedge; hedge.Curve([0, 1], [0, 1]).plot()")
        self.assertEqual(code, 1)
        self.assertIn("ImportError: Curve.plot needs Matplotlib", errors)

    def test_import_alone_loads_neither_pandas_nor_matplotlib(self):
        code, out, errors = runner.python(
            "import sys, hedge; print([m for m in ('pandas', 'matplotlib') if m in sys.modules])")
        self.assertEqual((code, out.strip()), (0, "[]"), errors)


if __name__ == "__main__":
    runner.main()
