"""What a connector notes of its deliveries: whether data advance, and whether the source's clock is behind or ahead."""

from __future__ import annotations

import pytest

from connectors import status
from connectors.status import Subject, Tally

DAY_MS = 86_400_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    now = [1_800_000_000_000]
    monkeypatch.setattr(status, "now_ms", lambda: now[0])
    return now


def tally() -> Tally:
    return Tally(Subject("a-connector-of-this-test", "rest", "Sở A", "H53"), "w")


def deliver(one: Tally, clock: list[int], newest: int | None, published: int = 1, quarantined: int = 0) -> None:
    clock[0] += 5_000
    one.delivered(published + quarantined, published, quarantined, newest, clock[0])


def test_a_clock_set_back_is_steady(clock: list[int]) -> None:
    one = tally()
    for _ in range(20):
        deliver(one, clock, clock[0] - DAY_MS)
    assert one.lag_steady_since == clock[0] - 19 * 5_000


def test_the_same_rows_again_are_not(clock: list[int]) -> None:
    one, yesterday = tally(), clock[0] - DAY_MS
    for _ in range(20):
        deliver(one, clock, yesterday)
    assert one.lag_steady_since is not None
    assert clock[0] - one.lag_steady_since < 20_000
    assert one.last_advance == clock[0] - 19 * 5_000


def test_a_backlog_is_not(clock: list[int]) -> None:
    one, begun = tally(), clock[0]
    for number in range(20):
        deliver(one, clock, begun - DAY_MS + number * 600_000)
    assert one.lag_steady_since == clock[0]
    assert one.last_advance == clock[0]


def test_times_ahead_of_our_clock_do_not_make_data_fresh(clock: list[int]) -> None:
    one = tally()
    deliver(one, clock, clock[0])
    known = one.last_event_time
    deliver(one, clock, clock[0] + 3_600_000)
    assert one.last_event_time == known
    assert one.last_lag_ms is not None
    assert one.last_lag_ms < -3_500_000


def test_a_delivery_of_which_all_is_refused_is_told_from_one_that_is_partly(clock: list[int]) -> None:
    one = tally()
    deliver(one, clock, clock[0], published=3, quarantined=2)
    assert (one.last_published, one.last_refused) == (clock[0], None)
    deliver(one, clock, None, published=0, quarantined=2)
    assert one.last_refused == clock[0]
    again = tally()
    again.resume(one.snapshot(clock[0]))
    assert again.last_refused == clock[0]


def test_answers_from_before_what_was_asked_for_are_counted_in_a_row(clock: list[int]) -> None:
    one = tally()
    one.succeeded()
    assert (one.outdated, one.outdated_from, one.outdated_to) == (0, None, None)
    for newest in (500, 500, 700):
        one.succeeded(newest)
    assert (one.outdated, one.outdated_from, one.outdated_to) == (3, 500, 700)
    again = tally()
    again.resume(one.snapshot(clock[0]))
    again.succeeded(700)
    assert (again.outdated, again.outdated_from, again.outdated_to) == (4, 500, 700), "a new worker counts on"
    again.succeeded()
    assert (again.outdated, again.outdated_from, again.outdated_to) == (0, None, None)


def test_where_nothing_tells_of_changes_the_event_time_says_of_which_time_the_data_are(clock: list[int]) -> None:
    one = tally()
    one.delivered(3, 3, 0, None, clock[0], clock[0] - DAY_MS)
    assert (one.last_event_time, one.last_lag_ms) == (clock[0] - DAY_MS, None)
    one.delivered(3, 3, 0, None, clock[0], clock[0] + DAY_MS)
    assert one.last_event_time == clock[0] - DAY_MS, "a meeting to come does not make data fresh"


def test_a_way_to_kafka_that_took_long_leaves_nothing_that_looks_unwritten(clock: list[int]) -> None:
    one = tally()
    stamped = clock[0]
    clock[0] += 45_000
    one.delivered(5, 5, 0, stamped, stamped)
    assert one.last_published == stamped, "what the warehouse has of these records"
    clock[0] += 1_000
    one.delivered(5, 5, 0, stamped, stamped - 500)
    assert one.last_published == stamped, "an older delivery that was acknowledged later moves nothing back"
