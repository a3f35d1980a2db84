"""What a connector is doing: counted in one place, shown as metrics and in the compacted status topic."""

from __future__ import annotations

import contextlib
import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
import structlog

from connectors import metrics
from connectors.clock import day_of, now_ms
from connectors.errors import ConnectorError
from connectors.manifest import Manifest

STATUS_TOPIC = "ioc.connect.status"
DAYS_KEPT = 62
"""Days of which the published records are told apart: for control totals against the topic and the warehouse."""

AHEAD_MS = 120_000
"""A change stamped further ahead of our clock says nothing of how fresh the data are."""
STEADY_MS = 120_000
"""A backlog's age falls by more from one delivery to the next."""
STEADY_SHARE = 0.5
"""Of the time between: the same old rows given again age by all of it."""
JITTER_MS = 5_000
"""Differences of so much tell nothing."""

State = Literal["running", "paused", "stopped", "failed", "waiting"]
STATES: tuple[State, ...] = ("running", "paused", "stopped", "failed", "waiting")
"""`waiting`: for the IOC's approval; `failed`: somebody has to act."""

TOLD_AS_THEY_ARE = (
    *("restarts", "targeted_at", "last_published", "last_refused", "last_advance", "lag_steady_since", "last_lag_ms"),
    *("outdated", "outdated_from", "outdated_to"),
)
"""What a tally and its status have under the same name."""

log = structlog.get_logger("ioc.connectors")


@dataclass(frozen=True, slots=True)
class Subject:
    """The connector a status is of. `version`: of its manifest."""

    id: str
    kind: str
    department: str
    org: str
    version: int = 0

    @classmethod
    def of(cls, manifest: Manifest, version: int = 0) -> Subject:
        return cls(manifest.id, manifest.kind, manifest.owner.department, manifest.owner.org, version)


@dataclass(frozen=True, slots=True)
class LastError:
    code: str
    message_vi: str
    message_en: str
    at: int


@dataclass(frozen=True, slots=True)
class ConnectorStatus:
    """One value of the status topic, keyed by `connector`. Times are UTC epoch milliseconds."""

    connector: str
    kind: str
    department: str
    owner: str
    state: State
    last_poll_ok: int | None
    last_event_time: int | None
    last_ingest: int | None
    received: int
    published: int
    quarantined: int
    errors: int
    last_error: LastError | None
    source_lag_s: float | None
    worker: str
    at: int
    published_by_day: dict[str, int] = field(default_factory=dict)
    counted_since: int | None = None
    """From when on `published_by_day` counts every record; None before there was such a count."""
    version: int = 0
    """Of the manifest that runs."""
    restarts: int = 0
    """The count of restarts asked for that this state has followed."""
    targeted_at: int = 0
    """The time (epoch ms) of the target that this state has followed."""
    last_published: int | None = None
    """The last delivery of which a record was published."""
    last_refused: int | None = None
    """The last delivery of which every record was refused."""
    last_advance: int | None = None
    """When `last_event_time` last rose."""
    lag_steady_since: int | None = None
    """Since when each delivery's newest change was as old as now: neither a backlog nor the same rows again."""
    last_lag_ms: int | None = None
    """How old the newest change of the last delivery was; negative if its time lies ahead."""
    outdated: int = 0
    """Reads in a row that the source answered only with rows from before the time it was asked from."""
    outdated_from: int | None = None
    """The newest change time of the first of them."""
    outdated_to: int | None = None
    """The newest change time of the last of them."""

    def to_json(self) -> bytes:
        return orjson.dumps(self)

    @classmethod
    def from_json(cls, value: bytes) -> ConnectorStatus:
        """The status in a value of the topic; unknown keys of a newer worker are ignored."""
        raw: dict[str, Any] = orjson.loads(value)
        known = {field.name for field in dataclasses.fields(cls)}
        body = {key: item for key, item in raw.items() if key in known}
        if body.get("last_error") is not None:
            body["last_error"] = LastError(**body["last_error"])
        return cls(**body)


class Tally:
    """The running count of one connector; every change is seen by the metrics at once."""

    def __init__(self, subject: Subject, worker: str) -> None:
        self.changes = 0
        """Grows with every change of what `snapshot` tells."""
        self._subject = subject
        self._worker = worker
        self._label = subject.id
        self.restarts = self.targeted_at = 0
        self.state: State = "running"
        self.last_poll_ok: int | None = None
        self.last_event_time: int | None = None
        self.last_ingest: int | None = None
        self.received = self.published = self.quarantined = self.errors = 0
        self.last_published: int | None = None
        self.last_refused: int | None = None
        self.last_advance: int | None = None
        self.lag_steady_since: int | None = None
        self.last_lag_ms: int | None = None
        self.outdated = 0
        self.outdated_from: int | None = None
        self.outdated_to: int | None = None
        self._steady_lag_ms: int | None = None
        self.last_error: LastError | None = None
        self.source_lag_s: float | None = None
        self.published_by_day: dict[str, int] = {}
        self.counted_since = now_ms()
        self._polled, self._written = metrics.POLLED.labels(subject.id), metrics.WRITTEN.labels(subject.id)
        self._lag = metrics.Series(metrics.SOURCE_LAG, subject.id)
        self._last_success = metrics.Series(metrics.LAST_SUCCESS, subject.id)
        self._last_error = metrics.Series(metrics.LAST_ERROR, subject.id)
        metrics.QUARANTINED.labels(subject.id)
        self.enter("running")

    @property
    def connector(self) -> str:
        return self._subject.id

    def followed(self, restarts: int, targeted_at: int) -> None:
        """The target and the restarts of this time and count were followed."""
        self.restarts, self.targeted_at = restarts, targeted_at
        self.changes += 1

    def resume(self, before: ConnectorStatus) -> None:
        """Count on from what an earlier process left."""
        self.changes += 1
        self.last_poll_ok, self.last_event_time = before.last_poll_ok, before.last_event_time
        self.last_ingest, self.source_lag_s = before.last_ingest, before.source_lag_s
        self.received, self.published = before.received, before.published
        self.quarantined, self.errors, self.last_error = before.quarantined, before.errors, before.last_error
        self.last_published, self.last_refused = before.last_published, before.last_refused
        self.last_advance, self.last_lag_ms = before.last_advance, before.last_lag_ms
        self.outdated, self.outdated_from, self.outdated_to = before.outdated, before.outdated_from, before.outdated_to
        if before.counted_since is not None:
            self.published_by_day, self.counted_since = dict(before.published_by_day), before.counted_since

    def enter(self, state: State) -> None:
        self.changes += 1
        self.state = state
        for name in STATES:
            metrics.STATUS.labels(self._label, name).set(1 if name == state else 0)

    def delivered(
        self,
        received: int,
        published: int,
        quarantined: int,
        newest_ms: int | None,
        ingest_ms: int,
        event_ms: int | None = None,
    ) -> None:
        """A delivery was acknowledged. `newest_ms`, `event_ms`: newest change and event time in it, the latter for
        sources that tell of no changes; `ingest_ms`: its records' ingest time."""
        now = now_ms()
        self.changes += 1
        self.received += received
        self.published += published
        if published:
            self._count(day_of(ingest_ms), published)
        self.quarantined += quarantined
        self._polled.inc(received)
        self._written.inc(published)
        if quarantined:
            metrics.QUARANTINED.labels(self._label).inc(quarantined)
        if received:
            self.last_ingest = now
        # By the records' own stamp: that is what the warehouse has of them, however long the way to Kafka was.
        if published:
            self.last_published = max(ingest_ms, self.last_published or 0)
        elif quarantined:
            self.last_refused = max(ingest_ms, self.last_refused or 0)
        if newest_ms is not None:
            self._aged(newest_ms, now)
            self.source_lag_s = max(0.0, (now - newest_ms) / 1000)
            self._lag.set(self.source_lag_s)
        elif event_ms is not None:
            self._advance(event_ms, now)

    def _advance(self, newest_ms: int, now: int) -> None:
        if newest_ms <= now + AHEAD_MS and (self.last_event_time is None or newest_ms > self.last_event_time):
            self.last_advance, self.last_event_time = now, newest_ms

    def _aged(self, newest_ms: int, now: int) -> None:
        """Whether the data advance, and whether they stay as old as they were."""
        lag = self.last_lag_ms = now - newest_ms
        self._advance(newest_ms, now)
        since, before = self.lag_steady_since, self._steady_lag_ms
        if since is not None and before is not None:
            allowed = min(STEADY_MS, max(JITTER_MS, STEADY_SHARE * (now - since)))
            if abs(lag - before) <= allowed:
                return
        self._steady_lag_ms, self.lag_steady_since = lag, now

    def _count(self, day: str, published: int) -> None:
        self.published_by_day[day] = self.published_by_day.get(day, 0) + published
        while len(self.published_by_day) > DAYS_KEPT:
            del self.published_by_day[min(self.published_by_day)]

    def succeeded(self, outdated_ms: int | None = None) -> None:
        """The source was read to its end, or a push was accepted. `outdated_ms`: see `source.Page`."""
        self.changes += 1
        self.outdated = 0 if outdated_ms is None else self.outdated + 1
        self.outdated_from, self.outdated_to = self.outdated_from if self.outdated > 1 else outdated_ms, outdated_ms
        self.last_poll_ok = now_ms()
        self._last_success.set(self.last_poll_ok / 1000)
        if self.state == "failed":
            self.enter("running")

    def failed(self, error: ConnectorError, stage: str, *, retry: bool) -> None:
        """A fault; `retry`: it will be tried again soon, so the state stays."""
        self.changes += 1
        self.errors += 1
        at = now_ms()
        self.last_error = LastError(error.code, error.text.vi, error.text.en, at)
        metrics.ERRORS.labels(self._label, stage).inc()
        self._last_error.set(at / 1000)
        if retry:
            metrics.RETRIES.labels(self._label, stage).inc()
        else:
            self.enter("failed")
        log.warning("connector_fault", connector=self._label, stage=stage, code=error.code, reason=str(error))

    def snapshot(self, at: int) -> ConnectorStatus:
        return ConnectorStatus(
            connector=self._subject.id,
            kind=self._subject.kind,
            department=self._subject.department,
            owner=self._subject.org,
            state=self.state,
            last_poll_ok=self.last_poll_ok,
            last_event_time=self.last_event_time,
            last_ingest=self.last_ingest,
            received=self.received,
            published=self.published,
            quarantined=self.quarantined,
            errors=self.errors,
            last_error=self.last_error,
            source_lag_s=self.source_lag_s,
            worker=self._worker,
            at=at,
            published_by_day=dict(self.published_by_day),
            counted_since=self.counted_since,
            version=self._subject.version,
            **{name: getattr(self, name) for name in TOLD_AS_THEY_ARE},
        )

    def forget(self) -> None:
        """Another process counts on: its series end here."""
        for series in (self._lag, self._last_success, self._last_error):
            series.end()
        for name in STATES:
            with contextlib.suppress(KeyError):
                metrics.STATUS.remove(self._label, name)
