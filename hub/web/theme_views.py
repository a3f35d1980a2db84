"""What a theme's blocks show, from a board and breakdowns: texts, points and shades for the templates. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from hub.kpi.service import Board, Tile
from hub.web import formats
from hub.web.block_maps import MapView, map_body
from hub.web.block_tables import TableView, table_view
from hub.web.health_views import DepartmentView
from hub.web.shown import Shown
from hub.web.theme import Block, Theme
from hub.web.tile_view import TileView, tile_view
from hub.web.views import Reader


@dataclass(frozen=True, slots=True)
class BlockView:
    """One block. `kpis`: all it leans on, so that a change of one of them refreshes it; `missing`: names, or ids, of
    those that no system feeds; `body`: what its template shows, None if there is nothing to show."""

    id: str
    number: int
    kind: str
    title: str
    note: str | None
    half: bool
    kpis: tuple[str, ...]
    missing: tuple[str, ...]
    stale: bool
    as_of: str
    body: Any = None


@dataclass(frozen=True, slots=True)
class ChartView:
    """`data` for the drawing script; `columns` and `rows` are the same as a table; `tile` the first KPI's."""

    data: Mapping[str, Any]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    tile: TileView


@dataclass(frozen=True, slots=True)
class ListView:
    """Tiles as lines: the red list and the plan. `judged`: KPIs that have a plan and a value."""

    tiles: tuple[TileView, ...]
    judged: int
    rest: int = 0


@dataclass(frozen=True, slots=True)
class TilesView:
    tiles: tuple[TileView, ...] = field(default_factory=tuple)


def needed(theme: Theme, units: str, only: int | None = None) -> list[tuple[str, str]]:
    """The (KPI id, dimension) that a theme's tables and maps are made of, each once; `units`: by what view of the
    administrative units maps are divided; `only`: of one block."""
    blocks = theme.sections if only is None else (theme.sections[only],)
    tables = [(kpi, block.table.by) for block in blocks if block.table is not None for kpi in block.table.kpis]
    maps = [(kpi, units) for block in blocks if block.map is not None for kpi in block.map.kpis]
    return list(dict.fromkeys([*tables, *maps]))


def declared_tiles(board: Board) -> list[tuple[str, str]]:
    """(KPI id, entity) of what is shown as tiles, in the order of the declarations."""
    return [(tile.answer.kpi.id, tile.answer.kpi.entity) for tile in board.tiles if tile.answer.kpi.tile]


def block_view(theme: Theme, number: int, shown: Shown) -> BlockView:
    """One block of a theme."""
    block, reader = theme.sections[number], shown.reader
    kpis = theme.kpis_of(block, declared_tiles(shown.board))
    tiles = [tile for kpi in kpis if (tile := shown.tile(kpi)) is not None]
    known = {tile.answer.kpi.id for tile in tiles}
    stamps = [tile.answer.basis.as_of for tile in tiles if tile.answer.basis.as_of is not None]
    return BlockView(
        id=f"block-{number}",
        number=number,
        kind=block.kind,
        title=_text(block.title, reader),
        note=_text(block.note, reader) if block.note else None,
        half=block.half,
        kpis=kpis,
        missing=(*(shown.declared.get(kpi, kpi) for kpi in kpis if kpi not in known), *_unheard_of(block, shown.board)),
        stale=any(tile.answer.basis.stale for tile in tiles) or shown.board.outage is not None,
        as_of=reader.clock(min(stamps, default=None)),
        body=_BODIES[block.kind](block, tiles, shown) if tiles or block.kind == "feeds" else None,
    )


def _unheard_of(block: Block, board: Board) -> tuple[str, ...]:
    """Entities that no KPI is declared of, as `<entity>.…`."""
    declared = {tile.answer.kpi.entity for tile in board.tiles}
    return () if block.kpis else tuple(f"{entity}.…" for entity in block.rest_of if entity not in declared)


def block_views(theme: Theme, shown: Shown) -> list[BlockView]:
    return [block_view(theme, number, shown) for number in range(len(theme.sections))]


def _tiles(block: Block, tiles: Sequence[Tile], shown: Shown) -> TilesView:
    return TilesView(tuple(tile_view(tile, shown.reader) for tile in tiles))


def _chart(block: Block, tiles: Sequence[Tile], shown: Shown) -> ChartView | None:
    drawn = [tile for tile in tiles if any(point.figures.value is not None for point in tile.trend)]
    if not drawn:
        return None
    first, reader = drawn[0], shown.reader
    language = reader.language
    days = [point.day for point in first.trend]
    by_day = [{point.day: point.figures.value for point in tile.trend} for tile in drawn]
    noon = [
        int(datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(reader.timezone)).timestamp()) for day in days
    ]
    names = tuple(tile.answer.kpi.name[language] for tile in drawn)
    target = first.answer.target if len(drawn) == 1 else None
    data = {
        "x": noon,
        "grain": first.grain,
        "bucket": reader.t("kpi.bucket"),
        "language": language,
        "series": [
            {"name": name, "unit": tile.answer.kpi.unit[language], "values": [values.get(day) for day in days]}
            for tile, name, values in zip(drawn, names, by_day, strict=True)
        ],
        "target": target,
        "target_name": reader.t("table.target"),
        "bars": first.answer.kpi.kind == "flow" and len(drawn) == 1,
    }
    rows = tuple(
        (formats.bucket_text(day, first.grain, language), *(reader.number(values.get(day)) for values in by_day))
        for day in days
    )
    return ChartView(data, (reader.t("kpi.bucket"), *names), rows, tile_view(first, reader))


def _map(block: Block, tiles: Sequence[Tile], shown: Shown) -> MapView | None:
    assert block.map is not None
    return map_body(block.map, tiles, shown)


def _table(block: Block, tiles: Sequence[Tile], shown: Shown) -> TableView | None:
    assert block.table is not None
    found = table_view(block.table.by, tiles, shown, block.table.first == "smallest", block.table.rows)
    return found if found.lines else None


def _red_list(block: Block, tiles: Sequence[Tile], shown: Shown) -> ListView | None:
    judged = [tile for tile in tiles if tile.answer.gap is not None]
    missed = sorted((tile for tile in judged if tile.answer.missed), key=_relative_gap)
    known = any(tile.answer.basis.as_of is not None for tile in tiles)
    return ListView(tuple(tile_view(tile, shown.reader) for tile in missed), len(judged)) if known else None


def _relative_gap(tile: Tile) -> float:
    """How far from the plan, as a share of it; the worst first."""
    target = abs(tile.answer.target or 0) or 1.0
    return -abs(tile.answer.gap or 0) / target


def _plan(block: Block, tiles: Sequence[Tile], shown: Shown) -> ListView | None:
    planned = [tile for tile in tiles if tile.answer.target is not None]
    if not planned:
        return None
    judged = sum(1 for tile in planned if tile.answer.gap is not None)
    return ListView(tuple(tile_view(tile, shown.reader) for tile in planned), judged)


def _feeds(block: Block, tiles: Sequence[Tile], shown: Shown) -> tuple[DepartmentView, ...]:
    return shown.departments


_BODIES: Mapping[str, Callable[[Block, Sequence[Tile], Shown], Any]] = {
    "tiles": _tiles,
    "figures": _tiles,
    "chart": _chart,
    "table": _table,
    "map": _map,
    "red_list": _red_list,
    "plan": _plan,
    "feeds": _feeds,
}


def _text(text: Any, reader: Reader) -> str:
    return str(getattr(text, reader.language))
