"""The incidents, kept in a compacted topic: the monitor writes them, everybody reads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog

from connectors.compacted import CompactedTopic
from hub.health.incident import KEPT, Incident

INCIDENTS_TOPIC = "ioc.health.incidents"

log = structlog.get_logger("ioc.monitor")


class IncidentBook:
    """Make it before the topic is started. Reading returns at once."""

    def __init__(self, topic: CompactedTopic) -> None:
        self._topic = topic
        self._incidents: dict[str, Incident] = {}
        topic.on_change(self._changed)

    def _changed(self, key: str, value: bytes | None) -> None:
        try:
            if value is None:
                self._incidents.pop(key, None)
            else:
                self._incidents[key] = Incident.from_json(value)
        except (ValueError, TypeError, KeyError):
            log.warning("incident_unreadable", incident=key[:80])

    def all(self) -> tuple[Incident, ...]:
        """The newest first; open ones before all others."""
        found = sorted(self._incidents.values(), key=lambda one: one.began, reverse=True)
        return tuple(sorted(found, key=lambda one: one.ended is not None))

    def since(self, time: datetime) -> tuple[Incident, ...]:
        """Those that were open at `time` or later, in the order of `all`."""
        return tuple(one for one in self.all() if one.ended is None or one.ended >= time)

    async def catch_up(self) -> None:
        """Wait for everything that was written before by anybody. Raises TopicAwayError."""
        await self._topic.catch_up()

    async def write(self, incidents: Sequence[Incident], now: datetime) -> None:
        """Write what began or ended, and take out what is older than a year's report needs. Raises
        CompactedTopicError; writing the same again is harmless."""
        old = [one.id for one in self._incidents.values() if one.ended is not None and now - one.ended > KEPT]
        records = [*((one.id, one.to_json()) for one in incidents), *((id, None) for id in old)]
        if records:
            await self._topic.put_all(records)
