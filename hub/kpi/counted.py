"""What a KPI counts, as SQL over rows of its entity: the measure's amount and the condition on days. Pure.

The same expressions as in the rollups, so that the records behind a figure add up to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hub.kpi.conditions import Slice
from hub.kpi.period import EARLIEST, LATEST, Period
from streams import arrivals
from streams.kpi import Kpi, Term
from streams.plan import EntityPlan, expand


@dataclass(frozen=True, slots=True)
class Asked:
    """The rows a question is about: days, slice, and the moment for what is due. `known_at`: as it was known then."""

    period: Period
    chosen: Slice
    now: datetime
    timezone: str
    known_at: datetime | None = None

    @property
    def clock(self) -> datetime:
        """With what due times are compared."""
        return self.known_at or self.now


def amount(plan: EntityPlan, term: Term, timezone: str) -> str:
    """What one state adds to a term's sum."""
    return f"toInt64(ifNull({expand(plan.measures[term.measure].sql, timezone)}, 0))"


def counted(kpi: Kpi, term: Term, asked: Asked, parameters: dict[str, str], prefix: str = "c") -> str:
    """The condition under which a state's amount belongs to the figure; parameters are added."""
    if kpi.due is not None:
        return _due(kpi, term, asked, parameters, prefix)
    if kpi.forecast is not None:
        return f"`{term.time}` IS NOT NULL"
    zone = ZoneInfo(asked.timezone)
    time = "kafka_time" if term.time == arrivals.TIME else f"`{term.time}`"
    parts = [f"{time} IS NOT NULL"]
    if kpi.kind != "stock" and asked.period.start > EARLIEST:
        start = asked.period.start
        parameters[f"{prefix}_from"] = moment(datetime(start.year, start.month, start.day, tzinfo=zone))
        parts.append(f"{time} >= {{{prefix}_from:DateTime64(3, 'UTC')}}")
    if asked.period.end < LATEST:
        after = asked.period.end + timedelta(days=1)
        parameters[f"{prefix}_until"] = moment(datetime(after.year, after.month, after.day, tzinfo=zone))
        parts.append(f"{time} < {{{prefix}_until:DateTime64(3, 'UTC')}}")
    return " AND ".join(parts)


def on_last_day(kpi: Kpi, plan: EntityPlan, asked: Asked, table: str, holds: str) -> str:
    """The condition that a state is of the last day on which its unit said anything, among the states of `table` for
    which `holds`."""
    day = f"toDate(`{kpi.base.time}`, '{asked.timezone}')"
    said = f"{amount(plan, kpi.base, asked.timezone)} != 0"
    return (
        f"(org_code, {day}) IN (SELECT org_code, max({day}) FROM {table} FINAL"
        f" WHERE deleted = 0 AND {holds} AND {said} GROUP BY org_code)"
    )


def _due(kpi: Kpi, term: Term, asked: Asked, parameters: dict[str, str], prefix: str) -> str:
    """As the rollup compares: to the minute."""
    assert kpi.due is not None
    minute = asked.clock.replace(second=0, microsecond=0)
    parameters[f"{prefix}_now"] = moment(minute)
    now = f"{{{prefix}_now:DateTime64(3, 'UTC')}}"
    if kpi.due.past:
        return f"`{term.time}` < {now}"
    parameters[f"{prefix}_ahead"] = moment(minute + (kpi.due.ahead or timedelta()))
    return f"`{term.time}` >= {now} AND `{term.time}` < {{{prefix}_ahead:DateTime64(3, 'UTC')}}"


def moment(time: datetime) -> str:
    """A moment as the warehouse reads it."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.") + f"{time.microsecond // 1000:03d}"
