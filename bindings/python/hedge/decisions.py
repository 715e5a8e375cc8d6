# SPDX-License-Identifier: MIT
"""Decisions: many of them, a column each of what came out."""

from __future__ import annotations

from dataclasses import dataclass, fields
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import status
from .array import F64, I64


@dataclass(frozen=True, eq=False)
class Decisions:
    """The columns of `Policy.size_many`, each shaped as the inputs are together.

    As in Decision: unless `code` is 0, a row's amounts, weights and scores
    are 0. `flags` are bits; `flag` and `flag_names` read them.
    """

    code: NDArray[np.int32]
    flags: NDArray[np.uint32]
    hedge_pct: F64
    notional_usd: F64
    confidence: F64
    score: F64
    effective_score: F64
    liquidity_weight: F64
    liquidity_quality: F64
    score_age_ns: I64
    depth_age_ns: I64

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> Decisions:
        """Columns to be filled."""
        return cls(*(np.zeros(shape, DTYPES[field.name]) for field in fields(cls)))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of every column."""
        return self.code.shape

    def __len__(self) -> int:
        return len(self.code)

    @property
    def ok(self) -> NDArray[np.bool_]:
        """Where there is a hedge to trade."""
        return np.asarray(self.code == status.OK)

    @property
    def status(self) -> NDArray[np.object_]:
        """Each row's status by name: "ok", or the breaker that rejected."""
        codes, at = np.unique(self.code, return_inverse=True)
        names = np.array([status.status_name(int(code)) for code in codes] or [""], np.object_)
        out = np.empty(self.shape, np.object_)  # one decision, too, is an array: of no axes
        out[...] = names[at.reshape(self.shape)]
        return out

    def flag(self, name: str) -> NDArray[np.bool_]:
        """Where a flag is set, by the name of a breaker or "override", "floor", "capped"."""
        if name not in status.FLAGS:
            raise ValueError(f"no flag {name!r}; known: {', '.join(status.FLAGS)}")
        return np.asarray((self.flags >> np.uint32(status.FLAGS[name]) & np.uint32(1)) != 0)

    @property
    def structured(self) -> NDArray[np.void]:
        """All columns as one structured array (a copy), a field each."""
        out = np.empty(self.shape, [(field.name, DTYPES[field.name]) for field in fields(self)])
        for field in fields(self):
            out[field.name] = getattr(self, field.name)
        return out

    def to_frame(self, index: Any = None) -> Any:
        """A pandas DataFrame of all columns and `status`; a single decision is one row.

        Decisions of more than one dimension are a ValueError.
        """
        if len(self.shape) > 1:
            raise ValueError(
                f"decisions of shape {self.shape} are no rows of a frame; "
                "size columns of one dimension, or use .structured"
            )
        pandas: Any = import_module("pandas")  # only who asks for a frame needs it
        columns: dict[str, Any] = {"status": np.atleast_1d(self.status)}
        for field in fields(self):
            columns[field.name] = np.atleast_1d(getattr(self, field.name))
        return pandas.DataFrame(columns, index=index)


DTYPES: dict[str, Any] = {
    "code": np.int32,
    "flags": np.uint32,
    "hedge_pct": np.float64,
    "notional_usd": np.float64,
    "confidence": np.float64,
    "score": np.float64,
    "effective_score": np.float64,
    "liquidity_weight": np.float64,
    "liquidity_quality": np.float64,
    "score_age_ns": np.int64,
    "depth_age_ns": np.int64,
}
