"""The four marks of data quality that ministries ask for – đúng, đủ, sạch, sống – of one answer, with why. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.health.states import ABNORMAL
from hub.kpi.answer import Basis, KpiAnswer

BADGES = ("right", "complete", "clean", "live")
"""đúng, đủ, sạch, sống."""

GOOD, WATCH, BAD, UNKNOWN = "good", "watch", "bad", "unknown"

CLEAN_PERCENT = 1.0
"""Of an entity's records so many may be refused before its data are called unclean."""

REASONS = (
    *("right.served", "right.partial", "right.unserved", "right.away", "right.nothing"),
    *("complete.all", "complete.missing", "complete.unknown"),
    *("clean.none", "clean.some", "clean.many", "clean.unknown"),
    *("live.fresh", "live.stale", "live.away", "live.none"),
)
"""Why a badge stands as it does: ends of message keys `badge.…`."""


@dataclass(frozen=True, slots=True)
class Badge:
    """One mark. `state`: good, watch, bad or unknown; `reason`: one of `REASONS`, filled with `values`."""

    name: str
    state: str
    reason: str
    values: Mapping[str, Any] = field(default_factory=dict)


def badges_of(answer: KpiAnswer) -> tuple[Badge, ...]:
    """The marks of an answer, in the order of `BADGES`."""
    basis = answer.basis
    return (_right(answer), _complete(basis), _clean(basis), _live(basis))


def _right(answer: KpiAnswer) -> Badge:
    """Right: computed from the signed changes by a definition that is live."""
    if answer.basis.away_since is not None:
        return Badge("right", UNKNOWN, "right.away")
    unserved = answer.figures.unserved
    if unserved is not None:
        return Badge("right", BAD, "right.unserved", {"cure": unserved.cure})
    lacking = [part.part.kpi for part in answer.figures.parts if part.points is None]
    if lacking:
        return Badge("right", WATCH, "right.partial", {"kpis": ", ".join(lacking)})
    if answer.basis.as_of is None:
        return Badge("right", UNKNOWN, "right.nothing")
    return Badge("right", GOOD, "right.served")


def _complete(basis: Basis) -> Badge:
    """Complete: every record of the topic is accounted for in the warehouse."""
    missing = basis.completeness.missing
    if missing is None:
        return Badge("complete", UNKNOWN, "complete.unknown")
    if missing:
        return Badge("complete", WATCH, "complete.missing", {"missing": missing})
    return Badge("complete", GOOD, "complete.all", {"records": basis.completeness.in_topic})


def _clean(basis: Basis) -> Badge:
    """Clean: few records were refused by the contract."""
    records, refused = basis.completeness.in_warehouse, basis.completeness.refused
    if records is None or refused is None or not records:
        return Badge("clean", UNKNOWN, "clean.unknown")
    values = {"refused": refused, "records": records}
    if not refused:
        return Badge("clean", GOOD, "clean.none", values)
    many = 100.0 * refused / records > CLEAN_PERCENT
    return Badge("clean", BAD if many else GOOD, "clean.many" if many else "clean.some", values)


def _live(basis: Basis) -> Badge:
    """Live: every connector that feeds it keeps its promise."""
    if basis.away_since is not None:
        return Badge("live", BAD, "live.away")
    if not basis.freshness:
        return Badge("live", UNKNOWN, "live.none")
    stale = [item for item in basis.freshness if item.state in ABNORMAL and item.state != "unknown"]
    if stale:
        values = {"connector": stale[0].connector, "state": stale[0].state}
        return Badge("live", BAD, "live.stale", values)
    if any(item.state == "unknown" for item in basis.freshness):
        return Badge("live", UNKNOWN, "live.none")
    return Badge("live", GOOD, "live.fresh")
