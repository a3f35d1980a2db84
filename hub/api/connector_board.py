"""Connectors as people see them: their reports beside what the warehouse has of them."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.kpi.errors import WarehouseAwayError
from hub.kpi.feed import Feed, Freshness, Status, Written
from hub.kpi.freshness import freshness
from hub.kpi.service import KpiService
from hub.security.access import within

RATE_WINDOW = timedelta(seconds=30)
"""Events per second are told over this window: long enough to be calm, short enough to follow a burst."""

SAMPLE_EVERY = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class ConnectorRow:
    """One connector now. None: not known. `lag`: records in the entity's topic that the warehouse does not have yet,
    whoever of its connectors published them. `in_warehouse`: records of its source system that the warehouse has,
    refused ones included, whoever of that system's connectors published them."""

    feed: Feed
    freshness: Freshness
    received: int | None
    published: int | None
    events_per_second: float | None
    lag: int | None
    in_warehouse: int | None
    quarantined: int | None
    errors: int | None
    last_error: Any
    reported_at: datetime | None

    def name(self, language: str) -> str:
        return (self.feed.name or {}).get(language) or self.feed.connector

    def system(self, language: str) -> str:
        """The system that it reads, by the name that its connectors share, else by its own."""
        return (self.feed.system or {}).get(language) or self.name(language)

    def error_text(self, language: str) -> str | None:
        part = f"message_{language}"
        found = (
            self.last_error.get(part) if isinstance(self.last_error, Mapping) else getattr(self.last_error, part, None)
        )
        return str(found) if found else None


class ConnectorBoard:
    """Joins reports, ledger and quarantine. `rows` blocks on the warehouse; with it away its columns are None."""

    def __init__(self, service: KpiService) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._samples: dict[str, deque[tuple[datetime, int]]] = {}

    def sample(self) -> None:
        """Note what each connector has published; call about every `SAMPLE_EVERY`."""
        now = self._service.around.clock()
        with self._lock:
            for connector, status in self._service.around.statuses().items():
                samples = self._samples.setdefault(connector, deque())
                if samples and (now - samples[-1][0] < SAMPLE_EVERY * 0.9):
                    continue
                if samples and status.published < samples[-1][1]:
                    samples.clear()  # the connector began to count anew
                samples.append((now, status.published))
                while now - samples[0][0] > RATE_WINDOW:
                    samples.popleft()

    def rows(self, org: str | None = None) -> tuple[ConnectorRow, ...]:
        """All connectors in the order declared; with `org` only those of that unit and below."""
        self.sample()
        try:
            written: Mapping[tuple[str, str], Written] | None = {
                (item.entity, item.source_system): item for item in self._service.written()
            }
            quarantined: Mapping[str, int] | None = self._service.quarantined()
        except WarehouseAwayError:
            written = quarantined = None
        statuses = self._service.around.statuses()
        totals: Counter[str] = Counter()
        for (entity, _), item in (written or {}).items():
            totals[entity] += item.records
        return tuple(
            self._row(feed, statuses.get(feed.connector), _written(written, feed), quarantined, totals[feed.entity])
            for feed in self._service.around.feeds
            if org is None or within(feed.org, org)
        )

    def _row(
        self,
        feed: Feed,
        status: Status | None,
        written: Written | None,
        quarantined: Mapping[str, int] | None,
        in_warehouse: int,
    ) -> ConnectorRow:
        now = self._service.around.clock()
        in_topic = self._service.around.topic_records().get(feed.entity)
        return ConnectorRow(
            feed=feed,
            freshness=freshness(feed, status, written, now, self._service.around.flow(feed.entity)),
            received=status.received if status else None,
            published=status.published if status else None,
            events_per_second=self._rate(feed.connector) if status else None,
            lag=max(0, in_topic - in_warehouse) if in_topic is not None and written else None,
            in_warehouse=written.records if written else None,
            quarantined=quarantined.get(feed.connector, 0) if quarantined is not None else None,
            errors=status.errors if status else None,
            last_error=status.last_error if status else None,
            reported_at=datetime.fromtimestamp(status.at / 1000, UTC) if status else None,
        )

    def _rate(self, connector: str) -> float | None:
        with self._lock:
            samples = self._samples.get(connector, deque())
            if len(samples) < 2:
                return None
            (begun, before), (ended, after) = samples[0], samples[-1]
        seconds = (ended - begun).total_seconds()
        return (after - before) / seconds if seconds > 0 else None


def _written(written: Mapping[tuple[str, str], Written] | None, feed: Feed) -> Written | None:
    if written is None:
        return None
    key = feed.entity, feed.source_system
    return written.get(key) or Written.nothing(*key)
