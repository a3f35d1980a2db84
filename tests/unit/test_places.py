"""Places for batches: given in order, small batches one after the other, full ones beside each other."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from streams import places as module
from streams.places import ALONE_S, MOST_BYTES, MOST_TOGETHER, WORTH_IT, Nothing, Place, Places

FULL = WORTH_IT


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Batch:
    """Waits for a place with so many records, and works until it is told to end."""

    def __init__(self, places: Places, records: int, topic: str = "", size: int = 0) -> None:
        self.queue = Nothing(records, size)
        self.place = Place(places, self.queue, topic)
        self.begun = False
        self._end = asyncio.Event()
        self.task = asyncio.create_task(self._work())

    async def _work(self) -> None:
        async with self.place:
            self.begun = True
            await self._end.wait()

    async def end(self) -> None:
        self._end.set()
        await self.task
        await settled()


async def settled() -> None:
    """Everything that can happen by now has happened."""
    for _ in range(8):
        await asyncio.sleep(0)


@asynccontextmanager
async def batches(places: Places, *records: int) -> AsyncIterator[list[Batch]]:
    """These, asking in order."""
    asked = [Batch(places, number) for number in records]
    await settled()
    try:
        yield asked
    finally:
        for batch in asked:
            batch.task.cancel()
        await asyncio.gather(*(batch.task for batch in asked), return_exceptions=True)


def begun(asked: list[Batch]) -> list[bool]:
    return [batch.begun for batch in asked]


async def test_small_batches_are_worked_on_one_after_the_other_in_the_order_of_asking() -> None:
    async with batches(Places(3, Clock()), 10, 10, 10) as asked:
        assert begun(asked) == [True, False, False]
        await asked[0].end()
        assert begun(asked) == [True, True, False]
        await asked[1].end()
        assert begun(asked) == [True, True, True]


async def test_small_batches_of_one_topic_that_wait_get_one_place_together_and_leave_it_together() -> None:
    places = Places(3, Clock())
    async with batches(places, 10) as (first,):
        others = [Batch(places, 10, topic) for topic in ("a", "b", "a", "", "")]
        await settled()
        assert begun(others) == [False] * 5
        await first.end()
        assert begun(others) == [True, False, True, False, False]
        assert others[0].place.company is others[2].place.company
        await others[0].end()
        assert begun(others) == [True, False, True, False, False], "one of them is at work yet"
        await others[2].end()
        assert begun(others) == [True, True, True, False, False], "who belongs to no topic goes alone"
        await others[1].end()
        await others[3].end()
        await others[4].end()


async def test_who_has_just_been_worked_on_and_has_more_goes_with_those_that_waited() -> None:
    places = Places(3, Clock())
    companies = []

    async def work(rounds: int) -> None:
        for _ in range(rounds):
            async with Place(places, Nothing(10), "a") as place:
                companies.append(len(place.company.present))
                await asyncio.sleep(0)

    await asyncio.gather(work(3), work(2), work(2))
    assert sorted(companies) == [1, 3, 3, 3, 3, 3, 3]


@pytest.mark.parametrize(
    ("records", "size", "number", "together"),
    [(1, 1, 20, MOST_TOGETHER), (WORTH_IT - 1, 1, 5, 2), (1, MOST_BYTES // 4, 20, 4)],
    ids=["by number", "by records", "by memory"],
)
async def test_what_goes_together_is_bounded(records: int, size: int, number: int, together: int) -> None:
    places = Places(3, Clock())
    async with batches(places, 10) as (first,):
        others = [Batch(places, records, "a", size) for _ in range(number)]
        await settled()
        await first.end()
        assert sum(begun(others)) == together
        for batch in others:
            batch.task.cancel()
        await asyncio.gather(*(batch.task for batch in others), return_exceptions=True)


async def test_full_batches_are_worked_on_beside_each_other_and_beside_a_small_one() -> None:
    async with batches(Places(3, Clock()), FULL, 10, 10, FULL, FULL) as asked:
        assert begun(asked) == [True, True, False, True, False], "who may not begin yet holds up nobody"
        await asked[1].end()
        assert begun(asked) == [True, True, True, True, False]
        await asked[0].end()
        assert begun(asked) == [True] * 5


async def test_a_batch_that_has_grown_while_it_waited_is_no_small_one() -> None:
    async with batches(Places(3, Clock()), 10, FULL - 1, FULL, FULL) as asked:
        assert begun(asked) == [True, False, True, True]
        asked[1].queue.records += 1
        await asked[2].end()
        assert begun(asked) == [True] * 4


async def test_a_small_batch_that_is_stuck_stops_the_others_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MARGIN_S", 0.0)
    monkeypatch.setattr(module, "ALONE_S", 0.02)
    async with batches(Places(3), 10, 10, 10, 10) as asked:
        assert begun(asked) == [True, False, False, False]
        async with asyncio.timeout(10):
            while not asked[2].begun:
                await asyncio.sleep(0.005)
        assert begun(asked) == [True, True, True, False], "and never more than there are places"


async def test_the_next_small_batch_waits_as_long_as_is_said() -> None:
    clock = Clock()
    places = Places(3, clock)
    async with batches(places, 10, 10) as asked:
        clock.now += ALONE_S - 0.001
        async with batches(places, FULL):  # someone asks: it is looked at
            assert begun(asked) == [True, False]
        clock.now += 0.001
        async with batches(places, FULL):
            assert begun(asked) == [True, True]


async def test_a_place_left_by_a_batch_that_goes_on_later_is_given_to_others() -> None:
    places = Places(1)
    place = Place(places)
    await place.enter()
    async with batches(places, 10) as asked:
        assert begun(asked) == [False]
        place.leave()
        place.leave()
        await settled()
        assert begun(asked) == [True]
        again = asyncio.create_task(place.enter())
        await settled()
        assert not again.done()
        await asked[0].end()
        await again


async def test_whoever_gives_up_waiting_is_not_counted_nor_given_a_place() -> None:
    places = Places(1)
    await Place(places).enter()
    async with batches(places, 10, 10, 10) as asked:
        asked[0].task.cancel()
        await settled()
        assert places.waiting == 2


async def test_a_place_given_to_one_who_gives_up_at_that_moment_is_given_to_the_next() -> None:
    places = Places(1)
    first = Place(places)
    await first.enter()
    async with batches(places, 10, 10) as asked:
        first.leave()
        asked[0].task.cancel()
        await settled()
        assert begun(asked) == [False, True]


async def test_all_get_their_turn_and_no_more_than_there_are_places_at_once() -> None:
    dice = random.Random(4)
    places, inside, most = Places(3, Clock()), {True: 0, False: 0}, [0, 0]

    async def work(records: int) -> None:
        small = records < WORTH_IT
        async with Place(places, Nothing(records)):
            inside[small] += 1
            most[:] = max(most[0], sum(inside.values())), max(most[1], inside[True])
            try:
                for _ in range(dice.randrange(4)):
                    await asyncio.sleep(0)
            finally:
                inside[small] -= 1

    tasks = [asyncio.create_task(work(dice.choice((5, FULL)))) for _ in range(300)]
    for task in dice.sample(tasks, 40):
        await asyncio.sleep(0)
        task.cancel()
    async with asyncio.timeout(20):
        await asyncio.gather(*tasks, return_exceptions=True)
    assert most == [3, 1]
    assert not places._taken
    assert places.waiting == 0
