"""How many of the open items will be done by their due time, judged by those done before. Pure.

An item that is past its due time is missed. Of another with so little time left, the chance to be done in time is the
share of those that were, among items of its like that were still open with so little time left: all that were done in
the last days, without those done with more time left. Time left is counted in hours to the due time, which the working
calendar has set; the sums are those of the rollups, so that a corrected record changes the forecast too.
"""

from __future__ import annotations

from hub.kpi.conditions import Slice
from hub.kpi.statement import Builder, Cell
from streams.kpi import DUE_MINUTE, Forecast, Kpi
from streams.kpi_forecast import LEFT

ROLES = ("numerator", "denominator")


def add_forecast(builder: Builder, kpi: Kpi, bucket: str) -> None:
    """Items that are expected to be in time, rounded to whole ones, over all that are open, by `bucket`.

    Open items and those done stand in one table, so that windows over what is alike give each item the sums of its
    like: both rollups are read once.
    """
    rule = kpi.forecast
    assert rule is not None
    source = f"{builder.prefix}:{kpi.id}"
    now = f"toStartOfMinute({builder.clock()})"
    sums = ", ".join(
        f"sum(n{number}) OVER {_window(rule, level)} AS l{level}_{number}"
        for level in _levels(rule)
        for number in range(len(rule.left) + 2)
    )
    rows = f"{_open(builder, kpi, rule, bucket, now)} UNION ALL {_done(builder, kpi, rule, now)}"
    builder.select(
        source,
        f"bucket, [toInt64(round(sum(items * {_chance(rule)}))), toInt64(sum(items))]"
        f" AS sums FROM (SELECT bucket, left_class, items, {sums} FROM ({rows})) WHERE items != 0 GROUP BY bucket",
    )
    for number, role in enumerate(ROLES):
        builder.cells[kpi.id, role] = Cell(source, number)


def _levels(rule: Forecast) -> range:
    """How many things are asked to be alike: all of them first, none at last."""
    return range(len(rule.like), -1, -1)


def _window(rule: Forecast, level: int) -> str:
    return f"(PARTITION BY {', '.join(rule.like[:level])})" if level else "()"


def _open(builder: Builder, kpi: Kpi, rule: Forecast, bucket: str, now: str) -> str:
    """Open items by the class of their time left: 0 is past, the last one more than the largest bound."""
    term, like = kpi.terms["value"], ", ".join(rule.like)
    parts = [f"{DUE_MINUTE} < {now}", "0"]
    for number, days in enumerate(rule.left, 1):
        parts += [f"{DUE_MINUTE} <= {now} + toIntervalDay({days})", str(number)]
    nothing = ", ".join(f"toInt64(0) AS n{number}" for number in range(len(rule.left) + 2))
    return (
        f"SELECT {bucket} AS bucket, multiIf({', '.join(parts)}, {len(rule.left) + 1}) AS left_class, {like},"
        f" sum({term.measure}) AS items, {nothing} FROM {builder.table(kpi, term)} WHERE 1{builder.rows_of(kpi)}"
        f" GROUP BY bucket, left_class, {like}"
    )


def _done(builder: Builder, kpi: Kpi, rule: Forecast, now: str) -> str:
    """Items done lately: all, those in time, and those with more time left than each bound."""
    like = ", ".join(rule.like)
    terms = (kpi.terms["done"], kpi.terms["kept"], *(kpi.terms[f"{LEFT}{days}"] for days in rule.left))
    sums = ", ".join(f"sum({term.measure}) AS n{number}" for number, term in enumerate(terms))
    # A department's forecast is made of its own records alone.
    own = Slice(builder.slice.within).conditions(builder.prefix, builder.parameters, kpi.dimensions)
    return (
        f"SELECT '' AS bucket, 0 AS left_class, {like}, toInt64(0) AS items, {sums}"
        f" FROM {builder.table(kpi, kpi.terms['done'])} WHERE day >= toDate({now}) - {rule.back_days}{own}"
        f" GROUP BY {like}"
    )


def _chance(rule: Forecast) -> str:
    """SQL of an item's chance, 0 to 1; 0 where nothing was ever done."""
    parts = ["left_class = 0", "0."]
    for number in range(1, len(rule.left) + 1):
        parts += [f"left_class = {number}", _share(rule, f"- l{{}}_{number + 1}")]
    return f"multiIf({', '.join([*parts, _share(rule, '')])})"


def _share(rule: Forecast, less: str) -> str:
    """In time over all, of the closest like of whom there are enough; of all there are at last."""
    parts = []
    for level in _levels(rule):
        without = less.format(level)
        over = f"(l{level}_0 {without})"
        share = f"least(1., greatest(0., (l{level}_1 {without}) / {over}))"
        parts += [f"{over} >= {rule.least if level else 1}", share]
    return f"multiIf({', '.join(parts)}, 0.)"
