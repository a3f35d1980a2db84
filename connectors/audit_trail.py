"""Who did what to which connector, when: the topic `ioc.connect.audit`, written before the act and never rewritten."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import orjson
import structlog

AUDIT_TOPIC = "ioc.connect.audit"
SHOWN = 200
"""The newest acts of each connector that are kept in memory for showing; the topic has them all."""

log = structlog.get_logger("ioc.connectors")


@dataclass(frozen=True, slots=True)
class Act:
    """`act`: applied, approved, paused, resumed, stopped, restarted, removed, position_set,
    replayed, record_mended. `at`: epoch ms.

    `by` names the credential, never shows it; `detail` says what changed in a few words, without content.
    """

    connector: str
    act: str
    by: str
    at: int
    version: int = 0
    detail: str = ""


class Trail(Protocol):
    """The topic (see `connectors/compacted.py`), followed."""

    def on_change(self, callback: Callable[[str, bytes | None], None]) -> None: ...

    async def put_all(self, records: Iterable[tuple[str, bytes | None]]) -> None: ...


class AuditTrail:
    """Make it before the topic is started."""

    def __init__(self, topic: Trail) -> None:
        self._topic = topic
        self._acts: dict[str, deque[Act]] = {}
        topic.on_change(self._seen)

    async def note(self, act: Act) -> None:
        """Write down what is about to be done; on return all replicas have it."""
        await self._topic.put_all([(act.connector, orjson.dumps(dataclasses.asdict(act)))])

    def of(self, connector: str) -> list[Act]:
        """The newest acts, the oldest of them first."""
        return list(self._acts.get(connector, ()))

    def _seen(self, key: str, value: bytes | None) -> None:
        try:
            raw = orjson.loads(value or b"")
            act = Act(
                key, str(raw["act"]), str(raw["by"]), int(raw["at"]), int(raw["version"]), str(raw.get("detail", ""))
            )
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            log.warning("audit_unreadable", connector=key)
            return
        self._acts.setdefault(key, deque(maxlen=SHOWN)).append(act)
