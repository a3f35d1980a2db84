"""Records that the columnar reader does not take, one after the other: the home module of fastavro.

They are read without logical types, so that numbers come as they are on the wire, and become columns by the same rules
as those of the columnar reader.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import fastavro
import numpy as np
import polars as pl

from schemas import bad_records, decimals
from schemas.avro_parser import parse_schema
from schemas.avro_tree import Node, Primitive, Record, Union
from schemas.bad_records import BadRecord
from schemas.contract import Contract, Field
from schemas.datum_walk import is_whole
from schemas.resolution import dtype
from schemas.wire import HEADER_BYTES
from schemas.writer import Writer


def read_one_by_one(
    contract: Contract, writer: Writer, values: Iterable[bytes | None]
) -> tuple[pl.DataFrame, list[BadRecord]]:
    """The contract's columns of whole values, a row each, and the rows that cannot be used (empty or nulls there)."""
    node = parse_schema(writer.schema)
    other = _of_another_logical_type(contract, node)
    parsed, wanted = fastavro.parse_schema(_bare(writer.schema)), fastavro.parse_schema(_bare(contract.schema))
    found: list[dict[str, Any]] = []
    bad: dict[int, BadRecord] = {}
    for row, value in enumerate(value or b"" for value in values):
        record: Any = {}
        if other is not None:
            bad[row] = bad_records.schema_mismatch(row, other)
        elif not is_whole(node, value, HEADER_BYTES):
            bad[row] = bad_records.undecodable(row, "hỏng hoặc thừa dữ liệu", "malformed, or bytes are left over")
        else:
            stream = io.BytesIO(value)
            stream.seek(HEADER_BYTES)
            try:
                record = fastavro.schemaless_reader(stream, parsed, wanted)
            except Exception as error:  # noqa: BLE001 – the reader raises anything; each record is judged by itself
                bad[row] = bad_records.undecodable(row, type(error).__name__, type(error).__name__)
        found.append(record)
    columns = [_column(field, [record.get(field.name) for record in found], bad) for field in contract.fields]
    return pl.DataFrame(columns), [bad[row] for row in sorted(bad)]


def _column(field: Field, values: list[Any], bad: dict[int, BadRecord]) -> pl.Series:
    if field.base == "timestamp":
        return pl.Series(field.name, values, dtype=pl.Int64).cast(dtype(field))
    if field.base != "decimal":
        return pl.Series(field.name, values, dtype=dtype(field))
    # The reader leaves a default as it is written in the schema, a text.
    raw = [value.encode("latin-1") if isinstance(value, str) else value for value in values]
    column, beyond = decimals.from_bytes(pl.Series(field.name, raw, dtype=pl.Binary), field.precision, field.scale)
    for row in np.flatnonzero(beyond).tolist():
        bad.setdefault(row, bad_records.decimal_out_of_range(row, field.name, field.precision, field.scale))
    return column.alias(field.name)


def _of_another_logical_type(contract: Contract, writer: Node) -> str | None:
    """The first field that is a time of another unit or a decimal of other digits at the writer, if there is one."""
    reader = parse_schema(contract.schema)
    if not isinstance(reader, Record) or not isinstance(writer, Record):
        return None
    for wanted in reader.fields:
        source = next((writer.by_name[name] for name in (wanted.name, *wanted.aliases) if name in writer.by_name), None)
        if source is None:
            continue
        (mine,) = [one for one in _branches(wanted.type) if one != Primitive("null")]
        for theirs in _branches(source.type):
            if isinstance(mine, Primitive) and isinstance(theirs, Primitive) and not _alike(mine, theirs):
                return wanted.name
    return None


def _branches(node: Node) -> tuple[Node, ...]:
    return node.branches if isinstance(node, Union) else (node,)


def _alike(reader: Primitive, writer: Primitive) -> bool:
    if "decimal" in (reader.logical, writer.logical) and writer.kind != "null":
        return reader == writer
    return reader.logical is None or writer.logical in (None, reader.logical)


def _bare(schema: Any) -> Any:
    """Without logical types."""
    if isinstance(schema, list):
        return [_bare(item) for item in schema]
    if isinstance(schema, dict):
        return {key: _bare(value) for key, value in schema.items() if key != "logicalType"}
    return schema
