# SPDX-License-Identifier: MIT
"""bench_scipy: SciPy's PCHIP over a million scores.

Prints rows: batch, knots, SciPy, nanoseconds a score."""
import time

import numpy as np
from scipy.interpolate import PchipInterpolator

ROUNDS = 7
SCORES = np.random.default_rng(1).random(1_000_000)


def knots(n):
    if n == 4:
        return [0, 0.3, 0.7, 1], [0.05, 0.25, 0.75, 1]
    hedge = np.cumsum(np.random.default_rng(n).random(n))
    return np.linspace(0, 1, n), hedge / hedge[-1]


for n in (4, 16, 64, 1024):
    curve = PchipInterpolator(*knots(n))
    best = 1e9
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        curve(SCORES)
        best = min(best, time.perf_counter() - begin)
    print(f"batch\t{n}\tSciPy\t{best * 1e9 / SCORES.size:.2f}")
