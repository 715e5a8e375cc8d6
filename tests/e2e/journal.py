# SPDX-License-Identifier: MIT
"""Reads a journal by docs/journal.md alone: records, chain, identities."""
import hashlib
import os
import shutil
import sqlite3
import struct

KINDS = {1: "decision", 2: "start", 3: "stop", 4: "policy", 5: "policy_refused", 6: "halt",
         7: "resume", 8: "shadow", 9: "shadow_policy"}
OVERRIDE = 1
SCORE, PREVIOUS, DEPTH, HALTED = 1, 2, 4, 8
FIRST = bytes(32)  # the hash before the first record


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, kind):
        size = struct.calcsize("<" + kind)
        value, = struct.unpack_from("<" + kind, self.data, self.at)
        self.at += size
        return value

    def text(self):
        size = self.take("H")
        part = self.data[self.at:self.at + size]
        if len(part) != size or b"\0" in part:
            raise ValueError(f"a text of {size} bytes at {self.at}")
        self.at += size
        return part.decode("utf-8")

    def members(self, members):
        return {name: self.take(kind) for kind, name in (m.split() for m in members)}


REQUEST = ("i asset", "I flags", "d amount_usd", "d override_score")
QUOTE = ("I flags", "d score", "d previous_score", "d confidence", "q score_ts_ns",
         "d depth1pct_usd", "q depth_ts_ns")
DECISION = ("i status", "I flags", "i asset", "d hedge_pct", "d notional_usd", "d confidence",
            "d score", "d liquidity_weight", "d effective_score", "d liquidity_quality",
            "q score_age_ns", "q depth_age_ns", "q ts_ns")


def decode(data):
    """One canonical record as a dict; ValueError or struct.error for anything else."""
    r = Reader(data)
    if data[:4] != b"HDR1":
        raise ValueError(f"magic {data[:4]!r}")
    r.at = 4
    out = r.members(("I kind", "Q seq", "Q writer", "q ts_ns"))
    if out["kind"] not in KINDS:
        raise ValueError(f"kind {out['kind']}")
    out["policy_hash"] = data[r.at:r.at + 32].hex()
    r.at += 32
    out["build"], out["asset"], out["note"] = r.text(), r.text(), r.text()
    if out["kind"] in (1, 8):
        out["request"] = r.members(REQUEST)
        out["quote"] = r.members(QUOTE)
        out["decision"] = r.members(DECISION)
    if r.at != len(data):
        raise ValueError(f"{len(data) - r.at} bytes behind the record")
    return out


def chain(previous, data):
    return hashlib.sha256(previous + data).digest()


def decision_id(writer, seq):
    """The UUID of version 8 that names record seq of a writer."""
    number = (writer >> 12) << 80 | 8 << 76 | (writer & 0xFFF) << 64 | 2 << 62 | seq
    h = f"{number:032x}"
    return "-".join((h[:8], h[8:12], h[12:16], h[16:20], h[20:]))


def seq_of(decision):
    """The number of the record that a decision_id names."""
    return int(decision.replace("-", ""), 16) & ((1 << 62) - 1)


def oracle_inputs(record):
    """(request, quote, now_ns) of a decision's record in the oracle's words."""
    asked, seen = record["request"], record["quote"]
    request = {"amount_usd": asked["amount_usd"]}
    if asked["flags"] & OVERRIDE:
        request["override_score"] = asked["override_score"]
    quote = {"halted": bool(seen["flags"] & HALTED)}
    if seen["flags"] & SCORE:
        quote.update(score=seen["score"], confidence=seen["confidence"],
                     score_ts_ns=seen["score_ts_ns"])
    if seen["flags"] & PREVIOUS:
        quote["previous_score"] = seen["previous_score"]
    if seen["flags"] & DEPTH:
        quote.update(depth1pct_usd=seen["depth1pct_usd"], depth_ts_ns=seen["depth_ts_ns"])
    return request, quote, record["decision"]["ts_ns"]


def copy(path, target):
    """Copies a journal that nobody holds, with its write-ahead log."""
    for end in ("", "-wal"):
        if os.path.exists(path + end):
            shutil.copyfile(path + end, target + end)
    return target


def rows(path, after=0):
    """(writer, [(seq, kind, ts_ns, asset, record, hash), …]) of a journal file."""
    base = sqlite3.connect(path)
    try:
        writer = int(base.execute("SELECT value FROM journal WHERE key='writer'").fetchone()[0], 16)
        return writer, base.execute("SELECT seq, kind, ts_ns, asset, record, hash FROM records "
                                    "WHERE seq > ? ORDER BY seq", (after,)).fetchall()
    finally:
        base.close()


def walk(found, previous=FIRST, seq=0):
    """Checks seq and chain of rows as rows() gives them: (the records, the head's hash)."""
    out = []
    for number, kind, ts_ns, asset, data, digest in found:
        seq += 1
        record = decode(data)
        previous = chain(previous, data)
        if (number, kind, ts_ns, asset) != (seq, record["kind"], record["ts_ns"], record["asset"]):
            raise ValueError(f"row {number} is not its record: {kind, ts_ns, asset} {record}")
        if record["seq"] != seq:
            raise ValueError(f"record {record['seq']} where {seq} belongs")
        if digest != previous:
            raise ValueError(f"the chain breaks at {seq}")
        out.append(record)
    return out, previous
