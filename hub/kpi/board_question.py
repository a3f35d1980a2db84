"""What a board asks of the warehouse, and where its figures stand in the answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from hub.kpi import query
from hub.kpi.period import Period, trend_of
from hub.kpi.query import Layout, Slice
from hub.kpi.rollups import Served
from hub.kpi.spans import Spanned, Spans
from hub.kpi.statement import TOTAL, Statement, by_bucket
from streams.kpi import OF_NOW, Kpi

SPANNED = "s"
"""The prefix of sources that `Spanned` reads."""

Sums = Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True)
class BoardFigures:
    """The sums of a whole board."""

    whole: Sums
    buckets: Mapping[str, Sums]
    today: Sums
    layouts: tuple[Layout, Layout, Layout]

    def of_buckets(self, kpi: Kpi) -> dict[str, dict[str, int]]:
        return {key: self.layouts[1].figures(kpi, sums) for key, sums in self.buckets.items()}

    def of_today(self, kpi: Kpi) -> dict[str, int]:
        return self.layouts[2].figures(kpi, self.today)


@dataclass(frozen=True, slots=True)
class BoardQuestion:
    """One union for the period, the trend and today: figures that add up are asked once for all three."""

    statement: Statement
    layouts: tuple[Layout, Layout, Layout]

    @classmethod
    def of(
        cls, kpis: Sequence[Kpi], period: Period, day: date | None, chosen: Slice, served: Served, now: datetime
    ) -> BoardQuestion:
        """`day`: today, if it is to be told apart."""
        trend, tables = trend_of(period), served.tables
        rest = [kpi for kpi in kpis if not query.additive(kpi)]
        spanned = query.spans(
            [kpi for kpi in kpis if query.additive(kpi)], Spans(period, trend, day), chosen, SPANNED, tables
        )
        whole = query.totals(rest, period, chosen, tables=tables, now=now)
        line = query.trends(rest, period, trend, chosen, tables=tables)
        flowing = [kpi for kpi in rest if kpi.kind not in OF_NOW] if day is not None else []
        this_day = query.totals(flowing, Period(day or period.end, day or period.end), chosen, "d", tables, now)
        layouts = [Layout({**spanned[1].cells, **other[1].cells}) for other in (whole, line, this_day)]
        return cls(query.union(spanned, whole, line, this_day), (layouts[0], layouts[1], layouts[2]))

    def read(self, rows: Sequence[Sequence[Any]]) -> BoardFigures:
        """The answer to the statement."""
        spanned = Spanned.of(row for row in rows if row[0].startswith(f"{SPANNED}:"))
        others = by_bucket([row for row in rows if not row[0].startswith(f"{SPANNED}:")])
        totals = others.get(TOTAL, {})
        keys = {*spanned.buckets, *others}
        buckets = {key: {**spanned.buckets.get(key, {}), **others.get(key, {})} for key in keys}
        return BoardFigures({**spanned.whole, **totals}, buckets, {**spanned.today, **totals}, self.layouts)
