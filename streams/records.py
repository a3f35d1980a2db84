"""Consecutive records of one topic partition, as columns, and the queue in which they wait: pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise

ISOLATION = "read_committed"
"""How every reader of the topics reads: what a producer's transaction took back was never said."""

OVERHEAD = 200
"""Bytes of memory a record takes beside its value: three objects and their places in the columns."""


@dataclass(frozen=True, slots=True)
class Records:
    """In offset order; `times` are Kafka timestamps in ms. Offsets without gaps are a `range`."""

    offsets: Sequence[int]
    times: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    traces: tuple[str, ...] = ()
    """Contexts of the connector batches that they came in, where traces are on."""

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def size(self) -> int:
        """About the bytes of memory they take; costs 25 ns a record."""
        return sum(map(len, filter(None, self.values))) + OVERHEAD * len(self.offsets)


def no_records() -> Records:
    return Records((), (), (), ())


def joined(parts: Sequence[Records]) -> Records:
    """Consecutive records as one."""
    if len(parts) == 1:
        return parts[0]
    return Records(
        _joined_offsets([records.offsets for records in parts]),
        list(chain.from_iterable(records.times for records in parts)),
        list(chain.from_iterable(records.keys for records in parts)),
        list(chain.from_iterable(records.values for records in parts)),
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
        records.keys[start:end],
        records.values[start:end],
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

    def __bool__(self) -> bool:
        return bool(self.parts)

    def push(self, records: Records) -> None:
        if len(records):
            size = records.size
            self.parts.append((records, size))
            self.size += size

    def take(self, most_records: int, most_bytes: int) -> tuple[Records, int]:
        """The oldest records and their size: whole parts while they fit, at least one part (cut to `most_records`)."""
        first, size = self.parts.popleft()
        taken = [first]
        total = len(first)
        while self.parts:
            following, following_size = self.parts[0]
            if total + len(following) > most_records or size + following_size > most_bytes:
                break
            self.parts.popleft()
            taken.append(following)
            total += len(following)
            size += following_size
        whole = joined(taken)
        if len(whole) > most_records:
            rest = part(whole, most_records, len(whole))
            rest_size = rest.size
            self.parts.appendleft((rest, rest_size))
            self.size -= size - rest_size
            return part(whole, 0, most_records), size - rest_size
        self.size -= size
        return whole, size
