"""From KPIs and a period to SQL: pure.

Every statement answers rows `(source, bucket, sums)`: `source` names the part of the statement, `bucket` is
`''` for a total, a dimension's value or the first day of a trend's bucket, `sums` is an array of Int64. So
the figures of a whole dashboard come in one statement, and a `Layout` says which figure is which.

Rollups are SummingMergeTrees: their measures are always summed here, never read row by row. All values
reach the warehouse as parameters; names come from checked declarations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from hub.kpi.errors import UnknownDimensionError
from hub.kpi.period import Period, Trend
from streams.plan import Kpi, Term, rollup_table

TOTAL = ""
"""The bucket of a total; in a trend, of what lies before the trend's window."""

NAMESAKES: Mapping[str, str] = {}
"""No rollup is served by a table of another name."""


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with `{name:Type}` parameters, for the warehouse to bind."""

    sql: str
    parameters: dict[str, str]


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


@dataclass(frozen=True, slots=True)
class Within:
    """Only rows of the unit `org` and of what is below it; `coded` are the code tables that name a unit."""

    org: str
    coded: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Builder:
    """Collects the parts of one statement; parts over the same rows share one SELECT."""

    prefix: str
    within: Within | None = None
    tables: Mapping[str, str] = field(default_factory=dict)
    selects: list[str] = field(default_factory=list)
    parameters: dict[str, str] = field(default_factory=dict)
    cells: dict[tuple[str, str], Cell] = field(default_factory=dict)

    def parameter(self, name: str, value: date) -> str:
        self.parameters[f"{self.prefix}_{name}"] = value.isoformat()
        return f"{{{self.prefix}_{name}:Date}}"

    def table(self, kpi: Kpi, term: Term) -> str:
        """The physical table of the rollup that holds `term`."""
        rollup = rollup_table(kpi.entity, term.time)
        return self.tables.get(rollup, rollup)

    @property
    def scope(self) -> str:
        """The condition that keeps a caller to its own unit; every SELECT over rows or codes has it."""
        if self.within is None:
            return ""
        self.parameters[f"{self.prefix}_org"] = self.within.org
        org = f"{{{self.prefix}_org:String}}"
        return f" AND (org_code = {org} OR startsWith(org_code, concat({org}, '.')))"


def totals(
    kpis: Iterable[Kpi],
    period: Period,
    within: Within | None = None,
    prefix: str = "p",
    tables: Mapping[str, str] = NAMESAKES,
) -> tuple[Statement, Layout]:
    """The figures of `kpis` over `period`, one bucket `''`; `tables`: the physical table of each rollup."""
    return _build(tuple(kpis), period, _Builder(prefix, within, tables), f"'{TOTAL}'", None)


def trends(
    kpis: Iterable[Kpi],
    period: Period,
    trend: Trend,
    within: Within | None = None,
    prefix: str = "t",
    tables: Mapping[str, str] = NAMESAKES,
) -> tuple[Statement, Layout]:
    """The figures of `kpis` by bucket of `trend`.

    Stocks, and members of a period that fills the window, come as increments to be summed up in order,
    the bucket `''` holding what came before the window.
    """
    cumulative = trend.window.start >= period.start
    return _build(tuple(kpis), trend.window, _Builder(prefix, within, tables), None, trend, cumulative)


def breakdown(
    kpi: Kpi,
    period: Period,
    by: str,
    dimensions: tuple[str, ...],
    code_columns: Mapping[str, tuple[str, ...]],
    within: Within | None = None,
    tables: Mapping[str, str] = NAMESAKES,
) -> tuple[Statement, Layout]:
    """The figures of `kpi` by the dimension `by`; UnknownDimensionError names the ones that can be had.

    A share of members is divided by an attribute of the members themselves (a column of their code table).
    """
    allowed = allowed_dimensions(kpi, dimensions, code_columns)
    if by not in allowed:
        raise UnknownDimensionError(by, allowed)
    builder = _Builder("b", within, tables)
    if kpi.kind == "members":
        _members(builder, kpi, period, code_column=by)
        return _statement(builder), Layout(builder.cells)
    return _build((kpi,), period, builder, f"toString({by})", None)


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
    parameters: dict[str, str] = {}
    for statement, _ in parts:
        parameters |= statement.parameters
    return Statement("\nUNION ALL\n".join(statement.sql for statement, _ in parts if statement.sql), parameters)


def _roles(kpi: Kpi) -> dict[str, Term]:
    return {} if kpi.kind == "members" else kpi.terms


def _build(
    kpis: tuple[Kpi, ...],
    period: Period,
    builder: _Builder,
    bucket: str | None,
    trend: Trend | None,
    cumulative_members: bool = False,
) -> tuple[Statement, Layout]:
    prefix = builder.prefix
    groups: dict[tuple[str, bool], list[str]] = {}
    for kpi in kpis:
        for role, term in _roles(kpi).items():
            group = (builder.table(kpi, term), kpi.kind == "stock")
            measures = groups.setdefault(group, [])
            if term.measure not in measures:
                measures.append(term.measure)
            builder.cells[kpi.id, role] = Cell(_source(prefix, *group), measures.index(term.measure))
    start, end = builder.parameter("from", period.start), builder.parameter("to", period.end)
    for (table, stock), measures in groups.items():
        sums = ", ".join(f"sum({measure})" for measure in measures)
        where = (f"day <= {end}" if stock else f"day BETWEEN {start} AND {end}") + builder.scope
        label = bucket or _trend_bucket(trend, "day", start)
        builder.selects.append(
            f"SELECT '{_source(prefix, table, stock)}' AS source, {label} AS bucket, [{sums}] AS sums"
            f" FROM {table} WHERE {where} GROUP BY bucket"
        )
    for kpi in kpis:
        if kpi.kind == "members" and trend is None:
            _members(builder, kpi, period)
        elif kpi.kind == "members" and trend is not None:
            _member_trend(builder, kpi, period, trend, cumulative_members)
    return _statement(builder), Layout(builder.cells)


def _source(prefix: str, table: str, stock: bool) -> str:
    return f"{prefix}:{table}{':until' if stock else ''}"


def _trend_bucket(trend: Trend | None, day: str, start: str) -> str:
    if trend is None:
        return f"'{TOTAL}'"
    first = day if trend.grain == "day" else f"toStartOfMonth({day})"
    return f"if({day} < {start}, '{TOTAL}', toString({first}))"


def _statement(builder: _Builder) -> Statement:
    return Statement("\nUNION ALL\n".join(builder.selects), builder.parameters)


def _codes(kpi: Kpi, builder: _Builder, end: date, column: str | None = None) -> str:
    """The codes in force at `end` as a sub-query with the columns `code` and, if asked, `bucket`."""
    until = builder.parameter("to", end)
    where = f" AND ({kpi.codes_where})" if kpi.codes_where else ""
    if builder.within is not None and kpi.codes in builder.within.coded:
        where += builder.scope
    bucket = f", toString(any({column})) AS bucket" if column else ""
    return (
        f"(SELECT code{bucket} FROM code_{kpi.codes} WHERE valid_from <= {until}"
        f" AND (valid_to IS NULL OR valid_to >= {until}){where} GROUP BY code)"
    )


def _members(builder: _Builder, kpi: Kpi, period: Period, code_column: str | None = None) -> None:
    """Members in force with a positive sum over the period, over the members in force."""
    term = kpi.terms["value"]
    start, end = builder.parameter("from", period.start), builder.parameter("to", period.end)
    source = f"{builder.prefix}:{kpi.id}"
    active = (
        f"(SELECT {kpi.member} FROM {builder.table(kpi, term)} WHERE day BETWEEN {start} AND {end}"
        f"{builder.scope} GROUP BY {kpi.member} HAVING sum({term.measure}) > 0)"
    )
    bucket = "bucket" if code_column else f"'{TOTAL}' AS bucket"
    builder.selects.append(
        f"SELECT '{source}' AS source, {bucket}, [toInt64(countIf(code IN {active})), toInt64(count())] AS sums"
        f" FROM {_codes(kpi, builder, period.end, code_column)} GROUP BY bucket"
    )
    builder.cells[kpi.id, "numerator"] = Cell(source, 0)
    builder.cells[kpi.id, "denominator"] = Cell(source, 1)


def _member_trend(builder: _Builder, kpi: Kpi, period: Period, trend: Trend, cumulative: bool) -> None:
    term = kpi.terms["value"]
    start, end = builder.parameter("from", period.start), builder.parameter("to", period.end)
    table = builder.table(kpi, term)
    codes = _codes(kpi, builder, period.end)
    by_day = (
        f"SELECT {kpi.member} AS member, day FROM {table} WHERE day BETWEEN {start} AND {end}"
        f"{builder.scope} AND {kpi.member} IN {codes} GROUP BY member, day HAVING sum({term.measure}) > 0"
    )
    if cumulative:
        inner = f"SELECT {_trend_bucket(trend, 'min(day)', start)} AS bucket FROM ({by_day}) GROUP BY member"
    else:
        inner = f"SELECT DISTINCT {_trend_bucket(trend, 'day', start)} AS bucket, member FROM ({by_day})"
    source = f"{builder.prefix}:{kpi.id}"
    builder.selects.append(
        f"SELECT '{source}' AS source, bucket, [toInt64(count())] AS sums FROM ({inner}) GROUP BY bucket"
    )
    over = f"{builder.prefix}:{kpi.id}:over"
    builder.selects.append(f"SELECT '{over}' AS source, '{TOTAL}' AS bucket, [toInt64(count())] AS sums FROM {codes}")
    builder.cells[kpi.id, "numerator"] = Cell(source, 0)
    builder.cells[kpi.id, "denominator"] = Cell(over, 0)
