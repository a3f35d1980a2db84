"""Terms and deadlines: how long somebody has, in which days, and what a pause or an extension does to it. Pure.

*Ngày* is a calendar day and *ngày làm việc* a working day of the calendar (8 working hours); they are not the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from pydantic import Field, model_validator

from schemas.calendar import WorkingCalendar
from schemas.declaration import BilingualText, MisdeclaredError, Section
from schemas.text import Text
from schemas.time import Clock, Interval, ListedPauses, PausingClock, WallClock, at_local, local_date, utc


class Term(Section):
    """How long: exactly one of the units. `days` are calendar days, to the same time of day.

    `roll`: a term in `hours` or `days` that ends outside of working hours goes on to the next opening.
    """

    minutes: int | None = Field(None, gt=0)
    hours: int | None = Field(None, gt=0)
    days: int | None = Field(None, gt=0)
    working_hours: float | None = Field(None, gt=0)
    working_days: float | None = Field(None, gt=0)
    roll: bool = False

    @model_validator(mode="after")
    def _one_unit(self) -> Self:
        units = {name: getattr(self, name) for name in type(self).model_fields if name != "roll"}
        if sum(value is not None for value in units.values()) != 1:
            named = ", ".join(units)
            raise MisdeclaredError(f"cần đúng một trong {named}", f"needs exactly one of {named}")
        return self


def due_at(
    term: Term, start: datetime, calendar: WorkingCalendar, pauses: Iterable[Interval] = (), times: int = 1
) -> datetime:
    """When `times` terms after `start` are over, in UTC; what lies in `pauses` does not count.

    So "bổ sung giấy tờ" for two working days moves a due date by two working days. While a pause is open there is no
    due date: ask again when it has ended.
    """
    listed = ListedPauses.of(pauses)
    amount = _counted(term, start, calendar, times)
    clock: Clock = calendar if term.working_hours or term.working_days else WallClock()
    due = PausingClock(clock, listed).add(start, amount)
    return calendar.next_opening(due) if term.roll else due


def _counted(term: Term, start: datetime, calendar: WorkingCalendar, times: int) -> timedelta:
    if term.working_days is not None:
        return calendar.day_length * term.working_days * times
    if term.days is not None:
        local = start.astimezone(calendar.zone)
        day = local_date(start, calendar.zone) + timedelta(term.days * times)
        into = local - local.replace(hour=0, minute=0, second=0, microsecond=0)
        return at_local(day, 0, calendar.zone) + into - utc(start)
    hours = term.working_hours if term.working_hours is not None else term.hours
    return (timedelta(hours=hours) if hours is not None else timedelta(minutes=term.minutes or 0)) * times


@dataclass(frozen=True, slots=True)
class Deadlines:
    """The terms of one kind of case by the value of the field `by`, in a calendar."""

    id: str
    name: Text
    calendar: WorkingCalendar
    by: str
    terms: Mapping[str, Term]
    most_extensions: int

    def due(self, value: str, start: datetime, extensions: int = 0, pauses: Iterable[Interval] = ()) -> datetime | None:
        """When a case is due, in UTC; None where no term is declared for `value`.

        Each extension adds the term once more; more than `most_extensions` add nothing.
        """
        term = self.terms.get(value)
        if term is None:
            return None
        times = 1 + min(max(0, extensions), self.most_extensions)
        return due_at(term, start, self.calendar, pauses, times)


class DeadlineDeclaration(Section):
    """A file of `calendars/deadlines/`."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    name: BilingualText
    calendar: str = "office"
    by: str
    terms: dict[str, Term] = Field(min_length=1)
    most_extensions: int = Field(0, ge=0, le=100)

    def with_calendar(self, calendar: WorkingCalendar) -> Deadlines:
        """The deadlines, in the calendar that `calendar` names."""
        name = Text(self.name.vi, self.name.en)
        return Deadlines(self.id, name, calendar, self.by, dict(self.terms), self.most_extensions)
