"""Confluent's wire format: a zero byte, the schema's id in four bytes, and an Avro datum."""

from __future__ import annotations

import struct

HEADER_BYTES = 5

MAX_VALUE_BYTES = 1024 * 1024
"""Longest value that is decoded; a record of a contract has a few hundred bytes. Longer ones are refused unread."""
_HEADER = struct.Struct(">BI")


def prefix(schema_id: int) -> bytes:
    """The five bytes before every datum of this schema."""
    return _HEADER.pack(0, schema_id)


def frame(schema_id: int, payload: bytes) -> bytes:
    """A whole message value."""
    return _HEADER.pack(0, schema_id) + payload


def schema_id_of(header: bytes) -> int | None:
    """The schema's id, or None if `header` does not begin a message of this format."""
    if len(header) < HEADER_BYTES or header[0] != 0:
        return None
    return int.from_bytes(header[1:HEADER_BYTES], "big")


def unframe(value: bytes) -> tuple[int, bytes] | None:
    """Id and payload, or None if the value is not in this format."""
    schema_id = schema_id_of(value[:HEADER_BYTES])
    return None if schema_id is None else (schema_id, value[HEADER_BYTES:])
