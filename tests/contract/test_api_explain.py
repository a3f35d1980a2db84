"""`/v1/kpis/{id}`, its explanation and records, and `/v1/entities`, over dossiers that came through the real core."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from hub.api.app import create_api
from hub.api.deps import ApiDeps
from hub.catalogue.registered import Versions
from hub.catalogue.service import Catalogue
from hub.config import Settings
from hub.declarations import load_declarations
from tests.contract.api_world import KeysInMemory, RegistryInMemory
from tests.dossiers import dossier
from tests.told import Told, told

YEAR = "from=2022-01-01&to=2022-12-31"
FIRST = datetime(2022, 9, 18, 2, 0, tzinfo=UTC)
KPI = "/v1/kpis/dossier.on_time_share"


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[Told, Any]]:
    """Forty dossiers finished, ten of them recalled a day later."""
    with told() as made:
        made.feed([dossier(number, 1, 9, org_code=f"H53.{14 + number % 2}") for number in range(40)], FIRST)
        made.feed(
            [dossier(number, 2, 4, org_code=f"H53.{14 + number % 2}") for number in range(10)],
            FIRST + timedelta(days=1),
        )
        made.clock[0] = FIRST + timedelta(days=1, hours=1)
        declared = load_declarations(Settings())
        versions = Versions(RegistryInMemory(), lambda: made.now)
        catalogue = Catalogue(declared, made.service, made.service.reader, versions, lambda: declared.manifests)
        yield made, create_api(ApiDeps(made.service, made.service.reader, KeysInMemory(), catalogue=catalogue))


World = tuple[Told, Any]


async def get(world: World, path: str, key: str = "key-of-admin", **headers: str) -> Any:
    sent = {"Accept-Language": "en", "Authorization": f"Bearer {key}", **headers}
    transport = httpx2.ASGITransport(app=world[1], raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://hub", headers=sent) as client:
        return await client.get(path)


async def test_a_figure_leads_to_its_records_and_each_record_to_its_whole_history(world: World) -> None:
    found = (await get(world, f"{KPI}/explain?{YEAR}&limit=5")).json()
    answer = found["answer"]
    assert found["formula"]["text"] == "[Dossiers finished on time] ÷ [Dossiers finished] × 100"
    assert answer["denominator"] == 30
    address = {term["role"]: term["records"] for term in found["formula"]["terms"]}["denominator"]
    keys: list[str] = []
    while address:
        page = await get(world, address + "&limit=8")
        keys += [item["entity_key"] for item in page.json()["items"]]
        cursor = page.json()["next"]
        assert ("link" in page.headers) == (cursor is not None)
        address = address.partition("&cursor=")[0] + f"&cursor={cursor}" if cursor else ""
    assert len(keys) == len(set(keys)) == answer["denominator"]
    record = (await get(world, f"/v1/entities/dossier/{keys[0]}")).json()
    [revision] = record["revisions"]
    assert (revision["offset"], revision["partition"], revision["arrived_at"]) == (10, 0, "2022-09-18T02:00:00.000Z")
    assert revision["topic"] == "ioc.administration.dossier"
    assert record["withheld"] == ["applicant", "applicant_phone"] and "applicant" not in record["state"]


async def test_what_changed_since_yesterday_is_told_by_unit_and_reason_and_adds_up(world: World) -> None:
    found = (await get(world, f"{KPI}/explain?{YEAR}")).json()
    changes = found["changes"]
    assert changes["before"]["denominator"] == 40
    assert {(item["org_code"], item["reason"], item["denominator"]) for item in changes["contributions"]} == {
        ("H53.14", "recalled", -5),
        ("H53.15", "recalled", -5),
    }
    assert changes["contributions"][0]["org_name"]
    then = (await get(world, f"{KPI}?{YEAR}&as_known_at=2022-09-18T12:00:00Z")).json()
    assert then["denominator"] == 40 and then["as_known_at"] == "2022-09-18T12:00:00.000Z"


async def test_a_client_that_has_the_answer_is_told_so(world: World) -> None:
    first = await get(world, f"{KPI}?{YEAR}")
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    again = await get(world, f"{KPI}?{YEAR}", **{"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert (await get(world, f"{KPI}?{YEAR}&by=channel", **{"If-None-Match": tag})).status_code == 200


async def test_a_unit_sees_its_own_records_and_figures_only(world: World) -> None:
    mine = (await get(world, f"{KPI}/explain?{YEAR}&limit=100", "key-of-department")).json()
    assert mine["answer"]["denominator"] == 15
    assert {item["org_code"] for item in mine["records"]["items"]} == {"H53.14"}
    assert {item["org_code"] for item in mine["changes"]["contributions"]} == {"H53.14"}
    listed = (await get(world, "/v1/entities/dossier?limit=100&total=true", "key-of-department")).json()
    assert {item["org_code"] for item in listed["items"]} == {"H53.14"} and listed["total"] == 20
    others = next(
        item["entity_key"] for item in (await get(world, "/v1/entities/dossier?where[org_code]=H53.15")).json()["items"]
    )
    assert (await get(world, f"/v1/entities/dossier/{others}", "key-of-department")).status_code == 404
    asked_for = await get(world, f"{KPI}?{YEAR}&where[org_code]=H53.15", "key-of-department")
    assert asked_for.json()["denominator"] == 0


@pytest.mark.parametrize(
    ("path", "parameter", "allowed"),
    [
        (f"{KPI}?{YEAR}&grain=hour", "grain", "quarter"),
        ("/v1/kpis/dossier.received?from=1990-01-01&to=2022-01-01&grain=day", "grain", "1500"),
        (f"{KPI}?{YEAR}&compare=tomorrow", "compare", "previous, plan, year"),
        (f"{KPI}?{YEAR}&as_known_at=yesterday", "as_known_at", "2022-09-19T17:00:00+07:00"),
        (f"{KPI}?{YEAR}&as_known_at=2099-01-01T00:00:00Z", "as_known_at", "2022-09-19"),
        (f"{KPI}?{YEAR}&where[colour]=red", "where[colour]", "channel"),
        (f"{KPI}?{YEAR}&where[channel][gt]=x", "where[channel][gt]", "where[channel]=VALUE"),
        (f"{KPI}?{YEAR}&where[channel=x", "where[channel", "where[FIELD]"),
        (f"{KPI}/records?{YEAR}&role=value", "role", "numerator, denominator"),
        (f"{KPI}/records?{YEAR}", "role", ""),
        (f"{KPI}/records?{YEAR}&role=numerator&cursor=WyJ4Il0", "cursor", ""),
        (f"{KPI}/explain?{YEAR}&since=now", "since", "2022-09-19T17:00:00+07:00"),
        ("/v1/entities/dossier?sort=colour", "sort", "received_at"),
        ("/v1/entities/dossier?where[status]=x", "where[status]", "whole number"),
        ("/v1/entities/dossier?where[applicant]=x", "where[applicant]", "channel"),
        ("/v1/entities/dossier?limit=5000", "limit", "1000"),
    ],
)
async def test_a_wrong_question_is_refused_with_the_parameter_and_what_is_allowed(
    world: World, path: str, parameter: str, allowed: str
) -> None:
    answer = await get(world, path)
    assert answer.status_code == 400, answer.text
    body = answer.json()
    assert parameter in {error["parameter"] for error in body["errors"]}
    assert allowed in answer.text


async def test_an_unknown_entity_is_refused_with_the_nearest(world: World) -> None:
    answer = await get(world, "/v1/entities/dosier")
    assert (answer.status_code, answer.json()["nearest"]) == (404, ["dossier"])
    assert (await get(world, "/v1/entities/dossier/none")).status_code == 404
