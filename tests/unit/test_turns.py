"""While a small batch is worked on, nothing is fetched until its end is near – and only then."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from streams.fetch_pacing import SHORT_WAIT_MS, pace_fetches
from streams.places import WORTH_IT, Nothing, Place, Places
from streams.turns import LONGEST_S, REMEMBERED, SHARE, Turns


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def turn(turns: Turns, clock: Clock, seconds: float) -> None:
    turns.begin()
    clock.now += seconds
    turns.end()


def used_to(seconds: float) -> tuple[Turns, Clock]:
    clock = Clock()
    turns = Turns(clock)
    for _ in range(REMEMBERED):
        turn(turns, clock, seconds)
    return turns, clock


def test_a_share_of_the_shortest_turn_goes_by_without_a_fetch() -> None:
    turns, clock = used_to(0.08)
    turn(turns, clock, 0.05)
    turns.begin()
    assert turns.put_off_s() == pytest.approx(SHARE * 0.05)
    clock.now += 0.03
    assert turns.put_off_s() == pytest.approx(SHARE * 0.05 - 0.03)
    clock.now += 0.03
    assert turns.put_off_s() == 0


def test_no_fetch_is_put_off_before_it_is_known_how_long_a_turn_takes() -> None:
    clock = Clock()
    turns = Turns(clock)
    for _ in range(REMEMBERED):
        turns.begin()
        assert turns.put_off_s() == 0
        clock.now += 0.08
        turns.end()
    turns.begin()
    assert turns.put_off_s() > 0


def test_no_fetch_is_put_off_between_turns_nor_beside_other_work() -> None:
    turns, _ = used_to(0.08)
    assert turns.put_off_s() == 0
    turns.begin()
    turns.disturb()
    assert turns.put_off_s() == 0
    turns.begin()
    turns.end()
    assert turns.put_off_s() == 0


def test_a_turn_that_was_not_alone_tells_nothing_of_how_long_one_takes() -> None:
    turns, clock = used_to(0.08)
    turns.begin()
    clock.now += 0.001
    turns.disturb()
    turns.end()
    turns.begin()
    assert turns.put_off_s() == pytest.approx(SHARE * 0.08)


def test_a_slow_warehouse_holds_fetches_up_for_a_moment_only() -> None:
    turns, _ = used_to(3.0)
    turns.begin()
    assert turns.put_off_s() == pytest.approx(LONGEST_S)


async def placed(places: Places, records: int, clock: Clock, seconds: float) -> float:
    """Work on a batch of so many records; for how long fetches were put off when it was begun."""
    async with Place(places, Nothing(records), "topic"):
        put_off = places.turns.put_off_s()
        clock.now += seconds
    await asyncio.sleep(0)
    return put_off


async def test_small_batches_alone_hold_fetches_and_large_ones_or_two_at_once_do_not() -> None:
    clock = Clock()
    places = Places(3, clock)
    for _ in range(REMEMBERED):
        assert await placed(places, 10, clock, 0.08) == 0
    assert await placed(places, 10, clock, 0.08) == pytest.approx(SHARE * 0.08)
    assert await placed(places, WORTH_IT, clock, 0.5) == 0, "a backlog: the next is read beside it"
    async with Place(places, Nothing(WORTH_IT), "another"):
        assert await placed(places, 10, clock, 0.001) == 0, "the next of the other is read beside it"
    assert await placed(places, 10, clock, 0.08) == pytest.approx(SHARE * 0.08), "none of them was a turn"


async def test_partitions_of_a_backlog_that_go_together_hold_no_fetches() -> None:
    clock = Clock()
    places = Places(3, clock)
    for _ in range(REMEMBERED):
        await placed(places, 10, clock, 0.08)
    half = [Place(places, Nothing(WORTH_IT // 2), "topic") for _ in range(2)]
    await asyncio.gather(*(place.enter() for place in half))
    assert half[0].company is half[1].company
    assert places.turns.put_off_s() == 0
    for place in half:
        place.leave()


class Fetcher:
    """As much of aiokafka's as is paced."""

    def __init__(self) -> None:
        self._fetch_max_wait_ms = 0
        self.asked: list[Any] = []

    async def _proc_fetch_request(self, assignment: Any, node: Any, request: Any) -> bool:
        self.asked.append(request)
        return True


async def test_a_fetch_is_asked_once_it_is_put_off_no_longer() -> None:
    fetcher = Fetcher()
    pace_fetches(fetcher, lambda: 0.02)
    asked = asyncio.create_task(fetcher._proc_fetch_request(None, 1, "request"))
    await asyncio.sleep(0)
    assert not fetcher.asked
    assert await asked
    assert fetcher.asked == ["request"]
    assert fetcher._fetch_max_wait_ms == SHORT_WAIT_MS


async def test_a_fetch_put_off_that_is_given_up_answers_that_it_found_nothing() -> None:
    fetcher = Fetcher()
    pace_fetches(fetcher, lambda: 60.0)
    asked = asyncio.create_task(fetcher._proc_fetch_request(None, 1, "request"))
    await asyncio.sleep(0)
    asked.cancel()
    assert await asked is False
    assert not fetcher.asked
