"""A topic as the audit sees it: committed offsets, what is kept, where the days begin. By a consumer of its own.

The consumer names the group to ask for its commits and never joins it. It lives on an event loop; its methods are
called from another thread and block.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.errors import StreamError
from streams.records import ISOLATION, Records

ANSWER_S = 20.0
"""The longest wait for an answer; a broker that restarts is back within it."""

POLL_MS = 500

QUIET_POLLS = 10
"""After so many polls without a record below the end, what is missing is taken as gone (compaction, markers)."""

READ_BYTES = 1024 * 1024
"""Fetched at once while looking which offsets exist: their values are thrown away."""

METADATA_MS = 10_000
"""How soon partitions that were added are known."""

T = TypeVar("T")


class TopicLogError(StreamError):
    """Kafka does not answer: ask again later."""


class KafkaTopicLog:
    """`streams.audit_readings.TopicLog` of one topic. `close` when done, on the loop."""

    def __init__(self, bootstrap: str, topic: str, group: str, loop: asyncio.AbstractEventLoop) -> None:
        self.topic = topic
        self._bootstrap = bootstrap
        self._group = group
        self._loop = loop
        self._consumer: AIOKafkaConsumer | None = None
        self._partitions: list[TopicPartition] = []

    def committed(self) -> Mapping[int, int]:
        """Committed offset by partition; partitions without a commit are left out."""
        return self._wait(self._committed())

    def start(self, partition: int) -> int:
        """The first offset that is kept."""
        return self._wait(self._start(partition))

    def ends(self) -> Mapping[int, int]:
        """The next offset to be written, by partition."""
        return self._wait(self._ends())

    def first_since(self, at_ms: int) -> Mapping[int, int]:
        """By partition the first offset whose record has this Kafka timestamp or a later one; the end if none has."""
        return self._wait(self._first_since(at_ms))

    def existing(self, partition: int, first: int, last: int) -> list[tuple[int, int]]:
        """Inclusive ranges of offsets from `first` to `last` that hold a record. Reads them."""
        return self._wait(self._existing(partition, first, last), None)

    def records(self, partition: int, first: int, last: int) -> Records:
        """The records with offsets from `first` to `last` that are kept, all in memory."""
        return self._wait(self._records(partition, first, last), None)

    async def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        self._partitions = []
        if consumer is not None:
            await consumer.stop()

    def _wait(self, asked: Coroutine[Any, Any, T], seconds: float | None = ANSWER_S) -> T:
        future = asyncio.run_coroutine_threadsafe(asked, self._loop)
        try:
            return future.result(seconds)
        except (KafkaError, OSError, TimeoutError) as error:
            future.cancel()
            raise TopicLogError(f"Kafka at {self._bootstrap} does not answer about {self.topic}: {error!r}") from error

    async def _started(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap,
                client_id="ioc-audit",
                group_id=self._group,
                enable_auto_commit=False,
                auto_offset_reset="none",
                isolation_level=ISOLATION,
                max_partition_fetch_bytes=READ_BYTES,
                metadata_max_age_ms=METADATA_MS,
            )
            try:
                await consumer.start()
                await consumer._client._wait_on_metadata(self.topic)
            except BaseException:
                await consumer.stop()
                raise
            self._consumer = consumer
        numbers = self._consumer.partitions_for_topic(self.topic) or set()
        if len(numbers) != len(self._partitions):
            self._partitions = [TopicPartition(self.topic, number) for number in sorted(numbers)]
            self._consumer.assign(self._partitions)
            self._consumer.pause(*self._partitions)
        return self._consumer

    async def _committed(self) -> dict[int, int]:
        consumer = await self._started()
        found = await consumer._coordinator.fetch_committed_offsets(self._partitions)
        return {place.partition: commit.offset for place, commit in found.items() if commit.offset >= 0}

    async def _start(self, partition: int) -> int:
        consumer = await self._started()
        place = TopicPartition(self.topic, partition)
        return int((await consumer.beginning_offsets([place]))[place])

    async def _ends(self) -> dict[int, int]:
        consumer = await self._started()
        found = await consumer.end_offsets(self._partitions)
        return {place.partition: end for place, end in found.items()}

    async def _first_since(self, at_ms: int) -> dict[int, int]:
        consumer = await self._started()
        ends = await self._ends()
        found = await consumer.offsets_for_times(dict.fromkeys(self._partitions, at_ms))
        return {
            place.partition: ends[place.partition] if at is None else at.offset for place, at in found.items()
        }  # fmt: skip

    async def _existing(self, partition: int, first: int, last: int) -> list[tuple[int, int]]:
        ranges: list[tuple[int, int]] = []
        async for records in self._read(partition, first, last):
            for record in records:
                if ranges and ranges[-1][1] == record.offset - 1:
                    ranges[-1] = (ranges[-1][0], record.offset)
                else:
                    ranges.append((record.offset, record.offset))
        return ranges

    async def _records(self, partition: int, first: int, last: int) -> Records:
        found = [record async for records in self._read(partition, first, last) for record in records]
        return Records.of(
            [record.offset for record in found],
            [record.timestamp for record in found],
            [record.key for record in found],
            [record.value for record in found],
        )

    async def _read(self, partition: int, first: int, last: int) -> AsyncIterator[list[Any]]:
        consumer = await self._started()
        place = TopicPartition(self.topic, partition)
        first = max(first, await self._start(partition))
        last = min(last, (await self._ends())[partition] - 1)
        if first > last:
            return
        consumer.seek(place, first)
        consumer.resume(place)
        quiet = 0
        try:
            while quiet < QUIET_POLLS and await consumer.position(place) <= last:
                fetched = (await consumer.getmany(place, timeout_ms=POLL_MS)).get(place, [])
                quiet = 0 if fetched else quiet + 1
                if fetched:
                    yield [record for record in fetched if record.offset <= last]
        finally:
            consumer.pause(place)
