"""Who gets in: nothing without a key, each role its own, browsers by a cookie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute

from hub.api.access import is_public
from tests.contract.api_world import LINK, ApiWorld, api_world

PAGE = {"Accept": "text/html"}


@pytest.fixture
def world() -> Iterator[ApiWorld]:
    with api_world() as made:
        yield made


def addresses(routes: Iterable[Any]) -> Iterator[str]:
    """Of every route that answers GET, those of included routers too."""
    for route in routes:
        if isinstance(route, APIRoute):
            if "GET" in route.methods:
                yield route.path
        else:
            yield from addresses(getattr(getattr(route, "original_router", None), "routes", ()))


async def test_every_address_is_closed_unless_it_is_listed_as_public(world: ApiWorld) -> None:
    paths = list(addresses(world.app.router.routes))
    assert {"/v1/kpis", "/v1/live", "/live", "/", "/integration", "/quarantine/{entry_id:path}"} <= set(paths)
    paths.append("/nothing-here")
    async with world.client(key=None) as client:
        for path in paths:
            if is_public(path):
                continue
            answer = await client.get(path)
            assert answer.status_code == 401, path
            assert answer.json()["type"] == "/problems/unauthorized"
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_what_is_public_needs_no_key(world: ApiWorld) -> None:
    async with world.client(key=None) as client:
        for path in ("/livez", "/readyz", "/metrics", "/docs", "/openapi.json", "/signin", "/static/app.css"):
            assert (await client.get(path)).status_code == 200, path


@pytest.mark.parametrize(
    "path", ["/static/../hub/config.py", "/static/%2e%2e/pages.py", "/static/vendor/../../pages.py"]
)
async def test_static_addresses_do_not_lead_out_of_their_folder(world: ApiWorld, path: str) -> None:
    async with world.client(key=None) as client:
        assert (await client.get(path)).status_code in (401, 404)


@pytest.mark.parametrize(
    ("key", "path", "status"),
    [
        ("key-of-admin", "/v1/kpis", 200),
        ("key-of-operator", "/v1/kpis", 200),
        ("key-of-department", "/v1/kpis", 200),
        ("key-without-unit", "/v1/kpis", 403),
        ("key-without-unit", "/v1/connectors", 403),
        ("key-without-unit", "/v1/quarantine", 403),
        ("key-of-department", "/v1/quarantine?connector=feedback-1022", 403),
        ("key-of-department", "/v1/quarantine?connector=portal", 200),
        ("key-of-a-service", "/v1/kpis", 403),
        ("key-of-nobody", "/v1/kpis", 403),
        ("key-of-nobody", "/v1/connectors", 403),
        ("key-of-nobody", "/quarantine", 403),
        ("a-wrong-key", "/v1/kpis", 401),
        ("", "/v1/kpis", 401),
    ],
)
async def test_each_role_gets_its_own(world: ApiWorld, key: str, path: str, status: int) -> None:
    async with world.client(key=None) as client:
        answer = await client.get(path, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == status


async def test_a_department_sees_its_own_figures_connectors_and_quarantine(world: ApiWorld) -> None:
    world.ledger("dossier", "portal")
    world.add("dossier_by_received_at", "2026-02-01", org_code="H53.14", received=2)
    world.add("dossier_by_received_at", "2026-02-01", org_code="H53.20", received=5)
    world.quarantine(1, "portal")
    world.quarantine(2, "feedback-1022")
    async with world.client("key-of-department") as client:
        assert (await client.get("/v1/kpis/dossier.received")).json()["value"] == 2
        rows = (await client.get("/v1/kpis/dossier.received?by=org_code")).json()["rows"]
        assert [row["key"] for row in rows] == ["H53.14"]
        assert [item["connector"] for item in (await client.get("/v1/connectors")).json()["items"]] == ["portal"]
        assert [item["id"] for item in (await client.get("/v1/quarantine")).json()["items"]] == ["portal:0001"]
        assert (await client.get("/v1/quarantine/feedback-1022:0002")).status_code == 404
    async with world.client("key-of-operator") as client:
        assert (await client.get("/v1/kpis/dossier.received")).json()["value"] == 7


@pytest.mark.parametrize("header", ["Basic a2V5OmtleQ==", "Bearer", "key-of-admin", "Bearer key-of-admin extra"])
async def test_only_a_bearer_key_counts(world: ApiWorld, header: str) -> None:
    async with world.client(key=None) as client:
        assert (await client.get("/v1/kpis", headers={"Authorization": header})).status_code == 401


async def test_a_wrong_key_is_not_rescued_by_a_session(world: ApiWorld) -> None:
    cookie = world.access.open_session("key-of-admin")
    async with world.client("a-wrong-key") as client:
        assert (await client.get("/v1/kpis", headers={"Cookie": f"ioc_session={cookie}"})).status_code == 401


async def test_a_link_signs_in_once(world: ApiWorld) -> None:
    async with world.client(key=None) as client:
        answer = await client.get(f"/signin?token={LINK}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=lax" in cookie.lower()
        assert (await client.get("/", headers=PAGE)).status_code == 200
        await client.post("/signout")
        assert (await client.get("/", headers=PAGE)).status_code == 303
    async with world.client(key=None) as client:
        assert (await client.get(f"/signin?token={LINK}")).status_code == 401


async def test_a_key_signs_in_by_the_form_and_leads_back(world: ApiWorld) -> None:
    async with world.client(key=None) as client:
        first = await client.get("/integration?x=1", headers=PAGE)
        assert first.headers["location"] == "/signin?next=%2Fintegration%3Fx%3D1"
        wrong = await client.post("/signin", data={"key": "nope", "next": "/integration"})
        assert wrong.status_code == 401
        right = await client.post("/signin", data={"key": "key-of-operator", "next": "/integration"})
        assert (right.status_code, right.headers["location"]) == (303, "/integration")
        assert (await client.get("/integration", headers=PAGE)).status_code == 200


@pytest.mark.parametrize("target", ["//elsewhere/x", "https://elsewhere", "/\\elsewhere", ""])
async def test_signing_in_never_leads_elsewhere(world: ApiWorld, target: str) -> None:
    async with world.client(key=None) as client:
        answer = await client.post("/signin", data={"key": "key-of-operator", "next": target})
    assert answer.headers["location"] == "/"


async def test_another_sites_form_and_a_huge_one_are_refused(world: ApiWorld) -> None:
    async with world.client(key=None) as client:
        cross = await client.post("/signin", data={"key": "key-of-admin"}, headers={"Origin": "http://elsewhere"})
        assert (cross.status_code, cross.json()["type"]) == (403, "/problems/cross-site")
        same = await client.post("/signin", data={"key": "key-of-admin"}, headers={"Origin": "http://hub"})
        assert same.status_code == 303
        huge = await client.post("/signin", content=b"key=" + b"x" * 100_000)
        assert (huge.status_code, huge.json()["type"]) == (413, "/problems/body-too-large")


async def test_pages_carry_a_policy_without_inline_scripts_and_are_not_kept(world: ApiWorld) -> None:
    async with world.client() as client:
        for path in ("/", "/kpis?view=table", "/kpi/feedback.open", "/integration", "/quarantine", "/docs"):
            answer = await client.get(path, headers=PAGE)
            assert answer.status_code == 200, path
            policy = answer.headers["content-security-policy"]
            assert "script-src 'self'" in policy
            assert "unsafe" not in policy
            assert answer.headers["cache-control"] == "no-store"
            assert "<script>" not in answer.text
            assert " style=" not in answer.text
            assert " onclick=" not in answer.text
