"""Publishing to Kafka in batches per partition; returning means that all replicas have it.

aiokafka's home module. `send_batch` of prepared batches moves 20 times what `send` of single messages does; batches of
messages without headers are made by `record_batch.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    RecordTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.util import calc_crc32c

from connectors.clock import now_ms
from connectors.errors import PublishError, PublishRefusedError, Text
from connectors.holds import Holds
from connectors.partition import partition_of
from connectors.partition_batch import partitions_of
from connectors.record_batch import record_batches
from schemas import tracing

BATCH_BYTES = 524_288
"""Largest batch of one partition in one request: half of what a broker takes by default."""
REQUEST_BYTES = 12_582_912
"""Largest request, as the broker's `message.max.bytes`."""
REQUEST_TIMEOUT_MS = 20_000
"""How long the client tries by itself before it gives up and the caller decides."""
STOP_TIMEOUT_S = 5.0
"""A broker that is away must not keep a process from ending; what was not acknowledged is read or sent again."""
METADATA_MAX_AGE_MS = 30_000
"""How long partitions that another tool adds to a topic may stay unknown."""
METADATA_TIMEOUT_S = 5.0
"""How long to wait for a topic to be known; topics exist before this role starts."""

ANSWER_TIMEOUT_S = 2.0
"""How long a broker may take to say that it knows no such topic, before it counts as away."""
REFUSALS = (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    RecordTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
"""What the broker will answer again until somebody changes the topic, the rights or the message."""

Header = tuple[str, bytes]
Target = tuple[str, int]
"""A topic and one of its partitions."""


class Message(NamedTuple):
    """One message with headers."""

    key: bytes
    value: bytes
    headers: tuple[Header, ...] = ()


Groups = dict[Target, list[Any]]
"""Batches, as the client's producer takes them."""


class Publisher:
    """A producer with `acks=all`. Holds at most what its callers are waiting for."""

    def __init__(self, bootstrap: str, client_id: str = "ioc-connect", holds: Holds | None = None) -> None:
        """`holds`: topics that must not be written for now; a publication to one raises `TopicHeldError`."""
        self._bootstrap = bootstrap
        self._holds = holds
        self._counted: dict[str, int] = {}
        self._client_id = client_id
        self._producer: AIOKafkaProducer | None = None
        self._partitions: dict[str, int] = {}

    async def start(self) -> None:
        """Connect; PublishError if no broker answers."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            client_id=self._client_id,
            acks="all",
            max_batch_size=BATCH_BYTES,
            max_request_size=REQUEST_BYTES,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            metadata_max_age_ms=METADATA_MAX_AGE_MS,
        )
        try:
            await producer.start()
        except (KafkaError, OSError) as error:
            await producer.stop()
            raise _unacknowledged(error) from error
        self._producer = producer

    async def stop(self) -> None:
        """Flush and disconnect; gives up flushing after STOP_TIMEOUT_S. Idempotent."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await producer.stop()

    async def publish(self, topic: str, messages: Sequence[tuple[bytes, bytes]]) -> None:
        """Send (key, value) pairs; returns when all replicas have all of them. Order holds per key.

        PublishError: some may have arrived and some not; sending all again is right, since assertions repeat
        without harm.
        """
        partitions, at_ms = await self._count(topic), now_ms()
        lists: list[list[tuple[bytes, bytes]]] = [[] for _ in range(partitions)]
        for pair, number in zip(messages, partitions_of([key for key, _ in messages], partitions), strict=True):
            lists[number].append(pair)
        if tracing.on():
            await self._send(
                {(topic, n): self._with_headers(map(_bare, pairs)) for n, pairs in enumerate(lists) if pairs}
            )
            return
        await self._send(
            {
                (topic, number): [_Batch(*made) for made in record_batches(pairs, at_ms, BATCH_BYTES, calc_crc32c)]
                for number, pairs in enumerate(lists)
                if pairs
            }
        )

    async def publish_messages(self, topic: str, messages: Iterable[Message]) -> None:
        """As `publish`, with headers."""
        partitions = await self._count(topic)
        groups: defaultdict[int, list[Message]] = defaultdict(list)
        for message in messages:
            groups[partition_of(message.key, partitions)].append(message)
        await self._send({(topic, number): self._with_headers(group) for number, group in groups.items()})

    def _client(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise _unacknowledged(None)
        return self._producer

    async def _count(self, topic: str) -> int:
        """Partitions of a topic; asked again at each publication from the client's own cached metadata, and from the
        broker after a hold. Raises `TopicHeldError`."""
        changes = 0
        if self._holds is not None:
            self._holds.check(topic)
            changes = self._holds.changes(topic)
        try:
            async with asyncio.timeout(METADATA_TIMEOUT_S):
                if changes != self._counted.get(topic, 0) and await self._client().client.force_metadata_update():
                    self._counted[topic] = changes
                return len(await self._client().partitions_for(topic))
        except TimeoutError as error:
            unknown = UnknownTopicOrPartitionError(topic) if await self._answers() else error
            raise _unacknowledged(unknown) from error
        except KafkaError as error:
            raise _unacknowledged(error) from error

    async def _answers(self) -> bool:
        """Whether a broker answers: then a topic that stays unknown does not exist."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return bool(await self._client().client.force_metadata_update())
        except (KafkaError, TimeoutError):
            return False

    async def _send(self, groups: Groups) -> None:
        try:
            sent = await asyncio.gather(
                *(self._send_partition(topic, number, batches) for (topic, number), batches in groups.items())
            )
            results = await asyncio.gather(*(ack for acks in sent for ack in acks), return_exceptions=True)
        except (KafkaError, OSError) as error:
            raise _unacknowledged(error) from error
        for result in results:
            if isinstance(result, BaseException):
                raise _unacknowledged(result) from result

    async def _send_partition(self, topic: str, partition: int, batches: list[Any]) -> list[asyncio.Future[Any]]:
        return [await self._client().send_batch(batch, topic, partition=partition) for batch in batches]

    def _with_headers(self, messages: Iterable[Message]) -> list[Any]:
        """The client's own batches; the first message of each carries the trace's context."""
        producer, traced = self._client(), _traced()
        batches: list[Any] = []
        for key, value, headers in messages:
            row = {"key": key, "value": value, "timestamp": None, "headers": list(headers)}
            if not batches or batches[-1].append(**row) is None:
                batches.append(producer.create_batch())
                batches[-1].append(**row | {"headers": [*headers, *traced]})
        return batches


def _bare(pair: tuple[bytes, bytes]) -> Message:
    return Message(*pair)


def _traced() -> list[Header]:
    context = tracing.context()
    return [] if context is None else [(tracing.HEADER, context.encode())]


class _Batch(BatchBuilder):  # type: ignore[misc]
    """A batch that is made already, as the client's producer takes it."""

    def __init__(self, octets: bytes, records: int) -> None:
        self._buffer = octets
        self._relative_offset = records
        self._closed = True


def _unacknowledged(cause: BaseException | None) -> PublishError:
    name = type(cause).__name__ if cause is not None else "NotStarted"
    if isinstance(cause, REFUSALS):
        return PublishRefusedError(
            Text(
                f"Kafka từ chối ghi ({name}); kiểm tra chủ đề, quyền và giới hạn kích thước bản tin",
                f"Kafka refuses to write ({name}); check the topic, its rights and its limit on the size of messages",
            )
        )
    return PublishError(
        Text(
            f"Kafka chưa xác nhận đã ghi đủ bản sao ({name}); sẽ gửi lại",
            f"Kafka has not acknowledged all replicas ({name}); it will be sent again",
        )
    )
