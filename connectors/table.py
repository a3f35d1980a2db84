"""Records of one shape, kept as columns: the rows of a table until somebody wants one of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, overload

from connectors.errors import MappingError


class Table(Sequence[dict[str, Any]]):
    """Looks like a list of dicts, each made when it is asked for. Whoever works by column takes `columns`.

    All columns are of one length; a slice shares nothing with the table it was cut from but the values.
    """

    __slots__ = ("_count", "columns")

    def __init__(self, columns: Mapping[str, Sequence[Any]], count: int) -> None:
        self.columns = columns
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, at: slice) -> Table: ...
    def __getitem__(self, at: int | slice) -> dict[str, Any] | Table:
        if isinstance(at, slice):
            count = len(range(*at.indices(self._count)))
            return Table({key: column[at] for key, column in self.columns.items()}, count)
        if not -self._count <= at < self._count:
            raise IndexError(at)
        return {key: column[at] for key, column in self.columns.items()}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        keys = tuple(self.columns)
        if not keys:
            return ({} for _ in range(self._count))
        return (dict(zip(keys, values, strict=True)) for values in zip(*self.columns.values(), strict=True))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def beside(self, columns: Mapping[str, Sequence[Any]]) -> Table:
        """With more columns of the same length."""
        return Table({**self.columns, **columns}, self._count)


def table_of(records: Sequence[dict[str, Any]]) -> Table | None:
    """Dicts as a table; None if they have not all the same keys, as records of one program have, or there are none."""
    keys = tuple(records[0]) if records else ()
    if not records or set(map(len, records)) != {len(keys)}:
        return None
    try:
        if len(keys) < 2:  # then there is no tuple to be had of them
            return Table({key: list(map(itemgetter(key), records)) for key in keys}, len(records))
        return Table(dict(zip(keys, zip(*map(itemgetter(*keys), records), strict=True), strict=True)), len(records))
    except KeyError:
        return None


class Batch(NamedTuple):
    """A part of a file: records with the numbers of their rows, and the rows that are none with the reason.

    Numbers count from 1 and grow in both; 0 stands for the file as a whole.
    """

    records: Sequence[Any]
    numbers: Sequence[int]
    bad: list[tuple[int, MappingError]]

    @property
    def rows(self) -> int:
        return len(self.records) + len(self.bad)

    def after(self, rows: int) -> Batch:
        """Without so many of its first rows."""
        if rows <= 0:
            return self
        last = sorted([*self.numbers, *(number for number, _ in self.bad)])[rows - 1] if rows < self.rows else None
        if last is None:
            return Batch([], (), [])
        skipped = sum(1 for number in self.numbers if number <= last)
        bad = [(number, error) for number, error in self.bad if number > last]
        return Batch(self.records[skipped:], self.numbers[skipped:], bad)

    def in_order(self) -> list[tuple[int, Any]]:
        """Every row with its number: its record, or why it is none."""
        rows: list[tuple[int, Any]] = list(zip(self.numbers, self.records, strict=True))
        return sorted([*rows, *self.bad], key=lambda row: row[0]) if self.bad else rows
