"""The block `schedule` of a manifest: when a source is read, in the department's calendar. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Self

import yaml
from pydantic import Field, field_validator, model_validator

from connectors.declaration import MisdeclaredError, Section
from schemas.calendar import WorkingCalendar
from schemas.calendar_files import OFFICE, calendar_called
from schemas.recurrence import CronText, following
from schemas.time import at_local, local_date, minute_of, utc

TICKS_PASSED_OVER = 3_700
"""Most ticks of a cron expression looked at for one on a working day."""


class Schedule(Section):
    """Exactly one of `every_s`, `cron` and `at` (`HH:MM` of each working day). The calendar's zone holds.

    `working`: with `every_s` and `cron`, read in working time only. Without a schedule the source's own rest between
    reads holds.
    """

    every_s: float | None = Field(None, gt=0)
    cron: CronText | None = None
    at: tuple[str, ...] | None = Field(None, min_length=1)
    working: bool = False
    calendar: str = OFFICE

    @field_validator("at")
    @classmethod
    def _are_times(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for number, text in enumerate(value or ()):
            try:
                minute_of(text)
            except MisdeclaredError as error:
                raise MisdeclaredError(error.text.vi, error.text.en, (str(number),)) from None
        return value

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if sum(part is not None for part in (self.every_s, self.cron, self.at)) != 1:
            raise MisdeclaredError("cần đúng một trong every_s, cron, at", "needs exactly one of every_s, cron, at")
        return self

    def timetable(self, calendars: Mapping[str, WorkingCalendar], file: str, tree: yaml.Node | None) -> Timetable:
        """The schedule in its calendar; DeclarationError for an unknown one."""
        return Timetable(self, calendar_called(self.calendar, calendars, file, tree, ("schedule", "calendar")))


@dataclass(frozen=True, slots=True)
class Timetable:
    """A schedule in its calendar."""

    schedule: Schedule
    calendar: WorkingCalendar

    def next_read(self, last: datetime) -> datetime:
        """When to read again after a read that ended at `last`, UTC, always later than it."""
        schedule, calendar = self.schedule, self.calendar
        if schedule.every_s is not None:
            due = utc(last) + timedelta(seconds=schedule.every_s)
            return calendar.next_opening(due) if schedule.working else due
        if schedule.cron is not None:
            ticks = islice(following(schedule.cron, last, calendar.zone), TICKS_PASSED_OVER)
            fallback = utc(last) + timedelta(days=1)
            return next((tick for tick in ticks if not schedule.working or calendar.is_working(tick)), fallback)
        return self._next_at(last, sorted(minute_of(text) for text in schedule.at or ()))

    def _next_at(self, last: datetime, minutes: list[int]) -> datetime:
        day = self.calendar.working_day(local_date(last, self.calendar.zone), 0)
        while True:
            for minute in minutes:
                tick = at_local(day, minute, self.calendar.zone)
                if tick > last:
                    return tick
            day = self.calendar.working_day(day, 1)
