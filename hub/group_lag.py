"""A consumer group's lag, read from Kafka itself again and again."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kafka import TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import GroupIdNotFoundError, KafkaError
from kafka.protocol.consumer import IsolationLevel

from hub.topics import STREAM_GROUP, PartitionLag, TopicsError, connect_admin

STARTS_S = 20.0
"""Partitions are added and records taken by retention seldom; asking for both is most of what a reading costs."""


class GroupLag:
    """Asks one cluster again and again for a group's lag over one connection. Not thread-safe; calls block."""

    def __init__(self, bootstrap: str, group: str, topics: Iterable[str], *, read_committed: bool = False) -> None:
        """`read_committed`: the group leaves open transactions aside, so that the end is the last stable offset."""
        self._bootstrap = bootstrap
        self._group = group
        self._isolation = IsolationLevel.READ_COMMITTED if read_committed else IsolationLevel.READ_UNCOMMITTED
        self._topics = sorted(topics)
        self._client: Any = None
        self._starts: dict[TopicPartition, int] | None = None
        self._starts_at_s = 0.0

    def read(self) -> list[PartitionLag]:
        """Committed against end offsets for every partition of the topics that exist; raises `TopicsError`.

        The committed offset is read first, so that what is read as missing is never more than what was. Which
        partitions there are and where they start is asked every `STARTS_S`, or when one of them is gone.
        """
        if self._client is None:
            self._client = connect_admin(self._bootstrap)
        if time.monotonic() - self._starts_at_s > STARTS_S:
            self._starts = None
        try:
            try:
                return self._read()
            except KafkaError:
                if self._starts is None:
                    raise
                self._starts = None
                return self._read()
        except (KafkaError, OSError) as error:
            self.close()
            raise TopicsError(f"Kafka at {self._bootstrap} does not answer: {error}") from error

    def _read(self) -> list[PartitionLag]:
        if self._starts is None:
            found, self._starts_at_s = starts_of(self._client, self._topics), time.monotonic()
        else:
            found = self._starts
        lags = lag_from(self._client, self._group, found, self._isolation)
        self._starts = found
        return lags

    def committed_topics(self) -> list[str]:
        """The topics in which the group has ever committed, by name. Raises `TopicsError`."""
        if self._client is None:
            self._client = connect_admin(self._bootstrap)
        try:
            committed = self._client.list_group_offsets({self._group: None}).get(self._group, {})
        except GroupIdNotFoundError:
            return []
        except (KafkaError, OSError) as error:
            self.close()
            raise TopicsError(f"Kafka at {self._bootstrap} does not answer: {error}") from error
        return sorted({partition.topic for partition in committed})

    def members(self) -> int:
        """How many consumers the group has now; 0 if there is no such group. Raises `TopicsError`."""
        return self.members_of([self._group])[0]

    def members_of(self, groups: Sequence[str]) -> list[int]:
        """How many consumers each group has now, in one question; 0 for one that there is not. Raises `TopicsError`."""
        if self._client is None:
            self._client = connect_admin(self._bootstrap)
        try:
            return self._members_of(groups)
        except (KafkaError, OSError) as error:
            self.close()
            raise TopicsError(f"Kafka at {self._bootstrap} does not answer: {error}") from error

    def _members_of(self, groups: Sequence[str]) -> list[int]:
        try:
            described = self._client.describe_groups(list(groups))
        except GroupIdNotFoundError:
            # It does not say which of them.
            return [0] if len(groups) == 1 else [self._members_of([group])[0] for group in groups]
        return [len(described[group]["members"]) for group in groups]

    def close(self) -> None:
        """Disconnect; the next `read` connects anew."""
        client, self._client = self._client, None
        self._starts = None
        if client is not None:
            client.close()


def lag(bootstrap: str, group: str, topics: Iterable[str]) -> list[PartitionLag]:
    """One reading of `GroupLag`. Blocks; raises `TopicsError`."""
    asked = GroupLag(bootstrap, group, topics, read_committed=group == STREAM_GROUP)
    try:
        return asked.read()
    finally:
        asked.close()


def group_lag(
    admin: Any, group: str, topics: list[str], isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED
) -> list[PartitionLag]:
    """The group's lag on those of the topics that exist. Blocks; raises `KafkaError`."""
    return lag_from(admin, group, starts_of(admin, topics), isolation)


def starts_of(admin: Any, topics: list[str]) -> dict[TopicPartition, int]:
    """Where the log of each partition of those of the topics that exist starts. Blocks; raises `KafkaError`."""
    existing = set(admin.list_topics())
    partitions = [
        TopicPartition(topic["name"], partition["partition_index"])
        for topic in admin.describe_topics([name for name in topics if name in existing])
        for partition in topic["partitions"]
    ]
    told = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.EARLIEST))
    return {partition: one.offset for partition, one in told.items()}


def lag_from(
    admin: Any, group: str, starts: Mapping[TopicPartition, int], isolation: IsolationLevel
) -> list[PartitionLag]:
    """The group's lag on these partitions. Blocks; raises `KafkaError`."""
    try:
        committed = admin.list_group_offsets({group: list(starts)}).get(group, {})
    except GroupIdNotFoundError:
        committed = {}
    ends = admin.list_partition_offsets(dict.fromkeys(starts, OffsetSpec.LATEST), isolation)
    return [
        PartitionLag(
            partition.topic,
            partition.partition,
            committed[partition].offset if partition in committed and committed[partition].offset >= 0 else None,
            start,
            ends[partition].offset,
        )
        for partition, start in sorted(starts.items())
    ]
