"""The last day of a data set as charts of age and lag, and as a table of hours. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from hub.health.observation import EVERY, Observation
from hub.health.states import worse
from hub.kpi.feed import Feed
from hub.web.sparkline import Sparkline, sparkline
from hub.web.views import Reader, StateView, state_view
from schemas.promise import Cadence

UNITS = (("day", 86_400.0), ("hour", 3_600.0), ("minute", 60.0), ("second", 1.0))
LEAST_OF_UNIT = 2.0
"""A chart counts in the largest unit of which its highest point has so many."""


@dataclass(frozen=True, slots=True)
class ChartView:
    """`data`: for the chart's script; `spark`: what stands there without scripts; `label` says it in words."""

    title: str
    help: str
    data: dict[str, Any]
    spark: Sparkline
    spark_label: str


@dataclass(frozen=True, slots=True)
class HourView:
    """One hour: the worst state, and the highest of its minutes."""

    hour: str
    state: StateView
    age: str
    waiting: str
    oldest: str


def charts(feed: Feed, seen: Sequence[Observation], reader: Reader) -> list[ChartView]:
    """Age against the promise, records that wait, and how long the oldest does; none before there are two minutes."""
    if len(seen) < 2:
        return []
    t, grid = reader.t, _grid(seen)
    late_s = _late_after_s(feed)
    age, unit, late = _scaled([one.age_s if one else None for one in grid.values()], late_s, reader)
    oldest, oldest_unit, _ = _scaled([one.oldest_s if one else None for one in grid.values()], None, reader)
    waiting = [None if one is None or one.waiting is None else float(one.waiting) for one in grid.values()]
    times = list(grid)
    return [
        _chart(t("health.age"), t("health.age_help"), times, age, unit, late, reader),
        _chart(t("health.waiting"), t("health.waiting_help"), times, waiting, t("health.unit.record"), None, reader),
        _chart(t("health.oldest"), t("health.oldest_help"), times, oldest, oldest_unit, None, reader),
    ]


def hours(seen: Sequence[Observation], reader: Reader) -> list[HourView]:
    """The newest hour first."""
    zone = ZoneInfo(reader.timezone)
    by_hour: dict[datetime, list[Observation]] = {}
    for one in seen:
        by_hour.setdefault(one.at.astimezone(zone).replace(minute=0, second=0, microsecond=0), []).append(one)
    return [_hour(begin, found, reader) for begin, found in sorted(by_hour.items(), reverse=True)]


def _hour(begin: datetime, found: Sequence[Observation], reader: Reader) -> HourView:
    state = found[0].state
    for one in found[1:]:
        state = worse(state, one.state)
    return HourView(
        f"{begin:%H:%M %d/%m}",
        state_view(state, reader.t),
        _length(_most(found, lambda one: one.age_s), reader),
        reader.number(_most(found, lambda one: one.waiting)),
        _length(_most(found, lambda one: one.oldest_s), reader),
    )


def _most(found: Sequence[Observation], value: Callable[[Observation], float | None]) -> float | None:
    return max((number for one in found if (number := value(one)) is not None), default=None)


def _grid(seen: Sequence[Observation]) -> dict[int, Observation | None]:
    """Epoch seconds of every minute from the first to the last; None where nobody looked."""
    step = EVERY.total_seconds()
    by_minute = {int(one.at.timestamp() // step): one for one in seen}
    return {round(at * step): by_minute.get(at) for at in range(min(by_minute), max(by_minute) + 1)}


def _chart(
    title: str,
    about: str,
    times: list[int],
    values: list[float | None],
    unit: str,
    target: float | None,
    reader: Reader,
) -> ChartView:
    last = next((value for value in reversed(values) if value is not None), None)
    most = max((value for value in values if value is not None), default=None)
    words = reader.t("health.chart_label", title=title, last=reader.number(last), most=reader.number(most), unit=unit)
    data = {
        "x": times,
        "grain": "minute",
        "timezone": reader.timezone,
        "bucket": reader.t("health.time"),
        "language": reader.language,
        "series": [{"name": title, "unit": unit, "values": values}],
        "target": target,
        "target_name": reader.t("health.late_after"),
        "bars": False,
    }
    return ChartView(title, about, data, sparkline(values, target), words)


def _scaled(
    values: Sequence[float | None], level: float | None, reader: Reader
) -> tuple[list[float | None], str, float | None]:
    """Seconds in a unit of which there are some, its name, and the level in it if it is near."""
    most = max((value for value in values if value is not None), default=0.0)
    shown = level if level is not None and level <= 3 * most else None
    name, size = next((unit for unit in UNITS if max(most, shown or 0.0) >= LEAST_OF_UNIT * unit[1]), UNITS[-1])
    scaled = [None if value is None else round(value / size, 2) for value in values]
    return scaled, reader.t(f"health.unit.{name}"), None if shown is None else round(shown / size, 2)


def _late_after_s(feed: Feed) -> float | None:
    """Of a cadence by the wall clock; another promise is not a level of age."""
    rule = feed.rule
    if rule is None:
        return feed.promise.total_seconds()
    if rule.working or not isinstance(rule.form, Cadence):
        return None
    return rule.form.error.total_seconds()


def _length(seconds: float | None, reader: Reader) -> str:
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
