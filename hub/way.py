"""The way from a topic to the warehouse, as seen from this process: what states and their evidence lean on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Literal, Protocol

from hub.health.flow import Flow, stuck
from hub.health.group import Health, PartitionHealth
from hub.health.writing import WriteReport, slow
from hub.kpi.reader import Outage

AWAY_AFTER = timedelta(seconds=10)
"""A restart of the warehouse is shorter: until then nothing is said of it."""


class Watch(Protocol):
    """What is asked of `hub.kafka_watch.KafkaWatch`."""

    def cause(self) -> str | None: ...
    def health(self) -> Health: ...
    def connect_gone_since(self) -> datetime | None: ...


class Warehouse(Protocol):
    """What is asked of `hub.kpi.reader.Reader`."""

    @property
    def outage(self) -> Outage | None: ...


class Way:
    """Asked by entity; answers at once. `reports`: what stream workers tell of their writes, by worker."""

    def __init__(
        self,
        watch: Watch,
        warehouse: Warehouse,
        reports: Callable[[], Mapping[str, WriteReport]],
        topics: Callable[[], Mapping[str, str]],
        clock: Callable[[], datetime],
    ) -> None:
        self._watch = watch
        self._warehouse = warehouse
        self._reports = reports
        self._topics = topics
        self._clock = clock
        self._heard_since: datetime | None = None

    def __call__(self, entity: str) -> Flow:
        """The flow of an entity's topic; nothing is known while Kafka does not answer."""
        kafka = self._watch.cause() is None
        if self._heard_since is None or not kafka:
            self._heard_since = self._clock()
        partitions = self.partitions(entity).values()
        waiting = [one.behind.records for one in partitions if one.behind.records is not None]
        return Flow(
            kafka=kafka,
            heard_since=self._heard_since,
            connect_gone_since=self._watch.connect_gone_since(),
            stream=stuck(partitions),
            warehouse=self._written(),
            waiting=sum(waiting) if waiting else None,
            oldest_s=max((one.behind.seconds for one in partitions if one.behind.seconds is not None), default=None),
        )

    def partitions(self, entity: str) -> dict[int, PartitionHealth]:
        """The stream group's health on the entity's topic, by partition."""
        topic = self._topics().get(entity)
        return {partition: one for (name, partition), one in self._watch.health().items() if name == topic}

    def _written(self) -> Literal["away", "slow"] | None:
        now, outage = self._clock(), self._warehouse.outage
        if outage is not None and now - outage.since >= AWAY_AFTER:
            return "away"
        return "slow" if slow(self._reports().values(), now) else None
