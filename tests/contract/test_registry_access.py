"""Who may do what at the registry: every route for every role, a department's own subjects, credentials as clients
send them."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from hub.registry.access import Ownership
from hub.registry.app import create_app
from hub.registry.exchange import Route
from hub.registry.log import KafkaLog
from hub.security.access import Principal
from schemas.registry_client import RegistryAccess, RegistryClient
from tests.contract.conftest import make_topic, serve_registry
from tests.registry_instance import record

HOLDERS = {
    "admin-key": Principal("admin"),
    "operator-key": Principal("operator"),
    "service-key": Principal("service"),
    "department-key": Principal("department", "H53.14"),
    "unitless-key": Principal("department"),
}
OWN, SHARED, FOREIGN, EMPTY = "ioc.own-value", "ioc.shared-value", "ioc.foreign-value", "ioc.empty-value"
OWNERSHIP = Ownership.of(
    [
        (OWN, "H53.14"),
        (OWN, "H53.14.2"),
        (EMPTY, "H53.14"),
        (SHARED, "H53.14"),
        (SHARED, "H53.15"),
        (FOREIGN, "H53.1"),
        ("other", "H53"),
    ]
)


@pytest.fixture(scope="module")
def url(kafka: str) -> Iterator[str]:
    topic = make_topic(kafka, f"_schemas-{uuid.uuid4().hex}")
    with serve_registry(kafka, topic, HOLDERS.get, ownership=OWNERSHIP) as running:
        for number, subject in enumerate((OWN, SHARED, FOREIGN), 1):
            body = {"schema": record(*"abc"[:number])}
            post = httpx2.post(f"{running}/subjects/{subject}/versions", json=body, auth=("any", "admin-key"))
            assert post.json() == {"id": number}
        yield running


@pytest.fixture
def http(url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=url, timeout=20) as client:
        yield client


def as_(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def all_routes() -> list[Route]:
    app = create_app(KafkaLog("127.0.0.1:1"))
    by_length = app.routes.by_length.values()
    return [route for shapes in by_length for methods in shapes.values() for route in methods.values()]


READ, CHANGE, RULE = "read", "change", "rule"
KINDS = {
    ("GET", "/"): READ,
    ("GET", "/contexts"): READ,
    ("GET", "/v1/metadata/id"): READ,
    ("GET", "/v1/metadata/version"): READ,
    ("GET", "/schemas"): READ,
    ("GET", "/schemas/types"): READ,
    ("GET", "/schemas/ids/*"): READ,
    ("GET", "/schemas/ids/*/schema"): READ,
    ("GET", "/schemas/ids/*/subjects"): READ,
    ("GET", "/schemas/ids/*/versions"): READ,
    ("GET", "/subjects"): READ,
    ("POST", "/subjects/*"): READ,
    ("GET", "/subjects/*/versions"): READ,
    ("GET", "/subjects/*/versions/*"): READ,
    ("GET", "/subjects/*/versions/*/schema"): READ,
    ("GET", "/subjects/*/versions/*/referencedby"): READ,
    ("POST", "/compatibility/subjects/*/versions"): READ,
    ("POST", "/compatibility/subjects/*/versions/*"): READ,
    ("GET", "/config"): READ,
    ("GET", "/config/*"): READ,
    ("GET", "/mode"): READ,
    ("GET", "/mode/*"): READ,
    ("POST", "/subjects/*/versions"): CHANGE,
    ("DELETE", "/subjects/*"): RULE,
    ("DELETE", "/subjects/*/versions/*"): RULE,
    ("PUT", "/config"): RULE,
    ("PUT", "/config/*"): RULE,
    ("DELETE", "/config"): RULE,
    ("DELETE", "/config/*"): RULE,
    ("PUT", "/mode"): RULE,
    ("PUT", "/mode/*"): RULE,
    ("DELETE", "/mode"): RULE,
    ("DELETE", "/mode/*"): RULE,
}
"""What each route is for; one that is not here fails the test below."""

MATRIX = {
    None: set(),
    "wrong-key": set(),
    "unitless-key": set(),
    "operator-key": {READ},
    "department-key": {READ, CHANGE},
    "service-key": {READ, CHANGE},
    "admin-key": {READ, CHANGE, RULE},
}
"""What each caller may do, a department with its own subject."""


def test_every_route_is_in_the_matrix() -> None:
    assert {(route.method, route.pattern) for route in all_routes()} == set(KINDS)


@pytest.mark.parametrize("key", MATRIX)
@pytest.mark.parametrize(("method", "pattern"), KINDS)
def test_each_role_may_what_the_matrix_says(http: httpx2.Client, method: str, pattern: str, key: str | None) -> None:
    path = pattern.replace("ids/*", "ids/1").replace("versions/*", "versions/99").replace("*", EMPTY)
    # A subject without versions and a body that is refused after the guard: whoever gets in changes nothing.
    answer = http.request(method, path, json={} if method in ("POST", "PUT") else None, headers=as_(key) if key else {})
    if KINDS[method, pattern] in MATRIX[key]:
        assert answer.status_code not in (401, 403), answer.text
    elif key in (None, "wrong-key"):
        assert (answer.status_code, answer.json()["error_code"]) == (401, 401)
        assert "Basic" in answer.headers["www-authenticate"]
    else:
        assert (answer.status_code, answer.json()["error_code"]) == (403, 403)


@pytest.fixture
def department(http: httpx2.Client) -> httpx2.Client:
    http.headers["Authorization"] = "Bearer department-key"
    return http


def test_a_department_registers_under_its_own_subject_within_compatibility(department: httpx2.Client) -> None:
    good = department.post(f"/subjects/{OWN}/versions", json={"schema": record("a", "z")})
    assert good.status_code == 200
    clash = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}
    assert department.post(f"/subjects/{OWN}/versions", json={"schema": json.dumps(clash)}).status_code == 409


def test_a_shared_contract_is_read_and_not_changed_by_one_of_its_departments(department: httpx2.Client) -> None:
    assert department.get(f"/subjects/{SHARED}/versions/1").status_code == 200
    body = {"schema": record("a", "b", "q")}
    assert department.post(f"/compatibility/subjects/{SHARED}/versions", json=body).json() == {"is_compatible": True}
    refused = department.post(f"/subjects/{SHARED}/versions", json=body)
    assert refused.status_code == 403
    assert "H53.14" in refused.json()["message"]


@pytest.mark.parametrize("subject", [FOREIGN, "other", "nobody's", "ioc.own-value2"])
def test_other_subjects_are_closed_to_a_department_whether_they_exist_or_not(
    department: httpx2.Client, subject: str
) -> None:
    body = {"schema": record("a")}
    asked = [
        department.get(f"/subjects/{subject}/versions"),
        department.get(f"/subjects/{subject}/versions/latest"),
        department.get(f"/config/{subject}"),
        department.post(f"/subjects/{subject}", json=body),
        department.post(f"/subjects/{subject}/versions", json=body),
        department.post(f"/compatibility/subjects/{subject}/versions/latest", json=body),
    ]
    assert {answer.status_code for answer in asked} == {403}


def test_lists_and_ids_show_a_department_its_own_alone(department: httpx2.Client) -> None:
    assert department.get("/subjects").json() == [OWN, SHARED]
    assert {item["subject"] for item in department.get("/schemas").json()} == {OWN, SHARED}
    assert [department.get(f"/schemas/ids/{number}").status_code for number in (1, 2, 3, 999)] == [200, 200, 404, 404]
    hidden, unknown = department.get("/schemas/ids/3").json(), department.get("/schemas/ids/999").json()
    assert (hidden["error_code"], hidden["message"].replace("3", "")) == (40403, unknown["message"].replace("999", ""))
    assert department.get("/schemas/ids/3/versions").status_code == 404
    reference = [{"name": "R", "subject": FOREIGN, "version": 1}]
    body = {"schema": '{"type":"array","items":"R"}', "references": reference}
    assert department.post(f"/subjects/{OWN}/versions", json=body).status_code == 403


def test_an_id_that_a_department_shares_with_others_shows_it_its_own_subject_only(
    department: httpx2.Client, url: str
) -> None:
    body = {"schema": record("a")}
    with httpx2.Client(base_url=url, headers=as_("admin-key")) as admin:
        assert admin.post(f"/subjects/{FOREIGN}2/versions", json=body).json() == {"id": 1}
        assert len(admin.get("/schemas/ids/1/versions").json()) == 2
    assert department.get("/schemas/ids/1/subjects").json() == [OWN]
    assert department.get("/schemas/ids/1/versions").json() == [{"subject": OWN, "version": 1}]


def test_confluents_client_gets_in_by_its_own_setting(url: str) -> None:
    with SchemaRegistryClient({"url": url, "basic.auth.user.info": "portal:service-key"}) as client:
        assert client.register_schema("confluent", Schema(record("a"), "AVRO")) == 1
    wrong = SchemaRegistryClient({"url": url, "basic.auth.user.info": "portal:no-key", "max.retries": 0})
    with wrong, pytest.raises(SchemaRegistryError) as refused:
        wrong.get_subjects()
    assert refused.value.http_status_code == 401
    bearer = {"bearer.auth.credentials.source": "STATIC_TOKEN", "bearer.auth.token": "service-key"}
    more = {"bearer.auth.logical.cluster": "x", "bearer.auth.identity.pool.id": "y"}
    with SchemaRegistryClient({"url": url, **bearer, **more}) as client:
        assert "confluent" in client.get_subjects()


def test_the_hubs_client_gets_in_by_user_and_password_or_token(url: str) -> None:
    for access in (RegistryAccess(token="service-key"), RegistryAccess(user="hub", password="service-key")):
        with RegistryClient(url, access=access) as client:
            assert OWN in client.subjects()


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer  admin", "Basic !!!", "Basic " + base64.b64encode(b"no colon").decode(), "Digest admin-key",
     "admin-key", "Bearer admin-key2", "Basic " + base64.b64encode(b"admin-key:").decode()],
)  # fmt: skip
def test_anything_else_is_refused(http: httpx2.Client, header: str) -> None:
    assert http.get("/subjects", headers={"Authorization": header}).status_code == 401


def test_health_and_metrics_need_no_key_and_name_no_subject(http: httpx2.Client) -> None:
    answers: list[Any] = [http.get(path) for path in ("/livez", "/readyz", "/metrics")]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert "ioc.own" not in "".join(answer.text for answer in answers)
