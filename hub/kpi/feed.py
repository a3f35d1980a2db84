"""What a connector declares, reports and has in the warehouse, as its freshness is judged: values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from schemas.promise import Promise

DEFAULT_PROMISE = timedelta(minutes=5)
DEFAULT_OBJECTIVE = 99.0


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
    def last_published(self) -> int | None: ...
    @property
    def last_refused(self) -> int | None: ...
    @property
    def last_advance(self) -> int | None: ...
    @property
    def lag_steady_since(self) -> int | None: ...
    @property
    def last_lag_ms(self) -> int | None: ...
    @property
    def outdated(self) -> int: ...
    @property
    def outdated_from(self) -> int | None: ...
    @property
    def outdated_to(self) -> int | None: ...
    @property
    def counted_since(self) -> int | None: ...
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
    system: Mapping[str, str] | None = None
    """The name under which the connectors of one system stand together; None: it is the only one."""
    objective: float = DEFAULT_OBJECTIVE
    """The share of time, in percent, in which the promise is to be kept."""


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
