"""From KPIs and a period to SQL: pure.

Every statement answers rows `(source, bucket, sums)`: `source` names the part of the statement, `bucket` is
`''` for a total, a dimension's value or the first day of a trend's bucket, `sums` is an array of Int64. So
the figures of a whole dashboard come in one union, and a `Layout` says which figure is which.

Rollups are SummingMergeTrees: their measures are always summed here, never read row by row. All values
reach the warehouse as parameters; names come from checked declarations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from hub.kpi.by_day import ByDay
from hub.kpi.conditions import Slice, Within
from hub.kpi.errors import UnknownDimensionError
from hub.kpi.forecast import add_forecast
from hub.kpi.members import add_member_trend, add_members
from hub.kpi.period import Period, Trend
from hub.kpi.spans import Spans
from hub.kpi.statement import TOTAL, Builder, Cell, Layout, Statement, Value, trend_bucket, union_of
from streams.kpi import DUE_MINUTE, OF_NOW, Due, Kpi, Term
from streams.plan import rollup_table

__all__ = [
    "TOTAL",
    "Layout",
    "Slice",
    "Statement",
    "Within",
    "additive",
    "allowed_dimensions",
    "breakdown",
    "spans",
    "totals",
    "trends",
    "union",
]

NAMESAKES: Mapping[str, str] = {}
"""No rollup is served by a table of another name."""
OWN_SELECTS = ("members", "forecast")
"""Kinds that share no rows with others."""


def totals(
    kpis: Iterable[Kpi],
    period: Period,
    within: Within | Slice | None = None,
    prefix: str = "p",
    tables: Mapping[str, str] = NAMESAKES,
    now: datetime | None = None,
) -> tuple[Statement, Layout]:
    """The figures of `kpis` over `period`, one bucket `''`; `tables`: the physical table of each rollup."""
    return _build(tuple(kpis), period, Builder(prefix, _slice(within), tables, now), f"'{TOTAL}'", None)


def trends(
    kpis: Iterable[Kpi],
    period: Period,
    trend: Trend,
    within: Within | Slice | None = None,
    prefix: str = "t",
    tables: Mapping[str, str] = NAMESAKES,
    cumulative: bool | None = None,
) -> tuple[Statement, Layout]:
    """The figures of `kpis` by bucket of `trend`; what is due has none: it is of now.

    Stocks, and members of a period that fills the window, come as increments to be summed up in order,
    the bucket `''` holding what came before the window; with `cumulative` False members come by bucket alone.
    """
    cumulative = trend.window.start >= period.start if cumulative is None else cumulative
    drawn = tuple(kpi for kpi in kpis if kpi.kind not in OF_NOW)
    return _build(drawn, trend.window, Builder(prefix, _slice(within), tables), None, trend, cumulative)


def additive(kpi: Kpi) -> bool:
    """Whether the figures of days that are apart may be added up to those of all of them."""
    return kpi.kind not in (*OWN_SELECTS, *OF_NOW) and not kpi.last


def spans(
    kpis: Iterable[Kpi],
    asked: Spans,
    within: Within | Slice | None = None,
    prefix: str = "s",
    tables: Mapping[str, str] = NAMESAKES,
) -> tuple[Statement, Layout]:
    """The figures of `additive` KPIs of a period, of its trend and of today: `Spanned` reads the answer."""
    builder = Builder(prefix, _slice(within), tables)
    for group, sums in _groups(builder, kpis).items():
        days, label, keys = asked.labelled(builder, group.stock)
        rows = f"FROM {group.table} WHERE {days}{group.conditions} GROUP BY {keys}"
        builder.select(group.source, f"{label} AS bucket, [{', '.join(sums)}] AS sums {rows}")
    return builder.statement()


def breakdown(
    kpi: Kpi,
    period: Period,
    by: str,
    dimensions: tuple[str, ...],
    code_columns: Mapping[str, tuple[str, ...]],
    within: Within | Slice | None = None,
    tables: Mapping[str, str] = NAMESAKES,
    now: datetime | None = None,
    label: str | None = None,
) -> tuple[Statement, Layout]:
    """The figures of `kpi` by the dimension `by`; UnknownDimensionError names the ones that can be had.

    A share of members is divided by an attribute of the members themselves (a column of their code table). `label`: SQL
    over a row that stands for the dimension's value.
    """
    allowed = allowed_dimensions(kpi, dimensions, code_columns)
    if by not in allowed:
        raise UnknownDimensionError(by, allowed)
    builder = Builder("b", _slice(within), tables, now)
    if kpi.kind == "members":
        add_members(builder, kpi, period, code_column=by)
        return builder.statement()
    return _build((kpi,), period, builder, label or f"ifNull(toString(`{by}`), '')", None)


def allowed_dimensions(
    kpi: Kpi, dimensions: tuple[str, ...], code_columns: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """What `by` may be for `kpi`."""
    if kpi.kind != "members":
        return dimensions
    columns = code_columns.get(kpi.codes or "", ())
    own = {"code", "valid_from", "valid_to"}
    return tuple(name for name in columns if name not in own and not name.startswith("name"))


def union(*parts: tuple[Statement, Layout]) -> Statement:
    """One statement for several; prefixes keep their parameters and sources apart."""
    parameters: dict[str, Value] = {}
    for statement, _ in parts:
        parameters |= statement.parameters
    return union_of((select for statement, _ in parts for select in statement.selects), parameters)


def _slice(within: Within | Slice | None) -> Slice:
    return within if isinstance(within, Slice) else Slice(within)


@dataclass(frozen=True, slots=True)
class _Group:
    """Terms that one SELECT answers: of one table, with one condition on days and due times, over one slice."""

    source: str
    table: str
    stock: bool
    due: Due | None
    conditions: str
    last: str | None
    """The measure that tells on which days a unit said anything, if only the last of them counts."""


def _build(
    kpis: tuple[Kpi, ...],
    period: Period,
    builder: Builder,
    bucket: str | None,
    trend: Trend | None,
    cumulative_members: bool = False,
) -> tuple[Statement, Layout]:
    groups = _groups(builder, kpis)
    start, end = builder.parameter("from", period.start), builder.parameter("to", period.end)
    for group, sums in groups.items():
        when = f"day <= {end}" if group.stock else f"day BETWEEN {start} AND {end}"
        when = _due(builder, group.due) if group.due is not None else when
        label = bucket or trend_bucket(trend, "day", start)
        rows = f"FROM {group.table} WHERE {when}{group.conditions}"
        if group.last is None:
            found = f"{label} AS bucket, [{', '.join(sums)}] AS sums {rows} GROUP BY bucket"
        else:
            found = _last_of_units(label, ", ".join(sums), rows, group.last)
        days = None if group.stock or group.due is not None else period.days
        by_day = None if trend is not None else _by_day(group, sums, label, period)
        builder.select(group.source, found, days, by_day)
    for kpi in kpis:
        if kpi.kind == "forecast":
            add_forecast(builder, kpi, bucket or f"'{TOTAL}'")
        if kpi.kind == "members" and trend is None:
            add_members(builder, kpi, period)
        elif kpi.kind == "members" and trend is not None:
            add_member_trend(builder, kpi, period, trend, cumulative_members)
    return builder.statement()


def _by_day(group: _Group, sums: tuple[str, ...], label: str, period: Period) -> ByDay | None:
    """None where the figures of a period are not the sum of its days', or are not of a rollup."""
    if group.last is not None or group.due is not None or not group.table.isidentifier():
        return None
    return ByDay(label, sums, group.table, group.conditions, period, group.stock)


def _groups(builder: Builder, kpis: Iterable[Kpi]) -> dict[_Group, tuple[str, ...]]:
    """SQL of each sum of each group; tells the builder where each figure stands among them."""
    groups: dict[_Group, list[str]] = {}
    for kpi in kpis:
        for role, term in ({} if kpi.kind in OWN_SELECTS else kpi.terms).items():
            group = _group(builder, kpi, term)
            measures = groups.setdefault(group, [])
            if term.measure not in measures:
                measures.append(term.measure)
            builder.cells[kpi.id, role] = Cell(group.source, measures.index(term.measure))
    return {group: tuple(f"sum({measure})" for measure in measures) for group, measures in groups.items()}


def _group(builder: Builder, kpi: Kpi, term: Term) -> _Group:
    rollup, stock = rollup_table(kpi.entity, term.time), kpi.kind == "stock"
    source = f"{builder.prefix}:{rollup}{':until' if stock else ''}"
    if kpi.due is not None:
        source += f":due:{'past' if kpi.due.past else kpi.due.within_h}"
    last = kpi.base.measure if kpi.last else None
    source += "" if last is None else f":last:{last}"
    return _Group(source, builder.table(kpi, term), stock, kpi.due, builder.rows_of(kpi), last)


def _last_of_units(label: str, sums: str, rows: str, said: str) -> str:
    """Of each unit its sums of the last day on which it said anything, added up."""
    days = (
        f"SELECT {label} AS bucket, org_code AS unit, day AS on_day, [{sums}] AS of_day {rows}"
        f" GROUP BY bucket, unit, on_day HAVING sum({said}) != 0"
    )
    units = f"SELECT bucket, unit, argMax(of_day, on_day) AS of_unit FROM ({days}) GROUP BY bucket, unit"
    return f"bucket, sumForEach(of_unit) AS sums FROM ({units}) GROUP BY bucket"


def _due(builder: Builder, due: Due) -> str:
    """What is due is told to the minute: an item is overdue when its due minute has begun before this one."""
    now = f"toStartOfMinute({builder.clock()})"
    if due.past:
        return f"{DUE_MINUTE} < {now}"
    seconds = round((due.within_h or 0) * 3600)
    return f"{DUE_MINUTE} >= {now} AND {DUE_MINUTE} < {now} + toIntervalSecond({seconds})"
