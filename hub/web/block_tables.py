"""KPIs by the values of a dimension, as lines with bars. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hub.kpi.answer import SHARES, Figures
from hub.kpi.service import Tile
from hub.web import formats, map_view
from hub.web.shown import Shown
from hub.web.tile_view import of_hundred
from hub.web.views import Reader, figures_text, value_name
from streams.plan import Kpi


@dataclass(frozen=True, slots=True)
class Column:
    id: str
    name: str
    unit: str


@dataclass(frozen=True, slots=True)
class CellView:
    """`share`: how long the bar is, of 100; None for no bar."""

    text: str
    missed: bool
    share: float | None
    none: bool


@dataclass(frozen=True, slots=True)
class LineView:
    name: str
    code: str | None
    cells: tuple[CellView, ...]


@dataclass(frozen=True, slots=True)
class TableView:
    by: str
    columns: tuple[Column, ...]
    lines: tuple[LineView, ...]
    left: int


def table_view(by: str, tiles: Sequence[Tile], shown: Shown, smallest: bool, most: int) -> TableView:
    """KPIs by the values of a dimension."""
    kpis = [tile.answer.kpi for tile in tiles]
    figures = [shown.rows(kpi.id, by) for kpi in kpis]
    keys = _sorted({key for one in figures for key in one}, figures[0] if figures else {}, smallest)
    return TableView(
        by,
        tuple(column(kpi, shown.reader) for kpi in kpis),
        tuple(_line(key, by, tiles, figures, shown) for key in keys[:most]),
        max(0, len(keys) - most),
    )


def _sorted(keys: Iterable[str], figures: Mapping[str, Figures], smallest: bool) -> list[str]:
    nothing = Figures(None)

    def place(key: str) -> tuple[bool, float, str]:
        value = figures.get(key, nothing).value
        return value is None, (value or 0) * (1 if smallest else -1), key

    return sorted(keys, key=place)


def _line(key: str, by: str, tiles: Sequence[Tile], figures: Sequence[Mapping[str, Figures]], shown: Shown) -> LineView:
    name = next((name for tile in tiles if (name := shown.name_of(tile.answer.kpi, by, key))), None)
    nothing = Figures(None)
    cells = tuple(
        _cell(one.get(key, nothing), tile, max((item.value or 0 for item in one.values()), default=0), shown.reader)
        for one, tile in zip(figures, tiles, strict=True)
    )
    return LineView(name or value_name(by, key, shown.reader), key if name else None, cells)


def _cell(figures: Figures, tile: Tile, most: float, reader: Reader) -> CellView:
    kpi, target = tile.answer.kpi, tile.answer.target if tile.answer.kpi.kind in SHARES else None
    scale = 100.0 if of_hundred(kpi) else most
    value = figures.value
    missed = value is not None and target is not None and map_view.beyond(value, target, kpi)
    bar = None if value is None or scale <= 0 else round(max(0.0, min(100.0, 100 * value / scale)), 1)
    text = formats.UNKNOWN if value is None else figures_text(figures, kpi.kind in SHARES, reader)
    return CellView(text, missed, bar, value is None)


def column(kpi: Kpi, reader: Reader) -> Column:
    """The head of a KPI's column."""
    return Column(kpi.id, kpi.name[reader.language], kpi.unit[reader.language])
