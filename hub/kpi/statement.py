"""Statements under construction: SQL with parameters, and where each figure stands in the answer. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from hub.kpi.by_day import ByDay
from hub.kpi.conditions import EVERYTHING, Slice
from hub.kpi.period import Trend, bucket_sql
from streams.kpi import Kpi, Term
from streams.plan import rollup_table

TOTAL = ""
"""The bucket of a total; in a trend, of what lies before the trend's window."""


Value = str | list[str]
"""Of a parameter: its text, or the texts of a list's."""


@dataclass(frozen=True, slots=True)
class Select:
    """A part of a statement that may be asked alone: all of its rows begin with `source`, and no other part's do.
    `days`: how many days of its table it reads; None: it may be all. `by_day`: how to ask for other days as well."""

    source: str
    sql: str
    days: int | None = None
    by_day: ByDay | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with `{name:Type}` parameters, for the warehouse to bind. `selects`: the parts it is the union of, if any.
    `light`: all of them read so little that it is not worth looking for less (`hub.kpi.memo.LIGHT_ROWS`)."""

    sql: str
    parameters: Mapping[str, Value]
    selects: tuple[Select, ...] = ()
    light: bool = False


def union_of(selects: Iterable[Select], parameters: Mapping[str, Value], light: bool = False) -> Statement:
    """One statement for all `selects`."""
    kept = tuple(selects)
    return Statement("\nUNION ALL\n".join(select.sql for select in kept), parameters, kept, light)


@dataclass(frozen=True, slots=True)
class Cell:
    """Where one figure of a KPI stands in the answer."""

    source: str
    index: int


@dataclass(frozen=True, slots=True)
class Layout:
    """`cells` by (KPI id, role); roles are numerator and denominator, or value and less."""

    cells: Mapping[tuple[str, str], Cell]

    def figures(self, kpi: Kpi, sums: Mapping[str, Iterable[int]]) -> dict[str, int]:
        """The figures of `kpi` by role from the sums by source of one bucket; what is missing is 0."""
        found: dict[str, int] = {}
        for (kpi_id, role), cell in self.cells.items():
            if kpi_id == kpi.id:
                values = tuple(sums.get(cell.source, ()))
                found[role] = int(values[cell.index]) if values else 0
        return found


@dataclass(slots=True)
class Builder:
    """Collects the parts of one statement; parts over the same rows share one SELECT. `now`: for what is due; None
    leaves it to the warehouse's clock."""

    prefix: str
    slice: Slice = EVERYTHING
    tables: Mapping[str, str] = field(default_factory=dict)
    now: datetime | None = None
    selects: list[Select] = field(default_factory=list)
    parameters: dict[str, str] = field(default_factory=dict)
    cells: dict[tuple[str, str], Cell] = field(default_factory=dict)

    def select(self, source: str, rest: str, days: int | None = None, by_day: ByDay | None = None) -> None:
        """Adds `SELECT source, rest`, which answers the columns `bucket` and `sums`; the others: see `Select`."""
        self.selects.append(Select(source, f"SELECT '{source}' AS source, {rest}", days, by_day))

    def statement(self) -> tuple[Statement, Layout]:
        return union_of(self.selects, self.parameters), Layout(self.cells)

    def parameter(self, name: str, value: date) -> str:
        self.parameters[f"{self.prefix}_{name}"] = value.isoformat()
        return f"{{{self.prefix}_{name}:Date}}"

    def clock(self) -> str:
        """SQL of the moment with which due times are compared: its minute, so that it is the same for a minute."""
        if self.now is None:
            return "now64(3, 'UTC')"
        self.parameters[f"{self.prefix}_now"] = self.now.astimezone(UTC).strftime("%Y-%m-%d %H:%M:00.000")
        return f"{{{self.prefix}_now:DateTime64(3, 'UTC')}}"

    def table(self, kpi: Kpi, term: Term) -> str:
        """The physical table of the rollup that holds `term`."""
        rollup = rollup_table(kpi.entity, term.time)
        return self.tables.get(rollup, rollup)

    def rows_of(self, kpi: Kpi) -> str:
        """The conditions on rows of a KPI's rollups."""
        return self.slice.conditions(self.prefix, self.parameters, kpi.dimensions)


def trend_bucket(trend: Trend | None, day: str, start: str) -> str:
    """SQL of the bucket of a row's day."""
    if trend is None:
        return f"'{TOTAL}'"
    return f"if({day} < {start}, '{TOTAL}', toString({bucket_sql(trend.grain, day)}))"


def by_bucket(rows: Iterable[Sequence[Any]]) -> dict[str, dict[str, Sequence[int]]]:
    """Sums by bucket and source, from rows `(source, bucket, sums)`."""
    buckets: dict[str, dict[str, Sequence[int]]] = {}
    for source, bucket, sums in rows:
        buckets.setdefault(str(bucket), {})[str(source)] = sums
    return buckets
