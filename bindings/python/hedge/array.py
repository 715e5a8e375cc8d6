# SPDX-License-Identifier: MIT
"""Numbers from outside as arrays that C can read, and nothing else as numbers."""

from __future__ import annotations

from typing import Any, Tuple

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


def as_array(name: str, values: Any) -> NDArray[Any]:
    """The values as a plain array; a mask would be lost, so it is refused."""
    if isinstance(values, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array; fill or drop what is masked first")
    return np.asarray(values)


def extension_kind(values: Any) -> str:
    """The kind of a pandas extension dtype ("i", "f", "b", "M"…), "" for all else."""
    dtype = getattr(values, "dtype", None)
    if dtype is None or isinstance(dtype, np.dtype) or not hasattr(values, "to_numpy"):
        return ""
    return str(getattr(dtype, "kind", ""))


def as_float64(name: str, values: Any) -> F64:
    """Real numbers as float64 in native order; no copy if they are that already.

    Integers and other floats are converted. TypeError for all that is not a
    number: booleans, complex numbers, text, times, objects, and for integers
    beyond 64 bits.
    """
    if extension_kind(values) in ("i", "u", "f"):
        values = values.to_numpy(dtype=np.float64, na_value=np.nan)
    array = as_array(name, values)
    if array.dtype.kind not in "iuf" and not _empty(array):
        if array.dtype.kind == "O" and any(map(_too_large, array.flat)):
            raise TypeError(f"{name} has an integer too large for 64 bits; give a float")
        raise TypeError(
            f"{name} must be real numbers (float64 or convertible), not {_kind_of(array, values)}"
        )
    return array.astype(np.float64, copy=False)


def _empty(array: NDArray[Any]) -> bool:
    """Whether it is a column of no rows, to which pandas gives no type."""
    return array.dtype.kind == "O" and array.size == 0


def _too_large(value: Any) -> bool:
    return isinstance(value, int) and not -(1 << 63) <= value < 1 << 64


def _kind_of(array: NDArray[Any], values: Any) -> str:
    if array.ndim == 0 and not isinstance(values, np.ndarray):
        return type(values).__name__
    return f"an array of dtype {array.dtype}"


def as_number(name: str, value: Any) -> float:
    """One real number."""
    if type(value) is float:
        return value
    array = as_float64(name, value)
    if array.ndim != 0:
        raise TypeError(f"{name} must be one number, not an array of shape {array.shape}")
    return float(array)


def as_bool(name: str, values: Any) -> NDArray[np.bool_]:
    """Truth values; a missing one of pandas counts as true."""
    if extension_kind(values) == "b":
        values = values.to_numpy(dtype=np.bool_, na_value=True)
    array = as_array(name, values)
    if array.dtype.kind != "b" and not _empty(array):
        raise TypeError(f"{name} must be booleans, not {_kind_of(array, values)}")
    return array.astype(np.bool_, copy=False)


def readable(array: NDArray[Any]) -> NDArray[Any]:
    """The array itself if C can walk it, else a copy that C can walk."""
    if array.flags.c_contiguous and array.flags.aligned:
        return array
    return np.array(array, order="C", copy=True, subok=False)


def check_out(out: Any, shape: Tuple[int, ...]) -> F64:
    """A plain view of `out`, if results of this shape can be stored in it."""
    if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
        raise TypeError(f"out must be a NumPy array, not {type(out).__name__}")
    plain: F64 = np.asarray(out)  # a subclass may say anything of itself
    if plain.dtype != np.float64 or not plain.dtype.isnative:
        raise TypeError(f"out must be of dtype float64 in native byte order, not {plain.dtype!r}")
    if plain.shape != shape:
        raise ValueError(f"out has shape {plain.shape}, the result has {shape}")
    if not plain.flags.writeable:
        raise ValueError("out is read-only")
    return plain


def writable_in_place(out: F64, source: F64) -> bool:
    """Whether C may write to `out` while it reads `source`, both C-contiguous or not."""
    if not out.flags.carray:
        return False
    # The very same array is allowed; shifted by anything else it is not.
    return out.ctypes.data == source.ctypes.data or not np.may_share_memory(out, source)
