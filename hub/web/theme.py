"""Themes: which KPIs a screen shows and how, one YAML file per screen. Errors name file, line, path and cure.

A KPI that is named here and declared nowhere is no error: systems come one after the other, and its place on the
screen says what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from schemas.declaration import BilingualText, MisdeclaredError, Section, parse, read_yaml
from schemas.errors import DeclarationError
from schemas.text import Text

KpiId = Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)+$")]
Dimension = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


def _some(items: tuple[Any, ...]) -> tuple[Any, ...]:
    # Not `min_length`: pydantic tells it also of a list whose items are wrong, in the place of what is wrong.
    if not items:
        raise MisdeclaredError("còn trống; cần ít nhất một mục", "is empty; at least one item is needed")
    return items


Some = Annotated[tuple[KpiId, ...], AfterValidator(_some)]

HOME = "overview"
"""The theme at the address `/`."""
BLOCKS = ("tiles", "figures", "chart", "table", "map", "plan", "red_list", "feeds")
MOST_LINES = 4
"""Lines of one chart that can be told apart in grey."""


class Table(Section):
    """KPIs side by side, one row for each value of a dimension; sorted by the first one."""

    by: Dimension
    kpis: Some
    first: Literal["largest", "smallest"] = "largest"
    rows: int = Field(default=12, ge=1, le=200)


class Map(Section):
    """The communes, as points sized by one KPI and shaded by another, or as a grid of equal tiles."""

    size: KpiId
    colour: KpiId | None = None
    view: Literal["points", "grid"] = "points"

    @property
    def kpis(self) -> tuple[str, ...]:
        return (self.size,) if self.colour is None else (self.size, self.colour)


class Block(Section):
    """A part of a screen under its own heading: one of `BLOCKS`.

    `rest_of`: the tiles also hold those KPIs of these entities that no block of the screen names.
    """

    title: BilingualText
    note: BilingualText | None = None
    tiles: tuple[KpiId, ...] | None = None
    rest_of: tuple[str, ...] = ()
    figures: Some | None = None
    chart: Annotated[Some, Field(max_length=MOST_LINES)] | None = None
    table: Table | None = None
    map: Map | None = None
    plan: Literal["all"] | Some | None = None
    red_list: Literal["all"] | Some | None = None
    feeds: Literal["all"] | None = None
    half: bool = False

    @model_validator(mode="after")
    def _is_one_block(self) -> Block:
        given = [name for name in BLOCKS if getattr(self, name) is not None]
        if len(given) != 1:
            found = ", ".join(given) or "–"
            raise MisdeclaredError(
                f"cần đúng một khối trong số {', '.join(BLOCKS)}; đang có: {found}",
                f"needs exactly one of {', '.join(BLOCKS)}; it has: {found}",
            )
        if self.rest_of and self.tiles is None:
            raise MisdeclaredError("chỉ đi cùng tiles", "goes with tiles only", ("rest_of",))
        return self

    @property
    def kind(self) -> str:
        return next(name for name in BLOCKS if getattr(self, name) is not None)

    @property
    def kpis(self) -> tuple[str, ...]:
        """The KPIs it names; those of `all` and `rest_of` are only known with the declarations."""
        if self.table is not None:
            return self.table.kpis
        if self.map is not None:
            return self.map.kpis
        named = self.tiles or self.figures or self.chart or self.plan or self.red_list or ()
        return () if isinstance(named, str) else named


class Theme(Section):
    """One screen. `order`: its place in the navigation and on the wall; `wall`: whether the wall shows it."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")
    order: int
    name: BilingualText
    about: BilingualText
    wall: bool = True
    sections: Annotated[tuple[Block, ...], AfterValidator(_some)]

    @model_validator(mode="after")
    def _shows_a_tile_once(self) -> Theme:
        seen: set[str] = set()
        for number, block in enumerate(self.sections):
            for place, kpi in enumerate(block.tiles or ()):
                if kpi in seen:
                    at = ("sections", str(number), "tiles", str(place))
                    raise MisdeclaredError(
                        f"«{kpi}» đã có một ô trên màn hình này; hãy bỏ một",
                        f"“{kpi}” has a tile on this screen already; take one away",
                        at,
                    )
                seen.add(kpi)
        return self

    @property
    def address(self) -> str:
        return "/" if self.id == HOME else f"/screen/{self.id}"

    def kpis_of(self, block: Block, declared: Iterable[tuple[str, str]]) -> tuple[str, ...]:
        """The KPIs of a block in order, given (KPI id, entity) of those that are shown as tiles."""
        if "all" in (block.plan, block.red_list):
            return tuple(kpi for kpi, _ in declared)
        named = {kpi for section in self.sections if section.kind == "tiles" for kpi in section.kpis}
        rest = [kpi for kpi, entity in declared if entity in block.rest_of and kpi not in named]
        return (*block.kpis, *rest)


def load_theme(path: Path) -> Theme:
    """One file; DeclarationError."""
    raw, tree = read_yaml(path)
    theme = parse(Theme, raw, path.name, tree)
    if theme.id != path.stem:
        vi = f"{path.name}: «id» là «{theme.id}»; hãy đặt tên tệp là {theme.id}.yaml"
        raise DeclarationError(Text(vi, f"{path.name}: “id” is “{theme.id}”; call the file {theme.id}.yaml"), path="id")
    return theme


def load_themes(*roots: Path) -> dict[str, Theme]:
    """All themes by id in their order, from the package, then `roots`; a later file replaces an earlier one."""
    found: dict[str, Theme] = {}
    for root in (Path(str(files("hub.web"))) / "themes", *roots):
        for path in sorted(root.glob("*.yaml")):
            theme = load_theme(path)
            found[theme.id] = theme
    return {theme.id: theme for theme in sorted(found.values(), key=lambda theme: (theme.order, theme.id))}
