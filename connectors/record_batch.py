"""Kafka's record batches (format 2) made of many messages at once: a third of the cost of adding one by one. Pure.

For messages without headers, all of one time. The tests hold the octets against the client library's own.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, chain, repeat

from connectors.encode import zigzag

Pair = tuple[bytes, bytes]
Checksum = Callable[[bytes], int]
"""CRC-32C."""

MAGIC = 2
NONE = -1
"""No leader's epoch, no producer: the broker gives the first, and this producer numbers nothing."""
_BEFORE_CHECKED, _CHECKED = struct.Struct(">qiibI"), struct.Struct(">hiqqqhii")
"""A batch's header: first offset, length, leader's epoch, format, checksum of the rest; attributes, place of the last
message, first and last time, producer, its epoch, its number, count of messages."""
_LENGTH_ENDS = 12
"""The length counts what is behind it."""
HEADER_BYTES = _BEFORE_CHECKED.size + _CHECKED.size
ROUND_RECORD_BYTES = 16
"""No record has more beside its key and value, and their lengths."""


class _Varints(dict[int, bytes]):
    """Lengths and places as they are written; there are as many as differ."""

    def __missing__(self, value: int) -> bytes:
        made = self[value] = zigzag(value)
        return made


class _Framed(dict[int, int]):
    """The length of a text with its own length before it."""

    def __missing__(self, size: int) -> int:
        made = self[size] = size + len(zigzag(size))
        return made


_VARINTS, _FRAMED = _Varints(), _Framed()


def record_batches(
    pairs: Sequence[Pair], at_ms: int, most_bytes: int, checksum: Checksum
) -> Iterator[tuple[bytes, int]]:
    """(Key, value) pairs in order, in batches of at most `most_bytes` – a single message may be larger –, each with the
    count of its messages. `at_ms`: their time, Unix."""
    ends = list(accumulate(_FRAMED[len(key)] + _FRAMED[len(value)] + ROUND_RECORD_BYTES for key, value in pairs))
    start = 0
    while start < len(pairs):
        before = ends[start - 1] if start else 0
        end = max(start + 1, bisect_right(ends, before + most_bytes - HEADER_BYTES, start))
        yield _batch(pairs[start:end], at_ms, checksum), end - start
        start = end


def _batch(pairs: Sequence[Pair], at_ms: int, checksum: Checksum) -> bytes:
    places = list(map(_VARINTS.__getitem__, range(len(pairs))))
    # Attributes, the time's difference and the count of headers are a zero each.
    bodies = [
        _FRAMED[len(key)] + _FRAMED[len(value)] + len(place) + 3
        for (key, value), place in zip(pairs, places, strict=True)
    ]
    keys, values = zip(*pairs, strict=True)
    records = zip(
        map(_VARINTS.__getitem__, bodies), repeat(b"\0\0"), places,
        map(_VARINTS.__getitem__, map(len, keys)), keys,
        map(_VARINTS.__getitem__, map(len, values)), values, repeat(b"\0"),
    )  # fmt: skip
    last = len(pairs) - 1
    checked = b"".join(
        chain((_CHECKED.pack(0, last, at_ms, at_ms, NONE, NONE, 0, len(pairs)),), chain.from_iterable(records))
    )
    length = _BEFORE_CHECKED.size - _LENGTH_ENDS + len(checked)
    return _BEFORE_CHECKED.pack(0, length, NONE, MAGIC, checksum(checked)) + checked
