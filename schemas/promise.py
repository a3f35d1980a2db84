"""The freshness promise of a feed: when data are due, and from when on they are late. Pure.

Three forms: a *cadence* (a change within so many seconds, of the clock or of working time), a daily *cut-off* (by
16:30 of each working day, for the data of a named day) and *cron*. Maintenance makes all of them stand still.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import islice

from schemas.calendar import WorkingCalendar
from schemas.maintenance import Maintenance, MaintenancePlan
from schemas.recurrence import following, preceding
from schemas.time import NOTHING, Clock, Interval, PausingClock, WallClock, at_local, local_date, local_day, utc

SOON_SHARE = 0.8
"""The share of a promise after which data are due soon, a week before they are due at most."""
SOON_AT_MOST = timedelta(days=7)
"""Nobody acts on a yearly report ten weeks before it is due."""
TICKS_PASSED_OVER = 3_700
"""Most ticks looked at for one on a working day: ten years of daily ones."""


class PeriodOf(StrEnum):
    """Which day's data a cut-off asks for."""

    SAME_DAY = "same_day"
    PREVIOUS_DAY = "previous_day"
    PREVIOUS_WORKING_DAY = "previous_working_day"


@dataclass(frozen=True, slots=True)
class Period:
    """What a due time asks for. `key`: the local day, or of cron the tick's local minute; from `start` to `end`, UTC.

    Whoever judges a cut-off asks for data of this key: a back-fill of another day does not fulfil it.
    """

    key: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """One obligation, times in UTC: data are due soon from `warn_at`, due at `due_at` and late after `error_at`."""

    period: Period | None
    warn_at: datetime
    due_at: datetime
    error_at: datetime


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a promise says at one time. `last`: what is due already (None: nothing yet); `next`: what comes then.

    With a cadence, both are reckoned from the last event: `last` is set once it is due. `maintenance`: the open
    window; within it nothing is due.
    """

    last: Due | None
    next: Due
    maintenance: tuple[Interval, Maintenance] | None


@dataclass(frozen=True, slots=True)
class Cadence:
    """A change within `within`; due soon after `warn`, late after `error`, all counted by the promise's clock."""

    within: timedelta
    warn: timedelta
    error: timedelta


@dataclass(frozen=True, slots=True)
class CutOff:
    """By `minute` of each working day, for the data of the day that `period` names; late after `grace`."""

    minute: int
    period: PeriodOf
    grace: timedelta


@dataclass(frozen=True, slots=True)
class Cron:
    """By each tick of `expression`, for the time since the tick before; `working_days` leaves out the others."""

    expression: str
    grace: timedelta
    working_days: bool


@dataclass(frozen=True, slots=True)
class Promise:
    """A feed's promise. `working`: only working time counts."""

    form: Cadence | CutOff | Cron
    calendar: WorkingCalendar
    working: bool
    maintenance: MaintenancePlan

    @property
    def clock(self) -> Clock:
        """What counts for this promise: wall or working time, outside of maintenance."""
        return PausingClock(self.calendar if self.working else WallClock(), self.maintenance)

    def age(self, last_event: datetime, now: datetime) -> timedelta:
        """How old data are by the promise's clock; nothing where they are ahead of `now`."""
        return self.clock.elapsed(last_event, now)

    def expectation(self, now: datetime, since: datetime) -> Expectation:
        """What is due at `now`. `since`: the newest event, or before there is one, when the promise began.

        A cut-off or cron that fell before `since` is still `last`: whether its period has data is the caller's to ask.
        """
        now = utc(now)
        open_window = self.maintenance.at(now)
        if isinstance(self.form, Cadence):
            due = self._after(since, self.form)
            return Expectation(due if due.due_at <= now else None, due, open_window)
        last = next(self._past(now), None)
        return Expectation(last, next(self._coming(now)), open_window)

    def _after(self, since: datetime, cadence: Cadence) -> Due:
        add = self.clock.add
        return Due(None, add(since, cadence.warn), add(since, cadence.within), add(since, cadence.error))

    def _coming(self, now: datetime) -> Iterator[Due]:
        """Obligations due after `now`: also those whose tick has passed and which maintenance has put off."""
        put_off = [due for due in islice(self._dues_back(now), 2) if due.due_at > now]
        yield from reversed(put_off)
        for tick in self._ticks(now):
            due = self._due(tick)
            if due.due_at > now:
                yield due

    def _past(self, now: datetime) -> Iterator[Due]:
        return (due for due in self._dues_back(now) if due.due_at <= now)

    def _dues_back(self, now: datetime) -> Iterator[Due]:
        for tick in self._ticks_back(now + timedelta(microseconds=1)):
            yield self._due(tick)

    def _due(self, tick: datetime) -> Due:
        form = self.form
        assert not isinstance(form, Cadence)
        before = next(self._ticks_back(tick), tick - timedelta(days=1))
        clock: Clock = self.calendar if self.working or isinstance(form, CutOff) else WallClock()
        whole = clock.elapsed(before, tick)
        share = max(whole * SOON_SHARE, whole - SOON_AT_MOST)
        warn = clock.add(before, share) if share > NOTHING else tick
        open_window = self.maintenance.at(tick)
        due = open_window[0].end if open_window else tick
        error = PausingClock(WallClock(), self.maintenance).add(due, form.grace)
        return Due(self._period(tick, before), min(warn, due), due, error)

    def _period(self, tick: datetime, before: datetime) -> Period:
        zone = self.calendar.zone
        if isinstance(self.form, Cron):
            return Period(tick.astimezone(zone).strftime("%Y-%m-%dT%H:%M"), before, tick)
        assert isinstance(self.form, CutOff)
        day = local_date(tick - timedelta(microseconds=1), zone)
        match self.form.period:
            case PeriodOf.PREVIOUS_DAY:
                day -= timedelta(1)
            case PeriodOf.PREVIOUS_WORKING_DAY:
                day = self.calendar.working_day(day, -1)
        bounds = local_day(day, zone)
        return Period(day.isoformat(), bounds.start, bounds.end)

    def _ticks(self, after: datetime) -> Iterator[datetime]:
        """Ticks after an instant."""
        form, zone = self.form, self.calendar.zone
        if isinstance(form, CutOff):
            day = local_date(after, zone) - timedelta(1)
            while True:
                day = self.calendar.working_day(day, 1)
                tick = at_local(day, form.minute, zone)
                if tick > after:
                    yield tick
        assert isinstance(form, Cron)
        ticks = islice(following(form.expression, after, zone), TICKS_PASSED_OVER)
        yield from (tick for tick in ticks if self._counts(tick, form))

    def _ticks_back(self, before: datetime) -> Iterator[datetime]:
        """Ticks before an instant, newest first."""
        form, zone = self.form, self.calendar.zone
        if isinstance(form, CutOff):
            day: date = local_date(before, zone) + timedelta(1)
            while True:
                day = self.calendar.working_day(day, -1)
                tick = at_local(day, form.minute, zone)
                if tick < before:
                    yield tick
        assert isinstance(form, Cron)
        ticks = islice(preceding(form.expression, before, zone), TICKS_PASSED_OVER)
        yield from (tick for tick in ticks if self._counts(tick, form))

    def _counts(self, tick: datetime, form: Cron) -> bool:
        return not form.working_days or self.calendar.is_working_day(local_date(tick, self.calendar.zone))
