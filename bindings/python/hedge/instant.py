# SPDX-License-Identifier: MIT
"""Times as nanoseconds since the Unix epoch.

Taken: integers (nanoseconds), numpy.datetime64, pandas.Timestamp (without a
time zone: UTC, as in NumPy), and datetime.datetime with a time zone. A
datetime without one is refused, since Python takes it for local time.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .array import I64, as_array, extension_kind

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
# What NumPy keeps for "not a time". As a quote's time it is older than any limit.
NOT_A_TIME = _LEAST


def _beyond(name: str) -> OverflowError:
    return OverflowError(f"{name} is outside the years 1678 to 2262 (int64 nanoseconds)")


def _in_range(name: str, ns: int) -> int:
    if not _LEAST <= ns <= _MOST:
        raise _beyond(name)
    return ns


def _from_numpy(name: str, times: NDArray[Any]) -> I64:
    unit = np.datetime_data(times.dtype)[0]
    if unit == "generic":
        if not np.isnat(times).all():
            raise TypeError(f"{name} has datetimes without a unit")
        return np.full(times.shape, NOT_A_TIME, np.int64)
    ns = times.astype("datetime64[ns]")
    # NumPy wraps round in silence when the unit gets finer, and cuts when it gets coarser.
    if not np.array_equal(ns.astype(times.dtype), times, equal_nan=True):
        if unit in ("ps", "fs", "as"):
            raise ValueError(
                f"{name} is more precise than nanoseconds ({times.dtype}); "
                "round it: .astype('datetime64[ns]')"
            )
        raise _beyond(name)
    return ns.astype(np.int64)


def _from_pandas(name: str, values: Any, kind: str) -> I64:
    """An extension array's times at its own unit, so that the check sees all of them."""
    if kind == "M":  # with a time zone, or of Arrow; NumPy's are in UTC
        unit = getattr(values.dtype, "pyarrow_dtype", values.dtype).unit
        dtype = f"datetime64[{unit}]"
    else:
        dtype = "uint64" if kind == "u" else "int64"
    missing = np.asarray(values.isna(), np.bool_)
    out = np.full(missing.shape, NOT_A_TIME, np.int64)
    # Older pandas knows no value for what is missing that every dtype takes.
    present = values[~missing] if missing.any() else values
    try:
        plain = present.to_numpy(dtype=dtype)
    except ValueError as fault:  # of pandas 2.0, which takes Arrow's through nanoseconds
        if type(fault).__name__ != "OutOfBoundsDatetime":
            raise
        raise _beyond(name) from fault
    out[~missing] = instants_ns(name, plain)
    return out


def instant_ns(name: str, value: Any) -> int:
    """One time as nanoseconds."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be a time, not a boolean")
    if isinstance(value, (int, np.integer)):
        return _in_range(name, int(value))
    if hasattr(value, "to_datetime64"):  # pandas.Timestamp and NaT
        value = value.to_datetime64()
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
        return instant_ns(name, value)
    if isinstance(value, np.datetime64):
        return int(_from_numpy(name, np.asarray(value)))
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise ValueError(
                f"{name} is a datetime without a time zone; "
                "give it one, such as datetime.now(timezone.utc)"
            )
        microseconds = (value - _EPOCH) // timedelta(microseconds=1)
        return _in_range(name, microseconds * 1000)
    raise TypeError(
        f"{name} must be nanoseconds (int), a datetime, a numpy.datetime64 or a "
        f"pandas.Timestamp, not {type(value).__name__}"
    )


def instants_ns(name: str, values: Any) -> I64:
    """Many times, or one, as an array of nanoseconds."""
    kind = extension_kind(values)
    if kind in ("M", "i", "u"):
        return _from_pandas(name, values, kind)
    if isinstance(values, datetime) or hasattr(values, "to_datetime64"):
        return np.asarray(instant_ns(name, values), np.int64)
    array = as_array(name, values)
    if array.dtype.kind == "M":
        return _from_numpy(name, array)
    if array.dtype.kind in "iu":
        if array.dtype.kind == "u" and array.size and int(array.max()) > _MOST:
            raise _beyond(name)
        return array.astype(np.int64, copy=False)
    if array.dtype.kind == "O":
        flat = [instant_ns(f"{name}[{i}]", value) for i, value in enumerate(array.ravel())]
        return np.array(flat, np.int64).reshape(array.shape)
    raise TypeError(
        f"{name} must be nanoseconds (int64), datetime64 or datetimes, not {array.dtype}; "
        "floating-point seconds lose nanoseconds"
    )
