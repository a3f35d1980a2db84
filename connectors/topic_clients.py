"""The Kafka clients with which a compacted topic is followed and written."""

from __future__ import annotations

from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner

CLIENT_ID = "ioc-compacted"
REQUEST_TIMEOUT_MS = 20_000
FETCH_BYTES = 1_048_576  # as compressed; a larger record comes all the same
MAX_RECORD_BYTES = 12_582_912
"""As the broker's `message.max.bytes`."""

PartitionKey = Callable[[bytes], bytes]
"""The part of a record's key by which its partition is chosen; records with the same part keep their order."""


def new_consumer(bootstrap: str) -> AIOKafkaConsumer:
    """Not started. One follows the topic, another asks where it ends: on the connection of a fetch that the broker
    holds, the answer would come after it."""
    return AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        client_id=CLIENT_ID,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
    )


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
