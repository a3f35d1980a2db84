"""Figures of communes as circles or tiles, ready for inline SVG. Pure.

Circles that would hide each other become one that stands for all of them, with their summed figures: shares are
sums over sums, never averages.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hub.kpi.answer import SHARES, Figures, share
from hub.web.places import Place, UnitSet, tile_grid
from streams.plan import Kpi

SIDE = 560.0
"""The longer side of the drawing in its own units; the longer side of the province fills it."""
MARGIN = 34.0
MOST_RADIUS = 27.0
LEAST_RADIUS = 4.0
OVERLAP = 0.62
"""Two circles nearer than this share of their radii are one: less hides figures, more loses places."""
ZOOM = 3.0
NAMED = 8
"""The largest circles carry their names; more cover each other."""
SHADES = 4

TILE = 46.0
LINE_LETTERS = 9
"""Letters of a name that a tile's width holds."""


@dataclass(frozen=True, slots=True)
class Spot:
    """What one circle or tile stands for."""

    places: tuple[Place, ...]
    size: Figures
    colour: Figures

    @property
    def code(self) -> str:
        return self.places[0].code


@dataclass(frozen=True, slots=True)
class Circle:
    spot: Spot
    x: float
    y: float
    radius: float
    named: bool
    shade: str


@dataclass(frozen=True, slots=True)
class Tile:
    spot: Spot
    x: float
    y: float
    lines: tuple[str, ...]
    shade: str


def spots(
    units: UnitSet, size: Mapping[str, Figures], colour: Mapping[str, Figures] | None
) -> tuple[tuple[Spot, ...], tuple[str, ...]]:
    """A spot for each place with a figure, and the keys that are no place of the set."""
    shading = size if colour is None else colour
    known = {place.code for place in units.places}
    nothing = Figures(None)
    found = tuple(
        Spot((place,), size.get(place.code, nothing), shading.get(place.code, nothing))
        for place in units.places
        if place.code in size or place.code in shading
    )
    return found, tuple(sorted({*size, *shading} - known))


def circles(
    units: UnitSet, found: Sequence[Spot], kpis: tuple[Kpi, Kpi], target: float | None, at: str | None = None
) -> tuple[Circle, ...]:
    """Largest first, so that small ones lie above; `kpis`: of size and colour; `at`: zoom in around this place."""
    most = max((weight(spot.size, kpis[0]) for spot in found), default=0)
    if most <= 0:
        return ()
    centre = next((place for place in units.places if place.code == at), None)
    drawn = [circle for circle in _drawn(units, found, kpis[0], most, centre) if _inside(circle, frame(units))]
    merged = _merged(drawn, kpis, most)
    limits = _limits(circle.spot.colour.value for circle in merged)
    return tuple(
        Circle(
            circle.spot,
            round(circle.x, 1),
            round(circle.y, 1),
            round(circle.radius, 1),
            number < NAMED,
            shade(circle.spot.colour, kpis[1], target, limits),
        )
        for number, circle in enumerate(merged)
    )


def tiles(units: UnitSet, found: Sequence[Spot], kpi: Kpi, target: float | None) -> tuple[Tile, ...]:
    """A tile for each place of the set, with or without a figure."""
    by_code = {spot.code: spot for spot in found}
    limits = _limits(spot.colour.value for spot in found)
    nothing = Figures(None)
    drawn = []
    for place in units.places:
        column, row = tile_grid(units.places)[place.code]
        spot = by_code.get(place.code, Spot((place,), nothing, nothing))
        drawn.append(
            Tile(spot, column * TILE, row * TILE, two_lines(place.short), shade(spot.colour, kpi, target, limits))
        )
    return tuple(sorted(drawn, key=lambda tile: (tile.y, tile.x)))


def frame(units: UnitSet) -> tuple[float, float]:
    """Width and height of the drawing of points."""
    scale = _scale(units)
    return round(units.width * scale + 2 * MARGIN, 1), round(units.height * scale + 2 * MARGIN, 1)


def extent(units: UnitSet) -> tuple[float, float]:
    """Width and height of the tiles' drawing."""
    cells = tile_grid(units.places).values()
    return (max(x for x, _ in cells) + 1) * TILE, (max(y for _, y in cells) + 1) * TILE


def weight(figures: Figures, kpi: Kpi) -> float:
    """What the size of a circle shows: the count, of a share what it is a share of."""
    return float((figures.denominator if kpi.kind in SHARES else figures.value) or 0)


def shade(figures: Figures, kpi: Kpi, target: float | None, limits: Sequence[float]) -> str:
    """`none` without a figure, `missed` beyond the target, else `s0`…`s3` from light to dark grey."""
    value = figures.value
    if value is None:
        return "none"
    if target is not None and (
        (kpi.direction == "up" and value < target) or (kpi.direction == "down" and value > target)
    ):
        return "missed"
    return f"s{sum(value > limit for limit in limits)}"


def beyond(value: float, target: float, kpi: Kpi) -> bool:
    """Whether `value` lies on the wrong side of `target`."""
    return (kpi.direction == "up" and value < target) or (kpi.direction == "down" and value > target)


def two_lines(name: str) -> tuple[str, ...]:
    """A short name in at most two lines of a tile; what is longer ends with a dot."""
    words = name.split()
    lines = [""]
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        if len(longer) <= LINE_LETTERS or not lines[-1]:
            lines[-1] = longer
        elif len(lines) < 2:
            lines.append(word)
        else:
            lines[-1] = longer
    return tuple(line if len(line) <= LINE_LETTERS + 2 else line[: LINE_LETTERS + 1] + "." for line in lines)


@dataclass(slots=True)
class _Drawn:
    spot: Spot
    x: float
    y: float
    radius: float


def _scale(units: UnitSet) -> float:
    return (SIDE - 2 * MARGIN) / max(units.width, units.height, 1.0)


def _drawn(units: UnitSet, found: Iterable[Spot], kpi: Kpi, most: float, centre: Place | None) -> list[_Drawn]:
    return [
        _Drawn(spot, *_position(units, spot.places[0], centre), _radius(weight(spot.size, kpi), most))
        for spot in found
        if weight(spot.size, kpi) > 0
    ]


def _position(units: UnitSet, place: Place, centre: Place | None) -> tuple[float, float]:
    scale = _scale(units)
    if centre is None:
        return MARGIN + place.x * scale, MARGIN + place.y * scale
    width, height = frame(units)
    return width / 2 + (place.x - centre.x) * scale * ZOOM, height / 2 + (place.y - centre.y) * scale * ZOOM


def _radius(value: float, most: float) -> float:
    """Areas are in proportion to values."""
    return max(LEAST_RADIUS, MOST_RADIUS * math.sqrt(value / most))


def _inside(circle: _Drawn, box: tuple[float, float]) -> bool:
    return 0 <= circle.x <= box[0] and 0 <= circle.y <= box[1]


def _merged(drawn: list[_Drawn], kpis: tuple[Kpi, Kpi], most: float) -> list[_Drawn]:
    """Join the two that hide each other most until none do; some hundred places are quick."""
    left = sorted(drawn, key=lambda circle: (-circle.radius, circle.spot.code))
    while True:
        pair = next(
            (
                (one, other)
                for number, one in enumerate(left)
                for other in left[number + 1 :]
                if math.dist((one.x, one.y), (other.x, other.y)) < OVERLAP * (one.radius + other.radius)
            ),
            None,
        )
        if pair is None:
            return left
        joined = _joined(*pair, kpis, most)
        left = [circle for circle in left if circle not in pair]
        left.append(joined)
        left.sort(key=lambda circle: (-circle.radius, circle.spot.code))


def _joined(one: _Drawn, other: _Drawn, kpis: tuple[Kpi, Kpi], most: float) -> _Drawn:
    spot = Spot(
        one.spot.places + other.spot.places,
        together([one.spot.size, other.spot.size], kpis[0]),
        together([one.spot.colour, other.spot.colour], kpis[1]),
    )
    first, second = weight(one.spot.size, kpis[0]), weight(other.spot.size, kpis[0])
    part = second / (first + second)
    radius = min(MOST_RADIUS * 1.4, _radius(first + second, most))
    return _Drawn(spot, one.x + (other.x - one.x) * part, one.y + (other.y - one.y) * part, radius)


def together(parts: Sequence[Figures], kpi: Kpi) -> Figures:
    """The figures of several places as one."""
    if kpi.kind in SHARES:
        numerator = sum(part.numerator or 0 for part in parts)
        denominator = sum(part.denominator or 0 for part in parts)
        return Figures(share(numerator, denominator, kpi.scale), numerator, denominator)
    known = [part.value for part in parts if part.value is not None]
    return Figures(sum(known) if known else None)


def _limits(values: Iterable[float | None]) -> tuple[float, ...]:
    """Values that part the shades: each shade holds about as many places."""
    known = sorted(value for value in values if value is not None)
    if len(set(known)) < 2:
        return ()
    return tuple(known[len(known) * step // SHADES] for step in range(1, SHADES))
