"""The same figure as reported by hand, shown beside the computed one and never in its place. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hub.kpi.conditions import Slice
from hub.kpi.counted import moment
from hub.kpi.period import LATEST, Period
from hub.kpi.statement import Statement
from schemas.contract import Contract
from streams.kpi import Reported

_COLUMNS = (
    *("org_code", "period_start", "period_end", "value", "numerator", "denominator", "target"),
    *("lower_bound", "submitted_at", "approved"),
)


@dataclass(frozen=True, slots=True)
class ReportedValue:
    """The newest report of a period that ends no later than the one asked for. `difference`: computed less reported."""

    org: str
    start: datetime
    end: datetime
    value: float | None
    numerator: float | None
    denominator: float | None
    target: float | None
    lower_bound: bool
    submitted_at: datetime | None
    approved: bool
    difference: float | None


def reported_statement(source: Reported, contract: Contract, period: Period, chosen: Slice, timezone: str) -> Statement:
    """The report of the whole province, or of the highest unit there is, that ends last within `period`."""
    parameters = {"code": source.code}
    scope = chosen.conditions("s", parameters, contract.by_name)
    until = ""
    if period.end < LATEST:
        after: date = period.end + timedelta(days=1)
        zone = ZoneInfo(timezone)
        parameters["until"] = moment(datetime(after.year, after.month, after.day, tzinfo=zone))
        parameters["from"] = moment(datetime(period.start.year, period.start.month, period.start.day, tzinfo=zone))
        until = " AND period_end <= {until:DateTime64(3, 'UTC')} AND period_end > {from:DateTime64(3, 'UTC')}"
    return Statement(
        f"SELECT {', '.join(_COLUMNS)} FROM {contract.current_table} FINAL WHERE deleted = 0"
        f" AND `{source.field}` = {{code:String}}{until}{scope}"
        " ORDER BY length(org_code), org_code, approved DESC, period_end DESC, period_start LIMIT 1",
        parameters,
    )


def reported_value(rows: Sequence[Sequence[Any]], computed: float | None) -> ReportedValue | None:
    """The answer to `reported_statement`."""
    if not rows:
        return None
    found = dict(zip(_COLUMNS, rows[0], strict=True))
    value = _number(found["value"])
    return ReportedValue(
        org=str(found["org_code"]),
        start=found["period_start"],
        end=found["period_end"],
        value=value,
        numerator=_number(found["numerator"]),
        denominator=_number(found["denominator"]),
        target=_number(found["target"]),
        lower_bound=bool(found["lower_bound"]),
        submitted_at=found["submitted_at"],
        approved=bool(found["approved"]),
        difference=None if value is None or computed is None else round(computed - value, 2),
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
