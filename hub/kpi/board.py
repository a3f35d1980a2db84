"""Boards: all KPIs over one period, with their trends. Values."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hub.kpi.answer import Figures, KpiAnswer, Point
from hub.kpi.period import Period
from hub.kpi.reader import Outage


@dataclass(frozen=True, slots=True)
class Tile:
    """One KPI on a board: its answer, its trend, and today's figures if the period is longer than today."""

    answer: KpiAnswer
    trend: tuple[Point, ...] = ()
    grain: str = "day"
    today: Figures | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """All KPIs over one period."""

    period: Period
    tiles: tuple[Tile, ...]
    outage: Outage | None = None


def marked_away(board: Board, outage: Outage) -> Board:
    """A board of before, marked as not current."""
    tiles = tuple(
        replace(tile, answer=replace(tile.answer, basis=replace(tile.answer.basis, away_since=outage.since)))
        for tile in board.tiles
    )
    return Board(board.period, tiles, outage)
