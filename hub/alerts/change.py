"""Statistics of daily figures: is the last whole working day out of line, and which way does it go. Pure.

Days are compared with working days only, and a day beside a long break (Tết) with none: before and after it offices
are half empty or work off what was left, and nothing can be told by that.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from hub.alerts.figures import Day, Series
from schemas.calendar import WorkingCalendar

LONG_BREAK = 4
"""Days off in a row that make a break: a weekend with a bridged day on either side is none."""
BESIDE = 2
"""Working days on either side of a break that are left out."""
NORMAL = 1.4826
"""The standard deviation of a normal distribution per median of absolute deviations."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """A value, what was usual, and how far away it is, in times of the usual spread."""

    day: date
    value: float
    usual: float
    sigmas: float
    percent: float


def whole_days(series: Series, calendar: WorkingCalendar, today: date) -> list[Day]:
    """The working days before `today` that stand for themselves, the oldest first."""
    return [day for day in series.days if day.day < today and calendar.is_working_day(day.day)]


def ordinary(days: Sequence[Day], calendar: WorkingCalendar) -> list[Day]:
    """Without those beside a break."""
    return [day for day in days if not beside_break(day.day, calendar)]


def beside_break(day: date, calendar: WorkingCalendar) -> bool:
    """Whether a long break begins or ends within `BESIDE` working days."""
    return any(_break_within(day, step, calendar) for step in (-1, 1))


def _break_within(day: date, step: int, calendar: WorkingCalendar) -> bool:
    worked = off = 0
    at = day
    while worked < BESIDE:
        at += timedelta(days=step)
        if calendar.is_working_day(at):
            worked, off = worked + 1, 0
            continue
        off += 1
        if off >= LONG_BREAK:
            return True
    return False


def deviation(last: Day, before: Sequence[Day], share: bool, least: float) -> Deviation | None:
    """How far the last day is from the median of those before; None where that says nothing."""
    known = [day for day in before if day.value is not None and (not share or (day.denominator or 0) >= least)]
    value = last.value if last.value is not None else (None if share else 0.0)
    if len(known) < 5 or value is None or (share and (last.denominator or 0) < least):
        return None
    values = [float(day.value or 0) for day in known]
    usual = statistics.median(values)
    if not share and usual < least:
        return None
    spread = NORMAL * statistics.median(abs(one - usual) for one in values)
    chance = _chance(last, usual, share)
    sigmas = (value - usual) / max(spread, chance)
    base = max(usual, 100 - usual) if share else usual
    return Deviation(last.day, value, usual, sigmas, 100 * abs(value - usual) / base)


def _chance(last: Day, usual: float, share: bool) -> float:
    """The spread that counting alone makes: of a share in points, of a count in records."""
    if not share:
        return max(1.0, math.sqrt(usual))
    part = min(max(usual / 100, 0.01), 0.99)
    return max(0.1, 100 * math.sqrt(part * (1 - part) / max(last.denominator or 1, 1)))


def level(days: Sequence[Day], share: bool) -> tuple[float | None, float]:
    """The value over several days and what it rests on: a share of sums, or the mean of counts."""
    if share:
        over = sum(day.denominator or 0 for day in days)
        return (100 * sum(day.numerator or 0 for day in days) / over if over else None), over
    values = [day.value or 0 for day in days]
    mean = statistics.fmean(values) if values else 0.0
    return mean, mean
