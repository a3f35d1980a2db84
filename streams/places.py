"""The batches that are worked on at once: so many places. Small batches of one topic share one, and go one after the
other with those of other topics.

An insert costs the warehouse some 40 ms of processor time, however few rows it brings: 5 ms for each view, most of it
planning. Small batches side by side only take longer each, while one after the other they grow: what arrives
meanwhile joins the batches of those that wait. And what waits of one topic's partitions goes together, as one block
(`streams.joint_batch`). Full batches are worked on beside each other: one is computed while the warehouse inserts the
others.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from streams.company import Company
from streams.records import MAX_BATCH_RECORDS
from streams.turns import Turns

BATCHES_AT_ONCE = 3
"""Places: one batch decodes while the warehouse inserts the others."""

WORTH_IT = 20_000
"""Records of a batch whose fixed cost is small beside its rows: half of the largest."""

MOST_TOGETHER = 8
"""Small batches of one block. What a commit says of each is 28 bytes, of the few hundred that are left beside the
schemas that a batch may do without."""

MOST_BYTES = 16 * 1024 * 1024
"""Of memory of what waits for one block."""

ALONE_S = 1.0
"""How long a small batch holds up other small ones at most: one that is stuck does not stop them."""

MARGIN_S = 0.01
"""A timer may come a little early."""


class Queue(Protocol):
    """Records that wait for a place: their number, and their bytes of memory."""

    @property
    def records(self) -> int: ...

    @property
    def size(self) -> int: ...


@dataclass(slots=True)
class Nothing:
    """A queue of nothing."""

    records: int = 0
    size: int = 0


class Places:
    """`count` places, given in the order of asking, but for small batches that wait for one another. `monotonic` is a
    clock in seconds. `computing`: see `EntitySink`. On one event loop."""

    def __init__(self, count: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.computing = threading.Lock()
        self.turns = Turns(monotonic)
        self._count = count
        self._monotonic = monotonic
        self._small: dict[Company[Place], float] = {}
        self._taken: set[Company[Place]] = set()
        self._waiting: dict[Place, asyncio.Future[None]] = {}
        self._giving: asyncio.Handle | None = None

    async def take(self, place: Place) -> None:
        """Wait for a place, and for company: `place.company`."""
        turn = self._waiting[place] = asyncio.get_running_loop().create_future()
        self._give_soon()
        try:
            await turn
        except asyncio.CancelledError:
            if self._waiting.pop(place, None) is None:
                self.give_back(place)
            raise

    def give_back(self, place: Place) -> None:
        """The place is free, once all have left it."""
        company = place.company
        company.leave(place)
        if not company.present:
            self._taken.discard(company)
            self._small.pop(company, None)
            self.turns.end()
            self._give_soon()

    def _give_soon(self) -> None:
        """Once those that have just been worked on are there again, if more has arrived for them."""
        if self._giving is None:
            self._giving = asyncio.get_running_loop().call_soon(self._give)

    def _give(self) -> None:
        """Places to those whose turn it is."""
        self._giving = None
        for place, turn in list(self._waiting.items()):
            if self.full():
                return
            small = place.small
            if turn.done() or place not in self._waiting or (small and self._held_up()):
                continue
            company = Company(self._together(place) if small else [place])
            self._taken.add(company)
            if small:
                self._small[company] = self._monotonic()
                asyncio.get_running_loop().call_later(ALONE_S + MARGIN_S, self._give_soon)
            light = sum(member.queue.records for member in company.present) < WORTH_IT
            if light and len(self._taken) == 1:
                self.turns.begin()
            else:
                self.turns.disturb()
            for member in company.present:
                member.company = company
                self._waiting.pop(member).set_result(None)

    def _together(self, first: Place) -> list[Place]:
        """The small batches of this one's topic that wait."""
        found, records, size = [first], first.queue.records, first.queue.size
        for place, turn in self._waiting.items():
            if place is first or not place.topic or place.topic != first.topic or not place.small or turn.done():
                continue
            records, size = records + place.queue.records, size + place.queue.size
            if records > MAX_BATCH_RECORDS or size > MOST_BYTES or len(found) == MOST_TOGETHER:
                break
            found.append(place)
        return found

    def _held_up(self) -> bool:
        """Whether a small batch is worked on, and not for long."""
        now = self._monotonic()
        return any(now - since < ALONE_S for since in self._small.values())

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    def full(self) -> bool:
        """Whether all places are taken."""
        return len(self._taken) >= self._count


class Place:
    """One batch's place: entered, left while the batch waits, entered again. Without `places` there is no limit.
    `queue`: what waits for it. `topic`: whose small batches go together; none does if it is empty."""

    def __init__(self, places: Places | None = None, queue: Queue | None = None, topic: str = "") -> None:
        self._places = places
        self._inside = False
        self.queue = queue or Nothing()
        self.topic = topic
        self.company: Company[Place] = Company([self])

    @property
    def small(self) -> bool:
        return self.queue.records < WORTH_IT

    async def enter(self) -> None:
        if self._places is not None and not self._inside:
            await self._places.take(self)
            self._inside = True

    async def enter_alone(self) -> None:
        """Again, for a batch that was begun."""
        self.topic = ""
        await self.enter()

    def leave(self) -> None:
        """Leave it to others."""
        if self._places is not None and self._inside:
            self._inside = False
            self._places.give_back(self)

    async def __aenter__(self) -> Place:
        await self.enter()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.leave()
