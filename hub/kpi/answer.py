"""Answers: a value, what it was computed from, and how far it can be trusted. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

from hub.health.states import ABNORMAL
from hub.kpi.feed import Freshness
from hub.kpi.period import Period
from hub.kpi.rollups import Unserved
from streams.kpi import Kpi, Part

DECIMALS = Decimal("0.01")
SHARES = ("ratio", "members", "forecast")
"""Kinds whose value is a percentage."""


@dataclass(frozen=True, slots=True)
class Completeness:
    """Control totals: records in the topic and records accounted for in the warehouse; None: not known. `refused`:
    those of the records that are in the quarantine."""

    in_topic: int | None
    in_warehouse: int | None
    refused: int | None = None

    @property
    def missing(self) -> int | None:
        if self.in_topic is None or self.in_warehouse is None:
            return None
        return max(0, self.in_topic - self.in_warehouse)


@dataclass(frozen=True, slots=True)
class Basis:
    """What an entity's figures rest on at the moment they are read.

    `as_of`: the last write the figures hold; None before the first one. `read_at`: when they were read.
    """

    as_of: datetime | None
    read_at: datetime
    freshness: tuple[Freshness, ...]
    completeness: Completeness
    away_since: datetime | None = None

    @property
    def stale(self) -> str | None:
        """Why the figures must not look current: `warehouse_away`, a connector's state, or None."""
        if self.away_since is not None:
            return "warehouse_away"
        return next((item.state for item in self.freshness if item.state in ABNORMAL), None)


@dataclass(frozen=True, slots=True)
class PartFigures:
    """One part of a score: its own figures and the points they give, None without a value."""

    part: Part
    figures: Figures

    @property
    def points(self) -> float | None:
        value = self.figures.value
        return None if value is None else round(self.part.weight * min(max(value, 0.0), 100.0) / 100, 2)


@dataclass(frozen=True, slots=True)
class Figures:
    """A value with its parts; `unserved`: why there are none.

    Shares have two decimals; a zero denominator has no value. `parts`: of a score.
    """

    value: float | None
    numerator: int | None = None
    denominator: int | None = None
    unserved: Unserved | None = None
    parts: tuple[PartFigures, ...] = ()

    @property
    def status(self) -> str:
        """`ok`, `no_data`, `partial` (a score some of whose parts have no data), or why nothing was computed."""
        if self.unserved is not None:
            return self.unserved.state
        if self.value is None:
            return "no_data"
        return "partial" if any(part.points is None for part in self.parts) else "ok"


@dataclass(frozen=True, slots=True)
class KpiAnswer:
    """One KPI over one period."""

    kpi: Kpi
    period: Period
    figures: Figures
    target: float | None
    basis: Basis

    @property
    def gap(self) -> float | None:
        """Value less target, in the KPI's unit."""
        if self.figures.value is None or self.target is None:
            return None
        return round(self.figures.value - self.target, 2)

    @property
    def level(self) -> str | None:
        """`ok`, `warn` or `alarm` by the KPI's thresholds; None if it has none, or no value."""
        return self.kpi.thresholds.level(self.figures.value, self.kpi.direction)

    @property
    def missed(self) -> bool:
        """Whether the target is missed in the direction that matters."""
        gap = self.gap
        return gap is not None and (
            (self.kpi.direction == "up" and gap < 0) or (self.kpi.direction == "down" and gap > 0)
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a breakdown. `target`: of the unit, where units have targets of their own."""

    key: str
    figures: Figures
    target: float | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """One bucket of a trend, by its first day."""

    day: date
    figures: Figures


def share(numerator: int, denominator: int, scale: int = 100) -> float | None:
    """`scale` × numerator / denominator, half up to two decimals; None without a denominator: never 0%."""
    if denominator <= 0:
        return None
    return float((Decimal(scale * numerator) / Decimal(denominator)).quantize(DECIMALS, ROUND_HALF_UP))


def figures_of(kpi: Kpi, parts: Mapping[str, int], ever_fed: bool = True) -> Figures:
    """The figures of `kpi` from its summed parts; a count of an entity that never had data is no data."""
    if kpi.kind in SHARES:
        numerator, denominator = parts["numerator"], parts["denominator"]
        return Figures(share(numerator, denominator, kpi.scale), numerator, denominator)
    if not ever_fed:
        return Figures(None)
    return Figures(float(parts["value"] - parts.get("less", 0)))


def score(parts: Sequence[PartFigures]) -> Figures:
    """The points of those parts that have a value; no value if none has."""
    points = [part.points for part in parts]
    known = [point for point in points if point is not None]
    return Figures(round(sum(known), 2) if known else None, parts=tuple(parts))


def merged(bases: Sequence[Basis]) -> Basis:
    """What a figure rests on that is made of several entities': as old as the oldest of them."""
    if len(bases) == 1:
        return bases[0]
    written = [basis.as_of for basis in bases]
    totals = [basis.completeness for basis in bases]
    return Basis(
        as_of=None if None in written else min(time for time in written if time is not None),
        read_at=bases[0].read_at,
        freshness=tuple(item for basis in bases for item in basis.freshness),
        completeness=Completeness(
            _sum([total.in_topic for total in totals]),
            _sum([total.in_warehouse for total in totals]),
            _sum([total.refused for total in totals]),
        ),
        away_since=next((basis.away_since for basis in bases if basis.away_since is not None), None),
    )


def _sum(numbers: Sequence[int | None]) -> int | None:
    return None if None in numbers else sum(number for number in numbers if number is not None)


def target_of(kpi: Kpi, period: Period, org: str | None = None) -> float | None:
    """The target of the narrowest declared period that holds `period`, of `org` or the unit above it."""
    return kpi.target_on(period.start, period.end, org)


def points(
    kpi: Kpi,
    buckets: Sequence[date],
    parts: Mapping[str, Mapping[str, int]],
    cumulative_members: bool,
    ever_fed: bool = True,
) -> tuple[Point, ...]:
    """The trend of `kpi`: `parts` by bucket (first day as ISO text, `''` for what came before)."""
    running: dict[str, int] = dict(parts.get("", {}))
    over = running.get("denominator", 0)
    found = []
    for day in buckets:
        here = parts.get(day.isoformat(), {})
        if kpi.kind == "stock" or (kpi.kind == "members" and cumulative_members):
            running = {role: running.get(role, 0) + here.get(role, 0) for role in {*running, *here}}
        else:
            running = dict(here)
        if kpi.kind == "members":
            running["denominator"] = over
        roles = ("numerator", "denominator") if kpi.kind in SHARES else ("value", "less")
        found.append(Point(day, figures_of(kpi, {role: running.get(role, 0) for role in roles}, ever_fed)))
    return tuple(found)
