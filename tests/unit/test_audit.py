"""The audit's comparison: a difference is found exactly, and never one that batches in flight explain."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.audit import (
    READINGS,
    Key,
    Reading,
    Sums,
    Vector,
    Window,
    added,
    missing_ranges,
    settle,
    signed,
    spans,
    split_at,
    whole,
)

KEYS: list[Key] = [("2022-01-01",), ("2022-01-02",), ("2022-01-03", "H53.14")]

vectors = st.tuples(st.integers(-1000, 1000), st.integers(-(2**63), 2**63 - 1)).filter(any)
sums = st.dictionaries(st.sampled_from(KEYS), vectors)
batches = st.dictionaries(st.sampled_from(KEYS), vectors, min_size=1)
in_flight = st.lists(st.lists(batches, max_size=3), max_size=3)


def total(*parts: Sums) -> dict[Key, Vector]:
    out: dict[Key, Vector] = {}
    for part in parts:
        added(out, part)
    return out


def reading_of(confirmed: Sums, flying: list[list[Sums]], taken: list[int], drift: Sums) -> Reading:
    """A table that holds what is confirmed, the first `taken` batches of each partition, and `drift`."""
    held = [batch for part, number in zip(flying, taken, strict=True) for batch in part[: number % (len(part) + 1)]]
    return Reading(total(confirmed, *held, drift), confirmed, tuple(tuple(part) for part in flying))


@given(confirmed=sums, flying=in_flight, data=st.data())
def test_whatever_part_of_the_batches_in_flight_is_there_it_is_no_difference(
    confirmed: Mapping[Key, Vector], flying: list[list[Sums]], data: st.DataObject
) -> None:
    taken = [data.draw(st.integers(0, 3)) for _ in flying]
    assert settle([reading_of(confirmed, flying, taken, {})]).clean


@settings(max_examples=200)
@given(drift=batches, data=st.data())
def test_a_difference_is_found_exactly_or_the_readings_do_not_settle_it(drift: Sums, data: st.DataObject) -> None:
    readings = []
    for _ in range(READINGS):
        flying = data.draw(in_flight)
        taken = [data.draw(st.integers(0, 3)) for _ in flying]
        readings.append(reading_of(data.draw(sums), flying, taken, drift))
    verdict = settle(readings)
    if verdict.differences:
        assert verdict.differences == drift
    # A drift equal to a batch in flight in the newest reading cannot be told from that batch: it is told later.
    if not readings[-1].in_flight:
        assert verdict.differences == drift


def test_one_reading_alone_never_makes_a_difference() -> None:
    verdict = settle([Reading({KEYS[0]: (1, 1)}, {})])
    assert not verdict.settled
    assert verdict.wrong


def test_a_table_that_is_empty_under_load_is_told_by_what_all_readings_allow() -> None:
    confirmed: dict[Key, Vector] = {KEYS[0]: (10, 7), KEYS[1]: (20, 9)}
    lost = {key: tuple(-value for value in vector) for key, vector in confirmed.items()}
    readings = []
    for number in range(READINGS):
        fresh: list[list[Sums]] = [[{KEYS[0]: (number + 1, 3 * number + 1)}], [{KEYS[1]: (2, number + 5)}]]
        readings.append(reading_of(confirmed, fresh, [number, 1], lost))
    assert settle(readings).differences == lost


def test_more_batches_in_flight_than_can_be_tried_settle_nothing() -> None:
    flying = tuple(tuple({KEYS[0]: (1, 1)} for _ in range(9)) for _ in range(9))
    assert not settle([Reading({}, {}, flying)] * READINGS).settled


@given(st.integers(-(2**63), 2**63 - 1))
def test_numbers_come_back_from_the_ring_with_their_sign(number: int) -> None:
    assert signed(number % 2**64) == number


def window_of(offsets: list[int], first: int, end: int) -> Window:
    return Window(
        0, first, end, len(offsets), sum(o - first for o in offsets), sum((o - first) ** 2 for o in offsets), 0
    )


@given(
    first=st.integers(0, 10**12),
    length=st.integers(1, 60),
    dropped=st.lists(st.integers(0, 59), max_size=2),
    doubled=st.lists(st.integers(0, 59), max_size=2),
)
def test_a_window_is_whole_only_if_every_offset_is_there_once(
    first: int, length: int, dropped: list[int], doubled: list[int]
) -> None:
    offsets = [first + i for i in range(length) if i not in dropped]
    offsets += [first + i for i in doubled if i < length]
    expected = sorted(offsets) == list(range(first, first + length))
    assert whole(window_of(offsets, first, first + length)) == expected


@given(present=st.sets(st.integers(0, 40)), end=st.integers(0, 40))
def test_missing_ranges_are_the_offsets_that_are_not_there(present: set[int], end: int) -> None:
    inside = sorted(offset for offset in present if offset < end)
    found = missing_ranges([(offset, offset) for offset in inside], 0, end)
    covered = {offset for low, high in found for offset in range(low, high + 1)}
    assert covered == set(range(end)) - present


def test_what_the_log_no_longer_holds_is_split_from_what_it_does() -> None:
    assert split_at([(0, 9), (20, 29), (40, 41)], 25) == ([(0, 9), (20, 24)], [(25, 29), (40, 41)])


@given(st.integers(0, 100), st.integers(0, 100), st.integers(1, 10))
def test_slices_cover_a_range_once_and_in_order(first: int, end: int, width: int) -> None:
    cut = list(spans(first, end, width))
    assert [offset for low, high in cut for offset in range(low, high)] == list(range(first, end))
