"""A manifest as a flat map of strings and back: nothing is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.flat_config import class_of, flatten, kind_of, nested

KINDS = ("rest", "station_txt", "webhook")
DEPARTMENTS = sorted((Path(__file__).parents[2] / "connectors" / "departments").glob("*.yaml"))

keys = st.one_of(st.text(min_size=1, max_size=8).filter(lambda text: text.strip() == text), st.integers(-5, 2000))
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20), st.just([]), st.just({}),
)  # fmt: skip
values = st.recursive(
    leaves, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)), max_leaves=8
)
trees = st.dictionaries(keys.filter(lambda key: key not in ("id", "kind", "name", "connector.class")), values)


@pytest.mark.parametrize("path", DEPARTMENTS, ids=lambda path: path.stem)
def test_the_trees_manifests_come_back_as_they_were(path: Path) -> None:
    tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    flat = flatten(tree)
    assert all(isinstance(value, str) for value in flat.values())
    assert flat["name"] == tree["id"]
    assert kind_of(flat["connector.class"], KINDS) == tree["kind"]
    assert nested(flat, KINDS) == tree


@given(trees)
@example({"0": ["\x85"], "1": "\x85", "2": {"3": [{"4": "a\x85b"}]}})
def test_any_tree_comes_back_as_it_was(tree: dict[Any, Any]) -> None:
    flat = flatten(tree)
    assert all(isinstance(value, str) for value in flat.values())
    assert nested(flat, KINDS) == tree


def test_texts_that_look_like_numbers_stay_texts_and_what_clients_add_is_left_out() -> None:
    flat = {"name": "a", "connector.class": "RestSource", "source_system": '"1022"', "sla.cadence_s": "300"}
    tree = nested(flat | {"tasks.max": "1", "topics": "x"}, KINDS)
    assert tree == {"id": "a", "kind": "rest", "source_system": "1022", "sla": {"cadence_s": 300}}


def test_a_plugin_is_named_in_full_by_its_simple_name_or_without_connector() -> None:
    full = class_of("station_txt")
    assert full == "ioc.connectors.StationTxtSourceConnector"
    for name in (full, "StationTxtSourceConnector", "StationTxtSource"):
        assert kind_of(name, KINDS) == "station_txt"
    for name in ("stationtxtsource", "StationTxt", "station_txt", "org.apache.kafka.X", ""):
        assert kind_of(name, KINDS) is None
