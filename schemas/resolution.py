"""From a writer's columns to the contract's, by the Avro specification's rules of schema resolution. Pure.

A field is found by its name, then by its aliases; one that the writer does not have takes its default; numbers and
texts are promoted; an enum's symbol that the contract does not know becomes the enum's default. What the rules
forbid is an error of the single record, and only if its value makes it one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas import bad_records, decimals
from schemas.avro_parser import parse_schema
from schemas.avro_tree import Enum, Node, Primitive, Record, RecordField, Union, unqualified
from schemas.bad_records import BadRecord
from schemas.compatibility import reads
from schemas.contract import Contract, Field
from schemas.writer import COLUMNAR_ERRORS, FlatField, Writer

Mask = npt.NDArray[np.bool_]
Reason = Callable[[int], BadRecord]
Read = tuple[pl.Series, list[tuple[Mask, Reason]]]
"""A contract's column, and the rows that it spoils with what is said of them; mostly none."""

_DTYPES: dict[str, pl.DataType] = {
    "string": pl.String(),
    "int": pl.Int32(),
    "long": pl.Int64(),
    "float": pl.Float32(),
    "double": pl.Float64(),
    "boolean": pl.Boolean(),
    "enum": pl.String(),
    "timestamp": pl.Datetime("ms", "UTC"),
}


def dtype(field: Field) -> pl.DataType:
    """Polars type of a contract field once decoded; enums become strings."""
    return pl.Decimal(field.precision, field.scale) if field.base == "decimal" else _DTYPES[field.base]


@dataclass(frozen=True, slots=True)
class Column:
    """Where a contract's field comes from: the writer's field, or its default.

    `readable` False: the writer's type cannot become the field's, and only a null is read. `symbols` are what an
    enum's numbers become, None for those that become nothing.
    """

    field: Field
    source: FlatField | None
    readable: bool
    symbols: tuple[str | None, ...] = ()

    def read(self, frame: pl.DataFrame) -> Read:
        """The column from those of `Writer.columns`."""
        if self.source is None:
            return self._default(frame.height)
        written = frame[self.source.name]
        column, spoilt = self._read(written)
        if not self.field.nullable and written.null_count():
            spoilt.append((written.is_null().to_numpy(), partial(bad_records.required_null, name=self.field.name)))
        return column, spoilt

    def _default(self, height: int) -> Read:
        field = self.field
        if not field.has_default:
            nothing = pl.Series(field.name, [None], dtype=dtype(field)).new_from_index(0, height)
            return nothing, [(np.ones(height, dtype=np.bool_), self._mismatch)]
        kind = pl.Int64() if field.base == "timestamp" else dtype(field)
        value = pl.Series(field.name, [field.default], dtype=kind).cast(dtype(field))
        return value.new_from_index(0, height), []

    def _read(self, written: pl.Series) -> Read:
        field = self.field
        if not self.readable:
            nothing = pl.Series(field.name, [None], dtype=dtype(field)).new_from_index(0, len(written))
            return nothing, [(written.is_not_null().to_numpy(), self._mismatch)]
        if field.base == "enum":
            return self._symbols(written)
        if field.base == "decimal":
            column, beyond = decimals.from_bytes(written, field.precision, field.scale)
            reason = partial(
                bad_records.decimal_out_of_range, name=field.name, precision=field.precision, scale=field.scale
            )
            return column.alias(field.name), [(beyond, reason)] if beyond.any() else []
        if field.base == "string" and written.dtype == pl.Binary:
            return _texts(written.alias(field.name))
        if written.dtype.is_temporal() and field.base != "timestamp":
            written = written.cast(pl.Int64)
        return written.cast(dtype(field)).alias(field.name), []

    def _symbols(self, written: pl.Series) -> Read:
        table = pl.Series(self.field.name, self.symbols, dtype=pl.String)
        column = table.gather(written)
        if None not in self.symbols:
            return column, []
        unknown = (column.is_null() & written.is_not_null()).to_numpy()
        reason = partial(bad_records.unknown_symbol, name=self.field.name)
        return column, [(unknown, reason)] if unknown.any() else []

    @property
    def _mismatch(self) -> Reason:
        return partial(bad_records.schema_mismatch, name=self.field.name)


def _texts(column: pl.Series) -> Read:
    try:
        return column.cast(pl.String), []
    except COLUMNAR_ERRORS:
        texts = [None if octets is None else _text(octets) for octets in column]
        spoilt = np.array([text is None for text in texts], dtype=np.bool_) & column.is_not_null().to_numpy()
        why = (f"trường «{column.name}» không phải UTF-8", f"field '{column.name}' is no UTF-8")
        reason = partial(bad_records.undecodable, why_vi=why[0], why_en=why[1])
        return pl.Series(column.name, texts, dtype=pl.String), [(spoilt, reason)]


def _text(octets: bytes) -> str | None:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return None


def resolve(contract: Contract, writer: Writer) -> tuple[Column, ...]:
    """How each of the contract's columns is read from a flat writer's, in the contract's order."""
    reader = parse_schema(contract.schema)
    assert isinstance(reader, Record)
    written = {field.name: field for field in writer.fields or ()}
    same_record = unqualified(writer.name) == unqualified(reader.full_name) or writer.name in reader.aliases
    return tuple(_column(contract.by_name[field.name], field, written, same_record) for field in reader.fields)


def _column(field: Field, node: RecordField, written: dict[str, FlatField], same_record: bool) -> Column:
    name = next((name for name in (node.name, *node.aliases) if name in written), None)
    if name is None:
        return Column(field, None, readable=True)
    source = written[name]
    symbols: tuple[str | None, ...] = ()
    inner = _inner(node.type)
    if isinstance(inner, Enum) and isinstance(source.type, Enum):
        known, spare = set(inner.symbols), inner.default
        symbols = tuple(symbol if symbol in known else spare for symbol in source.type.symbols)
    return Column(field, source, same_record and _readable(inner, source), symbols)


def _inner(node: Node) -> Node:
    if isinstance(node, Union):
        return next(branch for branch in node.branches if branch != Primitive("null"))
    return node


def _readable(reader: Node, source: FlatField) -> bool:
    writer = source.type
    match reader, writer:
        case Enum(), Enum():
            return unqualified(reader.full_name) == unqualified(writer.full_name) or writer.full_name in reader.aliases
        case Primitive(logical="timestamp-millis"), Primitive("int" | "long", logical):
            return logical in (None, "timestamp-millis")
        case Primitive(), Primitive():
            return reads(reader, writer)
    return False


def read(columns: Iterable[Column], frame: pl.DataFrame) -> tuple[pl.DataFrame, list[BadRecord]]:
    """The contract's columns, and the rows of `frame` that cannot be used, each with the first reason there is."""
    made: list[pl.Series] = []
    found: dict[int, BadRecord] = {}
    for column in columns:
        series, problems = column.read(frame)
        made.append(series)
        for spoilt, reason in problems:
            for row in np.flatnonzero(spoilt).tolist():
                found.setdefault(row, reason(row))
    return pl.DataFrame(made), [found[row] for row in sorted(found)]
