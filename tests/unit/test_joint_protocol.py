"""Batches of several partitions in one block: whatever dies when, every record is written once.

Three partitions on a warehouse, a log and a group that live in memory. Workers die at random moments – also in the
middle of an insert, whose rows may land later, or not at all –, and other workers take the partitions over.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from schemas.without import Without
from streams import recovery
from streams.errors import FencedError, OwnershipLostError, StatesAheadError, WarehouseUnavailableError
from streams.intent import NOTHING, Commit, Joint, Loss, Member, Written, token_of
from streams.partition import PartitionRunner
from streams.partition_seams import Block, Part
from streams.places import Places
from streams.records import Records

PARTITIONS = range(3)
RECORDS = 120
"""Of each partition."""


def records(first: int, last: int) -> Records:
    numbers = range(first, last + 1)
    return Records.of(numbers, [1_661_217_300_000 + n for n in numbers], [b"k"] * len(numbers), [b"v"] * len(numbers))


@dataclass
class World:
    """What outlives workers. A worker of an earlier `generation` is dead to the group, and to the fences it knew."""

    dice: random.Random
    generation: int = 0
    commits: dict[int, Commit] = field(default_factory=dict)
    fences: dict[int, int] = field(default_factory=dict)
    blocks: dict[str, dict[int, Member]] = field(default_factory=dict)
    late: list[tuple[str, dict[int, Member]]] = field(default_factory=list)
    joint_of: dict[Member, Joint] = field(default_factory=dict)
    redone: int = 0
    partly: bool = False
    """Commits of several partitions reach only some of them, and their worker dies."""
    deadly: bool = True
    """Workers die while they send."""

    def land(self, token: str, members: dict[int, Member]) -> None:
        if token not in self.blocks:
            self.blocks[token] = members
            joint = tuple(sorted(members.values())) if len(members) > 1 else ()
            self.joint_of.update(dict.fromkeys(members.values(), joint))

    def written(self, partition: int) -> Written:
        found = [block[partition] for block in self.blocks.values() if partition in block]
        newest = max(found, key=lambda member: member.last, default=None)
        return Written(newest.first, newest.last) if newest else NOTHING

    def assert_once(self) -> None:
        for partition in PARTITIONS:
            offsets = [
                offset
                for block in self.blocks.values()
                if (member := block.get(partition))
                for offset in range(member.first, member.last + 1)
            ]
            assert sorted(offsets) == list(range(RECORDS)), f"partition {partition}"


async def pause(world: World) -> None:
    """Others go on, and perhaps a statement of long ago comes to its end."""
    if world.late and world.dice.random() < 0.1:
        world.land(*world.late.pop(world.dice.randrange(len(world.late))))
    for _ in range(world.dice.randrange(4)):
        await asyncio.sleep(0)


@dataclass
class Owner:
    world: World
    partition: int
    generation: int

    def check(self) -> None:
        if self.generation != self.world.generation:
            raise OwnershipLostError("revoked")

    async def fetch_commit(self, partition: int | None = None) -> Commit | None:
        await pause(self.world)
        self.check()
        return self.world.commits.get(self.partition if partition is None else partition)

    async def commit(self, commit: Commit) -> None:
        await self.commit_together({self.partition: commit})

    async def commit_together(self, commits: Mapping[int, Commit]) -> None:
        await pause(self.world)
        self.check()
        if self.world.partly and len(commits) > 1 and self.world.dice.random() < 0.3:
            reached = self.world.dice.sample(sorted(commits), len(commits) - 1)
            self.world.commits.update({partition: commits[partition] for partition in reached})
            self.world.generation += 1
            raise OwnershipLostError("died in the middle")
        self.world.commits.update(commits)
        await pause(self.world)


@dataclass
class Log:
    world: World

    async def topic_id(self) -> str:
        return "T"

    async def bounds(self) -> tuple[int, int]:
        return 0, RECORDS

    async def read(self, first: int, last: int, at_most: int) -> Records:
        await pause(self.world)
        return records(first, min(last, RECORDS - 1))

    def beside(self, partition: int) -> Log:
        return self

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class Sink:
    world: World
    partition: int
    generation: int
    beyond: bool = False

    @property
    def joining(self) -> Sink:
        return self

    def beside(self, partition: int) -> Sink:
        return Sink(self.world, partition, self.generation, beyond=True)

    async def open(self, topic_id: str) -> Written:
        await pause(self.world)
        if self.world.fences.get(self.partition, 0) > self.generation:
            raise OwnershipLostError("a later owner was first")
        self.world.fences[self.partition] = self.generation
        return await self.last_written(topic_id)

    async def last_written(self, topic_id: str, partition: int | None = None) -> Written:
        await pause(self.world)
        return self.world.written(self.partition if partition is None else partition)

    async def lost(self, loss: Loss) -> None:
        raise AssertionError("nothing is lost here")

    async def prepare(self, taken: Records, first: int, last: int, without: Without) -> MemoryBlock:
        await pause(self.world)
        if self.world.dice.random() < 0.02:
            raise StatesAheadError("at random")
        return self.block({self.partition: Member(self.partition, first, last)})

    async def prepare_again(
        self, taken: Records, first: int, last: int, without: Without, kept: bool = False
    ) -> MemoryBlock:
        await pause(self.world)
        return self.block({self.partition: Member(self.partition, first, last)})

    async def prepare_redo(self, first: int, last: int) -> MemoryBlock | None:
        await pause(self.world)
        mine = Member(self.partition, first, last)
        joint = self.world.joint_of.get(mine)
        return None if joint is None else self.block({m.partition: m for m in joint or (mine,)})

    async def join(self, blocks: Sequence[Block], joint: Joint) -> MemoryBlock:
        self.world.redone += 1
        return self.block({member.partition: member for member in joint})

    async def prepare_joint(self, parts: Sequence[Part]) -> MemoryBlock:
        await pause(self.world)
        if self.world.dice.random() < 0.1:
            raise StatesAheadError("at random")
        return self.block(
            {part.member.partition: part.member for part in parts}, own={p.member.partition for p in parts}
        )

    def block(self, members: dict[int, Member], own: set[int] | None = None) -> MemoryBlock:
        epochs = {} if self.beyond else dict.fromkeys(own or {self.partition} & set(members), self.generation)
        return MemoryBlock(self.world, token_of("T", sorted(members.values())), members, epochs)


@dataclass
class MemoryBlock:
    world: World
    token: str
    members: dict[int, Member]
    epochs: dict[int, int]

    async def send(self) -> None:
        """The fence is asked when the statement begins; it may end when its worker is long dead."""
        await pause(self.world)
        if any(self.world.fences.get(p, 0) > epoch for p, epoch in self.epochs.items()):
            raise FencedError("fenced")
        fate = self.world.dice.random()
        if fate < 0.2:
            raise WarehouseUnavailableError("it never came")
        if fate < 0.45:
            self.world.late.append((self.token, self.members))
            self.world.generation += self.world.deadly and len(self.members) > 1
            raise WarehouseUnavailableError("no answer, and it lands later")
        await pause(self.world)
        self.world.land(self.token, self.members)
        if fate < 0.55:
            raise WarehouseUnavailableError("the answer was lost")

    def done(self) -> None:
        """Nothing is remembered."""


async def worker(world: World, generation: int, partitions: Sequence[int], places: Places) -> None:
    """Owns partitions until it is cancelled: all it owns die with the first that fails."""

    async def run(partition: int) -> None:
        owner = Owner(world, partition, generation)
        runner = PartitionRunner(f"t-{partition}", owner, Log(world), Sink(world, partition, generation), places)
        feeding = asyncio.create_task(feed(world, runner))
        try:
            while True:
                try:
                    await runner.run()
                except StatesAheadError:
                    continue
        finally:
            feeding.cancel()

    try:
        async with asyncio.TaskGroup() as group:
            for partition in partitions:
                group.create_task(run(partition))
    except* OwnershipLostError:
        pass


async def feed(world: World, runner: PartitionRunner) -> None:
    at = 0
    while at < RECORDS:
        count = world.dice.randint(1, 12)
        runner.offer(records(at, min(at + count, RECORDS) - 1))
        at += count
        for _ in range(world.dice.randrange(6)):
            await asyncio.sleep(0)


async def lives(world: World, deaths: int) -> None:
    """So many times the workers die; the last ones finish."""
    for life in range(deaths + 1):
        world.generation += 1
        partitions = list(PARTITIONS)
        world.dice.shuffle(partitions)
        cut = world.dice.choice((0, 0, 1, 2))
        owners = [part for part in (partitions[:cut], partitions[cut:]) if part]
        tasks = [asyncio.create_task(worker(world, world.generation, part, Places(3))) for part in owners]
        if life < deaths:
            for _ in range(world.dice.randrange(250)):
                await asyncio.sleep(0)
        else:
            world.partly = world.deadly = False
            async with asyncio.timeout(20):
                while any(world.written(p).end < RECORDS for p in PARTITIONS):
                    await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            assert ended is None or isinstance(ended, asyncio.CancelledError), ended
        if world.dice.random() < 0.3:
            world.late.clear()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "LOOK_S", 0.0)
    monkeypatch.setattr("streams.patience.RETRY_FIRST_S", 0.0)
    monkeypatch.setattr("streams.patience.RETRY_MOST_S", 0.0)
    monkeypatch.setattr("streams.partition.IDLE_COMMIT_S", 0.001)


@pytest.mark.parametrize("partly", [False, True], ids=["commits whole", "commits in part"])
async def test_every_record_is_written_once_whatever_dies_when(partly: bool) -> None:
    joint = redone = 0
    for seed in range(100):
        world = World(random.Random(seed), partly=partly)
        await lives(world, 8)
        world.assert_once()
        joint += sum(len(members) > 1 for members in world.blocks.values())
        redone += world.redone
    assert joint > 200, "they went together"
    assert redone > 25, "and blocks that were announced together were computed again"
