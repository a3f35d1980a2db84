"""Is a consumer group at work in one partition, and if not, how not (rule L2). Pure.

Looked at in this order:

UNKNOWN   the lag could not be collected, or the group never committed there
OK, IDLE  nothing waits; IDLE if nothing was written either for `IDLE_AFTER`
STOP      the group has no members, or has not committed for the longer of three commit intervals and 30 s. A worker
          that lives commits its position every 5 s, moved or not: silence means that none lives
REWIND    a committed offset fell below one before it and has not come back up
STALL     the same offset was committed at least three times, while records waited each time
WARN      the oldest record has waited longer than allowed, and the wait did not shrink over `TREND`
OK        else: behind, and catching up

Burrow's evaluator has the same kinds. It differs where its users ask for it: it waits for ten commits before it says
anything, and for as long as those took before it says STOP; it calls a lag that never shrinks WARN however small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from hub.health.lag import Behind

STOPPED_AFTER = timedelta(seconds=30)
STALLED_COMMITS = 3
IDLE_AFTER = timedelta(minutes=5)
TREND = timedelta(minutes=5)
RAISE_AFTER, CLEAR_AFTER = 2, 3
"""Evaluations in a row before a status is shown, and before a good one takes its place."""


class Status(StrEnum):
    """What a partition's consumer does."""

    UNKNOWN = "unknown"
    OK = "ok"
    IDLE = "idle"
    STOP = "stop"
    REWIND = "rewind"
    STALL = "stall"
    WARN = "warn"


GOOD = frozenset({Status.OK, Status.IDLE})


@dataclass(frozen=True, slots=True)
class Committed:
    """One commit: the offset, when, and how many records waited behind it then."""

    offset: int
    at: datetime
    lag: int


@dataclass(frozen=True, slots=True)
class Waited:
    """How long the oldest record had waited at an instant, in seconds."""

    at: datetime
    seconds: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a group in a partition. `members` None: the group could not be asked. `commits` and `waits`:
    oldest first. `end_since`: since when the partition's end has not moved."""

    behind: Behind | None
    members: int | None
    commits: Sequence[Committed]
    waits: Sequence[Waited]
    end_since: datetime


@dataclass(frozen=True, slots=True)
class Allowed:
    """`wait`: what the oldest record may wait; `commit_interval`: how often a worker commits at least."""

    wait: timedelta
    commit_interval: timedelta


def judge(seen: Seen, allowed: Allowed, now: datetime) -> Status:
    """The status at `now`, of this evaluation alone."""
    if seen.behind is None or seen.behind.records is None or seen.members is None or not seen.commits:
        return Status.UNKNOWN
    if seen.behind.records == 0:
        return Status.IDLE if now - seen.end_since >= IDLE_AFTER else Status.OK
    if seen.members == 0 or now - seen.commits[-1].at > max(3 * allowed.commit_interval, STOPPED_AFTER):
        return Status.STOP
    if rewound(seen.commits):
        return Status.REWIND
    if stalled(seen.commits):
        return Status.STALL
    seconds = seen.behind.seconds
    if seconds is not None and seconds > allowed.wait.total_seconds() and not shrinking(seen.waits, seconds, now):
        return Status.WARN
    return Status.OK


def rewound(commits: Sequence[Committed]) -> bool:
    """Whether an offset fell, and the last has not reached the highest before the fall."""
    highest = max((before.offset for before, after in pairwise(commits) if after.offset < before.offset), default=None)
    return highest is not None and commits[-1].offset < highest


def stalled(commits: Sequence[Committed]) -> bool:
    """Whether the last commits say the same offset, with records waiting each time."""
    last = commits[-STALLED_COMMITS:]
    return len(last) == STALLED_COMMITS and all(one.offset == last[0].offset and one.lag > 0 for one in last)


def shrinking(waits: Sequence[Waited], seconds: float, now: datetime) -> bool:
    """Whether the wait is shorter than the first one known within `TREND`."""
    first = next((wait for wait in waits if now - wait.at <= TREND), None)
    return first is not None and seconds < first.seconds


@dataclass(frozen=True, slots=True)
class Shown:
    """The status that is shown, and the one that is coming up with how often in a row it was found."""

    status: Status = Status.UNKNOWN
    coming: Status = Status.UNKNOWN
    times: int = 0


def debounced(shown: Shown, found: Status) -> Shown:
    """One more evaluation. What is not known is shown at once; STOP for want of members or commits is certain at once
    too; the others are raised after `RAISE_AFTER` evaluations, and a good status comes back after `CLEAR_AFTER`."""
    if found == shown.status:
        return Shown(found)
    times = shown.times + 1 if found == shown.coming else 1
    at_once = found in (Status.UNKNOWN, Status.STOP) or shown.status == Status.UNKNOWN
    both_good = found in GOOD and shown.status in GOOD
    needed = 1 if at_once or both_good else CLEAR_AFTER if found in GOOD else RAISE_AFTER
    return Shown(found) if times >= needed else Shown(shown.status, found, times)
