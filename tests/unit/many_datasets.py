"""Many data sets without Kafka or warehouse: for figures of the monitor and for simulated weeks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from hub.health.flow import CALM
from hub.kpi.feed import Feed, Written
from schemas.calendar_files import package_calendars
from schemas.sla import Sla

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
PROMISE = Sla(cadence_s=300, error_s=900).promise(package_calendars())


def status(now: datetime, **changes: Any) -> Any:
    """The report of a connector that works."""
    at = int(now.timestamp() * 1000)
    told = {
        "state": "running", "at": at, "last_poll_ok": at, "last_event_time": at - 1000, "last_ingest": at,
        "last_published": at, "last_refused": None, "last_advance": at, "lag_steady_since": None, "last_lag_ms": 1000,
        "outdated": 0, "outdated_from": None, "outdated_to": None,
        "counted_since": at - 86_400_000, "received": 10, "published": 10, "quarantined": 0, "errors": 0,
        "last_error": None,
    }  # fmt: skip
    return SimpleNamespace(**(told | changes))


class Service:
    """What `judge_all` asks of a `KpiService`, of `datasets` data sets that are all well."""

    def __init__(self, datasets: int, now: datetime = NOW) -> None:
        self.now = now
        self.feeds = [
            Feed(f"d{n}", "rest", f"Sở {n % 14}", "", f"e{n % 14}", f"s{n}", f"H53.{n % 14}", rule=PROMISE)
            for n in range(datasets)
        ]
        self.statuses: Mapping[str, Any] = {feed.connector: status(now) for feed in self.feeds}
        self.around = SimpleNamespace(
            feeds=self.feeds, statuses=lambda: self.statuses, clock=lambda: self.now, flow=lambda entity: CALM
        )

    def written(self) -> tuple[Written, ...]:
        late = self.now - timedelta(seconds=1)
        return tuple(Written(feed.entity, feed.source_system, 5, 0, 0, 0, 0, late, late, late) for feed in self.feeds)
