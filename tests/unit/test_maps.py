"""Maps from code tables: every commune has its tile, clusters lose nothing, shares are sums over sums."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.kpi.answer import Figures, share
from hub.web.map_view import OVERLAP, Spot, circles, shade, spots, two_lines
from hub.web.places import TABLE, UnitSet, set_at, tile_grid, unit_sets
from schemas.codes_table import package_tables
from schemas.contract import load_contracts
from streams.plan import Kpi, load_plans

SETS = unit_sets(package_tables()[TABLE])
KPIS: dict[str, Kpi] = {kpi.id: kpi for plan in load_plans(load_contracts()).values() for kpi in plan.kpis}
COUNT, SHARE = KPIS["feedback.received"], KPIS["feedback.processed_share"]
CODES = [place.code for place in SETS[-1].places]


def test_both_sets_of_units_are_known_with_their_communes_and_their_day() -> None:
    assert [(one.name, len(one.places)) for one in SETS] == [("2022", 94), ("2025", 96)]
    names = {day: getattr(set_at(SETS, date.fromisoformat(day)), "name", None) for day in ("2025-06-30", "2025-07-01")}
    assert names == {"2025-06-30": "2022", "2025-07-01": "2025"}


@pytest.mark.parametrize("units", SETS, ids=lambda units: units.name)
def test_every_commune_has_a_tile_of_its_own_near_where_it_lies(units: UnitSet) -> None:
    cells = tile_grid(units.places)
    assert len(set(cells.values())) == len(units.places)
    columns, rows = (max(cell[axis] for cell in cells.values()) + 1 for axis in (0, 1))
    assert columns * rows <= 3 * len(units.places)
    east = max(units.places, key=lambda place: place.x)
    north = min(units.places, key=lambda place: place.y)
    assert cells[east.code][0] >= columns - 2
    assert cells[north.code][1] <= 1


@given(st.dictionaries(st.sampled_from(CODES), st.integers(1, 100_000), min_size=1))
def test_circles_stand_for_every_commune_once_and_hide_none(values: dict[str, int]) -> None:
    figures = {code: Figures(float(value)) for code, value in values.items()}
    found, elsewhere = spots(SETS[-1], figures, None)
    drawn = circles(SETS[-1], found, (COUNT, COUNT), None)
    assert elsewhere == ()
    assert sorted(place.code for circle in drawn for place in circle.spot.places) == sorted(values)
    assert sum(circle.spot.size.value or 0 for circle in drawn) == sum(values.values())
    for number, one in enumerate(drawn):
        for other in drawn[number + 1 :]:
            apart = ((one.x - other.x) ** 2 + (one.y - other.y) ** 2) ** 0.5
            assert apart >= OVERLAP * (one.radius + other.radius) - 1


def test_a_cluster_shows_the_share_of_its_sums_and_not_the_mean_of_shares() -> None:
    near = sorted(SETS[0].places, key=lambda place: (place.x - 23) ** 2 + (place.y - 42) ** 2)[:2]
    parts = {near[0].code: Figures(10.0, 90, 900), near[1].code: Figures(90.0, 900, 1000)}
    sizes = {code: Figures(float(figures.denominator or 0)) for code, figures in parts.items()}
    found, _ = spots(SETS[0], sizes, parts)
    drawn = circles(SETS[0], found, (COUNT, SHARE), None)
    assert len(drawn) == 1
    assert drawn[0].spot.colour.value == share(990, 1900)


def test_zooming_in_shows_a_cluster_apart_and_leaves_what_is_far() -> None:
    figures = {place.code: Figures(100.0) for place in SETS[0].places}
    found, _ = spots(SETS[0], figures, None)
    whole = circles(SETS[0], found, (COUNT, COUNT), None)
    cluster = max(whole, key=lambda circle: len(circle.spot.places))
    near = circles(SETS[0], found, (COUNT, COUNT), None, at=cluster.spot.code)
    biggest = max(len(circle.spot.places) for circle in near)
    assert len(cluster.spot.places) > biggest
    assert sum(len(circle.spot.places) for circle in near) < len(SETS[0].places)


def test_codes_of_another_set_are_counted_and_not_placed() -> None:
    found, elsewhere = spots(SETS[-1], {"703": Figures(5.0), CODES[0]: Figures(1.0)}, None)
    assert [spot.code for spot in found] == [CODES[0]]
    assert elsewhere == ("703",)


def test_only_what_misses_its_target_is_coloured_and_what_has_no_figure_is_not_zero() -> None:
    target = KPIS["dossier.online_share"]
    limits = (10.0, 20.0, 30.0)
    assert shade(Figures(None), target, 50, limits) == "none"
    assert shade(Figures(22.0), target, 50, limits) == "missed"
    assert [shade(Figures(value), target, None, limits) for value in (5.0, 15.0, 25.0, 35.0)] == [
        "s0",
        "s1",
        "s2",
        "s3",
    ]
    assert shade(Figures(60.0), target, 50, limits) == "s3"


def test_nothing_to_show_draws_nothing() -> None:
    assert circles(SETS[0], [Spot((SETS[0].places[0],), Figures(None), Figures(None))], (COUNT, COUNT), None) == ()
    assert unit_sets(None) == ()


def test_names_fit_their_tiles() -> None:
    assert two_lines("Dương Minh Châu") == ("Dương", "Minh Châu")
    for units in SETS:
        for place in units.places:
            assert all(len(line) <= 11 for line in two_lines(place.short)), place.name
