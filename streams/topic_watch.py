"""Whether the topics are still the ones that were taken over: one deleted and made again has another id.

Offsets of the new topic begin at 0, and a consumer that stands further on would pass over its first records.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog

from streams.errors import StreamError
from streams.topic_ids import TopicIds, TopicUnknownError

log = structlog.get_logger()

LOOK_EVERY_S = 5.0


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
