"""A department's database: one SQLite file that a small system writes and a connector reads, row by row."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from starlette.routing import BaseRoute

from deploy.demo.emitter import Emitter
from deploy.demo.ledger import Origin, Raw
from deploy.demo.live import Case
from deploy.demo.simulation import Site, Stage

FILE = "data.db"
BUSY_S = 30


def database(site: Site) -> Path:
    return site.folder / FILE


def url(site: Site) -> str:
    """Its address as a manifest has it."""
    return f"sqlite:///{database(site)}"


def make_database(path: Path, statements: Sequence[str], tables: dict[str, Iterable[Raw]]) -> None:
    """A database with these rows, whole or not at all."""
    draft = path.with_suffix(".tmp")
    draft.unlink(missing_ok=True)
    connection = sqlite3.connect(draft)
    with connection:
        for statement in statements:
            connection.execute(statement)
        for table, rows in tables.items():
            insert(connection, table, rows)
    connection.close()
    draft.replace(path)


def insert(connection: sqlite3.Connection, table: str, rows: Iterable[Raw]) -> None:
    """Rows of one shape; one that is there already is left as it is."""
    found = list(rows)
    if found:
        columns = list(found[0])
        places = ", ".join("?" * len(columns))
        statement = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({places})"
        connection.executemany(statement, [[row[name] for name in columns] for row in found])


class ChangesSimulator:
    """A system whose view shows every change as a row with its own id. See `Simulator`."""

    def __init__(
        self,
        stage: Stage,
        table: str,
        columns: str,
        write_history: Callable[[Origin], Iterable[Raw]],
        begin: Callable[[int], Case],
        bad: Sequence[Raw],
    ) -> None:
        path = database(stage.site)
        self._table = table
        self._emitter = Emitter(stage, write_history, begin, self._add)
        if not path.exists():
            make_database(path, [f"CREATE TABLE {table} ({columns})"], {table: [*self._emitter.history, *bad]})
        self._connection = sqlite3.connect(path, timeout=BUSY_S)
        with self._connection:
            insert(self._connection, table, [event.raw for event in self._emitter.past])

    def _add(self, raw: Raw) -> None:
        with self._connection:
            insert(self._connection, self._table, [raw])

    def routes(self) -> Sequence[BaseRoute]:
        return ()

    async def run(self, ready: Callable[[], None]) -> None:
        ready()
        try:
            await self._emitter.run()
        finally:
            self._connection.close()
