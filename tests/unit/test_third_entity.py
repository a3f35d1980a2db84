"""A third entity is three files: contract, KPIs, manifest. Nothing in Python knows the entities' names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from schemas.contract import ENVELOPE, load_contracts
from schemas.errors import ContractError
from streams.errors import PlanError
from streams.plan import load_plans
from streams.warehouse.schema import statements

ROOT = Path(__file__).parents[2]

KPIS = """
entity: meeting
dimensions: [org_code]
measures:
  held: {sql: "status = 'HELD'", name: {vi: Cuộc họp, en: Meetings held}}
kpis:
  - id: meeting.held
    name: {vi: Cuộc họp đã diễn ra, en: Meetings held}
    explanation: {vi: Số cuộc họp., en: Meetings.}
    kind: flow
    unit: {vi: cuộc, en: meetings}
    direction: none
    owner: VP UBND
    value: {measure: held, time: starts_at}
"""


@pytest.fixture
def declared(tmp_path: Path) -> Path:
    dossier = load_contracts()["dossier"].schema
    envelope = [field for field in dossier["fields"] if field["name"] in ENVELOPE]
    own = [
        {"name": "status", "type": "string", "doc": "Trạng thái.", "doc_en": "Status."},
        {"name": "starts_at", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}], "default": None},
    ]
    schema = {"type": "record", "name": "Meeting", "namespace": "ioc.office", "fields": [*envelope, *own]}
    (tmp_path / "avro" / "office").mkdir(parents=True)
    (tmp_path / "kpis").mkdir()
    (tmp_path / "avro" / "office" / "meeting.avsc").write_text(json.dumps(schema), encoding="utf-8")
    (tmp_path / "kpis" / "meeting.yaml").write_text(KPIS, encoding="utf-8")
    return tmp_path


def test_contract_and_kpis_give_topic_tables_and_rollup(declared: Path) -> None:
    contracts = load_contracts(declared / "avro")
    plans = load_plans(contracts, declared / "kpis")
    meeting = contracts["meeting"]
    assert meeting.topic == "ioc.office.meeting"
    ddl = "\n".join(statements(meeting, plans["meeting"], "Asia/Ho_Chi_Minh"))
    for table in ("meeting_changes", "meeting_current", "meeting_by_starts_at", "meeting_by_arrival", "meeting_fence"):
        assert f"CREATE TABLE IF NOT EXISTS {table} " in ddl


def test_no_python_outside_the_demonstration_names_an_entity() -> None:
    named = re.compile(r"[\"'](dossier|feedback)[\"']")
    users = [
        path.relative_to(ROOT).as_posix()
        for package in ("connectors", "schemas", "streams", "hub")
        for path in (ROOT / package).rglob("*.py")
        if not path.name.startswith("demo") and named.search(path.read_text(encoding="utf-8"))
    ]
    assert users == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("time: starts_at", "time: started"), "meeting.held.value.time"),
        (("measure: held, time", "measure: hold, time"), "no measure 'hold'"),
        (("kind: flow", "kind: average"), "'average' is not one of"),
        (("entity: meeting", "entity: meetings"), "'meetings' has no contract"),
        (("owner: VP UBND", "owners: VP UBND"), "unknown key 'owners'"),
        (("[org_code]", "[org]"), "no field 'org'"),
        (("[org_code]", "[starts_at]"), "'starts_at' may be null; let its contract say a default"),
        (("measure: held, time: starts_at", "measure: late_corrections, time: starts_at"), "have the time 'arrival'"),
        (("measure: held, time: starts_at", "measure: held, time: arrival"), "have the time 'arrival'"),
        (("held: {sql", "clock_skew: {sql"), "the name is taken"),
        (("kpis:", "arrivals: {late_after_hours: soon}\nkpis:"), "'soon' is no number of hours"),
        (("kpis:", "arrivals: {late_after: 3}\nkpis:"), "write {late_after_hours: NUMBER}"),
    ],
)
def test_a_wrong_declaration_is_named_by_file_and_place(declared: Path, change: tuple[str, str], message: str) -> None:
    (declared / "kpis" / "meeting.yaml").write_text(KPIS.replace(*change), encoding="utf-8")
    with pytest.raises(PlanError, match=re.escape(message)) as caught:
        load_plans(load_contracts(declared / "avro"), declared / "kpis")
    assert "meeting.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ({"type": "map", "values": "string"}, "is not flat"),
        (["null", "string", "int"], "a union must be null and one type"),
        ("Another", "is not flat"),
    ],
)
def test_a_contract_that_is_not_flat_is_refused(declared: Path, kind: object, message: str) -> None:
    path = declared / "avro" / "office" / "meeting.avsc"
    schema = json.loads(path.read_text(encoding="utf-8"))
    schema["fields"].append({"name": "extra", "type": kind})
    path.write_text(json.dumps(schema), encoding="utf-8")
    with pytest.raises(ContractError, match=message) as caught:
        load_contracts(declared / "avro")
    assert "meeting.avsc.extra" in str(caught.value)
