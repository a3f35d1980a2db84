"""Figures of communes as a map with a table beside it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hub.api.breakdowns import Breakdown
from hub.kpi.answer import SHARES, Figures
from hub.kpi.service import Tile
from hub.kpi.units import COMMUNE, TODAY
from hub.web import map_view
from hub.web.block_tables import Column, TableView, column, table_view
from hub.web.places import UnitSet
from hub.web.shown import Shown
from hub.web.theme import Map
from hub.web.views import Reader, figures_text
from streams.plan import Kpi

MAP_ROWS = 12


@dataclass(frozen=True, slots=True)
class MapView:
    """`circles` or `tiles`; `table` of the largest; `elsewhere`: keys that are no place of the code set."""

    size: Column
    colour: Column
    circles: tuple[tuple[map_view.Circle, str], ...]
    tiles: tuple[tuple[map_view.Tile, str], ...]
    extent: tuple[float, float]
    table: TableView
    unit_set: str
    sets: tuple[str, ...]
    elsewhere: int
    shares: bool
    target: str | None
    at: str | None
    remapped: bool


def map_body(declared: Map, tiles: Sequence[Tile], shown: Shown) -> MapView | None:
    """The map of a block; None without coordinates or without a figure on it."""
    units = shown.units_shown
    size = next((tile for tile in tiles if tile.answer.kpi.id == declared.size), None)
    if units is None or size is None:
        return None
    colour = next((tile for tile in tiles if tile.answer.kpi.id == declared.colour), size)
    kpis, divided = (size.answer.kpi, colour.answer.kpi), declared.colour is not None and colour is not size
    (by_size, lost), (by_colour, _) = (_of_set(units, shown.rows(kpi.id, view_of(units, shown))) for kpi in kpis)
    found, elsewhere = map_view.spots(units, by_size, by_colour if divided else None)
    if not found:
        return None
    target = colour.answer.target if kpis[1].kind in SHARES else None
    grid = declared.view == "grid"
    at = shown.at if any(place.code == shown.at for place in units.places) else None
    drawn = () if grid else map_view.circles(units, found, kpis, target, at)
    tiled = map_view.tiles(units, found, kpis[1], target) if grid else ()

    def told(spot: map_view.Spot) -> str:
        return spot_text(spot, kpis, divided, shown.reader)

    return MapView(
        size=column(kpis[0], shown.reader),
        colour=column(kpis[1], shown.reader),
        circles=tuple((circle, told(circle.spot)) for circle in drawn),
        tiles=tuple((tile, told(tile.spot)) for tile in tiled),
        extent=map_view.extent(units) if grid else map_view.frame(units),
        table=_places([size, colour] if divided else [size], units, shown),
        unit_set=units.name,
        sets=tuple(one.name for one in shown.sets),
        elsewhere=len(elsewhere) + lost,
        remapped=view_of(units, shown) == TODAY and shown.board.period.start < units.since,
        shares=divided,
        target=shown.reader.number(target) if target is not None else None,
        at=next((place.name for place in units.places if place.code == at), None),
    )


def view_of(units: UnitSet, shown: Shown) -> str:
    """By what the figures of a set are divided: those of the newest set hold what became of the older units."""
    return TODAY if units is shown.sets[-1] else COMMUNE


def _of_set(units: UnitSet, rows: Mapping[str, Figures]) -> tuple[dict[str, Figures], int]:
    """The figures of a set's units by code, and how many keys are of no set or another one."""
    mine = {key.removeprefix(f"{units.name}/"): one for key, one in rows.items() if key.startswith(f"{units.name}/")}
    return mine, len(rows) - len(mine)


def _places(tiles: Sequence[Tile], units: UnitSet, shown: Shown) -> TableView:
    """The table beside a map, of the units of its set alone."""
    view = view_of(units, shown)
    prefix = f"{units.name}/"

    def name_of(kpi: Kpi, dimension: str, key: str) -> str | None:
        return units.names.get(key.removeprefix(prefix))

    def of_set(breakdown: Breakdown) -> Breakdown:
        return Breakdown(tuple(row for row in breakdown.rows or () if row.key.startswith(prefix)), breakdown.away)

    mine = {pair: of_set(one) for pair, one in shown.breakdowns.items() if pair[1] == view}
    return table_view(view, tiles, replace(shown, breakdowns=mine, name_of=name_of), smallest=False, most=MAP_ROWS)


def spot_text(spot: map_view.Spot, kpis: tuple[Kpi, Kpi], divided: bool, reader: Reader) -> str:
    """What a circle or tile says when it is pointed at."""
    names = ", ".join(place.name for place in spot.places[:4]) + (", …" if len(spot.places) > 4 else "")
    parts = [(spot.size, kpis[0])] + ([(spot.colour, kpis[1])] if divided else [])
    told = [
        f"{kpi.name[reader.language]}: {figures_text(figures, kpi.kind in SHARES, reader)}"
        + (f" {kpi.unit[reader.language]}" if figures.value is not None else "")
        for figures, kpi in parts
    ]
    return "\n".join([names, *told])
