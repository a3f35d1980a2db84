"""What the ledgers make of the on-time forecast at the moment at which the product read it. Pure.

The rule, dossier by dossier: one past its due time will be late; any other is as likely to be on time as those of the
same procedure at the same unit that were done in the last 90 days and were still open with as little time left, in
classes of 1, 3 and 7 days; with fewer than ten of these, as those of the same procedure; then, as all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

MINUTES_A_DAY = 24 * 60
BOUNDS = (1, 3, 7)
BACK_DAYS = 90
ENOUGH = 10

Likeness = tuple[str, ...]
"""Procedure and unit, the procedure, or nothing."""


def in_time_at(forecast: Mapping[str, Any], read_at: str) -> float:
    """How many of the open dossiers are expected to be done on time.

    `forecast`: `open`, rows of (due, minutes since 1970; procedure; unit); `done`, rows of (local day since 1970,
    whether on time, full days left by the bounds of `BOUNDS`, procedure, unit).
    """
    minute = int(datetime.fromisoformat(read_at).timestamp()) // 60
    done, kept = _counted(forecast["done"], minute // MINUTES_A_DAY - BACK_DAYS)
    return sum(
        _chance(done, kept, (procedure, unit), _bound(due - minute))
        for due, procedure, unit in forecast["open"]
        if due >= minute
    )


def _bound(left: int) -> int | None:
    """The days within which so many minutes are; None: more than the largest bound."""
    return next((days for days in BOUNDS if left <= days * MINUTES_A_DAY), None)


def _like(procedure: str, unit: str) -> tuple[Likeness, ...]:
    return (procedure, unit), (procedure,), ()


def _counted(rows: Sequence[Sequence[Any]], since: int) -> tuple[Counter[Any], Counter[Any]]:
    """Dossiers done since a day, and of them those on time, by likeness and bound of the time they were open with."""
    done, kept = Counter[Any](), Counter[Any]()
    for day, on_time, left_days, procedure, unit in rows:
        if day < since:
            continue
        for like in _like(procedure, unit):
            for bound in (None, *(bound for bound in BOUNDS if left_days < bound)):
                done[like, bound] += 1
                kept[like, bound] += on_time
    return done, kept


def _chance(done: Counter[Any], kept: Counter[Any], of: tuple[str, str], bound: int | None) -> float:
    for like in _like(*of):
        if done[like, bound] >= (ENOUGH if like else 1):
            return float(kept[like, bound] / done[like, bound])
    return 0.0
