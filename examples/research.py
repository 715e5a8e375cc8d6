#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What would the policy have hedged? Years of daily sentiment, sized in one call.

usage: research.py [--policy FILE] [--data FOLDER] [--amount USD] [FIGURE.png|FIGURE.svg]

The scores are the daily fear and greed index divided by 100, each against the
score of the day before. The depths are measured on a recorded order book, and
each day takes the next one of them in turn, since no book covers the years.
Both come from FOLDER (default: ../shared/data beside the repository); where it
is absent, from the made-up sample beside this file. A figure needs Matplotlib.
"""
import argparse
import csv
import gzip
import math
import os
import sys
import zlib
from pathlib import Path

import numpy as np

import hedge

HERE = Path(__file__).resolve().parent
SAMPLE = HERE / "research_sample.csv"
BANDS = ((0.0, 0.25, "extreme fear"), (0.25, 0.45, "fear"), (0.45, 0.55, "neutral"),
         (0.55, 0.75, "greed"), (0.75, 1.01, "extreme greed"))
MS = 1_000_000  # nanoseconds
DEPTHS = 200  # moments at which the book is measured
FIGURES = (".png", ".svg")
# What reading a file may raise that is not what its name says, or not whole.
BAD_FILE = (OSError, EOFError, zlib.error, csv.Error, ValueError, TypeError, KeyError)


def make_sample(days=240, seed=1):
    """The sample's rows: a walk of the index and a depth, by a generator of 31 bits.

    Integers alone, so that it is the same anywhere. The file beside this one
    was written with --make-sample.
    """
    state, index, depth_kusd = seed, 50, 400

    def draw(n):
        nonlocal state
        state = (1103515245 * state + 12345) % 2 ** 31
        return state // 65536 % n
    for day in range(days):
        index = min(99, max(1, index + draw(17) - 8))
        depth_kusd = min(2000, max(5, depth_kusd + draw(121) - 60))
        yield str(np.datetime64("2020-01-01") + day), index, depth_kusd * 1000


def read_scores(path):
    """Dates and scores in [0, 1]."""
    with open(path, encoding="ascii", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise ValueError("there are no rows")
    dates = np.array([row["date"] for row in rows], "M8[D]")
    return dates, np.array([float(row["value"]) for row in rows]) / 100


def depth1pct_usd(book):
    """USD within 1 % of the mid price, both sides; None for an empty or crossed book."""
    if not book["bid"] or not book["ask"]:
        return None
    bid, ask = max(book["bid"]), min(book["ask"])
    if bid >= ask:
        return None
    middle = (bid + ask) / 2
    return sum(price * size for side in book.values() for price, size in side.items()
               if abs(price - middle) <= 0.01 * middle)


def read_depths(path, asset):
    """The book's depth in USD at even steps of its deltas."""
    with gzip.open(path, "rt", encoding="ascii", newline="") as file:
        deltas = [row for row in csv.DictReader(file) if row["asset"] == asset]
    book, depths = {"bid": {}, "ask": {}}, []
    for i, delta in enumerate(deltas, 1):
        if delta["side"] not in book:
            raise ValueError(f"a side is bid or ask, not {delta['side']!r}")
        price, size = float(delta["price"]), float(delta["size"])
        if size > 0:
            book[delta["side"]][price] = size
        else:
            book[delta["side"]].pop(price, None)
        # The first fifth fills the book.
        if i % max(1, len(deltas) // DEPTHS) == 0 and i > len(deltas) // 5:
            depth = depth1pct_usd(book)
            if depth is not None:
                depths.append(depth)
    if not depths:
        raise ValueError(f"there is no book of {asset} with both sides")
    return np.array(depths)


def read_or_stop(reader, path, *arguments):
    """What the reader makes of a file; the program's end where it is not such a file."""
    try:
        return reader(path, *arguments)
    except BAD_FILE as fault:
        what = f"no column {fault}" if isinstance(fault, KeyError) else fault
        sys.exit(f"research: {path} cannot be read: {what}")


def read(folder):
    """Where the series come from; dates, scores and depths."""
    series, book = folder / "fear_greed_daily.csv", folder / "order_book_deltas.csv.gz"
    if series.is_file() and book.is_file():
        dates, scores = read_or_stop(read_scores, series)
        depths = read_or_stop(read_depths, book, "BTC")
        return str(folder), dates, scores, np.resize(depths, len(scores))
    dates, scores = read_scores(SAMPLE)
    with open(SAMPLE, encoding="ascii", newline="") as file:
        depths = np.array([float(row["depth1pct_usd"]) for row in csv.DictReader(file)])
    return f"the made-up sample {SAMPLE.name}", dates, scores, depths


def size(policy, asset, amount_usd, dates, scores, depths):
    """Each day's decision, at that day's midnight with a quote of that moment."""
    previous = np.concatenate([[np.nan], scores[:-1]])  # before the first day: none
    return policy.size_many(asset=asset, amount_usd=amount_usd, score=scores,
                            previous_score=previous, depth1pct_usd=depths,
                            now=dates)


def print_table(scores, decisions):
    print(f"{'sentiment':<14} {'days':>5} {'sized':>6} {'flagged':>8} {'mean hedge':>11} "
          f"{'mean USD':>12}")
    for low, high, name in BANDS:
        rows = (scores >= low) & (scores < high)
        sized = rows & decisions.ok
        if not rows.any():
            continue
        mean = decisions.hedge_pct[sized].mean() if sized.any() else 0.0
        usd = decisions.notional_usd[sized].mean() if sized.any() else 0.0
        flagged = (decisions.flags[sized] != 0).sum()
        print(f"{name:<14} {rows.sum():>5} {sized.sum():>6} {flagged:>8} {mean:>11.1%} "
              f"{usd:>12,.0f}")
    names, counts = np.unique(decisions.status.astype(str), return_counts=True)
    print("decisions: " + ", ".join(f"{n} {c}" for n, c in zip(names, counts)))


def draw(path, curve, dates, scores, decisions):
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    figure, (top, left) = pyplot.subplots(
        1, 2, figsize=(11, 4), width_ratios=(2, 1), layout="constrained")
    ok = decisions.ok
    top.plot(dates, scores, lw=0.7, color="0.6", label="score")
    top.plot(dates[ok], decisions.hedge_pct[ok], lw=1.0, color="C0", label="hedge")
    top.plot(dates[~ok], np.zeros((~ok).sum()), "|", color="C3", label="rejected")
    top.set(ylim=(-0.02, 1), title="Score and hedge by day")
    top.legend(loc="upper left")
    curve.plot(left)
    left.plot(decisions.effective_score[ok], decisions.hedge_pct[ok], ".", ms=3, color="C1")
    left.set_title("The curve, and where the days lie on it")
    figure.savefig(path)


def usd(text):
    """An amount from the command line."""
    amount = float(text)
    if not 0 <= amount < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no amount: a finite number, at least 0")
    return amount


def figure(text):
    """Where to draw, from the command line."""
    if Path(text).suffix.lower() not in FIGURES:
        raise argparse.ArgumentTypeError(f"{text} must end in {' or '.join(FIGURES)}")
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figure", nargs="?", type=figure,
                        help="where to draw: FIGURE.png or FIGURE.svg")
    parser.add_argument("--policy", default=HERE.parent / "configs" / "policy.yaml")
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data")
    parser.add_argument("--asset", default="BTC")
    parser.add_argument("--amount", type=usd, default=250_000.0, help="USD")
    parser.add_argument("--make-sample", action="store_true", help="print the sample and stop")
    given = parser.parse_args()
    if given.make_sample:
        print("date,value,depth1pct_usd")
        for row in make_sample():
            print(*row, sep=",")
        return
    try:
        policy = hedge.Policy.load(given.policy)
        curve = policy.curve(given.asset)
    except hedge.Error as fault:
        sys.exit(f"research: {fault}")
    source, dates, scores, depths = read(given.data)
    try:
        decisions = size(policy, given.asset, given.amount, dates, scores, depths)
    except (OverflowError, ValueError) as fault:
        sys.exit(f"research: {source}: {fault}")
    print(f"{len(scores)} days from {dates[0]} to {dates[-1]}, {source}")
    print(f"{given.asset}, {given.amount:,.0f} USD, policy {policy.hash[:12]}, "
          f"libhedge {hedge.LIBRARY_VERSION}")
    print_table(scores, decisions)
    if given.figure:
        try:
            draw(given.figure, curve, dates, scores, decisions)
        except OSError as fault:
            sys.exit(f"research: {given.figure} cannot be written: {fault.strerror or fault}")
        except ImportError as missing:
            sys.exit(f"research: a figure needs Matplotlib: {missing}")


if __name__ == "__main__":
    try:
        main()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read this has enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
