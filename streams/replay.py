"""Reading a topic partition beside the normal flow, for recovery: a consumer of its own, without a group."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from streams.records import ISOLATION, Records, no_records

log = structlog.get_logger()

POLL_MS = 500
QUIET_S = 10.0
"""After so long without a record below the end, what is missing is taken as gone (compaction, markers)."""


class ReplayLog:
    """One topic partition, read on demand. `close` when done."""

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        partition: int,
        topic_id: Callable[[], Awaitable[str]],
        bounds: Callable[[int], Awaitable[tuple[int, int]]],
    ) -> None:
        """`bounds` asks for those of a partition of the topic over a connection that is open already: most take-overs
        read nothing, and need no other."""
        self._bootstrap = bootstrap
        self._bounds = bounds
        self._tp = TopicPartition(topic, partition)
        self._topic_id = topic_id
        self._consumer: AIOKafkaConsumer | None = None

    async def topic_id(self) -> str:
        return await self._topic_id()

    async def _started(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap,
                enable_auto_commit=False,
                auto_offset_reset="none",
                isolation_level=ISOLATION,
                max_partition_fetch_bytes=8 * 1024 * 1024,
            )
            await consumer.start()
            consumer.assign([self._tp])
            self._consumer = consumer
        return self._consumer

    async def bounds(self) -> tuple[int, int]:
        return await self._bounds(self._tp.partition)

    def beside(self, partition: int) -> ReplayLog:
        """Another partition of the topic."""
        return ReplayLog(self._bootstrap, self._tp.topic, partition, self._topic_id, self._bounds)

    async def read(self, first: int, last: int, at_most: int) -> Records:
        consumer = await self._started()
        log_start, end = await self.bounds()
        if first >= end or last < log_start:
            return no_records()
        consumer.seek(self._tp, max(first, log_start))
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < QUIET_S:
            try:
                fetched = await consumer.getmany(self._tp, timeout_ms=POLL_MS, max_records=at_most)
            except OffsetOutOfRangeError:
                return no_records()
            except KafkaError as error:
                log.warning("replay_read_failed", topic=self._tp.topic, error=str(error))
                await asyncio.sleep(0.5)
                continue
            records = [record for record in fetched.get(self._tp, []) if record.offset <= last]
            if records:
                return Records.of(
                    [record.offset for record in records],
                    [record.timestamp for record in records],
                    [record.key for record in records],
                    [record.value for record in records],
                )
            if fetched.get(self._tp) or await consumer.position(self._tp) > last:
                # What is left of the range are marks and records of transactions that were broken off.
                break
        return no_records()

    async def close(self) -> None:
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await consumer.stop()
