"""A log's bounds come while a fetch is held, and are those that the driver itself tells."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from streams.log_bounds import bounds
from streams.records import ISOLATION

HELD_S = 30
"""How long the broker may hold the fetch that finds nothing."""
SOON_S = HELD_S / 3


@pytest.fixture
def place(kafka: str) -> TopicPartition:
    topic = f"bounds-{uuid.uuid4().hex[:8]}"
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    admin.create_topics([NewTopic(topic, 1, 1)])
    admin.close()
    return TopicPartition(topic, 0)


@pytest.fixture
async def consumer(kafka: str, place: TopicPartition) -> AsyncIterator[AIOKafkaConsumer]:
    """At the end of the log, where its next fetch finds nothing."""
    made = AIOKafkaConsumer(
        bootstrap_servers=kafka, fetch_max_wait_ms=HELD_S * 1000, isolation_level=ISOLATION, enable_auto_commit=False
    )
    await made.start()
    made.assign([place])
    try:
        yield made
    finally:
        await made.stop()


async def send(producer: AIOKafkaProducer, place: TopicPartition, count: int) -> None:
    for number in range(count):
        await producer.send_and_wait(place.topic, str(number).encode(), partition=place.partition)


async def test_they_come_while_the_broker_holds_a_fetch(
    kafka: str, place: TopicPartition, consumer: AIOKafkaConsumer
) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        await send(producer, place, 7)
    await consumer.seek_to_beginning(place)
    while await consumer.position(place) < 7:
        await consumer.getmany(timeout_ms=1000)
    held = asyncio.create_task(consumer.getone())
    while not consumer._fetcher._in_flight:
        await asyncio.sleep(0.01)
    by_the_drivers_way = asyncio.create_task(consumer.end_offsets([place]))
    try:
        async with asyncio.timeout(SOON_S):
            assert await bounds(consumer, place) == (0, 7)
        assert not by_the_drivers_way.done()
    finally:
        for task in (held, by_the_drivers_way):
            task.cancel()


async def test_they_end_before_a_transaction_that_is_open(
    kafka: str, place: TopicPartition, consumer: AIOKafkaConsumer
) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=uuid.uuid4().hex) as producer:
        async with producer.transaction():
            await send(producer, place, 3)
        await producer.begin_transaction()
        await send(producer, place, 2)
        first, end = await bounds(consumer, place)
        assert (first, end) == (0, 4)  # three records and the mark of their end
        assert await consumer.end_offsets([place]) == {place: end}
        await producer.abort_transaction()
