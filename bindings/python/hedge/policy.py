# SPDX-License-Identifier: MIT
"""Policy: everything that decides, as data."""

from __future__ import annotations

import os
import time
from ctypes import byref, c_void_p
from typing import Any, TypeVar, overload

import numpy as np

from . import decision, layout, rules, sizing, status
from .array import as_number
from .curve import Curve
from .decision import Decision
from .decisions import Decisions
from .error import AssetError, ClosedError, Error, PolicyError
from .handle import Handle
from .instant import NOT_A_TIME, instant_ns
from .library import lib
from .rules import Rules

_P = TypeVar("_P", bound="Policy")


class Policy:
    """A policy; it never changes. Made by `Policy.load` or `Policy.parse`.

    Any number of threads may use one policy; calls release the GIL. Two
    policies are equal when they mean the same, that is, have one hash.
    """

    # What a policy without a finished start has.
    _handle: Handle | None = None
    _hash: str | None = None
    _assets: dict[str, int] = {}

    def __init__(self) -> None:
        raise TypeError("a Policy is made by Policy.load(path) or Policy.parse(text)")

    @classmethod
    def load(cls: type[_P], path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> _P:
        """Reads a YAML file, and the file of knots it may name beside it.

        Raises PolicyError with file, line and field.
        """
        name = os.fsencode(path)
        if b"\0" in name:
            raise ValueError("path must not contain a NUL character")
        error, out = layout.new(layout.Error), c_void_p()
        code = lib.hedge_policy_load(name, byref(error), byref(out))
        return cls._of(code, error, out)

    @classmethod
    def parse(cls: type[_P], text: str | bytes) -> _P:
        """The same from a text (UTF-8 where it is bytes) without files of knots."""
        if not isinstance(text, (str, bytes)):
            raise TypeError(f"text must be str or bytes, not {type(text).__name__}")
        # Plain bytes, whatever a subclass says of itself: C believes the length.
        raw = str.encode(text, "utf-8") if isinstance(text, str) else bytes(memoryview(text))
        error, out = layout.new(layout.Error), c_void_p()
        code = lib.hedge_policy_parse(raw, len(raw), byref(error), byref(out))
        return cls._of(code, error, out)

    @classmethod
    def _of(cls: type[_P], code: int, error: layout.Error, out: c_void_p) -> _P:
        if code != status.OK or out.value is None:
            raise _policy_error(code, error)
        policy = cls.__new__(cls)
        handle = Handle(out.value, lib.hedge_policy_free)
        count = lib.hedge_policy_asset_count(handle)
        names = (lib.hedge_policy_asset_name(handle, i).decode() for i in range(count))
        policy._assets = {name: i for i, name in enumerate(names)}
        policy._hash = lib.hedge_policy_hash_hex(handle).decode()
        policy._handle = handle
        return policy

    def _alive(self) -> Handle:
        handle = self._handle
        if handle is None:
            what = "it was never loaded" if self._hash is None else "it was closed"
            raise ClosedError(f"this {type(self).__name__} cannot be used: {what}")
        return handle

    def _index(self, asset: str) -> int:
        if not isinstance(asset, str):
            raise TypeError(f"asset must be a name, not {type(asset).__name__}")
        if asset not in self._assets:
            known = ", ".join(list(self._assets)[:20])
            raise AssetError(
                f"the policy has no asset {asset!r}; it has: {known}",
                status.E_NOT_FOUND,
                status.status_name(status.E_NOT_FOUND),
            )
        return self._assets[asset]

    # ---- what it says ---------------------------------------------------------

    @property
    def assets(self) -> tuple[str, ...]:
        """The assets' names."""
        self._alive()
        return tuple(self._assets)

    def curve(self, asset: str) -> Curve:
        """The asset's curve; it keeps what it needs of the policy alive."""
        handle = self._alive()
        pointer = lib.hedge_policy_curve(handle, self._index(asset))
        return Curve._of_policy(pointer, handle)

    def rules(self, asset: str) -> Rules:
        """The asset's rules, defaults and overrides resolved."""
        handle, out = self._alive(), layout.new(layout.Rules)
        lib.hedge_policy_rules(handle, self._index(asset), byref(out))
        return rules.from_struct(out)

    @property
    def text(self) -> str:
        """The policy as one canonical YAML text; `Policy.parse` reads it back."""
        return str(lib.hedge_policy_text(self._alive(), None).decode("utf-8"))

    @property
    def hash(self) -> str:
        """SHA-256 of the text, 64 hexadecimal digits: the policy's name in records."""
        self._alive()
        return str(self._hash)

    @property
    def files(self) -> tuple[str, ...]:
        """The files it was read from; empty for a text."""
        handle = self._alive()
        out: list[str] = []
        while (name := lib.hedge_policy_file(handle, len(out))) is not None:
            out.append(os.fsdecode(name))
        return tuple(out)

    # ---- what it decides ------------------------------------------------------

    def size(
        self,
        asset: str,
        amount_usd: float,
        *,
        score: float | None = None,
        confidence: float = 1.0,
        previous_score: float | None = None,
        depth1pct_usd: float | None = None,
        override_score: float | None = None,
        halted: bool | np.bool_ = False,
        score_ts: Any = None,
        depth_ts: Any = None,
        now: Any = None,
    ) -> Decision:
        """Decides how much of an exposure to hedge. A rejection is a decision too.

        amount_usd: the exposure, at least 0. score, previous_score, confidence:
        [0, 1]. depth1pct_usd: USD resting within 1 % of the mid price, both
        sides, at least 0. None: there is none (no score, no depth: no_quote).
        Numbers out of range and NaN are passed on and trip their breakers,
        but a NaN override or previous score counts as none, as in size_many.
        previous_score is judged by score_jump alone, which a max_score_jump
        of 1 switches off: out of range it is no bad_quote.

        Times: see hedge.instant. now=None reads the clock; score_ts and
        depth_ts are now unless given. With all times given the result is a
        pure function of the arguments, the same bits anywhere.
        """
        handle = self._alive()
        if not isinstance(asset, str):
            raise TypeError(f"asset must be a name, not {type(asset).__name__}")
        now_ns = time.time_ns() if now is None else instant_ns("now", now)
        if now_ns == NOT_A_TIME:
            raise ValueError("now is not a time (NaT)")
        request, quote = layout.new(layout.Request), layout.new(layout.Quote)
        request.asset = self._assets.get(asset, status.E_NOT_FOUND)
        request.amount_usd = as_number("amount_usd", amount_usd)
        if (override := _number_or_none("override_score", override_score)) is not None:
            request.override_score, request.flags = override, status.REQUEST_OVERRIDE
        if score is not None:
            quote.score = as_number("score", score)
            quote.flags |= status.QUOTE_SCORE
        if (previous := _number_or_none("previous_score", previous_score)) is not None:
            quote.previous_score = previous
            quote.flags |= status.QUOTE_PREVIOUS
        if depth1pct_usd is not None:
            quote.depth1pct_usd = as_number("depth1pct_usd", depth1pct_usd)
            quote.flags |= status.QUOTE_DEPTH
        if not isinstance(halted, (bool, np.bool_)):
            raise TypeError(f"halted must be True or False, not {type(halted).__name__}")
        quote.flags |= status.QUOTE_HALTED if halted else 0
        quote.confidence = as_number("confidence", confidence)
        quote.score_ts_ns = now_ns if score_ts is None else instant_ns("score_ts", score_ts)
        quote.depth_ts_ns = now_ns if depth_ts is None else instant_ns("depth_ts", depth_ts)
        out = layout.new(layout.Decision)
        code = lib.hedge_size(handle, byref(request), byref(quote), now_ns, byref(out))
        if code > -100 and code != status.OK:
            raise Error(f"size: {status.status_text(code)}", code, status.status_name(code))
        return decision.from_struct(asset, request.amount_usd, out)

    @overload
    def size_many(
        self,
        frame: None = None,
        *,
        ignore_unknown: bool = ...,
        asset: Any = ...,
        amount_usd: Any = ...,
        score: Any = ...,
        confidence: Any = ...,
        previous_score: Any = ...,
        depth1pct_usd: Any = ...,
        override_score: Any = ...,
        halted: Any = ...,
        score_ts: Any = ...,
        depth_ts: Any = ...,
        now: Any = ...,
    ) -> Decisions: ...

    @overload
    def size_many(
        self,
        frame: Any,
        *,
        ignore_unknown: bool = ...,
        asset: Any = ...,
        amount_usd: Any = ...,
        score: Any = ...,
        confidence: Any = ...,
        previous_score: Any = ...,
        depth1pct_usd: Any = ...,
        override_score: Any = ...,
        halted: Any = ...,
        score_ts: Any = ...,
        depth_ts: Any = ...,
        now: Any = ...,
    ) -> Any: ...

    def size_many(
        self,
        frame: Any = None,
        *,
        ignore_unknown: bool = False,
        asset: Any = None,
        amount_usd: Any = None,
        score: Any = None,
        confidence: Any = None,
        previous_score: Any = None,
        depth1pct_usd: Any = None,
        override_score: Any = None,
        halted: Any = None,
        score_ts: Any = None,
        depth_ts: Any = None,
        now: Any = None,
    ) -> Any:
        """Decides many exposures, each row as `size` does, to the last bit.

        Columns by keyword are arrays or single values, broadcast against each
        other; the result is Decisions. Or one pandas DataFrame with columns
        of these names, keywords filling in what it lacks; the result is a
        DataFrame with the same index. `asset` and `amount_usd` are required.
        Rows are joined by position: a pandas Series by keyword must have the
        index of the frame, or of the other Series (ValueError).

        A column that is absent: no row has that score, depth, previous score
        or override; confidence 1; times now; now the clock, read once. In a
        column that is there NaN is no override, or no previous score; a score,
        depth or confidence of NaN is a bad quote, an amount of NaN a bad
        amount, a quote's time of NaT stale: they trip. Columns of a frame with
        other names are refused, or ignored with ignore_unknown=True.
        """
        handle = self._alive()
        given = {
            "asset": asset,
            "amount_usd": amount_usd,
            "score": score,
            "confidence": confidence,
            "previous_score": previous_score,
            "depth1pct_usd": depth1pct_usd,
            "override_score": override_score,
            "halted": halted,
            "score_ts": score_ts,
            "depth_ts": depth_ts,
            "now": now,
        }
        given = {name: value for name, value in given.items() if value is not None}
        if frame is None:
            sizing.check_indices(given)
            return sizing.size_columns(handle, self._assets, given)
        given = sizing.columns_of(frame, given, ignore_unknown)
        return sizing.size_columns(handle, self._assets, given, len(frame)).to_frame(frame.index)

    # ---- identity and life ----------------------------------------------------

    def __repr__(self) -> str:
        name = type(self).__name__
        if self._handle is None:
            return f"<{name}, closed>"
        some = ", ".join(list(self._assets)[:8]) + (", …" if len(self._assets) > 8 else "")
        return f"<{name} {str(self._hash)[:12]}: {some}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Policy):
            return NotImplemented
        return self is other or (self._hash is not None and self._hash == other._hash)

    def __hash__(self) -> int:
        return hash(self._hash)

    def __reduce__(self) -> tuple[Any, ...]:
        # The canonical text is whole in itself; the files it came from are not needed.
        return type(self).parse, (self.text,)

    def close(self) -> None:
        """Lets go of the C object; calls under way in other threads finish first."""
        self._handle = None

    def __enter__(self: _P) -> _P:
        self._alive()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def _number_or_none(name: str, value: Any) -> float | None:
    """NaN stands for none, as it does in a column."""
    if value is None:
        return None
    number = as_number(name, value)
    return number if number == number else None


def _policy_error(code: int, error: layout.Error) -> Exception:
    if code == status.E_NOMEM:
        return MemoryError("hedge: no memory for the policy")
    file, field, message = (
        raw.decode("utf-8", "replace") for raw in (error.file, error.field, error.message)
    )
    place = f"{file}:{error.line}" if file and error.line else file
    if not file and error.line:
        place = f"line {error.line}"
    whole = ": ".join(part for part in (place, field, message) if part)
    out = PolicyError(whole or status.status_text(code), code, status.status_name(code))
    out.file, out.line, out.field, out.message = file, error.line, field, message
    return out
