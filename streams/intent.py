"""What a commit says: pure. The position is the committed offset; the metadata tell the topic and the intent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from schemas.without import NONE, Without, parse_without

_VERSION = "ioc1"

_MEMBER = re.compile(r"(\d+):(\d+)-(\d+)")


@dataclass(frozen=True, slots=True, order=True)
class Member:
    """A partition's part of a block: its offsets `first`–`last`."""

    partition: int
    first: int
    last: int


Joint = tuple[Member, ...]
"""The members of a block of several partitions of a topic, by partition; empty for a block of one partition alone.
The first member's owner redoes it (`streams.recovery`)."""


def joint_text(members: Iterable[Member]) -> str:
    return ",".join(f"{member.partition}:{member.first}-{member.last}" for member in members)


def parse_joint(text: str) -> Joint:
    """Empty if it is none."""
    found = [_MEMBER.fullmatch(part) for part in text.split(",")]
    members = [Member(*map(int, match.groups())) for match in found if match]
    return tuple(members) if len(members) == len(found) > 1 else ()


def token_of(topic_id: str, members: Iterable[Member]) -> str:
    """A block's de-duplication token: the same for every attempt at it."""
    return f"{topic_id}:{joint_text(members)}"


@dataclass(frozen=True, slots=True)
class Commit:
    """A partition's committed position. `last`: the batch `offset`–`last` is intended and perhaps half done, without
    the schemas of `without`, and in one block with the batches of `joint`, which it is among."""

    offset: int
    topic_id: str
    last: int | None = None
    without: Without = NONE
    joint: Joint = ()

    @property
    def metadata(self) -> str:
        last = "-" if self.last is None else str(self.last)
        return " ".join((_VERSION, self.topic_id, last, self.without.text, joint_text(self.joint))).rstrip(" ")


def parse_commit(offset: int, metadata: str) -> Commit:
    """Read a commit; one of another tool (an offset reset by hand) carries no intent and no topic id."""
    parts = metadata.split(" ")
    told = (*parts[3:], "", "")
    without = parse_without(told[0])
    if not 3 <= len(parts) <= 5 or parts[0] != _VERSION or without is None:
        return Commit(offset, "")
    last = None if parts[2] == "-" else int(parts[2])
    if last is None or last < offset:
        return Commit(offset, parts[1], None, without if last is None else NONE)
    return Commit(offset, parts[1], last, without, parse_joint(told[1]))


@dataclass(frozen=True, slots=True)
class Written:
    """The last batch that the warehouse has of a partition, under the topic's present id. Blocks are atomic: either all
    rows of a batch are there or none. `last` −1: there is none. `lost_to`: losses already on record that follow it
    without a gap end here, −1 if there are none."""

    first: int
    last: int
    lost_to: int = -1

    @property
    def end(self) -> int:
        """The next offset that is neither written nor known to be lost."""
        return max(self.last, self.lost_to) + 1


NOTHING = Written(0, -1)


@dataclass(frozen=True, slots=True)
class Loss:
    """Records that are gone from the topic and were never written; both ends included."""

    first: int
    last: int

    @property
    def count(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Plan:
    """How a partition starts, in this order. Bounds are inclusive.

    `resend`: a batch that the warehouse has and no commit vouches for: its rows again, so that the tables derived
    from them are complete. `redo`: the intended batch: its rows again, or computed anew from what the log still has.
    Then `position`, and `replay_to`: up to this offset the records are read again beside the flow, because the
    warehouse is behind the commit. `lost`: what retention took before it was processed.
    """

    position: int
    redo: tuple[int, int] | None = None
    replay_to: int | None = None
    lost: tuple[Loss, ...] = ()
    resend: tuple[int, int] | None = None

    @property
    def lost_count(self) -> int:
        return sum(loss.count for loss in self.lost)


def plan_start(commit: Commit | None, topic_id: str, written: Written | None, log_start: int, log_end: int) -> Plan:
    """Decide how to start. `written`: the warehouse's last batch, None if the sink cannot tell and the commit is all
    there is to go by; `log_start`, `log_end`: the first offset kept, and the next to be written.

    The rules, in order: a topic of another id starts a new life at its beginning; a warehouse behind the commit
    (restored from a backup, or offsets moved ahead by hand) is caught up; an intent is redone within its own bounds;
    offsets moved back by hand change nothing. Whatever was not written and is below the log's start is lost.
    """
    known = commit if commit is not None and commit.topic_id in ("", topic_id) else None
    trusted = known.offset if known is not None else 0
    end = trusted if written is None else written.end
    redo = target = None
    wanted = end
    if known is not None and end < known.offset:
        target = known.offset
    elif known is not None and known.last is not None:
        redo = (known.offset, known.last)
        wanted = max(known.last + 1, end)
    lost = _loss(wanted, log_start)
    if redo is not None and (written is None or written.last < redo[0]):
        # None of the batch's rows is written, so what the log no longer has of it is gone.
        gone = what_is_gone(Member(-1, *redo), end, log_start)
        lost = ((gone,) if gone is not None else ()) + lost
    position = min(max(wanted, log_start), max(log_end, log_start))
    return Plan(
        position,
        redo,
        target if target is not None and target > position else None,
        _joined(lost),
        _unvouched(known, topic_id, written, redo),
    )


def what_is_gone(member: Member, end: int, log_start: int) -> Loss | None:
    """Of a batch that is to be redone, what the log does not have any more; `end`: of what is written."""
    return next(iter(_loss(max(member.first, end), min(log_start, member.last + 1))), None)


def _loss(first: int, kept: int) -> tuple[Loss, ...]:
    return (Loss(first, kept - 1),) if first < kept else ()


def _joined(losses: tuple[Loss, ...]) -> tuple[Loss, ...]:
    if len(losses) == 2 and losses[0].last + 1 == losses[1].first:
        return (Loss(losses[0].first, losses[1].last),)
    return losses


def _unvouched(
    known: Commit | None, topic_id: str, written: Written | None, redo: tuple[int, int] | None
) -> tuple[int, int] | None:
    """The last written batch, unless a commit of ours says that it was done, or it is the one to be redone.

    A commit by another tool says nothing: it replaced ours, and with it perhaps an intent. A commit beyond the last
    batch says nothing either: it speaks of a warehouse that is gone.
    """
    if written is None or written.last < 0 or (written.first, written.last) == redo:
        return None
    vouched = known is not None and known.topic_id == topic_id and written.last < known.offset <= written.end
    return None if vouched else (written.first, written.last)


def gap_loss(position: int, arrived: int, log_start: int) -> Loss | None:
    """What retention took in mid-flow: the next offset was to be `position`, and records from `arrived` on came.

    Offsets that the log still covers hold no record (markers, compaction) and are not lost.
    """
    kept = min(arrived, log_start)
    return Loss(position, kept - 1) if position < kept else None
