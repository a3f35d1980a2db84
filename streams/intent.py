"""What a commit says: pure. The position is the committed offset; the metadata tell the topic and the intent."""

from __future__ import annotations

from dataclasses import dataclass

_VERSION = "ioc1"


@dataclass(frozen=True, slots=True)
class Commit:
    """A partition's committed position. `last`: the batch `offset`–`last` is intended and perhaps half done."""

    offset: int
    topic_id: str
    last: int | None = None

    @property
    def metadata(self) -> str:
        return f"{_VERSION} {self.topic_id} {'-' if self.last is None else self.last}"


def parse_commit(offset: int, metadata: str) -> Commit:
    """Read a commit; one of another tool (an offset reset by hand) carries no intent and no topic id."""
    parts = metadata.split(" ")
    if len(parts) != 3 or parts[0] != _VERSION:
        return Commit(offset, "")
    last = None if parts[2] == "-" else int(parts[2])
    return Commit(offset, parts[1], last if last is None or last >= offset else None)


@dataclass(frozen=True, slots=True)
class Plan:
    """How a partition starts: redo `redo` (inclusive bounds) if there is one, then go on at `position`.

    `replay_to`: read `position` up to this offset again, because the warehouse is behind the commit.
    `lost`: records that the topic's retention took before they were processed.
    """

    position: int
    redo: tuple[int, int] | None = None
    replay_to: int | None = None
    lost: int = 0


def plan_start(commit: Commit | None, topic_id: str, written_last: int | None, log_start: int, log_end: int) -> Plan:
    """Decide how to start. `written_last`: the last offset in the warehouse under this topic id, −1 if there is
    none, None if the sink cannot tell and the commit is all there is to go by.

    The rules, in order: a topic of another id starts a new life at its beginning; a warehouse behind the commit
    (restored from a backup) is caught up; an intent is redone within its own bounds; what the log no longer
    holds is counted as lost.
    """
    same_topic = commit is not None and commit.topic_id in ("", topic_id)
    trusted = commit.offset if commit is not None and same_topic else 0
    written_end = trusted if written_last is None else written_last + 1
    if commit is None or not same_topic:
        wanted, redo, target = written_end, None, None
    elif written_end < commit.offset:
        wanted, redo, target = written_end, None, commit.offset
    elif commit.last is not None:
        wanted, redo, target = max(commit.last + 1, written_end), (commit.offset, commit.last), None
    else:
        # An offset rewound by hand: what the warehouse has is not counted again.
        wanted, redo, target = max(commit.offset, written_end), None, None
    if redo is not None and redo[0] < log_start:
        redo = None if redo[1] < log_start else redo
    position = min(max(wanted, log_start), max(log_end, log_start))
    lost = max(0, log_start - wanted)
    return Plan(position, redo, target if target is not None and target > position else None, lost)
