"""The sums of a rollup by day and unit, which the engine keeps beside its rows: on the real engine in the process."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.kpi import Measure
from streams.plan import Rollup
from streams.warehouse.narrow import NAME, SETTINGS, add_projection, projection
from tests.unit.kpi_tables import InProcess, tables

MEASURES = (Measure("received", "1", "vi", "en"), Measure("paid", "1", "vi", "en"))
QUESTIONS = (
    "SELECT sum(received), sum(paid) FROM {}",
    "SELECT [sum(paid)] FROM {} WHERE day BETWEEN '2022-01-02' AND '2022-01-04'",
    "SELECT org_code, sum(received) FROM {} WHERE startsWith(org_code, 'A') GROUP BY org_code ORDER BY org_code",
    "SELECT toStartOfMonth(day) AS month, sum(received) FROM {} GROUP BY month ORDER BY month",
)
ONLY = {"force_optimize_projection": 1, "force_optimize_projection_name": NAME}
WITHOUT = {"optimize_use_projections": 0}
COLUMNS = "day Date, org_code String, channel String, received Int64, paid Int64"


@pytest.fixture(scope="module")
def queries() -> Iterator[InProcess]:
    with tables() as (found, _):
        yield found


def rollup(*dimensions: str) -> Rollup:
    return Rollup("thing_by_received_at", "thing", "received_at", dimensions, MEASURES)


def made(queries: InProcess, declared: str = "") -> str:
    name = f"n{uuid.uuid4().hex[:8]}"
    projected = f", {declared}" if declared else ""
    queries.command(
        f"CREATE TABLE {name} ({COLUMNS}{projected}) ENGINE = SummingMergeTree ORDER BY (day, org_code, channel)"
        + (f" SETTINGS {SETTINGS}" if declared else "")
    )
    return name


def test_a_rollup_by_day_and_unit_alone_needs_none() -> None:
    assert projection(rollup("org_code")) is None
    assert projection(rollup()) is None
    assert projection(rollup("channel")) == f"PROJECTION {NAME} (SELECT day, sum(`received`), sum(`paid`) GROUP BY day)"


ROWS = st.lists(
    st.tuples(
        st.integers(1, 5), st.sampled_from(("A1", "A2", "B")), st.sampled_from("xy"), st.integers(-3, 3), st.integers()
    ).map(lambda row: (*row[:4], row[4] % 7 - 3)),
    min_size=1,
    max_size=30,
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(ROWS, min_size=1, max_size=4), st.booleans())
def test_it_answers_what_the_rows_answer_before_and_after_merges(
    queries: InProcess, blocks: list[list[tuple[int, str, str, int, int]]], merged: bool
) -> None:
    table = made(queries, projection(rollup("org_code", "channel")) or "")
    for block in blocks:
        values = ", ".join(f"('2022-01-0{day}', '{org}', '{way}', {n}, {paid})" for day, org, way, n, paid in block)
        queries.command(f"INSERT INTO {table} VALUES {values}")
    if merged:
        queries.command(f"OPTIMIZE TABLE {table} FINAL")
    if queries.rows(f"SELECT count() FROM {table}")[0][0]:
        queries.rows(QUESTIONS[0].format(table), **ONLY)
        for question in QUESTIONS:
            sql = question.format(table)
            assert list(queries.rows(sql)) == list(queries.rows(sql, **WITHOUT)), sql
    queries.command(f"DROP TABLE {table}")


def test_a_question_about_another_dimension_reads_the_rows(queries: InProcess) -> None:
    table = made(queries, projection(rollup("org_code", "channel")) or "")
    queries.command(f"INSERT INTO {table} VALUES ('2022-01-01', 'A1', 'x', 2, 1), ('2022-01-01', 'A1', 'y', 3, 1)")
    rows = queries.rows(f"SELECT channel, sum(received) FROM {table} GROUP BY channel ORDER BY channel")
    assert [tuple(row) for row in rows] == [("x", 2), ("y", 3)]


def test_a_table_that_was_made_without_gets_it_once(queries: InProcess) -> None:
    table = made(queries)
    queries.command(f"INSERT INTO {table} VALUES ('2022-01-01', 'A1', 'x', 2, 1)")
    for _ in range(2):
        add_projection(queries, table, projection(rollup("org_code", "channel")) or "")  # type: ignore[arg-type]
    queries.command(f"INSERT INTO {table} VALUES ('2022-01-01', 'A1', 'y', 3, 1)")
    queries.command(f"OPTIMIZE TABLE {table} FINAL")
    assert queries.rows(f"SELECT sum(received) FROM {table}", **ONLY)[0][0] == 5
    parts = queries.rows(f"SELECT sum(rows) FROM system.projection_parts WHERE active AND table = '{table}'")
    assert parts[0][0] == 1
