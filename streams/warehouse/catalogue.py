"""The catalogue of derived tables: which generation of each is read, and what is under way.

An append-only table: the newest row of a generation counts. Every write carries the number that follows the newest
one as its insert token, so of two who write at once the second is dropped by the warehouse and reads again: a
compare-and-set, on any ClickHouse. A switch from one generation to the next is one such write.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

from streams.errors import WarehouseError
from streams.generations import Entry, State, from_row, to_row
from streams.warehouse.client import Warehouse

TABLE = "rollup_catalogue"

_COLUMNS = ("rollup", "entity", "generation", "table", "state", "definition", "cuts", "chunks", "done", "reason")

ATTEMPTS = 20
"""Writers of the catalogue are few: a worker that starts, one that finds a broken view, one command."""

CREATE = (
    f"CREATE TABLE IF NOT EXISTS {TABLE} (seq UInt64, writer String, rollup LowCardinality(String), "
    "entity LowCardinality(String), generation UInt32, table String, state LowCardinality(String), definition String, "
    "cuts String, chunks String, done UInt64, reason String, at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')) "
    "ENGINE = MergeTree ORDER BY seq SETTINGS non_replicated_deduplication_window = 1000"
)

READ = (
    f"SELECT seq, {', '.join(f'`{name}`' for name in _COLUMNS)} FROM {TABLE} "
    "ORDER BY seq DESC LIMIT 1 BY rollup, generation"
)

KEPT_WRITES = 200
"""Older rows that no longer count are deleted: readers ask often, and progress is written with every chunk."""


class CatalogueBusyError(WarehouseError):
    """Others wrote the catalogue again and again in between."""


def text(value: str) -> str:
    """A string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def entries_of(rows: Sequence[Sequence[object]]) -> list[Entry]:
    """The answer to `READ`."""
    return [from_row(dict(zip(("seq", *_COLUMNS), row, strict=True))) for row in rows]


class Catalogue:
    """Reads and writes the catalogue. Blocks; safe from several processes."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def create(self) -> None:
        """Idempotent."""
        self._warehouse.command(CREATE)

    def entries(self) -> list[Entry]:
        """The newest row of every generation."""
        return entries_of(self._warehouse.rows(READ))

    def change(self, change: Callable[[list[Entry]], Sequence[Entry]]) -> list[Entry]:
        """Write what `change` makes of the entries, in one block; it is asked again if someone wrote in between.

        Returns what was written; nothing is written if it gives nothing.
        """
        for _ in range(ATTEMPTS):
            rows = self._warehouse.rows(READ)
            changed = list(change(entries_of(rows)))
            if not changed or self._write(changed, max((int(row[0]) for row in rows), default=0) + 1):
                return changed
        raise CatalogueBusyError(f"the catalogue was written by others {ATTEMPTS} times in a row")

    def _write(self, entries: Sequence[Entry], seq: int) -> bool:
        writer = uuid.uuid4().hex
        rows = ", ".join(f"({seq}, {text(writer)}, {_values(entry)})" for entry in entries)
        self._warehouse.command(
            f"INSERT INTO {TABLE} (seq, writer, {', '.join(f'`{name}`' for name in _COLUMNS)}) VALUES {rows}",
            {"insert_deduplication_token": f"{TABLE}:{seq}", "async_insert": 0},
        )
        won = self._warehouse.rows(f"SELECT any(writer) FROM {TABLE} WHERE seq = {seq}")
        return str(won[0][0]) == writer

    def sweep(self, rollup: str | None = None) -> None:
        """Drop views and tables of retired generations, of one rollup or of all. Idempotent."""
        for entry in self.entries():
            if entry.state is State.RETIRED and rollup in (None, entry.rollup):
                self._warehouse.command(f"DROP VIEW IF EXISTS view_{entry.table}")
                self._warehouse.command(f"DROP TABLE IF EXISTS {entry.table}")
                self._warehouse.command(f"DROP TABLE IF EXISTS {entry.table}_kept")
                self.change(lambda entries, e=entry: _dropped(entries, e))  # type: ignore[misc]

    def forget(self) -> None:
        """Delete old rows that newer ones have replaced."""
        newest = sorted({entry.seq for entry in self.entries()})
        if newest and newest[-1] > KEPT_WRITES:
            counting = ", ".join(map(str, newest))
            self._warehouse.command(
                f"DELETE FROM {TABLE} WHERE seq < {newest[-1] - KEPT_WRITES} AND seq NOT IN ({counting})"
            )


def _dropped(entries: list[Entry], gone: Entry) -> list[Entry]:
    return [
        replace(entry, state=State.DROPPED, cuts=(), chunks=())
        for entry in entries
        if (entry.rollup, entry.generation, entry.state) == (gone.rollup, gone.generation, State.RETIRED)
    ]


def _values(entry: Entry) -> str:
    row = to_row(entry)
    return ", ".join(str(row[name]) if isinstance(row[name], int) else text(str(row[name])) for name in _COLUMNS)
