"""A period, the window of its trend and today, told apart in one reading of a rollup. Pure.

Each row of the answer holds the sums of the days that lie in the same bucket of the trend and in the same of these
spans, so that a total is the sum of its rows: what is planned and read once for a tile would else be three questions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from hub.kpi.period import Period, Trend, bucket_sql
from hub.kpi.statement import TOTAL, Builder

IN_PERIOD, TODAY, BEFORE_WINDOW = 1, 2, 4
"""Bits of a row's label: its days are in the period, are today, lie before the window of the trend."""

Sums = dict[str, Sequence[int]]
"""By source."""


@dataclass(frozen=True, slots=True)
class Spans:
    """What is asked for: `period` whole, `trend` by bucket, and `day` if it is within the period."""

    period: Period
    trend: Trend
    day: date | None = None

    def labelled(self, builder: Builder, until: bool) -> tuple[str, str, str]:
        """SQL of the days that are read, of a row's label, and of what rows are grouped by. `until`: of a stock, which
        holds all that came before."""
        start, end = builder.parameter("from", self.period.start), builder.parameter("to", self.period.end)
        first = builder.parameter("first", self.trend.window.start)
        last = builder.parameter("last", max(self.period.end, self.trend.window.end))
        inside = f"day <= {end}" if until else f"day BETWEEN {start} AND {end}"
        span = f"({inside}) * {IN_PERIOD} + (day < {first}) * {BEFORE_WINDOW}"
        if self.day is not None:
            span += f" + (day = {builder.parameter('day', self.day)}) * {TODAY}"
        earliest = builder.parameter("least", min(self.period.start, self.trend.window.start))
        days = f"day <= {last}" if until else f"day BETWEEN {earliest} AND {last}"
        slot = f"if(day < {first}, toDate(0), {bucket_sql(self.trend.grain, 'day')})"
        return days, "concat(toString(span), ' ', toString(slot))", f"toUInt8({span}) AS span, {slot} AS slot"


@dataclass(slots=True)
class Spanned:
    """The sums by source: of the whole period, of today, and by bucket of the trend, `''` being what came before."""

    whole: Sums = field(default_factory=dict)
    today: Sums = field(default_factory=dict)
    buckets: dict[str, Sums] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[Sequence[Any]]) -> Spanned:
        """From rows `(source, label, sums)`."""
        found = cls()
        for source, label, sums in rows:
            bits, _, slot = str(label).partition(" ")
            span = int(bits)
            if span & IN_PERIOD:
                _add(found.whole, source, sums)
            if span & TODAY:
                _add(found.today, source, sums)
            _add(found.buckets.setdefault(TOTAL if span & BEFORE_WINDOW else slot, {}), source, sums)
        return found


def _add(into: Sums, source: str, sums: Sequence[int]) -> None:
    have = into.get(source)
    into[source] = sums if have is None else [mine + more for mine, more in zip(have, sums, strict=True)]
