# SPDX-License-Identifier: MIT
"""Codes and flags of the C library, and their names."""

from __future__ import annotations

import operator
from typing import Any

from .library import lib

OK = 0
E_ARG = -1
E_NOMEM = -2
E_CURVE = -7
E_NOT_FOUND = -9
E_CERTIFY = -12
E_STOPPED = -13

REQUEST_OVERRIDE = 1
QUOTE_SCORE = 1
QUOTE_PREVIOUS = 2
QUOTE_DEPTH = 4
QUOTE_HALTED = 8


def status_name(code: int) -> str:
    """The stable name of a status code, "unknown" for any other number."""
    return str(lib.hedge_status_name(_int32("code", code)).decode())


def status_text(code: int) -> str:
    """One sentence that says what a status code means and what to do."""
    return str(lib.hedge_status_text(_int32("code", code)).decode())


def flag_names(flags: int) -> tuple[str, ...]:
    """The names of the bits set in a decision's flags (0 to 2**32 - 1)."""
    flags = _integer("flags", flags)
    if not 0 <= flags < 1 << 32:
        raise ValueError("flags must be from 0 to 2**32 - 1")
    return tuple(_NAMES[bit] for bit in range(32) if flags >> bit & 1)


def _integer(name: str, value: Any) -> int:
    try:
        return int(operator.index(value))
    except TypeError:
        raise TypeError(f"{name} must be an integer, not {type(value).__name__}") from None


def _int32(name: str, code: Any) -> int:
    number = _integer(name, code)
    # ctypes would cut a larger number down to one that means something else.
    return number if -(1 << 31) <= number < 1 << 31 else 1 << 30


def _flag_name(bit: int) -> str:
    name = lib.hedge_flag_name(bit)
    return f"bit{bit}" if name is None else str(name.decode())


_NAMES = tuple(_flag_name(bit) for bit in range(32))
BREAKERS = _NAMES[:14]
# Each flag's bit, by name.
FLAGS: dict[str, int] = {
    name: bit for bit, name in enumerate(_NAMES) if name != f"bit{bit}"
}
