# SPDX-License-Identifier: MIT
"""What goes wrong. A breaker that trips is an outcome, not an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .certificate import Certificate


class Error(Exception):
    """The base of the package's own errors.

    `code` is the status code of the C library (HEDGE_E_…, -1 to -99) and
    `name` its stable name, such as "bad_curve".
    """

    def __init__(self, message: str, code: int = -1, name: str = "bad_argument") -> None:
        super().__init__(message)
        self.code = code
        self.name = name


class ClosedError(Error, ValueError):
    """The object was closed, or its __init__ never ran."""


class AssetError(Error, LookupError):
    """The policy has no asset of that name."""


class CurveError(Error, ValueError):
    """The knots do not make a curve.

    `index` is the knot at fault counted from 0, or -1 where it is not one
    knot; `field` names it, such as "knots[2]".
    """

    index: int = -1
    field: str = ""


class PolicyError(Error, ValueError):
    """A policy cannot be read or does not hold.

    `file` ("" for a text), `line` (from 1; 0 where there is none) and `field`
    ("assets.BTC.limits.stale_score_ms") say where, `message` says what.
    """

    file: str = ""
    line: int = 0
    field: str = ""
    message: str = ""


class CertificateError(Error):
    """A curve breaks one of its promises; `certificate` says where."""

    certificate: Certificate
