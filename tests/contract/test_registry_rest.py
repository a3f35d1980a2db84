"""The registry answers as Confluent's does: statuses, codes and bodies."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

VND = "application/vnd.schemaregistry.v1+json"


def record(*fields: tuple[Any, ...], name: str = "R") -> str:
    """A record of (name, type[, default]) fields."""
    listed = [dict(zip(("name", "type", "default"), field, strict=False)) for field in fields]
    return json.dumps({"type": "record", "name": name, "fields": listed})


def register(http: httpx2.Client, subject: str, schema: str, **query: str) -> httpx2.Response:
    return http.post(f"/subjects/{quote(subject, safe='')}/versions", json={"schema": schema}, params=query)


def refusal(response: httpx2.Response) -> tuple[int, int]:
    body = response.json()
    assert set(body) == {"error_code", "message"}
    return response.status_code, body["error_code"]


def test_a_registered_schema_is_found_in_every_way(http: httpx2.Client, subject: str) -> None:
    schema = record((subject.replace("-", "_"), "string"))
    schema_id = register(http, subject, schema).json()["id"]
    assert json.loads(http.get(f"/schemas/ids/{schema_id}").json()["schema"]) == json.loads(schema)
    assert http.get(f"/schemas/ids/{schema_id}/schema").json() == json.loads(schema)
    assert http.get(f"/schemas/ids/{schema_id}/versions").json() == [{"subject": subject, "version": 1}]
    assert http.get(f"/schemas/ids/{schema_id}/subjects").json() == [subject]
    assert http.get(f"/subjects/{subject}/versions").json() == [1]
    assert subject in http.get("/subjects").json()
    for number in ("1", "latest", "-1"):
        shown = http.get(f"/subjects/{subject}/versions/{number}").json()
        assert (shown["subject"], shown["id"], shown["version"]) == (subject, schema_id, 1)
        assert json.loads(shown["schema"]) == json.loads(schema)
        assert http.get(f"/subjects/{subject}/versions/{number}/schema").json() == json.loads(schema)
    assert http.post(f"/subjects/{subject}", json={"schema": schema}).json() == shown
    assert shown in http.get("/schemas", params={"subjectPrefix": subject}).json()


def test_the_same_schema_has_one_id_whatever_blanks_key_order_and_subject(http: httpx2.Client, subject: str) -> None:
    first = register(http, subject, record(("a", "string"), ("b", "int")))
    spaced = '{ "name" : "R", "fields":[{"type":"string","name":"a"},\n {"type":"int","name":"b"}], "type":"record"}'
    assert register(http, subject, spaced).json() == first.json()
    assert register(http, f"{subject}-other", spaced).json() == first.json()
    assert http.get(f"/subjects/{subject}/versions").json() == [1]
    swapped = register(http, subject, record(("b", "int"), ("a", "string")))
    assert swapped.json()["id"] != first.json()["id"]


def test_normalize_takes_the_long_form_of_a_primitive_for_the_short_one(http: httpx2.Client, subject: str) -> None:
    short = register(http, subject, record(("n", "int"), name="Normal"))
    long = register(http, subject, record(("n", {"type": "int"}), name="Normal"), normalize="true")
    assert long.json() == short.json()


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ("", "empty"),
        ("not json", "not JSON"),
        (record(("a", "strin")), "a: unknown type"),
        (record(("a", "int"), ("a", "int")), "a: the field appears twice"),
        (record(("a", "int", "x")), "a: the default"),
        (record(("a b", "int")), "no valid name"),
        (record(("a", "int"), name="1R"), "no valid name"),
        ('{"type":"enum","name":"E","symbols":["A","A"]}', "the symbol A appears twice"),
        ('{"type":"record","name":"R","namespace":"a-b","fields":[]}', "no valid name"),
        ("[" * 5_000, "not JSON"),
        ('{"type":"array","items":' * 500 + '"int"' + "}" * 500, "nested deeper"),
        ('{"type":"int","x":' + "[" * 500 + "]" * 500 + "}", "nested too deeply"),
    ],
)
def test_an_invalid_schema_is_refused_and_leaves_no_subject(
    http: httpx2.Client, subject: str, schema: str, place: str
) -> None:
    response = register(http, subject, schema)
    assert refusal(response) == (422, 42201)
    assert place in response.json()["message"]
    assert refusal(http.get(f"/subjects/{subject}/versions")) == (404, 40401)
    assert refusal(http.post(f"/compatibility/subjects/{subject}/versions/latest", json={"schema": schema})) == (
        422,
        42201,
    )


@pytest.mark.parametrize("body", [{}, {"schema": None}, {"schema": 5}, {"schema": record(), "schemaType": "JSON"}])
def test_a_body_without_an_avro_schema_is_refused(http: httpx2.Client, subject: str, body: Any) -> None:
    assert refusal(http.post(f"/subjects/{subject}/versions", json=body)) == (422, 42201)


@pytest.mark.parametrize("body", ["[]", "3", "{", '"x"'])
def test_a_body_that_is_no_object_is_refused(http: httpx2.Client, subject: str, body: str) -> None:
    response = http.post(f"/subjects/{subject}/versions", content=body, headers={"Content-Type": VND})
    assert refusal(response) == (400, 400)


def test_an_incompatible_schema_is_refused_naming_the_field_and_stores_nothing(
    http: httpx2.Client, subject: str
) -> None:
    register(http, subject, record(("a", "string")))
    before = http.get("/schemas").json()
    refused = register(http, subject, record(("a", "int"), ("b", "int")))
    assert refusal(refused) == (409, 409)
    message = refused.json()["message"]
    assert "field 'a': the type changed from string to int" in message
    assert "field 'b': only the new version has it, without a default value" in message
    assert """Proposal: also allow the old type string, in a union""" in message
    assert """Proposal: add "default": 0""" in message
    assert http.get("/schemas").json() == before
    vietnamese = http.post(
        f"/subjects/{subject}/versions",
        json={"schema": record(("a", "int"))},
        headers={"Accept-Language": "vi"},
    )
    assert "Trường «a»: kiểu đổi từ string thành int" in vietnamese.json()["message"]
    assert "Đề xuất: cho phép thêm kiểu cũ string trong một union" in vietnamese.json()["message"]
    proposed = record(("a", ["int", "string"]), ("b", "int", 0))
    assert register(http, subject, proposed).status_code == 200


def test_compatibility_is_told_before_registering(http: httpx2.Client, subject: str) -> None:
    register(http, subject, record(("a", "string")))
    register(http, subject, record(("a", "string"), ("b", "int", 0)))
    path = f"/compatibility/subjects/{subject}/versions"
    good, bad = {"schema": record(("a", "string"), ("b", "long", 0))}, {"schema": record(("c", "int"))}
    for where in ("", "/latest", "/1", "/2", "/-1"):
        assert http.post(path + where, json=good).json() == {"is_compatible": True}
        assert http.post(path + where, json=bad).json() == {"is_compatible": False}
    verbose = http.post(f"{path}/latest", json=bad, params={"verbose": "true"}).json()
    assert verbose["is_compatible"] is False
    assert "field 'c'" in verbose["messages"][0]
    assert http.get(f"/subjects/{subject}/versions").json() == [1, 2]


def test_compatibility_with_what_does_not_exist(http: httpx2.Client, subject: str) -> None:
    body = {"schema": record(("a", "string"))}
    path = f"/compatibility/subjects/{subject}/versions"
    assert http.post(f"{path}/latest", json=body).json() == {"is_compatible": True}
    assert refusal(http.post(f"{path}/1", json=body)) == (404, 40402)
    register(http, subject, body["schema"])
    assert refusal(http.post(f"{path}/7", json=body)) == (404, 40402)
    assert refusal(http.post(f"{path}/abc", json=body)) == (422, 42202)


def test_levels_are_set_per_subject_and_for_all(http: httpx2.Client, subject: str) -> None:
    assert http.get("/config").json() == {"compatibilityLevel": "BACKWARD"}
    assert refusal(http.get(f"/config/{subject}")) == (404, 40408)
    default = http.get(f"/config/{subject}", params={"defaultToGlobal": "true"})
    assert default.json() == {"compatibilityLevel": "BACKWARD"}
    assert http.put(f"/config/{subject}", json={"compatibility": "NONE"}).json() == {"compatibility": "NONE"}
    assert subject not in http.get("/subjects").json()
    register(http, subject, record(("a", "string")))
    assert register(http, subject, record(("a", "int"))).status_code == 200
    assert http.delete(f"/config/{subject}").json() == {"compatibilityLevel": "NONE"}
    assert refusal(http.get(f"/config/{subject}")) == (404, 40408)
    assert refusal(http.put(f"/config/{subject}", json={"compatibility": "none"})) == (422, 42203)
    assert refusal(http.put("/config", json={"compatibility": "SOME"})) == (422, 42203)


def test_a_full_transitive_level_looks_both_ways_and_back_to_the_first_version(
    http: httpx2.Client, subject: str
) -> None:
    http.put(f"/config/{subject}", json={"compatibility": "FULL_TRANSITIVE"})
    register(http, subject, record(("a", "string")))
    assert register(http, subject, record(("a", "string"), ("b", "int", 0))).status_code == 200
    assert refusal(register(http, subject, record(("a", "string"), ("b", "int")))) == (409, 409)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/schemas/ids/999999", (404, 40403)),
        ("/schemas/ids/abc", (404, 404)),
        ("/schemas/ids/99999999999999999999", (404, 40403)),
        ("/subjects/nobody/versions", (404, 40401)),
        ("/subjects/nobody/versions/1", (404, 40401)),
        ("/nothing", (404, 404)),
        ("/nothing/at/all/here", (404, 404)),
    ],
)
def test_what_does_not_exist_has_its_own_code(http: httpx2.Client, path: str, expected: tuple[int, int]) -> None:
    assert refusal(http.get(path)) == expected


@pytest.mark.parametrize(("version", "expected"), [("0", (422, 42202)), ("-2", (422, 42202)), ("abc", (422, 42202)),
                                                   ("99999999999", (422, 42202)), ("2", (404, 40402))])  # fmt: skip
def test_versions_that_are_none(http: httpx2.Client, subject: str, version: str, expected: tuple[int, int]) -> None:
    register(http, subject, record(("a", "string")))
    assert refusal(http.get(f"/subjects/{subject}/versions/{version}")) == expected


def test_looking_up_what_is_not_there(http: httpx2.Client, subject: str) -> None:
    body = {"schema": record(("a", "string"))}
    assert refusal(http.post(f"/subjects/{subject}", json=body)) == (404, 40401)
    register(http, subject, body["schema"])
    assert refusal(http.post(f"/subjects/{subject}", json={"schema": record(("z", "int"))})) == (404, 40403)
    assert refusal(http.post(f"/subjects/{subject}", json={"schema": "{"})) == (422, 42201)


@pytest.mark.parametrize("name", ["a/b", 'q"uote', "br{ace}", "sp ace", "a+b%c?d#e", "hồ-sơ", "..", ":.ctx:s", "a%2Fb"])
def test_subjects_may_hold_any_character(http: httpx2.Client, subject: str, name: str) -> None:
    odd = f"{subject}{name}"
    assert register(http, odd, record(("a", "string"))).status_code == 200
    assert odd in http.get("/subjects").json()
    assert http.get(f"/subjects/{quote(odd, safe='')}/versions").json() == [1]


def test_a_subject_with_control_characters_is_refused(http: httpx2.Client) -> None:
    assert refusal(register(http, "a\x00b", record(("a", "string")))) == (422, 42208)


@pytest.mark.parametrize(
    ("accept", "status", "kind"),
    [
        (None, 200, VND),
        ("*/*", 200, VND),
        ("application/json", 200, "application/json"),
        (f"{VND}, application/json;q=0.5", 200, VND),
        (f"application/json;q=0.9, {VND};q=0.1", 200, "application/json"),
        ("application/vnd.schemaregistry+json", 200, "application/vnd.schemaregistry+json"),
        ("text/html", 406, "application/json"),
    ],
)
def test_the_content_type_is_the_one_accepted(http: httpx2.Client, accept: str | None, status: int, kind: str) -> None:
    http.headers.pop("accept")
    response = http.get("/subjects", headers={"Accept": accept} if accept else {})
    assert (response.status_code, response.headers["content-type"]) == (status, kind)


def test_errors_have_the_registrys_content_type(http: httpx2.Client) -> None:
    assert http.get("/schemas/ids/999999").headers["content-type"] == VND


@pytest.mark.parametrize(
    ("kind", "status"), [(VND, 200), ("application/json", 200), ("application/octet-stream", 200), ("text/html", 415)]
)
def test_bodies_of_these_types_are_taken(http: httpx2.Client, subject: str, kind: str, status: int) -> None:
    body = json.dumps({"schema": record(("a", "string")), "unknown": True})
    response = http.post(f"/subjects/{subject}/versions", content=body, headers={"Content-Type": kind})
    assert response.status_code == status


def test_a_body_too_large_is_refused_whether_or_not_its_length_is_told(http: httpx2.Client, subject: str) -> None:
    huge = json.dumps({"schema": " " * 2_000_000}).encode()
    assert refusal(http.post(f"/subjects/{subject}/versions", content=huge)) == (413, 413)
    chunked = http.post(f"/subjects/{subject}/versions", content=iter([huge[:1_500_000], huge[1_500_000:]]))
    assert refusal(chunked) == (413, 413)


def test_a_method_that_is_not_there_is_405(http: httpx2.Client) -> None:
    assert refusal(http.put("/subjects", json={})) == (405, 405)


def test_the_root_and_the_types(http: httpx2.Client) -> None:
    assert http.get("/").json() == {}
    assert "AVRO" in http.get("/schemas/types").json()
    assert http.head("/subjects").content == b""


def test_lists_are_cut_by_offset_and_limit(http: httpx2.Client, subject: str) -> None:
    for letter in "abc":
        register(http, f"{subject}-{letter}", record(("a", "string")))
    page = http.get("/subjects", params={"subjectPrefix": subject, "offset": "1", "limit": "1"})
    assert page.json() == [f"{subject}-b"]
