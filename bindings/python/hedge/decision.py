# SPDX-License-Identifier: MIT
"""Decision: how much of one exposure to hedge, and why."""

from __future__ import annotations

from dataclasses import dataclass

from . import layout, status


@dataclass(frozen=True)
class Decision:
    """One decision; a rejection is a decision too.

    Unless `ok`, every amount, weight and score is 0 and `status` names the
    breaker that rejected.
    """

    status: str  # "ok", or the breaker that rejected
    code: int  # the same as a number: 0, or -100 to -199
    flags: tuple[str, ...]  # each breaker that tripped; "override", "floor", "capped"
    asset: str
    amount_usd: float  # as asked
    hedge_pct: float  # share of the exposure to hedge, [0, max_hedge_pct]
    notional_usd: float  # amount_usd * hedge_pct
    confidence: float  # [0, 1]
    score: float  # the score used, [0, 1]: the quote's, or the override
    effective_score: float  # score * liquidity_weight
    liquidity_weight: float  # [0, 1]
    liquidity_quality: float  # [0, 1]
    score_age_ns: int  # now - score_ts, below 0 ahead of now; 0 with an override
    depth_age_ns: int  # now - depth_ts
    ts_ns: int  # now

    @property
    def ok(self) -> bool:
        """Whether there is a hedge to trade."""
        return self.code == status.OK

    @property
    def reason(self) -> str:
        """One sentence for people: what was decided, what rejected, what was marked."""
        text = status.status_text(self.code)
        also = [name for name in self.flags if name != self.status]
        if also:
            text += f" (marked: {', '.join(also)})"
        return text


def from_struct(asset: str, amount_usd: float, out: layout.Decision) -> Decision:
    """The decision as a Python object."""
    return Decision(
        status=status.status_name(out.status),
        code=out.status,
        flags=status.flag_names(out.flags),
        asset=asset,
        amount_usd=amount_usd,
        hedge_pct=out.hedge_pct,
        notional_usd=out.notional_usd,
        confidence=out.confidence,
        score=out.score,
        effective_score=out.effective_score,
        liquidity_weight=out.liquidity_weight,
        liquidity_quality=out.liquidity_quality,
        score_age_ns=out.score_age_ns,
        depth_age_ns=out.depth_age_ns,
        ts_ns=out.ts_ns,
    )
