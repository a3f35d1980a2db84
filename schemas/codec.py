"""From message values to columns.

A batch of one writer schema is decoded by one call of a columnar reader and resolved to the contract column by
column. If that fails, the bad values are found by a walk over all of them at once and the others read as columns
again, so a few bad records cost a batch little. The Kafka key is held against `entity_key`, which finds the shifted
rows that a damaged datum could leave behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from schemas import bad_records
from schemas.avro_parser import InvalidSchemaError
from schemas.bad_records import BadRecord as BadRecord
from schemas.canonical import is_canonical
from schemas.contract import Contract
from schemas.errors import RegistryError, SchemasAwayError, UnknownSchemaError
from schemas.first_bytes import json_behind_header, no_message
from schemas.octets import Octets
from schemas.one_by_one import read_one_by_one
from schemas.resolution import Column, read, resolve
from schemas.resolution import dtype as dtype
from schemas.screen import WHOLE, faults
from schemas.wire import HEADER_BYTES, MAX_VALUE_BYTES, schema_id_of
from schemas.without import NONE, Without
from schemas.writer import COLUMNAR_ERRORS, WIRE, FlatField, Writer

ROW = "__row"
"""Column with the record's position in the batch."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """`frame` has the contract's columns and `__row`, ordered by `__row`; `bad` are the other records."""

    frame: pl.DataFrame
    bad: tuple[BadRecord, ...]


def empty_frame(contract: Contract) -> pl.DataFrame:
    """No rows, with the columns of `Decoded.frame`."""
    schema: dict[str, pl.DataType] = {field.name: dtype(field) for field in contract.fields}
    return pl.DataFrame(schema={**schema, ROW: pl.UInt32()})


_REFUSALS = {
    UnknownSchemaError: bad_records.unknown_schema,
    InvalidSchemaError: bad_records.unreadable_schema,
}


@dataclass(frozen=True, slots=True)
class _Group:
    """Records of one writer schema: whole values and keys, and their rows in the batch."""

    header: bytes
    rows: Sequence[int]
    keys: Octets
    values: Octets

    def part(self, places: Sequence[int]) -> _Group:
        rows = [self.rows[place] for place in places]
        return _Group(self.header, rows, self.keys.at(places), self.values.at(places))


@dataclass(frozen=True, slots=True)
class _Reader:
    """A writer schema, and how the contract's columns come from its own."""

    writer: Writer
    columns: tuple[Column, ...]


class Decoder:
    """Decodes batches of one entity. Not thread-safe; one per task."""

    def __init__(self, contract: Contract, schema_text: Callable[[int], str]) -> None:
        """`schema_text` gives a schema by id: raises `UnknownSchemaError` or `RegistryError`; may block."""
        self._contract = contract
        self._schema_text = schema_text
        self._readers: dict[int, _Reader] = {}

    def decode(self, keys: Iterable[bytes | None], values: Iterable[bytes | None], without: Without = NONE) -> Decoded:
        """Decode a batch; raises `SchemasAwayError` if it needs schemas that the registry does not give at present.

        Records whose schema is among those that the batch does `without` are bad, whether or not it is known by now:
        what becomes of them was decided before, and a batch that is done again must come to the same.
        """
        bad: list[BadRecord] = []
        keys, values = Octets.of(keys), Octets.of(values)
        whole = self._of_one_schema(keys, values)
        frame = self._at_once(whole, without) if whole is not None else None
        if frame is not None:
            return Decoded(frame, ())
        frames = [
            self._group(reader, group, bad, clean=whole is None or len(group.rows) < len(whole.rows))
            for group, reader in self._readable(_groups(keys, values, bad), without, bad)
        ]
        joined = pl.concat(frames) if frames else empty_frame(self._contract)
        bad.sort(key=lambda record: record.row)
        return Decoded(joined.sort(ROW) if len(frames) > 1 else joined, tuple(bad))

    def _readable(
        self, groups: Sequence[_Group], without: Without, bad: list[BadRecord]
    ) -> list[tuple[_Group, _Reader]]:
        """The groups that have a schema; of all that are missing the error tells at once."""
        found: list[tuple[_Group, _Reader]] = []
        known, away = set(), set()
        cause: RegistryError | None = None
        for group in groups:
            schema_id = schema_id_of(group.header) or 0
            if schema_id in without:
                bad += [bad_records.schema_away(row, schema_id) for row in group.rows]
                continue
            try:
                found.append((group, self._reader(group.header)))
                known.add(schema_id)
            except (UnknownSchemaError, InvalidSchemaError) as error:
                bad += [_REFUSALS[type(error)](row, schema_id) for row in group.rows]
                known.add(schema_id)
            except RegistryError as error:
                away.add(schema_id)
                cause = error
        if cause is not None:
            raise SchemasAwayError(str(cause), frozenset(away), frozenset(known)) from cause
        return found

    def _of_one_schema(self, keys: Octets, values: Octets) -> _Group | None:
        """The whole batch as one group if that is likely; whether it is one is seen once it is decoded."""
        if not len(values) or values.nulls or values.sizes.max() > MAX_VALUE_BYTES:
            return None
        first, middle, last = (values[place] or b"" for place in (0, len(values) // 2, len(values) - 1))
        header = first[:HEADER_BYTES]
        if schema_id_of(header) is None or not (middle.startswith(header) and last.startswith(header)):
            return None
        return _Group(header, range(len(values)), keys, values)

    def _reader(self, header: bytes) -> _Reader:
        schema_id = schema_id_of(header)
        assert schema_id is not None
        if schema_id not in self._readers:
            writer = Writer(self._schema_text(schema_id))
            columns = resolve(self._contract, writer) if writer.fields is not None else ()
            self._readers[schema_id] = _Reader(writer, columns)
        return self._readers[schema_id]

    def _at_once(self, group: _Group, without: Without) -> pl.DataFrame | None:
        """The common case: nothing is wrong. None if anything is."""
        if without and (schema_id_of(group.header) or 0) in without:
            return None
        try:
            reader = self._reader(group.header)
        except (UnknownSchemaError, InvalidSchemaError, RegistryError):
            return None
        return self._clean(reader, group) if reader.writer.fields is not None else None

    def _clean(self, reader: _Reader, group: _Group) -> pl.DataFrame | None:
        try:
            block = reader.writer.block(group.values)
            frame = reader.writer.columns(block)
            if frame.height != len(group.rows) or not (frame[WIRE] == pl.Series([group.header])).all():
                return None
            if not is_canonical(reader.writer.fields or (), frame, block):
                return None
            resolved, bad = read(reader.columns, frame)
        except COLUMNAR_ERRORS:
            return None  # a bad datum fails the whole block
        if bad or not _same_keys(resolved, group.keys).all():
            return None
        return resolved.with_columns(_rows(group))

    def _group(self, reader: _Reader, group: _Group, bad: list[BadRecord], clean: bool) -> pl.DataFrame:
        """The good records of one schema; `clean` False: something is known to be wrong with one."""
        if reader.writer.fields is None:
            return self._one_by_one(reader, group, bad)
        frame = self._clean(reader, group) if clean else None
        return frame if frame is not None else self._carefully(reader, reader.writer.fields, group, bad)

    def _carefully(
        self, reader: _Reader, fields: Sequence[FlatField], group: _Group, bad: list[BadRecord]
    ) -> pl.DataFrame:
        """Leave out what is no whole datum, read the rest as columns, then leave out what may not be used."""
        verdicts = faults(fields, group.values)
        for place in np.flatnonzero(verdicts != WHOLE).tolist():
            bad.append(_malformed(group.rows[place], group.values[place] or b"", fields, int(verdicts[place])))
        group = group.part(np.flatnonzero(verdicts == WHOLE).tolist())
        if not group.rows:
            return empty_frame(self._contract)
        try:
            frame = reader.writer.columns(reader.writer.block(group.values, careful=True))
            resolved, spoilt = read(reader.columns, frame)
        except COLUMNAR_ERRORS:
            return self._one_by_one(reader, group, bad)
        return self._usable(resolved, spoilt, group, bad)

    def _one_by_one(self, reader: _Reader, group: _Group, bad: list[BadRecord]) -> pl.DataFrame:
        """For schemas that the columnar reader does not take."""
        return self._usable(*read_one_by_one(self._contract, reader.writer, list(group.values)), group, bad)

    def _usable(
        self, frame: pl.DataFrame, spoilt: Sequence[BadRecord], group: _Group, bad: list[BadRecord]
    ) -> pl.DataFrame:
        """Leave out what may not be used: `spoilt` rows of the group, and those of another key."""
        keep = np.ones(len(group.rows), dtype=np.bool_)
        for record in spoilt:
            bad.append(replace(record, row=group.rows[record.row]))
            keep[record.row] = False
        for place in np.flatnonzero(keep & ~_same_keys(frame, group.keys).to_numpy()).tolist():
            bad.append(bad_records.key_mismatch(group.rows[place]))
            keep[place] = False
        return frame.with_columns(_rows(group)).filter(pl.Series(keep))


def _groups(keys: Octets, values: Octets, bad: list[BadRecord]) -> list[_Group]:
    """The records that have a header and are not too large, by header."""
    places: dict[bytes, list[int]] = {}
    for row, value in enumerate(values):
        if value is None:
            bad.append(bad_records.null_value(row))
            continue
        header = value[:HEADER_BYTES]
        if len(value) > MAX_VALUE_BYTES:
            bad.append(bad_records.too_large(row, len(value), MAX_VALUE_BYTES))
        elif header in places:
            places[header].append(row)
        elif schema_id_of(header) is None:
            bad.append(no_message(row, value))
        else:
            places[header] = [row]
    return [_Group(header, rows, keys.at(rows), values.at(rows)) for header, rows in places.items()]


def _rows(group: _Group) -> pl.Series:
    return pl.Series(ROW, group.rows, dtype=pl.UInt32)


def _same_keys(frame: pl.DataFrame, keys: Octets) -> pl.Series:
    have, wanted = frame["entity_key"].cast(pl.Binary), keys.series()
    if have.null_count() or wanted.null_count():
        have, wanted = have.fill_null(b""), wanted.fill_null(b"")
    return have == wanted


def _malformed(row: int, value: bytes, fields: Sequence[FlatField], fault: int) -> BadRecord:
    if json_behind_header(value):
        return bad_records.json_value(row)
    if fault == len(fields):
        return _left_over(row)
    name = fields[fault].name
    return bad_records.undecodable(row, f"hỏng từ trường «{name}»", f"broken off or malformed at field '{name}'")


def _left_over(row: int) -> BadRecord:
    return bad_records.undecodable(row, "thừa dữ liệu ở cuối", "bytes are left over at the end")
