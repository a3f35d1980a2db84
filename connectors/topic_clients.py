"""The Kafka clients with which a compacted topic is followed and written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner

CLIENT_ID = "ioc-compacted"
REQUEST_TIMEOUT_MS = 20_000
FETCH_BYTES = 1_048_576  # as compressed; a larger record comes all the same
GATHERED_BYTES = 65_536
LOOK_AFTER_MS = 5_000
"""How often the client looks by itself whether there is something to fetch: answers, new leaders and new positions
wake it all the same. Its own default, five times a second, was a third of what a topic at rest costs."""
MAX_RECORD_BYTES = 12_582_912
"""As the broker's `message.max.bytes`."""

PartitionKey = Callable[[bytes], bytes]
"""The part of a record's key by which its partition is chosen; records with the same part keep their order."""


def new_consumer(bootstrap: str, *, gathers: bool = False) -> AIOKafkaConsumer:
    """Not started. One follows the topic, another asks where it ends: on the connection of a fetch that the broker
    holds, the answer would come after it. `gathers`: the broker holds a fetch until there are `GATHERED_BYTES`, or its
    time is over."""
    return AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        client_id=CLIENT_ID,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_min_bytes=GATHERED_BYTES if gathers else 1,
        consumer_timeout_ms=LOOK_AFTER_MS,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
    )


def news_of(consumer: AIOKafkaConsumer) -> asyncio.Future[None]:
    """Done once something was fetched from now on: records, or the mark of a transaction alone, which `getmany` passes
    over without an end to its wait. Cancel it if it is no longer waited for. Raises what `getmany` would."""
    news: asyncio.Future[None] = consumer._fetcher._create_fetch_waiter()
    return news


def new_producer(bootstrap: str, partition_key: PartitionKey | None) -> AIOKafkaProducer:
    """Not started. What it has sent, all replicas have."""
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        client_id=CLIENT_ID,
        acks="all",
        max_request_size=MAX_RECORD_BYTES,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        partitioner=_partitioner(partition_key),
    )


def _partitioner(part: PartitionKey | None) -> Callable[..., int]:
    default: Callable[..., int] = DefaultPartitioner()
    if part is None:
        return default
    return lambda key, partitions, available: default(part(key), partitions, available)
