"""`connectors.packing` for a table: a field at a time, so that nearly all of the work is done at C speed.

A value that does not fit leaves a hole in its column; only where there are holes rows are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Any, NamedTuple

from connectors.encode import MEMO_CHARACTERS, Encode, field_encoders
from connectors.errors import MappingError
from connectors.mapping import EMPTY, Step
from connectors.table import Table
from schemas.contract import Contract, Field

MEMO_ENTRIES = 32_768
"""Values remembered per field; then the memory is emptied and starts again."""
ALIKE = frozenset((str, int, type(None)))
"""Classes of which no two values are equal but of different meaning, as 1, 1.0 and True are: one memory holds them."""

Hole = None
ByColumn = Callable[[Sequence[Any]], Sequence[Any]]


class PackedColumns(NamedTuple):
    """Of the rows that fit: (key, value) in order and their times, epoch ms. `holes`: places of the others."""

    messages: list[tuple[bytes, bytes]]
    times: list[int]
    holes: list[int]


class ColumnPacker:
    """Packs tables for one mapping under one schema id; for mappings without nested paths. Pure."""

    def __init__(self, steps: Sequence[Step], contract: Contract, header: bytes) -> None:
        self._header = header
        encoders, plain = field_encoders(contract), field_encoders(contract, remember=False)
        self._steps = [
            (step, field, _by_column(step, field, plain[field.name]), encoders[field.name])
            for step, field in zip(steps, contract.fields, strict=True)
        ]

    @staticmethod
    def fits(steps: Iterable[Step]) -> bool:
        """Whether every value stands in a column of its own."""
        return all(len(step.path) <= 1 for step in steps)

    def __call__(self, table: Table, ingest_ms: int, computed: Sequence[list[Any]]) -> PackedColumns:
        """`computed`: the results of the mapping's expressions, in its order."""
        parts = _Parts(self._header, len(table))
        keys: Sequence[Any] = ()
        times: Sequence[Any] = ()
        expressions = iter(computed)
        for step, field, by_column, encode in self._steps:
            constant = ingest_ms if step.is_ingest_time else step.default
            if step.convert is None:
                parts.constant(encode(constant))
                values: Sequence[Any] = [constant] * len(table)
            elif field.role in ("key", "event_time"):
                values = by_column(_raw(step, table, expressions))
                parts.column([Hole if value is Hole else encode(value) for value in values])
            else:
                parts.column(by_column(_raw(step, table, expressions)))
                continue
            if field.role == "key":
                keys = values
            elif field.role == "event_time":
                times = values
        values, holes = parts.joined()
        if holes:
            left = set(holes)
            keys = [key for at, key in enumerate(keys) if at not in left]
            times = [time for at, time in enumerate(times) if at not in left]
        return PackedColumns(list(zip([key.encode() for key in keys], values, strict=True)), list(times), holes)


def _raw(step: Step, table: Table, expressions: Iterable[list[Any]]) -> Sequence[Any]:
    if step.expression is not None:
        return next(iter(expressions))
    found = table.columns.get(step.path[0])
    return found if found is not None else [None] * len(table)


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


def _by_column(step: Step, field: Field, encode: Encode) -> ByColumn:
    """From raw values to bytes; of key and event time to values, which are needed by themselves."""
    convert, required, default = step.convert, step.required, step.default
    as_values = field.role in ("key", "event_time")
    empty = default if as_values or required or convert is None else encode(default)

    def make(value: Any) -> Any:
        if convert is None or (not required and value in EMPTY):
            return empty
        try:
            made = convert(value)
            return made if as_values else encode(made)
        except (MappingError, AttributeError, TypeError):
            return Hole

    if field.role == "key" or field.pii is not None or field.name == "event_id":
        return lambda column: [make(value) for value in column]
    memory = _Memory(make)

    def by_column(column: Sequence[Any]) -> Sequence[Any]:
        if ALIKE.issuperset(set(map(type, column))):
            return list(map(memory.__getitem__, column))
        return [memory[value] if value.__class__ in ALIKE else make(value) for value in column]

    return by_column
