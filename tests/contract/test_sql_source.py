"""Databases of departments: ties, deletes by comparison, sessions that cannot write, statements that end."""

from __future__ import annotations

import contextlib
import sqlite3
import textwrap
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from connectors.errors import ManifestError, SourceError, SourceRefusedError, SourceUnavailableError
from connectors.manifest import load_manifest
from connectors.runtime import open_source
from connectors.secrets import SecretResolver
from connectors.source import Cursor, Page, Source, Surroundings
from tests.conformance import MAPPING
from tests.portal_server import LOOPBACK
from tests.postgres import READER, READER_PASSWORD, Postgres


class Table:
    """One table at a server, and sources over it."""

    def __init__(self, folder: Path, url: str, environ: dict[str, str]) -> None:
        self.folder, self.url, self.environ = folder, url, environ

    def source(self, block: str) -> Source:
        file = self.folder / "m.yaml"
        login = (
            "username: ${env:IOC_SECRET_U}\npassword: ${env:IOC_SECRET_P}\n" if "IOC_SECRET_U" in self.environ else ""
        )
        text = f"url: '{self.url}'\n{login}{textwrap.dedent(block).strip()}\n"
        file.write_text(
            "id: m\nkind: sql\nentity: note\nsource_system: test\nname: {vi: A, en: A}\n"
            "owner: {department: A, contact: B, org: H53}\nsla: {cadence_s: 60}\n"
            f"source:\n{textwrap.indent(text, '  ')}mapping:\n{textwrap.indent(MAPPING.strip(), '  ')}\n"
        )
        around = Surroundings(SecretResolver(self.environ), hosts=LOOPBACK, folders=(self.folder,))
        return open_source(load_manifest(file), around)


async def pages(source: Source, cursor: Cursor | None = None) -> list[Page]:
    found = []
    async with aclosing(source.read(cursor)) as reading:  # type: ignore[type-var]
        async for page in reading:
            found.append(page)
    return found


def rows(found: list[Page]) -> list[dict[str, Any]]:
    return [record for page in found for record in page.records]


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[tuple[Table, sqlite3.Connection]]:
    file = tmp_path / "so.db"
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (k INTEGER PRIMARY KEY, at TEXT, v TEXT, don_vi TEXT)")
        yield Table(tmp_path, f"sqlite:///{file}", {}), connection


SNAPSHOT = """
    table: t
    read: {mode: snapshot, key: [k], keep: [don_vi]}
    page_size: 7
"""


async def test_a_snapshot_passes_on_what_changed_and_what_vanished(lite: Any) -> None:
    table, connection = lite
    connection.executemany("INSERT INTO t VALUES (?, '', ?, 'H53')", [(n, f"v{n}") for n in range(30)])
    source = table.source(SNAPSHOT)
    first = await pages(source)
    assert [row["k"] for row in rows(first)] == list(range(30))
    assert {row["_op"] for row in rows(first)} == {"UPSERT"}
    cursor = first[-1].cursor_after
    assert rows(await pages(source, cursor)) == []
    connection.execute("UPDATE t SET v = 'new' WHERE k = 3")
    connection.execute("DELETE FROM t WHERE k IN (5, 29)")
    second = await pages(source, cursor)
    changed = {row["k"]: row for row in rows(second)}
    assert {k: row["_op"] for k, row in changed.items()} == {3: "UPSERT", 5: "DELETE", 29: "DELETE"}
    assert changed[5]["don_vi"] == "H53" and "v" not in changed[5]
    assert min(row["_revision"] for row in rows(second)) > max(row["_revision"] for row in rows(first))
    connection.execute("INSERT INTO t VALUES (5, '', 'back', 'H53')")
    third = await pages(source, second[-1].cursor_after)
    assert [(row["k"], row["_op"]) for row in rows(third)] == [(5, "UPSERT")]
    await source.close()


async def test_a_table_that_is_suddenly_empty_deletes_nothing(lite: Any) -> None:
    table, connection = lite
    connection.executemany("INSERT INTO t VALUES (?, '', '', '')", [(n,) for n in range(30)])
    source = table.source(SNAPSHOT)
    cursor = (await pages(source))[-1].cursor_after
    connection.execute("DELETE FROM t")
    with pytest.raises(SourceRefusedError, match="30 of 30 rows vanished at once"):
        await pages(source, cursor)
    await source.close()


async def test_ties_wider_than_a_page_and_late_ones_are_all_read(lite: Any) -> None:
    table, connection = lite
    same = "2022-08-23 08:00:00"
    connection.executemany("INSERT INTO t VALUES (?, ?, '', '')", [(n, same) for n in range(10, 40)])
    block = "table: t\nread: {mode: incremental, time: at, key: [k]}\npage_size: 7"
    source = table.source(block)
    first = await pages(source)
    assert [row["k"] for row in rows(first)] == list(range(10, 40))
    connection.execute("INSERT INTO t VALUES (1, ?, 'late', '')", (same,))  # the same time, a smaller key
    second = await pages(source, first[-1].cursor_after)
    assert [row["k"] for row in rows(second)] == [1]
    again = table.source(block)
    assert {row["k"] for row in rows(await pages(again, second[-1].cursor_after))} >= {1, 10, 39}
    await source.close()
    await again.close()


async def test_rows_without_a_change_time_are_named_not_passed_over(lite: Any) -> None:
    table, connection = lite
    connection.execute("INSERT INTO t VALUES (1, NULL, '', ''), (2, '2022-08-23', '', '')")
    source = table.source("table: t\nread: {mode: incremental, time: at, key: [k]}")
    found = await pages(source)
    assert [row["k"] for row in rows(found)] == [2]
    assert [(each.raw["k"], each.error.code, each.error.path) for each in found[0].refused] == [(1, "missing", "at")]
    assert all(not page.refused for page in await pages(source, found[-1].cursor_after))
    await source.close()


async def test_a_time_far_ahead_does_not_hide_what_follows(lite: Any) -> None:
    table, connection = lite
    connection.execute("INSERT INTO t VALUES (1, '2022-08-23T08:00:00', '', ''), (2, '2199-01-01T00:00:00', '', '')")
    source = table.source("table: t\nread: {mode: incremental, time: at, key: [k]}")
    found = await pages(source)
    assert [row["k"] for row in rows(found)] == [1, 2]
    connection.execute("INSERT INTO t VALUES (3, '2022-08-24T08:00:00', '', '')")
    assert [row["k"] for row in rows(await pages(source, found[-1].cursor_after))] == [3]
    await source.close()


@pytest.fixture
def remote(tmp_path: Path, postgres: Postgres) -> Table:
    url = f"postgresql://127.0.0.1:{postgres.port}/postgres"
    return Table(tmp_path, url, {"IOC_SECRET_U": READER, "IOC_SECRET_P": READER_PASSWORD})


def owner(server: Postgres, statement: str) -> None:
    with psycopg.connect(server.admin) as connection:
        connection.execute(statement)


async def test_types_of_postgresql_become_plain_values(remote: Table, postgres: Postgres) -> None:
    owner(postgres, "CREATE TABLE IF NOT EXISTS kieu (k int, at timestamptz, n numeric(12,2), d date, b bool, j jsonb)")
    owner(postgres, "TRUNCATE kieu")
    owner(postgres, f"GRANT SELECT ON kieu TO {READER}")
    owner(
        postgres,
        "INSERT INTO kieu VALUES (1, '2022-08-23 08:00+07', 12.50, '2022-08-23', true, '{\"a\": [1]}')",
    )
    source = remote.source("table: kieu\nread: {mode: incremental, time: at, key: [k]}")
    (row,) = rows(await pages(source))
    assert row | {"at": ""} == {"k": 1, "at": "", "n": 12.5, "d": "2022-08-23", "b": True, "j": {"a": [1]}}
    await source.close()


async def test_the_session_cannot_write_and_a_query_is_nothing_but_a_query(remote: Table, postgres: Postgres) -> None:
    owner(postgres, "CREATE TABLE IF NOT EXISTS ghi (k int)")
    owner(postgres, f"GRANT ALL ON ghi TO {READER}")
    for query in (
        "WITH w AS (INSERT INTO ghi VALUES (1) RETURNING k) SELECT k FROM w",
        "SELECT 1 AS k) q; DELETE FROM ghi; SELECT * FROM (SELECT 1 AS k",
        "SELECT nextval('day_so') AS k",
    ):
        owner(postgres, "CREATE SEQUENCE IF NOT EXISTS day_so")
        owner(postgres, f"GRANT ALL ON SEQUENCE day_so TO {READER}")
        source = remote.source(f'query: "{query}"\nread: {{mode: snapshot, key: [k]}}')
        with pytest.raises(SourceRefusedError, match="refuses the query"):
            await pages(source)
        await source.close()
    with psycopg.connect(postgres.admin) as connection:
        assert connection.execute("SELECT count(*) FROM ghi").fetchone() == (0,)


async def test_a_statement_that_takes_too_long_is_ended(remote: Table) -> None:
    source = remote.source(
        'query: "SELECT 1 AS k, pg_sleep(30)"\nread: {mode: snapshot, key: [k]}\nstatement_timeout_s: 0.3'
    )
    begun = time.monotonic()
    with pytest.raises(SourceUnavailableError, match="ran out of time") as caught:
        await source.preview(1)
    assert time.monotonic() - begun < 10 and caught.value.retry_after_s == 60
    await source.close()


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("table: khong_co\nread: {mode: snapshot, key: [k]}", "check table, columns"),
        ("query: SELECT 1 AS other\nread: {mode: snapshot, key: [k]}", "check table, columns"),
        ("query: SELEKT 1\nread: {mode: snapshot, key: [k]}", "check table, columns"),
    ],
)
async def test_what_the_database_refuses_is_permanent(remote: Table, block: str, message: str) -> None:
    source = remote.source(block)
    with pytest.raises(SourceRefusedError, match=message):
        await pages(source)
    await source.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://h/d", "kind of: mssql, oracle, postgresql, sqlite"),
        ("postgresql://h/d?options=-c%20x", "address is wrong"),
        ("sqlite:////etc/passwd", "IOC_CONNECT__FOLDERS"),
        ("not an address", "address is wrong"),
    ],
)
def test_addresses_that_cannot_be_used_are_refused(tmp_path: Path, url: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        Table(tmp_path, url, {}).source("table: t\nread: {mode: snapshot, key: [k]}")


def test_a_password_in_the_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="may not stand in the file"):
        Table(tmp_path, "postgresql://u:hunter2@h/d", {}).source("table: t\nread: {mode: snapshot, key: [k]}")


async def test_a_database_on_a_host_that_is_not_allowed_is_not_reached(tmp_path: Path) -> None:
    source = Table(tmp_path, "postgresql://10.1.2.3/d", {}).source("table: t\nread: {mode: snapshot, key: [k]}")
    with pytest.raises(SourceRefusedError, match="ALLOWED_HOSTS"):
        await pages(source)
    await source.close()
