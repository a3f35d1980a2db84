"""Communes on a map without a map server: from the code table's coordinates to places on a plane. Pure.

The coordinates are those of `schemas/codes/admin_unit.csv` (source and licence in `schemas/codes/SOURCES.md`). They
are points, not boundaries: none are free. So a map shows points, or tiles of equal size laid out like the province.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from schemas.codes_table import CodeTable

TABLE = "admin_unit"
MAPPED = ("ward", "district")
"""Kinds of units that stand on the map, the finest of a set first."""
SLACK = 1.5
"""Tiles of the grid for each commune: with fewer the province loses its shape, with more it falls apart."""
PASSES = 12
"""Rounds of exchanging tiles; after some six nothing changes any more."""

Cell = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Place:
    """A unit of one code set; `x` to the east and `y` to the south, both in kilometres from the set's corner."""

    code: str
    name: str
    x: float
    y: float

    @property
    def short(self) -> str:
        """The name without the word for its kind, for a small tile."""
        kinds = ("Xã ", "Phường ", "Thị trấn ", "Thành phố ", "Thị xã ", "Huyện ")
        return next((self.name.removeprefix(kind) for kind in kinds if self.name.startswith(kind)), self.name)


@dataclass(frozen=True, slots=True)
class UnitSet:
    """The units in force from `since` on, with their places; `width` and `height` in kilometres."""

    name: str
    since: date
    places: tuple[Place, ...]
    width: float
    height: float
    names: Mapping[str, str]
    """Of every unit of the set, also of those that are not mapped, such as districts and the province."""


def unit_sets(table: CodeTable | None) -> tuple[UnitSet, ...]:
    """The code sets of the table in the order of their validity; none without a table or without coordinates."""
    needed = {"codeset", "kind", "latitude", "longitude", "name_vi"}
    if table is None or not needed <= set(table.columns):
        return ()
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    found = [_unit_set(name, rows) for name in dict.fromkeys(row["codeset"] for row in rows)]
    return tuple(sorted((one for one in found if one is not None), key=lambda one: one.since))


def _unit_set(name: str, rows: Iterable[dict[str, str]]) -> UnitSet | None:
    mine = [row for row in rows if row["codeset"] == name]
    mapped = next((found for kind in MAPPED if (found := [row for row in mine if _is_mapped(row, kind)])), None)
    if mapped is None:
        return None
    north = max(float(row["latitude"]) for row in mapped)
    south = min(float(row["latitude"]) for row in mapped)
    west = min(float(row["longitude"]) for row in mapped)
    km_north = 111.2
    km_east = km_north * math.cos(math.radians((north + south) / 2))
    places = tuple(
        Place(
            row["code"],
            row["name_vi"],
            (float(row["longitude"]) - west) * km_east,
            (north - float(row["latitude"])) * km_north,
        )
        for row in mapped
    )
    since = min(date.fromisoformat(row["valid_from"]) for row in mapped)
    width, height = max(place.x for place in places), max(place.y for place in places)
    return UnitSet(name, since, places, width, height, {row["code"]: row["name_vi"] for row in mine})


def _is_mapped(row: Mapping[str, str], kind: str) -> bool:
    return row["kind"] == kind and bool(row["latitude"]) and bool(row["longitude"])


def set_at(sets: Sequence[UnitSet], day: date) -> UnitSet | None:
    """The set in force on `day`; before all of them the first."""
    in_force = [one for one in sets if one.since <= day]
    return in_force[-1] if in_force else next(iter(sets), None)


@lru_cache(maxsize=8)
def tile_grid(units: tuple[Place, ...]) -> dict[str, Cell]:
    """A (column, row) for each unit, no two alike: as near to where it lies as the others let it."""
    if not units:
        return {}
    width = max(place.x for place in units) or 1.0
    height = max(place.y for place in units) or 1.0
    side = math.sqrt(width * height / (SLACK * len(units)))
    wished = {place.code: (place.x / side, place.y / side) for place in units}
    cells = _nearest_free(wished)
    for _ in range(PASSES):
        if not _exchange(cells, wished):
            break
    left, top = min(x for x, _ in cells.values()), min(y for _, y in cells.values())
    return {code: (x - left, y - top) for code, (x, y) in cells.items()}


def _nearest_free(wished: Mapping[str, tuple[float, float]]) -> dict[str, Cell]:
    """Each takes the free cell nearest to its wish; those in the middle, where it is crowded, first."""
    middle = (sum(x for x, _ in wished.values()) / len(wished), sum(y for _, y in wished.values()) / len(wished))
    taken: dict[Cell, str] = {}
    for code in sorted(wished, key=lambda code: (_far(wished[code], middle), code)):
        x, y = wished[code]
        reach = 0
        free: list[Cell] = []
        while not free:
            reach += 1
            around = range(-reach, reach + 1)
            free = [(round(x) + dx, round(y) + dy) for dx in around for dy in around]
            free = [cell for cell in free if cell not in taken]
        taken[min(free, key=lambda cell: (_far(cell, (x, y)), cell))] = code
    return {code: cell for cell, code in taken.items()}


def _exchange(cells: dict[str, Cell], wished: Mapping[str, tuple[float, float]]) -> bool:
    """Let pairs change places where both together come nearer; whether any did."""
    changed = False
    codes = sorted(cells)
    for number, one in enumerate(codes):
        for other in codes[number + 1 :]:
            here, there = cells[one], cells[other]
            now = _far(here, wished[one]) + _far(there, wished[other])
            if _far(there, wished[one]) + _far(here, wished[other]) < now - 1e-9:
                cells[one], cells[other] = there, here
                changed = True
    return changed


def _far(one: tuple[float, float], other: tuple[float, float]) -> float:
    """The square of the distance."""
    return (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2
