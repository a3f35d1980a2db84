"""What the hub knows of Kafka at any moment: lag of the stream's group and records per topic, read by a thread."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Protocol

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from hub.health.lag import Behind, KnownEnd, behind, remember
from hub.topics import PartitionLag, TopicsError

INTERVAL_S = 1.0
Place = tuple[str, int]
"""Topic and partition."""

STALE_AFTER_S = 10.0
"""A reading older than this is no longer shown as the present."""


class LagReader(Protocol):
    """Reads the lag; blocks; raises `TopicsError`."""

    def read(self) -> list[PartitionLag]: ...

    def close(self) -> None: ...


class OldestReader(Protocol):
    """Reads when the record at a position was written; blocks for a moment; leaves out what it could not read."""

    def at(self, positions: Mapping[Place, int]) -> Mapping[Place, datetime]: ...

    def close(self) -> None: ...


class KafkaWatch:
    """Keeps the last reading. `cause`, `topic_records`, `partitions` and `behind` return at once, from any thread."""

    def __init__(
        self, reader: LagReader, oldest: OldestReader, clock: Callable[[], datetime], interval_s: float = INTERVAL_S
    ) -> None:
        self._reader = reader
        self._oldest = oldest
        self._clock = clock
        self._ends: dict[Place, tuple[KnownEnd, ...]] = {}
        self._behind: Mapping[Place, Behind] = {}
        self._interval_s = interval_s
        self._stopping = threading.Event()
        self._partitions: tuple[PartitionLag, ...] = ()
        self._read_at: float | None = None
        self._cause: str | None = "not asked yet"
        self._thread = threading.Thread(target=self._run, name="kafka-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; waits for the question under way, some seconds at most."""
        self._stopping.set()
        self._thread.join(timeout=10.0)

    def cause(self) -> str | None:
        """Why Kafka is not well, None if it answered lately."""
        if self._cause is not None:
            return self._cause
        age = time.monotonic() - (self._read_at or 0.0)
        return None if age < STALE_AFTER_S else f"no answer for {age:.0f} s"

    def partitions(self) -> tuple[PartitionLag, ...]:
        """The last reading; empty before the first."""
        return self._partitions

    def behind(self) -> Mapping[Place, Behind]:
        """How far the group is behind, as of the last reading; empty when that is older than `STALE_AFTER_S`, and
        without partitions that are gone."""
        return self._behind if time.monotonic() - (self._read_at or -STALE_AFTER_S) < STALE_AFTER_S else {}

    def topic_records(self) -> Mapping[str, int]:
        """Records ever written, by topic."""
        totals: dict[str, int] = defaultdict(int)
        for partition in self._partitions:
            totals[partition.topic] += partition.end
        return totals

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._look(tuple(self._reader.read()))
                self._read_at = time.monotonic()
                self._cause = None
            except TopicsError as error:
                self._cause = str(error)
            self._stopping.wait(self._interval_s)
        self._reader.close()
        self._oldest.close()

    def _look(self, partitions: tuple[PartitionLag, ...]) -> None:
        now = self._clock()
        self._partitions = partitions
        self._ends = {_place(item): remember(self._ends.get(_place(item), ()), item.end, now) for item in partitions}
        oldest = self._oldest.at(waiting(partitions))
        self._behind = {
            _place(item): behind(item.position, item.end, oldest.get(_place(item)), self._ends[_place(item)], now)
            for item in partitions
        }


def waiting(partitions: Iterable[PartitionLag]) -> dict[Place, int]:
    """Positions at which a record waits."""
    return {_place(item): item.position for item in partitions if item.position is not None and item.lag}


def _place(item: PartitionLag) -> Place:
    return item.topic, item.partition


class LagCollector(Collector):
    """The lag of a group from a watch. What is not known has no sample; a failed collection says so by
    `ioc_collector_up`, and its last figures stay until they are `STALE_AFTER_S` old."""

    def __init__(self, watch: KafkaWatch, group: str) -> None:
        self._watch = watch
        self._group = group

    def collect(self) -> Iterable[GaugeMetricFamily]:
        up = GaugeMetricFamily("ioc_collector_up", "0 if its last collection failed.", labels=["collector"])
        up.add_metric(["kafka"], 1.0 if self._watch.cause() is None else 0.0)
        return [up, *self._families()]

    def _families(self) -> Iterator[GaugeMetricFamily]:
        records = _of_partitions("ioc_consumer_lag", "Records behind the end of the partition.")
        seconds = _of_partitions("ioc_consumer_lag_seconds", "Age of the oldest record not yet processed.")
        estimated = _of_partitions("ioc_consumer_lag_estimated", "1 if the age is interpolated between known ends.")
        for (topic, partition), found in self._watch.behind().items():
            labels = [self._group, topic, str(partition)]
            if found.records is not None:
                records.add_metric(labels, float(found.records))
            if found.seconds is not None:
                seconds.add_metric(labels, found.seconds)
                estimated.add_metric(labels, 1.0 if found.estimated else 0.0)
        yield from (records, seconds, estimated)


def _of_partitions(name: str, documentation: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, documentation, labels=["group", "topic", "partition"])
