"""Places for batches: given in order, and resting after small batches while others wait."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.places import CROWD, LONGEST_REST_S, PATIENCE_S, WORTH_IT, Place, Places, rest_s


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("took_s", "records", "waiting", "longest_wait_s", "expected"),
    [
        (0.5, 0, CROWD, 0.0, 1.5),
        (0.5, WORTH_IT // 2, CROWD, 0.0, 0.75),
        (0.5, WORTH_IT, CROWD, 0.0, 0.0),
        (0.5, 2 * WORTH_IT, CROWD, 0.0, 0.0),
        (9.0, 0, CROWD, 0.0, LONGEST_REST_S),
        (0.5, 0, CROWD - 1, 0.0, 0.0),
        (0.5, 0, 0, 0.0, 0.0),
        (0.5, 0, CROWD, PATIENCE_S + 0.1, 0.0),
    ],
)
def test_a_place_rests_after_a_small_batch_while_several_wait_and_none_for_long(
    took_s: float, records: int, waiting: int, longest_wait_s: float, expected: float
) -> None:
    assert rest_s(took_s, records, waiting, longest_wait_s) == pytest.approx(expected)


@given(st.floats(0, 1e3), st.integers(0, 50_000), st.integers(0, 500), st.floats(0, 1e3))
def test_a_rest_is_never_negative_nor_longer_than_the_longest(
    took_s: float, records: int, waiting: int, longest_wait_s: float
) -> None:
    assert 0.0 <= rest_s(took_s, records, waiting, longest_wait_s) <= LONGEST_REST_S


async def waiting(places: Places, count: int) -> list[asyncio.Task[None]]:
    """So many tasks that wait for a place."""
    tasks = [asyncio.create_task(Place(places).enter()) for _ in range(count)]
    while places.waiting < count:
        await asyncio.sleep(0)
    return tasks


async def given_at_once(task: asyncio.Task[None]) -> bool:
    for _ in range(5):
        await asyncio.sleep(0)
    return task.done()


async def left(clock: Clock, places: Places, place: Place, took_s: float, records: int) -> None:
    """The batch in `place` is done."""
    clock.now += took_s
    place.records = records
    await place.__aexit__()


async def test_the_place_of_a_small_batch_is_given_after_its_rest_when_a_crowd_waits() -> None:
    clock = Clock()
    places = Places(1, clock)
    place = Place(places, clock)
    await place.enter()
    first, *others = await waiting(places, CROWD)
    await left(clock, places, place, 0.02, 10)
    assert not await given_at_once(first)
    async with asyncio.timeout(10):
        await first
    assert not any(task.done() for task in others)
    for task in others:
        task.cancel()


@pytest.mark.parametrize(
    ("waiters", "records", "took_s"), [(CROWD - 1, 10, 1.0), (CROWD, WORTH_IT, 1.0), (CROWD, 10, PATIENCE_S + 1)]
)
async def test_it_is_given_at_once_to_one_of_few_after_a_large_batch_or_to_one_who_waits_for_long(
    waiters: int, records: int, took_s: float
) -> None:
    clock = Clock()
    places = Places(1, clock)
    place = Place(places, clock)
    await place.enter()
    tasks = await waiting(places, waiters)
    await left(clock, places, place, took_s, records)
    assert await given_at_once(tasks[0])
    for task in tasks:
        task.cancel()


async def test_a_place_left_by_a_batch_that_goes_on_later_does_not_rest() -> None:
    clock = Clock()
    places = Places(1, clock)
    place = Place(places, clock)
    await place.enter()
    tasks = await waiting(places, CROWD)
    clock.now += 1.0
    place.leave()
    assert await given_at_once(tasks[0])
    for task in tasks:
        task.cancel()


async def test_whoever_gives_up_waiting_is_not_counted() -> None:
    places = Places(1)
    await Place(places).enter()
    tasks = await waiting(places, 3)
    tasks[1].cancel()
    await asyncio.gather(tasks[1], return_exceptions=True)
    assert places.waiting == 2
    for task in tasks:
        task.cancel()
