"""Every commit of a group as it was made, from Kafka's own log of commits.

Asking for the committed offset tells where a group is, not whether anybody is at work: a worker that stands still
commits the same offset again and again, one that is gone commits nothing. Only the log of commits tells them apart.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

TOPIC = "__consumer_offsets"
LOOK_BACK = 2_000
"""Commits read again at the start, so that the first answer knows the last seconds to minutes."""
POLL_MS = 50
READS_A_ROUND = 20_000
BACK_S = 3.0
"""Longest wait for the look back: somebody waits for the answer."""
_NEWEST_VERSION = 4


@dataclass(frozen=True, slots=True)
class Commit:
    """`metadata` is left out: it is the group's own affair."""

    topic: str
    partition: int
    offset: int
    at: datetime


class _Cut(Exception):
    """The bytes end before the value does."""


class _Bytes:
    """Kafka's plain types, read one after another."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def number(self, form: str) -> int:
        size = struct.calcsize(form)
        taken = self._take(size)
        return int(struct.unpack(form, taken)[0])

    def text(self, *, compact: bool = False) -> str:
        size = self._unsigned() - 1 if compact else self.number(">h")
        return self._take(max(0, size)).decode(errors="replace")

    def _unsigned(self) -> int:
        value = shift = 0
        while True:
            (octet,) = self._take(1)
            value |= (octet & 0x7F) << shift
            if octet < 0x80:
                return value
            shift += 7

    def _take(self, size: int) -> bytes:
        taken = self._raw[self._at : self._at + size]
        if len(taken) < size:
            raise _Cut
        self._at += size
        return taken


def parse_commit(key: bytes | None, value: bytes | None, group: str) -> Commit | None:
    """The commit that a record of the log holds; None for tombstones, other groups, and what is no commit."""
    if key is None or value is None:
        return None
    try:
        about = _Bytes(key)
        if about.number(">h") not in (0, 1) or about.text() != group:
            return None
        topic, partition = about.text(), about.number(">i")
        told = _Bytes(value)
        version = told.number(">h")
        if version > _NEWEST_VERSION:
            return None
        offset = told.number(">q")
        if version >= 3:
            told.number(">i")  # the leader's epoch
        told.text(compact=version >= 4)
        at = datetime.fromtimestamp(told.number(">q") / 1000, UTC)
    except (_Cut, OverflowError, ValueError):
        return None
    return Commit(topic, partition, offset, at)


def partition_of(group: str, partitions: int) -> int:
    """Where Kafka keeps a group's commits: by the amount of Java's hash of its name (its least integer counts as 0)."""
    hashed = 0
    for unit in struct.iter_unpack(">H", group.encode("utf-16-be")):
        hashed = (31 * hashed + unit[0]) & 0xFFFFFFFF
    amount = hashed if hashed < 2**31 else 2**32 - hashed
    return 0 if amount == 2**31 else amount % partitions


class CommitLog:
    """Follows one group's commits. `read` gives the new ones and blocks for a moment; not thread-safe."""

    def __init__(self, bootstrap: str, group: str) -> None:
        self._bootstrap = bootstrap
        self._group = group
        self._consumer: Any = None

    def read(self) -> list[Commit]:
        """Commits since the last call; the first call looks back by `LOOK_BACK`. Nothing while Kafka is away."""
        try:
            polled = self._connected().poll(timeout_ms=POLL_MS, max_records=READS_A_ROUND)
        except (KafkaError, OSError, ValueError):
            self.close()
            return []
        return list(self._commits(record for records in polled.values() for record in records))

    def read_back(self) -> list[Commit]:
        """The commits of the look back, for one who asks once. Blocks until they are there, `BACK_S` at most."""
        until = time.monotonic() + BACK_S
        found: list[Commit] = []
        while time.monotonic() < until:
            found += self.read()
            if self._consumer is not None and self._at_end():
                break
        return found

    def _at_end(self) -> bool:
        (partition,) = self._consumer.assignment()
        return bool(self._consumer.position(partition) >= self._consumer.end_offsets([partition])[partition])

    def close(self) -> None:
        """Disconnect; the next `read` connects anew and looks back again."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()

    def _commits(self, records: Iterable[Any]) -> Iterable[Commit]:
        for record in records:
            commit = parse_commit(record.key, record.value, self._group)
            if commit is not None:
                yield commit

    def _connected(self) -> Any:
        if self._consumer is None:
            consumer: Any = KafkaConsumer(
                bootstrap_servers=self._bootstrap.split(","),
                client_id="ioc-commits",
                group_id=None,
                enable_auto_commit=False,
                exclude_internal_topics=False,
                check_crcs=False,  # the broker has checked them, and in Python they were a fifth of a look
            )
            try:
                self._look_back(consumer)
            except BaseException:
                consumer.close()
                raise
            self._consumer = consumer
        return self._consumer

    def _look_back(self, consumer: Any) -> None:
        known = consumer.partitions_for_topic(TOPIC)
        if not known:
            raise ValueError(f"{TOPIC} does not exist yet")
        partition = TopicPartition(TOPIC, partition_of(self._group, len(known)))
        consumer.assign([partition])
        first = consumer.beginning_offsets([partition])[partition]
        last = consumer.end_offsets([partition])[partition]
        consumer.seek(partition, max(first, last - LOOK_BACK))
