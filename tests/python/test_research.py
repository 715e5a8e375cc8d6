# SPDX-License-Identifier: MIT
"""examples/research.py against the package that is installed (or on PYTHONPATH)."""
import gzip
import os
import re
import subprocess
import sys
import tempfile
import unittest
from xml.etree import ElementTree

import numpy as np

import hedge
import runner

SCRIPT = os.path.join(runner.ROOT, "examples", "research.py")
DATA = os.path.join(os.path.dirname(runner.ROOT), "shared", "data")
sys.path.insert(0, os.path.dirname(SCRIPT))
import research  # noqa: E402


def run(*arguments):
    done = subprocess.run([sys.executable, "-B", SCRIPT, *arguments], capture_output=True,
                          text=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


class Research(unittest.TestCase):
    def assert_table(self, out, days):
        self.assertIn(f"{days} days from", out)
        rows = re.findall(r"^(\w[\w ]*?) +(\d+) +(\d+) +(\d+) +([\d.]+)% +([\d,]+)$", out, re.M)
        self.assertEqual(sum(int(row[1]) for row in rows), days, out)
        means = [float(row[4]) for row in rows]
        self.assertGreater(means[-1], means[0])  # greed is hedged more than fear
        counts = re.search(r"^decisions: (.*)$", out, re.M).group(1)
        self.assertEqual(sum(int(n) for n in re.findall(r" (\d+)", counts)), days)

    def test_the_sample_is_what_its_generator_writes(self):
        with open(research.SAMPLE, encoding="ascii") as file:
            self.assertEqual(file.read(), run("--make-sample")[1])

    def test_on_the_sample(self):
        code, out, errors = run("--data", "/nowhere")
        self.assertEqual((code, errors), (0, ""))
        self.assertIn("made-up sample", out)
        self.assert_table(out, 240)

    def test_on_the_real_series(self):
        if not os.path.isdir(DATA):
            self.skipTest(f"{DATA} is absent")
        code, out, errors = run("--data", DATA)
        self.assertEqual((code, errors), (0, ""))
        self.assert_table(out, 2260)

    def test_depths_are_those_of_the_book(self):
        """Figures that were computed independently of this project."""
        if not os.path.isdir(DATA):
            self.skipTest(f"{DATA} is absent")
        import csv
        import gzip
        book, want = {"bid": {}, "ask": {}}, {1430439606553: 78034.12, 1430456415625: 83989.49}
        got = {}
        with gzip.open(os.path.join(DATA, "order_book_deltas.csv.gz"), "rt") as file:
            rows = [row for row in csv.DictReader(file) if row["asset"] == "BTC"]
        for row, after in zip(rows, rows[1:] + [{"ts_ms": "0"}]):
            price, size = float(row["price"]), float(row["size"])
            if size > 0:
                book[row["side"]][price] = size
            else:
                book[row["side"]].pop(price, None)
            if int(row["ts_ms"]) in want and after["ts_ms"] != row["ts_ms"]:
                got[int(row["ts_ms"])] = round(research.depth1pct_usd(book), 2)
        self.assertEqual(got, want)
        depths = research.read_depths(os.path.join(DATA, "order_book_deltas.csv.gz"), "BTC")
        self.assertGreater(len(depths), 100)
        self.assertTrue(((depths > 0) & (depths < 1e6)).all())

    def test_a_day_by_itself(self):
        policy = hedge.Policy.load(runner.POLICY)
        dates = np.array(["2024-01-01", "2024-01-02"], "M8[D]")
        got = research.size(policy, "BTC", 1000.0, dates, np.array([0.5, 0.6]),
                            np.array([1e6, 5e3]))
        one = policy.size("BTC", 1000.0, score=0.5, depth1pct_usd=1e6, now=dates[0])
        self.assertEqual(got.notional_usd[0], one.notional_usd)
        self.assertEqual(got.status.tolist(), ["ok", "min_depth"])

    def test_figures(self):
        try:
            import matplotlib  # noqa: F401
        except ImportError as missing:
            self.skipTest(str(missing))
        with tempfile.TemporaryDirectory() as folder:
            png, svg = os.path.join(folder, "a.png"), os.path.join(folder, "a.svg")
            for path in (png, svg):
                code, _, errors = run("--data", "/nowhere", path)
                self.assertEqual((code, errors), (0, ""))
            with open(png, "rb") as file:
                self.assertEqual(file.read(8), b"\x89PNG\r\n\x1a\n")
            self.assertTrue(ElementTree.parse(svg).getroot().tag.endswith("svg"))

    def assert_ends(self, want, arguments, said):
        """With one line of its own, or argparse's usage and a line, and no traceback."""
        code, _, errors = run(*arguments)
        self.assertEqual(code, want, errors)
        self.assertNotIn("Traceback", errors)
        self.assertRegex(errors.splitlines()[-1], f"^research(.py: error)?: .*{said}")

    def test_bad_arguments(self):
        for amount in ("nan", "inf", "-1", "1e999", "much"):
            self.assert_ends(2, ["--data", "/nowhere", f"--amount={amount}"], amount)
        for name in ("a.xyz", "figure", "a.txt"):
            self.assert_ends(2, ["--data", "/nowhere", name], r"must end in \.png or \.svg")
        self.assert_ends(1, ["--data", "/nowhere", "--asset", "DOGE"], "no asset 'DOGE'")

    def test_a_figure_that_cannot_be_written(self):
        try:
            import matplotlib  # noqa: F401
        except ImportError as missing:
            self.skipTest(str(missing))
        for path in ("/nowhere/a.png", "/dev/null/a.svg"):
            self.assert_ends(1, ["--data", "/nowhere", path], f"{path} cannot be written: ")

    def test_bad_data(self):
        good = b"date,value\n2024-01-01,50\n2024-01-02,60\n"
        head = "asset,side,price,size\n"
        book = gzip.compress((head + "BTC,bid,99,1\nBTC,ask,101,1\nBTC,bid,98,1\n" * 2).encode())
        series = (b"", b"date,value\n", b"day,value\n2024-01-01,50\n", b"date,value\n2024-01-01\n",
                  b"date,value\nyesterday,50\n", b"date,value\n2024-01-01,high\n", b"\xff\xfe",
                  b"date,value\n9999-12-31,50\n", b"date,value\nNaT,50\n")
        books = (b"", b"no gzip", book[:-9], book[:20] + b"\xff" * 40,
                 gzip.compress(head.encode()), gzip.compress(b"a,b\n1,2\n"),
                 gzip.compress((head + "BTC,bid,99,x\n").encode()),
                 gzip.compress((head + "BTC,left,99,1\n").encode()))
        with tempfile.TemporaryDirectory() as folder:
            names = [os.path.join(folder, name)
                     for name in ("fear_greed_daily.csv", "order_book_deltas.csv.gz")]
            cases = [(good, book)] + [(s, book) for s in series] + [(good, b) for b in books]
            for i, contents in enumerate(cases):
                for name, content in zip(names, contents):
                    with open(name, "wb") as file:
                        file.write(content)
                with self.subTest(contents):
                    if i == 0:
                        code, out, errors = run("--data", folder)
                        self.assertEqual((code, errors), (0, ""))
                        self.assertIn("2 days from", out)
                    else:
                        self.assert_ends(1, ["--data", folder], re.escape(folder))

    def test_a_reader_that_has_enough(self):
        read, write = os.pipe()
        os.close(read)
        for arguments in (["--make-sample"], ["--data", "/nowhere"]):
            done = subprocess.run([sys.executable, "-B", SCRIPT, *arguments], stdout=write,
                                  stderr=subprocess.PIPE, text=True, timeout=120, check=False)
            self.assertEqual((done.returncode, done.stderr), (1, ""))
        os.close(write)

    def test_a_bad_policy_is_named(self):
        code, out, errors = run("--policy", "/nowhere/policy.yaml")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("research: /nowhere/policy.yaml: cannot be opened", errors)


if __name__ == "__main__":
    runner.main()
