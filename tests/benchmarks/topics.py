"""Topics of the benchmarks: made, filled in batches per partition, dropped."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError

from tests.benchmarks.events import PARTITIONS, Message

MAX_REQUEST_BYTES = 8 * 1024 * 1024
BATCH_BYTES = 256 * 1024
"""Batches as large as a busy producer's; aiokafka's default of 16 KiB would make the broker the limit."""


BROKERS_TIME = {"message.timestamp.type": "LogAppendTime"}
"""A record's time is when the broker appended it, and its acknowledgement tells it."""


def create(
    bootstrap: str, topic: str, partitions: int = PARTITIONS, settings: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Make a topic; raises `TopicAlreadyExistsError`."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=dict(settings))])
    finally:
        admin.close()


def ensure(bootstrap: str, topic: str) -> None:
    """Make a topic of one partition unless it is there."""
    with contextlib.suppress(TopicAlreadyExistsError):
        create(bootstrap, topic, 1)


def drop(bootstrap: str, *topics: str) -> None:
    """Free the disk of topics no longer needed."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.delete_topics(list(topics))
    admin.close()


async def write(bootstrap: str, topic: str, messages: Iterable[Message], partitions: int = PARTITIONS) -> int:
    """Write the messages, each to the partition of its key by murmur2; how many there were."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", max_request_size=MAX_REQUEST_BYTES, max_batch_size=BATCH_BYTES
    )
    await producer.start()
    try:
        partitioner, numbers = DefaultPartitioner(), list(range(partitions))
        batches = {partition: producer.create_batch() for partition in numbers}
        count = 0
        for key, value in messages:
            partition = partitioner(key, numbers, numbers)
            if batches[partition].append(key=key, value=value, timestamp=None) is None:
                full, batches[partition] = batches[partition], producer.create_batch()
                await (await producer.send_batch(full, topic, partition=partition))
                batches[partition].append(key=key, value=value, timestamp=None)
            count += 1
        for partition, batch in batches.items():
            if batch.record_count():
                await (await producer.send_batch(batch, topic, partition=partition))
        return count
    finally:
        await producer.stop()


def fill(bootstrap: str, topic: str, messages: Iterable[Message], partitions: int = PARTITIONS) -> int:
    """Make the topic and write the messages; how many there were."""
    create(bootstrap, topic, partitions)
    return asyncio.run(write(bootstrap, topic, messages, partitions))
