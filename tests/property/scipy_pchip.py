#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random curves against scipy.interpolate.PchipInterpolator, within 1e-12.

usage: scipy_pchip.py LIBHEDGE.so [SEED [CURVES]]

SciPy is given the knots' scores on the library's grid of 2^-30, and asked on grid points.
Exits with 77 where SciPy is not installed.
"""
import ctypes
import sys

try:
    import numpy as np
    import scipy
    from scipy.interpolate import PchipInterpolator
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

STEP = 2.0**-30
LEAST_GAP = 1.000001e-6
TOLERANCE = 1e-12
PCHIP = 0
DOUBLES = np.ctypeslib.ndpointer(np.float64, flags="C_CONTIGUOUS")


def on_grid(score):
    return np.round(score / STEP) * STEP


def load(path):
    """The library with the prototypes that this test needs."""
    lib = ctypes.CDLL(path)
    lib.hedge_curve_new.argtypes = [ctypes.c_int32, DOUBLES, DOUBLES, ctypes.c_size_t,
                                    ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p)]
    lib.hedge_curve_new.restype = ctypes.c_int32
    lib.hedge_curve_eval_n.argtypes = [ctypes.c_void_p, DOUBLES, DOUBLES, ctypes.c_size_t]
    lib.hedge_curve_eval_n.restype = None
    lib.hedge_curve_slope.argtypes = [ctypes.c_void_p, ctypes.c_double]
    lib.hedge_curve_slope.restype = ctypes.c_double
    lib.hedge_curve_free.argtypes = [ctypes.c_void_p]
    lib.hedge_curve_free.restype = None
    return lib


def draw_knots(rng):
    """Gaps and rises over several powers of ten, some of them nothing."""
    n = int(rng.integers(2, [9, 65, 4097][rng.choice(3, p=[0.6, 0.3, 0.1])]))
    gap = 10.0 ** (-6 * rng.random(n - 1)) * (rng.random(n - 1) > 0.2)
    rise = 10.0 ** (-6 * rng.random(n - 1)) * (rng.random(n - 1) > 0.3)
    if gap.sum() == 0:
        gap += 1
    room = 1 - (n - 1) * LEAST_GAP
    width = rng.choice([1.0, rng.random()])
    gap = LEAST_GAP + gap / gap.sum() * room * width
    start = (1 - gap.sum()) * rng.random()
    score = np.clip(start + np.concatenate([[0], np.cumsum(gap)]), 0, 1)
    height = rng.choice([1.0, rng.random()])
    rise = rise / max(rise.sum(), 1e-300) * height
    hedge = np.clip((1 - height) * rng.random() + np.concatenate([[0], np.cumsum(rise)]), 0, 1)
    return np.ascontiguousarray(score), np.ascontiguousarray(np.maximum.accumulate(hedge))


def draw_points(rng, score):
    """Grid points: anywhere, and close to knots."""
    near = rng.choice(score, 128) + rng.integers(-4, 5, 128) * STEP
    points = on_grid(np.concatenate([rng.uniform(score[0], score[-1], 384), near]))
    return np.ascontiguousarray(points[(points >= score[0]) & (points <= score[-1])])


def check_curve(lib, seed):
    """The largest difference of one curve; fails with its seed beyond the tolerance."""
    rng = np.random.default_rng(seed)
    score, hedge = draw_knots(rng)
    curve = ctypes.c_void_p()
    code = lib.hedge_curve_new(PCHIP, score, hedge, len(score), None, ctypes.byref(curve))
    if code != 0:
        sys.exit(f"seed {seed}: hedge_curve_new gave {code} for {list(zip(score, hedge))[:8]}")
    knots = on_grid(score)
    points = draw_points(rng, knots)
    ours = np.empty_like(points)
    lib.hedge_curve_eval_n(curve, points, ours, len(points))
    oracle = PchipInterpolator(knots, hedge)
    apart = np.abs(ours - oracle(points))
    worst = int(np.argmax(apart)) if len(points) else 0
    if len(points) and not apart[worst] <= TOLERANCE:
        sys.exit(f"seed {seed}, {len(score)} knots: at {points[worst]!r} {ours[worst]!r}, "
                 f"scipy {float(oracle(points[worst]))!r}")
    check_slopes(lib, curve, oracle, points[:32], seed)
    lib.hedge_curve_free(curve)
    return float(apart[worst]) if len(points) else 0.0


def check_slopes(lib, curve, oracle, points, seed):
    derivative = oracle.derivative()
    for x in points:
        ours, theirs = lib.hedge_curve_slope(curve, x), float(derivative(x))
        if not abs(ours - theirs) <= 1e-9 * (1 + abs(theirs)):
            sys.exit(f"seed {seed}: slope at {x!r} {ours!r}, scipy {theirs!r}")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    lib = load(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    curves = int(sys.argv[3]) if len(sys.argv) > 3 else 3000
    worst = max(check_curve(lib, seed + i) for i in range(curves))
    print(f"{curves} curves from seed {seed}: at most {worst:.2g} from scipy {scipy.__version__}")


if __name__ == "__main__":
    main()
