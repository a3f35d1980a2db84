"""Reading for people while the warehouse is away: one finds out, the others hear at once what is known."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.kpi.errors import WarehouseAwayError
from hub.kpi.query import Statement
from hub.kpi.reader import LIGHTLY, OF_SUMS, QUERY_TIMEOUT_S, RETRY_AFTER, Reader
from hub.kpi.statement import Select, union_of
from streams.errors import WarehouseUnavailableError

ONE = Statement("SELECT 1", {})


class SlowWarehouse:
    """Answers, or gives up, only when told to."""

    def __init__(self) -> None:
        self.away = True
        self.asked = 0
        self.entered = threading.Event()
        self.go_on = threading.Event()

    def rows(self, sql: str, parameters: dict[str, Any] | None = None, **settings: Any) -> Sequence[Sequence[Any]]:
        self.asked += 1
        self.entered.set()
        assert self.go_on.wait(10)
        if self.away:
            raise WarehouseUnavailableError("timed out")
        return [(1,)]


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def test_during_an_outage_one_statement_waits_and_the_others_fail_at_once() -> None:
    warehouse, clock = SlowWarehouse(), Clock()
    reader = Reader(warehouse, clock)
    warehouse.go_on.set()
    with pytest.raises(WarehouseAwayError, match="timed_out"):
        reader.rows(ONE)
    clock.now += RETRY_AFTER + timedelta(seconds=1)
    warehouse.go_on.clear()
    warehouse.entered.clear()
    with ThreadPoolExecutor(1) as pool:
        finding_out = pool.submit(reader.rows, ONE)
        assert warehouse.entered.wait(10)
        for _ in range(100):
            with pytest.raises(WarehouseAwayError, match="timed_out"):
                reader.rows(ONE)
        assert warehouse.asked == 2
        warehouse.away = False
        warehouse.go_on.set()
        assert finding_out.result(10) == [(1,)]
    assert reader.rows(ONE) == [(1,)]
    assert reader.outage is None


def test_an_outage_is_looked_into_again_after_each_pause() -> None:
    warehouse, clock = SlowWarehouse(), Clock()
    reader = Reader(warehouse, clock)
    warehouse.go_on.set()
    for asked in (1, 2, 3):
        with pytest.raises(WarehouseAwayError):
            reader.rows(ONE)
        with pytest.raises(WarehouseAwayError):
            reader.rows(ONE)
        assert warehouse.asked == asked
        clock.now += RETRY_AFTER
    warehouse.away = False
    assert reader.rows(ONE) == [(1,)]


def test_sums_are_asked_without_what_takes_longer_to_plan_than_it_saves_and_nothing_else_is() -> None:
    told: list[dict[str, Any]] = []

    class Noting:
        def rows(self, sql: str, parameters: dict[str, Any] | None = None, **settings: Any) -> Sequence[Sequence[Any]]:
            told.append(settings)
            return []

    reader, select = Reader(Noting(), Clock()), Select("s", "SELECT 's', '', [1]")
    for statement in (ONE, union_of([select], {}), union_of([select], {}, light=True)):
        reader.rows(statement)
    bounded = {"max_execution_time": QUERY_TIMEOUT_S}
    assert told == [bounded, {**bounded, **OF_SUMS}, {**bounded, **LIGHTLY}]
