"""Sums of a rollup by day: any other period's are a difference of two running sums. Pure.

Who asks for one period of a KPI mostly asks for the next: months beside each other, a report's quarters, a screen whose
user moves its dates. Each costs the warehouse 5 ms, most of it planning. Once as many days were asked for, between two
writes, as the year has, the year is asked for by day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from hub.kpi.period import EARLIEST, LATEST, Period

FIRST, LAST = "by_day_first", "by_day_last"
"""Parameters of the years that are asked for."""
MOST_CELLS = 20_000
"""Days of all buckets: a year by 54 units. Of more the warehouse tells one more than that, and none is kept."""

Days = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ByDay:
    """How the sums of a select can be asked for by day: `label` is the SQL of its bucket, `conditions` begins with AND
    or is empty. `period`: the days it is about; `until`: and all before them."""

    label: str
    sums: tuple[str, ...]
    table: str
    conditions: str
    period: Period
    until: bool = False

    @property
    def years(self) -> Period:
        """The calendar years that the period lies in."""
        first, last = (self.period.end if self.until else self.period.start), self.period.end
        return Period(max(EARLIEST, first.replace(month=1, day=1)), min(LATEST, last.replace(month=12, day=31)))

    @property
    def parameters(self) -> Mapping[str, str]:
        """Of `sql`, beside those of the select."""
        return {FIRST: self.years.start.isoformat(), LAST: self.years.end.isoformat()}

    @property
    def sql(self) -> str:
        """Answers one row `(bucket, days, sums of each day)` for each bucket, days counted since 1970. What lies before
        the years stands at the day before them."""
        first, last = f"{{{FIRST}:Date}}", f"{{{LAST}:Date}}"
        day = "toInt32(toUInt16(day))"
        day = f"greatest({day}, toInt32(toUInt16({first})) - 1)" if self.until else day
        inside = f"day <= {last}" if self.until else f"day BETWEEN {first} AND {last}"
        named = [f"s{number}" for number in range(len(self.sums))]
        summed = ", ".join(f"{sql} AS {name}" for sql, name in zip(self.sums, named, strict=True))
        of_days = (
            f"SELECT {self.label} AS bucket, {day} AS on_day, {summed} FROM {self.table}"
            f" WHERE {inside}{self.conditions} GROUP BY bucket, on_day LIMIT {MOST_CELLS + 1}"
        )
        told = ", ".join(f"groupArray({name})" for name in named)
        return f"SELECT bucket, groupArray(on_day) AS days, [{told}] AS sums FROM ({of_days}) GROUP BY bucket"


@dataclass(frozen=True, slots=True)
class _Bucket:
    """Ascending days, and for each sum its running sums: one more than days, from 0."""

    days: Days
    running: tuple[Days, ...]


class DailySums:
    """The answer to `ByDay.sql`."""

    def __init__(self, rows: Sequence[Sequence[Any]]) -> None:
        self.cells = sum(len(days) for _, days, _ in rows)
        self._buckets = {str(bucket): _running(days, sums) for bucket, days, sums in rows}

    @property
    def too_many(self) -> bool:
        """Whether the warehouse has more than it told."""
        return self.cells > MOST_CELLS

    def rows(self, source: str, asked: ByDay) -> Iterator[tuple[str, str, list[int]]]:
        """What the warehouse answers to the select for a period within the years: `(source, bucket, sums)`."""
        first, last = (day.toordinal() - _EPOCH for day in (asked.period.start, asked.period.end))
        for bucket, held in self._buckets.items():
            begin = 0 if asked.until else int(np.searchsorted(held.days, first))
            end = int(np.searchsorted(held.days, last, side="right"))
            if end > begin:
                yield source, bucket, [int(running[end] - running[begin]) for running in held.running]


_EPOCH = date(1970, 1, 1).toordinal()


def _running(days: Sequence[int], sums: Sequence[Sequence[int]]) -> _Bucket:
    numbers = np.asarray(days, dtype=np.int64)
    order = np.argsort(numbers)
    running = (np.concatenate(([0], np.cumsum(np.asarray(one, dtype=np.int64)[order]))) for one in sums)
    return _Bucket(numbers[order], tuple(running))
