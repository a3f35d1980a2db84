"""From message values to columns.

Concatenated datums of one writer schema are exactly the payload of a block of an Avro object container, so a
batch is decoded by one call of a columnar reader. If that call fails, the batch is read record by record, the
bad ones are named and the good ones kept. The Kafka key is held against `entity_key`, which finds the shifted
rows that a damaged datum could leave behind.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import fastavro
import polars as pl

from schemas.contract import Contract, Field
from schemas.errors import UnknownSchemaError
from schemas.wire import HEADER_BYTES, schema_id_of

ROW = "__row"
"""Column with the record's position in the batch."""

_SYNC = b"ioc-block-marker"
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

COLUMNAR_ERRORS: tuple[type[BaseException], ...] = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
"""What the columnar reader raises on bad bytes; a panic is no `Exception`."""


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that cannot be read: `row` in the batch, a stable `code`, and the reason in both languages."""

    row: int
    code: str
    reason: str
    reason_en: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """`frame` has the contract's columns and `__row`, ordered by `__row`; `bad` are the other records."""

    frame: pl.DataFrame
    bad: tuple[BadRecord, ...]


def dtype(field: Field) -> pl.DataType:
    """Polars type of a contract field once decoded; enums become strings."""
    return _DTYPES[field.base]


def empty_frame(contract: Contract) -> pl.DataFrame:
    """No rows, with the columns of `Decoded.frame`."""
    schema: dict[str, pl.DataType] = {field.name: dtype(field) for field in contract.fields}
    return pl.DataFrame(schema={**schema, ROW: pl.UInt32()})


def _varint(number: int) -> bytes:
    zigzag = (number << 1) ^ (number >> 63)
    out = bytearray()
    while zigzag >= 0x80:
        out.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    out.append(zigzag)
    return bytes(out)


def _bare(schema: Any, named: dict[str, Any]) -> Any:
    """The schema without documentation and defaults, which the columnar reader refuses, and references inlined."""
    if isinstance(schema, list):
        return [_bare(branch, named) for branch in schema]
    if isinstance(schema, str):
        return named.get(schema, schema)
    if schema["type"] == "record":
        fields = [{"name": field["name"], "type": _bare(field["type"], named)} for field in schema["fields"]]
        return {"type": "record", "name": schema["name"], "fields": fields}
    if schema["type"] == "enum":
        named[schema["name"]] = {"type": "enum", "name": schema["name"], "symbols": schema["symbols"]}
        return named[schema["name"]]
    return {key: schema[key] for key in ("type", "logicalType", "name", "size") if key in schema}


class _Writer:
    """One writer schema: the container header for the columnar reader and the parsed schema for the other."""

    def __init__(self, text: str) -> None:
        schema = json.loads(text)
        bare = json.dumps(_bare(schema, {})).encode()
        self.header = b"".join(
            (
                b"Obj\x01",
                *(_varint(2), _varint(11), b"avro.schema", _varint(len(bare)), bare),
                *(_varint(10), b"avro.codec", _varint(4), b"null", _varint(0), _SYNC),
            )
        )
        self.parsed = fastavro.parse_schema(schema)

    def block(self, payloads: Sequence[bytes]) -> pl.DataFrame:
        body = b"".join(payloads)
        container = b"".join((self.header, _varint(len(payloads)), _varint(len(body)), body, _SYNC))
        return pl.read_avro(io.BytesIO(container))


class Decoder:
    """Decodes batches of one entity. Not thread-safe; one per task."""

    def __init__(self, contract: Contract, schema_text: Callable[[int], str]) -> None:
        """`schema_text` gives a schema by id: raises `UnknownSchemaError` or `RegistryUnavailableError`; may block."""
        self._contract = contract
        self._schema_text = schema_text
        self._writers: dict[int, _Writer] = {}
        self._reader = fastavro.parse_schema(json.loads(contract.schema_text))

    def decode(self, keys: Sequence[bytes | None], values: Sequence[bytes | None]) -> Decoded:
        """Decode a batch; raises `RegistryUnavailableError` if a schema is needed and the registry is away."""
        frames: list[pl.DataFrame] = []
        bad: list[BadRecord] = []
        for header, rows in self._groups(values, bad).items():
            schema_id = schema_id_of(header)
            assert schema_id is not None
            try:
                writer = self._writer(schema_id)
            except UnknownSchemaError:
                bad += [_unknown_schema(row, schema_id) for row in rows]
                continue
            payloads = [(values[row] or b"")[HEADER_BYTES:] for row in rows]
            frames.append(self._group(writer, rows, payloads, keys, bad))
        frame = pl.concat(frames) if frames else empty_frame(self._contract)
        return Decoded(frame.sort(ROW) if len(frames) > 1 else frame, tuple(bad))

    def _groups(self, values: Sequence[bytes | None], bad: list[BadRecord]) -> dict[bytes, list[int]]:
        groups: dict[bytes, list[int]] = {}
        for row, value in enumerate(values):
            if value is None:
                bad.append(BadRecord(row, "null_value", "Bản tin không có nội dung.", "The message has no value."))
            elif schema_id_of(value[:HEADER_BYTES]) is None:
                bad.append(
                    BadRecord(
                        row,
                        "wrong_magic_byte",
                        "Bản tin không theo định dạng Avro của trục tích hợp.",
                        "The message does not begin with the wire format's header.",
                    )
                )
            else:
                groups.setdefault(value[:HEADER_BYTES], []).append(row)
        return groups

    def _writer(self, schema_id: int) -> _Writer:
        if schema_id not in self._writers:
            self._writers[schema_id] = _Writer(self._schema_text(schema_id))
        return self._writers[schema_id]

    def _group(
        self,
        writer: _Writer,
        rows: list[int],
        payloads: list[bytes],
        keys: Sequence[bytes | None],
        bad: list[BadRecord],
    ) -> pl.DataFrame:
        index = pl.Series(ROW, rows, dtype=pl.UInt32)
        try:
            frame = writer.block(payloads)
            if frame.height == len(rows):
                evolved = self._evolved(frame).with_columns(index)
                wanted = pl.Series("key", [keys[row] or b"" for row in rows], dtype=pl.Binary)
                if (evolved["entity_key"].cast(pl.Binary) == wanted).all():
                    return evolved
        except COLUMNAR_ERRORS:
            pass  # a bad datum fails the whole block: find it below
        return self._one_by_one(writer, rows, payloads, keys, bad)

    def _evolved(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Resolve the writer's columns to the contract's: defaults for new ones, promotions, unknown symbols."""
        columns: list[pl.Expr] = []
        for field in self._contract.fields:
            if field.name not in frame.columns:
                if not field.has_default:
                    raise pl.exceptions.ColumnNotFoundError(field.name)
                columns.append(pl.lit(field.default).cast(dtype(field)).alias(field.name))
                continue
            column = pl.col(field.name).cast(dtype(field))
            if field.base == "enum":
                fallback = field.default if field.default in field.symbols else None
                known = column.is_in(list(field.symbols)) | column.is_null()
                column = pl.when(known).then(column).otherwise(pl.lit(fallback, dtype=pl.String)).alias(field.name)
            columns.append(column)
        evolved = frame.select(columns)
        required = [field.name for field in self._contract.fields if not field.nullable]
        if any(evolved[name].null_count() for name in required):
            raise pl.exceptions.InvalidOperationError("a required field is null")
        return evolved

    def _one_by_one(
        self,
        writer: _Writer,
        rows: list[int],
        payloads: list[bytes],
        keys: Sequence[bytes | None],
        bad: list[BadRecord],
    ) -> pl.DataFrame:
        good: list[dict[str, Any]] = []
        for row, payload in zip(rows, payloads, strict=True):
            stream = io.BytesIO(payload)
            try:
                record: Any = fastavro.schemaless_reader(stream, writer.parsed, self._reader)
            except Exception as error:  # noqa: BLE001 – the reader raises anything on bad bytes; each record is judged
                bad.append(_undecodable(row, f"{type(error).__name__}"))
                continue
            if stream.tell() != len(payload):
                bad.append(_undecodable(row, f"{len(payload) - stream.tell()} bytes left over"))
            elif str(record["entity_key"]).encode() != (keys[row] or b""):
                bad.append(
                    BadRecord(
                        row,
                        "key_mismatch",
                        "Khóa Kafka khác với entity_key của bản ghi.",
                        "The Kafka key differs from the record's entity_key.",
                    )
                )
            else:
                record[ROW] = row
                good.append(record)
        schema = empty_frame(self._contract).schema
        return pl.DataFrame(good, schema=schema) if good else empty_frame(self._contract)


def _undecodable(row: int, why: str) -> BadRecord:
    return BadRecord(
        row,
        "undecodable",
        f"Không giải mã được bản ghi Avro ({why}); hãy gửi lại theo đúng lược đồ đã đăng ký.",
        f"The Avro record cannot be decoded ({why}); send it again by the schema registered.",
    )


def _unknown_schema(row: int, schema_id: int) -> BadRecord:
    return BadRecord(
        row,
        "unknown_schema",
        f"Không có lược đồ số {schema_id} trong sổ đăng ký.",
        f"The registry has no schema {schema_id}.",
    )
