"""Small warehouse tables for tests of KPIs, in the shape the plans lay out, in an engine inside the process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

import clickhouse_connect

from hub.kpi.rollups import definitions
from schemas.codes_table import package_tables
from schemas.contract import load_contracts
from streams.generations import Entry, State
from streams.kpi import DUE_MINUTE
from streams.plan import EntityPlan, load_plans
from streams.warehouse.catalogue import CREATE, TABLE, Catalogue
from streams.warehouse.schema import changes_table, current_target, fence_table

TYPES = {"level": "Int32", DUE_MINUTE: "DateTime64(3, 'UTC')"}
"""Of dimensions that are no texts."""

EMPTY = {"level": 0, DUE_MINUTE: "1970-01-01 00:00:00.000"}

LEDGER_COUNTS = ("applied", "superseded", "repeats", "deleted", "quarantined")


class InProcess:
    """The same `rows` as `streams.warehouse.client.Warehouse`, without a server between."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def rows(self, sql: str, parameters: dict[str, Any] | None = None, **settings: Any) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]] = self.client.query(sql, parameters=parameters, settings=settings).result_rows
        return rows

    def command(self, sql: str, settings: dict[str, Any] | None = None) -> None:
        self.client.command(sql, settings=settings)


ZONE = "Asia/Ho_Chi_Minh"


def enter(queries: InProcess, plans: dict[str, EntityPlan], **changes: Any) -> None:
    """Enter the rollups of `plans` into an empty catalogue, live under their own names; `changes` for all of them."""
    catalogue = Catalogue(queries)  # type: ignore[arg-type]
    queries.command(CREATE)
    queries.command(f"TRUNCATE TABLE {TABLE}")
    catalogue.change(
        lambda _: [
            replace(
                Entry(name, name.partition("_by_")[0], 0, name, State.LIVE, definition),
                **changes,
            )
            for name, definition in definitions(plans, ZONE).items()
        ]
    )


def create_tables(command: Any, plans: dict[str, EntityPlan]) -> None:
    """What the plans lay out, ledger, quarantine and procedures, all empty; `command` runs one statement."""
    for plan in plans.values():
        for rollup in plan.rollups:
            dimensions = ", ".join(f"{name} {TYPES.get(name, 'String')}" for name in rollup.dimensions)
            measures = ", ".join(f"{measure.name} Int64" for measure in rollup.measures)
            command(f"DROP TABLE IF EXISTS {rollup.table}")
            command(
                f"CREATE TABLE {rollup.table} (day Date, {dimensions}, {measures}) ENGINE = SummingMergeTree"
                f" ORDER BY (day, {', '.join(rollup.dimensions)})"
            )
    for entity in plans:
        contract = load_contracts()[entity]
        for table in (contract.changes_table, contract.current_table, contract.fence_table):
            command(f"DROP TABLE IF EXISTS {table}")
        command(fence_table(contract))
        command(changes_table(contract))
        command(current_target(contract).create(contract.current_table))
    counts = ", ".join(f"{name} SimpleAggregateFunction(sum, Int64)" for name in LEDGER_COUNTS)
    times = ", ".join(
        f"{name} SimpleAggregateFunction(max, DateTime64(3, 'UTC'))"
        for name in ("max_event_time", "max_ingest_time", "max_kafka_time", "written_at")
    )
    codes = {kpi.codes for plan in plans.values() for kpi in plan.kpis if kpi.codes}
    for name in ("ledger", "quarantine", *(f"code_{code}" for code in codes)):
        command(f"DROP TABLE IF EXISTS {name}")
    command(
        f"CREATE TABLE ledger (entity String, source_system String, partition Int32, day Date, {counts}, {times},"
        " max_last SimpleAggregateFunction(max, Int64)) ENGINE = AggregatingMergeTree"
        " ORDER BY (entity, source_system, partition, day)"
    )
    command(
        "CREATE TABLE quarantine (id String, connector String, stage String, reason_code String, reason String,"
        " reason_en String, topic String, partition Nullable(Int32), offset Nullable(Int64), entity String,"
        " at DateTime64(3, 'UTC'), payload String) ENGINE = ReplacingMergeTree ORDER BY id"
    )
    for code in codes:
        kinds = {"valid_from": "Date", "valid_to": "Nullable(Date)", "online": "UInt8"}
        columns = ", ".join(f"{name} {kinds.get(name, 'String')}" for name in package_tables()[code].columns)
        command(f"CREATE TABLE code_{code} ({columns}) ENGINE = MergeTree ORDER BY code")


def add_row(command: Any, plans: dict[str, EntityPlan], table: str, day: str, **values: Any) -> None:
    """One row of a rollup; what is not given is empty or 0."""
    rollup = next(item for plan in plans.values() for item in plan.rollups if item.table == table)
    cells = {name: values.get(name, EMPTY.get(name, "")) for name in rollup.dimensions}
    cells |= {measure.name: values.get(measure.name, 0) for measure in rollup.measures}
    unknown = set(values) - set(cells)
    assert not unknown, f"{table} has no {unknown}"
    shown = ", ".join(repr(value) for value in cells.values())
    command(f"INSERT INTO {table} (day, {', '.join(cells)}) VALUES ('{day}', {shown})")


def add_ledger(command: Any, entity: str, source: str, applied: int, written_at: str, quarantined: int = 0) -> None:
    """One line of the ledger; times as `YYYY-MM-DD hh:mm:ss.mmm` UTC."""
    command(
        "INSERT INTO ledger (entity, source_system, partition, day, applied, quarantined, max_event_time,"
        f" max_ingest_time, max_kafka_time, written_at) VALUES ('{entity}', '{source}', 0, '2026-01-01', {applied},"
        f" {quarantined}, '{written_at}', '{written_at}', '{written_at}', '{written_at}')"
    )


@cache
def _engine() -> tuple[InProcess, dict[str, EntityPlan]]:
    plans = load_plans(load_contracts())
    queries = InProcess(clickhouse_connect.get_client(interface="chdb"))
    create_tables(queries.command, plans)
    return queries, plans


@contextmanager
def tables() -> Iterator[tuple[InProcess, dict[str, EntityPlan]]]:
    """Empty tables of the declared plans in the process's one engine."""
    queries, plans = _engine()
    rollups = [rollup.table for plan in plans.values() for rollup in plan.rollups]
    codes = [f"code_{kpi.codes}" for plan in plans.values() for kpi in plan.kpis if kpi.codes]
    for table in (*rollups, "ledger", "quarantine", *codes):
        queries.command(f"TRUNCATE TABLE {table}")
    enter(queries, plans)
    yield queries, plans
