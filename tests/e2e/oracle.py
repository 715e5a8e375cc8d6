# SPDX-License-Identifier: MIT
"""What a decision must be, computed a second time from the design alone.

Nothing here calls the library. Curves are cubic polynomials over exact
fractions, so the only rounding is the last one; the rest is plain floats. A
policy is a dict in the words of the YAML file (see policy()), which is also
its YAML text, because JSON is YAML.
"""
import decimal
import json
import math
from fractions import Fraction

STEP = 2 ** 30  # scores and knots lie on a grid of 2^-30
MS = 1_000_000  # nanoseconds

BREAKERS = ("halted", "unknown_asset", "no_quote", "bad_amount", "max_amount", "bad_override",
            "bad_quote", "clock_skew", "stale_score", "stale_depth", "score_jump", "min_depth",
            "extreme_score", "min_confidence")
MARKS = {"override": 29, "floor": 30, "capped": 31}
CODE = {name: -100 - i for i, name in enumerate(BREAKERS)}
NAMES = {code: name for name, code in CODE.items()}

DEFAULT_KNOTS = [[0.0, 0.05], [0.3, 0.25], [0.7, 0.75], [1.0, 1.0]]
DEFAULTS = {
    "curve": {"method": "pchip", "knots": DEFAULT_KNOTS},
    "max_hedge_pct": 1.0,
    "liquidity": {"weight": "ratio", "half_depth_usd": 500000.0},
    "confidence": {"blend": "min", "freshness": "none"},
    "limits": {
        "stale_score_ms": 3000.0, "stale_depth_ms": 5000.0, "max_clock_skew_ms": 250.0,
        "extreme_score": {"below": 0.1, "above": 0.9, "action": "flag"},
        "max_score_jump": 1.0, "min_depth_usd": 10000.0, "max_amount_usd": 1.0e9,
        "min_confidence": 0.0,
    },
}
ASSETS = ("BTC", "ETH", "LTC", "XRP")
HOUR_MS = 3600000.0


def policy(limits=None, assets=ASSETS, calm=False, **changes):
    """The default policy with changes; calm=True: quotes stay fresh for an hour."""
    out = json.loads(json.dumps(DEFAULTS))
    if calm:
        out["limits"].update(stale_score_ms=HOUR_MS, stale_depth_ms=HOUR_MS)
    out["limits"].update(limits or {})
    out.update(changes)
    out["assets"] = assets if isinstance(assets, dict) else {name: {} for name in assets}
    return out


def text(rules):
    """The policy as YAML text (JSON in fact), knots written as mappings."""
    def spell(node):
        if isinstance(node, dict):
            return {k: [{"score": s, "hedge": h} for s, h in v]
                    if k == "knots" and isinstance(v, list) else spell(v)
                    for k, v in node.items()}
        return node
    return json.dumps(spell(rules), indent=1) + "\n"


def _lay_over(base, change):
    """A bare number under limits changes the limit and keeps the action it inherits."""
    if not isinstance(base, dict):
        return change if not isinstance(change, dict) or base is None \
            else {"limit": base, **change}
    if not isinstance(change, dict):
        return {**base, "limit": change}
    return {**base, **{k: _lay_over(base.get(k), v) for k, v in change.items()}}


def of_asset(rules, asset):
    """The rules of one asset: the policy's own, with the asset's on top."""
    shared = {k: v for k, v in rules.items() if k != "assets"}
    return _lay_over(shared, rules["assets"][asset] or {})


# ---- the curve ------------------------------------------------------------------------------

def snap(score):
    """The nearest grid point, ties to even, as an exact fraction."""
    return Fraction(round(Fraction(score) * STEP), STEP)


def _sign(x):
    return (x > 0) - (x < 0)


def _end_slope(h0, h1, m0, m1):
    d = ((2 * h0 + h1) * m0 - h0 * m1) / (h0 + h1)
    if _sign(d) != _sign(m0):
        return Fraction(0)
    if _sign(m0) != _sign(m1) and abs(d) > 3 * abs(m0):
        return 3 * m0
    return d


def slopes(method, x, y):
    """The derivative at each knot. Fritsch and Butland (1984), Steffen (1990)."""
    n = len(x)
    h = [x[i + 1] - x[i] for i in range(n - 1)]
    m = [(y[i + 1] - y[i]) / h[i] for i in range(n - 1)]
    if n == 2:
        return [m[0], m[0]]
    out = [Fraction(0)] * n
    for i in range(1, n - 1):
        a, b = m[i - 1], m[i]
        if method == "pchip":
            if a * b > 0:
                w1, w2 = 2 * h[i] + h[i - 1], h[i] + 2 * h[i - 1]
                out[i] = (w1 + w2) / (w1 / a + w2 / b)
        else:
            p = (a * h[i] + b * h[i - 1]) / (h[i - 1] + h[i])
            out[i] = (_sign(a) + _sign(b)) * min(abs(a), abs(b), abs(p) / 2)
    if method == "pchip":
        out[0] = _end_slope(h[0], h[1], m[0], m[1])
        out[-1] = _end_slope(h[-1], h[-2], m[-1], m[-2])
    else:
        out[0], out[-1] = m[0], m[-1]
    return out


class Curve:
    def __init__(self, method, knots):
        self.method = method
        self.x = [snap(s) for s, _ in knots]
        self.y = [Fraction(h) for _, h in knots]
        self.d = None if method == "linear" else slopes(method, self.x, self.y)
        self.cache = {}

    def exact(self, score):
        x, y, s = self.x, self.y, snap(score)
        if s <= x[0]:
            return y[0]
        if s >= x[-1]:
            return y[-1]
        i = max(k for k in range(len(x)) if x[k] <= s)
        h = x[i + 1] - x[i]
        t = (s - x[i]) / h
        if self.d is None:
            return y[i] + (y[i + 1] - y[i]) * t
        u = 1 - t
        return (y[i] * (1 + 2 * t) * u * u + y[i + 1] * (3 - 2 * t) * t * t
                + h * t * u * (self.d[i] * u - self.d[i + 1] * t))

    def __call__(self, score):
        if score != score:
            return score
        if score not in self.cache:
            if len(self.cache) > 100000:
                self.cache.clear()
            self.cache[score] = float(self.exact(score))
        return self.cache[score]


_curves = {}


def curve_of(rules):
    spec = rules["curve"]
    key = json.dumps([spec["method"], spec["knots"]])
    if key not in _curves:
        _curves[key] = Curve(spec["method"], spec["knots"])
    return _curves[key]


# ---- liquidity and confidence ---------------------------------------------------------------

def weight(liquidity, depth):
    if liquidity["weight"] == "ratio":
        return depth / (depth + liquidity.get("half_depth_usd", 500000.0))
    with decimal.localcontext() as context:
        context.prec = 40

        def log1p(usd):
            fraction, exponent = math.frexp(usd)  # depths are cut to 32 significant bits
            cut = math.ldexp(math.floor(fraction * 2 ** 32), exponent - 32)
            return (decimal.Decimal(cut) + 1).ln()
        return min(1.0, float(log1p(depth) / log1p(liquidity["full_depth_usd"])))


def blend(rule, a, b):
    if rule == "min":
        return min(a, b)
    if rule == "harmonic":
        return 2 * a * b / (a + b) if a + b > 0 else 0.0
    if rule == "geometric":
        return math.sqrt(a * b)
    return a * b


# ---- one decision ---------------------------------------------------------------------------

def _limit(rules, name):
    """(value, action, floor) of a breaker; the field in the policy has the unit in its name."""
    value = rules["limits"].get(name)
    if isinstance(value, dict):
        return value.get("limit"), value.get("action", "reject"), value.get("floor", 0.0)
    return value, "reject", 0.0


def _between(x, low, high):
    return x is not None and low <= x <= high


def _usable(request, quote):
    """The quote without the parts that are out of range."""
    out = dict(quote)
    if request.get("override_score") is None and "score" in quote and not (
            _between(quote["score"], 0, 1) and _between(quote["confidence"], 0, 1)):
        del out["score"]
    if "depth1pct_usd" in quote and not 0 <= quote["depth1pct_usd"] < math.inf:
        del out["depth1pct_usd"]
    return out


def checks(rules, request, quote, now_ns):
    """Each check in order until the confidence's: (breaker, its field, whether it holds)."""
    amount, override = request["amount_usd"], request.get("override_score")
    here, there = "score" in quote, "depth1pct_usd" in quote

    def limit(field):
        return _limit(rules, field)[0]
    yield "halted", "halted", not quote.get("halted")
    yield "no_quote", "no_quote", (here or override is not None) and there
    yield "bad_amount", "bad_amount", 0 <= amount < math.inf
    yield "max_amount", "max_amount_usd", amount <= limit("max_amount_usd")
    yield "bad_override", "bad_override", override is None or _between(override, 0, 1)
    good = _usable(request, quote)  # what is bad is not looked at any further
    yield "bad_quote", "bad_quote", len(good) == len(quote)
    score, there = "score" in good and override is None, "depth1pct_usd" in good
    ages = ([now_ns - quote["score_ts_ns"]] if score else [0],
            [now_ns - quote["depth_ts_ns"]] if there else [0])
    yield "clock_skew", "max_clock_skew_ms", all(
        -age <= limit("max_clock_skew_ms") * MS for age in ages[0] + ages[1])
    yield "stale_score", "stale_score_ms", ages[0][0] <= limit("stale_score_ms") * MS
    yield "stale_depth", "stale_depth_ms", ages[1][0] <= limit("stale_depth_ms") * MS
    jump = abs(quote["score"] - quote["previous_score"]) \
        if score and quote.get("previous_score") is not None else 0
    yield "score_jump", "max_score_jump", jump <= limit("max_score_jump")
    yield "min_depth", "min_depth_usd", not there or quote["depth1pct_usd"] >= limit("min_depth_usd")
    extreme = rules["limits"]["extreme_score"]
    yield "extreme_score", "extreme_score", \
        not score or extreme["below"] <= quote["score"] <= extreme["above"]


def _numbers(rules, request, quote, now_ns):
    """What score and depth say; 0 for what is not there, or no number to work with."""
    override = request.get("override_score")
    out = dict(ZERO)
    if override is not None or "score" in quote:
        out["score"] = quote["score"] if override is None else override
    if "depth1pct_usd" not in quote:
        return out
    out["liquidity_weight"] = weight(rules["liquidity"], quote["depth1pct_usd"])
    out["liquidity_quality"] = out["liquidity_weight"]
    if rules["confidence"].get("freshness") == "linear":
        age_ms = max(0, now_ns - quote["depth_ts_ns"]) / MS
        out["liquidity_quality"] *= max(0.0, 1 - age_ms / _limit(rules, "stale_depth_ms")[0])
    if override is not None or "score" in quote:
        out["effective_score"] = out["score"] * out["liquidity_weight"]
        model = quote["confidence"] if override is None else 1.0
        out["confidence"] = blend(rules["confidence"]["blend"], model, out["liquidity_quality"])
    return out


ZERO = dict.fromkeys(("score", "liquidity_weight", "effective_score", "liquidity_quality",
                      "hedge_pct", "notional_usd", "confidence"), 0.0)


def decide(rules, asset, request, quote, now_ns=0):
    """The decision: its breaker (None: an answer), its flags and its numbers.

    quote has score, previous_score, confidence, score_ts_ns, depth1pct_usd,
    depth_ts_ns, halted; what has never arrived is absent."""
    if quote.get("halted"):
        return {"breaker": "halted", "flags": ["halted"], **ZERO}
    if asset not in rules["assets"]:
        return {"breaker": "unknown_asset", "flags": ["unknown_asset"], **ZERO}
    rules = of_asset(rules, asset)
    flags = ["override"] if request.get("override_score") is not None else []
    floors = []

    def trips(name, field):
        flags.append(name)
        _, action, floor = _limit(rules, field)
        if action == "floor":
            floors.append(floor)
        return action == "reject"
    for name, field, holds in checks(rules, request, quote, now_ns):
        if not holds and trips(name, field):
            return {"breaker": name, "flags": flags, **ZERO}
    quote = _usable(request, quote)
    out = _numbers(rules, request, quote, now_ns)
    if "depth1pct_usd" in quote and ("score" in quote or "override" in flags):
        if not out["confidence"] >= _limit(rules, "min_confidence")[0] \
                and trips("min_confidence", "min_confidence"):
            return {"breaker": "min_confidence", "flags": flags, **ZERO}
    pct = max(floors) if floors else curve_of(rules)(out["effective_score"])
    if floors:
        flags.append("floor")
        out["confidence"] = 0.0
    if pct > rules["max_hedge_pct"]:
        flags.append("capped")
        pct = rules["max_hedge_pct"]
    return {**out, "breaker": None, "flags": flags, "hedge_pct": pct,
            "notional_usd": request["amount_usd"] * pct}


NUMBERS = ("hedge_pct", "notional_usd", "confidence", "score", "effective_score",
           "liquidity_weight")


def close(a, b, scale=1.0):
    return abs(a - b) <= 1e-12 * max(abs(a), abs(b)) + 1e-12 * scale


def differences(answer, expected, names=NUMBERS):
    """What in a 200 answer of POST /hedge is not as the oracle says; [] if all is."""
    wrong = [f"{name} is {answer.get(name)!r}, the oracle has {expected[name]!r}"
             for name in names
             if not isinstance(answer.get(name), (int, float))
             or not close(answer[name], expected[name])]
    if set(answer.get("flags", [])) != set(expected["flags"]):
        wrong.append(f"flags are {answer.get('flags')}, the oracle has {expected['flags']}")
    return wrong


# ---- the order book -------------------------------------------------------------------------

class Book:
    """A level-2 book from deltas: size is absolute, 0 removes the level."""

    def __init__(self):
        self.sides = {"bid": {}, "ask": {}}

    def apply(self, side, price, size):
        if size == 0:
            self.sides[side].pop(price, None)
        else:
            self.sides[side][price] = size

    def best(self):
        return max(self.sides["bid"]), min(self.sides["ask"])

    def depth1pct(self):
        """The USD (price x size) resting within 1 % of the mid price, both sides."""
        bid, ask = self.best()
        mid = (bid + ask) / 2
        return math.fsum(price * size for side in self.sides.values()
                         for price, size in side.items() if abs(price - mid) <= mid / 100)
