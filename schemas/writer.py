"""A writer's schema: what its datums look like, and the columnar reader made for it.

Concatenated datums of one schema are exactly the payload of a block of an Avro object container. The wire
format's header is read along as a first field of fixed size, so values need no cutting, and every boundary
between two records is checked.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.avro_parser import load_schema, parse_schema
from schemas.avro_tree import Enum, Fixed, Node, Primitive, Record, Union
from schemas.octets import Octets
from schemas.wire import HEADER_BYTES

WIRE = "__wire"
"""Column with the header of each value."""

COLUMNAR_ERRORS: tuple[type[BaseException], ...] = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
"""What the columnar reader raises on bad bytes; a panic is no `Exception`."""

_SYNC = b"ioc-block-marker"


@dataclass(frozen=True, slots=True)
class FlatField:
    """A field of one primitive, enum or fixed type, `nullable` if in a union with null."""

    name: str
    type: Primitive | Enum | Fixed
    nullable: bool = False
    null_first: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """Values as an Avro container file in memory: `octets`, in which the first value begins at `first`; `sizes` in
    bytes, headers included."""

    octets: bytes
    first: int
    sizes: npt.NDArray[np.int64]


def varint(number: int) -> bytes:
    """An integer as Avro's variable-length zig-zag."""
    rest = (number << 1) ^ (number >> 63)
    out = bytearray()
    while rest >= 0x80:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


class Writer:
    """One writer schema. Raises InvalidSchemaError if the text is no record's schema."""

    def __init__(self, text: str) -> None:
        self.schema: Any = load_schema(text)
        node = parse_schema(self.schema)
        self.name = node.full_name if isinstance(node, Record) else ""
        self.fields: tuple[FlatField, ...] | None = _flat(node)
        """None if the record is not flat: then the columnar reader cannot take it."""

    @cached_property
    def _container(self) -> bytes:
        return _container(self.fields or (), texts_as="string")

    @cached_property
    def _careful_container(self) -> bytes:
        return _container(self.fields or (), texts_as="bytes")

    def block(self, values: Octets, careful: bool = False) -> Block:
        """Whole values (with their headers, none null) as what `columns` reads.

        `careful`: texts stay bytes, so that one that is no UTF-8 does not spoil the others.
        """
        data = values.data
        start = self._careful_container if careful else self._container
        head = b"".join((start, varint(len(values)), varint(data.nbytes)))
        return Block(b"".join((head, data, _SYNC)), len(head), values.sizes)

    @staticmethod
    def columns(block: Block) -> pl.DataFrame:
        """The columns of a block, enums as numbers; COLUMNAR_ERRORS if one value is bad, though not of each bad one:
        `schemas.canonical` tells whether the columns may be believed."""
        return pl.read_avro(io.BytesIO(block.octets))


def _container(fields: Sequence[FlatField], texts_as: str) -> bytes:
    shape = {
        "type": "record",
        "name": "Value",
        "fields": [
            {"name": WIRE, "type": {"type": "fixed", "name": "Wire", "size": HEADER_BYTES}},
            *({"name": field.name, "type": _bare(field, texts_as)} for field in fields),
        ],
    }
    text = json.dumps(shape).encode()
    return b"".join(
        (
            b"Obj\x01",
            *(varint(2), varint(11), b"avro.schema", varint(len(text)), text),
            *(varint(10), b"avro.codec", varint(4), b"null", varint(0), _SYNC),
        )
    )


def _bare(field: FlatField, texts_as: str) -> Any:
    """The type as the columnar reader takes it; an enum is its number, which it also reads where null may stand."""
    bare: Any
    match field.type:
        case Enum() | Primitive("int"):
            bare = "long"  # so that a number beyond its bounds is seen rather than cut
        case Fixed(size=size):
            bare = {"type": "fixed", "name": f"Fixed{field.name}", "size": size}
        case Primitive("string"):
            bare = texts_as
        case Primitive("long", "timestamp-millis"):
            bare = {"type": "long", "logicalType": "timestamp-millis"}
        case Primitive(kind):
            bare = kind
    if not field.nullable:
        return bare
    return ["null", bare] if field.null_first else [bare, "null"]


def _flat(node: Node) -> tuple[FlatField, ...] | None:
    if not isinstance(node, Record):
        return None
    flat = [_flat_field(field.name, field.type) for field in node.fields]
    return tuple(field for field in flat if field is not None) if None not in flat else None


def _flat_field(name: str, node: Node) -> FlatField | None:
    match node:
        case Primitive("null"):
            return None
        case Primitive() | Enum() | Fixed():
            return FlatField(name, node)
        case Union((Primitive("null"), Primitive() | Enum() | Fixed() as inner)):
            return FlatField(name, inner, nullable=True, null_first=True)
        case Union((Primitive() | Enum() | Fixed() as inner, Primitive("null"))):
            return FlatField(name, inner, nullable=True)
    return None
