"""Values of any contract, other versions of it to write them by, and what a record-by-record reader makes of them.

A row is compared in one plain form, whoever has read it: integers for numbers, times (ms) and decimals (unscaled),
bits for floating-point numbers, texts for texts and symbols.
"""

from __future__ import annotations

import base64
import copy
import io
import json
import struct
from collections.abc import Sequence
from functools import cache
from typing import Any

import fastavro
import polars as pl
from hypothesis import strategies as st

from schemas import decimal_bytes
from schemas.codec import ROW, Decoded
from schemas.contract import Contract, Field

Schema = dict[str, Any]

INT, LONG = 2**31, 2**63
INTS = (0, -1, 1, -INT, INT - 1)
LONGS = (*INTS, -LONG, LONG - 1, INT, -INT - 1, 2**53 + 1, 1_661_217_300_000)
TIMES = (0, -1, -LONG, LONG - 1, -2_208_988_800_000, -62_135_596_800_001, 253_402_300_800_000, 4_102_444_800_000)
"""Milliseconds: 1900, before the year 1, after 9999, 2100."""
DOUBLES = (0.0, -0.0, float("inf"), float("-inf"), float("nan"), 5e-324, 1.7976931348623157e308, 0.1)
TEXTS = ("", "\0", "a\0b", "Ủy ban nhân dân xã Trà Đa – “một cửa”", "đ" * 5_000, "Nguyễn\u0301 Văn", "🏛️", "\ufeffx")
"""Empty, NUL, Vietnamese composed and decomposed, long, outside of the basic plane, a byte order mark."""
FOREIGN = ("SYMBOL_OF_THE_FUTURE", "ANOTHER_ONE")
"""Symbols that no contract knows."""
EXTRA = {"name": "zz_extra", "type": ["null", {"type": "array", "items": "string"}]}
"""A field that the columnar reader does not take: records with it are read one by one."""


def plain(schema: Schema) -> Schema:
    """The schema without logical types, so that readers give what is on the wire."""
    made = copy.deepcopy(schema)
    for field in made["fields"]:
        field["type"] = _bare(field["type"])
    return made


def _bare(kind: Any) -> Any:
    if isinstance(kind, list):
        return [_bare(branch) for branch in kind]
    return kind["type"] if isinstance(kind, dict) and "logicalType" in kind else kind


def inner(kind: Any) -> Any:
    """The type beside null."""
    return next(branch for branch in kind if branch != "null") if isinstance(kind, list) else kind


@st.composite
def versions(draw: st.DrawFn, contract: Contract) -> Schema:
    """A version that somebody might write by: older, newer, or the contract's own."""
    schema = copy.deepcopy(contract.schema)
    if draw(st.integers(0, 3)) == 0:
        return schema
    fields = [_changed(draw, field) for field in schema["fields"]]
    kept = [field for field in fields if field is not None]
    if draw(st.booleans()):
        kept.append({"name": "zz_more", "type": draw(st.sampled_from(["string", "double", ["long", "null"]]))})
    if draw(st.integers(0, 7)) == 0:
        kept.append(EXTRA)
    return {**schema, "fields": draw(st.permutations(kept))}


def _changed(draw: st.DrawFn, field: Schema) -> Schema | None:
    kind, how = field["type"], draw(st.integers(0, 5))
    base = inner(kind)
    if how == 0 and "default" in field:
        return None
    if how == 1:
        base = _narrower(draw, base)
    if how == 2 and isinstance(base, dict) and base["type"] == "enum":
        base = {**base, "symbols": draw(st.permutations([*base["symbols"], *FOREIGN]))}
        base.pop("default", None)
    nullable = isinstance(kind, list)
    if how == 3:
        nullable = not nullable
    turned = draw(st.booleans()) if how == 4 else isinstance(kind, list) and kind[0] != "null"
    made = {"name": field["name"], "type": base}
    if nullable:
        made["type"] = [base, "null"] if turned else ["null", base]
    return made


def _narrower(draw: st.DrawFn, base: Any) -> Any:
    choices: dict[str, list[Any]] = {"long": ["int"], "double": ["float", "long", "int"], "string": ["bytes"]}
    return draw(st.sampled_from(choices.get(base, [base]))) if isinstance(base, str) else base


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type on the wire, those at its ends often."""
    if isinstance(kind, list):
        return st.one_of(st.none(), values(inner(kind)))
    if isinstance(kind, dict):
        return _values_of_object(kind)
    return {
        "string": st.one_of(st.sampled_from(TEXTS), st.text(max_size=12)),
        "bytes": st.one_of(st.sampled_from(TEXTS), st.text(max_size=12)).map(str.encode),
        "int": st.one_of(st.sampled_from(INTS), st.integers(-INT, INT - 1)),
        "long": st.one_of(st.sampled_from(LONGS), st.integers(-LONG, LONG - 1)),
        "float": st.one_of(st.sampled_from(DOUBLES[:5]), st.floats(width=32)),
        "double": st.one_of(st.sampled_from(DOUBLES), st.floats()),
        "boolean": st.booleans(),
    }[kind]


def _values_of_object(kind: Schema) -> st.SearchStrategy[Any]:
    if kind["type"] == "enum":
        return st.sampled_from(kind["symbols"])
    if kind["type"] == "array":
        return st.lists(st.text(max_size=3), max_size=2)
    if kind.get("logicalType") == "decimal":
        return _decimal_bytes(10 ** kind["precision"])
    return st.one_of(st.sampled_from(TIMES), st.integers(-(10**13), 10**14))


def _decimal_bytes(most: int) -> st.SearchStrategy[bytes]:
    """Two's complement, the shortest or longer; now and then of one digit too many."""
    ends = st.sampled_from((0, -1, most - 1, 1 - most, most, -most))
    numbers = st.one_of(ends, st.integers(1 - most, most - 1))
    return st.tuples(numbers, st.sampled_from((0, 0, 0, 1, 9))).map(lambda made: _twos_complement(*made))


def _twos_complement(number: int, more: int) -> bytes:
    size = ((number if number >= 0 else ~number).bit_length() + 8) // 8
    return number.to_bytes(size + more, "big", signed=True)


def shortest(schema: Schema, record: dict[str, Any]) -> dict[str, Any]:
    """The record with its decimals as a writer writes them, in no more bytes than they need."""
    made = dict(record)
    for field in schema["fields"]:
        kind, value = inner(field["type"]), record[field["name"]]
        if value is not None and isinstance(kind, dict) and kind.get("logicalType") == "decimal":
            made[field["name"]] = _twos_complement(int.from_bytes(value, "big", signed=True), 0)
    return made


def records(schema: Schema) -> st.SearchStrategy[dict[str, Any]]:
    """Records of a version, in the form of `plain`."""
    return st.fixed_dictionaries({field["name"]: values(field["type"]) for field in schema["fields"]})


@cache
def _reader(text: str) -> Any:
    return fastavro.parse_schema(plain(json.loads(text)))


class Version:
    """A version to write by: `text` as the registry has it, records by fastavro."""

    def __init__(self, schema: Schema) -> None:
        self.text = json.dumps(schema)
        self.schema = schema
        self._parsed = fastavro.parse_schema(plain(schema))

    def datum(self, record: dict[str, Any]) -> bytes:
        sink = io.BytesIO()
        fastavro.schemaless_writer(sink, self._parsed, record)
        return sink.getvalue()

    def record(self, datum: bytes) -> dict[str, Any] | None:
        """The record as it was written, None if these bytes are none."""
        stream = io.BytesIO(datum)
        try:
            found: Any = fastavro.schemaless_reader(stream, self._parsed, None)
        except Exception:  # noqa: BLE001 – whatever is raised, it is no record
            return None
        return found if stream.tell() == len(datum) else None

    def read(self, contract: Contract, datum: bytes) -> dict[str, Any] | None:
        """The row that fastavro makes of a datum for the contract, None if there must be none."""
        stream = io.BytesIO(datum)
        try:
            found: Any = fastavro.schemaless_reader(stream, self._parsed, _reader(contract.schema_text))
        except Exception:  # noqa: BLE001 – whatever is raised, it cannot read the record
            return None
        if stream.tell() != len(datum):
            return None
        row = {field.name: _of_reference(field, found[field.name]) for field in contract.fields}
        return None if any(_beyond(field, row[field.name]) for field in contract.fields) else row


def as_read(contract: Contract, found: dict[str, Any] | None) -> dict[str, Any] | None:
    """The plain row of one whose bytes are base64 and whose floating-point numbers are bits; None if there is none."""
    if found is None:
        return None
    row = dict(found)
    for field in contract.fields:
        if field.base == "decimal" and row[field.name] is not None:
            row[field.name] = int.from_bytes(base64.b64decode(row[field.name]), "big", signed=True)
            if _beyond(field, row[field.name]):
                return None
    return row


def _of_reference(field: Field, value: Any) -> Any:
    if value is None or field.base in ("string", "enum", "boolean"):
        return value
    if field.base == "decimal":
        octets = value.encode("latin-1") if isinstance(value, str) else value  # a default stays as it is written
        return int.from_bytes(octets, "big", signed=True) if octets else None
    return bits(value, field.base) if field.base in ("float", "double") else int(value)


def _beyond(field: Field, value: Any) -> bool:
    return field.base == "decimal" and value is not None and abs(value) >= 10**field.precision


def bits(value: float, base: str) -> int | str:
    """A floating-point number's bits; of all that are no number one word."""
    if value != value:
        return "nan"
    if base == "double":
        return int.from_bytes(struct.pack(">d", value), "big")
    return int.from_bytes(struct.pack(">f", value), "big")


def rows(contract: Contract, decoded: Decoded) -> dict[int, dict[str, Any]]:
    """The decoder's rows in the plain form, by their place in the batch."""
    columns: dict[str, Sequence[Any]] = {}
    for field in contract.fields:
        column = decoded.frame[field.name]
        found = (column.cast(pl.Int64) if field.base == "timestamp" else column).to_list()
        columns[field.name] = [None if value is None else _plain(field, value) for value in found]
    names = list(columns)
    return {
        row: dict(zip(names, made, strict=True))
        for row, made in zip(decoded.frame[ROW].to_list(), zip(*columns.values(), strict=True), strict=True)
    }


def _plain(field: Field, value: Any) -> Any:
    if field.base == "decimal":
        return decimal_bytes.unscaled(value, field.scale)
    return bits(value, field.base) if field.base in ("float", "double") else value
