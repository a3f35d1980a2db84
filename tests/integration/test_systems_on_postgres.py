"""The departments' databases on a real PostgreSQL, read by an account that may see views alone, and no person."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from deploy.demo import questions, sql_tables
from deploy.demo.questions import QUESTIONS
from deploy.demo.simulation import Stage, System
from deploy.demo.staff import STAFF
from tests.core_in_process import InProcessWarehouse
from tests.counted import (
    ANCHOR,
    DATABASES,
    NOW,
    PERIODS,
    Published,
    check_figures,
    publish,
    served,
    shown,
    stage_of,
    system_database,
    tables_of,
)
from tests.postgres import READER, READER_PASSWORD, Postgres

SCHEMA = "so_lieu"
NEVER_GRANTED = ("ho_ten", "so_cccd")
TYPES = {"TEXT": "text", "INTEGER": "bigint"}


@pytest.fixture
def database() -> Iterator[InProcessWarehouse]:
    with system_database() as made:
        yield made


@pytest.fixture
def connection(postgres: Postgres) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres.admin, autocommit=True) as opened:
        opened.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        opened.execute(f"CREATE SCHEMA {SCHEMA}")
        opened.execute(f"GRANT USAGE ON SCHEMA {SCHEMA} TO {READER}")
        opened.execute(f"ALTER ROLE {READER} SET search_path TO {SCHEMA}")
        yield opened
        opened.execute(f"ALTER ROLE {READER} RESET search_path")


def bring(file: Path, connection: psycopg.Connection) -> None:
    """The tables of a file as tables of the schema; the reader sees views of them, and no column with a person."""
    with contextlib.closing(sqlite3.connect(file)) as lite:
        names = [row[0] for row in lite.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        views = {row[0]: row[1] for row in lite.execute("SELECT name, sql FROM sqlite_master WHERE type = 'view'")}
        for name in names:
            columns = {row[1]: TYPES[row[2]] for row in lite.execute(f"PRAGMA table_info({name})")}
            declared = ", ".join(f"{column} {kind}" for column, kind in columns.items())
            connection.execute(f"CREATE TABLE {SCHEMA}.{name}_goc ({declared})")
            with connection.cursor().copy(f"COPY {SCHEMA}.{name}_goc FROM STDIN") as copy:
                for row in lite.execute(f"SELECT * FROM {name}"):
                    copy.write_row(row)
            view = next((view for view, sql in views.items() if sql.endswith(name)), name)
            connection.execute(f"CREATE VIEW {SCHEMA}.{view} AS SELECT * FROM {SCHEMA}.{name}_goc")
            granted = ", ".join(column for column in columns if column not in NEVER_GRANTED)
            connection.execute(f"GRANT SELECT ({granted}) ON {SCHEMA}.{view} TO {READER}")


def environ_of(system: System, stage: Stage, postgres: Postgres) -> Mapping[str, str]:
    """The manifest's variables, its address that of the server."""
    given = dict(system.environment(stage.site))
    url = next(name for name in given if name.endswith("_URL"))
    login = "" if system is QUESTIONS else f"{READER}:{READER_PASSWORD}@"
    given[url] = f"postgresql://{login}127.0.0.1:{postgres.port}/postgres"
    users = {name: READER for name in given if name.endswith("_USER")}
    return given | users | {name: READER_PASSWORD for name in given if name.endswith("_PASSWORD")}


async def made(system: System, stage: Stage) -> Path:
    """The file that the simulated department writes."""
    async with served(system, stage):
        return questions.database(stage.site) if system is QUESTIONS else sql_tables.database(stage.site)


def read(system: System, stage: Stage, environ: Mapping[str, str], before: Published | None = None) -> Published:
    (connector,) = system.connectors
    cursor, now = (before.cursor, NOW + timedelta(days=1)) if before else (None, NOW)
    return asyncio.run(publish(connector, system, stage, environ, cursor, now))


@pytest.mark.parametrize("system", DATABASES, ids=lambda system: system.id)
def test_a_departments_database_on_a_real_server_gives_the_figures_of_its_ledger(
    system: System, tmp_path: Path, database: InProcessWarehouse, postgres: Postgres, connection: psycopg.Connection
) -> None:
    stage = stage_of(system, tmp_path)
    bring(asyncio.run(made(system, stage)), connection)
    (connector,) = system.connectors
    published = read(system, stage, environ_of(system, stage, postgres))
    check_figures(system, stage, database, {connector: published})
    # A second look begins a little before the end of the first, and finds nothing new.
    again = read(system, stage, environ_of(system, stage, postgres), published)
    assert set(again.messages) <= set(published.messages) and len(again.messages) < len(published.messages) / 10


def test_a_cell_that_vanished_overnight_is_taken_back_and_no_person_can_be_read(
    tmp_path: Path, database: InProcessWarehouse, postgres: Postgres, connection: psycopg.Connection
) -> None:
    stage = stage_of(STAFF, tmp_path)
    bring(asyncio.run(made(STAFF, stage)), connection)
    environ = environ_of(STAFF, stage, postgres)
    with (
        psycopg.connect(environ["IOC_SECRET_STAFF_URL"]) as reader,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        reader.execute("SELECT ho_ten FROM can_bo")
    first = read(STAFF, stage, environ)
    core = tables_of("staff", database)
    try:
        core.take(first.messages, ANCHOR * 1000)
        before = shown(database, "staff", PERIODS[0])
        cell = "thang = '2022-09' AND ma_don_vi = 'H53.07' AND nhom = 'CC' AND ngach = 'CVC'"
        found = connection.execute(
            "SELECT sum(co_mat)::int, sum(tuyen_moi + chuyen_den)::int, sum(dao_tao)::int "
            f"FROM {SCHEMA}.can_bo WHERE {cell}"
        ).fetchone()
        (posts,) = connection.execute(f"SELECT chi_tieu FROM {SCHEMA}.bien_che WHERE {cell}").fetchone() or (0,)
        assert found is not None and found[0] > 0
        connection.execute(f"DELETE FROM {SCHEMA}.can_bo_goc WHERE {cell}")
        second = read(STAFF, stage, environ, first)
        assert len(second.messages) == 1 and second.refused == 0
        core.take(second.messages, ANCHOR * 1000)
        after = shown(database, "staff", PERIODS[0])
        assert after["staff.person_months"][0] == before["staff.person_months"][0] - found[0]
        assert after["staff.joined"][0] == before["staff.joined"][0] - found[1]
        assert after["staff.trained"][0] == before["staff.trained"][0] - found[2]
        assert after["staff.quota_used_share"][2] == before["staff.quota_used_share"][2] - posts
    finally:
        core.close()
