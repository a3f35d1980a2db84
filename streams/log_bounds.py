"""Where a partition's log begins and ends, asked beside the fetches.

A broker answers the requests of one connection in their order, and holds a fetch that finds nothing for up to half a
second. Over the connection of the fetches, as the driver asks, the bounds of a topic's four partitions took 0.6 to
2.6 s each at a start, one behind the other; over that of the group's commits 4 to 31 ms.
"""

from __future__ import annotations

import asyncio
import copy
from typing import Any

from aiokafka import TopicPartition
from aiokafka.client import ConnectionGroup


class _Beside:
    """aiokafka's client, sending over the connection of the group's commits."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def send(self, node: int, request: Any) -> Any:
        return await self._client.send(node, request, group=ConnectionGroup.COORDINATION)


async def bounds(consumer: Any, partition: TopicPartition) -> tuple[int, int]:
    """First offset kept in the log, and its end for an aiokafka `consumer`'s isolation level.

    Waits for a broker that is away as long as the consumer would; raises `KafkaError`.
    """
    fetcher = copy.copy(consumer._fetcher)
    fetcher._client = _Beside(consumer._client)
    first, end = await asyncio.gather(
        fetcher.beginning_offsets([partition], consumer._request_timeout_ms),
        fetcher.end_offsets([partition], consumer._request_timeout_ms),
    )
    return first[partition], end[partition]
