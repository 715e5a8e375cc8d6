# SPDX-License-Identifier: MIT
"""Rules: what a policy says of one asset, defaults and overrides resolved."""

from __future__ import annotations

from dataclasses import dataclass

from . import layout
from .status import BREAKERS

WEIGHTS = ("ratio", "log")
BLENDS = ("min", "harmonic", "geometric", "product")
FRESHNESSES = ("none", "linear")
ACTIONS = ("reject", "floor", "flag")


@dataclass(frozen=True)
class Limit:
    """One breaker's setting.

    The unit of `limit` is that of the policy's field (ms, USD or a ratio);
    `upper` is used by extreme_score alone. `action` is "reject", "floor" or
    "flag"; `floor` the hedge answered under "floor", [0, 1].
    """

    limit: float
    upper: float
    floor: float
    action: str


@dataclass(frozen=True)
class Rules:
    """The rules of one asset.

    `weight` is "ratio" or "log", `blend` "min", "harmonic", "geometric" or
    "product", `freshness` "none" or "linear"; depths in USD, above 0;
    max_hedge_pct in [0, 1]; `limits` by the breaker's name.
    """

    weight: str
    blend: str
    freshness: str
    half_depth_usd: float
    full_depth_usd: float
    max_hedge_pct: float
    limits: dict[str, Limit]


def from_struct(rules: layout.Rules) -> Rules:
    """The rules as Python objects."""
    limits = {
        name: Limit(each.limit, each.upper, each.floor, ACTIONS[each.action])
        for name, each in zip(BREAKERS, rules.limits)
    }
    return Rules(
        WEIGHTS[rules.weight],
        BLENDS[rules.blend],
        FRESHNESSES[rules.freshness],
        rules.half_depth_usd,
        rules.full_depth_usd,
        rules.max_hedge_pct,
        limits,
    )
