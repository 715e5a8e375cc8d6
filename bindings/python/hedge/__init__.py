# SPDX-License-Identifier: MIT
"""Hedge-Engine from Python: curves, policies and decisions of libhedge.

    >>> import hedge
    >>> curve = hedge.Curve([0.0, 0.3, 0.7, 1.0], [0.05, 0.25, 0.75, 1.0])
    >>> curve(0.7)
    0.75
"""

from __future__ import annotations

from .certificate import Certificate
from .curve import METHODS, Curve, Piece
from .decision import Decision
from .decisions import Decisions
from .error import AssetError, CertificateError, ClosedError, CurveError, Error, PolicyError
from .library import LIBRARY_PATH, LIBRARY_VERSION
from .policy import Policy
from .rules import Limit, Rules
from .status import flag_names, status_name, status_text
from .version import VERSION as __version__

__all__ = [
    "LIBRARY_PATH",
    "LIBRARY_VERSION",
    "METHODS",
    "AssetError",
    "Certificate",
    "CertificateError",
    "ClosedError",
    "Curve",
    "CurveError",
    "Decision",
    "Decisions",
    "Error",
    "Limit",
    "Piece",
    "Policy",
    "PolicyError",
    "Rules",
    "__version__",
    "flag_names",
    "status_name",
    "status_text",
]
