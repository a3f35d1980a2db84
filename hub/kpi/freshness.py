"""How fresh a connector's data are, in the hub's one vocabulary of states: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Protocol

from schemas.promise import Cadence, Due, Promise

STATES = (
    "unknown",
    "paused",
    "credentials",
    "source_down",
    "clock_skew",
    "stuck_stream",
    "late",
    "due_soon",
    "quiet",
    "on_time",
)
"""Highest precedence first: a connector shows the first that holds."""

ABNORMAL = frozenset(STATES[: STATES.index("due_soon")]) - {"paused"}
"""States in which figures fed by the connector must not look current."""

SILENT_AFTER = timedelta(seconds=30)
"""A connector reports at least every 10 s; three missed reports and nothing is known of it."""

STUCK_AFTER = timedelta(seconds=60)
"""What a connector published and the warehouse does not have after so long is stuck in the stream."""

ROUNDING = timedelta(seconds=1)
"""A connector's report and a record's own stamp of arrival may differ by so much."""

SKEW_AFTER = timedelta(seconds=120)
PUSHED = frozenset({"webhook"})
"""Kinds that cannot be asked: their silence does not tell a fault from a calm day."""

RESTING = frozenset({"paused", "stopped", "waiting"})
"""A connector that is not to read: paused, stopped, or waiting for the IOC's approval."""

DUE_SOON = 0.8
DEFAULT_PROMISE = timedelta(minutes=5)


class Status(Protocol):
    """What is read of `connectors.status.ConnectorStatus`; times are epoch milliseconds."""

    @property
    def state(self) -> str: ...
    @property
    def last_poll_ok(self) -> int | None: ...
    @property
    def last_event_time(self) -> int | None: ...
    @property
    def last_ingest(self) -> int | None: ...
    @property
    def received(self) -> int: ...
    @property
    def published(self) -> int: ...
    @property
    def quarantined(self) -> int: ...
    @property
    def errors(self) -> int: ...
    @property
    def last_error(self) -> Any: ...
    @property
    def at(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Feed:
    """A connector as declared: which entity it feeds and how fresh it promised to be."""

    connector: str
    kind: str
    department: str
    owner: str
    entity: str
    source_system: str
    org: str = ""
    promise: timedelta = DEFAULT_PROMISE
    """About how often data come: what is told of a promise in one number."""
    rule: Promise | None = None
    """The promise in its calendar; without one `promise` is counted by the wall clock."""
    name: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Freshness:
    """One connector's part in an answer; `age_s` is the age of its youngest event."""

    connector: str
    last_event_time: datetime | None
    age_s: float | None
    state: str


@dataclass(frozen=True, slots=True)
class Written:
    """The ledger's totals of one (entity, source system)."""

    entity: str
    source_system: str
    applied: int
    superseded: int
    repeats: int
    deleted: int
    quarantined: int
    max_event_time: datetime | None
    max_ingest_time: datetime | None
    written_at: datetime | None

    @classmethod
    def nothing(cls, entity: str, source_system: str) -> Written:
        """The ledger was read and holds nothing of it."""
        return cls(entity, source_system, 0, 0, 0, 0, 0, None, None, None)

    @property
    def records(self) -> int:
        """Records accounted for, whatever became of them."""
        return self.applied + self.superseded + self.repeats + self.deleted + self.quarantined


def freshness(feed: Feed, status: Status | None, written: Written | None, now: datetime) -> Freshness:
    """The state of `feed`; without a status the event time is the warehouse's and the state is unknown.

    `written` is None while the warehouse cannot be asked.
    """
    event = _time(status.last_event_time if status else None) or (written.max_event_time if written else None)
    age = max(0.0, (now - event).total_seconds()) if event else None
    return Freshness(feed.connector, event, age, _state(feed, status, written, now))


def _state(feed: Feed, status: Status | None, written: Written | None, now: datetime) -> str:
    if status is None or now - _known(status.at) > SILENT_AFTER:
        return "unknown"
    if status.state in RESTING:
        return "paused"
    if _failing(status):
        return "credentials" if _refused(status.last_error) else "source_down"
    event, contact = _time(status.last_event_time), _contact(status)
    if event is not None and event > now + SKEW_AFTER:
        return "clock_skew"
    if _stuck(status, written, now):
        return "stuck_stream"
    if feed.rule is not None and feed.rule.maintenance.at(now) is not None:
        return "paused"
    kept = _kept(feed, contact, event, now)
    if kept is Kept.BROKEN:
        return "quiet" if contact is not None and feed.kind in PUSHED and not _by_period(feed) else "late"
    if kept is Kept.SOON:
        return "due_soon"
    ingest = _time(status.last_ingest)
    return "quiet" if ingest is None or _kept(feed, ingest, event, now) is Kept.BROKEN else "on_time"


class Kept(Enum):
    """How a promise stands."""

    YES = "yes"
    SOON = "soon"
    BROKEN = "broken"


def _by_period(feed: Feed) -> bool:
    return feed.rule is not None and not isinstance(feed.rule.form, Cadence)


def _kept(feed: Feed, contact: datetime | None, event: datetime | None, now: datetime) -> Kept:
    """A cadence counts from the last `contact`, by its clock; a cut-off or cron asks for an `event` of its period, so
    that neither a day off is late nor a back-fill of another day makes good."""
    if feed.rule is None:
        if contact is None or now - contact > feed.promise:
            return Kept.BROKEN
        return Kept.SOON if now - contact > feed.promise * DUE_SOON else Kept.YES
    if not _by_period(feed):
        if contact is None:
            return Kept.BROKEN
        due = feed.rule.expectation(now, contact).next
        return Kept.BROKEN if now > due.error_at else Kept.SOON if now > due.warn_at else Kept.YES
    expected = feed.rule.expectation(now, event or now)
    if expected.last is not None and now > expected.last.error_at and not _answered(expected.last, event):
        return Kept.BROKEN
    waits = [due for due in (expected.last, expected.next) if due is not None and not _answered(due, event)]
    return Kept.SOON if any(now > due.warn_at for due in waits) else Kept.YES


def _answered(due: Due, event: datetime | None) -> bool:
    """Whether there are data of the period that was asked for, or newer ones."""
    return event is not None and due.period is not None and event >= due.period.start


def _failing(status: Status) -> bool:
    if status.state == "failed":
        return True
    error_at = _time(_part(status.last_error, "at"))
    return error_at is not None and status.last_poll_ok is not None and error_at > _known(status.last_poll_ok)


def _refused(error: Any) -> bool:
    code = str(_part(error, "code") or "")
    return any(word in code for word in ("credential", "unauthorized", "unauthorised", "forbidden", "login", "401"))


def _stuck(status: Status, written: Written | None, now: datetime) -> bool:
    """Published and not written; not claimed while the warehouse cannot be asked (`written` is None)."""
    ingest = _time(status.last_ingest)
    if ingest is None or written is None:
        return False
    if written.max_ingest_time is None:
        return now - ingest > STUCK_AFTER
    behind = ingest - written.max_ingest_time
    return behind > STUCK_AFTER or (behind > ROUNDING and now - ingest > STUCK_AFTER)


def _contact(status: Status) -> datetime | None:
    times = [time for time in (_time(status.last_poll_ok), _time(status.last_ingest)) if time is not None]
    return max(times, default=None)


def _part(error: Any, name: str) -> Any:
    return error.get(name) if isinstance(error, Mapping) else getattr(error, name, None)


def _time(millis: int | None) -> datetime | None:
    return datetime.fromtimestamp(millis / 1000, UTC) if millis is not None else None


def _known(millis: int) -> datetime:
    return datetime.fromtimestamp(millis / 1000, UTC)


def newest(times: Sequence[datetime | None]) -> datetime | None:
    """The latest of `times`, or None."""
    return max((time for time in times if time is not None), default=None)
