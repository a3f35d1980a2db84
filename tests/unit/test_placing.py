"""What a start makes of the declared rollups, on the real engine inside the process."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from streams.errors import WarehouseError
from streams.generations import Entry, State, serving
from streams.warehouse.catalogue import Catalogue
from streams.warehouse.dry_run import edges_of
from streams.warehouse.schema import migrate
from tests.rebuild_command import ZONE, changed_plan
from tests.stream_worker import private_contract
from tests.unit.kpi_tables import InProcess, tables

THROWS = "dateDiff('fortnight', filed_at, due_at) > 1"
"""Allowed by its form: only the warehouse knows that there is no such unit."""


class Queries(InProcess):
    """Errors as `streams.warehouse.client.Warehouse` raises them."""

    def rows(self, sql: str, parameters: dict[str, Any] | None = None, **settings: Any) -> Any:
        try:
            return super().rows(sql, parameters, **settings)
        except DatabaseError as error:
            raise WarehouseError(str(error)) from error


class Start:
    """A worker's start over a private entity, with changed measures."""

    def __init__(self, queries: Any) -> None:
        self.queries = queries
        self.name = f"p{uuid.uuid4().hex[:8]}"
        self.contract = private_contract(self.name)

    def __call__(self, **changes: str) -> dict[str, Entry | None]:
        plan = changed_plan(self.name, changes)
        migrate(self.queries, {self.name: self.contract}, {self.name: plan}, ZONE)
        entries = Catalogue(self.queries).entries()
        return {rollup.time: serving(entries, rollup.table) for rollup in plan.rollups}

    def write(self) -> None:
        self.queries.command(f"INSERT INTO {self.name}_fence (partition, epoch, topic_id, life) VALUES (0, 1, 't', 0)")
        self.queries.command(
            f"INSERT INTO {self.name}_changes (kind, sign, epoch, offset, status, received_at) "
            "VALUES ('applied', 1, 1, 0, 4, '2022-03-05 00:00:00.000')"
        )

    def views(self) -> set[str]:
        rows = self.queries.rows(f"SELECT name FROM system.tables WHERE name LIKE 'view_{self.name}_by_%'")
        return {row[0].removeprefix(f"view_{self.name}_by_") for row in rows}


@pytest.fixture
def start() -> Any:
    with tables() as (queries, _):
        yield Start(Queries(queries.client))


def states(found: dict[str, Entry | None]) -> dict[str, tuple[str, int]]:
    return {time: (str(entry.state), entry.generation) for time, entry in found.items() if entry is not None}


def test_on_an_empty_warehouse_all_rollups_are_live_at_once(start: Start) -> None:
    assert states(start()) == {
        "arrival": ("live", 0),
        "due_at": ("live", 0),
        "ended_at": ("live", 0),
        "received_at": ("live", 0),
    }
    assert states(start()) == {
        "arrival": ("live", 0),
        "due_at": ("live", 0),
        "ended_at": ("live", 0),
        "received_at": ("live", 0),
    }
    assert start.views() == {"arrival", "due_at", "ended_at", "received_at"}


def test_a_change_before_the_first_row_is_live_at_once_too(start: Start) -> None:
    start()
    assert states(start(received="status = 4"))["received_at"] == ("live", 1)
    start.write()
    start(received="status = 4")
    rows = start.queries.rows(f"SELECT sum(received) FROM {start.name}_by_received_at_g1")
    assert rows[0][0] == 1
    assert start.views() == {"arrival", "due_at", "ended_at", "received_at_g1"}


def test_a_change_after_the_first_row_waits_for_its_back_fill_and_the_old_table_is_fed_on(start: Start) -> None:
    before = start()
    start.write()
    after = start(received="status = 4", paid="fee > 0")
    assert {time: entry.table for time, entry in after.items() if entry} == {
        time: entry.table for time, entry in before.items() if entry
    }
    assert (
        after["received_at"] is not None
        and after["received_at"].definition.lacks(
            before["received_at"].definition,
            ["received"],
            [],  # type: ignore[union-attr]
        )
        == ()
    )
    assert start.queries.rows(f"SELECT sum(received) FROM {start.name}_by_received_at")[0][0] == 1


def test_a_measure_that_throws_on_edge_values_gets_no_view_and_the_other_rollups_go_on(start: Start) -> None:
    found = start(finished=THROWS)
    assert states(found) == {
        "arrival": ("live", 0),
        "due_at": ("live", 0),
        "ended_at": ("broken", 0),
        "received_at": ("live", 0),
    }
    assert found["ended_at"] is not None and "fortnight" in found["ended_at"].reason
    start.write()
    assert start.views() == {"arrival", "due_at", "received_at"}
    assert found["ended_at"].state is State.BROKEN


@pytest.mark.parametrize(
    ("kind", "some"),
    [
        ("LowCardinality(Nullable(String))", ("''", "NULL")),
        ("Int32", ("2147483647", "-2147483648")),
        ("Nullable(DateTime64(3, 'UTC'))", ("'2299-12-31 23:59:59.999'", "NULL")),
        ("Float64", ("nan", "inf")),
        ("Decimal(6, 2)", ("'9999'", "'-9999'")),
        ("UUID", ("NULL",)),
    ],
)
def test_edge_values_go_to_the_ends_of_the_type(kind: str, some: tuple[str, ...]) -> None:
    assert set(some) <= set(edges_of(kind))
