"""How fresh a connector's data are, in the hub's one vocabulary of states: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, TypeGuard

from hub.health.due import expected
from hub.health.flow import CALM, Flow
from hub.kpi.feed import Feed, Freshness, Status, Written
from schemas.promise import Cadence, Due

SILENT_AFTER = timedelta(seconds=22)
"""A connector reports at least every 10 s, and at the next second at that: two missed reports, and its worker does not
move. A judgement and who asks for it come on top, and half a minute is the promise."""

GONE_AFTER = timedelta(seconds=5)
"""A worker that is restarted is back in its group by then. One that was killed is put out of it after the session's
6 s: its connectors are known to stand long before their silence tells, and on a busy machine too."""

STUCK_AFTER = timedelta(seconds=60)
"""What a connector published and the warehouse does not have after so long is stuck in the stream."""

ROUNDING = timedelta(seconds=1)
"""A connector's report and a record's own stamp of arrival may differ by so much."""

SKEW_AFTER = timedelta(seconds=120)
BEHIND_AT_LEAST = timedelta(minutes=30)
"""Event times that stay so far behind ours over two deliveries and more tell of the source's clock, not of a backlog:
that shrinks."""
BEHIND_FOR = timedelta(seconds=20)
OUTDATED_TIMES = 2
"""So many answers in a row with nothing but rows from before what was asked for: once may be one of several servers."""
OURS = ("kafka", "registry", "topic_", "overloaded", "compacted", "write_uncertain", "connector_error")
"""Beginnings of error codes that lie on this side of the source: the connector cannot go on."""
PUSHED = frozenset({"webhook"})
"""Kinds that cannot be asked: their silence does not tell a fault from a calm day."""

RESTING = frozenset({"paused", "stopped", "waiting"})
"""A connector that is not to read: paused, stopped, or waiting for the IOC's approval."""

DUE_SOON = 0.8


def freshness(
    feed: Feed, status: Status | None, written: Written | None, now: datetime, flow: Flow = CALM
) -> Freshness:
    """The state of `feed`; without a status the event time is the warehouse's and the state is unknown.

    `written` is None while the warehouse cannot be asked; `flow`: what is known of the way to the warehouse.
    """
    event = _time(status.last_event_time if status else None) or (written.max_event_time if written else None)
    age = max(0.0, (now - event).total_seconds()) if event else None
    return Freshness(feed.connector, event, age, _state(feed, status, written, now, flow))


def _state(feed: Feed, status: Status | None, written: Written | None, now: datetime, flow: Flow) -> str:
    if status is None or not flow.kafka:
        return "unknown"
    if status.state in RESTING or (feed.rule is not None and feed.rule.maintenance.at(now) is not None):
        return "paused"
    return _fault(feed, status, now, flow) or _stuck(status, written, now, flow) or _promise(feed, status, now)


def _fault(feed: Feed, status: Status, now: datetime, flow: Flow) -> str | None:
    """What is wrong at the source or with its data."""
    failing = _failing(status)
    code = str(_part(status.last_error, "code") or "")
    if failing and not code.startswith(OURS):
        return "credentials" if _refused(code) else "source_down"
    if _rejected(status):
        return "rejected"
    if _skewed(feed, status, now):
        return "clock_skew"
    return "stuck_connector" if failing or _stands_still(feed, status, now, flow) else None


def _stands_still(feed: Feed, status: Status, now: datetime, flow: Flow) -> bool:
    """Whether nobody runs the connector: the workers' group is empty, or nothing is reported any more."""
    gone = flow.connect_gone_since
    if gone is not None and feed.kind not in PUSHED and now - gone > GONE_AFTER:
        return True
    heard = max(_known(status.at), flow.heard_since or _known(status.at))
    return now - heard > SILENT_AFTER


def _stuck(status: Status, written: Written | None, now: datetime, flow: Flow) -> str | None:
    """Published and not written; a warehouse that is away or slow explains it, and is told first."""
    if flow.warehouse is not None:
        return "stuck_warehouse"
    return "stuck_stream" if flow.stream is not None or _unwritten(status, written, now, flow) else None


def _promise(feed: Feed, status: Status, now: datetime) -> str:
    event, contact = _time(status.last_event_time), _contact(status)
    begun = _time(status.counted_since)
    kept = _kept(feed, contact or begun, event, now, begun)
    if kept is Kept.BROKEN:
        return "quiet" if contact is not None and feed.kind in PUSHED and not _by_period(feed) else "late"
    if _repeats(feed, status, now):
        return "late"
    if kept is Kept.SOON:
        return "due_soon"
    ingest = _time(status.last_ingest)
    return "quiet" if ingest is None or _kept(feed, ingest, event, now, begun) is Kept.BROKEN else "on_time"


def _rejected(status: Status) -> bool:
    """Whether of the last delivery the contract refused every record."""
    refused = status.last_refused
    return refused is not None and (status.last_published is None or status.last_published < refused)


def _skewed(feed: Feed, status: Status, now: datetime) -> bool:
    """Event times ahead of our clock, or steadily behind it: a clock set back looks like old data that keep coming."""
    times = [_time(millis) for millis in (status.last_event_time, status.last_ingest, status.lag_steady_since)]
    event, ingest, steady = times
    lag = timedelta(milliseconds=status.last_lag_ms or 0)
    if lag < -SKEW_AFTER or (event is not None and event > now + SKEW_AFTER):
        return True
    if ingest is None or steady is None or _by_period(feed):
        return False
    if ingest - steady < BEHIND_FOR and not (_outdated(status) and _goes_on(status) and ingest > steady):
        return False
    return lag > max(BEHIND_AT_LEAST, _late_after(feed)) and not _too_old(feed, ingest, now)


def _outdated(status: Status) -> bool:
    """Whether the source answers with nothing but rows older than what it was asked for."""
    return status.outdated >= OUTDATED_TIMES


def _goes_on(status: Status) -> bool:
    """Whether such rows are newer from answer to answer: then its clock is behind, or it works off a backlog."""
    first, last = status.outdated_from, status.outdated_to
    return first is not None and last is not None and last > first


def _repeats(feed: Feed, status: Status, now: datetime) -> bool:
    """Whether a cadence's source keeps giving rows that are never newer: yesterday's again. At once where they are
    older than what it was asked for, else once they have come for as long as the promise allows. One that gives none
    is quiet."""
    if _outdated(status) and not _goes_on(status) and not _by_period(feed) and _counts_now(feed, now):
        return True
    times = [_time(millis) for millis in (status.last_event_time, status.last_ingest, status.last_advance)]
    event, ingest, advance = times
    if event is None or ingest is None or advance is None or status.last_lag_ms is None:
        return False
    if _by_period(feed) or feed.kind in PUSHED:
        return False
    return not _too_old(feed, ingest, now) and _too_old(feed, event, now) and _too_old(feed, advance, now)


def _counts_now(feed: Feed, now: datetime) -> bool:
    """Whether the promise's clock goes on now."""
    return feed.rule is None or not feed.rule.working or feed.rule.calendar.is_working(now)


def _late_after(feed: Feed) -> timedelta:
    rule = feed.rule
    return rule.form.error if rule is not None and isinstance(rule.form, Cadence) else feed.promise


def _too_old(feed: Feed, time: datetime, now: datetime) -> bool:
    """Whether a cadence is broken since `time`."""
    return _kept(feed, time, time, now) is Kept.BROKEN


class Kept(Enum):
    """How a promise stands."""

    YES = "yes"
    SOON = "soon"
    BROKEN = "broken"


def _by_period(feed: Feed) -> bool:
    return feed.rule is not None and not isinstance(feed.rule.form, Cadence)


def _kept(
    feed: Feed, contact: datetime | None, event: datetime | None, now: datetime, begun: datetime | None = None
) -> Kept:
    """A cadence counts from the last `contact`, by its clock; a cut-off or cron asks for an `event` of its period, so
    that neither a day off is late nor a back-fill of another day makes good. What was due before the connector had
    `begun` is not asked for."""
    if feed.rule is None:
        if contact is None or now - contact > feed.promise:
            return Kept.BROKEN
        return Kept.SOON if now - contact > feed.promise * DUE_SOON else Kept.YES
    if not _by_period(feed):
        if contact is None:
            return Kept.BROKEN
        due = feed.rule.expectation(now, contact).next
        return Kept.BROKEN if now > due.error_at else Kept.SOON if now > due.warn_at else Kept.YES
    asked = expected(feed.rule, now)
    last = asked.last if _owed(asked.last, begun) else None
    if last is not None and now > last.error_at and not _answered(last, event):
        return Kept.BROKEN
    waits = [due for due in (last, asked.next) if due is not None and not _answered(due, event)]
    return Kept.SOON if any(now > due.warn_at for due in waits) else Kept.YES


def deadline(feed: Feed, status: Status | None, now: datetime) -> Due | None:
    """When the feed's next data are due and late; None without a promise or before a first contact."""
    if feed.rule is None or status is None:
        return None
    if not _by_period(feed):
        contact = _contact(status)
        return feed.rule.expectation(now, contact).next if contact is not None else None
    event, begun = _time(status.last_event_time), _time(status.counted_since)
    asked = expected(feed.rule, now)
    return asked.last if _owed(asked.last, begun) and not _answered(asked.last, event) else asked.next


def _owed(due: Due | None, begun: datetime | None) -> TypeGuard[Due]:
    """Whether it fell due since the connector had `begun`."""
    return due is not None and (begun is None or due.due_at > begun)


def _answered(due: Due, event: datetime | None) -> bool:
    """Whether there are data of the period that was asked for, or newer ones."""
    return event is not None and due.period is not None and event >= due.period.start


def _failing(status: Status) -> bool:
    if status.state == "failed":
        return True
    error_at = _time(_part(status.last_error, "at"))
    return error_at is not None and status.last_poll_ok is not None and error_at > _known(status.last_poll_ok)


def _refused(code: str) -> bool:
    return any(word in code for word in ("credential", "unauthorized", "unauthorised", "forbidden", "login", "401"))


def _unwritten(status: Status, written: Written | None, now: datetime, flow: Flow) -> bool:
    """Published and not written; not claimed while the warehouse cannot be asked (`written` is None). That the record
    written last is long ago tells nothing of a source that has one now and then: it is how long one waits in Kafka."""
    ingest = _time(status.last_published)
    if ingest is None or written is None:
        return False
    if written.max_ingest_time is None:
        return now - ingest > STUCK_AFTER
    behind = ingest - written.max_ingest_time
    if behind <= ROUNDING or now - ingest > STUCK_AFTER:
        return behind > ROUNDING
    waits = flow.oldest_s is None or flow.oldest_s > STUCK_AFTER.total_seconds()
    return behind > STUCK_AFTER and waits


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
