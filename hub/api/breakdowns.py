"""KPIs by a dimension for pages: read once for many viewers, and kept for the time the warehouse is away."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta

from hub.kpi.answer import Row
from hub.kpi.cache import AnswerCache
from hub.kpi.errors import UnknownDimensionError, UnknownKpiError, WarehouseAwayError
from hub.kpi.inquiry import Inquirer, Inquiry
from hub.kpi.period import Period

TTL = timedelta(seconds=1)
"""Tables and maps are drawn anew every few seconds; a wall of screens asks at the same moments."""
KEPT = 512
"""Breakdowns kept for an outage: those of some 40 screens."""

Question = tuple[str, str, Period, str | None]


@dataclass(frozen=True, slots=True)
class Breakdown:
    """`rows` None: the KPI cannot be divided so, or nothing is known yet. `away`: they are from before an outage."""

    rows: tuple[Row, ...] | None
    away: bool = False


class Breakdowns:
    """Over one inquirer; safe from several threads. `get` blocks."""

    def __init__(self, inquirer: Inquirer) -> None:
        self._inquirer = inquirer
        self._answers: AnswerCache[tuple[Row, ...]] = AnswerCache(inquirer.service.around.clock, TTL)
        self._lock = threading.Lock()
        self._last: OrderedDict[Question, tuple[Row, ...]] = OrderedDict()

    def get(self, kpi_id: str, by: str, period: Period, org: str | None) -> Breakdown:
        """The KPI's rows, largest first; never raises for what is not declared or away."""
        question = (kpi_id, by, period, org)
        try:
            rows = self._answers.get(question, lambda: self._rows(question))
        except (UnknownKpiError, UnknownDimensionError):
            return Breakdown(None)
        except WarehouseAwayError:
            with self._lock:
                return Breakdown(self._last.get(question), away=True)
        self._keep(question, rows)
        return Breakdown(rows)

    def _rows(self, question: Question) -> tuple[Row, ...]:
        kpi_id, by, period, org = question
        return self._inquirer.find(Inquiry(kpi_id, period, org, by)).rows or ()

    def _keep(self, question: Question, rows: tuple[Row, ...]) -> None:
        with self._lock:
            self._last[question] = rows
            self._last.move_to_end(question)
            while len(self._last) > KEPT:
                self._last.popitem(last=False)
