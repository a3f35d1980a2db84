"""Periods of days in the province's time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

EARLIEST = date(1970, 1, 1)
LATEST = date(2149, 6, 6)
"""Bounds of the warehouse's `Date`."""

TREND_DAYS = 30
DAILY_TREND_UP_TO_DAYS = 92
"""A longer period is drawn by months: more points than this cannot be told apart in a tile."""


@dataclass(frozen=True, slots=True)
class Period:
    """Days from `start` to `end`, both included."""

    start: date
    end: date

    @property
    def days(self) -> int:
        return (self.end - self.start).days + 1

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.start <= day <= self.end


@dataclass(frozen=True, slots=True)
class Trend:
    """The buckets of a trend line: `grain` is `day` or `month`; `window` is what the line covers."""

    grain: str
    window: Period

    def buckets(self) -> tuple[date, ...]:
        """First day of each bucket, in order."""
        found: list[date] = []
        day = self.window.start
        while day <= self.window.end:
            found.append(day)
            day = day + timedelta(days=1) if self.grain == "day" else _next_month(day)
        return tuple(found)


REFERENCE_2022 = Period(date(2022, 1, 1), date(2022, 9, 30))
"""The nine months reported to the province's steering committee on 19 September 2022."""

PRESETS = ("today", "year", "2022")


def today(now: datetime, timezone: str) -> date:
    """The day of `now` where the province is."""
    return now.astimezone(ZoneInfo(timezone)).date()


def preset(name: str, day: date) -> Period:
    """The period `name` as seen on `day`; `KeyError` for a name that is not in `PRESETS`."""
    if name == "today":
        return Period(day, day)
    if name == "year":
        return Period(date(day.year, 1, 1), day)
    if name == "2022":
        return REFERENCE_2022
    raise KeyError(name)


def trend_of(period: Period) -> Trend:
    """Months for a long period; else days, at least the last `TREND_DAYS`."""
    if period.days > DAILY_TREND_UP_TO_DAYS:
        return Trend("month", Period(period.start.replace(day=1), period.end))
    return Trend("day", Period(min(period.start, period.end - timedelta(days=TREND_DAYS - 1)), period.end))


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)
