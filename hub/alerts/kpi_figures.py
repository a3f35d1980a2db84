"""The figures of one evaluation, read from the KPI service as they are asked for."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from hub.alerts.figures import Day, Figure, Reading, Series
from hub.alerts.rule import PeriodName
from hub.kpi.answer import Figures as KpiFigures
from hub.kpi.answer import KpiAnswer
from hub.kpi.period import DAILY_TREND_UP_TO_DAYS, Period, today
from hub.kpi.service import Board, KpiService


class ServiceFigures:
    """`hub.alerts.figures.Figures` over the KPI service; each question is asked once. Blocks, WarehouseAwayError."""

    def __init__(self, service: KpiService, at: datetime) -> None:
        self._service = service
        self.at = at
        self._day = today(at, service.around.timezone)
        self._answers: dict[PeriodName, dict[str, KpiAnswer]] = {}
        self._boards: dict[int, Board] = {}

    def today(self) -> date:
        return self._day

    def reading(self, kpi: str, period: PeriodName, by: str | None) -> Reading:
        days = self._period(period)
        if period not in self._answers:
            self._answers[period] = {one.kpi.id: one for one in self._service.answers(days)}
        answer = self._answers[period][kpi]
        parts = None
        if by is not None:
            rows = self._service.rows(kpi, days, by)
            parts = {row.key: _figure(row.figures, answer.target) for row in rows}
        return Reading(kpi, _figure(answer.figures, answer.target), _trusted(answer), parts)

    def series(self, kpi: str, days: int) -> Series:
        asked = min(days, DAILY_TREND_UP_TO_DAYS)
        if asked not in self._boards:
            self._boards[asked] = self._service.board(Period(self._day - timedelta(days=asked - 1), self._day))
        board = self._boards[asked]
        tile = next(tile for tile in board.tiles if tile.answer.kpi.id == kpi)
        drawn = tuple(
            Day(point.day, point.figures.value, point.figures.numerator, point.figures.denominator)
            for point in tile.trend
            if tile.grain == "day"
        )
        trusted = board.outage is None and _trusted(tile.answer) and bool(drawn)
        return Series(kpi, drawn, tile.answer.kpi.kind == "ratio", trusted)

    def _period(self, name: PeriodName) -> Period:
        begin = {"today": self._day, "month": self._day.replace(day=1), "year": self._day.replace(month=1, day=1)}
        return Period(begin[name], self._day)


def _figure(figures: KpiFigures, target: float | None) -> Figure:
    count = figures.denominator if figures.denominator is not None else figures.value
    return Figure(figures.value, count, target)


def _trusted(answer: KpiAnswer) -> bool:
    return answer.basis.stale is None and answer.figures.unserved is None
