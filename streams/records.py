"""Consecutive records of one topic partition, as columns, and the queue in which they wait: pure."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise

import numpy as np
import polars as pl

from schemas.octets import Octets

ISOLATION = "read_committed"
"""How every reader of the topics reads: what a producer's transaction took back was never said."""

MAX_BATCH_RECORDS = 40_000
"""Only a backlog fills a batch; otherwise it is what arrived meanwhile. Larger blocks cost the warehouse less per
row (with two rollups 7–9 µs of its CPU at 14,000 rows, 5 µs at 50,000) and the worker 2 to 4 kB of memory a record."""

OVERHEAD = 16
"""Bytes of memory a record takes beside its key and value, at most: its offset and time."""


@dataclass(frozen=True, slots=True)
class Records:
    """In offset order; `times` are Kafka timestamps in ms. Offsets without gaps are a `range`."""

    offsets: Sequence[int]
    times: array[int]
    keys: Octets
    values: Octets
    traces: tuple[str, ...] = ()
    """Contexts of the connector batches that they came in, where traces are on."""

    @classmethod
    def of(
        cls,
        offsets: Sequence[int],
        times: Iterable[int],
        keys: Iterable[bytes | None],
        values: Iterable[bytes | None],
        traces: tuple[str, ...] = (),
    ) -> Records:
        """The same from objects."""
        return cls(offsets, array("q", times), Octets.of(keys), Octets.of(values), traces)

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def size(self) -> int:
        """The bytes of memory they take."""
        return self.values.size + self.keys.size + OVERHEAD * len(self.offsets)

    @property
    def arrivals(self) -> pl.DataFrame:
        """Columns `offset` and `kafka_time`, a row each."""
        return pl.DataFrame(
            {"offset": self.offsets, "kafka_time": np.frombuffer(self.times, dtype=np.int64)},
            schema={"offset": pl.Int64, "kafka_time": pl.Int64},
        ).with_columns(pl.col("kafka_time").cast(pl.Datetime("ms", "UTC")))


def no_records() -> Records:
    return Records.of((), (), (), ())


def joined(parts: Sequence[Records]) -> Records:
    """Consecutive records as one."""
    if len(parts) == 1:
        return parts[0]
    return Records(
        _joined_offsets([records.offsets for records in parts]),
        array("q", b"".join(memoryview(records.times) for records in parts)),
        Octets.joined([records.keys for records in parts]),
        Octets.joined([records.values for records in parts]),
        tuple(dict.fromkeys(chain.from_iterable(records.traces for records in parts))),
    )


def _joined_offsets(parts: Sequence[Sequence[int]]) -> Sequence[int]:
    ranges = all(isinstance(offsets, range) for offsets in parts)
    if ranges and parts and all(one[-1] + 1 == two[0] for one, two in pairwise(parts)):
        return range(parts[0][0], parts[-1][-1] + 1)
    return list(chain.from_iterable(parts))


def part(records: Records, start: int, end: int) -> Records:
    """Records `start` to `end` (excluded), by position."""
    return Records(
        records.offsets[start:end],
        records.times[start:end],
        records.keys.part(start, end),
        records.values.part(start, end),
        records.traces,
    )


def holes(position: int, offsets: Sequence[int]) -> list[tuple[int, int]]:
    """Where offsets are missing: (the first that is missing, the next that is there). `position`: the one expected.

    None of the offsets is below `position`; they ascend.
    """
    if not len(offsets) or (offsets[0] == position and offsets[-1] - position + 1 == len(offsets)):
        return []
    return [(before + 1, after) for before, after in pairwise(chain((position - 1,), offsets)) if after > before + 1]


def from_offset(records: Records, first: int) -> Records:
    """The records at or beyond offset `first`."""
    if not len(records) or records.offsets[0] >= first:
        return records
    skipped = sum(1 for offset in records.offsets if offset < first)
    return part(records, skipped, len(records))


@dataclass(slots=True)
class Waiting:
    """Records that arrived and wait, in order."""

    parts: deque[tuple[Records, int]] = field(default_factory=deque)
    size: int = 0
    """Bytes of what waits."""
    records: int = 0

    def __bool__(self) -> bool:
        return bool(self.parts)

    def push(self, records: Records) -> None:
        if len(records):
            size = records.size
            self.parts.append((records, size))
            self.size += size
            self.records += len(records)

    def take(self, most_records: int, most_bytes: int) -> tuple[Records, int]:
        """The oldest records and their size: as many as are allowed by number and, but for the first part, by size."""
        taken: list[Records] = []
        total = size = 0
        while self.parts and total < most_records:
            following, following_size = self.parts[0]
            if taken and size + following_size > most_bytes:
                break
            self.parts.popleft()
            room = most_records - total
            if len(following) > room:
                rest = part(following, room, len(following))
                self.parts.appendleft((rest, rest.size))
                following = part(following, 0, room)
                following_size -= rest.size
            taken.append(following)
            total += len(following)
            size += following_size
        self.size -= size
        self.records -= total
        return joined(taken), size
