"""`connectors.packing` for many records at once: a field at a time, so that nearly all of the work is done at C speed.

A value that does not fit leaves a hole in its column; only where there are holes rows are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from operator import itemgetter
from typing import Any, NamedTuple

from connectors.column_encode import EncodeColumn, column_encoder
from connectors.column_rules import ConvertColumn, column_converter
from connectors.encode import MEMO_CHARACTERS, Encode, field_encoders
from connectors.errors import MappingError
from connectors.mapping import EMPTY, Mapper, Step
from connectors.table import Table
from schemas.contract import Contract, Field

MEMO_ENTRIES = 32_768
"""Values remembered per field; then the memory is emptied and starts again."""
TEXTS = frozenset((str, type(None)))
ALIKE = {str: frozenset((str, int, type(None))), bool: frozenset((bool, type(None)))}
"""Classes of which one memory may hold all, by the one that it is called after."""
DIFFERENT_SHARE = 4
"""Where more than one in so many values of a column is another, remembering costs more than it saves."""

Hole = None
_BROKEN = object()
"""In the place of what stands below something that is no object: no converter takes it."""
_NOTHING: dict[str, Any] = {}


class PackedColumns(NamedTuple):
    """Of the rows that fit: (key, value) in order and the newest time, epoch ms. `holes`: places of the others."""

    messages: list[tuple[bytes, bytes]]
    newest_ms: int | None
    holes: list[int]


class ColumnPacker:
    """Packs records for one mapping under one schema id. It remembers what values became; else it is pure."""

    def __init__(self, mapper: Mapper, contract: Contract, header: bytes) -> None:
        self._header = header
        encoders, plain = field_encoders(contract), field_encoders(contract, remember=False)
        types = {field["name"]: field["type"] for field in contract.schema["fields"]}
        self._columns = [
            _Column(step, field, plain[field.name], encoders[field.name], _by_column(mapper, step, field, types))
            for step, field in zip(mapper.steps, contract.fields, strict=True)
        ]

    def __call__(self, records: Sequence[Any], ingest_ms: int, computed: Sequence[list[Any]]) -> PackedColumns:
        """`records`: a `Table`, or dicts; `computed`: the results of the mapping's expressions, in its order."""
        parts = _Parts(self._header, len(records))
        keys: Sequence[Any] = ()
        times: Sequence[Any] = ()
        expressions = iter(computed)
        for column in self._columns:
            if column.step.convert is None:
                constant = ingest_ms if column.step.is_ingest_time else column.step.default
                parts.constant(column.encode(constant))
                values: Sequence[Any] = [constant] * len(records)
            elif column.role in ("key", "event_time"):
                values, cells = column.apart(_raw(column.step, records, expressions))
                parts.column(cells)
            else:
                column.add(_raw(column.step, records, expressions), parts)
                continue
            if column.role == "key":
                keys = values
            elif column.role == "event_time":
                times = values
        octets, holes = parts.joined()
        if holes:
            left = set(holes)
            keys = [key for at, key in enumerate(keys) if at not in left]
            times = [time for at, time in enumerate(times) if at not in left]
        newest = int(max(times)) if len(times) else None
        return PackedColumns(list(zip(map(str.encode, keys), octets, strict=True)), newest, holes)


def _raw(step: Step, records: Sequence[Any], expressions: Iterator[list[Any]]) -> Sequence[Any]:
    """The column that a step reads."""
    if step.expression is not None:
        return next(expressions)
    found = column_of(records, step.path[0])
    for part in step.path[1:]:
        found = _below(found, part)
    return found


def column_of(records: Sequence[Any], key: str) -> Sequence[Any]:
    """The values under a key, None where it is absent."""
    if isinstance(records, Table):
        found = records.columns.get(key)
        return found if found is not None else [None] * len(records)
    try:
        return list(map(itemgetter(key), records))
    except KeyError:
        return [record.get(key) for record in records]


def _below(column: Sequence[Any], part: str) -> list[Any]:
    try:
        return [(value or _NOTHING).get(part) for value in column]
    except AttributeError:
        return [(value or _NOTHING).get(part) if not value or isinstance(value, dict) else _BROKEN for value in column]


class _Parts:
    """The columns of the values to be, constant neighbours joined."""

    def __init__(self, header: bytes, count: int) -> None:
        self._count = count
        self._before = header
        self._columns: list[Iterable[Any]] = []

    def constant(self, octets: bytes) -> None:
        self._before += octets

    def column(self, octets: Sequence[Any]) -> None:
        self._flush()
        self._columns.append(octets)

    def _flush(self) -> None:
        if self._before:
            self._columns.append(repeat(self._before, self._count))
            self._before = b""

    def joined(self) -> tuple[list[bytes], list[int]]:
        """The values of rows without a hole, and the places of the others."""
        self._flush()
        rows = list(zip(*self._columns, strict=True))
        try:
            return list(map(b"".join, rows)), []
        except TypeError:
            holes = [at for at, row in enumerate(rows) if Hole in row]
            return [b"".join(row) for row in rows if Hole not in row], holes


class _Memory(dict[Any, Any]):
    """What a value becomes, at C speed for known ones; holes are not remembered."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[Any], Any]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, value: Any) -> Any:
        made = self._make(value)
        if made is not Hole and (value.__class__ is not str or len(value) <= MEMO_CHARACTERS):
            if len(self) >= MEMO_ENTRIES:
                self.clear()
            self[value] = made
        return made


class _Few(NamedTuple):
    """Of a column: the class whose memory holds what its values become, and how many of them are different."""

    like: type
    different: int


def _few_of(column: Sequence[Any]) -> _Few | None:
    """None where its values differ too much, in class or else.

    No two values of such a class are equal but of different meaning, as 1, 1.0 and True are.
    """
    try:
        different = set(column)
    except TypeError:
        return None
    if len(different) * DIFFERENT_SHARE > len(column):
        return None
    classes = set(map(type, different))
    if classes <= TEXTS:  # nothing else equals a text
        return _Few(str, len(different))
    classes = set(map(type, column))
    return next((_Few(of, len(different)) for of, alike in ALIKE.items() if classes <= alike), None)


class _ByColumn(NamedTuple):
    convert: ConvertColumn
    encode: EncodeColumn


def _by_column(mapper: Mapper, step: Step, field: Field, types: dict[str, Any]) -> _ByColumn | None:
    if step.rule is None or step.convert is None:
        return None
    convert = column_converter(field, step.rule, step.convert, mapper.zone)
    encode = column_encoder(field, types[field.name])
    return None if convert is None or encode is None else _ByColumn(convert, encode)


class _Column:
    """One field, from raw values to bytes; from nothing to its default. `plain`: `encode` without a memory."""

    def __init__(self, step: Step, field: Field, plain: Encode, encode: Encode, by_column: _ByColumn | None) -> None:
        self.step = step
        self.role = field.role
        self.encode = encode
        self._plain = plain
        self._by_column = by_column
        self._empty = b"" if step.required or step.convert is None else plain(step.default)
        personal = field.pii is not None or field.name == "event_id"
        remembers = not personal and field.base != "double"
        self._times = _Memory(self._value)
        self._memories = {of: _Memory(self._cell) for of in ALIKE} if remembers else {}

    def apart(self, column: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        """The values, which are needed by themselves, and their bytes."""
        few = _few_of(column) if self.role == "event_time" else None
        repeats = few is not None and few.like is str
        if self._by_column is not None and len(column) and not repeats:
            values = self._by_column.convert(column)
            if values is not None:
                return values, self._by_column.encode(values)
        made = list(map(self._times.__getitem__ if repeats else self._value, column))
        return made, [Hole if value is Hole else self.encode(value) for value in made]

    def add(self, column: Sequence[Any], parts: _Parts) -> None:
        """The bytes; once where all records have the same, as a batch of one kind of change has in many fields."""
        few = _few_of(column) if self._memories else None
        if few is None:
            cells = self._at_once(column)
            parts.column(list(map(self._cell, column)) if cells is None else cells)
            return
        memory = self._memories[few.like]
        if few.different == 1 and (cell := memory[column[0]]) is not Hole:
            parts.constant(cell)
        else:
            parts.column(list(map(memory.__getitem__, column)))

    def _at_once(self, column: Sequence[Any]) -> list[bytes] | None:
        """None if it has to be done value by value."""
        if self._by_column is None:
            return None
        if self.step.required or (None not in column and "" not in column):
            values = self._by_column.convert(column) if len(column) else None
            return None if values is None else self._by_column.encode(values)
        present = [value for value in column if value not in EMPTY]
        values = self._by_column.convert(present) if present else ()
        if values is None:
            return None
        cells = iter(self._by_column.encode(values) if present else ())
        return [self._empty if value in EMPTY else next(cells) for value in column]

    def _cell(self, value: Any) -> Any:
        if not self.step.required and value in EMPTY:
            return self._empty
        made = self._value(value)
        return Hole if made is Hole else self._plain(made)

    def _value(self, value: Any) -> Any:
        """The field's value, or a hole."""
        convert = self.step.convert
        if convert is None or (not self.step.required and value in EMPTY):
            return self.step.default
        try:
            return convert(value)
        except (MappingError, AttributeError, TypeError):
            return Hole
