"""What the hub knows of Kafka at any moment: lag of the stream's group and records per topic, read by a thread."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from hub.topics import PartitionLag, TopicsError

INTERVAL_S = 1.0
STALE_AFTER_S = 10.0
"""A reading older than this is no longer shown as the present."""


class LagReader(Protocol):
    """Reads the lag; blocks; raises `TopicsError`."""

    def read(self) -> list[PartitionLag]: ...

    def close(self) -> None: ...


class KafkaWatch:
    """Keeps the last reading. `cause`, `topic_records` and `partitions` return at once, from any thread."""

    def __init__(self, reader: LagReader, interval_s: float = INTERVAL_S) -> None:
        self._reader = reader
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

    def topic_records(self) -> Mapping[str, int]:
        """Records ever written, by topic."""
        totals: dict[str, int] = defaultdict(int)
        for partition in self._partitions:
            totals[partition.topic] += partition.end
        return totals

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._partitions = tuple(self._reader.read())
                self._read_at = time.monotonic()
                self._cause = None
            except TopicsError as error:
                self._cause = str(error)
            self._stopping.wait(self._interval_s)
        self._reader.close()


class LagCollector(Collector):
    """`ioc_consumer_lag` from a watch; partitions never committed have no sample."""

    def __init__(self, watch: KafkaWatch, group: str) -> None:
        self._watch = watch
        self._group = group

    def collect(self) -> Iterable[GaugeMetricFamily]:
        return list(self._families())

    def _families(self) -> Iterator[GaugeMetricFamily]:
        up = GaugeMetricFamily("ioc_collector_up", "0 if its last collection failed.", labels=["collector"])
        up.add_metric(["kafka"], 1.0 if self._watch.cause() is None else 0.0)
        yield up
        lag = GaugeMetricFamily(
            "ioc_consumer_lag", "Records behind the end of the partition.", labels=["group", "topic", "partition"]
        )
        for partition in self._watch.partitions():
            if partition.lag is not None:
                lag.add_metric([self._group, partition.topic, str(partition.partition)], float(partition.lag))
        yield lag
