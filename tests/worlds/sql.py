"""A department's database: PostgreSQL behind a gate, and an SQLite file."""

from __future__ import annotations

import contextlib
import sqlite3
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conformance import World, note
from tests.gate import Gate, gate
from tests.postgres import READER, READER_PASSWORD, Postgres


class PostgresWorld(World):
    kind = "sql"
    secrets = (READER_PASSWORD,)

    def __init__(self, folder: Path, server: Postgres, opened: Gate) -> None:
        super().__init__(folder)
        self.table = f"t_{uuid.uuid4().hex[:12]}"
        self.gate = opened
        self.server = server
        self.environ = {
            "IOC_WORLD_URL": f"postgresql://127.0.0.1:{opened.port}/postgres",
            "IOC_SECRET_WORLD_USER": READER,
            "IOC_SECRET_WORLD_PASSWORD": READER_PASSWORD,
        }
        self._run(f"CREATE TABLE {self.table} (id text PRIMARY KEY, at timestamptz NOT NULL, value text)")
        self._run(f"CREATE VIEW {self.table}_view AS SELECT id, at, value FROM {self.table}")
        self._run(f"GRANT SELECT ON {self.table}_view TO {READER}")

    def source(self) -> str:
        return f"""
            url: ${{env:IOC_WORLD_URL}}
            username: ${{env:IOC_SECRET_WORLD_USER}}
            password: ${{env:IOC_SECRET_WORLD_PASSWORD}}
            table: public.{self.table}_view
            read: {{mode: incremental, time: at, key: [id], lookback_s: 5}}
            page_size: 10
            poll_interval_s: 0.05
        """

    def add(self, first: int, count: int) -> None:
        rows = [tuple(note(number).values()) for number in range(first, first + count)]
        with psycopg.connect(self.server.admin) as connection:
            connection.cursor().executemany(f"INSERT INTO {self.table} VALUES (%s, %s, %s)", rows)

    def state(self) -> Any:
        with psycopg.connect(self.server.admin) as connection:
            return connection.execute(f"SELECT count(*) FROM {self.table}").fetchone()

    def away(self) -> contextlib.AbstractContextManager[None]:
        return self.gate.shut()

    def hung(self) -> contextlib.AbstractContextManager[None]:
        return self.gate.hung()

    def wrong_login(self) -> Mapping[str, str]:
        return {**self.environ, "IOC_SECRET_WORLD_PASSWORD": "a-wrong-password-0815"}

    def _run(self, statement: str) -> None:
        with psycopg.connect(self.server.admin) as connection:
            connection.execute(statement)


@contextlib.contextmanager
def postgres_world(request: pytest.FixtureRequest, folder: Path) -> Iterator[World]:
    server: Postgres = request.getfixturevalue("postgres")
    with gate(server.port) as opened:
        yield PostgresWorld(folder, server, opened)


class SqliteWorld(World):
    kind = "sql"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.file = folder / "so.db"
        with contextlib.closing(sqlite3.connect(self.file)) as connection:
            connection.execute("CREATE TABLE notes (id TEXT, at TEXT, value TEXT)")
            connection.commit()

    def source(self) -> str:
        return f"""
            url: "sqlite:///{self.file}"
            query: SELECT id, at, value FROM notes WHERE value <> 'a:b';
            read: {{mode: snapshot, key: [id]}}
            page_size: 10
            poll_interval_s: 0.05
        """

    def add(self, first: int, count: int) -> None:
        with contextlib.closing(sqlite3.connect(self.file)) as connection:
            rows = [tuple(note(number).values()) for number in range(first, first + count)]
            connection.executemany("INSERT INTO notes VALUES (?, ?, ?)", rows)
            connection.commit()

    def state(self) -> Any:
        return self.file.read_bytes()

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        hidden = self.file.with_suffix(".away")
        self.file.rename(hidden)
        try:
            yield
        finally:
            hidden.rename(self.file)


@contextlib.contextmanager
def sqlite_world(request: pytest.FixtureRequest, folder: Path) -> Iterator[World]:
    yield SqliteWorld(folder)
