"""Rule L1: how far a group is behind, in records and seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.health.commits import Commit
from hub.health.group import ALLOWED, PartitionHealth, Reading, fold
from hub.health.lag import KEPT_ENDS, Behind, KnownEnd, behind, position, remember, written_at
from hub.topics import PartitionLag

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def read(*readings: tuple[int, float]) -> tuple[KnownEnd, ...]:
    """Ends as read so many seconds ago."""
    ends: tuple[KnownEnd, ...] = ()
    for end, seconds in readings:
        ends = remember(ends, end, ago(seconds))
    return ends


RISING = read((100, 60), (100, 50), (200, 40), (200, 30), (300, 20))

CASES = {
    "a group that never committed has no lag to show": (None, 0, 300, None, RISING, Behind(None, None)),
    "nothing waits": (300, 0, 300, None, RISING, Behind(0, 0.0)),
    "nothing waits in an empty partition": (0, 0, 0, None, (), Behind(0, 0.0)),
    "a commit beyond the end is no negative lag": (310, 0, 300, None, RISING, Behind(0, 0.0)),
    "the oldest record's own time": (250, 0, 300, ago(33), RISING, Behind(50, 33.0)),
    "a record stamped ahead of our clock is not negative": (250, 0, 300, ago(-5), RISING, Behind(50, 0.0)),
    "records that retention took are no lag": (100, 280, 300, ago(12), RISING, Behind(20, 12.0)),
    "everything that waited was taken by retention": (100, 300, 300, None, RISING, Behind(0, 0.0)),
    "half way between two ends": (250, 0, 300, None, RISING, Behind(50, 25.0, estimated=True)),
    "the first after an end came later than that end": (200, 0, 300, None, RISING, Behind(100, 30.0, estimated=True)),
    "the last before an end came before it was first seen": (
        199, 0, 300, None, RISING, Behind(101, pytest.approx(40.1), estimated=True),
    ),
    "before what is known: not extrapolated": (99, 0, 300, None, RISING, Behind(201, None)),
    "beyond what is known: not extrapolated": (300, 0, 400, None, RISING, Behind(100, None)),
    "right after a start nothing is known yet": (250, 0, 300, None, (), Behind(50, None)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_lag_of_a_partition(case: str) -> None:
    committed, start, end, oldest, ends, expected = CASES[case]
    assert behind(position(committed, start), end, oldest, ends, NOW) == expected


def test_a_topic_made_anew_forgets_the_ends_of_the_old_one() -> None:
    assert read((500, 60), (600, 50), (3, 40)) == (KnownEnd(3, ago(40), ago(40)),)


def test_a_clock_set_back_forgets_what_was_known() -> None:
    assert read((500, 60), (600, 70)) == (KnownEnd(600, ago(70), ago(70)),)


def test_a_calm_partition_is_remembered_by_one_end() -> None:
    assert read((5, 60), (5, 50), (5, 40)) == (KnownEnd(5, ago(60), ago(40)),)


readings = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 100)), max_size=40)


@given(readings, st.integers(0, 60), st.integers(0, 60), st.one_of(st.none(), st.integers(0, 60)))
def test_the_lag_is_never_negative_and_its_age_never_beyond_what_is_known(
    steps: list[tuple[int, int]], start: int, end: int, committed: int | None
) -> None:
    ends: tuple[KnownEnd, ...] = ()
    at = ago(10_000)
    for more, seconds in steps:
        at += timedelta(seconds=seconds)
        ends = remember(ends, (ends[-1].end if ends else 0) + more, at)
    found = behind(position(committed, start), end, None, ends, NOW)
    assert (found.records is None) == (committed is None)
    assert found.records is None or found.records >= 0
    if found.seconds is not None and found.estimated:
        assert ends[0].since <= NOW - timedelta(seconds=found.seconds) <= ends[-1].until


@given(st.integers(1, 3 * KEPT_ENDS))
def test_what_is_remembered_is_bounded(count: int) -> None:
    ends: tuple[KnownEnd, ...] = ()
    for number in range(count):
        ends = remember(ends, number, ago(count - number))
    assert len(ends) == min(count, KEPT_ENDS)


@given(st.lists(st.integers(1, 20), min_size=2, max_size=20), st.data())
def test_interpolated_times_rise_with_the_offset(steps: list[int], data: st.DataObject) -> None:
    ends: tuple[KnownEnd, ...] = ()
    for number, more in enumerate(steps):
        ends = remember(ends, (ends[-1].end if ends else 0) + more, ago(1000 - 10 * number))
    first = data.draw(st.integers(ends[0].end, ends[-1].end - 1))
    second = data.draw(st.integers(first, ends[-1].end - 1))
    earlier, later = written_at(first, ends), written_at(second, ends)
    assert earlier is not None and later is not None and earlier <= later


def test_a_partition_that_rests_is_judged_and_estimated_as_if_it_were_looked_at_each_time() -> None:
    """What is left as it is while nothing happens gives the same answers later."""
    begin = datetime(2026, 3, 2, tzinfo=UTC)
    looks = [(100, 100)] * 400 + [(100, 130), (110, 140), (140, 140)] + [(140, 140)] * 20
    quick: dict[tuple[str, int], PartitionHealth] = {}
    slow: dict[tuple[str, int], PartitionHealth] = {}
    for number, (committed, end) in enumerate(looks):
        now = begin + timedelta(seconds=number)
        commits = [Commit("t", 0, committed, now)] if number % 5 == 0 or end != 100 else []
        reading = Reading([PartitionLag("t", 0, committed, 0, end)], {}, commits if number < 403 else (), 1)
        quick = fold(quick, reading, ALLOWED, now, now - timedelta(seconds=1) if number else None)
        slow = fold(slow, reading, ALLOWED, now)
        one, other = quick["t", 0], slow["t", 0]
        assert (one.behind, one.status, one.commits) == (other.behind, other.status, other.commits), number
