"""A KPI's figures as rules are judged by them: values of one time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from hub.alerts.rule import PeriodName


@dataclass(frozen=True, slots=True)
class Figure:
    """One value: `value` None is no data. `count`: what it rests on: the denominator of a share, else the value."""

    value: float | None
    count: float | None = None
    target: float | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A KPI over a period. `trusted`: its sources are fresh and the warehouse answers; else nothing is concluded."""

    kpi: str
    figure: Figure
    trusted: bool
    parts: Mapping[str, Figure] | None = None
    """By the dimension that was asked for."""


@dataclass(frozen=True, slots=True)
class Day:
    """One local day of a KPI. `numerator` and `denominator` of a share."""

    day: date
    value: float | None
    numerator: float | None = None
    denominator: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """A KPI by local days, the oldest first; `share`: a ratio. `trusted` as in `Reading`."""

    kpi: str
    days: tuple[Day, ...]
    share: bool
    trusted: bool


class Figures(Protocol):
    """Where figures come from, all of one time. Blocks; raises WarehouseAwayError."""

    def reading(self, kpi: str, period: PeriodName, by: str | None) -> Reading: ...

    def series(self, kpi: str, days: int) -> Series:
        """The last `days` local days, today included."""

    def today(self) -> date: ...

    @property
    def at(self) -> datetime: ...
