"""Rules, figures and a topic in memory: for tests of alerts without Kafka or warehouse."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from hub.alerts.figures import Day, Figure, Reading, Series
from hub.alerts.rule_files import Against, AlertRules, load_alert_rules
from schemas.calendar_files import package_calendars
from schemas.contract import load_contracts
from streams.plan import Kpi, load_plans

NOW = datetime(2026, 3, 3, 3, 0, tzinfo=UTC)
"""A Tuesday, 10:00 in Huế."""
OWNER = {"unit": "Trung tâm IOC", "contact": "truc@ioc.example.vn"}


def kpis() -> dict[str, Kpi]:
    return {kpi.id: kpi for plan in load_plans(load_contracts()).values() for kpi in plan.kpis}


AGAINST = Against(kpis(), package_calendars())


def rules(folder: Path, *declared: Mapping[str, Any], channels: Iterable[Mapping[str, Any]] = ()) -> AlertRules:
    """The rules as a site would declare them, without the package's."""
    made = [{"name": {"vi": one["id"], "en": one["id"]}, "owner": dict(OWNER)} | dict(one) for one in declared]
    body = {"rules": made, "channels": list(channels)}
    (folder / "alerts.yaml").write_text(yaml.safe_dump(body, allow_unicode=True), encoding="utf-8")
    return load_alert_rules(AGAINST, folder, package=None)


@dataclass
class TopicInMemory:
    """A compacted topic; `away`: what writing raises. `before_put` is called with each write."""

    values: dict[str, bytes] = field(default_factory=dict)
    away: Exception | None = None
    before_put: Callable[[str, bytes | None], None] | None = None
    _callbacks: list[Callable[[str, bytes | None], None]] = field(default_factory=list)

    def on_change(self, callback: Callable[[str, bytes | None], None]) -> None:
        self._callbacks.append(callback)
        for key, value in self.values.items():
            callback(key, value)

    async def put_all(self, records: Iterable[tuple[str, bytes | None]]) -> None:
        for key, value in records:
            if self.before_put is not None:
                self.before_put(key, value)
            if self.away is not None:
                raise self.away
            if value is None:
                self.values.pop(key, None)
            else:
                self.values[key] = value
            for callback in self._callbacks:
                callback(key, value)

    async def catch_up(self) -> None:
        if self.away is not None:
            raise self.away


@dataclass
class FiguresByHand:
    """Figures that tests set: one figure for thresholds, values by day for the others."""

    at: datetime = NOW
    figure: Figure = field(default_factory=lambda: Figure(80.0, 1000.0, 90.0))
    parts: Mapping[str, Figure] | None = None
    values: Callable[[date], Any] = lambda day: 100.0
    share: bool = False
    trusted: bool = True

    def today(self) -> date:
        return (self.at + timedelta(hours=7)).date()

    def reading(self, kpi: str, period: Any, by: str | None) -> Reading:
        return Reading(kpi, self.figure, self.trusted, self.parts if by is not None else None)

    def series(self, kpi: str, days: int) -> Series:
        first = self.today() - timedelta(days=days - 1)
        drawn = [self._day(first + timedelta(days=number)) for number in range(days)]
        return Series(kpi, tuple(drawn), self.share, self.trusted)

    def _day(self, day: date) -> Day:
        value = self.values(day)
        if self.share:
            return Day(day, value, None if value is None else value * 10, None if value is None else 1000.0)
        return Day(day, value)
