"""The monitor's observations of the last day, kept in a compacted topic: it writes them, everybody reads them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from connectors.compacted import CompactedTopic
from hub.health.observation import Observation, observations, slot, to_json

OBSERVATIONS_TOPIC = "ioc.health.observations"


class ObservationBook:
    """Over a topic that keeps its values. Reading takes milliseconds."""

    def __init__(self, topic: CompactedTopic) -> None:
        self._topic = topic

    def of(self, dataset: str, now: datetime) -> list[Observation]:
        """The last day of one data set, the oldest first."""
        return observations(self._topic.items().values(), dataset, now)

    async def write(self, seen: Mapping[str, Observation], at: datetime) -> None:
        """Write one minute; what was written of the same minute the day before goes. Raises CompactedTopicError."""
        await self._topic.put(slot(at), to_json(seen, at))
