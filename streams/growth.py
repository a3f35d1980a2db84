"""A topic that got more partitions: its new ones wait until the old ones have nothing left of what was before.

An entity may have moved: its older records lie in an old partition and its newer ones in a new one. If both were
processed at once, both would take back the same state. `ioc topics grow` adds partitions while nothing is on its way,
and then nobody waits. When another tool adds them, publishers may go on for a while as if there were none; so the
ends of the old partitions are read only after a time in which publishers look the number up anew.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import structlog

from schemas.contract import Contract
from streams.intent import Written
from streams.lives import FewerPartitionsError, Life, LifeBook, Standing
from streams.topic_ids import Topic
from streams.warehouse.client import Warehouse

log = structlog.get_logger()

LOOK_AGAIN_S = 0.5

SAY_AGAIN_S = 30.0
"""A wait that lasts is said again after so long."""


def not_passed(ends: Mapping[int, int], written: Mapping[int, int]) -> dict[int, int]:
    """Records that old partitions still have before their ends, of those that have any. `written`: the next offset
    that the warehouse does not have yet."""
    return {number: end - written.get(number, 0) for number, end in ends.items() if written.get(number, 0) < end}


class TopicLives:
    """The life of one entity's topic, asked at each take-over."""

    def __init__(
        self,
        warehouse: Warehouse,
        contract: Contract,
        written: Callable[[str, int], Written],
        settle: timedelta,
    ) -> None:
        """`written`: of a topic id and partition; blocks. `settle`: how long publishers may not know of partitions
        that were added."""
        self._topic = contract.topic
        self._book = LifeBook(warehouse, contract)
        self._written = written
        self._settle_s = settle.total_seconds()

    async def standing(self, ask: Callable[[bool], Awaitable[Topic]], highest: int) -> Standing:
        """What the partitions may do now. `ask(again)` asks the cluster; `highest`: the last partition assigned.
        Waits while the cluster's answer is of the past."""
        again = False
        while True:
            topic = await ask(again)
            try:
                if topic.partitions <= highest:
                    raise FewerPartitionsError(f"{topic.partitions} partitions are told, number {highest} was assigned")
                return await asyncio.to_thread(self._book.standing, topic.id, topic.partitions)
            except FewerPartitionsError as error:
                log.warning("fewer_partitions_told", topic=self._topic, error=str(error))
                again = True
                await asyncio.sleep(LOOK_AGAIN_S)

    async def begin_next(self, stands: Standing, end: Callable[[str, int], Awaitable[int]]) -> Life:
        """Wait until the old partitions have passed the ends they had when publishers knew of the new ones, and begin
        the life of these; returns at once when another worker has. `end`: of a topic's partition."""
        assert stands.next is not None
        old = range(stands.life.partitions)
        settled_at = time.monotonic() + self._settle_s
        said_at = float("-inf")
        ends: dict[int, int] | None = None
        while not await self._has_begun(stands.next):
            now = time.monotonic()
            if ends is None and now >= settled_at and not stands.shuffled:
                ends = {number: await end(self._topic, number) for number in old}
            left = not_passed(ends, await self._ends_written(stands.life, old)) if ends is not None else {}
            if ends is not None and not left:
                await asyncio.to_thread(self._book.begin, stands.next)
                log.info("new_partitions_begin", topic=self._topic, were=len(old), are=stands.next.partitions)
                break
            if now - said_at >= SAY_AGAIN_S:
                said_at = now
                self._say_that_it_waits(stands, None if ends is None else sum(left.values()))
            await asyncio.sleep(LOOK_AGAIN_S)
        return stands.next

    async def _has_begun(self, life: Life) -> bool:
        now = await asyncio.to_thread(self._book.standing, life.topic_id, life.partitions)
        return now.next is None

    async def _ends_written(self, life: Life, numbers: range) -> dict[int, int]:
        return {number: (await asyncio.to_thread(self._written, life.topic_id, number)).end for number in numbers}

    def _say_that_it_waits(self, stands: Standing, records_left: int | None) -> None:
        assert stands.next is not None
        what = {"topic": self._topic, "were": stands.life.partitions, "are": stands.next.partitions}
        if stands.shuffled:
            command = f"ioc topics grow {self._topic} --partitions {stands.next.partitions} --without-drain"
            log.error("partitions_shuffled", **what, cure=f"`{command}`, then `ioc audit`")
        else:
            cure = "none needed; `ioc topics grow` adds partitions without this wait"
            log.warning("new_partitions_wait", **what, records_left=records_left, cure=cure)
