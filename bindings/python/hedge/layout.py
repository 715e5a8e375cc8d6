# SPDX-License-Identifier: MIT
"""The structs of hedge.h, member by member."""

from __future__ import annotations

from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char,
    c_double,
    c_int32,
    c_int64,
    c_uint32,
    c_uint64,
    c_void_p,
    sizeof,
)
from typing import TypeVar

BREAKER_COUNT = 14

Struct = TypeVar("Struct", bound=Structure)


def new(kind: type[Struct]) -> Struct:
    """A zeroed struct that says its own size, as HEDGE_INIT does."""
    return kind(sizeof(kind))


class Error(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("code", c_int32),
        ("line", c_int32),
        ("index", c_int32),
        ("file", c_char * 256),
        ("field", c_char * 96),
        ("message", c_char * 256),
    ]


class Piece(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("from", c_double),
        ("to", c_double),
        ("knot", c_double),
        ("hedge", c_double),
        ("b", c_double),
        ("c", c_double),
        ("d", c_double),
    ]


class Certificate(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("fault", c_int32),
        ("tried", c_uint64),
        ("score", c_double * 2),
        ("hedge", c_double * 2),
    ]


class Limit(Structure):
    _fields_ = [
        ("limit", c_double),
        ("upper", c_double),
        ("floor", c_double),
        ("action", c_int32),
        ("reserved", c_int32),
    ]


class Rules(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("weight", c_int32),
        ("blend", c_int32),
        ("freshness", c_int32),
        ("half_depth_usd", c_double),
        ("full_depth_usd", c_double),
        ("max_hedge_pct", c_double),
        ("limits", Limit * BREAKER_COUNT),
    ]


class Request(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("asset", c_int32),
        ("amount_usd", c_double),
        ("override_score", c_double),
        ("flags", c_uint32),
        ("reserved", c_uint32),
    ]


class Quote(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("score", c_double),
        ("previous_score", c_double),
        ("confidence", c_double),
        ("score_ts_ns", c_int64),
        ("depth1pct_usd", c_double),
        ("depth_ts_ns", c_int64),
    ]


class Decision(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("status", c_int32),
        ("flags", c_uint32),
        ("asset", c_int32),
        ("hedge_pct", c_double),
        ("notional_usd", c_double),
        ("confidence", c_double),
        ("score", c_double),
        ("liquidity_weight", c_double),
        ("effective_score", c_double),
        ("liquidity_quality", c_double),
        ("score_age_ns", c_int64),
        ("depth_age_ns", c_int64),
        ("ts_ns", c_int64),
    ]


class SizeIn(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("asset_all", c_int32),
        ("now_all_ns", c_int64),
        ("asset", c_void_p),
        ("amount_usd", c_void_p),
        ("override_score", c_void_p),
        ("request_flags", c_void_p),
        ("score", c_void_p),
        ("confidence", c_void_p),
        ("score_ts_ns", c_void_p),
        ("previous_score", c_void_p),
        ("depth1pct_usd", c_void_p),
        ("depth_ts_ns", c_void_p),
        ("quote_flags", c_void_p),
        ("now_ns", c_void_p),
    ]


class SizeOut(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("status", c_void_p),
        ("flags", c_void_p),
        ("hedge_pct", c_void_p),
        ("notional_usd", c_void_p),
        ("confidence", c_void_p),
        ("score", c_void_p),
        ("liquidity_weight", c_void_p),
        ("effective_score", c_void_p),
        ("liquidity_quality", c_void_p),
        ("score_age_ns", c_void_p),
        ("depth_age_ns", c_void_p),
    ]


Progress = CFUNCTYPE(c_int32, c_void_p, c_double)

# By the name of the C struct: what the library is asked about at import.
STRUCTS: dict[str, type[Structure]] = {
    "hedge_error": Error,
    "hedge_piece": Piece,
    "hedge_certificate": Certificate,
    "hedge_rules": Rules,
    "hedge_request": Request,
    "hedge_quote": Quote,
    "hedge_decision": Decision,
    "hedge_size_in": SizeIn,
    "hedge_size_out": SizeOut,
}

ErrorPointer = POINTER(Error)
