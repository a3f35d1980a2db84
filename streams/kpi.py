"""What a KPI is: values. `streams.kpi_file` reads them from files, `streams.plan` lays out what they need. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

KINDS = ("flow", "ratio", "stock", "members", "due", "forecast", "score")
"""flow: a sum over a period · ratio: a sum over a sum · stock: a cumulative sum to a date · members: codes with a
positive sum over the codes in force · due: open items by their due time against now · forecast: the share of open items
that will be done by their due time, judged by those done before · score: weighted parts."""

OF_NOW = ("due", "forecast")
"""Kinds whose figures follow the clock: of now, whatever the period, and without a course over time."""

DIRECTIONS = ("up", "down", "none")
"""In which direction a value gets better."""

DUE_MINUTE = "due_minute"
"""Column of a rollup by due time: the minute at which what it counts is due. What is overdue depends on the clock, so
it is compared with now when it is asked for, and never stored."""


@dataclass(frozen=True, slots=True)
class Measure:
    """`sql` is an expression over one state row, with `$day(x)` as written in the file."""

    name: str
    sql: str
    name_vi: str
    name_en: str


@dataclass(frozen=True, slots=True)
class Term:
    """A measure summed by the day of `time`."""

    measure: str
    time: str


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Values at which a KPI calls for a look (`warn`) and for an act (`alarm`), in its unit and direction."""

    warn: float | None = None
    alarm: float | None = None

    def level(self, value: float | None, direction: str) -> str | None:
        """`alarm`, `warn` or `ok`; None without a value, without thresholds or without a direction."""
        if value is None or direction == "none" or (self.warn is None and self.alarm is None):
            return None
        for name, bound in (("alarm", self.alarm), ("warn", self.warn)):
            if bound is not None and (value <= bound if direction == "up" else value >= bound):
                return name
        return "ok"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a score: another KPI, a share of 100, and what it weighs."""

    kpi: str
    weight: float
    name: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """Which open items a due KPI counts: those past their due time, or due within so many hours from now."""

    past: bool = True
    within_h: float | None = None

    @property
    def ahead(self) -> timedelta | None:
        return None if self.within_h is None else timedelta(hours=self.within_h)


@dataclass(frozen=True, slots=True)
class Forecast:
    """How open items are judged by those done in the last `back_days`: by items with the same values of `like` – of all
    of these, or of the first ones if there were fewer than `least` – that were still open with as little time left.

    `left`: bounds of the time left in days, ascending; the term `left:<days>` sums up items done with more than so many
    days left. `done` and `kept` are the items done, and those done in time.
    """

    left: tuple[int, ...]
    like: tuple[str, ...]
    back_days: int
    least: int


@dataclass(frozen=True, slots=True)
class Reported:
    """Where the same figure is reported by hand: an entity's records with `code` in `field`. Shown beside the computed
    value, never in its place."""

    entity: str
    code: str
    field: str = "indicator"


@dataclass(frozen=True, slots=True)
class Kpi:
    """One KPI. `terms` by kind: flow, due, members: value · ratio: numerator, denominator · stock: value, less ·
    forecast: value, done, kept, left:<days>.

    Values of ratios and members are numerator over denominator times `scale`: 100 gives percentages (77.08), `target`
    likewise. `dimensions`: what it may be divided by. `tile`: among the tiles of the dashboard; every KPI is listed.
    `target` is by period (`default`, `2025`, `2025-Q1`, `2025-03`); `unit_targets` by period and unit.
    `earlier`: versions that were in force before `valid_from`, newest first. `last`: not the sum over the period but
    what each unit said on the last day of it on which it said anything.
    """

    id: str
    entity: str
    kind: str
    name: dict[str, str]
    explanation: dict[str, str]
    unit: dict[str, str]
    direction: str
    owner: str
    terms: dict[str, Term]
    target: dict[str, float] = field(default_factory=dict)
    member: str | None = None
    codes: str | None = None
    codes_where: str | None = None
    dimensions: tuple[str, ...] = ()
    tile: bool = True
    scale: int = 100
    unit_targets: dict[str, dict[str, float]] = field(default_factory=dict)
    thresholds: Thresholds = Thresholds()
    legal: dict[str, str] | None = None
    reported: Reported | None = None
    due: Due | None = None
    forecast: Forecast | None = None
    parts: tuple[Part, ...] = ()
    last: bool = False
    version: int = 1
    valid_from: date | None = None
    earlier: tuple[Kpi, ...] = ()

    @property
    def base(self) -> Term:
        """What is there wherever the KPI has a value: its denominator, or the value itself."""
        return self.terms.get("denominator") or self.terms["value"]

    @property
    def versions(self) -> tuple[Kpi, ...]:
        """All versions, the newest first."""
        return (self, *self.earlier)

    def at(self, day: date) -> Kpi:
        """The version in force on `day`; of a day before the first one, the first."""
        return next(
            (one for one in self.versions if one.valid_from is None or one.valid_from <= day), self.versions[-1]
        )

    def target_on(self, start: date, end: date, org: str | None = None) -> float | None:
        """The target of the narrowest period that holds `start` to `end`, of `org` or the nearest unit above it; for
        days over several years the year's in which they end, else the default."""
        for key in period_keys(start, end):
            by_unit = self.unit_targets.get(key, {})
            for unit in _above(org):
                if unit in by_unit:
                    return by_unit[unit]
            if key in self.target:
                return self.target[key]
        return None


def _above(org: str | None) -> Iterator[str]:
    """A unit and the units above it: `H53.14.2`, `H53.14`, `H53`."""
    while org:
        yield org
        org = org.rpartition(".")[0]


def period_keys(start: date, end: date) -> Iterator[str]:
    """Keys of targets that may hold for the days, the narrowest first."""
    if start.year == end.year:
        year = end.year
        if start.month == end.month:
            yield f"{year}-{end.month:02d}"
        if (start.month - 1) // 3 == (end.month - 1) // 3:
            yield f"{year}-Q{(end.month - 1) // 3 + 1}"
        if (start.month - 1) // 6 == (end.month - 1) // 6:
            yield f"{year}-H{(end.month - 1) // 6 + 1}"
    yield str(end.year)
    yield "default"


def name_of(names: Mapping[str, str] | None, language: str, default: Any = "") -> str:
    """A name in a language, by whatever names there are."""
    found = names or {}
    return str(found.get(language) or found.get("vi") or default)
