"""How fresh a connector's data are, in the hub's one vocabulary of states: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

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
    silence = now - contact if contact else None
    if silence is None or silence > feed.promise:
        return "quiet" if silence is not None and feed.kind in PUSHED else "late"
    ingest = _time(status.last_ingest)
    if ingest is None or now - ingest > feed.promise:
        return "quiet"
    return "due_soon" if silence > feed.promise * DUE_SOON else "on_time"


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
