"""A board asks for period, trend and today at once, and tells what three questions would have told."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from hub.kpi import query
from hub.kpi.answer import figures_of
from hub.kpi.board_question import BoardQuestion
from hub.kpi.conditions import EVERYTHING
from hub.kpi.period import Period, first_of, trend_of
from hub.kpi.reader import Reader
from hub.kpi.rollups import Served
from hub.kpi.service import KpiService, Surroundings
from hub.kpi.spans import Spanned
from streams.kpi import OF_NOW, Kpi
from streams.plan import EntityPlan, rollup_table
from tests.unit.kpi_tables import InProcess, add_ledger, enter, tables

NOW = datetime(2026, 11, 20, 3, 0, 0, tzinfo=UTC)
TODAY = date(2026, 11, 20)
ENTITIES = {"feedback": "1022", "question": "qa", "indicator_value": "reports"}
PERIODS = (
    Period(TODAY, TODAY),
    Period(TODAY - timedelta(days=4), TODAY),
    Period(TODAY - timedelta(days=60), TODAY - timedelta(days=3)),
    Period(date(2026, 7, 13), TODAY),
)
"""Shorter and longer than the trend's window, with and without today, and one that begins within a bucket."""


def _fill(queries: InProcess, plans: dict[str, EntityPlan], seed: int) -> None:
    """Some rows of each rollup: a few units, days before, in and after the periods."""
    chance = random.Random(seed)
    for plan in plans.values():
        for rollup in plan.rollups:
            rows = []
            for _ in range(25):
                day = TODAY - timedelta(days=chance.choice((0, 0, 1, 3, 10, 29, 40, 100, 129, 160, -2)))
                cells = {name: "1" if name == "level" else f"v{chance.randrange(3)}" for name in rollup.dimensions}
                cells |= {"due_minute": "2026-11-20 00:00:00.000"} if "due_minute" in cells else {}
                texts = [repr(value) for value in cells.values()]
                rows.append(f"('{day}', {', '.join([*texts, *(str(chance.randrange(9)) for _ in rollup.measures)])})")
            names = ", ".join(["day", *rollup.dimensions, *(measure.name for measure in rollup.measures)])
            queries.command(f"INSERT INTO {rollup.table} ({names}) VALUES {', '.join(rows)}")


@pytest.fixture
def filled() -> Iterator[tuple[InProcess, dict[str, EntityPlan]]]:
    with tables() as (queries, every):
        plans = {entity: every[entity] for entity in ENTITIES}
        enter(queries, plans)
        for entity, source in ENTITIES.items():
            add_ledger(queries.command, entity, source, 10, "2026-11-20 02:59:59.500")
        _fill(queries, plans, 7)
        yield queries, plans


def _alone(queries: InProcess, kpi: Kpi, period: Period) -> float | None:
    statement, layout = query.totals([kpi], period, now=NOW)
    sums = {row[0]: row[2] for row in queries.rows(statement.sql, dict(statement.parameters))}
    return figures_of(kpi, layout.figures(kpi, sums)).value


@pytest.mark.parametrize("period", PERIODS, ids=lambda period: f"{period.start}..{period.end}")
def test_every_tile_of_a_board_is_what_each_of_its_figures_is_when_it_is_asked_alone(
    filled: tuple[InProcess, dict[str, EntityPlan]], period: Period
) -> None:
    queries, plans = filled
    around = Surroundings((), dict, dict, lambda: NOW, "Asia/Ho_Chi_Minh", one_server=True)
    service = KpiService(Reader(queries, lambda: NOW), plans, {}, around)
    trend = trend_of(period)
    drawn = 0
    for tile in service.board(period).tiles:
        kpi = tile.answer.kpi
        assert tile.answer.figures.value == _alone(queries, kpi, period), kpi.id
        if tile.today is not None:
            assert tile.today.value == _alone(queries, kpi, Period(TODAY, TODAY)), kpi.id
        if kpi.kind in (*OF_NOW, "score", "members") or not tile.trend:
            continue
        for point in random.Random(kpi.id).sample(tile.trend, min(2, len(tile.trend))):
            last = max(
                day
                for day in (trend.window.start + timedelta(days=n) for n in range(trend.window.days))
                if first_of(day, trend.grain) == point.day
            )
            bucket = Period(max(point.day, trend.window.start), last)
            assert point.figures.value == _alone(queries, kpi, bucket), (kpi.id, point.day)
            drawn += 1
    assert drawn > 15


def test_days_of_a_month_that_the_period_begins_in_are_in_the_trend_and_not_in_the_total() -> None:
    read = Spanned.of([("a", "0 2026-07-01", [1, 10]), ("a", "1 2026-07-01", [2, 20]), ("a", "5 1970-01-01", [4, 40])])
    assert read.whole == {"a": [6, 60]}
    assert read.buckets == {"2026-07-01": {"a": [3, 30]}, "": {"a": [4, 40]}}
    assert read.today == {}


def test_what_adds_up_is_read_once_for_the_period_the_trend_and_today(
    filled: tuple[InProcess, dict[str, EntityPlan]],
) -> None:
    _, plans = filled
    kpis = [kpi for plan in plans.values() for kpi in plan.kpis if query.additive(kpi)]
    read = {(rollup_table(kpi.entity, term.time), kpi.kind == "stock") for kpi in kpis for term in kpi.terms.values()}
    question = BoardQuestion.of(kpis, PERIODS[3], TODAY, EVERYTHING, Served((), {}, {}), NOW)
    sources = [select.source for select in question.statement.selects]
    assert len(sources) == len(set(sources)), "each select's rows are told apart by their source"
    assert len(sources) == len(read), "a table once for what flows and once for what stands"
