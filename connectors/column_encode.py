"""`connectors.encode` for the values of a whole column. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from operator import add
from typing import Any

import numpy as np
import numpy.typing as npt

from connectors.encode import union_heads, zigzag
from schemas.contract import Field

EncodeColumn = Callable[[Any], list[bytes]]
"""From the values of a field, none of them null, to their bytes. Whole numbers and times come as an array of 64-bit
integers, doubles as one of 64-bit floats, texts as a sequence of `str`."""

_SHIFTS = np.arange(0, 70, 7, dtype=np.uint64)
"""Of the seven bits in each octet of a number of 64."""
WHOLE = ("int", "long", "timestamp")
LENGTHS = 2_048
"""Longer texts, in bytes, are encoded one by one; a text of a contract has at most 1,024 characters."""


def column_encoder(field: Field, raw_type: Any) -> EncodeColumn | None:
    """The encoder of a field's columns; None for types of which every value is encoded by itself."""
    head = union_heads(raw_type)[1] if field.nullable else b""
    if field.base in WHOLE:
        return lambda values: zigzags(values, head)
    if field.base == "double":
        return lambda values: doubles(values, head)
    return _texts(head) if field.base == "string" else None


def zigzags(values: npt.NDArray[np.int64], head: bytes = b"") -> list[bytes]:
    """`encode.zigzag` of many integers, each behind `head`."""
    if not len(values):
        return []
    rest = ((values << 1) ^ (values >> 63)).view(np.uint64)
    before, width = len(head), max(1, (int(rest.max()).bit_length() + 6) // 7)
    octets = np.empty((len(values), before + width), dtype=np.uint8)
    octets[:, :before] = np.frombuffer(head, dtype=np.uint8)
    left = rest[:, np.newaxis] >> _SHIFTS[:width]
    octets[:, before:] = left & np.uint64(0x7F)
    octets[:, before:-1] |= (left[:, 1:] > 0).view(np.uint8) << np.uint8(7)
    # Texts of fixed width lose their zeros at the end: exactly the bytes beyond a number, and the number 0 itself.
    cells: list[bytes] = octets.view(f"S{before + width}").ravel().tolist()
    for place in np.flatnonzero(values == 0).tolist():
        cells[place] = head + b"\x00"
    return cells


def doubles(values: npt.NDArray[np.float64], head: bytes = b"") -> list[bytes]:
    """64-bit floats as Avro writes them, each behind `head`."""
    octets = np.empty((len(values), len(head) + 8), dtype=np.uint8)
    octets[:, : len(head)] = np.frombuffer(head, dtype=np.uint8)
    octets[:, len(head) :] = values.astype("<f8").view(np.uint8).reshape(-1, 8)
    cells: list[bytes] = octets.view(f"V{len(head) + 8}").ravel().tolist()
    return cells


@cache
def _texts(head: bytes) -> EncodeColumn:
    """One for all fields: each has 100 kB."""
    sizes = [head + zigzag(size) for size in range(LENGTHS)]

    def encoded(values: Sequence[str]) -> list[bytes]:
        raw = list(map(str.encode, values))
        try:
            return list(map(add, map(sizes.__getitem__, map(len, raw)), raw))
        except IndexError:
            return [head + zigzag(len(octets)) + octets for octets in raw]

    return encoded
