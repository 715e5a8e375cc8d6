# SPDX-License-Identifier: MIT
"""The installed library from plain ctypes: load, evaluate, size, compare.

    ctypes_client.py PREFIX
"""
import ctypes as c
import glob
import hashlib
import math
import sys


class Error(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("code", c.c_int32), ("line", c.c_int32),
                ("index", c.c_int32), ("file", c.c_char * 256), ("field", c.c_char * 96),
                ("message", c.c_char * 256)]


class Request(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("asset", c.c_int32), ("amount_usd", c.c_double),
                ("override_score", c.c_double), ("flags", c.c_uint32), ("reserved", c.c_uint32)]


class Quote(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("flags", c.c_uint32), ("score", c.c_double),
                ("previous_score", c.c_double), ("confidence", c.c_double),
                ("score_ts_ns", c.c_int64), ("depth1pct_usd", c.c_double),
                ("depth_ts_ns", c.c_int64)]


class Decision(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("status", c.c_int32), ("flags", c.c_uint32),
                ("asset", c.c_int32), ("hedge_pct", c.c_double), ("notional_usd", c.c_double),
                ("confidence", c.c_double), ("score", c.c_double),
                ("liquidity_weight", c.c_double), ("effective_score", c.c_double),
                ("liquidity_quality", c.c_double), ("score_age_ns", c.c_int64),
                ("depth_age_ns", c.c_int64), ("ts_ns", c.c_int64)]


def sized(kind, **members):
    return kind(struct_size=c.sizeof(kind), **members)


def declared(path):
    lib = c.CDLL(path)
    lib.hedge_policy_load.argtypes = [c.c_char_p, c.POINTER(Error), c.POINTER(c.c_void_p)]
    lib.hedge_policy_asset.argtypes = [c.c_void_p, c.c_char_p]
    lib.hedge_policy_curve.argtypes = [c.c_void_p, c.c_int32]
    lib.hedge_policy_curve.restype = c.c_void_p
    lib.hedge_policy_text.argtypes = [c.c_void_p, c.POINTER(c.c_size_t)]
    lib.hedge_policy_text.restype = c.c_char_p
    lib.hedge_policy_hash_hex.argtypes = [c.c_void_p]
    lib.hedge_policy_hash_hex.restype = c.c_char_p
    lib.hedge_policy_free.argtypes = [c.c_void_p]
    lib.hedge_policy_free.restype = None
    lib.hedge_curve_eval.argtypes = [c.c_void_p, c.c_double]
    lib.hedge_curve_eval.restype = c.c_double
    lib.hedge_curve_eval_n.argtypes = [c.c_void_p, c.POINTER(c.c_double), c.POINTER(c.c_double),
                                       c.c_size_t]
    lib.hedge_curve_eval_n.restype = None
    lib.hedge_size.argtypes = [c.c_void_p, c.POINTER(Request), c.POINTER(Quote), c.c_int64,
                               c.POINTER(Decision)]
    return lib


def check_errors(lib):
    error, policy = sized(Error), c.c_void_p(1)
    assert lib.hedge_policy_load(b"/nowhere.yaml", error, policy) == -4  # HEDGE_E_IO
    assert policy.value is None and error.file == b"/nowhere.yaml" and error.message, error


def check_curve(lib, curve):
    for score, hedge in ((0.0, 0.05), (0.3, 0.25), (0.7, 0.75), (1.0, 1.0)):
        assert lib.hedge_curve_eval(curve, score) == hedge, score
    assert math.isnan(lib.hedge_curve_eval(curve, math.nan))
    n = 1001
    scores = (c.c_double * n)(*(i / (n - 1) for i in range(n)))
    hedges = (c.c_double * n)()
    lib.hedge_curve_eval_n(curve, scores, hedges, n)
    assert list(hedges) == [lib.hedge_curve_eval(curve, s) for s in scores]
    assert list(hedges) == sorted(hedges)


def check_size(lib, policy, curve):
    """The shipped policy: weight depth / (depth + 500000), the curve at the product."""
    now = 1_700_000_000_000_000_000
    quote = sized(Quote, flags=1 | 4, score=0.62, confidence=0.9, score_ts_ns=now,
                  depth1pct_usd=780341.2, depth_ts_ns=now)
    request = sized(Request, asset=lib.hedge_policy_asset(policy, b"BTC"), amount_usd=250000.0)
    decision = sized(Decision)
    assert lib.hedge_size(policy, request, quote, now, decision) == 0
    weight = 780341.2 / (780341.2 + 500000)
    assert math.isclose(decision.liquidity_weight, weight, rel_tol=1e-14)
    assert decision.hedge_pct == lib.hedge_curve_eval(curve, decision.effective_score)
    assert decision.notional_usd == 250000.0 * decision.hedge_pct > 0


def main(prefix):
    found = glob.glob(prefix + "/lib*/**/libhedge.so", recursive=True)
    lib = declared(found[0])
    error, policy = sized(Error), c.c_void_p()
    code = lib.hedge_policy_load((prefix + "/etc/hedge/policy.yaml").encode(), error, policy)
    assert code == 0, (error.file, error.line, error.field, error.message)
    curve = lib.hedge_policy_curve(policy, lib.hedge_policy_asset(policy, b"BTC"))
    n = c.c_size_t()
    text = lib.hedge_policy_text(policy, n)
    assert len(text) == n.value
    assert hashlib.sha256(text).hexdigest() == lib.hedge_policy_hash_hex(policy).decode()
    check_errors(lib)
    check_curve(lib, curve)
    check_size(lib, policy, curve)
    lib.hedge_policy_free(policy)


if __name__ == "__main__":
    main(sys.argv[1])
