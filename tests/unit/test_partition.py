"""The protocol's steps on a warehouse, a log and a group that live in memory and fail on demand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from streams.errors import OwnershipLostError, WarehouseUnavailableError
from streams.intent import Commit
from streams.partition import MAX_BATCH_RECORDS, PartitionRunner
from streams.records import Records, joined, part


def records(first: int, last: int) -> Records:
    numbers = list(range(first, last + 1))
    return Records(numbers, [1_661_217_300_000 + n for n in numbers], [b"k"] * len(numbers), [b"v"] * len(numbers))


@dataclass
class Group:
    """A consumer group's view of one partition."""

    commits: list[Commit] = field(default_factory=list)
    refuse: bool = False
    revoked: bool = False

    def check(self) -> None:
        if self.revoked:
            raise OwnershipLostError("revoked")

    async def fetch_commit(self) -> Commit | None:
        return self.commits[-1] if self.commits else None

    async def commit(self, commit: Commit) -> None:
        if self.refuse:
            raise OwnershipLostError("refused")
        self.commits.append(commit)


@dataclass
class Topic:
    end: int = 0

    async def topic_id(self) -> str:
        return "T"

    async def bounds(self) -> tuple[int, int]:
        return 0, self.end

    async def read(self, first: int, last: int, at_most: int) -> Records:
        return records(first, min(last, self.end - 1)) if first < self.end else records(0, -1)


@dataclass
class Table:
    """Written batches by bounds; `failures` sends fail first, half of them after the write took place."""

    batches: dict[tuple[int, int], str] = field(default_factory=dict)
    failures: int = 0
    attempts: int = 0
    log: list[str] = field(default_factory=list)

    async def open(self, topic_id: str) -> int | None:
        return max((last for _, last in self.batches), default=-1)

    async def prepare(self, taken: Records, first: int, last: int) -> MemoryBlock:
        assert (taken.offsets[0], taken.offsets[-1]) == (first, last)
        return MemoryBlock(self, first, last, "new")

    async def prepare_redo(self, first: int, last: int) -> MemoryBlock | None:
        return MemoryBlock(self, first, last, "rows again") if (first, last) in self.batches else None

    async def prepare_again(self, taken: Records, first: int, last: int) -> MemoryBlock:
        return MemoryBlock(self, first, last, "computed again")


@dataclass
class MemoryBlock:
    table: Table
    first: int
    last: int
    how: str

    async def send(self) -> None:
        self.table.attempts += 1
        if self.table.failures:
            self.table.failures -= 1
            if self.table.failures % 2:
                self.table.batches.setdefault((self.first, self.last), self.how)
            raise WarehouseUnavailableError("no answer")
        self.table.batches.setdefault((self.first, self.last), self.how)

    def done(self) -> None:
        self.table.log.append(f"{self.how} {self.first}-{self.last}")


async def until(condition: object, group: Group, runner: PartitionRunner) -> None:
    """Run until `condition()` holds, then take the partition away."""
    assert callable(condition)
    task = asyncio.create_task(runner.run())
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def runner_on(group: Group, topic: Topic, table: Table) -> PartitionRunner:
    return PartitionRunner("ioc.x.y-0", group, topic, table, asyncio.Semaphore(1))


async def test_an_intent_goes_before_the_write_and_is_confirmed_when_idle() -> None:
    group, table = Group(), Table()
    runner = runner_on(group, Topic(), table)
    runner.offer(records(0, 4))
    await until(lambda: group.commits[-1:] == [Commit(5, "T")], group, runner)
    assert group.commits == [Commit(0, "T"), Commit(0, "T", 4), Commit(5, "T")]
    assert list(table.batches) == [(0, 4)]


async def test_the_identical_block_is_sent_until_it_is_accepted() -> None:
    group, table = Group(), Table(failures=3)
    runner = runner_on(group, Topic(), table)
    runner.offer(records(0, 4))
    await until(lambda: table.log, group, runner)
    assert table.attempts == 4
    assert list(table.batches) == [(0, 4)]


@pytest.mark.parametrize("written", [True, False])
async def test_an_intent_is_redone_within_its_own_bounds(written: bool) -> None:
    group, table = Group([Commit(3, "T", 7)]), Table({(0, 2): "new"})
    if written:
        table.batches[(3, 7)] = "new"
    runner = runner_on(group, Topic(end=12), table)
    runner.offer(records(3, 11))
    await until(lambda: runner.position == 12, group, runner)
    assert table.log == [f"{'rows' if written else 'computed'} again 3-7", "new 8-11"]
    assert list(table.batches) == [(0, 2), (3, 7), (8, 11)]


async def test_a_warehouse_that_is_behind_is_caught_up_before_new_records() -> None:
    group, table = Group([Commit(8, "T")]), Table({(0, 2): "new"})
    runner = runner_on(group, Topic(end=10), table)
    runner.offer(records(8, 9))
    await until(lambda: runner.position == 10, group, runner)
    assert list(table.batches) == [(0, 2), (3, 7), (8, 9)]


async def test_records_delivered_again_are_dropped() -> None:
    group, table = Group([Commit(5, "T")]), Table({(0, 4): "new"})
    runner = runner_on(group, Topic(end=9), table)
    runner.offer(records(0, 4))
    runner.offer(records(3, 8))
    await until(lambda: runner.position == 9, group, runner)
    assert list(table.batches) == [(0, 4), (5, 8)]


async def test_a_worker_whose_commit_is_refused_writes_nothing() -> None:
    group, table = Group(), Table()
    runner = runner_on(group, Topic(), table)
    task = asyncio.create_task(runner.run())
    while runner.position < 0:
        await asyncio.sleep(0.005)
    group.refuse = True
    runner.offer(records(0, 4))
    with pytest.raises(OwnershipLostError):
        await task
    assert table.batches == {}


async def test_a_partition_revoked_while_the_warehouse_is_away_is_given_up() -> None:
    group, table = Group(), Table(failures=10_000)
    runner = runner_on(group, Topic(), table)
    runner.offer(records(0, 4))
    task = asyncio.create_task(runner.run())
    while not table.attempts:
        await asyncio.sleep(0.005)
    group.revoked = True
    with pytest.raises(OwnershipLostError):
        await task


async def test_small_batches_that_wait_are_joined_and_large_ones_cut() -> None:
    group, table = Group(), Table()
    runner = runner_on(group, Topic(), table)
    for first in range(0, 50, 10):
        runner.offer(records(first, first + 9))
    runner.offer(records(50, 50 + MAX_BATCH_RECORDS))
    await until(lambda: runner.position == 51 + MAX_BATCH_RECORDS, group, runner)
    assert list(table.batches) == [(0, 49), (50, 49 + MAX_BATCH_RECORDS), (50 + MAX_BATCH_RECORDS,) * 2]


def test_parts_and_joins_keep_the_order() -> None:
    whole = records(0, 9)
    assert joined([part(whole, 0, 4), part(whole, 4, 10)]) == whole
