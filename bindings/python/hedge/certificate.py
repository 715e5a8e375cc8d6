# SPDX-License-Identifier: MIT
"""Certification: every score there is, tried."""

from __future__ import annotations

import os
import threading
from ctypes import byref
from dataclasses import dataclass
from typing import Any, Callable

from . import layout, status
from .error import CertificateError, Error
from .handle import Handle
from .library import lib

FAULTS = ("fine", "knot", "outside", "falls", "jumps", "paths")
_TOLD_EVERY_S = 0.05


@dataclass(frozen=True)
class Certificate:
    """What trying every score has shown.

    `tried` scores (2**30 + 1 when all is well); `fault` is "fine", or the
    first promise broken: "knot", "outside", "falls", "jumps" or "paths";
    `scores` and `hedges` then say where.
    """

    fault: str
    tried: int
    scores: tuple[float, float]
    hedges: tuple[float, float]


class _Sweep:
    """One run in a thread of its own.

    Python delivers Ctrl-C to the main thread between two of its instructions,
    which a long call into C would keep it from. So another thread makes the
    call, and the caller's waits where it can be interrupted.
    """

    def __init__(self, handle: Handle) -> None:
        self.done = 0.0
        self.stop = False
        self.finished = threading.Event()
        self.code = status.E_STOPPED
        self.out = layout.new(layout.Certificate)
        self._tell = layout.Progress(self._told)
        # The thread alone holds the handle: it lets go of it when the call is back.
        self.thread = threading.Thread(target=self._run, args=(handle,), name="hedge-certify")

    def _told(self, _context: Any, done: float) -> int:
        self.done = done
        return 1 if self.stop else 0

    def _run(self, handle: Handle) -> None:
        try:
            self.code = lib.hedge_curve_certify(handle, self._tell, None, byref(self.out))
        finally:
            self.finished.set()


def certify(handle: Handle, progress: Callable[[float], Any] | None) -> Certificate:
    """Runs the sweep; see Curve.certify."""
    if progress is not None and not callable(progress):
        raise TypeError("progress must be callable: it gets the share done, 0 to 1")
    sweep, process = _Sweep(handle), os.getpid()
    try:
        sweep.thread.start()
        while not sweep.finished.wait(_TOLD_EVERY_S):
            if progress is not None:
                progress(sweep.done)
            if os.getpid() != process:  # forked by progress, and the thread stayed behind
                raise Error(
                    "certify: the process was forked meanwhile, and the run is its parent's; "
                    "call certify again here",
                    status.E_STOPPED,
                    status.status_name(status.E_STOPPED),
                )
    finally:
        sweep.stop = True
        if sweep.thread.ident is not None:
            sweep.thread.join()
    if progress is not None:
        progress(1.0)
    return _judge(sweep)


def _judge(sweep: _Sweep) -> Certificate:
    out = sweep.out
    fault = FAULTS[out.fault] if 0 <= out.fault < len(FAULTS) else f"fault {out.fault}"
    certificate = Certificate(
        fault, int(out.tried), (out.score[0], out.score[1]), (out.hedge[0], out.hedge[1])
    )
    if sweep.code == status.OK:
        return certificate
    name = status.status_name(sweep.code)
    if sweep.code != status.E_CERTIFY:
        raise Error(f"certify: {status.status_text(sweep.code)}", sweep.code, name)
    error = CertificateError(
        f"the curve breaks a promise ({fault}): scores {certificate.scores} get hedges "
        f"{certificate.hedges}; do not use it, and report its knots",
        sweep.code,
        name,
    )
    error.certificate = certificate
    raise error
