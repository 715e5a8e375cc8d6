# SPDX-License-Identifier: MIT
"""Curve: from a score in [0, 1] to a hedge in [0, 1]."""

from __future__ import annotations

from ctypes import byref, c_double, c_uint8, c_void_p
from typing import Any, Callable, NamedTuple, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike

from . import certificate, drawing, layout, status
from .array import F64, as_float64, check_out, readable, writable_in_place
from .certificate import Certificate
from .error import ClosedError, CurveError, Error
from .handle import Handle
from .library import lib

METHODS = ("pchip", "steffen", "linear")
KNOTS_MAX = 4096

_C = TypeVar("_C", bound="Curve")


class Piece(NamedTuple):
    """One half of a segment between two knots.

    For from_score <= score < to_score (an odd piece: <= to_score, its knot) the
    hedge is hedge + e (b + e (c + e d)) with e = score - knot, each of the four
    operations rounded once, the products fused. Scores and hedges are in [0, 1].
    """

    from_score: float
    to_score: float
    knot: float
    hedge: float
    b: float
    c: float
    d: float


class Curve:
    """A monotone curve through knots; it never changes.

    scores: 2 to 4,096 numbers in [0, 1], each at least 1e-6 above the one
    before. hedges: as many numbers in [0, 1], never decreasing. method:
    "pchip" (Fritsch-Butland slopes, SciPy's end conditions), "steffen" or
    "linear". Anything else raises CurveError, which names the knot.

    A higher score never gets a lower hedge, to the last bit; the knots are
    met exactly; outside of them the end hedges hold; NaN gives NaN. Scores
    are taken on a grid of 2**-30, about 1e-9. Any number of threads may use
    one curve; calls release the GIL. Two curves are equal when their knots
    and methods are.
    """

    # What a curve without a finished __init__ has.
    _handle: Handle | None = None
    _hash: str | None = None

    def __init__(self, scores: ArrayLike, hedges: ArrayLike, method: str = "pchip") -> None:
        x, y = as_float64("scores", scores), as_float64("hedges", hedges)
        if x.ndim != 1 or y.shape != x.shape:
            raise ValueError(
                "scores and hedges must be two lists of the same length, "
                f"not of shapes {x.shape} and {y.shape}"
            )
        if not isinstance(method, str):
            raise TypeError(f"method must be a name, not {type(method).__name__}")
        if method not in METHODS:
            raise ValueError(f"method {method!r} is unknown; known: {', '.join(METHODS)}")
        if x.size > KNOTS_MAX:  # said here, before anything of that length is copied
            raise _knots_error(-1, "knots", f"a curve has 2 to {KNOTS_MAX} knots (it has {x.size})")
        x, y = readable(x), readable(y)
        error, out = layout.new(layout.Error), c_void_p()
        code = lib.hedge_curve_new(
            METHODS.index(method), x.ctypes.data, y.ctypes.data, x.size, byref(error), byref(out)
        )
        if code != status.OK or out.value is None:
            raise _curve_error(code, error)
        self._adopt(Handle(out.value, lib.hedge_curve_free))

    @classmethod
    def _of_policy(cls, pointer: int, policy: Handle) -> Curve:
        """A policy's own curve, which lives as long as the policy."""
        curve = cls.__new__(cls)
        curve._adopt(Handle(pointer, None, policy))
        return curve

    def _adopt(self, handle: Handle) -> None:
        digest = (c_uint8 * 32)()
        lib.hedge_curve_hash(handle, digest)
        # Kept, so that a closed curve still is what it was to dicts and sets.
        self._hash = bytes(digest).hex()
        self._handle = handle

    def _alive(self) -> Handle:
        handle = self._handle
        if handle is None:
            what = "its __init__ never ran" if self._hash is None else "it was closed"
            raise ClosedError(f"this {type(self).__name__} cannot be used: {what}")
        return handle

    # ---- from scores to hedges --------------------------------------------

    @overload
    def __call__(self, x: float) -> float: ...

    @overload
    def __call__(self, x: ArrayLike, out: F64 | None = None) -> Any: ...

    def __call__(self, x: Any, out: F64 | None = None) -> Any:
        """The hedges at scores x: a float for one number, else an array of x's shape.

        `out`, a float64 array of that shape, receives them and is returned; it
        may be x itself. Contiguous float64 arrays are read and written where
        they are.
        """
        handle = self._alive()
        if type(x) is float and out is None:
            return lib.hedge_curve_eval(handle, x)
        scores = as_float64("x", x)
        if out is not None:
            _evaluate(handle, scores, check_out(out, scores.shape))
            return out
        if scores.ndim == 0:
            return lib.hedge_curve_eval(handle, float(scores))
        return _evaluate(handle, scores, None)

    def slope(self, x: ArrayLike) -> Any:
        """d hedge / d score at scores x, shaped as x; 0 outside the knots.

        At a knot it is both sides' slope (linear: the right one's). NaN in,
        NaN out. One call into C a score, about 0.5 us.
        """
        return self._each(lib.hedge_curve_slope, as_float64("x", x))

    def inverse(self, h: ArrayLike) -> Any:
        """The least score in [0, 1] whose hedge is at least h, shaped as h.

        Exact on the grid of scores: one step of 2**-30 lower has a lower
        hedge. NaN where no score reaches h, and for NaN.
        """
        return self._each(lib.hedge_curve_inverse, as_float64("h", h))

    def area(self, a: ArrayLike, b: ArrayLike) -> Any:
        """The integral of the hedge from score a to score b, broadcast.

        Negative where b < a; the end hedges hold outside the knots. Divided
        by b - a it is the mean hedge. NaN unless both are finite.
        """
        x, y = np.broadcast_arrays(as_float64("a", a), as_float64("b", b))
        return self._each(lib.hedge_curve_area, x, y)

    def _each(self, function: Callable[..., Any], *arguments: F64) -> Any:
        handle = self._alive()
        shape = arguments[0].shape
        if shape == ():
            return function(handle, *(float(a) for a in arguments))
        rows = zip(*(a.ravel().tolist() for a in arguments))
        hedges = (function(handle, *row) for row in rows)
        return np.fromiter(hedges, np.float64, arguments[0].size).reshape(shape)

    def sensitivity(self, x: ArrayLike) -> F64:
        """d hedge / d (each knot's hedge) at scores x: shape x.shape + (n,).

        A row adds up to 1 and has at most four numbers that are not 0: it is
        a row of the Jacobian for fitting the knots' hedges. NaN gives a row
        of NaN.
        """
        handle = self._alive()
        scores = as_float64("x", x)
        n = lib.hedge_curve_knot_count(handle)
        out = np.full(scores.shape + (n,), np.nan)
        row = out.ctypes.data
        for score in scores.ravel().tolist():
            if score == score:
                lib.hedge_curve_sensitivity(handle, score, row, n)
            row += n * out.itemsize
        return out

    # ---- what it is made of -------------------------------------------------

    @property
    def knots(self) -> F64:
        """The knots as given, (score, hedge) a row: shape (n, 2), a copy."""
        handle = self._alive()
        score, hedge = c_double(), c_double()
        out = np.empty((lib.hedge_curve_knot_count(handle), 2))
        for i in range(len(out)):
            lib.hedge_curve_knot(handle, i, byref(score), byref(hedge))
            out[i] = score.value, hedge.value
        return out

    @property
    def method(self) -> str:
        """"pchip", "steffen" or "linear"."""
        return METHODS[lib.hedge_curve_method(self._alive())]

    @property
    def hash(self) -> str:
        """SHA-256 of method and knots, 64 hexadecimal digits: the curve's name."""
        if self._hash is None:
            self._alive()
        return str(self._hash)

    @property
    def pieces(self) -> list[Piece]:
        """The 2 (n - 1) cubics that the curve consists of, in the order of scores."""
        handle = self._alive()
        piece = layout.new(layout.Piece)
        members = [field[0] for field in layout.Piece._fields_[2:]]
        out = []
        for i in range(lib.hedge_curve_piece_count(handle)):
            lib.hedge_curve_piece(handle, i, byref(piece))
            out.append(Piece(*(getattr(piece, member) for member in members)))
        return out

    def certify(self, progress: Callable[[float], Any] | None = None) -> Certificate:
        """Tries all 2**30 + 1 scores, in about two seconds, and proves the promises.

        progress(share) is called with the share done, 0 to 1, in this thread;
        an exception in it, Ctrl-C too, stops the run. Raises CertificateError
        where the curve breaks a promise.
        """
        return certificate.certify(self._alive(), progress)

    # ---- pictures -----------------------------------------------------------

    def _repr_svg_(self) -> str | None:
        try:
            return drawing.svg(self)
        except ClosedError:
            return None

    def plot(self, ax: Any = None) -> Any:
        """Draws curve and knots on Matplotlib axes (default: new ones); returns the axes."""
        self._alive()
        return drawing.plot(self, ax)

    def __repr__(self) -> str:
        name = type(self).__name__
        try:  # not a question first: another thread may close in between
            knots, method = self.knots, self.method
        except ClosedError:
            return f"<{name}, closed>"
        if len(knots) <= 8:
            scores, hedges = ([float(v) for v in column] for column in knots.T)
            return f"{name}({scores}, {hedges}, method={method!r})"
        (first, low), (last, high) = knots[0], knots[-1]
        return (
            f"<{name} {method}, {len(knots)} knots, scores {first:g} to {last:g}, "
            f"hedges {low:g} to {high:g}, {self.hash[:12]}>"
        )

    # ---- identity and life --------------------------------------------------

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Curve):
            return NotImplemented
        return self is other or (self._hash is not None and self._hash == other._hash)

    def __hash__(self) -> int:
        return hash(self._hash)

    def __reduce__(self) -> tuple[Any, ...]:
        own = {k: v for k, v in self.__dict__.items() if k not in ("_handle", "_hash")}
        return _rebuild, (type(self), self.knots, self.method), own or None

    def close(self) -> None:
        """Lets go of the C object; calls under way in other threads finish first."""
        self._handle = None

    def __enter__(self: _C) -> _C:
        self._alive()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def _rebuild(kind: type[Curve], knots: F64, method: str) -> Curve:
    # A subclass's __init__ may take something else than knots.
    curve = kind.__new__(kind)
    Curve.__init__(curve, knots[:, 0], knots[:, 1], method)
    return curve


def _curve_error(code: int, error: layout.Error) -> Exception:
    if code == status.E_NOMEM:
        return MemoryError("hedge: no memory for the curve")
    field = error.field.decode("utf-8", "replace")
    message = error.message.decode("utf-8", "replace")
    if code != status.E_CURVE:
        text = f"{field}: {message}" if field else message
        return Error(text, code, status.status_name(code))
    return _knots_error(error.index, field, message)


def _knots_error(index: int, field: str, message: str) -> CurveError:
    name = status.status_name(status.E_CURVE)
    out = CurveError(f"{field}: {message}", status.E_CURVE, name)
    out.index, out.field = index, field
    return out


def _evaluate(handle: Handle, scores: F64, out: F64 | None) -> F64:
    if scores.flags.f_contiguous and not scores.flags.c_contiguous:
        if out is None or out.flags.f_contiguous:
            # The order of the axes does not matter to the curve.
            turned = None if out is None else out.T
            hedges = _evaluate(handle, scores.T, turned).T
            return hedges if out is None else out
    source = readable(scores)
    target = out
    if target is None:
        target = np.empty(scores.shape)
    elif not writable_in_place(target, source):
        target = np.empty(scores.shape)
    lib.hedge_curve_eval_n(handle, source.ctypes.data, target.ctypes.data, source.size)
    if out is None:
        return target
    if target is not out:
        out[...] = target
    return out


__all__ = ["METHODS", "Curve", "Piece"]
