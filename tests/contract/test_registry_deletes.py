"""Deletes, modes and references, as Confluent's registry does them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from tests.contract.conftest import serve_registry


def record(*fields: tuple[Any, ...], name: str = "R") -> str:
    """A record of (name, type[, default]) fields."""
    listed = [dict(zip(("name", "type", "default"), field, strict=False)) for field in fields]
    return json.dumps({"type": "record", "name": name, "fields": listed})


def register(http: httpx2.Client, subject: str, schema: str, *references: dict[str, Any]) -> httpx2.Response:
    body = {"schema": schema, "references": list(references)}
    return http.post(f"/subjects/{quote(subject, safe='')}/versions", json=body)


def refusal(response: httpx2.Response) -> tuple[int, int]:
    body = response.json()
    assert set(body) == {"error_code", "message"}
    return response.status_code, body["error_code"]


def reference(subject: str, version: int = 1, name: str = "T") -> dict[str, Any]:
    return {"name": name, "subject": subject, "version": version}


FIRST, SECOND = record(("a", "string")), record(("a", "string"), ("b", "int", 0))
PERMANENT = {"permanent": "true"}
DELETED = {"deleted": "true"}


@pytest.fixture
def two(http: httpx2.Client, subject: str) -> tuple[int, int]:
    """The ids of a subject's two versions, of schemas of its own."""
    name = f"R{subject.replace('-', '')}"
    made = [record(("a", "string"), name=name), record(("a", "string"), ("b", "int", 0), name=name)]
    first, second = (register(http, subject, schema).json()["id"] for schema in made)
    return first, second


def test_a_version_is_deleted_softly_then_for_good(http: httpx2.Client, subject: str, two: tuple[int, int]) -> None:
    path, schema_id = f"/subjects/{subject}/versions/2", two[1]
    assert refusal(http.delete(path, params=PERMANENT)) == (404, 40407)
    assert http.delete(path).json() == 2
    assert refusal(http.delete(path)) == (404, 40406)
    assert refusal(http.get(path)) == (404, 40402)
    assert http.get(path, params=DELETED).json()["id"] == schema_id
    assert http.get(f"/subjects/{subject}/versions").json() == [1]
    assert http.get(f"/subjects/{subject}/versions", params=DELETED).json() == [1, 2]
    assert http.get(f"/subjects/{subject}/versions", params={"deletedOnly": "true"}).json() == [2]
    assert http.get(f"/subjects/{subject}/versions/latest").json()["version"] == 1
    assert http.get(f"/schemas/ids/{schema_id}").status_code == 200
    assert http.get(f"/schemas/ids/{schema_id}/versions").json() == []
    assert http.get(f"/schemas/ids/{schema_id}/versions", params=DELETED).json() == [{"subject": subject, "version": 2}]
    assert http.delete(path, params=PERMANENT).json() == 2
    assert refusal(http.delete(path, params=PERMANENT)) == (404, 40402)
    assert refusal(http.get(f"/schemas/ids/{schema_id}")) == (404, 40403)
    assert http.get(f"/subjects/{subject}/versions", params=DELETED).json() == [1]


def test_a_subject_is_deleted_softly_then_for_good(http: httpx2.Client, subject: str, two: tuple[int, int]) -> None:
    path = f"/subjects/{subject}"
    http.put(f"/config/{subject}", json={"compatibility": "FULL"})
    http.put(f"/mode/{subject}", json={"mode": "READWRITE"})
    assert refusal(http.delete(path, params=PERMANENT)) == (404, 40405)
    assert http.delete(path).json() == [1, 2]
    assert refusal(http.delete(path)) == (404, 40404)
    assert subject not in http.get("/subjects").json()
    assert subject in http.get("/subjects", params=DELETED).json()
    assert http.get("/subjects", params={"deletedOnly": "true", "subjectPrefix": subject}).json() == [subject]
    assert refusal(http.get(f"{path}/versions")) == (404, 40401)
    assert refusal(http.get(f"{path}/versions/1")) == (404, 40401)
    assert refusal(http.post(path, json={"schema": "{}"})) == (422, 42201)
    assert http.delete(path, params=PERMANENT).json() == [1, 2]
    assert refusal(http.delete(path)) == (404, 40401)
    assert refusal(http.delete(path, params=PERMANENT)) == (404, 40401)
    assert refusal(http.get(f"/config/{subject}")) == (404, 40408)
    assert refusal(http.get(f"/mode/{subject}")) == (404, 40409)
    assert subject not in http.get("/subjects", params=DELETED).json()


def test_numbers_go_on_after_a_soft_delete_and_begin_anew_after_one_for_good(
    http: httpx2.Client, subject: str, two: tuple[int, int]
) -> None:
    path = f"/subjects/{subject}"
    schema = http.get(f"{path}/versions/1").json()["schema"]
    http.delete(path)
    assert register(http, subject, schema).json()["id"] == two[0]
    assert http.get(f"{path}/versions").json() == [3]
    assert http.post(path, json={"schema": schema}).json()["version"] == 3
    http.delete(path)
    assert refusal(http.post(path, json={"schema": schema})) == (404, 40401)
    assert http.post(path, json={"schema": schema}, params=DELETED).json()["version"] == 3
    http.delete(path, params=PERMANENT)
    anew = register(http, subject, schema).json()["id"]
    assert anew > max(two)
    assert http.get(f"{path}/versions").json() == [1]


def test_deleted_versions_do_not_count_for_compatibility(http: httpx2.Client, subject: str) -> None:
    register(http, subject, record(("a", "string")))
    register(http, subject, record(("a", "string"), ("b", "string", "")))
    clashing = {"schema": record(("a", "string"), ("b", "int", 0))}
    path = f"/compatibility/subjects/{subject}/versions/latest"
    assert http.post(path, json=clashing).json() == {"is_compatible": False}
    assert http.delete(f"/subjects/{subject}/versions/latest").json() == 2
    assert http.post(path, json=clashing).json() == {"is_compatible": True}
    assert refusal(http.post(f"/compatibility/subjects/{subject}/versions/2", json=clashing)) == (404, 40402)


@pytest.mark.parametrize("given", ["abc", "0", "-2"])
def test_what_is_no_version_is_not_deleted(http: httpx2.Client, subject: str, given: str, two: tuple[int, int]) -> None:
    assert refusal(http.delete(f"/subjects/{subject}/versions/{given}")) == (422, 42202)
    assert http.get(f"/subjects/{subject}/versions").json() == [1, 2]


def test_what_is_not_there_is_not_deleted(http: httpx2.Client, subject: str) -> None:
    assert refusal(http.delete(f"/subjects/{subject}")) == (404, 40401)
    assert refusal(http.delete(f"/subjects/{subject}/versions/1")) == (404, 40401)
    register(http, subject, FIRST)
    assert refusal(http.delete(f"/subjects/{subject}/versions/2")) == (404, 40402)


def test_modes_forbid_and_allow(http: httpx2.Client, subject: str) -> None:
    assert http.get("/mode").json() == {"mode": "READWRITE"}
    assert refusal(http.get(f"/mode/{subject}")) == (404, 40409)
    assert http.get(f"/mode/{subject}", params={"defaultToGlobal": "true"}).json() == {"mode": "READWRITE"}
    first = register(http, subject, FIRST)
    assert http.put(f"/mode/{subject}", json={"mode": "READONLY"}).json() == {"mode": "READONLY"}
    assert refusal(register(http, subject, SECOND)) == (422, 42205)
    assert register(http, subject, FIRST).json() == first.json()
    assert refusal(http.delete(f"/subjects/{subject}")) == (422, 42205)
    assert refusal(http.delete(f"/subjects/{subject}/versions/1")) == (422, 42205)
    assert refusal(http.put(f"/config/{subject}", json={"compatibility": "FULL"})) == (422, 42205)
    assert register(http, f"{subject}-other", SECOND).status_code == 200
    assert http.delete(f"/mode/{subject}").json() == {"mode": "READONLY"}
    assert refusal(http.delete(f"/mode/{subject}")) == (404, 40409)
    assert register(http, subject, SECOND).status_code == 200


@pytest.mark.parametrize("mode", ["READ", "", None, 3, [], "READONLY_OVERRIDE"])
def test_a_mode_that_is_none_is_refused(http: httpx2.Client, subject: str, mode: Any) -> None:
    assert refusal(http.put(f"/mode/{subject}", json={"mode": mode})) == (422, 42204)


@pytest.mark.parametrize("level", ["SOME", "backward", "", None, 3, [], {}])
def test_a_level_that_is_none_is_refused(http: httpx2.Client, subject: str, level: Any) -> None:
    assert refusal(http.put(f"/config/{subject}", json={"compatibility": level})) == (422, 42203)


@pytest.fixture
def own(kafka: str, schemas_topic: str) -> Iterator[httpx2.Client]:
    """A registry for one test, whose settings for all subjects may be changed."""
    with serve_registry(kafka, schemas_topic) as url, httpx2.Client(base_url=url, timeout=20) as client:
        yield client


def test_the_mode_and_level_of_all_count_where_a_subject_has_none(own: httpx2.Client) -> None:
    register(own, "s", FIRST)
    own.put("/mode/free", json={"mode": "READWRITE"})
    own.put("/mode", json={"mode": "READONLY"})
    assert refusal(register(own, "s", SECOND)) == (422, 42205)
    assert register(own, "free", SECOND).status_code == 200
    assert refusal(own.put("/config", json={"compatibility": "NONE"})) == (422, 42205)
    own.put("/mode", json={"mode": "READONLY_OVERRIDE"})
    assert refusal(register(own, "free", FIRST)) == (422, 42205)
    assert own.delete("/mode").json() == {"mode": "READONLY_OVERRIDE"}
    assert own.get("/mode").json() == {"mode": "READWRITE"}
    assert own.put("/config", json={"compatibility": "NONE"}).json() == {"compatibility": "NONE"}
    assert own.get("/config/s", params={"defaultToGlobal": "true"}).json() == {"compatibilityLevel": "NONE"}
    assert own.delete("/config").json() == {"compatibilityLevel": "NONE"}
    assert own.get("/config").json() == {"compatibilityLevel": "BACKWARD"}


def test_an_import_keeps_ids_and_numbers(own: httpx2.Client) -> None:
    body = {"schema": FIRST, "id": 70, "version": 5}
    assert refusal(own.post("/subjects/s/versions", json=body)) == (422, 42205)
    register(own, "t", SECOND)
    assert refusal(own.put("/mode", json={"mode": "IMPORT"})) == (422, 42205)
    assert own.put("/mode", json={"mode": "import"}, params={"force": "true"}).json() == {"mode": "IMPORT"}
    assert own.post("/subjects/s/versions", json=body).json() == {"id": 70}
    assert own.get("/subjects/s/versions").json() == [5]
    assert refusal(register(own, "s", SECOND)) == (422, 42205)
    assert refusal(own.post("/subjects/s/versions", json={"schema": SECOND, "id": 70})) == (422, 42205)
    assert refusal(own.post("/subjects/s/versions", json={"schema": SECOND, "id": 71, "version": 5})) == (422, 42205)
    own.delete("/mode")
    assert register(own, "s", SECOND).json() == {"id": 1}
    assert own.get("/subjects/s/versions").json() == [5, 6]
    assert register(own, "u", record(("z", "int"))).json() == {"id": 71}


def test_a_schema_uses_the_types_it_refers_to(http: httpx2.Client, subject: str) -> None:
    unit, dossier = f"{subject}-unit", f"{subject}-dossier"
    register(http, unit, record(("code", "string"), name="Unit"))
    schema = record(("unit", "Unit"), name="Dossier")
    assert refusal(register(http, dossier, schema)) == (422, 42201)
    made = register(http, dossier, schema, reference(unit, -1, "Unit"))
    shown = http.get(f"/schemas/ids/{made.json()['id']}").json()
    assert shown == {"schema": json.dumps(json.loads(schema), separators=(",", ":")),
                     "references": [reference(unit, 1, "Unit")]}  # fmt: skip
    assert http.get(f"/subjects/{dossier}/versions/1").json()["references"] == [reference(unit, 1, "Unit")]
    looked_up = http.post(f"/subjects/{dossier}", json={"schema": schema, "references": [reference(unit, 1, "Unit")]})
    assert looked_up.json()["id"] == made.json()["id"]
    assert http.get(f"/subjects/{unit}/versions/1/referencedby").json() == [made.json()["id"]]
    assert http.get(f"/subjects/{dossier}/versions/1/referencedby").json() == []
    assert refusal(http.get(f"/subjects/{dossier}/versions/2/referencedby")) == (404, 40402)


def test_compatibility_looks_into_referenced_types(http: httpx2.Client, subject: str) -> None:
    unit, dossier = f"{subject}-unit", f"{subject}-dossier"
    http.put(f"/config/{unit}", json={"compatibility": "NONE"})
    register(http, unit, record(("code", "string"), name="Unit"))
    register(http, unit, record(("code", "int"), name="Unit"))
    schema = record(("unit", "Unit"), name="Dossier")
    register(http, dossier, schema, reference(unit, 1))
    clash = register(http, dossier, schema, reference(unit, 2))
    assert refusal(clash) == (409, 409)
    assert "field 'unit.code'" in clash.json()["message"]


def test_what_is_referred_to_is_not_deleted(http: httpx2.Client, subject: str) -> None:
    unit, dossier = f"{subject}-unit", f"{subject}-dossier"
    register(http, unit, record(("code", "string"), name="Unit"))
    register(http, dossier, record(("unit", "Unit"), name="Dossier"), reference(unit))
    for path in (f"/subjects/{unit}", f"/subjects/{unit}/versions/1"):
        refused = http.delete(path)
        assert refusal(refused) == (422, 42206)
        assert dossier in refused.json()["message"]
    http.delete(f"/subjects/{dossier}")
    assert http.delete(f"/subjects/{unit}").json() == [1]
    assert refusal(http.delete(f"/subjects/{unit}", params=PERMANENT)) == (422, 42206)
    assert http.delete(f"/subjects/{dossier}", params=PERMANENT).json() == [1]
    assert http.delete(f"/subjects/{unit}", params=PERMANENT).json() == [1]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([reference("nobody-knows-it")], "does not exist"),
        ([reference("nobody-knows-it", -1)], "has no version"),
        ([reference("nobody-knows-it", 0)], "no version; -1 is the latest"),
        ([{"name": "T"}], 'a "subject"'),
        (["T"], 'a "subject"'),
        ("T", "a list"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused(http: httpx2.Client, subject: str, given: Any, told: str) -> None:
    response = http.post(f"/subjects/{subject}/versions", json={"schema": FIRST, "references": given})
    assert refusal(response) == (422, 42201)
    assert told in response.json()["message"]
    assert refusal(http.get(f"/subjects/{subject}/versions")) == (404, 40401)


def test_everything_is_the_same_after_a_restart_and_ids_are_not_given_again(kafka: str, schemas_topic: str) -> None:
    def shown(client: httpx2.Client) -> list[Any]:
        paths = ("/subjects", "/subjects?deleted=true", "/schemas?deleted=true", "/mode/s", "/config/s",
                 "/subjects/unit/versions/1/referencedby", "/schemas/ids/2", "/schemas/ids/3")  # fmt: skip
        return [client.get(path).json() for path in paths]

    with serve_registry(kafka, schemas_topic) as url, httpx2.Client(base_url=url, timeout=20) as client:
        register(client, "unit", record(("code", "string"), name="Unit"))
        register(client, "s", record(("unit", "Unit"), name="Dossier"), reference("unit"))
        register(client, "gone", FIRST)
        client.delete("/subjects/gone")
        client.delete("/subjects/gone", params=PERMANENT)
        register(client, "soft", SECOND)
        client.delete("/subjects/soft")
        client.put("/mode/s", json={"mode": "READONLY"})
        before = shown(client)
    with serve_registry(kafka, schemas_topic) as url, httpx2.Client(base_url=url, timeout=20) as client:
        assert shown(client) == before
        assert register(client, "gone", FIRST).json() == {"id": 5}


def test_a_context_and_the_registrys_own_name_are_told(http: httpx2.Client) -> None:
    assert http.get("/contexts").json() == ["."]
    assert http.get("/v1/metadata/id").json()["scope"]["clusters"]["schema-registry-cluster"] == "schema-registry"
    assert http.get("/v1/metadata/version").json()["version"]


def test_a_page_that_is_no_number_is_refused(http: httpx2.Client) -> None:
    refused = http.get("/subjects", params={"limit": "ten"})
    assert refusal(refused) == (400, 400)
    assert "limit" in refused.json()["message"]


def test_a_path_that_is_no_utf8_is_refused(http: httpx2.Client) -> None:
    assert refusal(http.get("/subjects/%FF/versions")) == (400, 400)
