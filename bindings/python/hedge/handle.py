# SPDX-License-Identifier: MIT
"""Owns one object of the C library.

A handle is itself what functions of the library are given: ctypes reads the
address from it, and the call's arguments hold the handle until the call is back.
So `close` may come from any thread at any time: it only lets go, and the object
is freed when the last call has come back. Nobody takes the bare address out.
"""

from __future__ import annotations

import sys
from typing import Any, Callable


class Handle:
    """A C object's address, and what keeps it alive."""

    __slots__ = ("_as_parameter_", "_free", "_owner")

    def __init__(
        self, pointer: int, free: Callable[[int], Any] | None, owner: Handle | None = None
    ) -> None:
        self._as_parameter_ = pointer  # the name that ctypes asks for
        self._free = free
        self._owner = owner  # the object this one is a part of

    def __del__(self) -> None:
        # At the very end daemon threads may still be inside the library; the
        # process's memory goes back as a whole.
        free = getattr(self, "_free", None)
        if free is not None and not sys.is_finalizing():
            free(self._as_parameter_)

    def __reduce__(self) -> Any:
        raise TypeError("an address means nothing in another process")

    def __copy__(self) -> Handle:
        return self  # two that free one address would be one too many

    def __deepcopy__(self, memo: dict[int, Any]) -> Handle:
        return self
