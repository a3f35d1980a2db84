"""`ioc topics grow`: more partitions for a topic, with every entity's records in order.

1 hold     publishers of the topic stop: pollers wait, pushes are answered 503 with `Retry-After`
2 drain    until nothing arrives any more, everything is committed, and everything is in the warehouse
3 alter    add the partitions; a key may now belong to another one
4 begin    put the topic's new life on record, so that versions go on growing and states are found in all partitions
5 reassign the workers see the new partitions and take them over
6 resume   publishers go on, and count the partitions anew

The hold ends by itself if this process dies, and running it again goes on from where it was. If it dies between 3 and
4, or somebody writes in spite of the hold, the workers let the new partitions wait (`streams.growth`).
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from connectors.clock import now_ms
from connectors.holds import HOLD_MS, Hold, hold_key
from hub.group_lag import lag
from hub.language import t
from hub.topics import PartitionLag, TopicsError, add_partitions, partition_count, topic_identity
from schemas.contract import Contract
from streams.lives import Life, LifeBook
from streams.store import EntityStore
from streams.warehouse.client import Warehouse

RENEW_S = HOLD_MS / 1000 / 6
QUIET_S = 2.0
"""Ends that do not move for so long: publishers have heard of the hold, and what they had sent has arrived."""
POLL_S = 0.25
REASSIGN_S = 60.0
"""The longest wait for workers to take the new partitions over; they look every 10 s."""


class GrowthRefusedError(Exception):
    """The topic is as it was, and publishers go on; the message says why and what to do."""


class Statuses(Protocol):
    """The status topic, where holds live."""

    async def put(self, key: str, value: bytes | None) -> None: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a growth looks at and writes. `lag` and `written` block; `written` gives the next offset that the warehouse
    does not have of a topic id's partition; `owners` the partitions whose fence is in a life."""

    bootstrap: str
    statuses: Statuses
    lives: LifeBook
    lag: Callable[[], list[PartitionLag]]
    written: Callable[[str, int], int]
    owners: Callable[[int], set[int]]
    say: Callable[[str], None]


def surroundings(
    bootstrap: str,
    group: str,
    statuses: Statuses,
    warehouse: Warehouse,
    contract: Contract,
    say: Callable[[str], None],
) -> Surroundings:
    """Those of one entity's topic and the consumer group that processes it."""
    store = EntityStore(warehouse, contract)

    def owners(life: int) -> set[int]:
        rows = warehouse.rows(f"SELECT partition FROM {contract.fence_table} WHERE life = {life}")
        return {int(row[0]) for row in rows}

    return Surroundings(
        bootstrap,
        statuses,
        LifeBook(warehouse, contract),
        lambda: lag(bootstrap, group, [contract.topic]),
        lambda topic_id, partition: store.written(topic_id, partition).end,
        owners,
        say,
    )


@dataclass(frozen=True, slots=True)
class Grown:
    """What came of it. `reassigned`: workers have taken the new partitions over; `in_order`: nothing was written
    between the drain and the new partitions, so that nobody has to wait."""

    partitions: int
    reassigned: bool
    in_order: bool


@contextlib.asynccontextmanager
async def held(statuses: Statuses, topic: str) -> AsyncIterator[Callable[[], bool]]:
    """Hold the topic, renewing; gives a question whether the hold has lasted all the time."""
    by = f"{socket.gethostname()}:{os.getpid()}"
    renewed_at = time.monotonic()
    lasted = True

    async def put() -> None:
        nonlocal renewed_at, lasted
        await statuses.put(hold_key(topic), Hold(topic, now_ms() + HOLD_MS, by).to_json())
        lasted = lasted and time.monotonic() - renewed_at < HOLD_MS / 1000
        renewed_at = time.monotonic()

    async def renew() -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            await put()

    await put()
    renewing = asyncio.create_task(renew(), name=f"hold {topic}")
    try:
        yield lambda: lasted and time.monotonic() - renewed_at < HOLD_MS / 1000 and not renewing.done()
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        await statuses.put(hold_key(topic), None)


async def grow(around: Surroundings, topic: str, partitions: int, within_s: float, drain: bool = True) -> Grown:
    """Bring the topic to so many partitions. Raises `GrowthRefusedError`, or `TopicsError` if Kafka does not answer.

    `drain` False: for partitions that another tool has added; what waits in them is taken up at once, and entities
    whose records wait in two partitions may be counted wrongly until `ioc audit --heal`.
    """
    life, new_from = await _next_life(around, topic, partitions)
    async with held(around.statuses, topic) as lasts:
        around.say(t(f"Tạm dừng ghi vào {topic}; chờ xử lý hết", f"{topic} is held; waiting until all is processed"))
        drained = await _drain(around, topic, life.topic_id, within_s) if drain else await _ends(around)
        if not lasts():
            raise GrowthRefusedError(
                t("Lệnh tạm dừng đã hết hạn giữa chừng; hãy chạy lại", "The hold ran out; run again")
            )
        if await asyncio.to_thread(partition_count, around.bootstrap, topic) != partitions:
            await asyncio.to_thread(add_partitions, around.bootstrap, topic, partitions)
        await _until_told(around.bootstrap, topic, partitions)
        ends = await _ends(around)
        in_order = lasts() and all(ends.get(number) == end for number, end in drained.items())
        if in_order or not drain:
            await asyncio.to_thread(around.lives.begin, life)
        around.say(t("Chờ bộ xử lý nhận phân vùng mới", "Waiting for workers to take the new partitions over"))
        reassigned = (in_order or not drain) and await _reassigned(around, life, set(range(new_from, partitions)))
    return Grown(partitions, reassigned, in_order)


async def _next_life(around: Surroundings, topic: str, partitions: int) -> tuple[Life, int]:
    """The life that the growth begins, and the first new partition; refuses what cannot be."""
    count = await asyncio.to_thread(partition_count, around.bootstrap, topic)
    if count is None:
        raise GrowthRefusedError(t(f"Không có chủ đề {topic}", f"There is no topic {topic}"))
    identity = await asyncio.to_thread(topic_identity, around.bootstrap, topic)
    stands = await asyncio.to_thread(around.lives.standing, identity, count)
    if partitions < count:
        raise GrowthRefusedError(
            t(
                f"{topic} đã có {count} phân vùng; Kafka không thể bớt xuống {partitions}",
                f"{topic} has {count} partitions already; Kafka cannot take any away to make {partitions}",
            )
        )
    if stands.next is not None:
        # Added by another tool, or by a growth that was interrupted.
        return dataclasses.replace(stands.next, partitions=partitions), stands.life.partitions
    if partitions == count:
        raise GrowthRefusedError(
            t(f"{topic} đã có đúng {count} phân vùng", f"{topic} has {count} partitions already: nothing to do")
        )
    return Life(stands.life.number + 1, identity, partitions), count


async def _ends(around: Surroundings) -> dict[int, int]:
    return {item.partition: item.end for item in await asyncio.to_thread(around.lag)}


async def _drain(around: Surroundings, topic: str, topic_id: str, within_s: float) -> dict[int, int]:
    """Wait until all is processed; the ends of the partitions then."""
    deadline = time.monotonic() + within_s
    before: dict[int, int] = {}
    quiet_since = time.monotonic()
    left = 0
    while time.monotonic() < deadline:
        await asyncio.sleep(POLL_S)
        try:
            found = await asyncio.to_thread(around.lag)
        except TopicsError as error:
            around.say(str(error))
            continue
        ends = {item.partition: item.end for item in found}
        if ends != before:
            before, quiet_since = ends, time.monotonic()
        left = sum(item.end - (item.committed or 0) for item in found)
        if left == 0 and time.monotonic() - quiet_since >= QUIET_S:
            missing = await asyncio.to_thread(_not_written, around, topic_id, ends)
            if missing == 0:
                return ends
            left = missing
    raise GrowthRefusedError(
        t(
            f"{topic}: sau {within_s:g} giây vẫn còn {left} bản ghi chưa xử lý hoặc vẫn có nơi đang ghi; "
            "số phân vùng giữ nguyên, các đầu nối ghi tiếp. Xem `ioc lag`, rồi chạy lại với --within lớn hơn "
            "(hoặc --without-drain, nếu công cụ khác đã thêm phân vùng)",
            f"{topic}: after {within_s:g} s {left} records are not processed yet, or somebody still writes; "
            "the partitions are as they were and publishers go on. See `ioc lag`; run again with a larger "
            "--within (or --without-drain, if another tool has added partitions)",
        )
    )


def _not_written(around: Surroundings, topic_id: str, ends: dict[int, int]) -> int:
    return sum(max(0, end - around.written(topic_id, partition)) for partition, end in ends.items())


async def _until_told(bootstrap: str, topic: str, partitions: int) -> None:
    deadline = time.monotonic() + REASSIGN_S
    while await asyncio.to_thread(partition_count, bootstrap, topic) != partitions:
        if time.monotonic() > deadline:
            raise TopicsError(f"Kafka at {bootstrap} does not show the {partitions} partitions of {topic}")
        await asyncio.sleep(POLL_S)


async def _reassigned(around: Surroundings, life: Life, new: set[int]) -> bool:
    deadline = time.monotonic() + REASSIGN_S
    while time.monotonic() < deadline:
        if new <= await asyncio.to_thread(around.owners, life.number):
            return True
        await asyncio.sleep(POLL_S)
    return False
