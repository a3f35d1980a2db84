"""The working calendar of an office: its hours, days off and swapped days; arithmetic on working time. Pure.

Working time is a number line: `add` gives the earliest instant at which so much has been worked, so that 8 hours from
7:00 end at 17:00 of the same day, and what comes in after hours begins the next morning.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from schemas.days import DayTable
from schemas.text import Text
from schemas.time import NOTHING, Interval, at_local, local_date, utc

FIRST_YEAR, LAST_YEAR = 1970, 2199
"""Years that are laid out; an instant beyond them is a wrong one."""
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Window = tuple[int, int]
"""Working hours of a day as minutes from its midnight, start within, end not."""


@dataclass(frozen=True, slots=True)
class _Year:
    """The working windows of a local year in order; `before`, `through`: worked since its begin, at start and end."""

    starts: list[datetime]
    ends: list[datetime]
    before: list[timedelta]
    through: list[timedelta]

    @property
    def total(self) -> timedelta:
        return self.through[-1] if self.through else NOTHING

    def worked(self, instant: datetime) -> timedelta:
        """Working time from the year's begin to `instant`."""
        number = bisect_right(self.starts, instant) - 1
        return NOTHING if number < 0 else self.before[number] + min(instant, self.ends[number]) - self.starts[number]


@dataclass(frozen=True)
class WorkingCalendar:
    """One office's calendar. `hours`: the windows of Monday to Sunday, in order, not overlapping.

    `day_length` is what one *ngày làm việc* counts in a term; `days` holds holidays and swapped days (none: every
    week is like the other).
    """

    id: str
    name: Text
    zone: ZoneInfo
    hours: tuple[tuple[Window, ...], ...]
    day_length: timedelta
    days: DayTable | None = None
    _years: dict[int, _Year] = field(default_factory=dict, compare=False, repr=False)

    def windows(self, day: date) -> tuple[Window, ...]:
        """The hours of a day: none on a day off; a swapped day has those of the day that it replaces."""
        special = self.days.on(day) if self.days else None
        if special is None:
            return self.hours[day.weekday()]
        if not special.works:
            return ()
        return self.hours[special.pair.weekday()] if special.pair else self.hours[day.weekday()] or self.hours[0]

    def is_working_day(self, day: date) -> bool:
        return bool(self.windows(day))

    def is_working(self, instant: datetime) -> bool:
        """Whether the office works; at 11:30 and 17:00 sharp it no longer does."""
        minute = instant.astimezone(self.zone)
        passed = minute.hour * 60 + minute.minute
        return any(start <= passed < end for start, end in self.windows(minute.date()))

    def is_announced(self, year: int) -> bool:
        """Whether the year's days off were checked against the Government's announcement, not only computed."""
        return self.days is None or year in self.days.announced

    def next_opening(self, instant: datetime) -> datetime:
        """`instant` where the office works, else when it next opens."""
        instant = utc(instant)
        if self.is_working(instant):
            return instant
        year = local_date(instant, self.zone).year
        while True:
            starts = self._year(year).starts
            number = bisect_right(starts, instant)
            if number < len(starts):
                return starts[number]
            year += 1

    def closing(self, day: date) -> datetime | None:
        """When the office closes for the day; None on a day off."""
        windows = self.windows(day)
        return at_local(day, windows[-1][1], self.zone) if windows else None

    def working_day(self, day: date, number: int) -> date:
        """The `number`-th working day after `day` (before it, if negative); 0: `day` itself or the next that works."""
        step = timedelta(-1 if number < 0 else 1)
        left = abs(number)
        if left == 0:
            while not self.is_working_day(day):
                day = self._within(day + step)
        while left:
            day = self._within(day + step)
            left -= self.is_working_day(day)
        return day

    def working_seconds(self, start: datetime, end: datetime) -> float:
        """`elapsed` in seconds."""
        return self.elapsed(start, end).total_seconds()

    def elapsed(self, start: datetime, end: datetime) -> timedelta:
        """Working time between two instants; negative where `end` is before `start`."""
        start, end = utc(start), utc(end)
        if end < start:
            return -self.elapsed(end, start)
        first, last = local_date(start, self.zone).year, local_date(end, self.zone).year
        whole = sum((self._year(year).total for year in range(first, last)), NOTHING)
        return whole + self._year(last).worked(end) - self._year(first).worked(start)

    def add(self, start: datetime, amount: timedelta) -> datetime:
        """See `schemas.time.Clock.add`."""
        start = utc(start)
        if amount == NOTHING:
            return start
        number = local_date(start, self.zone).year
        year = self._year(number)
        target = year.worked(start) + amount
        if amount < NOTHING:
            return self._back(number, target)
        while target > year.total:
            target -= year.total
            number += 1
            year = self._year(number)
        window = bisect_left(year.through, target)
        return year.starts[window] + (target - year.before[window])

    def _back(self, number: int, target: timedelta) -> datetime:
        year = self._year(number)
        while target < NOTHING or not year.starts:
            number -= 1
            year = self._year(number)
            target += year.total
        window = bisect_right(year.before, target) - 1
        return year.starts[window] + (target - year.before[window])

    def intervals(self, start: datetime, end: datetime) -> tuple[Interval, ...]:
        """The working time between two instants, piece by piece."""
        start, end = utc(start), utc(end)
        first, last = local_date(start, self.zone).year, local_date(end, self.zone).year
        pieces = [
            Interval(max(start, begin), min(end, finish))
            for number in range(first, last + 1)
            for begin, finish in zip(self._year(number).starts, self._year(number).ends, strict=True)
            if begin < end and finish > start
        ]
        return tuple(pieces)

    @staticmethod
    def _within(day: date) -> date:
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise ValueError(f"{day.year} is outside the calendar's years, {FIRST_YEAR} to {LAST_YEAR}")
        return day

    def _year(self, number: int) -> _Year:
        found = self._years.get(number)
        if found is None:
            day = self._within(date(number, 1, 1))
            found = _Year([], [], [], [])
            total = NOTHING
            while day.year == number:
                for start, end in self.windows(day):
                    begin, finish = at_local(day, start, self.zone), at_local(day, end, self.zone)
                    found.starts.append(begin)
                    found.ends.append(finish)
                    found.before.append(total)
                    total += finish - begin
                    found.through.append(total)
                day += timedelta(1)
            self._years[number] = found
        return found
