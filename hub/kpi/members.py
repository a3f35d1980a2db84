"""Shares of members: codes of a table that had something in the period, over the codes in force at its end. Pure."""

from __future__ import annotations

from datetime import date

from hub.kpi.conditions import Slice
from hub.kpi.period import Period, Trend
from hub.kpi.statement import TOTAL, Builder, Cell, trend_bucket
from streams.kpi import Kpi


def _codes(kpi: Kpi, builder: Builder, end: date, column: str | None = None) -> str:
    """The codes in force at `end` as a sub-query with the columns `code` and, if asked, `bucket`."""
    until = builder.parameter("to", end)
    where = f" AND ({kpi.codes_where})" if kpi.codes_where else ""
    within = builder.slice.within
    coded = within if within is not None and kpi.codes in within.coded else None
    asked = Slice(coded, tuple(item for item in builder.slice.where if item[0] != kpi.member))
    columns = builder.slice.code_columns.get(kpi.codes or "", ())
    where += asked.conditions(f"{builder.prefix}c", builder.parameters, columns)
    bucket = f", toString(any({column})) AS bucket" if column else ""
    return (
        f"(SELECT code{bucket} FROM code_{kpi.codes} WHERE valid_from <= {until}"
        f" AND (valid_to IS NULL OR valid_to >= {until}){where} GROUP BY code)"
    )


def add_members(builder: Builder, kpi: Kpi, period: Period, code_column: str | None = None) -> None:
    """Members in force with a positive sum over the period, over the members in force."""
    term = kpi.terms["value"]
    start, end = builder.parameter("from", period.start), builder.parameter("to", period.end)
    source = f"{builder.prefix}:{kpi.id}"
    active = (
        f"(SELECT {kpi.member} FROM {builder.table(kpi, term)} WHERE day BETWEEN {start} AND {end}"
        f"{builder.rows_of(kpi)} GROUP BY {kpi.member} HAVING sum({term.measure}) > 0)"
    )
    bucket = "bucket" if code_column else f"'{TOTAL}' AS bucket"
    builder.select(
        source,
        f"{bucket}, [toInt64(countIf(code IN {active})), toInt64(count())] AS sums"
        f" FROM {_codes(kpi, builder, period.end, code_column)} GROUP BY bucket",
    )
    builder.cells[kpi.id, "numerator"] = Cell(source, 0)
    builder.cells[kpi.id, "denominator"] = Cell(source, 1)


def add_member_trend(builder: Builder, kpi: Kpi, period: Period, trend: Trend, cumulative: bool) -> None:
    """As `add_members`, by bucket of a trend; the codes in force come once, as the bucket `''`."""
    term = kpi.terms["value"]
    start, end = builder.parameter("from", period.start), builder.parameter("to", period.end)
    codes = _codes(kpi, builder, period.end)
    by_day = (
        f"SELECT {kpi.member} AS member, day FROM {builder.table(kpi, term)} WHERE day BETWEEN {start} AND {end}"
        f"{builder.rows_of(kpi)} AND {kpi.member} IN {codes} GROUP BY member, day HAVING sum({term.measure}) > 0"
    )
    if cumulative:
        inner = f"SELECT {trend_bucket(trend, 'min(day)', start)} AS bucket FROM ({by_day}) GROUP BY member"
    else:
        inner = f"SELECT DISTINCT {trend_bucket(trend, 'day', start)} AS bucket, member FROM ({by_day})"
    source = f"{builder.prefix}:{kpi.id}"
    builder.select(source, f"bucket, [toInt64(count())] AS sums FROM ({inner}) GROUP BY bucket")
    over = f"{builder.prefix}:{kpi.id}:over"
    builder.select(over, f"'{TOTAL}' AS bucket, [toInt64(count())] AS sums FROM {codes}")
    builder.cells[kpi.id, "numerator"] = Cell(source, 0)
    builder.cells[kpi.id, "denominator"] = Cell(over, 0)
