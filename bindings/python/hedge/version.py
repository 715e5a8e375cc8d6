# SPDX-License-Identifier: MIT
"""The package's version: that of the public header it was built from."""

from __future__ import annotations

import re
from pathlib import Path

_HERE = Path(__file__).resolve().parent


def _from_header(text: str) -> str:
    names = ("MAJOR", "MINOR", "PATCH")
    parts = [re.search(rf"HEDGE_VERSION_{name} (\d+)", text) for name in names]
    return ".".join(part.group(1) for part in parts if part is not None)


def _read() -> str:
    # The build writes this file; in a source tree the header itself is at hand.
    written = _HERE / "VERSION"
    if written.is_file():
        return written.read_text(encoding="ascii").strip()
    header = _HERE.parents[2] / "include" / "hedge" / "hedge.h"
    try:
        return _from_header(header.read_text(encoding="utf-8"))
    except OSError as missing:
        raise ImportError(
            f"hedge: neither {written} nor {header} is there to say the version; "
            "install the package (pip install bindings/python)"
        ) from missing


VERSION: str = _read()
