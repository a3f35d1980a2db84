"""Who may do what to which connector: every route of the interface against every role."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import httpx2
import pytest

from hub.connect.exchange import Route
from hub.security.access import Permission
from hub.topics import ensure_topics
from tests.connect_place import make_place
from tests.connect_world import CONTRACTS, KEYS, ConnectWorld, connect_world
from tests.portal_server import portal_server

OWN, FOREIGN = "own-of-14", "own-of-20"
ROLES = ("key-of-admin", "key-of-operator", "key-of-department", "key-of-a-service", "key-of-nobody")
ALLOWED = {
    Permission.CONNECTOR_READ: {"key-of-admin", "key-of-operator", "key-of-department"},
    Permission.CONNECTOR_OPERATE: {"key-of-admin", "key-of-operator", "key-of-department"},
    Permission.CONNECTOR_WRITE: {"key-of-admin", "key-of-department"},
    Permission.CONNECTOR_APPROVE: {"key-of-admin", "key-of-operator"},
}


@pytest.fixture(scope="module")
def world(kafka: str) -> Iterator[ConnectWorld]:
    ensure_topics(kafka, [CONTRACTS["dossier"]], 2, 1)
    with portal_server([]) as portal, connect_world(kafka, portal, make_place(kafka)) as made:
        for name, org in ((OWN, "H53.14"), (FOREIGN, "H53.20")):
            assert made.apply(name, org=org).status_code == 201
            with made.client() as client:
                client.put(f"/connectors/{name}/stop")
        yield made


def address(route: Route, connector: str) -> str:
    """The route's address for a connector; a plugin or logger where it is about one."""
    first = {"connectors": connector, "connector-plugins": "RestSource", "admin": "root"}
    parts = route.pattern.strip("/").split("/")
    stars = iter([first.get(parts[0], "x"), "0"])
    return "/" + "/".join(next(stars) if part == "*" else part for part in parts)


def ask(client: httpx2.Client, route: Route, connector: str) -> httpx2.Response:
    # An empty body is refused after the caller is known and before anything changes.
    return client.request(route.method, address(route, connector), content=b"null" if route.method != "GET" else None)


def test_nothing_but_health_is_open(world: ConnectWorld) -> None:
    for key in (None, "a-wrong-key"):
        with world.client(key) as client:
            for route in world.app.listed:
                answer = ask(client, route, OWN)
                assert answer.status_code == 401, (route.method, route.pattern)
                assert answer.headers["www-authenticate"].startswith("Bearer")
            assert client.get("/no/such/route").status_code == 401


@pytest.mark.parametrize("key", ROLES)
def test_each_role_may_what_its_permissions_say(world: ConnectWorld, key: str) -> None:
    with world.client(key) as client:
        for route in world.app.listed:
            if route.method == "DELETE" and route.pattern == "/connectors/*":
                continue  # it would take the connector from the tests after it
            answer = ask(client, route, OWN)
            allowed = key in ALLOWED[route.permission]
            assert (answer.status_code != 403) == allowed, (key, route.method, route.pattern, answer.text)
            assert answer.status_code < 500, (route.method, route.pattern, answer.text)


@pytest.mark.parametrize("key", ["key-of-department", "key-without-unit"])
def test_a_department_reaches_its_own_connectors_alone(world: ConnectWorld, key: str) -> None:
    before = world.status(FOREIGN)["ioc"]
    with world.client(key) as client:
        for route in world.app.listed:
            if not route.pattern.startswith("/connectors/*"):
                continue
            answer = ask(client, route, FOREIGN)
            if "topics" in route.pattern:
                assert answer.status_code in (200, 202, 404)
                assert "dossier" not in answer.text
            else:
                assert answer.status_code in (400, 403, 404), (route.method, route.pattern, answer.text)
        assert FOREIGN not in client.get("/connectors").json()
        assert FOREIGN not in client.get("/connectors?expand=status&expand=info").json()
    after = world.status(FOREIGN)["ioc"]
    assert {name: after[name] for name in ("version", "target")} == {
        name: before[name] for name in ("version", "target")
    }


def test_a_department_registers_no_connector_of_another_unit(world: ConnectWorld) -> None:
    refused = world.apply("mine", "key-of-department", org="H53.20")
    assert refused.status_code == 403
    assert "owner.org" in refused.json()["message"]
    assert world.apply(FOREIGN, "key-of-department", org="H53.14").status_code == 403
    assert world.apply("below", "key-of-department", org="H53.14.2").status_code == 201
    assert world.apply("beside", "key-of-department", org="H53.144").status_code == 403


def test_the_key_is_also_taken_as_the_password_of_basic_authentication(world: ConnectWorld) -> None:
    pair = base64.b64encode(b"anybody:key-of-operator").decode()
    with world.client(None) as client:
        assert client.get("/connectors", headers={"Authorization": f"Basic {pair}"}).status_code == 200
        assert client.get("/connectors", headers={"Authorization": "Basic ???"}).status_code == 401


def test_every_permission_of_the_interface_is_in_the_matrix(world: ConnectWorld) -> None:
    assert {route.permission for route in world.app.listed} == set(ALLOWED)
    assert set(ROLES) <= set(KEYS)
