"""Holds: nobody publishes to a topic while its partitions are being added. They live in the status topic.

A hold ends by itself: whoever holds renews it, and if he dies, publishers go on within `HOLD_MS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import orjson
import structlog

from connectors.errors import PublishError, Text

HOLD_MS = 30_000
"""How long a hold lasts that is not renewed."""

_PREFIX = "hold:"

log = structlog.get_logger("ioc.connectors")


class TopicHeldError(PublishError):
    """Nothing was written: the topic is held for a moment."""

    code = "topic_held"

    def __init__(self, topic: str, retry_after_s: int) -> None:
        super().__init__(
            Text(
                f"Chủ đề {topic} đang được thêm phân vùng, tạm dừng ghi; hãy gửi lại sau {retry_after_s} giây",
                f"Topic {topic} is getting more partitions and is not written for now; send again in {retry_after_s} s",
            )
        )
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Hold:
    """Of one topic, until `until_ms` (Unix)."""

    topic: str
    until_ms: int
    by: str

    def to_json(self) -> bytes:
        return orjson.dumps({"until_ms": self.until_ms, "by": self.by})


def hold_key(topic: str) -> str:
    """The key of a topic's hold."""
    return _PREFIX + topic


def is_hold(key: str) -> bool:
    """Whether a key of the status topic is that of a hold."""
    return key.startswith(_PREFIX)


class Follower(Protocol):
    """What tells of every record of the status topic: `connectors.compacted.CompactedTopic`."""

    def on_change(self, callback: Callable[[str, bytes | None], None]) -> None: ...


class Holds:
    """The holds that are on record, followed. Make it before the topic is started."""

    def __init__(self, statuses: Follower, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._holds: dict[str, Hold] = {}
        self._changes: dict[str, int] = {}
        statuses.on_change(self._changed)

    def check(self, topic: str) -> None:
        """Raise `TopicHeldError` if the topic is held now."""
        hold = self._holds.get(topic)
        if hold is not None and self._now_ms() < hold.until_ms:
            raise TopicHeldError(topic, 2)

    def changes(self, topic: str) -> int:
        """Grows with every word about a hold of the topic: what is known of its partitions may be old then."""
        return self._changes.get(topic, 0)

    def _changed(self, key: str, value: bytes | None) -> None:
        if not is_hold(key):
            return
        topic = key.removeprefix(_PREFIX)
        self._changes[topic] = self._changes.get(topic, 0) + 1
        if value is None:
            self._holds.pop(topic, None)
            log.info("topic_released", topic=topic)
            return
        try:
            told = orjson.loads(value)
            hold = Hold(topic, int(told["until_ms"]), str(told["by"]))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            log.warning("hold_unreadable", topic=topic)
            return
        if topic not in self._holds:
            log.info("topic_held", topic=topic, by=hold.by)
        self._holds[topic] = hold
