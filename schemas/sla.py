"""The block `sla` of a declaration: a freshness promise as a department writes it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, Self

import yaml
from pydantic import Field, field_validator, model_validator

from schemas.calendar import WorkingCalendar
from schemas.calendar_files import OFFICE, calendar_called
from schemas.declaration import MisdeclaredError, Section, misdeclared
from schemas.maintenance import Maintenance, MaintenancePlan, refuse_overlaps
from schemas.promise import SOON_SHARE, Cadence, Cron, CutOff, PeriodOf, Promise
from schemas.recurrence import CronText
from schemas.time import minute_of

LOOK_AHEAD_S = 86_400
"""What counts as the usual interval of a promise that is kept once a day or by cron."""
LEAST_OBJECTIVE = 93.1
"""All time lost burns 100 / (100 - objective) times the budget: at 93.1% and below less than the 14.4 that page."""
NEEDS = {"warn_s": ("cadence_s",), "error_s": ("cadence_s",), "period": ("cut_off",), "clock": ("cadence_s", "cron")}
"""Keys that mean something only beside one of others."""


class Sla(Section):
    """Exactly one of `cadence_s`, `cut_off` and `cron` says when data are due.

    - `cadence_s`: a change is in the topic within so many seconds
    - `cut_off`: by `HH:MM` of each working day, for the data of `period`
    - `cron`: by each tick, in the calendar's zone, for the time since the tick before
    - `clock`: `working` counts only working time (of a cadence) or only working days (of cron)
    - `warn_s`: due soon after so many seconds (default: 80% of the promise)
    - `grace_s`: late only after so many more seconds; of a cadence, `error_s` says it from the event on
    - `objective`: the share of time, in percent, in which the promise is to be kept
    - `calendar`: whose hours and days off; `maintenance`: windows in which the promise stands still
    """

    cadence_s: int | None = Field(None, gt=0)
    cut_off: str | None = None
    cron: CronText | None = None
    clock: Literal["wall", "working"] | None = None
    period: PeriodOf | None = None
    warn_s: int | None = Field(None, gt=0)
    error_s: int | None = Field(None, gt=0)
    grace_s: int | None = Field(None, ge=0)
    objective: float = 99.0
    calendar: str = OFFICE
    maintenance: tuple[Maintenance, ...] = ()

    @field_validator("cut_off")
    @classmethod
    def _is_time(cls, value: str | None) -> str | None:
        if value is not None:
            minute_of(value)
        return value

    @field_validator("objective")
    @classmethod
    def _can_be_burnt(cls, value: float) -> float:
        if not LEAST_OBJECTIVE < value < 100:
            raise MisdeclaredError(
                f"phải lớn hơn {LEAST_OBJECTIVE:g} và nhỏ hơn 100: với mục tiêu thấp hơn, cảnh báo nhanh (14,4 lần)"
                " không bao giờ kêu",
                f"must be above {LEAST_OBJECTIVE:g} and below 100: with a lower one the fast alert (14.4 times) can"
                " never fire",
            )
        return value

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        forms = ("cadence_s", "cut_off", "cron")
        if sum(getattr(self, form) is not None for form in forms) != 1:
            named = ", ".join(forms)
            raise MisdeclaredError(f"cần đúng một trong {named}", f"needs exactly one of {named}")
        for key, beside in NEEDS.items():
            if getattr(self, key) is not None and all(getattr(self, form) is None for form in beside):
                named = ", ".join(beside)
                raise MisdeclaredError(f"chỉ đi cùng {named}", f"stands only beside {named}", (key,))
        if self.error_s is not None and self.grace_s is not None:
            raise MisdeclaredError("đã có error_s; hãy bỏ một trong hai", "error_s says it already", ("grace_s",))
        if self.cadence_s is not None:
            self._check_order(self.cadence_s)
        return self

    def _check_order(self, cadence_s: int) -> None:
        if self.error_s is not None and self.error_s < cadence_s:
            raise MisdeclaredError("phải ít nhất bằng cadence_s", "must be at least cadence_s", ("error_s",))
        if self.warn_s is not None and self.warn_s > cadence_s:
            raise MisdeclaredError("phải nhiều nhất bằng cadence_s", "must be at most cadence_s", ("warn_s",))

    @property
    def usual_interval_s(self) -> int:
        """About how often data come, in seconds of working days."""
        return self.cadence_s or LOOK_AHEAD_S

    def promise(
        self,
        calendars: Mapping[str, WorkingCalendar],
        file: str = "sla",
        tree: yaml.Node | None = None,
        prefix: tuple[str, ...] = ("sla",),
    ) -> Promise:
        """The promise in its calendar; DeclarationError for an unknown calendar or overlapping maintenance."""
        calendar = calendar_called(self.calendar, calendars, file, tree, (*prefix, "calendar"))
        try:
            refuse_overlaps(self.maintenance, calendar.zone)
        except MisdeclaredError as error:
            raise misdeclared(file, tree, (*prefix, "maintenance", *error.at), error.text) from None
        plan = MaintenancePlan(self.maintenance, calendar.zone)
        return Promise(self._form(), calendar, self.clock == "working", plan)

    def _form(self) -> Cadence | CutOff | Cron:
        grace = timedelta(seconds=self.grace_s or 0)
        if self.cut_off is not None:
            return CutOff(minute_of(self.cut_off), self.period or PeriodOf.SAME_DAY, grace)
        if self.cron is not None:
            return Cron(self.cron, grace, self.clock == "working")
        within = timedelta(seconds=self.cadence_s or 0)
        warn = timedelta(seconds=self.warn_s) if self.warn_s is not None else within * SOON_SHARE
        error = timedelta(seconds=self.error_s) if self.error_s is not None else within + grace
        return Cadence(within, warn, error)
