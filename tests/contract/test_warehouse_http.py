"""The embedded warehouse, driven by an unmodified ClickHouse client, as a server would be."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx2
import pyarrow as pa
import pytest

from streams.errors import WarehouseError, WarehouseUnavailableError
from streams.warehouse.client import Warehouse


@pytest.fixture
def client(warehouse: str) -> Iterator[Warehouse]:
    connected = Warehouse(warehouse)
    yield connected
    connected.close()


@pytest.fixture
def table(client: Warehouse) -> Iterator[str]:
    name = f"t{uuid.uuid4().hex[:8]}"
    client.command(
        f"CREATE TABLE {name} (k String, v Int64) ENGINE = MergeTree ORDER BY k "
        "SETTINGS non_replicated_deduplication_window = 100"
    )
    yield name
    client.command(f"DROP TABLE {name}")


def block(*rows: tuple[str, int]) -> bytes:
    raw = pa.table({"k": [key for key, _ in rows], "v": [value for _, value in rows]})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, raw.schema) as writer:
        writer.write_table(raw)
    return sink.getvalue()


def test_parameters_are_bound_by_the_server(client: Warehouse) -> None:
    rows = client.rows("SELECT {text:String}, {number:Int32} + 1", {"text": "Tây Ninh 'x'", "number": 41})
    assert [tuple(row) for row in rows] == [("Tây Ninh 'x'", 42)]


def test_an_empty_result_keeps_its_column_names(client: Warehouse) -> None:
    result = client.client.query("SELECT number AS n, toString(number) AS t FROM numbers(0)")
    assert result.column_names == ("n", "t")
    assert result.result_rows == []


def test_the_same_token_inserts_once(client: Warehouse, table: str) -> None:
    for token in ("one", "one", "two"):
        client.insert(table, ["k", "v"], block(("a", 1), ("b", 2)), token)
    assert client.rows(f"SELECT count() FROM {table}")[0][0] == 4


def test_a_large_binary_body_arrives_whole(client: Warehouse, table: str) -> None:
    rows = [(f"key-{number:08d}", number) for number in range(200_000)]
    client.insert(table, ["k", "v"], block(*rows), "large")
    assert client.rows(f"SELECT count(), sum(v) FROM {table}")[0] == (200_000, sum(range(200_000)))


def test_an_insert_that_violates_a_constraint_is_an_error(client: Warehouse, table: str) -> None:
    client.command(f"ALTER TABLE {table} ADD CONSTRAINT positive CHECK v > 0")
    with pytest.raises(WarehouseError, match="positive"):
        client.insert(table, ["k", "v"], block(("a", -1)), "bad")
    assert client.rows(f"SELECT count() FROM {table}")[0][0] == 0


def test_a_token_is_of_its_insert_alone_and_a_refused_insert_uses_none_up(client: Warehouse, table: str) -> None:
    client.command(f"ALTER TABLE {table} ADD CONSTRAINT positive CHECK v > 0")
    client.insert(table, ["k", "v"], block(("a", 1)), "first")
    with pytest.raises(WarehouseError, match="positive"):
        client.insert(table, ["k", "v"], block(("a", -1)), "second")
    client.insert(table, ["k", "v"], block(("a", 1)), "second")
    for _ in range(2):
        client.insert(table, ["k", "v"], block(("a", 1)), None)
    client.insert(table, ["k", "v"], block(("a", 1)), "second")
    assert client.rows(f"SELECT count() FROM {table}")[0][0] == 4


def test_an_insert_of_the_ordinary_client_works(client: Warehouse, table: str) -> None:
    client.client.insert(table, [["a", 1], ["b", 2]], column_names=["k", "v"])
    assert client.rows(f"SELECT sum(v) FROM {table}")[0][0] == 3


def test_errors_carry_clickhouse_s_code(client: Warehouse) -> None:
    with pytest.raises(WarehouseError, match="47"):
        client.command("SELECT no_such_column")


def test_a_query_over_its_time_is_ended(client: Warehouse) -> None:
    with pytest.raises((WarehouseError, WarehouseUnavailableError), match="159"):
        client.rows("SELECT count() FROM numbers(100000000000)", max_execution_time=1)


def test_many_clients_at_once_are_answered(client: Warehouse, table: str) -> None:
    def work(number: int) -> int:
        client.insert(table, ["k", "v"], block((f"k{number}", 1)), f"token {number}")
        return int(client.rows(f"SELECT count() FROM {table}")[0][0])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(40)))
    assert client.rows(f"SELECT count() FROM {table}")[0][0] == 40


def test_no_credentials_no_entry(warehouse: str) -> None:
    parts = urlsplit(warehouse)
    answer = httpx2.post(f"http://{parts.hostname}:{parts.port}/", content="SELECT 1")
    assert answer.status_code == 401


def test_a_statement_sent_as_read_only_may_not_write(client: Warehouse, table: str) -> None:
    answer = client.client.query("SELECT 1", settings={"readonly": 1})
    assert answer.result_rows == [(1,)]
    with pytest.raises(WarehouseError, match="readonly"):
        client.command(f"INSERT INTO {table} VALUES ('a', 1)", {"readonly": 1})


def test_settings_hold_for_their_statement_alone(client: Warehouse) -> None:
    def threads(**settings: int) -> int:
        return int(client.rows("SELECT getSetting('max_threads')", **settings)[0][0])

    assert [threads(), threads(max_threads=1), threads(), threads(max_threads=7)] == [2, 1, 2, 7]
    with pytest.raises(WarehouseError, match="395"):
        client.rows("SELECT throwIf(1)", max_threads=1)
    client.command("SET max_threads = 5")
    assert [threads(max_threads=1), threads()] == [1, 2]


def test_statements_at_once_keep_their_settings_apart(client: Warehouse) -> None:
    def asked(number: int) -> tuple[int, int]:
        rows = client.rows("SELECT getSetting('max_threads')", max_threads=number % 5 + 1)
        return number % 5 + 1, int(rows[0][0])

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(asked, range(200)))
    assert all(wanted == found for wanted, found in answers)


def test_no_answer_is_told_apart_from_a_refusal() -> None:
    with pytest.raises(WarehouseUnavailableError):
        Warehouse("http://127.0.0.1:9").rows("SELECT 1")
