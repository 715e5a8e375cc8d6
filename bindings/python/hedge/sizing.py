# SPDX-License-Identifier: MIT
"""Sizing: the columns of many decisions, made ready for the library."""

from __future__ import annotations

import sys
import time
from ctypes import byref
from dataclasses import dataclass
from dataclasses import field as default
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import layout, status
from .array import as_array, as_bool, as_float64, readable
from .decisions import Decisions
from .error import Error
from .handle import Handle
from .instant import NOT_A_TIME, instants_ns
from .library import lib

# What a DataFrame's columns may be called.
COLUMNS = (
    "asset",
    "amount_usd",
    "score",
    "confidence",
    "previous_score",
    "depth1pct_usd",
    "override_score",
    "halted",
    "score_ts",
    "depth_ts",
    "now",
)
_NUMBERS = (
    "amount_usd",
    "score",
    "confidence",
    "previous_score",
    "depth1pct_usd",
    "override_score",
)
_TIMES = ("score_ts", "depth_ts", "now")
# Where the library's name of a column differs.
_MEMBERS = {"score_ts": "score_ts_ns", "depth_ts": "depth_ts_ns", "now": "now_ns"}
_UNKNOWN_ASSET = status.E_NOT_FOUND


def is_frame(value: Any) -> bool:
    """Whether it is a pandas DataFrame; pandas is not imported to find out."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame)


def columns_of(frame: Any, given: dict[str, Any], ignore_unknown: bool) -> dict[str, Any]:
    """The frame's columns by name, together with what was given beside it."""
    if not is_frame(frame):
        raise TypeError(
            f"size_many takes one pandas DataFrame, or columns by keyword; "
            f"not {type(frame).__name__}"
        )
    names = list(frame.columns)
    unknown = [name for name in names if name not in COLUMNS]
    if unknown and not ignore_unknown:
        raise ValueError(
            f"the frame has unknown columns: {', '.join(map(repr, unknown))}; known: "
            f"{', '.join(COLUMNS)}. Rename or drop them, or say ignore_unknown=True"
        )
    twice = {name for name in names if name in COLUMNS and names.count(name) > 1}
    twice |= {name for name in names if name in given}
    if twice:
        raise ValueError(f"given twice: {', '.join(sorted(twice))}")
    check_indices(given, "the frame", frame.index)
    return {**given, **{name: frame[name] for name in names if name in COLUMNS}}


def check_indices(given: dict[str, Any], first: str = "", index: Any = None) -> None:
    """Rows are joined by position; pandas would by index, so the indices must agree."""
    pandas = sys.modules.get("pandas")
    if pandas is None:
        return
    for name, values in given.items():
        if not isinstance(values, (pandas.Series, pandas.DataFrame)):
            continue
        if index is None:
            first, index = name, values.index
        elif not values.index.equals(index):
            raise ValueError(
                f"the index of {name} is not that of {first}, and rows are joined by position: "
                f"bring them in line with .reindex(…), or give {name}.to_numpy() to go by position"
            )


@dataclass
class _Inputs:
    """Columns of one length, flat and contiguous, kept alive for the call."""

    shape: tuple[int, ...]
    struct: layout.SizeIn = default(default_factory=lambda: layout.new(layout.SizeIn))
    kept: list[NDArray[Any]] = default(default_factory=list)

    def put(self, member: str, column: NDArray[Any]) -> None:
        column = readable(np.broadcast_to(column, self.shape))
        self.kept.append(column)
        setattr(self.struct, member, column.ctypes.data)


def _asset_indices(assets: Any, known: dict[str, int]) -> NDArray[np.int32]:
    """Names as the policy's numbers; a name it does not have becomes a trip."""
    if isinstance(assets, str):
        return np.asarray(known.get(assets, _UNKNOWN_ASSET), np.int32)
    categories = getattr(getattr(assets, "cat", None), "categories", None)
    if categories is not None:  # each name once, and small numbers in the rows
        codes = assets.cat.codes.to_numpy()
        if (codes < 0).any():
            raise TypeError(f"asset[{int(np.argmax(codes < 0))}] is missing")
        return np.asarray(_asset_indices(categories.to_numpy(), known)[codes], np.int32)
    array = as_array("asset", assets)
    if array.dtype.kind not in "UTO" and array.size > 0:  # T: NumPy 2's StringDType
        raise TypeError(f"asset must be a name or an array of names, not {array.dtype}")
    names = array.ravel().tolist()
    for i, name in enumerate(names):
        if not isinstance(name, str):
            raise TypeError(f"asset[{i}] must be a name, not {type(name).__name__}")
    flat = [known.get(name, _UNKNOWN_ASSET) for name in names]
    return np.array(flat, np.int32).reshape(array.shape)


def _read(given: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """Each column that is there as an array of its own type."""
    out: dict[str, NDArray[Any]] = {}
    for name in _NUMBERS:
        if given.get(name) is not None:
            out[name] = as_float64(name, given[name])
    for name in _TIMES:
        if given.get(name) is not None:
            out[name] = instants_ns(name, given[name])
    if given.get("halted") is not None:
        out["halted"] = as_bool("halted", given["halted"])
    if "now" not in out:
        out["now"] = np.asarray(time.time_ns(), np.int64)
    if (out["now"] == NOT_A_TIME).any():
        # Against a clock that stands nowhere nothing would be stale.
        raise ValueError("now is not a time (NaT) in some rows; give each row its time")
    return out


def _flags(columns: dict[str, NDArray[Any]], inputs: _Inputs) -> None:
    """Flags by row, where they are not the same in all."""
    override = columns.get("override_score")
    if override is not None and np.isnan(override).any():
        inputs.put("request_flags", np.where(np.isnan(override), 0, 1).astype(np.uint32))
    previous, halted = columns.get("previous_score"), columns.get("halted")
    missing = previous is not None and np.isnan(previous).any()
    if not missing and halted is None:
        return
    flags: NDArray[Any] = np.zeros((), np.uint32)
    for name, bit in (("score", status.QUOTE_SCORE), ("depth1pct_usd", status.QUOTE_DEPTH)):
        if name in columns:
            flags = flags | np.uint32(bit)
    if previous is not None:
        flags = flags | np.where(np.isnan(previous), 0, status.QUOTE_PREVIOUS).astype(np.uint32)
    if halted is not None:
        flags = flags | np.where(halted, status.QUOTE_HALTED, 0).astype(np.uint32)
    inputs.put("quote_flags", np.asarray(flags, np.uint32))


def size_columns(
    policy: Handle, known: dict[str, int], given: dict[str, Any], rows: int | None = None
) -> Decisions:
    """Decides every row of the columns given, broadcast against each other.

    To so many `rows`, where a frame says how many there are.
    """
    for name in ("asset", "amount_usd"):
        if given.get(name) is None:
            raise TypeError(f"size_many needs {name}")
    asset = _asset_indices(given["asset"], known)
    columns = _read(given)
    whole = () if rows is None else (rows,)
    shape = np.broadcast_shapes(whole, asset.shape, *(c.shape for c in columns.values()))
    if rows is not None and shape != whole:
        raise ValueError(f"the columns make a shape of {shape}, the frame {whole}")
    inputs = _Inputs(shape)
    if asset.ndim == 0:
        inputs.struct.asset_all = int(asset)
    else:
        inputs.put("asset", asset)
    for name, column in columns.items():
        if name == "now" and column.ndim == 0:
            inputs.struct.now_all_ns = int(column)
        elif name != "halted":
            inputs.put(_MEMBERS.get(name, name), column)
    _flags(columns, inputs)
    return _decide(policy, inputs)


def _decide(policy: Handle, inputs: _Inputs) -> Decisions:
    out, struct = Decisions.empty(inputs.shape), layout.new(layout.SizeOut)
    for member in (field[0] for field in layout.SizeOut._fields_[2:]):
        column = out.code if member == "status" else getattr(out, member)
        setattr(struct, member, column.ctypes.data)
    code = lib.hedge_size_n(policy, byref(inputs.struct), out.code.size, byref(struct))
    if code != status.OK:
        raise Error(f"size_many: {status.status_text(code)}", code, status.status_name(code))
    return out
