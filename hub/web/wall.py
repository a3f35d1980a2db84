"""Wall mode: a playlist of screens, cut into parts that fill a wall without scrolling. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hub.api.problems import ParameterError, Problem
from hub.web.theme import Theme
from hub.web.theme_views import BlockView, TilesView

DEFAULT_S = 30
"""Long enough to read some eight figures from the other end of a room."""
LEAST_S = 5
MOST_S = 3600
COLUMNS = 4
"""Tiles beside each other whose names can be read at five metres."""
ROWS = 2
"""Rows of tiles on one part of the wall; any other block is as high as that."""


@dataclass(frozen=True, slots=True)
class Wish:
    """As asked for: `playlist` None is no wall, empty all screens; `part` counts from 1."""

    playlist: str | None
    every_s: int
    part: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What the wall shows now, and the address it turns to after `every_s`; `part` of `parts`."""

    blocks: tuple[BlockView, ...]
    part: int
    parts: int
    next: str
    every_s: int
    playlist: tuple[str, ...]


def standing(
    wish: Wish, theme: Theme, blocks: Sequence[BlockView], themes: Mapping[str, Theme], period_query: str
) -> Standing | None:
    """None if no wall is asked for; a Problem names the screens there are for a playlist with an unknown one."""
    if wish.playlist is None:
        return None
    playlist = _playlist(wish.playlist, themes)
    parts = wall_parts(blocks)
    part = min(wish.part, len(parts))
    if part < len(parts):
        following, number = theme, part + 1
    else:
        place = playlist.index(theme.id) if theme.id in playlist else -1
        following, number = themes[playlist[(place + 1) % len(playlist)]], 1
    address = f"{following.address}?{period_query}&kiosk={wish.playlist}&every={wish.every_s}&part={number}"
    return Standing(parts[part - 1], part, len(parts), address, wish.every_s, playlist)


def _playlist(wish: str, themes: Mapping[str, Theme]) -> tuple[str, ...]:
    asked = tuple(part.strip() for part in wish.split(",") if part.strip())
    unknown = [name for name in asked if name not in themes]
    if unknown:
        wrong = ParameterError("kiosk", "problem.parameter.bound", {"bound": ", ".join(themes)})
        raise Problem("invalid-parameter", [wrong], values={"name": "kiosk"})
    return asked or tuple(theme.id for theme in themes.values() if theme.wall)


def wall_parts(blocks: Sequence[BlockView]) -> tuple[tuple[BlockView, ...], ...]:
    """Blocks in the order declared, so many to a part as a wall holds; what shows nothing is left to the desks."""
    parts: list[tuple[BlockView, ...]] = []
    here: list[BlockView] = []
    room = float(ROWS)
    for piece in _pieces(blocks):
        height = _height(piece)
        if here and height > room:
            parts.append(tuple(here))
            here, room = [], float(ROWS)
        here.append(piece)
        room -= height
    if here:
        parts.append(tuple(here))
    return tuple(parts) or (tuple(blocks),)


def _pieces(blocks: Sequence[BlockView]) -> list[BlockView]:
    """Blocks with something to show; tiles in pieces of as many as a part holds."""
    most = COLUMNS * ROWS
    pieces: list[BlockView] = []
    for block in blocks:
        if block.body is None:
            continue
        if block.kind != "tiles" or not isinstance(block.body, TilesView):
            pieces.append(block)
            continue
        tiles = block.body.tiles
        pieces += [replace(block, body=TilesView(tiles[start : start + most])) for start in range(0, len(tiles), most)]
    return pieces


def _height(piece: BlockView) -> float:
    """In rows of tiles; two halves stand beside each other."""
    if piece.kind == "tiles" and isinstance(piece.body, TilesView):
        return float(-(-len(piece.body.tiles) // COLUMNS))
    return ROWS / 2 if piece.half else float(ROWS)
