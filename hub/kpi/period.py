"""Periods of days in the province's time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

EARLIEST = date(1970, 1, 1)
LATEST = date(2149, 6, 6)
"""Bounds of the warehouse's `Date`."""

_MONTHS = {"month": 1, "quarter": 3, "year": 12}
GRAINS = ("day", "week", "month", "quarter", "year")
"""Of a series: weeks begin on Mondays."""

MAX_BUCKETS = 1500
"""Of one series: four years of days."""

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
    """The buckets of a trend line: `grain` is one of `GRAINS`; `window` is what the line covers."""

    grain: str
    window: Period

    def buckets(self) -> tuple[date, ...]:
        """First day of each bucket, in order."""
        found: list[date] = []
        day = first_of(self.window.start, self.grain)
        while day <= self.window.end:
            found.append(day)
            day = _next(day, self.grain)
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


def series_of(period: Period, grain: str) -> Trend:
    """The buckets of `grain` that `period` lies in; the first one may begin before it, and only its days count."""
    return Trend(grain, period)


def first_of(day: date, grain: str) -> date:
    """The first day of the bucket of `grain` that holds `day`."""
    if grain == "day":
        return day
    if grain == "week":
        return day - timedelta(days=day.weekday())
    months = _MONTHS[grain]
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def _next(day: date, grain: str) -> date:
    if grain in ("day", "week"):
        return day + timedelta(days=1 if grain == "day" else 7)
    place = day.year * 12 + day.month - 1 + _MONTHS[grain]
    return date(place // 12, place % 12 + 1, 1)


def bucket_sql(grain: str, day: str) -> str:
    """SQL of the first day of the bucket that holds a day."""
    return {
        "day": day,
        "week": f"toMonday({day})",
        "month": f"toStartOfMonth({day})",
        "quarter": f"toStartOfQuarter({day})",
        "year": f"toStartOfYear({day})",
    }[grain]


def previous(period: Period) -> Period:
    """The days just before: whole months before whole months, else as many days."""
    if period.start.day == 1 and (period.end + timedelta(days=1)).day == 1:
        months = (period.end.year - period.start.year) * 12 + period.end.month - period.start.month + 1
        place = period.start.year * 12 + period.start.month - 1 - months
        return Period(date(place // 12, place % 12 + 1, 1), period.start - timedelta(days=1))
    return Period(period.start - timedelta(days=period.days), period.start - timedelta(days=1))


def year_before(period: Period) -> Period:
    """The same days of the year before; 29 February is the 28th there."""
    return Period(_year_before(period.start), _year_before(period.end))


def _year_before(day: date) -> date:
    is_leap_day = (day.month, day.day) == (2, 29)
    return day.replace(year=day.year - 1, day=28) if is_leap_day else day.replace(year=day.year - 1)
