"""What is kept of the last day: a minute is one record, a day of them is all, and what is unreadable is a gap."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hub.health.observation import Observation, observations, slot, to_json
from hub.monitor import Monitor, judge_all
from tests.unit.many_datasets import NOW, Service

DAY = timedelta(days=1)


def one(at: datetime, age: float = 1.0) -> Observation:
    return Observation(at, "on_time", age, 3, None)


def test_what_was_written_is_read_back() -> None:
    value = to_json({"a": one(NOW), "b": one(NOW, 7.04)}, NOW)
    assert observations([value], "a", NOW) == [one(NOW)]
    assert observations([value], "b", NOW) == [one(NOW, 7.0)]
    assert observations([value], "c", NOW) == []


@given(st.integers(0, 3 * 1440))
def test_a_topic_never_holds_more_than_a_day(minutes: int) -> None:
    kept: dict[str, bytes] = {}
    for minute in range(0, minutes, 7):
        at = NOW + timedelta(minutes=minute)
        kept[slot(at)] = to_json({"a": one(at)}, at)
    assert len(kept) <= 1440
    now = NOW + timedelta(minutes=minutes)
    found = observations(kept.values(), "a", now)
    assert all(now - DAY < each.at <= now for each in found)
    assert [each.at for each in found] == sorted(each.at for each in found)


def test_what_cannot_be_read_and_what_is_older_than_a_day_is_left_out() -> None:
    values = [b"", b"[]", b"null", b'{"at": 1, "sets": 3}', to_json({"a": one(NOW - DAY)}, NOW - DAY)]
    odd = to_json({"a": one(NOW)}, NOW).replace(b'"on_time",', b"")
    assert observations([*values, odd, to_json({"a": one(NOW)}, NOW)], "a", NOW) == [one(NOW)]


def test_slots_are_minutes_of_the_day_of_utc() -> None:
    assert slot(datetime(2026, 3, 2, 0, 0, 59, tzinfo=UTC)) == "0000"
    assert slot(datetime(2026, 3, 2, 23, 59, tzinfo=UTC)) == "1439"


async def test_the_monitor_keeps_one_round_a_minute_and_a_lost_one_stops_nothing() -> None:
    written: list[datetime] = []

    async def write(seen: dict[str, Observation], at: datetime) -> None:
        assert set(seen) == {"d0", "d1"}
        written.append(at)
        raise TimeoutError

    service: Any = Service(2)
    monitor = Monitor(service, SimpleNamespace(), SimpleNamespace(write=write))  # type: ignore[arg-type]
    for second in range(0, 180, 20):
        service.now = NOW + timedelta(seconds=second)
        await monitor._observe(judge_all(service))
    assert written == [NOW, NOW + timedelta(minutes=1), NOW + timedelta(minutes=2)]
