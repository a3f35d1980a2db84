"""Whether topics and warehouse are still the ones that were taken over.

A topic deleted and made again has another id: its offsets begin at 0, and a consumer that stands further on would pass
over its first records. A warehouse that was away may come back from a backup, without the last batches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog

from streams.errors import StreamError, WarehouseUnavailableError
from streams.topic_ids import TopicIds, TopicUnknownError
from streams.warehouse.client import Warehouse

log = structlog.get_logger()

LOOK_EVERY_S = 5.0

PING_EVERY_S = 1.0
"""A warehouse cannot be stopped, restored and started within this time."""


class TopicRecreatedError(StreamError):
    """A topic is another one now: the worker ends, and the next one begins it at its start, in a new life."""


def recreated(taken: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Topics whose id is not the one they were taken over with; those of unknown id are left out."""
    return sorted(topic for topic, known in taken.items() if found.get(topic, known) != known)


async def watch_topics(taken: Callable[[], Mapping[str, str]], topic_ids: TopicIds) -> None:
    """Look again and again; raises `TopicRecreatedError`. `taken`: ids by topic, of the present assignment."""
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        before = dict(taken())
        found: dict[str, str] = {}
        for topic in before:
            try:
                found[topic] = (await asyncio.to_thread(topic_ids, topic)).id
            except TopicUnknownError as error:
                log.warning("topic_id_unknown", topic=topic, error=str(error))
        now = taken()
        others = recreated({topic: known for topic, known in before.items() if now.get(topic) == known}, found)
        if others:
            log.error(
                "topic_recreated", topics=others, then="the process ends; the next one begins them at their start"
            )
            raise TopicRecreatedError(f"made anew under their names: {', '.join(others)}")


async def watch_warehouse(warehouse: Warehouse, doubt: Callable[[], None]) -> None:
    """Look again and again; calls `doubt` when the warehouse was away or was started anew."""
    before, seen = 0, False
    while True:
        await asyncio.sleep(PING_EVERY_S)
        try:
            up_s = int((await asyncio.to_thread(warehouse.rows, "SELECT uptime()"))[0][0])
        except WarehouseUnavailableError:
            up_s = -1
        if seen and (up_s < before or up_s < 0):
            doubt()
        seen = seen or up_s >= 0
        before = max(up_s, 0)


async def watch(
    taken: Callable[[], Mapping[str, str]], topic_ids: TopicIds, warehouse: Warehouse, doubt: Callable[[], None]
) -> None:
    """Both, until one raises."""
    async with asyncio.TaskGroup() as group:
        group.create_task(watch_topics(taken, topic_ids))
        group.create_task(watch_warehouse(warehouse, doubt))
