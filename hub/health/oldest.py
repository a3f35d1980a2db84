"""The Kafka timestamp of the oldest record that a group has not processed, read from the log itself."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

Place = tuple[str, int]
"""Topic and partition."""

READS_A_ROUND = 64
"""Partitions read in one round; the others keep what is known of them or are interpolated until their turn."""
ROUND_S = 1.0
"""Longest wait of one round: the lag itself is shown every second."""
FETCH_BYTES = 4_096
"""Of a partition: the first record suffices, and comes whole if it is larger."""


class OldestRecords:
    """Timestamps by position, remembered while the position stays. Blocks for a round at most; not thread-safe.

    It belongs to no group and commits nothing. What could not be read is left out and asked for again.
    """

    def __init__(self, bootstrap: str, *, read_committed: bool = False) -> None:
        """`read_committed`: whether the group leaves open and broken-off transactions aside."""
        self._bootstrap = bootstrap
        self._isolation = "read_committed" if read_committed else "read_uncommitted"
        self._consumer: Any = None
        self._known: dict[Place, tuple[int, datetime]] = {}
        self._empty: dict[Place, tuple[int, int]] = {}
        self._next = 0

    def at(self, positions: Mapping[Place, int]) -> dict[Place, datetime]:
        """The timestamp of the first record at or after each position, where a record waits there."""
        self._known = {place: known for place, known in self._known.items() if positions.get(place) == known[0]}
        self._empty = {place: known for place, known in self._empty.items() if positions.get(place) == known[0]}
        asked = self._turn(sorted(place for place in positions if place not in self._known))
        if asked:
            self._read({place: positions[place] for place in asked})
        return {place: found for place, (_, found) in self._known.items()}

    @property
    def empty(self) -> Mapping[Place, int]:
        """Up to which offset there is no record from the position on, as of the last round: marks of transactions and
        what compaction took are offsets too, but nobody has to process them."""
        return {place: until for place, (_, until) in self._empty.items()}

    def close(self) -> None:
        """Disconnect; the next round connects anew."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()

    def _turn(self, places: list[Place]) -> list[Place]:
        """Whose turn it is, all of them one after another."""
        if len(places) <= READS_A_ROUND:
            return places
        begin = self._next % len(places)
        self._next = begin + READS_A_ROUND
        return (places[begin:] + places[:begin])[:READS_A_ROUND]

    def _read(self, positions: Mapping[Place, int]) -> None:
        try:
            consumer = self._connected()
            waiting = {TopicPartition(*place): offset for place, offset in positions.items()}
            consumer.assign(list(waiting))
            for partition, offset in waiting.items():
                consumer.seek(partition, offset)
            until = time.monotonic() + ROUND_S
            while waiting and (left := until - time.monotonic()) > 0:
                taken = self._take(consumer.poll(timeout_ms=int(left * 1000) + 1, max_records=READS_A_ROUND), waiting)
                consumer.pause(*taken)
                self._skip(consumer, waiting)
        except (KafkaError, OSError, ValueError):
            self.close()  # the lag's reader says what is wrong with the broker

    def _skip(self, consumer: Any, waiting: Mapping[Any, int]) -> None:
        """Where the reader went on without finding a record."""
        for partition, asked in waiting.items():
            reached = consumer.position(partition, timeout_ms=int(ROUND_S * 1000))
            if reached is not None and reached > asked:
                self._empty[(partition.topic, partition.partition)] = asked, reached

    def _take(self, polled: Mapping[Any, Iterable[Any]], waiting: dict[Any, int]) -> list[Any]:
        """Keep the first record's timestamp of each partition; gives those that need no more reading."""
        for partition, records in polled.items():
            first = next(iter(records), None)
            if first is not None and partition in waiting:
                stamp = datetime.fromtimestamp(first.timestamp / 1000, UTC)
                self._known[(partition.topic, partition.partition)] = (waiting.pop(partition), stamp)
        return list(polled)

    def _connected(self) -> Any:
        if self._consumer is None:
            self._consumer = KafkaConsumer(
                bootstrap_servers=self._bootstrap.split(","),
                client_id="ioc-lag",
                group_id=None,
                enable_auto_commit=False,
                isolation_level=self._isolation,
                auto_offset_reset="earliest",
                max_partition_fetch_bytes=FETCH_BYTES,
                fetch_max_wait_ms=100,
                check_crcs=False,  # the broker has checked them; only times are read here
            )
        return self._consumer
