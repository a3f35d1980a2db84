"""Integration health as the pages show it: data sets by department, fourteen days, the chain of one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hub.api.datasets import Why
from hub.health.evidence import TIMES, Stage
from hub.health.incident import Incident
from hub.health.states import worse
from hub.monitor import Judged
from hub.web import formats
from hub.web.views import Reader, StateView, state_view

DAYS = 14


@dataclass(frozen=True, slots=True)
class DatasetView:
    id: str
    name: str
    state: StateView
    age: str


@dataclass(frozen=True, slots=True)
class DepartmentView:
    name: str
    datasets: tuple[DatasetView, ...]


@dataclass(frozen=True, slots=True)
class DayView:
    """One day of a data set: the worst state of its incidents, None for a day without; `lasted`: of them together."""

    day: str
    state: StateView | None
    lasted: str


@dataclass(frozen=True, slots=True)
class TimelineView:
    dataset: DatasetView
    days: tuple[DayView, ...]


@dataclass(frozen=True, slots=True)
class IncidentView:
    dataset: str
    name: str
    state: StateView
    began: str
    ended: str | None
    lasted: str


@dataclass(frozen=True, slots=True)
class StageView:
    """`mark`: ok|bad|unknown; `facts`: (what, value) as text."""

    name: str
    mark: str
    facts: tuple[tuple[str, str], ...]


def departments(judged: Sequence[Judged], reader: Reader) -> list[DepartmentView]:
    """Data sets by department, in the order declared."""
    found: dict[str, list[DatasetView]] = {}
    for one in judged:
        found.setdefault(one.feed.department, []).append(dataset_view(one, reader))
    return [DepartmentView(name, tuple(datasets)) for name, datasets in found.items()]


def dataset_view(one: Judged, reader: Reader) -> DatasetView:
    name = (one.feed.name or {}).get(reader.language) or one.feed.connector
    age = formats.age_text(one.freshness.age_s, reader.t)
    return DatasetView(one.feed.connector, name, state_view(one.freshness.state, reader.t), age)


def timelines(judged: Sequence[Judged], incidents: Sequence[Incident], reader: Reader) -> list[TimelineView]:
    """The last fourteen days of each data set, today last."""
    zone = ZoneInfo(reader.timezone)
    today = reader.now.astimezone(zone).date()
    days = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    by_dataset: dict[str, list[Incident]] = {}
    for incident in incidents:
        by_dataset.setdefault(incident.dataset, []).append(incident)
    return [
        TimelineView(
            dataset_view(one, reader),
            tuple(_day(day, by_dataset.get(one.feed.connector, ()), zone, reader) for day in days),
        )
        for one in judged
    ]


def _day(day: date, incidents: Sequence[Incident], zone: ZoneInfo, reader: Reader) -> DayView:
    begin = datetime.combine(day, time(), zone).astimezone(UTC)
    end = min(datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC), reader.now)
    worst: str | None = None
    lasted = timedelta()
    for one in incidents:
        until = one.ended or reader.now
        if one.began < end and until > begin:
            worst = one.state if worst is None else worse(worst, one.state)
            lasted += min(until, end) - max(one.began, begin)
    return DayView(f"{day:%d/%m}", state_view(worst, reader.t) if worst else None, _length(lasted) if worst else "")


def incident_views(incidents: Sequence[Incident], judged: Sequence[Judged], reader: Reader) -> list[IncidentView]:
    """The incidents with the names of their data sets."""
    names = {one.feed.connector: (one.feed.name or {}).get(reader.language) for one in judged}
    return [
        IncidentView(
            one.dataset,
            names.get(one.dataset) or one.dataset,
            state_view(one.state, reader.t),
            reader.clock(one.began),
            reader.clock(one.ended) if one.ended else None,
            _length(one.lasted(reader.now)),
        )
        for one in incidents
    ]


def stage_views(why: Why, reader: Reader) -> list[StageView]:
    """The chain from the source to the API."""
    return [
        StageView(
            reader.t(f"health.stage.{stage.stage}"),
            {True: "ok", False: "bad", None: "unknown"}[stage.ok],
            tuple(_facts(stage, reader)),
        )
        for stage in why.stages
    ]


def _facts(stage: Stage, reader: Reader) -> list[tuple[str, str]]:
    other = "error_text_en" if reader.language == "vi" else "error_text_vi"
    return [
        (reader.t(f"health.fact.{name.removesuffix('_vi').removesuffix('_en')}"), _text(name, value, reader))
        for name, value in stage.facts.items()
        if name != other and value not in (None, "", {})
    ]


def _text(name: str, value: Any, reader: Reader) -> str:
    if isinstance(value, bool):
        return reader.t("health.yes" if value else "health.no")
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {item}" for key, item in value.items())
    if isinstance(value, int | float):
        return reader.number(round(value, 1))
    return reader.clock(datetime.fromisoformat(value)) if name in TIMES else str(value)


def _length(length: timedelta) -> str:
    """Hours, minutes and seconds, as on a clock: the same in every language."""
    minutes, seconds = divmod(round(length.total_seconds()), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
