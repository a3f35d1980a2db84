"""How far a consumer group is behind in one partition, in records and in seconds (rule L1). Pure.

The position is the committed offset, or the log's start where retention has passed it: records that are gone are no
lag. The lag in seconds is the age of the oldest record that waits, by its Kafka timestamp. Where that record could
not be read, its time is interpolated between two known ends of the partition; it is never extrapolated. No lag is 0
seconds; what is not known is None, never a guess and never negative.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

KEPT_ENDS = 720
"""Known ends remembered by partition: twelve minutes of a busy partition read every second, days of a calm one."""


@dataclass(frozen=True, slots=True)
class KnownEnd:
    """The partition ended at `end` – the next offset to be written – at the instants from `since` to `until`."""

    end: int
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Behind:
    """`records` and `seconds` None: not known. `estimated`: the seconds are interpolated."""

    records: int | None
    seconds: float | None
    estimated: bool = False


def position(committed: int | None, start: int) -> int | None:
    """The next offset to be processed; None if the group never committed."""
    return None if committed is None else max(committed, start)


def behind(at: int | None, end: int, oldest: datetime | None, ends: Sequence[KnownEnd], now: datetime) -> Behind:
    """The lag at position `at`. `oldest`: Kafka's timestamp of the first record from there on, None if not read."""
    if at is None:
        return Behind(None, None)
    records = max(0, end - at)
    if records == 0:
        return Behind(0, 0.0)
    written = oldest or written_at(at, ends)
    if written is None:
        return Behind(records, None)
    return Behind(records, max(0.0, (now - written).total_seconds()), estimated=oldest is None)


def written_at(offset: int, ends: Iterable[KnownEnd]) -> datetime | None:
    """When a record was written, between the last end that excludes it and the first that includes it; None outside
    of what is known."""
    before: KnownEnd | None = None
    for known in ends:
        if known.end > offset:
            if before is None:
                return None
            share = (offset - before.end) / (known.end - before.end)
            return before.until + (known.since - before.until) * share
        before = known
    return None


def remember(ends: tuple[KnownEnd, ...], end: int, at: datetime) -> tuple[KnownEnd, ...]:
    """`ends` with one more reading. An end that fell is another topic of the same name, or a clock that was set back
    makes the order unknown: what was known before says nothing any more."""
    if not ends or end < ends[-1].end or at < ends[-1].until:
        return (KnownEnd(end, at, at),)
    if end == ends[-1].end:
        return (*ends[:-1], replace(ends[-1], until=at))
    return (*ends[-KEPT_ENDS + 1 :], KnownEnd(end, at, at))
