"""Late corrections and clock skew: counted by the day of arrival, alike in the warehouse's view and in the worker."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from hub.kpi.period import Period
from hub.kpi.query import Within, breakdown, totals
from schemas.contract import load_contracts
from streams import metrics
from streams.arrival_watch import MOST_SOURCES, OTHER, TELL_AGAIN_S, ArrivalWatch
from streams.arrivals import LATE, SKEW
from streams.arrived import arrived
from streams.plan import EntityPlan, load_plans
from tests.core_in_process import Core, core
from tests.dossiers import dossier

HOUR_MS = 3_600_000
ARRIVED_MS = 1_667_235_600_000
"""2022-10-31 17:00 UTC: midnight in Asia/Ho_Chi_Minh, between two months."""


def aged(number: int, revision: int, hours: float, op: str = "UPSERT", **changes: Any) -> dict[str, Any]:
    """An assertion whose event lies so many hours before `ARRIVED_MS`."""
    return dossier(number, revision, op=op, event_time=ARRIVED_MS - round(hours * HOUR_MS), **changes)


def counted(table: Core) -> list[tuple[date, str, str, int, int]]:
    """The rollup, added up."""
    return [
        tuple(row)
        for row in table.warehouse.rows(
            f"SELECT day, org_code, source_system, sum({LATE}), sum({SKEW}) FROM {table.name}_by_arrival "
            "GROUP BY ALL ORDER BY ALL"
        )
    ]


def test_a_correction_older_than_the_allowance_counts_on_the_day_and_for_the_unit_of_its_arrival(table: Core) -> None:
    table.feed([aged(1, 1, 5000, org_code="H53.01"), aged(2, 1, 30, org_code="H53.02")], at=ARRIVED_MS - 1)
    table.feed([aged(1, 2, 25, org_code="H53.07"), aged(2, 2, 23), aged(2, 3, 25, op="DELETE")], at=ARRIVED_MS)
    table.feed([aged(1, 3, 4000, op="DELETE", org_code="H53.07")], at=ARRIVED_MS - 1)
    assert counted(table) == [
        (date(2022, 10, 31), "H53.07", "portal", 1, 0),
        (date(2022, 11, 1), "H53.02", "portal", 1, 0),
        (date(2022, 11, 1), "H53.07", "portal", 1, 0),
    ]


def test_what_changes_no_counted_state_is_no_correction(table: Core) -> None:
    table.feed([aged(1, 2, 100)], at=ARRIVED_MS)
    table.feed([aged(1, 1, 200), aged(1, 2, 100), aged(2, 1, 100, op="DELETE"), aged(2, 2, 90)], at=ARRIVED_MS)
    assert sorted(table.kinds()) == ["applied", "applied", "deleted", "repeat", "superseded"]
    assert counted(table) == []


def test_an_allowance_of_its_own_stands_in_the_kpi_file() -> None:
    with core(arrivals={"late_after_hours": 0.5}) as table:
        table.feed([aged(1, 1, 100)], at=ARRIVED_MS)
        table.feed([aged(1, 2, 0.5), aged(1, 3, 0.51)], at=ARRIVED_MS)
        assert [row[3] for row in counted(table)] == [1]
        late = next(kpi for kpi in table.plan.kpis if kpi.id.endswith(LATE))
        assert "0.5 giờ" in late.explanation["vi"]


def test_a_clock_ahead_is_counted_up_to_the_tolerance_and_beyond_it_quarantined(table: Core) -> None:
    seconds = [119, 120, 121, 86_400, 86_401]
    ahead = [aged(number, 1, -s / 3600, source_system=f"s{s}") for number, s in enumerate(seconds)]
    table.feed(ahead, at=ARRIVED_MS)
    assert [(row[2], row[4]) for row in counted(table)] == [("s121", 1), ("s86400", 1)]
    assert table.reasons() == ["event_time_in_future"]


def test_a_repeat_of_a_record_says_nothing_new_of_the_clock(table: Core) -> None:
    table.feed([aged(1, 1, -1), aged(1, 1, -1)], at=ARRIVED_MS)
    assert [row[4] for row in counted(table)] == [1]


def test_a_block_that_was_written_twice_arrived_once_when_counted_anew(table: Core) -> None:
    table.feed([aged(1, 1, 100)], at=ARRIVED_MS)
    table.feed([aged(1, 2, 90)], at=ARRIVED_MS, twice=True)
    assert table.recount("arrival") == [(date(2022, 11, 1), "H53.01", "portal", 1, 0)]


def test_the_worker_counts_as_the_view_does(table: Core) -> None:
    table.feed([aged(number, 1, 100) for number in range(5)], at=ARRIVED_MS)
    sent = [aged(number, 3, 20 + number * 2) for number in range(5)] + [aged(0, 2, 10), aged(9, 1, -2), aged(9, 2, -3)]
    found = arrived(table.feed(sent, at=ARRIVED_MS))
    assert [sum(row[place] for row in counted(table)) for place in (3, 4)] == [found.late, 2]
    assert found.late == 2
    assert found.superseded == 1
    assert [(skew.source_system, skew.records, skew.most) for skew in found.skew] == [("portal", 2, timedelta(hours=3))]


def test_the_kpis_are_asked_as_others_are_and_keep_to_their_own_unit(table: Core) -> None:
    table.feed([aged(1, 1, 900), aged(2, 1, 900)], at=ARRIVED_MS)
    table.feed([aged(1, 2, 800, org_code="H53.14.2"), aged(2, 2, 800, org_code="H53.20")], at=ARRIVED_MS)
    kpi = next(kpi for kpi in table.plan.kpis if kpi.id == f"{table.name}.{LATE}")
    day = Period(date(2022, 11, 1), date(2022, 11, 1))
    for within, value in ((None, 2), (Within("H53.14"), 1), (Within("H53.99"), 0)):
        statement, layout = totals([kpi], day, within)
        sums = {source: values for source, _, values in table.warehouse.rows(statement.sql, statement.parameters)}
        assert layout.figures(kpi, sums) == {"value": value}
    statement, _ = breakdown(kpi, day, "source_system", kpi.dimensions, {})
    assert [row[1:] for row in table.warehouse.rows(statement.sql, statement.parameters)] == [("portal", [2])]


def test_every_entity_with_kpis_has_them_listed_and_not_among_the_tiles(plans: dict[str, EntityPlan]) -> None:
    for plan in plans.values():
        mine = [kpi for kpi in plan.kpis if kpi.id in (f"{plan.entity}.{LATE}", f"{plan.entity}.{SKEW}")]
        assert len(mine) == (2 if plan.kpis else 0)
        assert not any(kpi.tile for kpi in mine)
    silent = {plan.entity for plan in plans.values() if plan.kpis and not any(kpi.tile for kpi in plan.kpis)}
    assert silent == {"indicator_value"}  # What was reported by hand stands beside what is computed.


@pytest.fixture(scope="module")
def plans() -> dict[str, EntityPlan]:
    return load_plans(load_contracts())


def test_a_clock_ahead_is_named_at_once_and_then_not_in_every_batch(table: Core) -> None:
    batches = [table.feed([aged(n, 1, -1), aged(100 + n, 1, -2)], at=ARRIVED_MS) for n in range(4)]
    last = table.feed([aged(50, 1, -1)], at=ARRIVED_MS)
    now = [0.0]
    watch = ArrivalWatch("watched", lambda: now[0])
    with capture_logs() as logs:
        for rows in batches:
            watch.seen(arrived(rows))
        now[0] = TELL_AGAIN_S
        watch.seen(arrived(last))
    assert [(line["event"], line["source_system"], line["records"], line["ahead_s"]) for line in logs] == [
        ("clock_skew", "portal", 2, 7200.0),
        ("clock_skew", "portal", 7, 3600.0),
    ]
    assert metrics.SKEWED.labels("watched", "portal")._value.get() == 9


def test_names_of_sources_are_bounded(table: Core) -> None:
    rows = table.feed(
        [aged(number, 1, -1, source_system=f"s{number:03d}") for number in range(MOST_SOURCES + 20)], at=ARRIVED_MS
    )
    watch = ArrivalWatch("bounded")
    with capture_logs() as logs:
        watch.seen(arrived(rows))
    assert len({line["source_system"] for line in logs}) == MOST_SOURCES + 1
    assert metrics.SKEWED.labels("bounded", OTHER)._value.get() == 20


def test_the_worker_counts_what_it_has_written(table: Core) -> None:
    counters = [
        metrics.LATE.labels(table.name),
        metrics.SUPERSEDED.labels(table.name),
        metrics.SKEWED.labels(table.name, "portal"),
    ]
    before = [counter._value.get() for counter in counters]
    table.feed([aged(1, 1, 100)], at=ARRIVED_MS)
    table.feed([aged(1, 3, 90), aged(1, 2, 95), aged(2, 1, -1)], at=ARRIVED_MS)
    assert [counter._value.get() - was for counter, was in zip(counters, before, strict=True)] == [1, 1, 1]
