"""The linter of contracts: the package's own are clean, and each fault is named with its place and cure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.codes_table import load_code_tables
from schemas.contract import package_root
from schemas.contract_finding import RULES
from schemas.contract_lint import RESERVED, lint
from streams import arrivals
from streams.warehouse.schema import BOOKKEEPING

TABLES = load_code_tables()
FILES = sorted(package_root().glob("*/*.avsc"))
MODEL = package_root() / "traffic" / "violation.avsc"

Change = Callable[[dict[str, Any], dict[str, Any]], object]


def broken(change: Change, field: str = "speed") -> str:
    """The model contract with one field changed."""
    schema = json.loads(MODEL.read_text(encoding="utf-8"))
    change(schema, next(item for item in schema["fields"] if item["name"] == field))
    return json.dumps(schema, ensure_ascii=False, indent=2)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_contract_of_the_package_is_clean(path: Path) -> None:
    assert lint(path.read_text(encoding="utf-8"), path.parent.name, path.stem, TABLES) == []


def test_there_are_contracts_for_all_fourteen_systems() -> None:
    assert {path.stem for path in FILES} == {
        *("dossier", "feedback", "violation", "camera_heartbeat", "meeting", "question", "mention", "investment"),
        *("staff", "archive_document", "station_reading", "venue_visit", "lot_step", "account", "indicator_value"),
    }


FAULTS: list[tuple[str, str, Change]] = [
    ("doc-vi", "speed", lambda s, f: f.pop("doc")),
    ("doc-en", "speed", lambda s, f: f.update(doc_en=" ")),
    ("doc-en", "speed", lambda s, f: f.update(doc_en=f["doc"])),
    ("doc-vi", "", lambda s, f: s.pop("title")),
    ("doc-en", "", lambda s, f: s.pop("owner_en")),
    ("pii-untagged", "driver_phone", lambda s, f: f.update(name="driver_phone")),
    ("pii-untagged", "ho_ten", lambda s, f: f.update(name="ho_ten")),
    ("pii-untagged", "speed", lambda s, f: f.update(doc="Bí danh có khóa.")),
    ("pii-class", "speed", lambda s, f: f.update(pii="secret")),
    ("pii-aggregate", "plate", lambda s, f: s.update(aggregate=True)),
    ("pii-key", "entity_key", lambda s, f: s["fields"][3].update(pii="basic")),
    ("unit-missing", "speed", lambda s, f: f.pop("unit")),
    ("unit-unknown", "speed", lambda s, f: f.update(unit="km/hour")),
    ("unit-field", "speed", lambda s, f: f.update(unit_field="speed_limit")),
    ("enum-default", "plate_colour", lambda s, f: s["fields"][12]["type"].pop("default")),
    ("enum-default", "plate_colour", lambda s, f: s["fields"][12]["type"].update(default="WHITE")),
    ("name-reserved", "offset", lambda s, f: f.update(name="offset")),
    ("name-form", "speedLimit", lambda s, f: f.update(name="speedLimit")),
    ("name-form", "name", lambda s, f: s.update(name="Violations")),
    ("name-form", "namespace", lambda s, f: s.update(namespace="ioc.roads")),
    ("role", "event_time", lambda s, f: s["fields"][6].pop("role")),
    ("role", "entity_key", lambda s, f: s["fields"][3].pop("role")),
    ("role-unknown", "speed", lambda s, f: f.update(role="key")),
    ("codes-unknown", "act_code", lambda s, f: s["fields"][15].update(codes="violation_acts")),
    ("example-missing", "camera_id", lambda s, f: s["fields"][10].pop("examples")),
    ("example-wrong", "speed", lambda s, f: f.update(examples=["fast"])),
    ("example-wrong", "speed", lambda s, f: f.update(examples=[900])),
    ("range-wrong", "speed", lambda s, f: f.update(min=500, examples=[])),
    ("range-wrong", "plate", lambda s, f: s["fields"][11].update(min=0)),
    ("attribute-unknown", "speed", lambda s, f: f.update(unti="km/h")),
    ("attribute-unknown", "owners", lambda s, f: s.update(owners="?")),
    ("unreadable", "speed", lambda s, f: f.update(name="speed", type={"type": "map", "values": "int"})),
    ("unreadable", "plate", lambda s, f: f.update(name="plate")),
]


@pytest.mark.parametrize(("rule", "path", "change"), FAULTS)
def test_each_fault_is_found_with_file_path_rule_and_cure(rule: str, path: str, change: Change) -> None:
    text = broken(change)
    found = lint(text, "traffic", "violation", TABLES)
    assert [(item.rule, item.path) for item in found] == [(rule, path)]
    (item,) = found
    assert item.file == "traffic/violation.avsc"
    if path and rule not in ("name-form", "attribute-unknown"):
        assert f'"name": "{path}"' in text.splitlines()[item.line - 1]
    for language in ("vi", "en"):
        assert item.problem(language)
        assert item.cure(language)
        assert not re.search(r"\{\w+\}", item.problem(language) + item.cure(language))


def test_every_rule_has_a_fault_that_it_finds() -> None:
    assert {rule for rule, _, _ in FAULTS} == set(RULES)


def test_a_name_judged_not_personal_passes() -> None:
    assert lint(broken(lambda s, f: f.update(name="driver_phone", pii="none")), "traffic", "violation", TABLES) == []


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        ("{", "", "not JSON, line 1, column 2"),
        ("[]", "", "a contract is a JSON object"),
        ('{"type": "record"}', "", "'name' is missing"),
        ('{"type": "record", "type": "enum"}', "", "'type' stands twice"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "", "nested far too deep"),
    ],
)
def test_what_is_no_contract_is_one_finding(text: str, path: str, said: str) -> None:
    (item,) = lint(text, "traffic", "violation", TABLES)
    assert (item.rule, item.path) == ("unreadable", path)
    assert said in item.problem_en
    assert item.problem_vi != item.problem_en


def test_the_warehouse_s_own_columns_are_reserved() -> None:
    own = {name for name, _ in BOOKKEEPING} | {"deleted", "version", "state_offset", "day", arrivals.TIME}
    assert own | set(arrivals.MEASURES) <= RESERVED
