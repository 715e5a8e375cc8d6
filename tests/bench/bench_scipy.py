# SPDX-License-Identifier: MIT
"""bench_scipy: SciPy's PCHIP over a million scores, nanoseconds a score."""
import time

import numpy as np
from scipy.interpolate import PchipInterpolator

curve = PchipInterpolator([0, 0.3, 0.7, 1], [0.05, 0.25, 0.75, 1])
scores = np.random.default_rng(1).random(1_000_000)
best = 1e9
for _ in range(7):
    begin = time.perf_counter()
    curve(scores)
    best = min(best, time.perf_counter() - begin)
print(f"scipy batch_ns={best * 1e9 / scores.size:.1f}")
