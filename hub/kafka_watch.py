"""What the hub knows of Kafka at any moment: the stream group's lag and status, records per topic; read by a thread."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hub.exposition import Rows
from hub.health.commits import Commit
from hub.health.consumer import Status
from hub.health.group import ALLOWED, Health, Place, Presence, Reading, fold, unseen
from hub.topics import CONNECT_GROUP, STREAM_GROUP, PartitionLag, TopicsError

INTERVAL_S = 5.0
"""Some questions of Kafka a look: each second they were half of what a monitor costs. What must be named within 30 s,
as a group without members, has been looked at several times by then; a worker commits every 5 s."""
WORSE = (Status.IDLE, Status.OK, Status.UNKNOWN, Status.WARN, Status.REWIND, Status.STALL, Status.STOP)
"""A topic shows the last of these that one of its partitions has."""
RANK = {status: rank for rank, status in enumerate(WORSE)}
STATUS_WORDS = tuple(status.value for status in Status)
STALE_AFTER_S = 12.0
"""A reading older than this is no longer shown as the present."""


class LagReader(Protocol):
    """Reads the lag; blocks; raises `TopicsError`."""

    def read(self) -> list[PartitionLag]: ...

    def members_of(self, groups: Sequence[str]) -> list[int]: ...

    def close(self) -> None: ...


class OldestReader(Protocol):
    """Reads when the record at a position was written; blocks for a moment; leaves out what it could not read."""

    def at(self, positions: Mapping[Place, int]) -> Mapping[Place, datetime]: ...

    @property
    def empty(self) -> Mapping[Place, int]: ...

    def close(self) -> None: ...


class CommitReader(Protocol):
    """Reads the group's commits since it was last asked; blocks for a moment; nothing while Kafka is away."""

    def read(self) -> Sequence[Commit]: ...

    def close(self) -> None: ...


class KafkaWatch:
    """Keeps the last reading. `cause`, `topic_records`, `partitions`, `members`, `connect_gone_since` and `health`
    return at once, from any thread."""

    def __init__(
        self,
        reader: LagReader,
        oldest: OldestReader,
        commits: CommitReader,
        clock: Callable[[], datetime],
        interval_s: float = INTERVAL_S,
    ) -> None:
        self._reader = reader
        self._oldest = oldest
        self._commits = commits
        self._clock = clock
        self._health: Health = {}
        self._looked_at: datetime | None = None
        self._members: int | None = None
        self._connect = Presence()
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

    def members(self) -> int | None:
        """Consumers in the group at the last reading; None before the first."""
        return self._members

    def connect_gone_since(self) -> datetime | None:
        """Since when no worker runs connectors any more; None while there is one, or before one was seen."""
        return self._connect.gone_since

    def health(self) -> Health:
        """The group's health by partition, as of the last reading; empty when that is older than `STALE_AFTER_S`, and
        without partitions that are gone."""
        return self._health if time.monotonic() - (self._read_at or -STALE_AFTER_S) < STALE_AFTER_S else {}

    def topic_records(self) -> Mapping[str, int]:
        """Records ever written, by topic."""
        totals: dict[str, int] = defaultdict(int)
        for partition in self._partitions:
            totals[partition.topic] += partition.end
        return totals

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._look()
                self._read_at = time.monotonic()
                self._cause = None
            except TopicsError as error:
                self._cause = str(error)
                self._health, self._looked_at = unseen(self._health), None
                self._connect = self._connect.unseen()
            self._stopping.wait(self._interval_s)
        for part in (self._reader, self._oldest, self._commits):
            part.close()

    def _look(self) -> None:
        found = tuple(self._reader.read())
        members, workers = self._reader.members_of((STREAM_GROUP, CONNECT_GROUP))
        oldest = self._oldest.at(waiting(found))
        partitions = beyond(found, self._oldest.empty)
        reading = Reading(partitions, oldest, self._commits.read(), members)
        now = self._clock()
        self._connect = self._connect.seen(workers, now)
        self._health = fold(self._health, reading, ALLOWED, now, self._looked_at)
        self._looked_at = now
        self._partitions, self._members = partitions, members


def waiting(partitions: Iterable[PartitionLag]) -> dict[Place, int]:
    """Positions at which a record waits."""
    return {
        (item.topic, item.partition): item.position for item in partitions if item.position is not None and item.lag
    }


def beyond(partitions: Iterable[PartitionLag], empty: Mapping[Place, int]) -> tuple[PartitionLag, ...]:
    """Positions moved over offsets at which there is no record."""
    return tuple(
        replace(item, committed=empty[place]) if (place := (item.topic, item.partition)) in empty else item
        for item in partitions
    )


class LagCollector(Collector):
    """The lag of a group from a watch. What is not known has no sample; last figures stay until they are
    `STALE_AFTER_S` old."""

    def __init__(self, watch: KafkaWatch, group: str, shown: Callable[[], bool] = lambda: True) -> None:
        """`shown`: whether it is this process that tells of the group."""
        self._watch = watch
        self._group = group
        self._shown = shown

    def collect(self) -> Iterator[Metric]:
        if self._shown():
            yield from self._collected()

    def _collected(self) -> Iterator[Metric]:
        records = _of_partitions("ioc_consumer_lag", "Records behind the end of the partition.")
        seconds = _of_partitions("ioc_consumer_lag_seconds", "Age of the oldest record not yet processed.")
        estimated = _of_partitions("ioc_consumer_lag_estimated", "1 if the age is interpolated between known ends.")
        statuses = Rows(
            "ioc_consumer_status",
            "1 for what the group does in the topic's worst partition, 0 for every other status.",
            ["group", "topic", "status"],
        )
        worst: dict[str, int] = {}
        for (topic, partition), health in self._watch.health().items():
            labels = self._group, topic, str(partition)
            found = health.behind
            worst[topic] = max(worst.get(topic, 0), RANK[health.status])
            if found.records is not None:
                records.add(labels, float(found.records))
            if found.seconds is not None:
                seconds.add(labels, found.seconds)
                estimated.add(labels, 1.0 if found.estimated else 0.0)
        for topic, rank in worst.items():
            statuses.choose((self._group, topic), STATUS_WORDS, WORSE[rank].value)
        members = GaugeMetricFamily("ioc_consumer_members", "Consumers in the group.", labels=["group"])
        if (count := self._watch.members()) is not None and self._watch.cause() is None:
            members.add_metric([self._group], float(count))
        yield from (records, seconds, estimated, statuses, members)


def _of_partitions(name: str, documentation: str) -> Rows:
    return Rows(name, documentation, ["group", "topic", "partition"])
