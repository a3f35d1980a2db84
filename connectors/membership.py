"""A worker's membership in the group that shares the connectors: Kafka's consumer-group protocol is the scheduler.

The group subscribes to the configs' topic; which partition a member gets is all that is taken from it. Its records
are read elsewhere (`connectors/compacted.py`), by every worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from connectors.errors import ConnectorError, Text
from connectors.lease import Lease
from connectors.topic_clients import LOOK_AFTER_MS

CONFIRM_S = 1.0
"""How often the membership is confirmed; well within the shortest session a broker allows (6 s by default)."""
HEARTBEAT_SHARE = 0.1
"""Of the session, between two heartbeats: by their answers a member learns that the shards are distributed anew."""
RETRY_S = 0.3
REBALANCE_TIMEOUT_MS = 30_000
"""How long the broker waits for members to come back to a distribution; a dead one only costs its session."""
STOP_S = 5.0

log = structlog.get_logger("ioc.connectors")


class GroupAwayError(ConnectorError):
    """Kafka does not answer, or knows no such topic."""

    code = "kafka_unavailable"


@dataclass(frozen=True, slots=True)
class Group:
    """The group's name, the topic whose partitions are distributed, the session's time-out in seconds. `confirm_s`: how
    often the membership is confirmed; `heartbeat_s`: how often the member says that it lives."""

    name: str
    topic: str
    session_s: float
    confirm_s: float = CONFIRM_S
    heartbeat_s: float | None = None


class Membership:
    """One member. `revoked` is awaited before shards may go to others; `assigned` is told the new ones."""

    def __init__(
        self,
        bootstrap: str,
        group: Group,
        lease: Lease,
        monotonic: Callable[[], float],
        revoked: Callable[[], Awaitable[None]],
        assigned: Callable[[frozenset[int]], None],
    ) -> None:
        self._bootstrap = bootstrap
        self._group = group
        self._lease = lease
        self._monotonic = monotonic
        self._listener = _Listener(self, revoked, assigned)
        self._stable = False
        self._asking = asyncio.Lock()
        self._consumer: AIOKafkaConsumer | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Join; returns when connected, the shards come later. GroupAwayError if Kafka does not answer."""
        session_s = self._group.session_s
        heartbeat_s = self._group.heartbeat_s or session_s * HEARTBEAT_SHARE
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            client_id="ioc-connect-group",
            group_id=self._group.name,
            enable_auto_commit=False,
            auto_offset_reset="latest",
            session_timeout_ms=int(session_s * 1000),
            heartbeat_interval_ms=max(100, int(heartbeat_s * 1000)),
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            consumer_timeout_ms=LOOK_AFTER_MS,
        )
        try:
            await consumer.start()
        except (KafkaError, OSError) as error:
            await consumer.stop()
            raise GroupAwayError(
                Text(f"Kafka chưa trả lời ({type(error).__name__})", f"Kafka does not answer ({type(error).__name__})")
            ) from error
        consumer.subscribe([self._group.topic], listener=self._listener)
        self._consumer = consumer
        self._task = asyncio.create_task(self._confirm(consumer), name="connect membership")

    async def stop(self) -> None:
        """Leave: the others get the shards at once. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await consumer.stop()

    async def confirm_now(self) -> None:
        """Ask the broker whether this is still a member of the present distribution, and prolong the lease if so."""
        async with self._asking:
            consumer = self._consumer
            shards = sorted(consumer.assignment()) if consumer is not None and self._stable else []
            if consumer is None or not shards:
                return
            sent_at = self._monotonic()
            with suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(self._group.session_s):
                    await consumer.commit({shards[0]: 0})
                    self._lease.confirm(sent_at)

    async def unsettle(self) -> None:
        """A new distribution begins: ask nothing until it is known, since a commit of a member that the broker does
        not know makes the client forget the membership that it is just being given."""
        self._stable = False
        async with self._asking:
            pass

    def settle(self, partitions: list[TopicPartition]) -> None:
        """The distribution is known. Nothing of its partitions is fetched."""
        self._stable = True
        if self._consumer is not None:
            self._consumer.pause(*partitions)

    async def _confirm(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            try:
                # Nothing is fetched, but a member that never asks is taken for stuck.
                await consumer.getmany(timeout_ms=0)
            except KafkaError as error:
                log.warning("connect_group", reason=type(error).__name__)
                await asyncio.sleep(RETRY_S)
            await self.confirm_now()
            await asyncio.sleep(self._group.confirm_s if consumer.assignment() else RETRY_S)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(
        self,
        member: Membership,
        revoked: Callable[[], Awaitable[None]],
        assigned: Callable[[frozenset[int]], None],
    ) -> None:
        self._member = member
        self._revoked = revoked
        self._assigned = assigned

    async def on_partitions_revoked(self, revoked: object) -> None:
        await asyncio.gather(self._revoked(), self._member.unsettle())

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._member.settle(list(assigned))
        self._assigned(frozenset(partition.partition for partition in assigned))
