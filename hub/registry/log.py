"""The log that the registry's state is folded from: one compacted topic with one partition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from connectors.compacted import CompactedTopic, TopicAwayError, TopicMissingError, WriteUncertainError
from hub.registry.records import Record, UnreadableRecordError, decode

SCHEMAS_TOPIC = "_schemas"
PROBE_TIMEOUT_S = 2.5
"""A read barrier that takes longer shows a broker that is away; below the 3 s that a readiness check may take."""


class LogAwayError(Exception):
    """The log cannot be read or written now; the message says why. A write may have happened."""


class SchemaLog(Protocol):
    """An ordered, durable log with one writer at a time."""

    async def open(self, apply: Callable[[Record], None]) -> None:
        """Give every record to `apply`, in order, now to the end and from then on. Raises LogAwayError."""

    async def append(self, key: str, value: bytes | None) -> None:
        """Write; on return it is durable and was applied. Raises LogAwayError: perhaps written."""

    async def catch_up(self, timeout_s: float) -> None:
        """Wait until everything written before has been applied. Raises LogAwayError."""

    async def close(self) -> None:
        """Idempotent."""


class KafkaLog:
    """The log in Kafka. A writer's turn by epoch goes here when several registries run."""

    def __init__(self, bootstrap: str, topic: str = SCHEMAS_TOPIC) -> None:
        self._bootstrap = bootstrap
        self._topic_name = topic
        self._topic: CompactedTopic | None = None
        self._unreadable: UnreadableRecordError | None = None

    async def open(self, apply: Callable[[Record], None]) -> None:
        def changed(key: str, value: bytes | None) -> None:
            try:
                record = decode(key, value)
            except UnreadableRecordError as error:
                self._unreadable = error  # stops the log: an id might be given twice
                raise
            if record is not None:
                apply(record)

        topic = CompactedTopic(self._bootstrap, self._topic_name)
        topic.on_change(changed)
        try:
            await topic.start()
        except (TopicMissingError, TopicAwayError) as error:
            raise self._away(error) from error
        self._topic = topic

    async def append(self, key: str, value: bytes | None) -> None:
        try:
            await self._opened().put(key, value)
        except (WriteUncertainError, TopicAwayError) as error:
            raise self._away(error) from error

    async def catch_up(self, timeout_s: float = PROBE_TIMEOUT_S) -> None:
        try:
            await self._opened().catch_up(timeout_s)
        except TopicAwayError as error:
            raise self._away(error) from error

    async def close(self) -> None:
        topic, self._topic = self._topic, None
        if topic is not None:
            await topic.stop()

    def _opened(self) -> CompactedTopic:
        if self._topic is None:
            raise LogAwayError("the log is not open")
        return self._topic

    def _away(self, error: Exception) -> LogAwayError:
        return LogAwayError(str(self._unreadable or error))
