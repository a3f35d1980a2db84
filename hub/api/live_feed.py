"""One poller for all live streams: it reads boards and connectors, and streams ask for what changed.

A stream costs a cursor: items carry the number of their last change, a stream asks for what is above its
cursor. Numbers begin at the start time in milliseconds, so a cursor of an earlier process is always behind.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from starlette.concurrency import run_in_threadpool

from hub.api.connector_board import ConnectorBoard, ConnectorRow
from hub.kpi.period import Period
from hub.kpi.service import Board, KpiService, Tile

REST = timedelta(milliseconds=100)
"""After a look at the boards, or a quarter of what it took, if that is more: a busy machine gets some time without.
Then the next one begins as soon as a table was written to. With 200 ms 99 of 100 tiles had changed after 0.88 to 1.02 s
(three runs at 1,000 events/s), with 100 after 0.80 and 0.94."""

TICK = timedelta(milliseconds=500)
"""Between two looks at most: ages and states change without a write. A look takes 20 ms of processor time."""

HEARTBEAT = timedelta(seconds=5)
"""A stream says at least so often that it lives; a page that hears nothing for three of them says so."""

QUIET_REFRESH = timedelta(seconds=5)
"""After which ages are told anew though no figure changed."""

KEPT_TEXTS = 4096
"""Rendered changes kept: those of some tens of seconds, for streams that lag behind the others."""


Tell = Callable[[int, str, Any], str]
"""From a change's number, key and item to what a stream is told of it."""


@dataclass(frozen=True, slots=True)
class Topic:
    """What a stream watches: the board of a period, in a scope."""

    period: Period
    org: str | None


@dataclass(slots=True)
class _State:
    watchers: int = 0
    items: dict[str, tuple[int, Any]] = field(default_factory=dict)
    marks: dict[str, Hashable] = field(default_factory=dict)
    newest: int = 0
    told: dict[Hashable, tuple[int, str]] = field(default_factory=dict)
    """What streams were told since a cursor: most have the same one, and then one text is made for all of them."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def notify(self) -> None:
        """Wake whoever waits now; later waiters wait for the next change."""
        self.told.clear()
        woken, self.changed = self.changed, asyncio.Event()
        woken.set()


class LiveFeed:
    """Runs on one event loop. `start` and `stop` belong to the application's lifespan."""

    def __init__(self, service: KpiService, connectors: ConnectorBoard) -> None:
        self._service = service
        self._connectors = connectors
        self._states: dict[Topic, _State] = {}
        self._number = round(service.around.clock().timestamp() * 1000)
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._texts: OrderedDict[Hashable, str] = OrderedDict()
        self.closing = False

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="live-feed")

    def close(self) -> None:
        """Let every stream finish; a server that is asked to end calls it, or it would wait for them. Idempotent."""
        self.closing = True
        for state in self._states.values():
            state.notify()

    async def stop(self) -> None:
        """`close`, and end the poller; idempotent."""
        self.close()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def watch(self, topic: Topic) -> None:
        """Begin to poll `topic`; `leave` ends it."""
        self._states.setdefault(topic, _State()).watchers += 1
        self._wake.set()

    def leave(self, topic: Topic) -> None:
        state = self._states[topic]
        state.watchers -= 1
        if state.watchers == 0:
            del self._states[topic]

    async def told(
        self, topic: Topic, cursor: int, variant: Hashable, tell: Tell, timeout: timedelta = HEARTBEAT
    ) -> tuple[int, str]:
        """What changed after `cursor`, in order, as one text, and the cursor after it; no text and the same cursor
        after `timeout` without a change. `tell` makes the text of a change, once for all streams of a variant."""
        state = self._states[topic]
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout.total_seconds()):
                while not self.closing and state.newest <= cursor:
                    await state.changed.wait()
        if state.newest <= cursor:
            return cursor, ""
        asked = (cursor, variant)
        if asked not in state.told:
            changes = sorted((number, key, item) for key, (number, item) in state.items.items() if number > cursor)
            text = "".join(self._text(variant, tell, *change) for change in changes)
            state.told[asked] = state.newest, text
        return state.told[asked]

    def _text(self, variant: Hashable, tell: Tell, number: int, key: str, item: Any) -> str:
        known = (number, variant)
        if known not in self._texts:
            self._texts[known] = tell(number, key, item)
            while len(self._texts) > KEPT_TEXTS:
                self._texts.popitem(last=False)
        return self._texts[known]

    async def _run(self) -> None:
        clock = self._service.around.clock
        while True:
            began = clock()
            self._wake.clear()
            self._connectors.sample()
            if self._states:
                seen = await run_in_threadpool(self._service.versions, began)
                await asyncio.gather(*(self._look(topic, state, began) for topic, state in self._states.items()))
                woken = await self._woken(max(REST, (clock() - began) / 4))
                while not woken and clock() - began < TICK:
                    if seen != await run_in_threadpool(self._service.versions, clock()):
                        break
                    woken = await self._woken(REST)
            else:
                await self._woken(TICK)

    async def _woken(self, within: timedelta) -> bool:
        """Whether a new watcher came within so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()):
                return await self._wake.wait()
        return False

    async def _look(self, topic: Topic, state: _State, now: datetime) -> None:
        # Not what others were answered a moment ago: this is the pace at which figures reach the screens.
        board, rows = await run_in_threadpool(
            lambda: (self._service.board(topic.period, topic.org, now), self._connectors.rows(topic.org))
        )
        slow, before = now.timestamp() // QUIET_REFRESH.total_seconds(), state.newest
        self._note(state, "outage", board.outage, board.outage)
        for tile in board.tiles:
            self._note(state, f"kpi:{tile.answer.kpi.id}", tile, _tile_mark(tile, board, slow))
        for row in rows:
            self._note(state, f"connector:{row.feed.connector}", row, _row_mark(row, slow))
        if state.newest != before:
            state.notify()

    def _note(self, state: _State, key: str, item: Any, mark: Hashable) -> None:
        if key not in state.marks or state.marks[key] != mark:
            self._number += 1
            state.marks[key] = mark
            state.items[key] = (self._number, item)
            state.newest = self._number


def _tile_mark(tile: Tile, board: Board, slow: float) -> Hashable:
    """What makes a tile worth sending again; ages alone only now and then."""
    answer = tile.answer
    points = tuple(point.figures.value for point in tile.trend)
    return (answer.figures, answer.basis.as_of, answer.basis.stale, tile.today, points, board.outage, slow)


def _row_mark(row: ConnectorRow, slow: float) -> Hashable:
    calm = replace(row.freshness, age_s=None)
    return (calm, row.published, row.quarantined, row.lag, row.errors, row.events_per_second, slow)
