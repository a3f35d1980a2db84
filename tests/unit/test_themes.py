"""Screens are declared: what is wrong with a file is told by line and path, and what is declared fits together."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.web.theme import HOME, load_theme, load_themes
from schemas.contract import load_contracts
from schemas.errors import DeclarationError
from streams.plan import load_plans

GOOD = """id: one
order: 5
name: {vi: "Một", en: "One"}
about: {vi: "Một màn hình", en: "A screen"}
sections:
  - title: {vi: "Ô", en: "Tiles"}
    tiles: [feedback.received]
"""


def written(folder: Path, text: str, name: str = "one") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        (("tiles: [feedback.received]", "tilse: [feedback.received]"), "sections.0.tilse", "title"),
        (("tiles: [feedback.received]", "tiles: [Feedback]"), "sections.0.tiles.0", "form"),
        (("tiles: [feedback.received]", "rest_of: [feedback]"), "sections.0", "tiles, figures, chart"),
        (("tiles: [feedback.received]", "tiles: [a.b, a.b]"), "sections.0.tiles.1", "a.b"),
        (("tiles: [feedback.received]", "map: {size: a.b, view: globe}"), "sections.0.map.view", "points"),
        (("tiles: [feedback.received]", "table: {kpis: [a.b]}"), "sections.0.table.by", ""),
        (("tiles: [feedback.received]", "plan: some"), "sections.0.plan", ""),
        (("tiles: [feedback.received]", "table: {by: field, kpis: []}"), "sections.0.table.kpis", "at least one"),
        (("order: 5", "order: first"), "order", "integer"),
        (('name: {vi: "Một", en: "One"}', 'name: {vi: "Một"}'), "name.en", ""),
        (("id: one", "id: two"), "id", "two.yaml"),
    ],
)
def test_a_wrong_file_is_told_by_line_path_and_cure(
    tmp_path: Path, change: tuple[str, str], path: str, words: str
) -> None:
    assert change[0] in GOOD
    file = written(tmp_path, GOOD.replace(*change))
    with pytest.raises(DeclarationError) as caught:
        load_theme(file)
    assert caught.value.path.startswith(path)
    assert "one.yaml" in caught.value.text.vi and "one.yaml" in caught.value.text.en
    assert words in caught.value.text.en


def test_a_province_replaces_and_adds_screens_by_files_of_its_own(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    written(tmp_path, GOOD.replace("id: one", f"id: {HOME}"), HOME)
    themes = load_themes(tmp_path)
    assert list(themes)[:2] == ["one", HOME]
    assert themes[HOME].name.en == "One"
    assert "feedback" in themes


def test_the_screens_of_the_hub_divide_kpis_only_by_what_they_may_be_divided_by() -> None:
    kpis = {kpi.id: kpi for plan in load_plans(load_contracts()).values() for kpi in plan.kpis}
    tables = [
        (theme.id, kpi, block.table.by)
        for theme in load_themes().values()
        for block in theme.sections
        if block.table is not None
        for kpi in block.table.kpis
    ]
    maps = [
        (theme.id, kpi, "admin_code")
        for theme in load_themes().values()
        for block in theme.sections
        if block.map is not None
        for kpi in block.map.kpis
    ]
    wrong = [
        one
        for one in [*tables, *maps]
        if one[1] in kpis and kpis[one[1]].kind != "members" and one[2] not in kpis[one[1]].dimensions
    ]
    assert wrong == []


def test_every_entity_with_a_contract_has_its_place_on_a_screen() -> None:
    shown = {entity for theme in load_themes().values() for block in theme.sections for entity in block.rest_of}
    assert set(load_contracts()) <= shown
