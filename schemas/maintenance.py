"""Declared maintenance: single windows and recurring ones, in which a promise stands still. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Self
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, Field, model_validator

from schemas.declaration import MisdeclaredError, Section
from schemas.recurrence import CronText, following
from schemas.time import Interval, utc

LONGEST_S = 14 * 86_400
"""Longest recurring window."""
CHECKED_FROM = datetime(2024, 1, 1, tzinfo=UTC)
"""Recurring windows are held against each other over the two years from here; a leap year is among them."""
CHECKED = timedelta(days=731)
CHECKED_WINDOWS = 1_000
"""At most so many windows of each of two recurring ones are held against each other, 0.3 ms each."""
CHECKED_REPEATS = 100
"""So many windows of a recurring one are held against the next."""


class Maintenance(Section):
    """One window (`from`, `to`) or a recurring one (`cron` in the calendar's zone, `duration_s`), with its reason."""

    start: AwareDatetime | None = Field(None, alias="from")
    end: AwareDatetime | None = Field(None, alias="to")
    cron: CronText | None = None
    duration_s: int | None = Field(None, gt=0, le=LONGEST_S)
    reason: str = Field(min_length=1)

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        once, again = (self.start, self.end), (self.cron, self.duration_s)
        whole = [None not in pair for pair in (once, again)]
        begun = [any(part is not None for part in pair) for pair in (once, again)]
        if sum(whole) != 1 or sum(begun) != 1:
            raise MisdeclaredError(
                "cần «from» và «to» (một lần), hoặc «cron» và «duration_s» (lặp lại)",
                "needs “from” and “to” (once), or “cron” and “duration_s” (again and again)",
            )
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise MisdeclaredError("phải sau «from»", "must be after “from”", ("to",))
        return self

    def windows(self, after: datetime, zone: ZoneInfo) -> Iterator[Interval]:
        """The windows that end after `after`, in order."""
        if self.start is not None and self.end is not None:
            if self.end > after:
                yield Interval(utc(self.start), utc(self.end))
            return
        assert self.cron is not None and self.duration_s is not None
        length = timedelta(seconds=self.duration_s)
        for start in following(self.cron, utc(after) - length - timedelta(minutes=1), zone):
            if start + length > after:
                yield Interval(start, start + length)

    def overruns_itself(self, zone: ZoneInfo) -> bool:
        """Whether a recurring window reaches into its own next one."""
        if self.cron is None or self.duration_s is None:
            return False
        length = timedelta(seconds=self.duration_s)
        before = CHECKED_FROM
        for number, start in enumerate(islice(following(self.cron, CHECKED_FROM, zone), CHECKED_REPEATS)):
            if number and start < before + length:
                return True
            before = start
        return False


@dataclass(frozen=True, slots=True)
class MaintenancePlan:
    """The windows of one promise, none overlapping another. Fulfils `schemas.time.Pauses`."""

    declared: tuple[Maintenance, ...]
    zone: ZoneInfo

    def after(self, instant: datetime) -> Iterator[Interval]:
        return heapq.merge(*(one.windows(instant, self.zone) for one in self.declared))

    def at(self, instant: datetime) -> tuple[Interval, Maintenance] | None:
        """The window that is open at `instant`, and what was declared."""
        for one in self.declared:
            window = next(one.windows(instant, self.zone), None)
            if window is not None and instant in window:
                return window, one
        return None


def refuse_overlaps(declared: Sequence[Maintenance], zone: ZoneInfo) -> None:
    """MisdeclaredError names the later of two windows that overlap, by its number in the list."""
    for number, one in enumerate(declared):
        if one.overruns_itself(zone):
            raise MisdeclaredError(
                "kéo dài quá lần lặp kế tiếp của chính nó; giảm duration_s",
                "lasts into its own next window; lower duration_s",
                (str(number), "duration_s"),
            )
        for earlier, other in enumerate(declared[:number]):
            if _overlap(one, other, zone):
                raise MisdeclaredError(
                    f"chồng lên khoảng bảo trì số {earlier + 1} ({other.reason})",
                    f"overlaps maintenance window {earlier + 1} ({other.reason})",
                    (str(number),),
                )


def _overlap(one: Maintenance, other: Maintenance, zone: ZoneInfo) -> bool:
    """Whether two declared windows meet: a single one anywhere, two recurring ones within the checked years."""
    if one.start is None and other.start is None:
        begin, end = CHECKED_FROM, CHECKED_FROM + CHECKED
    else:
        bounds = [(part.start, part.end) for part in (one, other) if part.start and part.end]
        begin, end = max(utc(start) for start, _ in bounds), min(utc(stop) for _, stop in bounds)
    lists = [
        list(islice(takewhile(lambda window: window.start < end, part.windows(begin, zone)), CHECKED_WINDOWS))
        for part in (one, other)
    ]
    return _meet(lists[0], lists[1])


def _meet(left: Sequence[Interval], right: Sequence[Interval]) -> bool:
    first = second = 0
    while first < len(left) and second < len(right):
        if left[first].start < right[second].end and right[second].start < left[first].end:
            return True
        if left[first].end <= right[second].end:
            first += 1
        else:
            second += 1
    return False
