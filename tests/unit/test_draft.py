"""A first manifest guesses from the sample, and from how other systems' manifests read the same names."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.draft import TODO, Answers, as_yaml, draft, learned
from connectors.manifest import config_model, load_manifests
from connectors.seeds import parse_manifest
from schemas.contract import load_contracts
from tests.hotline import report

CONTRACTS, MANIFESTS = load_contracts(), load_manifests()
OTHERS = list(MANIFESTS.values())
ANSWERS = Answers(
    id="ward",
    kind="webhook",
    name_vi="Phản ánh phường",
    name_en="Ward feedback",
    department="UBND phường",
    contact="Tổ IOC",
    org="H53.20",
    sla={"cadence_s": 900},
    source={"key": "${env:IOC_SECRET_WARD}"},
)


def text_of(records: list[dict[str, Any]]) -> str:
    tree = draft(ANSWERS, CONTRACTS["feedback"], config_model("webhook"), records, OTHERS)
    return as_yaml(tree, "Phản ánh phường")


def test_a_system_that_names_things_as_another_one_has_nothing_left_to_fill_in() -> None:
    text = text_of([report(1)])
    assert TODO not in text
    made, model = parse_manifest(text, "ward.yaml").mapping, MANIFESTS["feedback-1022"].mapping
    own = {"source_system"}
    assert {name: rule for name, rule in made.items() if name not in own} == {
        name: rule for name, rule in model.items() if name not in own
    }


@pytest.mark.parametrize(
    ("field", "sample"),
    [
        ("channel", {"kenh": "fax"}),
        ("entity_key", {"ma": "GY-1"}),
        ("received_at", {"nhan_luc": "05/01/2022 08:00"}),
        ("channel", {"channel": "app"}),
    ],
)
def test_a_rule_that_the_sample_does_not_fit_is_not_taken_over(field: str, sample: dict[str, Any]) -> None:
    assert learned(field, "feedback", sample, OTHERS) is None


def test_other_entities_lend_what_every_entity_has_and_nothing_else() -> None:
    sample = {"phien_ban": 1, "kenh": "app"}
    assert learned("revision", "meeting", sample, OTHERS) == {"from": "phien_ban", "min": 1}
    assert learned("channel", "meeting", sample, OTHERS) is None


def test_without_a_sample_what_is_needed_and_not_known_is_to_be_filled_in_and_nothing_else() -> None:
    mapping = draft(ANSWERS, CONTRACTS["feedback"], config_model("webhook"), [], OTHERS)["mapping"]
    known = {"source_system", "org_code", "op", "ingest_time", "admin_codeset"}
    needed = {field.name for field in CONTRACTS["feedback"].fields if not field.nullable and not field.has_default}
    assert {name for name, rule in mapping.items() if rule.get("from") == TODO} == needed - known
