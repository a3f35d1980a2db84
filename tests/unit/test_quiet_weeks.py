"""No alarm in weeks in which nothing is wrong, Tết among them; and a true outage is found at once."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.benchmarks.false_alarms import BEGIN, STEP, WEEKS, ZONE, simulate, sources

TET = datetime(2026, 2, 12, 0, 0, tzinfo=ZONE)
SWAPPED = datetime(2026, 1, 8, 0, 0, tzinfo=ZONE)


@pytest.mark.parametrize("begin", [TET, SWAPPED], ids=["Tết and a weekend", "a swapped Friday and Saturday"])
def test_a_week_of_days_off_alarms_nobody(begin: datetime) -> None:
    found, judged = simulate(sources(), begin, 1.3, timedelta(minutes=12))
    assert judged > 15_000
    assert found == []


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_eight_weeks_alarm_nobody(seed: int) -> None:
    found, judged = simulate(sources(seed), BEGIN, WEEKS, STEP)
    assert judged > 200_000
    assert found == []


@pytest.mark.parametrize("hour", [9, 23])
def test_a_true_outage_is_found_within_two_judgements(hour: int) -> None:
    systems = sources()
    broken = [source for source in systems if source.feed.kind != "webhook"]
    begin = datetime(2026, 1, 14, hour, 0, tzinfo=ZONE)
    for source in broken:
        source.broken = begin, begin + timedelta(hours=3)
    found, _ = simulate(systems, datetime(2026, 1, 14, 0, 0, tzinfo=ZONE), 1 / 7)
    assert {one.dataset for one in found if one.state == "source_down"} == {one.feed.connector for one in broken}
    assert all(begin <= one.began <= begin + STEP for one in found)
