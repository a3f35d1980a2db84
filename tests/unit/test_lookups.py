"""Code tables joined to records by key and day, before they are mapped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.errors import ManifestError
from connectors.lookups import lookups_of
from connectors.manifest import Manifest
from connectors.seeds import parse_manifest
from connectors.source import Refusal
from schemas.codes_table import CodeTable

MEETINGS = Path(__file__).parents[2] / "deploy" / "departments" / "paperless-meetings.yaml"
STATIONS = CodeTable(
    "station",
    ("code", "type", "ward", "valid_from", "valid_to"),
    (
        ("KK01", "AIR", "25459", "2021-01-01", "2025-06-30"),
        ("KK01", "AIR", "24711", "2025-07-01", ""),
        ("NT01", "WATER", "25459", "2021-01-01", "2022-03-31"),
    ),
)
LIMITS = CodeTable("limit", ("code", "type", "param", "high", "valid_from", "valid_to"), (
    ("1", "AIR", "PM2,5", "50", "2013-01-01", "2023-09-11"),
    ("2", "AIR", "PM2,5", "45", "2023-09-12", ""),
    ("3", "AIR", "CO", "", "2013-01-01", ""),
))  # fmt: skip
BOTH = """
lookups:
  - table: station
    by: {code: tram}
    at: {from: luc, time: iso}
    give: {_type: type, _ward: ward}
  - table: limit
    by: {type: _type, param: chat}
    at: {from: luc, time: iso}
    give: {_high: high}
    optional: true
"""


def manifest(lookups: str) -> Manifest:
    return parse_manifest(MEETINGS.read_text(encoding="utf-8") + lookups, "m.yaml")


def joined(*records: dict[str, Any], lookups: str = BOTH) -> tuple[list[Any], list[Refusal]]:
    refused: list[Refusal] = []
    made = lookups_of(manifest(lookups), {"station": STATIONS, "limit": LIMITS})
    assert made is not None
    return list(made.kept(records, refused)), refused


def reading(station: str, at: str, param: str = "PM2,5") -> dict[str, Any]:
    return {"tram": station, "luc": at, "chat": param}


def test_the_row_in_force_on_the_records_own_day_counts_and_a_lookup_reads_what_the_one_before_gave() -> None:
    kept, refused = joined(reading("KK01", "2022-09-19T10:00:00"), reading("KK01", "2026-01-01T00:00:00+07:00"))
    assert [(raw["_type"], raw["_ward"], raw["_high"]) for raw in kept] == [
        ("AIR", "25459", "50"),
        ("AIR", "24711", "45"),
    ]
    assert refused == []


def test_the_day_is_the_local_one() -> None:
    kept, _ = joined(reading("KK01", "2025-06-30T16:59:59Z"), reading("KK01", "2025-06-30T17:00:00Z"))
    assert [raw["_ward"] for raw in kept] == ["25459", "24711"]


def test_an_optional_lookup_gives_nothing_where_there_is_no_row_and_an_empty_cell_is_no_value() -> None:
    kept, refused = joined(reading("KK01", "2022-09-19T10:00:00", "SO2"), reading("KK01", "2022-09-19T10:00:00", "CO"))
    assert [raw["_high"] for raw in kept] == [None, None]
    assert refused == []


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (reading("XX99", "2022-09-19T10:00:00"), "the code is not in the code table station"),
        (reading("NT01", "2022-09-19T10:00:00"), "in the code table station but not in force on 19/09/2022"),
    ],
)
def test_a_record_whose_code_is_unknown_or_out_of_force_is_refused_and_the_others_go_through(
    raw: dict[str, Any], said: str
) -> None:
    kept, refused = joined(raw, reading("KK01", "2022-09-19T10:00:00"))
    assert len(kept) == 1
    assert said in refused[0].error.reason.en
    assert "Field “tram”" in refused[0].error.reason.en


@pytest.mark.parametrize("raw", [reading("", "2022-09-19T10:00:00"), reading("KK01", "hôm qua"), {"tram": [1]}])
def test_what_is_missing_or_no_time_is_left_to_the_fields_own_rule(raw: dict[str, Any]) -> None:
    kept, refused = joined(raw)
    assert kept[0]["_type"] is None
    assert refused == []


@pytest.mark.parametrize(
    ("lookups", "said"),
    [
        ("lookups: [{table: stations, by: {code: a}}]", "lookups.0.table"),
        ("lookups: [{table: station, by: {codes: a}}]", "lookups.0.by.codes"),
        ("lookups: [{table: station, by: {code: a}, give: {_x: kind}}]", "lookups.0.give._x"),
        ("lookups: [{table: station, by: {code: a}, give: {x: type}}]", "lookups.0.give.x"),
        ("lookups: [{table: station, by: {code: a}, give: {_x: ward}}]", "add at, or another column to by"),
    ],
)
def test_a_wrong_lookup_is_named_by_its_place(lookups: str, said: str) -> None:
    with pytest.raises(ManifestError) as caught:
        lookups_of(manifest(lookups), {"station": STATIONS})
    assert said in caught.value.text.en
    assert "m.yaml" in caught.value.text.en
