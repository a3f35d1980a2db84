"""Working time of an office as a number line: seconds worked since a start ↔ seconds since 1970 (UTC).

The simulated systems reckon with this and never ask the product's calendar: each is the other's oracle, and whole
columns are laid out at once.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import numpy.typing as npt

LOCAL = timezone(timedelta(hours=7))
"""Asia/Ho_Chi_Minh: no summer time since 1975."""
LOCAL_OFFSET_S = 7 * 3600
WORKDAY_S = 8 * 3600
MARGIN_DAYS = 400
"""Days laid out after the end, for due dates that lie beyond it."""
SHORT_PERIOD_S = 3 * WORKDAY_S
"""A period with less working time than this (early January) counts every hour as worked."""

WINDOWS = ((7 * 3600, 11 * 3600 + 1800), (13 * 3600 + 1800, 17 * 3600))
"""From 7:00 to 11:30 and from 13:30 to 17:00, in seconds of the local day."""
HOLIDAYS = frozenset(
    [date(2022, 1, 3), date(2022, 4, 11), date(2022, 5, 2), date(2022, 5, 3), date(2022, 9, 1), date(2022, 9, 2)]
    + [date(2022, 1, 29) + timedelta(days) for days in range(9)]
)
"""Days off of 2022: the new year, Tết (29 Jan to 6 Feb), the Hùng kings, 30/4 and 1/5, the national day."""

Seconds = npt.NDArray[np.int64]


def local_midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=LOCAL).timestamp())


def local_date(second: int) -> date:
    return datetime.fromtimestamp(second, tz=UTC).astimezone(LOCAL).date()


class WorkTime:
    """The working windows from `start` on; `total` is the working time between `start` and `end`."""

    def __init__(self, start: int, end: int) -> None:
        windows = self._windows(start, end)
        self._lay_out(windows)
        self.total = self.elapsed(end)
        if self.total < SHORT_PERIOD_S:
            self._lay_out([(start, max(end, start + 1) + MARGIN_DAYS * 86_400)])
            self.total = max(end - start, 1)

    @staticmethod
    def _windows(start: int, end: int) -> list[tuple[int, int]]:
        day = local_date(start)
        last = local_date(end) + timedelta(MARGIN_DAYS)
        windows = []
        while day <= last:
            if day.weekday() < 5 and day not in HOLIDAYS:
                midnight = local_midnight(day)
                windows += [
                    (max(midnight + begin, start), midnight + finish)
                    for begin, finish in WINDOWS
                    if midnight + finish > start
                ]
            day += timedelta(1)
        return windows

    def _lay_out(self, windows: list[tuple[int, int]]) -> None:
        self._starts = np.array([begin for begin, _ in windows], dtype=np.int64)
        lengths = np.array([finish - begin for begin, finish in windows], dtype=np.int64)
        self._offsets = np.concatenate(([0], np.cumsum(lengths)[:-1])).astype(np.int64)
        self._lengths = lengths

    def elapsed(self, second: int) -> int:
        """Working seconds between the start and `second`."""
        worked = np.clip(second - self._starts, 0, self._lengths)
        return int(worked.sum())

    def at(self, worked: npt.NDArray[Any]) -> Seconds:
        """The moments at which so many seconds have been worked."""
        worked = worked.astype(np.int64)
        window = np.searchsorted(self._offsets, worked, side="right") - 1
        return np.asarray(self._starts[window] + worked - self._offsets[window], dtype=np.int64)
