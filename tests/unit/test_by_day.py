"""Periods are answered from the sums of their days once that costs no more, and exactly as the warehouse would."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from hub.kpi import by_day, daily_memo, query
from hub.kpi.conditions import Slice, Within
from hub.kpi.daily_memo import LEAST_DAYS
from hub.kpi.errors import WarehouseAwayError
from hub.kpi.memo import SLOW, Known, Memo
from hub.kpi.period import EARLIEST, LATEST, Period
from hub.kpi.reader import Reader
from hub.kpi.statement import Statement
from streams.kpi import Kpi
from streams.plan import EntityPlan
from tests.unit.kpi_tables import InProcess, add_row, tables

NOW = datetime(2026, 11, 20, 3, 0, 0, tzinfo=UTC)
UNITS = ("H14.1", "H14.1.2", "H14.3")
YEAR = Period(date(2026, 1, 1), date(2026, 12, 31))


class Counting:
    """A reader that keeps what it was asked."""

    def __init__(self, queries: InProcess) -> None:
        self._reader = Reader(queries, lambda: NOW)
        self.asked: list[Statement] = []
        self.slow = False

    def rows(self, statement: Statement) -> Sequence[Sequence[Any]]:
        self.asked.append(statement)
        if self.slow and by_day.FIRST in statement.parameters:
            raise WarehouseAwayError(SLOW)
        return self._reader.rows(statement)

    def took(self) -> list[str]:
        """What was asked since the last call: `days` or `period`."""
        asked, self.asked = self.asked, []
        return ["days" if by_day.FIRST in statement.parameters else "period" for statement in asked]


class World:
    """A memo over tables whose versions the test tells."""

    def __init__(self, queries: InProcess, plans: dict[str, EntityPlan]) -> None:
        self.queries, self.plans = queries, plans
        self.reader = Counting(queries)
        self.version = 1
        self.memo = Memo(self.reader, self._known)

    def _known(self) -> Known:
        names = [rollup.table for plan in self.plans.values() for rollup in plan.rollups]
        return Known(NOW, dict.fromkeys(names, self.version))

    def month(self, number: int, kpi: str = "dossier.received") -> list[Sequence[Any]]:
        start = date(2026, 1, 1) + timedelta(days=number)
        statement, _ = query.totals([_kpi(self.plans, kpi)], Period(start, start + timedelta(days=29)))
        return list(self.memo.rows(statement))


def _kpi(plans: dict[str, EntityPlan], kpi_id: str) -> Kpi:
    return next(kpi for plan in plans.values() for kpi in plan.kpis if kpi.id == kpi_id)


def _fill(queries: InProcess, plans: dict[str, EntityPlan], dice: random.Random, rows: int) -> None:
    """Rows of every rollup, some of which take back others, over four years and at the ends of the calendar."""
    days = [date(2024, 12, 1) + timedelta(days=dice.randrange(900)) for _ in range(rows)] + [EARLIEST, LATEST]
    for plan in plans.values():
        for rollup in plan.rollups:
            for day in days:
                unit = {"org_code": dice.choice(UNITS)} if "org_code" in rollup.dimensions else {}
                measures = {measure.name: dice.randrange(-3, 9) for measure in rollup.measures}
                add_row(queries.command, plans, rollup.table, str(day), **unit, **measures)


def _random_period(dice: random.Random) -> Period:
    start = dice.choice([date(2024, 11, 1) + timedelta(days=dice.randrange(1000)), EARLIEST, LATEST])
    return Period(
        start, min(LATEST, start + timedelta(days=dice.choice((0, 1, 29, 30, 400))) if start < LATEST else start)
    )


def test_sums_of_days_answer_every_kpi_as_the_warehouse_does_for_any_period_unit_and_division(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(daily_memo, "LEAST_DAYS", 100_000)  # it pays at once
    dice = random.Random(11)
    compared = set()
    with tables() as (queries, plans):
        _fill(queries, plans, dice, 12)
        world, plain = World(queries, plans), Reader(queries, lambda: NOW)
        kpis = [kpi for plan in plans.values() for kpi in plan.kpis if kpi.kind != "score"]
        for kpi in kpis:
            for _ in range(4):
                period, unit = _random_period(dice), dice.choice((None, "H14.1"))
                chosen = Slice(Within(unit)) if unit else Slice()
                by = dice.choice([None, *(kpi.dimensions if kpi.kind != "members" else ())])
                if by is None:
                    statement, _ = query.totals([kpi], period, chosen, now=NOW)
                else:
                    statement, _ = query.breakdown(kpi, period, by, kpi.dimensions, {}, chosen, now=NOW)
                expected = sorted((tuple(row) for row in plain.rows(statement)), key=repr)
                found = sorted((tuple(row) for row in world.memo.rows(statement)), key=repr)
                assert found == expected, (kpi.id, period, by, unit)
                compared |= {kpi.kind for taken in world.reader.took() if taken == "days"}
    assert compared == {"flow", "ratio", "stock"}


def test_a_year_is_asked_for_once_as_many_days_were_asked_for_one_by_one() -> None:
    with tables() as (queries, plans):
        add_row(queries.command, plans, "dossier_by_received_at", "2026-03-05", org_code=UNITS[0], received=7)
        world = World(queries, plans)
        before = YEAR.days // LEAST_DAYS
        assert [row[2][0] for row in (world.month(number)[0] for number in range(40, 40 + before))] == [7] * before
        assert world.reader.took() == ["period"] * before
        seven = [("p:dossier_by_received_at", "", [7])]
        assert [world.month(number) for number in (34, 35, 62, 63, 64, 300)] == [seven] * 4 + [[]] * 2
        assert world.reader.took() == ["days"], "and nothing more"
        add_row(queries.command, plans, "dossier_by_received_at", "2026-03-06", org_code=UNITS[0], received=1)
        world.version = 2
        assert [row[2] for row in world.month(63)] == [[8]]
        assert world.reader.took() == ["period"], "after a write it is counted from the start"


def test_more_days_than_can_be_kept_are_asked_for_once_and_then_period_by_period(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(by_day, "MOST_CELLS", 2)
    with tables() as (queries, plans):
        for day in range(1, 4):
            add_row(queries.command, plans, "dossier_by_received_at", f"2026-03-0{day}", org_code=UNITS[0], received=1)
        world = World(queries, plans)
        for version in (1, 2):
            world.version = version
            assert [world.month(number)[0][2] for number in range(40, 52)] == [[3]] * 12
        taken = world.reader.took()
        assert taken.count("days") == 1
        assert taken.count("period") == 24


def test_days_that_take_the_warehouse_too_long_are_asked_for_once_and_then_period_by_period() -> None:
    with tables() as (queries, plans):
        add_row(queries.command, plans, "dossier_by_received_at", "2026-03-01", org_code=UNITS[0], received=5)
        world = World(queries, plans)
        world.reader.slow = True
        assert [world.month(number)[0][2] for number in range(40, 52)] == [[5]] * 12
        assert world.reader.took().count("days") == 1


def test_a_unit_is_never_answered_from_the_days_of_all() -> None:
    with tables() as (queries, plans):
        for unit in UNITS:
            add_row(queries.command, plans, "dossier_by_received_at", "2026-03-01", org_code=unit, received=1)
        world = World(queries, plans)
        kpi = _kpi(plans, "dossier.received")
        found = []
        for number in range(12):
            period = Period(date(2026, 2, 1 + number), date(2026, 3, 10))
            for chosen in (Slice(), Slice(Within("H14.1")), Slice(where=(("org_code", ("H14.3",)),))):
                found.append(world.memo.rows(query.totals([kpi], period, chosen)[0])[0][2])
        assert found == [[3], [2], [1]] * 12
        assert world.reader.took().count("days") == 3
