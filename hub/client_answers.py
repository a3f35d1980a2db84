"""What the API answers, as values with types: for programs that use `hub.client`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with its parts; `status` is ok, no_data, partial, or why nothing was computed."""

    value: float | None
    numerator: int | None
    denominator: int | None
    status: str

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Figure:
        return cls(raw["value"], raw["numerator"], raw["denominator"], raw["status"])


@dataclass(frozen=True, slots=True)
class RowFigure:
    """One line of a breakdown."""

    key: str
    name: str | None
    figure: Figure


@dataclass(frozen=True, slots=True)
class PointFigure:
    """One bucket of a series, by its first day."""

    day: date
    figure: Figure


@dataclass(frozen=True, slots=True)
class KpiFigure:
    """One KPI's answer. `rows` and `series` are empty where they were not asked for; `compared`: the other period's."""

    id: str
    name: str
    unit: str
    kind: str
    start: date
    end: date
    figure: Figure
    target: float | None
    gap: float | None
    missed: bool
    level: str | None
    as_of: datetime | None
    stale: str | None
    rows: tuple[RowFigure, ...] = ()
    series: tuple[PointFigure, ...] = ()
    compared: Figure | None = None
    difference: float | None = None

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> KpiFigure:
        """From the API's JSON."""
        compare = raw.get("compare")
        return cls(
            id=raw["id"],
            name=raw["name"],
            unit=raw["unit"],
            kind=raw["kind"],
            start=date.fromisoformat(raw["from"]),
            end=date.fromisoformat(raw["to"]),
            figure=Figure.of(raw),
            target=raw["target"],
            gap=raw["gap"],
            missed=raw["missed"],
            level=raw["level"],
            as_of=None if raw["as_of"] is None else datetime.fromisoformat(raw["as_of"]),
            stale=raw["stale"],
            rows=tuple(RowFigure(row["key"], row["name"], Figure.of(row)) for row in raw.get("rows") or ()),
            series=tuple(
                PointFigure(date.fromisoformat(point["from"]), Figure.of(point)) for point in raw.get("series") or ()
            ),
            compared=Figure.of(compare) if compare else None,
            difference=compare["difference"] if compare else None,
        )


@dataclass(frozen=True, slots=True)
class SqlAnswer:
    """`columns` are names with the warehouse's types; `truncated`: rows were cut off at `limit`."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool
    limit: int

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> SqlAnswer:
        """From the API's JSON."""
        return cls(
            tuple((column["name"], column["type"]) for column in raw["columns"]),
            tuple(tuple(row) for row in raw["rows"]),
            raw["truncated"],
            raw["limit"],
        )
