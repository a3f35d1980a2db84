"""A consumer group's health by partition, folded from what is read of it each time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hub.health.commits import Commit
from hub.health.consumer import IDLE_AFTER, TREND, Allowed, Committed, Seen, Shown, Status, Waited, debounced, judge
from hub.health.lag import Behind, KnownEnd, behind, remember
from hub.topics import PartitionLag

Place = tuple[str, int]
"""Topic and partition."""

NOT_SEEN = Shown()
IDLE, AT_WORK = Shown(Status.IDLE), Shown(Status.OK)
STEADY = {shown: shown for shown in (IDLE, AT_WORK)}
"""One value each for all that rest, so that they are known by it."""

KEPT_COMMITS = 20
"""Commits remembered by partition: three tell a stall, the others that an offset fell and came back."""
WAITS_EVERY = timedelta(seconds=10)
"""Distance of the waits that are kept: 30 of them show where five minutes went."""
ALLOWED = Allowed(wait=timedelta(seconds=60), commit_interval=timedelta(seconds=5))
"""Of the stream workers: a commit every 5 s at least, and no record that waits over a minute while the wait grows."""


@dataclass(frozen=True, slots=True)
class PartitionHealth:
    """What is known of one partition. `status`: after it was seen often enough to be shown."""

    behind: Behind
    ends: tuple[KnownEnd, ...] = ()
    commits: tuple[Committed, ...] = ()
    waits: tuple[Waited, ...] = ()
    shown: Shown = NOT_SEEN

    @property
    def status(self) -> Status:
        return self.shown.status


Health = Mapping[Place, PartitionHealth]


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at the group: partitions, when their oldest waiting records were written, commits since the last look,
    and the group's members (None: not told)."""

    partitions: Sequence[PartitionLag]
    oldest: Mapping[Place, datetime]
    commits: Sequence[Commit]
    members: int | None


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether a group that once had members has lost the last of them. One that never had any is not started yet."""

    there: bool = False
    gone_since: datetime | None = None

    def seen(self, members: int, now: datetime) -> Presence:
        if members:
            return Presence(there=True)
        return replace(self, gone_since=self.gone_since or now) if self.there else self

    def unseen(self) -> Presence:
        """Kafka did not tell: what was gone before may be back."""
        return replace(self, gone_since=None)


def fold(
    health: Health, reading: Reading, allowed: Allowed, now: datetime, before: datetime | None = None
) -> dict[Place, PartitionHealth]:
    """The health after one more reading; partitions that are gone are forgotten. `before`: when the reading before was
    made: a partition that rests and in which nothing happened is left as it is until something does."""
    made: dict[Place, list[Commit]] = {}
    for commit in reading.commits:
        made.setdefault((commit.topic, commit.partition), []).append(commit)
    found: dict[Place, PartitionHealth] = {}
    for item in reading.partitions:
        place = item.topic, item.partition
        known, commits = health.get(place), made.get(place, ())
        if known is not None and before is not None:
            if not commits and _rests(known, item, reading, now):
                found[place] = known
                continue
            known = _until(known, before)
        found[place] = _partition(known, item, reading.oldest.get(place), commits, reading, allowed, now)
    return found


def _rests(known: PartitionHealth, item: PartitionLag, reading: Reading, now: datetime) -> bool:
    """Nothing waits, nothing was written, and the status is what it would be found to be."""
    last = known.ends[-1]
    return (
        known.behind.records == 0
        and (known.shown is IDLE or (known.shown is AT_WORK and now - last.since < IDLE_AFTER))
        and reading.members is not None
        and item.position == item.end
        and item.end == last.end
    )


def _until(known: PartitionHealth, before: datetime) -> PartitionHealth:
    """What a resting partition left out: that its end was still the same at the reading before."""
    last = known.ends[-1]
    if known.behind.records != 0 or last.until >= before:
        return known
    return replace(known, ends=(*known.ends[:-1], replace(last, until=before)))


def unseen(health: Health) -> dict[Place, PartitionHealth]:
    """The health when a reading failed: the figures stay, the status is not known."""
    return {place: replace(one, shown=debounced(one.shown, Status.UNKNOWN)) for place, one in health.items()}


def _partition(
    before: PartitionHealth | None,
    item: PartitionLag,
    oldest: datetime | None,
    commits: Iterable[Commit],
    reading: Reading,
    allowed: Allowed,
    now: datetime,
) -> PartitionHealth:
    known = before or PartitionHealth(Behind(None, None))
    ends = remember(known.ends, item.end, now)
    fell = bool(known.ends) and item.end < known.ends[-1].end
    found = behind(item.position, item.end, oldest, ends, now)
    told = [Committed(one.offset, one.at, _left(one, item.end, oldest, known.ends)) for one in commits]
    kept = (*(() if fell else known.commits), *told)[-KEPT_COMMITS:]
    waits = _waits(known.waits, found, now)
    seen = Seen(found, reading.members, kept, waits, ends[-1].since)
    shown = debounced(known.shown, judge(seen, allowed, now))
    return PartitionHealth(found, ends, kept, waits, STEADY.get(shown, shown))


def _left(commit: Commit, end: int, oldest: datetime | None, ends: Sequence[KnownEnd]) -> int:
    """Records that waited when the commit was made, as far as that is known: 0 where they may have come later. Commits
    from before the first reading say nothing against a worker that had nothing to do."""
    waited = oldest is not None and oldest <= commit.at
    before = next((known.end for known in reversed(ends) if known.since <= commit.at), commit.offset)
    return max(0, end - commit.offset) if waited or before > commit.offset else 0


def _waits(waits: tuple[Waited, ...], found: Behind, now: datetime) -> tuple[Waited, ...]:
    kept = tuple(wait for wait in waits if now - wait.at <= TREND)
    if found.seconds is None or (kept and now - kept[-1].at < WAITS_EVERY):
        return kept
    return (*kept, Waited(now, found.seconds))
