"""The protocol's steps on a warehouse, a log and a group that live in memory and fail on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.errors import SchemasAwayError
from schemas.without import Without
from streams.announced import Announced
from streams.errors import OwnershipLostError, StatesAheadError, WarehouseUnavailableError
from streams.faultpoints import parse
from streams.intent import NOTHING, Commit, Loss, Written
from streams.metrics import LOST
from streams.partition import MAX_BATCH_BYTES, MAX_BATCH_RECORDS, PartitionRunner
from streams.partition_seams import Joining
from streams.places import Place, Places
from streams.records import Records, joined, part
from streams.schema_wait import SchemaWait


def records(first: int, last: int) -> Records:
    numbers = list(range(first, last + 1))
    return Records.of(numbers, [1_661_217_300_000 + n for n in numbers], [b"k"] * len(numbers), [b"v"] * len(numbers))


@dataclass
class Group:
    """A consumer group's view of one partition."""

    commits: list[Commit] = field(default_factory=list)
    refuse: bool = False
    revoked: bool = False

    def check(self) -> None:
        if self.revoked:
            raise OwnershipLostError("revoked")

    async def fetch_commit(self, partition: int | None = None) -> Commit | None:
        assert partition is None
        return self.commits[-1] if self.commits else None

    async def commit_together(self, commits: Mapping[int, Commit]) -> None:
        (commit,) = commits.values()
        await self.commit(commit)

    async def commit(self, commit: Commit) -> None:
        if self.refuse:
            raise OwnershipLostError("refused")
        self.commits.append(commit)


@dataclass
class Topic:
    end: int = 0
    start: int = 0

    async def topic_id(self) -> str:
        return "T"

    async def bounds(self) -> tuple[int, int]:
        return self.start, self.end

    def beside(self, partition: int) -> Topic:
        raise NotImplementedError("one partition")

    async def close(self) -> None:
        """Nothing is open."""

    async def read(self, first: int, last: int, at_most: int) -> Records:
        first = max(first, self.start)
        return records(first, min(last, self.end - 1)) if first <= min(last, self.end - 1) else records(0, -1)


@dataclass
class Table:
    """Written batches by bounds; `failures` sends fail first, half of them after the write took place."""

    batches: dict[tuple[int, int], str] = field(default_factory=dict)
    failures: int = 0
    attempts: int = 0
    log: list[str] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    opening: asyncio.Event | None = None
    away: set[int] = field(default_factory=set)
    """Schemas that batches need and the registry does not give."""
    waits: int = 0
    joining: Joining | None = None

    async def open(self, topic_id: str) -> Written | None:
        if self.opening is not None:
            await self.opening.wait()
        return await self.last_written(topic_id)

    async def last_written(self, topic_id: str, partition: int | None = None) -> Written | None:
        first, last = max(self.batches, key=lambda bounds: bounds[1], default=(NOTHING.first, NOTHING.last))
        following = [loss.last for loss in self.losses if loss.first <= last + 1]
        return Written(first, last, max(following, default=-1))

    async def lost(self, loss: Loss) -> None:
        self.losses.append(loss)

    async def prepare(self, taken: Records, first: int, last: int, without: Without) -> MemoryBlock:
        self.need_schemas(without)
        assert (taken.offsets[0], taken.offsets[-1]) == (first, last)
        assert max((written for _, written in self.batches), default=-1) < first, "written twice"
        return MemoryBlock(self, first, last, f"new without {without.text}" if without else "new")

    async def prepare_redo(self, first: int, last: int) -> MemoryBlock | None:
        return MemoryBlock(self, first, last, "rows again") if (first, last) in self.batches else None

    async def prepare_again(
        self, taken: Records, first: int, last: int, without: Without, kept: bool = False
    ) -> MemoryBlock:
        self.need_schemas(without)
        return MemoryBlock(self, first, last, f"computed again without {without.text}" if without else "computed again")

    def need_schemas(self, without: Without) -> None:
        missing = frozenset(schema_id for schema_id in self.away if schema_id not in without)
        if missing:
            self.waits += 1
            raise SchemasAwayError("the registry is away", missing, frozenset({1}))


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
    return PartitionRunner("ioc.x.y-0", group, topic, table, Places(1))


async def test_an_intent_goes_before_the_write_and_is_confirmed_when_idle() -> None:
    group, table = Group(), Table()
    runner = runner_on(group, Topic(), table)
    runner.offer(records(0, 4))
    await until(lambda: group.commits[-1:] == [Commit(5, "T")], group, runner)
    assert group.commits == [Commit(0, "T"), Commit(0, "T", 4), Commit(5, "T")]
    assert list(table.batches) == [(0, 4)]


async def test_a_batch_that_takes_long_is_announced_again_and_never_after_it_was_confirmed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for module in ("announced", "partition"):
        monkeypatch.setattr(f"streams.{module}.RECOMMIT_S", 0.01)
    monkeypatch.setattr("streams.faultpoints.LOOK_S", 0.01)
    stands = tmp_path / "stands"
    monkeypatch.setattr("streams.faultpoints._armed", parse(f"batch_stands:{stands}"))
    stands.touch()
    group, table = Group(), Table()
    runner = runner_on(group, Topic(), table)
    runner.offer(records(0, 4))
    task = asyncio.create_task(runner.run())
    async with asyncio.timeout(10):
        while group.commits.count(Commit(0, "T", 4)) < 4:
            await asyncio.sleep(0.005)
        assert table.attempts == 0, "it stands"
        stands.unlink()
        while group.commits[-1] != Commit(5, "T"):
            await asyncio.sleep(0.005)
        told = len(group.commits)
        while len(group.commits) == told:  # the position is committed again now, and nothing else
            await asyncio.sleep(0.005)
    task.cancel()
    first = group.commits.index(Commit(5, "T"))
    assert set(group.commits[1:first]) == {Commit(0, "T", 4)}
    assert set(group.commits[first:]) == {Commit(5, "T")}
    assert list(table.batches) == [(0, 4)]


async def test_a_worker_that_was_put_out_meanwhile_does_not_announce_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.announced.RECOMMIT_S", 0.01)
    group = Group()
    announced = Announced(group)
    await announced.make(Commit(0, "T", 4))
    group.refuse = True
    async with asyncio.timeout(10), announced.standing():
        (again,) = (task for task in asyncio.all_tasks() if task.get_name() == "batch announced again")
        await again
    assert group.commits == [Commit(0, "T", 4)]


async def test_a_worker_that_is_asked_to_end_writes_and_confirms_what_it_has_and_leaves_nothing_to_redo() -> None:
    group, table = Group(), Table()
    runner = runner_on(group, Topic(), table)
    runner.offer(records(0, 4))
    task = asyncio.create_task(runner.run())
    async with asyncio.timeout(10):
        while not table.attempts:
            await asyncio.sleep(0)
        runner.finish()
        runner.offer(records(5, 9))
        await task
    assert group.commits == [Commit(0, "T"), Commit(0, "T", 4), Commit(5, "T")]
    assert list(table.batches) == [(0, 4)]
    assert not runner.in_hand


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
    assert list(table.batches) == [(0, MAX_BATCH_RECORDS - 1), (MAX_BATCH_RECORDS, 50 + MAX_BATCH_RECORDS)]


def test_parts_and_joins_keep_the_order() -> None:
    whole = records(0, 9)
    assert joined([part(whole, 0, 4), part(whole, 4, 10)]) == whole


async def test_what_retention_took_before_a_start_is_counted_and_put_on_record_once() -> None:
    group, table, topic = Group([Commit(3, "T")]), Table({(0, 2): "new"}), Topic(end=12, start=8)
    before = LOST.labels("ioc.x.y")._value.get()
    runner = runner_on(group, topic, table)
    runner.offer(records(8, 9))
    await until(lambda: runner.position == 10, group, runner)
    again = runner_on(group, topic, table)
    again.offer(records(10, 11))
    await until(lambda: again.position == 12, group, again)
    assert table.losses == [Loss(3, 7)]
    assert LOST.labels("ioc.x.y")._value.get() - before == 5
    assert list(table.batches) == [(0, 2), (8, 9), (10, 11)]


async def test_what_retention_takes_in_mid_flow_is_counted_and_offsets_without_a_record_are_not() -> None:
    group, table, topic = Group(), Table(), Topic(end=30)
    runner = runner_on(group, topic, table)
    runner.offer(records(0, 4))
    runner.offer(records(6, 9))
    task = asyncio.create_task(runner.run())
    async with asyncio.timeout(10):
        while runner.position != 10:
            await asyncio.sleep(0.005)
        assert table.losses == []
        topic.start = 20
        runner.offer(records(20, 24))
        while runner.position != 25:
            await asyncio.sleep(0.005)
    task.cancel()
    assert table.losses == [Loss(10, 19)]


async def test_part_of_an_intended_batch_that_is_gone_is_counted_and_the_rest_is_redone() -> None:
    group, table, topic = Group([Commit(3, "T", 7)]), Table({(0, 2): "new"}), Topic(end=12, start=5)
    runner = runner_on(group, topic, table)
    runner.offer(records(8, 11))
    await until(lambda: runner.position == 12, group, runner)
    assert table.losses == [Loss(3, 4)]
    assert table.log == ["computed again 3-7", "new 8-11"]


async def test_an_intended_batch_that_is_written_is_completed_even_if_the_topic_has_lost_it() -> None:
    group, table, topic = Group([Commit(3, "T", 7)]), Table({(0, 2): "new", (3, 7): "new"}), Topic(end=12, start=9)
    runner = runner_on(group, topic, table)
    runner.offer(records(9, 11))
    await until(lambda: runner.position == 12, group, runner)
    assert table.losses == [Loss(8, 8)]
    assert table.log == ["rows again 3-7", "new 9-11"]


async def test_a_batch_that_no_commit_of_ours_vouches_for_is_completed() -> None:
    group, table, topic = Group([Commit(0, "")]), Table({(0, 2): "new", (3, 7): "new"}), Topic(end=9)
    runner = runner_on(group, topic, table)
    runner.offer(records(0, 8))
    await until(lambda: runner.position == 9, group, runner)
    assert table.log == ["rows again 3-7", "new 8-8"]


async def test_records_that_come_while_a_partition_waits_do_not_hold_others_up_and_are_read_later() -> None:
    group, table, topic = Group(), Table(opening=asyncio.Event()), Topic(end=40)
    released: list[int] = []
    runner = PartitionRunner("ioc.x.y-0", group, topic, table, Places(1), released.append)
    big = Records.of(range(10), [1] * 10, [b"k"] * 10, [b"v" * (MAX_BATCH_BYTES // 9)] * 10)
    task = asyncio.create_task(runner.run())
    async with asyncio.timeout(10):
        runner.offer(big)
        runner.offer(records(10, 29))
        assert sum(released) == big.size + records(10, 29).size
        assert table.opening is not None
        table.opening.set()
        while runner.position != 30:
            await asyncio.sleep(0.005)
        runner.offer(records(30, 39))
        while runner.position != 40:
            await asyncio.sleep(0.005)
    task.cancel()
    assert [offset for first, last in table.batches for offset in range(first, last + 1)] == list(range(40))


@pytest.mark.parametrize("noticed", ["by the batch", "by the watch"])
async def test_a_warehouse_that_comes_back_without_its_last_batches_is_caught_up(noticed: str) -> None:
    group, table, topic = Group(), Table(), Topic(end=20)
    runner = runner_on(group, topic, table)
    runner.offer(records(0, 4))
    runner.offer(records(5, 9))
    task = asyncio.create_task(runner.run())
    async with asyncio.timeout(10):
        while runner.position != 10:
            await asyncio.sleep(0.005)
        table.batches = {(0, 1): "new"}
        if noticed == "by the batch":
            table.failures = 1
        else:
            runner.doubt()
        runner.offer(records(10, 19))
        with pytest.raises(StatesAheadError, match="restored"):
            await task
        again = asyncio.create_task(runner.run())
        while runner.position != 20:
            await asyncio.sleep(0.005)
    again.cancel()
    assert [offset for first, last in table.batches for offset in range(first, last + 1)] == list(range(20))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.schema_wait.ASK_AGAIN_S", 0.005)


def waiting_runner(
    group: Group, topic: Topic, table: Table, limit_s: float, places: Places | None = None
) -> PartitionRunner:
    wait = SchemaWait(timedelta(seconds=limit_s))
    return PartitionRunner("ioc.x.y-0", group, topic, table, places or Places(1), lambda size: None, wait)


@pytest.mark.usefixtures("quick")
async def test_a_batch_that_waits_for_a_schema_leaves_its_place_and_lets_go_what_follows() -> None:
    group, table, topic, places = Group(), Table(away={9}), Topic(end=30), Places(1)
    runner = waiting_runner(group, topic, table, 3600, places)
    task = asyncio.create_task(runner.run())
    async with asyncio.timeout(10):
        runner.offer(records(0, 9))
        while table.waits < 3:
            await asyncio.sleep(0.005)
        assert not places.full()
        runner.offer(records(10, 19))
        assert not runner._pending
        assert table.batches == {}
        table.away.clear()
        while runner.position != 20:
            await asyncio.sleep(0.005)
        runner.offer(records(20, 29))
        while runner.position != 30:
            await asyncio.sleep(0.005)
    task.cancel()
    assert list(table.batches) == [(0, 9), (10, 19), (20, 29)]
    assert set(table.batches.values()) == {"new"}
    assert {commit.without for commit in group.commits} == {Without()}


@pytest.mark.usefixtures("quick")
async def test_when_the_time_is_up_the_decision_is_on_record_before_the_batch_is_made_without_the_schema() -> None:
    group, table = Group(), Table(away={9, 8})
    runner = waiting_runner(group, Topic(end=20), table, 0.03)
    runner.offer(records(0, 4))
    await until(lambda: table.log, group, runner)
    assert table.log == ["new without -8,9 0-4"]
    assert group.commits[:3] == [Commit(0, "T"), Commit(0, "T", 4), Commit(0, "T", 4, Without(frozenset({8, 9})))]
    assert table.waits > 2


@pytest.mark.usefixtures("quick")
async def test_later_batches_do_not_wait_anew_for_a_schema_that_was_given_up() -> None:
    group, table = Group(), Table(away={9})
    runner = waiting_runner(group, Topic(end=20), table, 0.05)
    task = asyncio.create_task(runner.run())
    async with asyncio.timeout(10):
        runner.offer(records(0, 4))
        while runner.position != 5:
            await asyncio.sleep(0.005)
        before = table.waits
        runner.offer(records(5, 9))
        while runner.position != 10:
            await asyncio.sleep(0.005)
    task.cancel()
    assert table.waits == before + 1


async def test_a_batch_that_was_decided_is_done_again_without_the_schema_although_it_is_known_by_now() -> None:
    group = Group([Commit(3, "T", 7, Without(frozenset({9})))])
    table = Table({(0, 2): "new"})
    runner = runner_on(group, Topic(end=8), table)
    await until(lambda: runner.position == 8, group, runner)
    assert table.log == ["computed again without -9 3-7"]


@pytest.mark.usefixtures("quick")
async def test_a_partition_revoked_while_it_waits_for_a_schema_gives_its_place_back_once() -> None:
    group, table, places = Group(), Table(away={9}), Places(1)
    runner = waiting_runner(group, Topic(end=9), table, 3600, places)
    other, third = Place(places), Place(places)
    runner.offer(records(0, 4))
    task = asyncio.create_task(runner.run())
    async with asyncio.timeout(10):
        while table.waits < 2:
            await asyncio.sleep(0.005)
        await other.enter()
        table.away.clear()
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert places.full()
    other.leave()
    async with asyncio.timeout(10):
        await third.enter()
    assert places.full()


async def test_what_arrives_while_a_partition_waits_for_a_place_joins_its_batch() -> None:
    group, table, places = Group(), Table(), Places(1)
    runner = waiting_runner(group, Topic(end=30), table, 3600, places)
    other = Place(places)
    await other.enter()
    task = asyncio.create_task(runner.run())
    async with asyncio.timeout(10):
        for first in (0, 10, 20):
            runner.offer(records(first, first + 9))
            await asyncio.sleep(0)
        while not places.waiting:
            await asyncio.sleep(0)
        other.leave()
        while runner.position != 30:
            await asyncio.sleep(0)
    task.cancel()
    assert list(table.batches) == [(0, 29)]
