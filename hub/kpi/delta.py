"""What changed a figure since a moment: by unit and reason, from the signed changes that arrived since. Pure.

A delivery's effect is the sum of its rows, +1 for the state it asserts and −1 for the one it takes back, so the effects
of all deliveries add up to the difference exactly. Reasons, the first that holds:

repaired   rows of an audit's repair
corrected  the source said CORRECT
recalled   the figure lost by it: the record was deleted, or no longer counts
late       it counts now, and happened more than `LATE_AFTER` before it arrived
new        it counts now
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hub.kpi.counted import Asked, amount, counted, moment
from hub.kpi.statement import Statement
from schemas.contract import Contract
from streams import arrivals
from streams.kpi import Kpi
from streams.plan import EntityPlan

REASONS = ("new", "late", "corrected", "recalled", "repaired")
LATE_AFTER = timedelta(hours=arrivals.LATE_AFTER_HOURS)


@dataclass(frozen=True, slots=True)
class Contribution:
    """What the deliveries of one unit and reason did to a figure. `first`, `second`: to its roles in order."""

    org: str
    reason: str
    records: int
    first: int
    second: int


def traceable(kpi: Kpi) -> bool:
    """Whether a figure's difference is the sum of its deliveries': members, scores and last reports are no sums, and
    what is due changes with the clock too."""
    return (
        not kpi.last
        and kpi.kind in ("flow", "ratio", "stock")
        and all(term.time != arrivals.TIME for term in kpi.terms.values())
    )


def roles(kpi: Kpi) -> tuple[str, ...]:
    """The roles of a traceable KPI, in the order of a contribution's figures."""
    return ("numerator", "denominator") if kpi.kind == "ratio" else ("value", "less")


def statement(
    kpi: Kpi, plan: EntityPlan, contract: Contract, asked: Asked, since: datetime, until: datetime | None
) -> Statement:
    """Rows `(org, reason, records, first, second)` of what arrived after `since`, up to `until` if given."""
    parameters = {"since": moment(since)}
    scope = asked.chosen.conditions("s", parameters, contract.by_name)
    arrived = "kafka_time > {since:DateTime64(3, 'UTC')}"
    if until is not None:
        parameters["until"] = moment(until)
        arrived += " AND kafka_time <= {until:DateTime64(3, 'UTC')}"
    effects = []
    for number, role in enumerate(roles(kpi)):
        term = kpi.terms.get(role)
        if term is None:
            effects.append("toInt64(0)")
            continue
        holds = counted(kpi, term, asked, parameters, f"c{number}")
        effects.append(f"sign * if(ifNull({holds}, 0), {amount(plan, term, asked.timezone)}, 0)")
    late = round(LATE_AFTER.total_seconds())
    rows = (
        "SELECT life, partition, `offset`, heal, toString(org_code) AS org, kind != 'retracted' AS is_primary,"
        f" op = 'CORRECT' AS is_correction, event_time < kafka_time - toIntervalSecond({late}) AS is_late,"
        f" {effects[0]} AS first, {effects[1]} AS second FROM {contract.changes_table} WHERE {arrived}{scope}"
    )
    gained = "a + b" if kpi.kind == "ratio" else "a - b"
    # A delivery that moves a record from one unit to another has a row in both, and one reason: its own. Windows and no
    # maps: planning those took the warehouse longer than reading a day's rows.
    by_unit = (
        "SELECT life, partition, `offset`, org, max(heal) AS healed, max(is_primary AND is_correction) AS is_corrected,"
        f" max(is_primary AND is_late) AS is_lately, sum(first) AS a, sum(second) AS b FROM ({rows})"
        " GROUP BY life, partition, `offset`, org"
    )
    reasoned = (
        "SELECT org, a, b, max(healed) OVER delivery AS repaired, max(is_corrected) OVER delivery AS corrected,"
        f" max(is_lately) OVER delivery AS late FROM ({by_unit})"
        " WINDOW delivery AS (PARTITION BY life, partition, `offset`)"
    )
    return Statement(
        "SELECT org, multiIf(repaired > 0, 'repaired', corrected > 0, 'corrected',"
        f" {gained} < 0, 'recalled', late > 0, 'late', 'new') AS reason, count() AS records, sum(a) AS first,"
        f" sum(b) AS second FROM ({reasoned}) WHERE a != 0 OR b != 0 GROUP BY org, reason ORDER BY org, reason",
        parameters,
    )


def contributions(rows: Sequence[Sequence[Any]]) -> tuple[Contribution, ...]:
    """The answer to `statement`, the largest effect first."""
    found = [Contribution(str(org), str(reason), int(n), int(a), int(b)) for org, reason, n, a, b in rows]
    return tuple(sorted(found, key=lambda item: (-(abs(item.first) + abs(item.second)), item.org, item.reason)))
