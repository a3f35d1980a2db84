"""How figures reach the screens: as soon as something is written, at a pace that leaves a busy warehouse some time.

Nothing here waits: where the loop would, the clock jumps.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from hub.api import live_feed
from hub.api.live_feed import HEARTBEAT, REST, TICK, LiveFeed, Topic
from hub.kpi.board import Board
from hub.kpi.period import Period
from hub.kpi.reader import Outage

START = datetime(2026, 11, 20, 3, 0, 0, tzinfo=UTC)
YEAR = Topic(Period(date(2026, 1, 1), date(2026, 11, 20)), None)
TODAY = Topic(Period(date(2026, 11, 20), date(2026, 11, 20)), "H53.14")
LEAST = timedelta(milliseconds=1)


@dataclass
class World:
    """A warehouse that is written to at the moments of `writes`, and answers a look after `takes`."""

    takes: timedelta = timedelta(milliseconds=20)
    writes: list[timedelta] = field(default_factory=list)
    now: datetime = START
    looks: list[tuple[timedelta, Topic]] = field(default_factory=list)
    outage: Outage | None = None

    @property
    def around(self) -> Any:
        return SimpleNamespace(clock=lambda: self.now)

    def since_start(self) -> timedelta:
        return self.now - START

    def versions(self, since: datetime) -> int:
        return sum(at <= self.since_start() for at in self.writes)

    def board(self, period: Period, org: str | None, since: datetime) -> Board:
        self.looks.append((since - START, Topic(period, org)))
        self.now += self.takes
        return Board(period, (), self.outage)

    def sample(self) -> None:
        """Of the connectors: nothing."""

    def rows(self, org: str | None) -> list[Any]:
        return []

    def began(self) -> list[timedelta]:
        return [at for at, _ in self.looks]


class Jumping(selectors.SelectSelector):
    """Instead of waiting it moves the clock on."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(0)
        if not found and timeout:
            self._world.now += timedelta(seconds=timeout)
        return found


async def _here(call: Callable[..., Any], *arguments: Any) -> Any:
    return call(*arguments)


def run(world: World, scenario: Callable[[LiveFeed], Awaitable[None]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_feed, "run_in_threadpool", _here)

    def loop() -> asyncio.AbstractEventLoop:
        made = asyncio.SelectorEventLoop(Jumping(world))
        made.time = lambda: world.since_start().total_seconds()  # type: ignore[method-assign]
        return made

    async def whole() -> None:
        feed = LiveFeed(world, world)  # type: ignore[arg-type]
        feed.start()
        await scenario(feed)
        await feed.stop()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(whole())


async def a_while(feed: LiveFeed, seconds: float = 10.0) -> None:
    await asyncio.sleep(seconds)


async def watched(feed: LiveFeed) -> None:
    feed.watch(YEAR)
    await a_while(feed)


def between(moments: list[timedelta]) -> list[timedelta]:
    return [later - earlier for earlier, later in pairwise(moments)]


def test_what_is_written_is_looked_at_after_a_rest_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    writes = [timedelta(seconds=number * 0.613 + 1) for number in range(12)]
    world = World(writes=writes)
    run(world, watched, monkeypatch)
    for write in writes:
        after = next(at for at in world.began() if at >= write)
        assert after - write <= REST + world.takes + LEAST, write


def test_without_a_write_ages_are_looked_at_once_a_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    run(world, watched, monkeypatch)
    assert len(world.looks) >= 15
    assert all(TICK - LEAST <= pause <= TICK + REST + LEAST for pause in between(world.began()))


def test_a_busy_warehouse_gets_a_quarter_of_what_a_look_took_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    # Written to all the time: there is always something new to look at.
    world = World(takes=timedelta(seconds=2), writes=[timedelta(milliseconds=10 * number) for number in range(2000)])
    run(world, watched, monkeypatch)
    assert len(world.looks) >= 4
    assert all(pause >= world.takes * 1.25 - LEAST for pause in between(world.began()))
    assert all(pause <= world.takes * 1.25 + REST + LEAST for pause in between(world.began())), "and no more than that"


def test_who_begins_to_watch_does_not_wait_for_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()

    async def scenario(feed: LiveFeed) -> None:
        await a_while(feed, 3.21)
        assert not world.looks, "nobody watches: nothing is asked"
        feed.watch(YEAR)
        await a_while(feed, 3.21)
        feed.watch(TODAY)
        await a_while(feed, 1)
        feed.leave(YEAR)
        feed.leave(TODAY)
        left = len(world.looks)
        await a_while(feed, 3)
        assert len(world.looks) <= left + 2, "the last look was under way"

    run(world, scenario, monkeypatch)
    assert world.looks[0][0] - timedelta(seconds=3.21) <= LEAST
    first_of_today = next(at for at, topic in world.looks if topic == TODAY)
    assert first_of_today - timedelta(seconds=6.42) <= world.takes + LEAST
    assert first_of_today in [at for at, topic in world.looks if topic == YEAR], "one look for all topics"


def test_a_stream_hears_of_an_outage_soon_and_else_only_that_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    told: list[tuple[timedelta, str]] = []

    async def scenario(feed: LiveFeed) -> None:
        feed.watch(YEAR)
        cursor = 0

        async def listen() -> None:
            nonlocal cursor
            while True:
                before = cursor
                cursor, text = await feed.told(YEAR, cursor, "v", lambda number, key, item: f"{key}={item}\n")
                told.append((world.since_start(), text))
                assert (cursor > before) == bool(text)

        listening = asyncio.create_task(listen())
        await a_while(feed, 12)
        world.outage = Outage(world.now, "no_connection")
        await a_while(feed, 4)
        listening.cancel()

    run(world, scenario, monkeypatch)
    spoken = [(at, text) for at, text in told if text]
    assert [text.split("=")[0] for _, text in spoken] == ["outage", "outage"], "as it was first, and when it changed"
    assert "no_connection" in spoken[1][1]
    assert spoken[1][0] - timedelta(seconds=12) <= TICK + REST + world.takes
    quiet = between([at for at, _ in told])
    assert max(quiet) <= HEARTBEAT + LEAST, "a stream says that it lives"
