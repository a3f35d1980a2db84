"""The log that the registry's state is folded from: one compacted topic with one partition, one writer at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from connectors.compacted import CompactedTopic, TopicAwayError, TopicMissingError
from hub.registry.fenced_writer import WriterAwayError
from hub.registry.leadership import Leadership, Records, Turn
from hub.registry.records import IdsGiven, Record, SchemaRecord, UnreadableRecordError, decode, encode

SCHEMAS_TOPIC = "_schemas"
SESSION_TIMEOUT_S = 6.0
PROBE_TIMEOUT_S = 2.5
"""A read barrier that takes longer shows a broker that is away; below the 3 s that a readiness check may take."""
FOLD_TIMEOUT_S = 30.0


class LogAwayError(Exception):
    """The log cannot be read or written now; the message says why. A write may have happened."""


class SchemaLog(Protocol):
    """An ordered, durable log with one writer at a time."""

    @property
    def position(self) -> int:
        """How far the log was applied: the offset after the last record."""

    @property
    def leader(self) -> str | None:
        """The address of another instance that may write; None if it is this one or none is known."""

    @property
    def epoch(self) -> int:
        """The epoch this instance writes with, -1 while it may not."""

    async def open(self, apply: Callable[[Record], None]) -> None:
        """Give every record to `apply`, in order, now to the end and from then on. Raises LogAwayError."""

    def turn(self) -> Turn:
        """The right to write, with everything written before applied. Raises NotLeaderError."""

    async def append(self, turn: Turn, records: Records) -> None:
        """Write in order; on return they are durable and were applied. Raises LogAwayError: perhaps written."""

    async def leader_changes(self, timeout_s: float) -> None:
        """Wait until another leader is known or this instance may write, at most so long."""

    async def catch_up(self, timeout_s: float) -> None:
        """Wait until everything written before has been applied. Raises LogAwayError."""

    async def reach(self, offset: int, timeout_s: float) -> None:
        """Wait until everything before `offset` has been applied. Raises LogAwayError."""

    async def close(self) -> None:
        """Idempotent."""


class KafkaLog:
    """The log in Kafka. `url` is where the other registries reach this one."""

    def __init__(
        self,
        bootstrap: str,
        topic: str = SCHEMAS_TOPIC,
        url: str = "",
        session_timeout_s: float = SESSION_TIMEOUT_S,
    ) -> None:
        self._bootstrap = bootstrap
        self._topic_name = topic
        self._url = url
        self._session_timeout_s = session_timeout_s
        self._topic: CompactedTopic | None = None
        self._leadership: Leadership | None = None
        self._unreadable: UnreadableRecordError | None = None
        self._last_id = 0

    @property
    def position(self) -> int:
        return 0 if self._topic is None else self._topic.position()

    @property
    def leader(self) -> str | None:
        return None if self._leadership is None else self._leadership.leader

    @property
    def epoch(self) -> int:
        return -1 if self._leadership is None else self._leadership.epoch()

    async def open(self, apply: Callable[[Record], None]) -> None:
        def changed(key: str, value: bytes | None) -> None:
            try:
                record = decode(key, value)
            except UnreadableRecordError as error:
                self._unreadable = error  # stops the log: an id might be given twice
                raise
            if record is not None:
                self._last_id = max(self._last_id, _greatest_id(record))
                apply(record)

        topic = CompactedTopic(self._bootstrap, self._topic_name, keep_values=False)
        topic.on_change(changed)
        try:
            await topic.start()
        except (TopicMissingError, TopicAwayError) as error:
            raise self._away(error) from error
        self._topic = topic
        self._leadership = Leadership(
            self._bootstrap, self._topic_name, self._url, self._session_timeout_s, self._mark, self._fold_to
        )
        await self._leadership.start()

    def turn(self) -> Turn:
        return self._led().turn()

    async def append(self, turn: Turn, records: Records) -> None:
        try:
            await self._opened().reach(await turn.append(records), FOLD_TIMEOUT_S)
        except (WriterAwayError, TopicAwayError) as error:
            raise self._away(error) from error

    async def leader_changes(self, timeout_s: float) -> None:
        await self._led().changes(timeout_s)

    async def catch_up(self, timeout_s: float = PROBE_TIMEOUT_S) -> None:
        try:
            await self._opened().catch_up(timeout_s)
        except TopicAwayError as error:
            raise self._away(error) from error

    async def reach(self, offset: int, timeout_s: float) -> None:
        try:
            await self._opened().reach(offset, timeout_s)
        except TopicAwayError as error:
            raise self._away(error) from error

    async def close(self) -> None:
        leadership, self._leadership = self._leadership, None
        if leadership is not None:
            await leadership.stop()
        topic, self._topic = self._topic, None
        if topic is not None:
            await topic.stop()

    async def _mark(self) -> Records:
        try:
            await self.catch_up(FOLD_TIMEOUT_S)
        except LogAwayError as error:
            raise WriterAwayError(str(error)) from error
        return [encode(IdsGiven(self._last_id))]

    async def _fold_to(self, offset: int) -> None:
        try:
            await self.reach(offset, FOLD_TIMEOUT_S)
        except LogAwayError as error:
            raise WriterAwayError(str(error)) from error

    def _opened(self) -> CompactedTopic:
        if self._topic is None:
            raise LogAwayError("the log is not open")
        return self._topic

    def _led(self) -> Leadership:
        if self._leadership is None:
            raise LogAwayError("the log is not open")
        return self._leadership

    def _away(self, error: Exception) -> LogAwayError:
        return LogAwayError(str(self._unreadable or error))


def _greatest_id(record: Record) -> int:
    match record:
        case SchemaRecord():
            return record.id
        case IdsGiven(up_to):
            return up_to
    return 0
