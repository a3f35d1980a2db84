"""Mapping and encoding in one step give what they give one after the other, whatever a source sends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.encode import Encoder
from connectors.errors import ManifestError
from connectors.manifest import Manifest, load_manifest
from connectors.mapping import Mapper, compile_mapping
from connectors.packing import Packer
from connectors.partition import partition_of
from connectors.partition_batch import partitions_of
from connectors.paths import value_at
from connectors.personal import paths_of
from connectors.pseudonym import Pseudonymiser
from connectors.table import Table
from schemas.contract import load_contracts
from tests.portal_server import record

ROOT = Path(__file__).parents[2]
CONTRACTS = load_contracts()
PSEUDONYMISER = Pseudonymiser(b"k" * 32)


def manifests() -> dict[str, tuple[Manifest, Mapper]]:
    found = {}
    for folder in (ROOT / "connectors" / "departments", ROOT / "deploy" / "departments"):
        for path in folder.glob("*.yaml"):
            manifest = load_manifest(path)
            found[manifest.id] = manifest, compile_mapping(manifest, CONTRACTS[manifest.entity], PSEUDONYMISER)
    return found


FOUND = manifests()
GOOD: dict[str, Any] = {
    "times": ["2022-08-23T08:15:00+07:00", "23/08/2022 08:15:00", "2022-08-23"],
    "codes": ["capnhat", "xoa", "moi", "web", "00", "02", "H53.14", "1", "2", "H53.14-220823-0001", "25459"],
}
ODD = [None, "", True, False, 0, 1, 1.0, -1, 2**70, 0.5, "x", "1,5", [], {}, {"a": 1}, "\ud7ff", float("nan"), b"x"]
VALUES = st.one_of(
    st.sampled_from(GOOD["times"]),
    st.sampled_from(GOOD["codes"]),
    st.sampled_from(ODD),
    st.integers(),
    st.text(max_size=5),
)


def nested(paths: list[str], values: list[Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, value in zip(paths, values, strict=True):
        node = tree
        *above, last = path.split(".")
        for part in above:
            node = node.setdefault(part, {})
        node[last] = value
    return tree


@st.composite
def batches(draw: st.DrawFn, manifest: Manifest) -> list[Any]:
    paths = sorted({path for rule in manifest.mapping.values() for path in paths_of(rule)})
    made = [nested(paths, [draw(VALUES) for _ in paths]) for _ in range(draw(st.integers(0, 4)))]
    if manifest.id == "portal":
        good = record(draw(st.integers(0, 9)))
        made += [good, good | {draw(st.sampled_from(sorted(good))): draw(VALUES)}]
    return [*made, *draw(st.lists(st.sampled_from([None, 7, "text", [], {}]), max_size=1))]


@pytest.mark.parametrize("name", sorted(FOUND))
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_one_step_gives_what_two_give(name: str, data: st.DataObject) -> None:
    manifest, mapper = FOUND[name]
    contract = CONTRACTS[manifest.entity]
    packer, encoder = PACKERS.setdefault(name, (Packer(mapper, contract, 7), Encoder(contract, 7)))
    records = data.draw(batches(manifest))
    mapped = mapper(records, 1_661_240_000_000)
    packed = packer(records, 1_661_240_000_000)
    assert packed.messages == encoder(mapped.rows)
    assert packed.newest_ms == max((row["event_time"] for row in mapped.rows), default=None)
    assert [(item.raw, item.error.code, item.error.path) for item in packed.refused] == [
        (item.raw, item.error.code, item.error.path) for item in mapped.refused
    ]


@st.composite
def tables(draw: st.DrawFn, manifest: Manifest) -> Table:
    """Columns of the paths that a mapping reads and of others, some of them missing."""
    names = sorted({path.split(".")[0] for rule in manifest.mapping.values() for path in paths_of(rule)})
    count = draw(st.integers(0, 5))
    kinds = [VALUES, st.sampled_from(GOOD["codes"]), st.sampled_from(GOOD["times"])]
    columns = {
        name: draw(st.lists(draw(st.sampled_from(kinds)), min_size=count, max_size=count))
        for name in names
        if draw(st.integers(0, 9))
    }
    return Table({**columns, "_row": range(count), "an extra one": ["x"] * count}, count)


@pytest.mark.parametrize("name", sorted(FOUND))
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_a_table_gives_what_its_rows_give(name: str, data: st.DataObject) -> None:
    manifest, mapper = FOUND[name]
    contract = CONTRACTS[manifest.entity]
    packer, _ = PACKERS.setdefault(name, (Packer(mapper, contract, 7), Encoder(contract, 7)))
    table = data.draw(tables(manifest))
    by_column, by_row = packer(table, 1_661_240_000_000), packer(list(table), 1_661_240_000_000)
    assert by_column.messages == by_row.messages
    assert by_column.newest_ms == by_row.newest_ms
    assert [(repr(item.raw), item.error.code, item.error.path) for item in by_column.refused] == [
        (repr(item.raw), item.error.code, item.error.path) for item in by_row.refused
    ]


PACKERS: dict[str, tuple[Packer, Encoder]] = {}
"""Kept between examples: what was remembered must not change what comes after."""


def test_a_text_that_was_remembered_lends_nothing_to_a_value_that_is_equal_to_it() -> None:
    manifest, mapper = FOUND["portal"]
    packer = Packer(mapper, CONTRACTS[manifest.entity], 7)
    records = [record(1), record(2, lePhi="5"), record(3, lePhi=True), record(4, lePhi=1)]
    assert [item.raw["maSuKien"] for item in packer(records, 1).refused] == [
        item.raw["maSuKien"] for item in mapper(records, 1).refused
    ]
    assert value_at(records[0], "nguoiNop.cccd")


def test_a_manifest_that_does_not_fit_is_refused_before() -> None:
    manifest, _ = FOUND["portal"]
    with pytest.raises(ManifestError):
        compile_mapping(manifest, CONTRACTS["question"], PSEUDONYMISER)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(max_size=9), max_size=200), st.integers(1, 50))
def test_keys_hashed_at_once_go_where_they_go_one_by_one(keys: list[bytes], partitions: int) -> None:
    many = keys * (1 if len(keys) > 40 else 8)
    assert partitions_of(many, partitions) == [partition_of(key, partitions) for key in many]
