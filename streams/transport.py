"""A batch-first transport for Faust: one message per fetched batch and partition, commits of our own.

Stock Faust spends four asyncio tasks, a lock, a queue put and an acknowledgement on every event. Here the agent
gets a batch, and the offsets are committed by the partition's runner with the batch's bounds in the metadata
(`streams.intent`), under the generation in which the partition was taken over. Faust's own offset accounting
sees no acknowledgement and so never commits these topics.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import faust
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, for_code
from aiokafka.protocol.commit import OffsetCommitRequest
from aiokafka.protocol.group import HeartbeatRequest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP as TP
from faust.types import ConsumerMessage

from streams.errors import OwnershipLostError
from streams.fences import Membership
from streams.fetch_pacing import SHORT_WAIT_MS, pace_fetches
from streams.fetched import ColumnarFetches
from streams.intent import Commit, parse_commit
from streams.log_bounds import bounds
from streams.records import ISOLATION, Records, joined

log = structlog.get_logger()

COMMIT_RETRY_S = 0.2

PUT_OUT = frozenset((22, 25, 82))
"""IllegalGeneration, UnknownMemberId, FencedInstanceId: the group went on without this member."""

REBALANCING = 27
"""RebalanceInProgress: the member belongs to the group, and is about to hear that its partitions are revoked."""


class PassThrough(faust.Schema):
    """Hands the batch to the agent as it is."""

    def loads_key(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:
        return message.key

    def loads_value(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:
        return message.value


class PartitionsListener:
    """What the consumer tells about ownership; `streams.app` implements it."""

    def revoked(self, partitions: set[TP]) -> None:
        """These partitions are no longer ours. Must not block."""

    def put_out(self, reason: str) -> None:
        """The group went on without us, perhaps some time ago; `revoked` follows. Must not block."""

    def assigned(self, partitions: set[TP]) -> None:
        """These partitions are ours under the consumer's present generation. Must not block."""


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The driver's consumer with columnar fetches and commits that carry metadata and a generation."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = SHORT_WAIT_MS
        consumer._isolation_level = ISOLATION  # Faust reads so only with its own transactions on, which are not ours.
        return consumer

    async def _fetch_records(self, consumer: Any, active_partitions: Any, **limits: Any) -> Any:
        fetcher = consumer._fetcher
        if not isinstance(fetcher._records, ColumnarFetches):
            fetcher._records = ColumnarFetches(fetcher._records)
            pace_fetches(fetcher, self.consumer.put_off_s)
        return await super()._fetch_records(consumer, active_partitions, **limits)

    async def seek_to_committed(self) -> Any:
        """As the driver's, but partitions that were taken away while the group was asked end nobody: the next
        assignment seeks again, and a runner goes by its own position anyway."""
        try:
            return await super().seek_to_committed()
        except IllegalStateError as error:
            log.info("assignment_overtaken", reason=str(error))
            return {}

    def membership(self) -> Membership:
        """Generation and member id at this moment."""
        coordinator = self._ensure_consumer()._coordinator
        return Membership(coordinator.generation, coordinator.member_id)

    async def ask_group(self, membership: Membership) -> int:
        """Whether the group's coordinator still knows this membership: Kafka's error code, 0 for yes."""
        return await self.call_thread(self._ask_group, membership)

    async def _ask_group(self, membership: Membership) -> int:
        coordinator = self._ensure_consumer()._coordinator
        await coordinator.ensure_coordinator_known()
        request = HeartbeatRequest(coordinator.group_id, membership.generation, membership.member_id)
        code: int = (await coordinator._send_req(request)).error_code
        if code in (15, 16):
            coordinator.coordinator_dead()
        return code

    async def bounds(self, tp: TP) -> tuple[int, int]:
        """First offset kept in the log, and its end. Raises `KafkaError`."""
        consumer = self._ensure_consumer()
        found: tuple[int, int] = await self.call_thread(bounds, consumer, TopicPartition(tp.topic, tp.partition))
        return found

    async def fetch_commit(self, tp: TP) -> Commit | None:
        return await self.call_thread(self._fetch_commit, tp)

    async def _fetch_commit(self, tp: TP) -> Commit | None:
        partition = TopicPartition(tp.topic, tp.partition)
        found = await self._ensure_consumer()._coordinator.fetch_committed_offsets([partition])
        committed = found.get(partition)
        if committed is None or committed.offset < 0:
            return None
        return parse_commit(committed.offset, committed.metadata or "")

    async def commit_as(self, topic: str, commits: Mapping[int, Commit], membership: Membership) -> int:
        """Commit partitions of a topic in one request under the given membership; gives Kafka's error code, 0 for
        success, of the first that failed."""
        return await self.call_thread(self._commit_as, topic, commits, membership)

    async def _commit_as(self, topic: str, commits: Mapping[int, Commit], membership: Membership) -> int:
        coordinator = self._ensure_consumer()._coordinator
        await coordinator.ensure_coordinator_known()
        request = OffsetCommitRequest(
            coordinator.group_id,
            membership.generation,
            membership.member_id,
            OffsetCommitRequest.DEFAULT_RETENTION_TIME,
            [(topic, [(partition, commit.offset, commit.metadata) for partition, commit in commits.items()])],
        )
        response = await coordinator._send_req(request)
        codes = [int(code) for _, partitions in response.topics for _, code in partitions]
        code = next((code for code in codes if code), 0)
        if code in (15, 16):
            coordinator.coordinator_dead()
        return code


class Consumer(driver.Consumer):
    """Yields one message per batch. `listener` hears of ownership; `put_off_s`: see `streams.turns`."""

    listener: PartitionsListener = PartitionsListener()
    put_off_s: Callable[[], float] = staticmethod(lambda: 0.0)
    _thread: ConsumerThread

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def thread(self) -> ConsumerThread:
        return self._thread

    async def end(self, topic: str, partition: int) -> int:
        """The offset after the partition's last record."""
        return int((await self._thread.bounds(TP(topic, partition)))[1])

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        if not self._thread.membership().valid:
            self.listener.put_out("the group's coordinator does not know this member any more")
        self.listener.revoked(revoked)
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        self.listener.assigned(assigned)
        await super().on_partitions_assigned(assigned, generation_id)

    def on_buffer_full(self, tp: TP) -> None:
        """Nothing: a full queue holds the fetcher back, and marking the partition would cost a second's sleep."""

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        records, active = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if records is None or self.should_stop:
            return
        if not self.flow_active:
            await self.perform_seek()
            return
        for tp, batch in records.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return
            if batch and (active is None or tp in active):
                yield tp, self._batch_message(tp, batch, generation)

    def _batch_message(self, tp: TP, batches: list[Records], generation: int) -> ConsumerMessage:
        value = joined(batches)
        return ConsumerMessage(
            *(tp.topic, tp.partition, value.offsets[-1], value.times[-1] / 1000.0, 0),
            *((), None, value, None, 0, 0, tp),
            generation_id=generation,
        )

    async def _drain_messages(self, fetcher: Any) -> None:
        """Hand batches to the conductor until stopped; a full queue waits here."""
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):
                await asyncio.sleep(0)
                async for tp, message in self.getmany(timeout=1.0):
                    await self.wait_first(self.callback(message), self.suspend_flow.wait())
                    self._read_offset[tp] = message.offset
        except self.consumer_stopped_errors:
            if not self.transport.app.should_stop:
                raise


class Transport(driver.Transport):
    """Faust's aiokafka transport with the batch consumer."""

    Consumer = Consumer


class PartitionOwner:
    """One assignment of one partition: dies with the next revocation, whatever the generation says.

    aiokafka sets a new generation before it tells of the assignment, so the generation alone would let a batch
    through that no recovery went before; `turn` is our own counter, raised at every revocation and assignment.
    """

    def __init__(self, consumer: Consumer, tp: TP, turn: int, current_turn: Callable[[], int]) -> None:
        self._consumer = consumer
        self._tp = tp
        self._turn = turn
        self._current_turn = current_turn
        self.membership = consumer.thread.membership()

    def check(self) -> None:
        if self._current_turn() != self._turn:
            raise OwnershipLostError(f"{self._tp.topic}-{self._tp.partition} was given away")
        if not self.membership.valid:
            # The broker takes a commit without a membership from anyone while the group has no member.
            raise OwnershipLostError(
                f"{self._tp.topic}-{self._tp.partition}: put out of the group while it was assigned"
            )

    async def confirm(self) -> None:
        """Ask the broker whether the membership holds; waits while it does not answer.

        Raises `OwnershipLostError` if the group went on without us.
        """
        while True:
            self.check()
            try:
                code = await self._consumer.thread.ask_group(self.membership)
            except KafkaError:
                code = -1
            if code in (0, REBALANCING):
                return
            self._refused(code)
            await asyncio.sleep(COMMIT_RETRY_S)

    def _refused(self, code: int) -> None:
        """Raise if the code says that the partition is not ours."""
        self.check()
        name = f"{self._tp.topic}-{self._tp.partition}"
        if code in PUT_OUT or code == REBALANCING:
            raise OwnershipLostError(f"{name}: {for_code(code).__name__}")

    async def bounds(self, partition: int) -> tuple[int, int]:
        """First offset kept in the log of a partition of the topic, and its end; waits while the broker does not
        answer."""
        while True:
            self.check()
            try:
                return await self._consumer.thread.bounds(TP(self._tp.topic, partition))
            except KafkaError:
                await asyncio.sleep(COMMIT_RETRY_S)

    async def fetch_commit(self, partition: int | None = None) -> Commit | None:
        tp = self._tp if partition is None else TP(self._tp.topic, partition)
        while True:
            self.check()
            try:
                return await self._consumer.thread.fetch_commit(tp)
            except KafkaError:
                await asyncio.sleep(COMMIT_RETRY_S)

    async def commit(self, commit: Commit) -> None:
        await self.commit_together({self._tp.partition: commit})

    async def commit_together(self, commits: Mapping[int, Commit]) -> None:
        while True:
            self.check()
            try:
                code = await self._consumer.thread.commit_as(self._tp.topic, commits, self.membership)
            except KafkaError:
                code = -1
            if code == 0:
                return
            self._refused(code)
            await asyncio.sleep(COMMIT_RETRY_S)
