"""What a change of a contract would do, told before it is done."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from python_calamine import CalamineWorkbook

from connectors.manifest import load_manifests
from hub.catalogue.dictionary import COLUMNS, field_rows, markdown
from hub.catalogue.downloads import avsc
from hub.catalogue.impact import Impact, assess
from hub.catalogue.lineage import kpis_by_field, sources_by_field
from hub.catalogue.workbook import workbook
from schemas.contract import load_contracts, package_root, parse_contract
from schemas.contract_diff import changes
from schemas.contract_json import file_schema, record_schema
from schemas.contract_text import read_schema
from schemas.incompatibility import incompatibilities
from streams.plan import load_plans

CONTRACTS = load_contracts()
PLANS, MANIFESTS = load_plans(CONTRACTS), load_manifests()
OLD = CONTRACTS["dossier"]
Edit = Callable[[list[dict[str, Any]]], object]


def field(fields: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(item for item in fields if item["name"] == name)


def without(fields: list[dict[str, Any]], name: str) -> None:
    fields.remove(field(fields, name))


def proposed(edit: Edit) -> Impact:
    schema = copy.deepcopy(OLD.schema)
    edit(schema["fields"])
    new = parse_contract(schema, OLD.domain, OLD.entity, "dossier.avsc")
    return assess(new, OLD, [OLD.schema], "BACKWARD", "dossier #1", PLANS["dossier"], MANIFESTS)


def effects(impact: Impact) -> set[tuple[str, str, bool]]:
    return {(effect.what, effect.name, effect.blocks) for effect in impact.effects}


def test_nothing_changed_touches_nothing_but_the_connectors_next_start() -> None:
    impact = proposed(lambda fields: None)
    assert (impact.changes, impact.incompatibilities, impact.refused, impact.rebuild) == ((), (), False, False)
    assert effects(impact) == {("connector", "portal", False)}


def test_a_decimal_of_other_digits_is_refused_though_every_registry_would_take_it() -> None:
    old = next(each for each in CONTRACTS.values() if any(item.base == "decimal" for item in each.fields))
    name = next(item.name for item in old.fields if item.base == "decimal")
    schema = copy.deepcopy(old.schema)
    kind = field(schema["fields"], name)["type"]
    shape = next(branch for branch in kind if branch != "null") if isinstance(kind, list) else kind
    shape["scale"] += 1
    new = parse_contract(schema, old.domain, old.entity, f"{old.entity}.avsc")
    impact = assess(new, old, [old.schema], "BACKWARD", f"{old.entity} #1", PLANS.get(old.entity), MANIFESTS)
    assert impact.refused
    assert [(item.path, item.rule) for item in impact.incompatibilities][:1] == [(name, "type_changed")]
    assert incompatibilities(new.schema, old.schema) == []


def test_a_new_field_with_a_default_alters_the_tables_and_asks_nothing_else() -> None:
    impact = proposed(lambda fields: fields.append({"name": "note", "type": ["null", "string"], "default": None}))
    assert [(change.path, change.kind) for change in impact.changes] == [("note", "added")]
    assert not impact.refused
    assert not impact.rebuild
    assert ("table", "dossier_changes", False) in effects(impact)
    assert any("note" in effect.en for effect in impact.effects if effect.what == "export")


def test_a_new_field_without_a_default_is_refused_by_path_and_names_the_connector() -> None:
    impact = proposed(lambda fields: fields.append({"name": "note", "type": "string"}))
    assert impact.refused
    assert [(item.path, item.rule) for item in impact.incompatibilities] == [("note", "missing_default")]
    assert ("connector", "portal", True) in effects(impact)


def test_a_removed_field_blocks_the_connector_that_maps_it_and_the_kpis_that_use_it() -> None:
    impact = proposed(lambda fields: without(fields, "result_electronic"))
    blocked = {(what, name) for what, name, blocks in effects(impact) if blocks}
    assert ("connector", "portal") in blocked
    assert ("kpi", "dossier.result_electronic_share") in blocked
    assert impact.refused


def test_a_kpi_that_does_not_use_a_removed_field_is_left_out() -> None:
    impact = proposed(lambda fields: without(fields, "returned_at"))
    assert not [effect for effect in impact.effects if effect.what == "kpi"]


def test_a_dimension_that_changes_its_type_asks_for_a_rebuild() -> None:
    impact = proposed(lambda fields: field(fields, "level").update(type="long"))
    assert impact.rebuild
    assert not impact.refused
    assert ("rebuild", "ioc rebuild dossier", False) in effects(impact)


def test_a_narrower_type_is_refused_by_the_registry_s_rule_and_by_the_tables() -> None:
    impact = proposed(lambda fields: field(fields, "fee").update(type=["null", "int"]))
    assert [item.path for item in impact.incompatibilities] == ["fee"]
    assert ("table", "dossier_changes", True) in effects(impact)


@pytest.mark.parametrize(
    ("edit", "path", "kind", "said"),
    [
        (lambda f: field(f, "channel")["type"]["symbols"].append("KIOSK"), "channel", "symbols", "values added: KIOSK"),
        (lambda f: field(f, "rating").update(unit="level"), "rating", "attribute", "unit: points → level"),
        (lambda f: field(f, "applicant").pop("pii"), "applicant", "personal", "pii: sensitive → –"),
        (lambda f: field(f, "paid_online").update(default=True), "paid_online", "default", "default false → true"),
        (lambda f: field(f, "level").update(type="long"), "level", "type", "type int → long"),
        (lambda f: without(f, "fee"), "fee", "removed", "field removed"),
        (lambda f: field(f, "fee").update(name="charge", aliases=["fee"]), "charge", "attribute", "renamed from fee"),
    ],
)
def test_a_diff_says_each_change_in_a_sentence(edit: Edit, path: str, kind: str, said: str) -> None:
    schema = copy.deepcopy(OLD.schema)
    edit(schema["fields"])
    found = changes(OLD.schema, schema)
    assert (found[0].path, found[0].kind, found[0].text("en")) == (path, kind, said)
    assert found[0].text("vi")


def test_lineage_leads_from_a_source_s_field_to_the_kpis() -> None:
    assert sources_by_field(OLD, MANIFESTS)["channel"] == (("portal", "kenh"),)
    kpis = kpis_by_field(OLD, PLANS["dossier"])
    assert "dossier.result_electronic_share" in kpis["result_electronic"]
    assert kpis["returned_at"] == ()


def test_a_record_of_the_contract_passes_its_json_schema_and_a_wrong_one_does_not() -> None:
    schema = record_schema(CONTRACTS["station_reading"])
    jsonschema.Draft202012Validator.check_schema(schema)
    record = {
        "event_id": "e", "source_system": "s", "org_code": "H53.14", "entity_key": "k", "revision": 1, "op": "UPSERT",
        "event_time": "2022-09-19T00:05:00Z", "ingest_time": "2022-09-19T00:05:01Z", "admin_code": "25459",
        "admin_codeset": "2022", "station": "A", "station_type": "AIR", "param": "PM2,5", "value": "21.4",
        "unit": "µg/Nm3", "device_status": "MEASURING",
    }  # fmt: skip
    jsonschema.validate(record, schema)
    for wrong in ({"value": 21.4}, {"station_type": "SEA"}, {"revision": "1"}, {"extra": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(record | wrong, schema)


def test_the_schema_of_the_file_takes_every_contract_of_the_package() -> None:
    schema = file_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for contract in CONTRACTS.values():
        jsonschema.validate(contract.schema, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(OLD.schema | {"owners": "?"}, schema)


def test_a_downloaded_contract_is_the_file_of_the_package() -> None:
    for contract in CONTRACTS.values():
        text = (package_root() / contract.domain / f"{contract.entity}.avsc").read_text(encoding="utf-8")
        assert avsc(contract).decode() == text
        assert read_schema(text, "x") == contract.schema


def test_the_data_dictionary_has_every_field_in_vietnamese() -> None:
    contracts = list(CONTRACTS.values())
    sources = {item.entity: sources_by_field(item, MANIFESTS) for item in contracts}
    kpis = {item.entity: kpis_by_field(item, PLANS[item.entity]) for item in contracts}
    book = CalamineWorkbook.from_filelike(io.BytesIO(workbook(contracts, "vi", sources, kpis)))
    assert book.sheet_names == ["Danh mục", *CONTRACTS]
    sheet = book.get_sheet_by_name("dossier").to_python()
    assert sheet[0][0] == "Hồ sơ thủ tục hành chính"
    heading = next(number for number, row in enumerate(sheet) if row[0] == "Tên trường")
    assert sheet[heading] == [vi for _, vi, _ in COLUMNS]
    rows = {row[0]: row for row in sheet[heading + 1 :]}
    assert list(rows) == [item.name for item in OLD.fields]
    assert rows["applicant"][6] == "nhạy cảm, đã thay bằng bí danh"
    assert rows["fee"][4] == "đồng"
    assert rows["channel"][8] == "portal: kenh"


def test_a_text_that_begins_like_a_formula_stays_a_text() -> None:
    schema = copy.deepcopy(OLD.schema)
    schema["fields"][0]["doc"] = "=1+1"
    contract = parse_contract(schema, OLD.domain, OLD.entity, "dossier.avsc")
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(workbook([contract], "vi", {}, {}))).get_sheet_by_index(0)
    assert "=1+1" in [cell for row in sheet.to_python() for cell in row]


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_markdown_page_has_a_row_for_every_field(language: str) -> None:
    for contract in CONTRACTS.values():
        lines = markdown(contract, language).splitlines()
        assert lines[0] == f"# {contract.title(language)}"
        table = [line for line in lines if line.startswith("| `")]
        assert len(table) == len(contract.fields)
        assert all(line.count(" | ") == len(COLUMNS) - 1 for line in table)
        assert all(row.doc for row in field_rows(contract, language))


def test_an_impact_as_json_is_json() -> None:
    from hub.catalogue.shapes import impact_json

    impact = proposed(lambda fields: without(fields, "result_electronic"))
    body = json.loads(json.dumps(impact_json(impact, "vi")))
    assert body["refused"] is True
    assert {item["what"] for item in body["effects"]} >= {"connector", "kpi"}
