# SPDX-License-Identifier: MIT
"""Finds, checks and loads libhedge.

Looked for in this order, the first one counts:
 1. the file that the environment variable HEDGE_LIBRARY names;
 2. the copy inside the package, which a wheel brings;
 3. libhedge.so.0 where the system's loader looks.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import (
    POINTER,
    byref,
    c_char_p,
    c_double,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_void_p,
)
from pathlib import Path
from typing import Any, Callable

from . import layout
from .version import VERSION

ABI_VERSION = 0
SONAME = "libhedge.so.0"

_E_STRUCT_SIZE = -3

# result, arguments
_PROTOTYPES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "hedge_abi_version": (c_uint32, ()),
    "hedge_version": (c_char_p, ()),
    "hedge_status_name": (c_char_p, (c_int32,)),
    "hedge_status_text": (c_char_p, (c_int32,)),
    "hedge_flag_name": (c_char_p, (c_uint32,)),
    "hedge_curve_new": (
        c_int32,
        (c_int32, c_void_p, c_void_p, c_size_t, layout.ErrorPointer, POINTER(c_void_p)),
    ),
    "hedge_curve_eval": (c_double, (c_void_p, c_double)),
    "hedge_curve_eval_n": (None, (c_void_p, c_void_p, c_void_p, c_size_t)),
    "hedge_curve_slope": (c_double, (c_void_p, c_double)),
    "hedge_curve_inverse": (c_double, (c_void_p, c_double)),
    "hedge_curve_area": (c_double, (c_void_p, c_double, c_double)),
    "hedge_curve_sensitivity": (c_int32, (c_void_p, c_double, c_void_p, c_size_t)),
    "hedge_curve_piece_count": (c_size_t, (c_void_p,)),
    "hedge_curve_piece": (c_int32, (c_void_p, c_size_t, POINTER(layout.Piece))),
    "hedge_curve_hash": (c_int32, (c_void_p, c_void_p)),
    "hedge_curve_certify": (
        c_int32,
        (c_void_p, layout.Progress, c_void_p, POINTER(layout.Certificate)),
    ),
    "hedge_curve_method": (c_int32, (c_void_p,)),
    "hedge_method_name": (c_char_p, (c_int32,)),
    "hedge_curve_knot_count": (c_size_t, (c_void_p,)),
    "hedge_curve_knot": (
        c_int32,
        (c_void_p, c_size_t, POINTER(c_double), POINTER(c_double)),
    ),
    "hedge_curve_free": (None, (c_void_p,)),
    "hedge_policy_load": (c_int32, (c_char_p, layout.ErrorPointer, POINTER(c_void_p))),
    "hedge_policy_parse": (
        c_int32,
        (c_char_p, c_size_t, layout.ErrorPointer, POINTER(c_void_p)),
    ),
    "hedge_policy_asset_count": (c_size_t, (c_void_p,)),
    "hedge_policy_asset_name": (c_char_p, (c_void_p, c_int32)),
    "hedge_policy_curve": (c_void_p, (c_void_p, c_int32)),
    "hedge_policy_rules": (c_int32, (c_void_p, c_int32, POINTER(layout.Rules))),
    "hedge_policy_text": (c_char_p, (c_void_p, c_void_p)),
    "hedge_policy_hash_hex": (c_char_p, (c_void_p,)),
    "hedge_policy_file": (c_char_p, (c_void_p, c_size_t)),
    "hedge_policy_free": (None, (c_void_p,)),
    "hedge_size": (
        c_int32,
        (
            c_void_p,
            POINTER(layout.Request),
            POINTER(layout.Quote),
            c_int64,
            POINTER(layout.Decision),
        ),
    ),
    "hedge_size_n": (
        c_int32,
        (c_void_p, POINTER(layout.SizeIn), c_size_t, POINTER(layout.SizeOut)),
    ),
}


def _candidate() -> str:
    named = os.environ.get("HEDGE_LIBRARY", "")
    if named:
        # A bare name would be looked for elsewhere than the user means.
        path = os.path.abspath(named)
        if os.path.exists(path) and not os.path.isfile(path):  # a pipe would make the loader wait
            raise ImportError(
                f"hedge: cannot load {path}: it is no regular file; "
                "HEDGE_LIBRARY must name a libhedge.so.0 for this machine",
                path=path,
            )
        return path
    inside = Path(__file__).resolve().with_name(SONAME)
    return str(inside) if inside.is_file() else SONAME


def _open(name: str) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(name)
    except OSError as fault:
        if name == SONAME:
            how = "install libhedge, or name its file in the environment variable HEDGE_LIBRARY"
        elif os.environ.get("HEDGE_LIBRARY"):
            how = "HEDGE_LIBRARY must name a libhedge.so.0 for this machine"
        else:
            how = "install the package again"
        raise ImportError(f"hedge: cannot load {name}: {fault}; {how}", path=name) from fault


class _DlInfo(ctypes.Structure):
    _fields_ = [
        ("dli_fname", c_char_p),
        ("dli_fbase", c_void_p),
        ("dli_sname", c_char_p),
        ("dli_saddr", c_void_p),
    ]


def _path_of(function: Any, name: str) -> str:
    """The file a function was loaded from; the name where nobody can tell."""
    info = _DlInfo()
    try:
        dladdr = ctypes.CDLL(None).dladdr
    except (AttributeError, OSError):
        return name
    dladdr.argtypes = [c_void_p, POINTER(_DlInfo)]
    dladdr.restype = ctypes.c_int
    if not dladdr(ctypes.cast(function, c_void_p), byref(info)) or not info.dli_fname:
        return name
    return os.fsdecode(info.dli_fname)


def _refuse(path: str, what: str, how: str) -> ImportError:
    return ImportError(f"hedge {VERSION}: {path} {what}; {how}", path=path)


def _declare(library: ctypes.CDLL, path: str) -> None:
    for name, (result, arguments) in _PROTOTYPES.items():
        try:
            function = getattr(library, name)
        except AttributeError as missing:
            raise _refuse(
                path, f"has no function {name}", f"a libhedge of version {VERSION} is wanted"
            ) from missing
        function.restype = result
        function.argtypes = arguments


def _check_versions(library: ctypes.CDLL, path: str) -> None:
    abi = library.hedge_abi_version()
    if abi != ABI_VERSION:
        raise _refuse(
            path, f"has ABI version {abi}, not {ABI_VERSION}", "package and library must match"
        )
    version = library.hedge_version().decode("ascii", "replace")
    if version.partition("+")[0] != VERSION:
        raise _refuse(
            path, f"is version {version}", "package and library must be of the same version"
        )


def _ask_structs(library: ctypes.CDLL, curve: c_void_p, policy: c_void_p) -> list[str]:
    """The structs whose size the library does not take."""
    size_out = layout.new(layout.SizeOut)
    size_in = layout.new(layout.SizeIn)
    amount = c_double(0.0)
    size_in.amount_usd = ctypes.addressof(amount)
    stop = layout.Progress(lambda _context, _done: 1)
    request, quote = layout.new(layout.Request), layout.new(layout.Quote)
    decision = layout.new(layout.Decision)
    asked: dict[str, Callable[[], Any]] = {
        "hedge_piece": lambda: library.hedge_curve_piece(curve, 0, byref(layout.new(layout.Piece))),
        "hedge_certificate": lambda: library.hedge_curve_certify(
            curve, stop, None, byref(layout.new(layout.Certificate))
        ),
        "hedge_rules": lambda: library.hedge_policy_rules(
            policy, 0, byref(layout.new(layout.Rules))
        ),
        "hedge_request, hedge_quote or hedge_decision": lambda: library.hedge_size(
            policy, byref(request), byref(quote), 0, byref(decision)
        ),
        "hedge_size_in or hedge_size_out": lambda: library.hedge_size_n(
            policy, byref(size_in), 1, byref(size_out)
        ),
    }
    return [name for name, ask in asked.items() if ask() == _E_STRUCT_SIZE]


def _check_structs(library: ctypes.CDLL, path: str) -> None:
    """Calls that take each struct, before any number of ours depends on them."""
    error = layout.new(layout.Error)
    curve, policy = c_void_p(), c_void_p()
    knots = (c_double * 2)(0.0, 1.0)
    text = b"[{score: 0, hedge: 0}, {score: 1, hedge: 1}]"
    # The struct of errors has no code of its own: a call that must fail has to fill it.
    library.hedge_curve_new(0, knots, knots, 0, byref(error), byref(curve))
    wrong = [] if error.code != 0 and error.message else ["hedge_error"]
    try:
        library.hedge_curve_new(0, knots, knots, 2, None, byref(curve))
        library.hedge_policy_parse(text, len(text), None, byref(policy))
        if not (curve and policy):
            raise _refuse(path, "cannot build a curve of two knots", "install libhedge again")
        wrong += _ask_structs(library, curve, policy)
    finally:
        library.hedge_policy_free(policy)
        library.hedge_curve_free(curve)
    if wrong:
        raise _refuse(
            path,
            f"does not take this package's {', '.join(wrong)} (struct_size)",
            "package and library must be of the same version",
        )


def _load() -> tuple[ctypes.CDLL, str]:
    name = _candidate()
    library = _open(name)
    probe = getattr(library, "hedge_version", None)
    path = name if probe is None else _path_of(probe, name)
    _declare(library, path)
    _check_versions(library, path)
    _check_structs(library, path)
    return library, path


lib, LIBRARY_PATH = _load()
LIBRARY_VERSION: str = lib.hedge_version().decode("ascii", "replace")

__all__ = ["ABI_VERSION", "LIBRARY_PATH", "LIBRARY_VERSION", "SONAME", "lib"]
