# SPDX-License-Identifier: MIT
"""Pictures of a curve: a small SVG of our own, and Matplotlib where it is there."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from .array import F64

if TYPE_CHECKING:
    from .curve import Curve

_WIDTH, _HEIGHT = 360, 240
_LEFT, _TOP, _RIGHT, _BOTTOM = 44, 12, 12, 36  # around the plotting area, in pixels
_KNOTS_LARGE = 40  # up to so many knots get a dot of full size


def _grid(curve: Curve) -> F64:
    """Scores to draw at: even ones, and the knots, where the curve bends."""
    scores = np.concatenate([np.linspace(0.0, 1.0, 181), curve.knots[:, 0]])
    return np.asarray(np.unique(scores), np.float64)


def _x(score: float) -> float:
    return _LEFT + score * (_WIDTH - _LEFT - _RIGHT)


def _y(hedge: float) -> float:
    return _TOP + (1.0 - hedge) * (_HEIGHT - _TOP - _BOTTOM)


def _axes() -> list[str]:
    out = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = _x(tick), _y(tick)
        out.append(f'<path class="g" d="M{x:.1f} {_y(0):.1f}V{_y(1):.1f}"/>')
        out.append(f'<path class="g" d="M{_x(0):.1f} {y:.1f}H{_x(1):.1f}"/>')
        out.append(f'<text x="{x:.1f}" y="{_y(0) + 14:.1f}" text-anchor="middle">{tick:g}</text>')
        out.append(
            f'<text x="{_x(0) - 6:.1f}" y="{y + 3.5:.1f}" text-anchor="end">{tick:.0%}</text>'
        )
    middle = _x(0.5)
    out.append(f'<text x="{middle:.1f}" y="{_HEIGHT - 6}" text-anchor="middle">score</text>')
    return out


def svg(curve: Curve) -> str:
    """The curve and its knots as one standalone SVG image."""
    knots, scores = curve.knots, _grid(curve)
    points = zip(scores, np.asarray(curve(scores)))
    path = "L".join(f"{_x(score):.2f} {_y(hedge):.2f}" for score, hedge in points)
    radius = 3.5 if len(knots) <= _KNOTS_LARGE else 1.2
    dots = (
        f'<circle class="k" cx="{_x(s):.2f}" cy="{_y(h):.2f}" r="{radius}"/>'
        for s, h in knots
    )
    title = f"Hedge curve, {curve.method}, {len(knots)} knots"
    low, high = knots[0, 1], knots[-1, 1]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
            f'viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title}">',
            f"<title>{title}</title>",
            f"<desc>Hedge from {low:.4g} to {high:.4g} over scores from 0 to 1; "
            f"curve {curve.hash[:12]}.</desc>",
            # Attributes, not a style sheet: a notebook puts many images on one page.
            '<g fill="currentColor" font-family="sans-serif" font-size="10">',
            *_axes(),
            "</g>",
            f'<path class="c" d="M{path}" fill="none" stroke="#2563c9" stroke-width="2"/>',
            '<g fill="#ffffff" stroke="#2563c9" stroke-width="1.5">',
            *dots,
            "</g>",
            "</svg>",
        ]
    ).replace('class="g" ', 'stroke="currentColor" stroke-opacity="0.2" ')


def plot(curve: Curve, ax: Any) -> Any:
    """Draws on Matplotlib axes; see Curve.plot."""
    if ax is None:
        try:
            pyplot: Any = import_module("matplotlib.pyplot")
        except ImportError as missing:
            raise ImportError(
                "Curve.plot needs Matplotlib: pip install matplotlib, or apt-get install "
                "python3-matplotlib"
            ) from missing
        ax = pyplot.subplots()[1]
    knots, scores = curve.knots, _grid(curve)
    (line,) = ax.plot(scores, curve(scores), label=f"{curve.method}, {len(knots)} knots")
    ax.plot(knots[:, 0], knots[:, 1], "o", color=line.get_color(), mfc="white", clip_on=False)
    ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="score", ylabel="hedge")
    ax.grid(alpha=0.3)
    return ax
