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
    """Items that are expected to be in time, rounded to whole ones, over all that are open, by `bucket`."""
    rule = kpi.forecast
    assert rule is not None
    source = f"{builder.prefix}:{kpi.id}"
    open_items = kpi.terms["value"].measure
    now = f"toStartOfMinute({builder.clock()})"
    joins = "".join(_like(builder, kpi, rule, level, now) for level in _levels(rule))
    builder.selects.append(
        f"SELECT '{source}' AS source, {bucket} AS bucket,"
        f" [toInt64(round(sum({open_items} * {_chance(rule, now)}))), toInt64(sum({open_items}))] AS sums"
        f" FROM {builder.table(kpi, kpi.terms['value'])} AS open_items{joins} WHERE 1{builder.rows_of(kpi)}"
        " GROUP BY bucket"
    )
    for number, role in enumerate(ROLES):
        builder.cells[kpi.id, role] = Cell(source, number)


def _levels(rule: Forecast) -> range:
    """How many things are asked to be alike: all of them first, none at last."""
    return range(len(rule.like), -1, -1)


def _like(builder: Builder, kpi: Kpi, rule: Forecast, level: int, now: str) -> str:
    """The sums of items done before, by what has to be alike; names of their own, since they stand beside the items."""
    alike = rule.like[:level]
    terms = (kpi.terms["done"], kpi.terms["kept"], *(kpi.terms[f"{LEFT}{days}"] for days in rule.left))
    sums = [f"sum({term.measure}) AS l{level}_{number}" for number, term in enumerate(terms)]
    keys = [f"{name} AS l{level}_{name}" for name in alike]
    # A department's forecast is made of its own records alone.
    own = Slice(builder.slice.within).conditions(builder.prefix, builder.parameters, kpi.dimensions)
    grouped = f" GROUP BY {', '.join(alike)}" if alike else ""
    found = (
        f"(SELECT {', '.join([*keys, *sums])} FROM {builder.table(kpi, kpi.terms['done'])}"
        f" WHERE day >= toDate({now}) - {rule.back_days}{own}{grouped}) AS l{level}"
    )
    if not alike:
        return f" CROSS JOIN {found}"
    return f" LEFT JOIN {found} ON {' AND '.join(f'open_items.{name} = l{level}.l{level}_{name}' for name in alike)}"


def _chance(rule: Forecast, now: str) -> str:
    """SQL of an item's chance, 0 to 1; 0 where nothing was ever done."""
    parts = [f"{DUE_MINUTE} < {now}", "0."]
    for number, days in enumerate(rule.left, 2):
        parts += [f"{DUE_MINUTE} <= {now} + toIntervalDay({days})", _share(rule, f"- l{{}}_{number}")]
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
