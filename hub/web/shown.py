"""What the blocks of a page lean on: a board, breakdowns and code sets, for one reader. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

from hub.api.breakdowns import Breakdown
from hub.kpi.answer import Figures
from hub.kpi.service import Board, Tile
from hub.web.health_views import DepartmentView
from hub.web.places import UnitSet, set_at
from hub.web.views import Reader
from streams.plan import Kpi

NameOf = Callable[[Kpi, str, str], "str | None"]


def unit_set(sets: tuple[UnitSet, ...], asked: str | None, day: date) -> UnitSet | None:
    """The set asked for by name, else the one in force on `day`; None if there are none."""
    return next((one for one in sets if one.name == asked), None) or set_at(sets, day)


@dataclass(frozen=True, slots=True)
class Shown:
    """What all blocks of a page lean on. `breakdowns` by (KPI id, dimension); `units`: the code set asked for by name,
    None for the one in force at the end of the period; `at`: the place that maps are zoomed in around."""

    board: Board
    breakdowns: Mapping[tuple[str, str], Breakdown]
    sets: tuple[UnitSet, ...]
    name_of: NameOf
    reader: Reader
    units: str | None = None
    at: str | None = None
    departments: tuple[DepartmentView, ...] = ()
    declared: Mapping[str, str] = field(default_factory=dict)
    """Names of all KPIs that are declared, also of systems that are not connected."""

    @property
    def units_shown(self) -> UnitSet | None:
        """The code set that maps show."""
        return unit_set(self.sets, self.units, self.board.period.end)

    def tile(self, kpi_id: str) -> Tile | None:
        return next((tile for tile in self.board.tiles if tile.answer.kpi.id == kpi_id), None)

    def rows(self, kpi_id: str, by: str) -> dict[str, Figures]:
        rows = self.breakdowns.get((kpi_id, by), Breakdown(None)).rows or ()
        return {row.key: row.figures for row in rows}
