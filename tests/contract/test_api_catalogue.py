"""The catalogue over HTTP and as pages: fields, sources, volumes, lineage, versions, downloads; each role its own."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from python_calamine import CalamineWorkbook

from hub.catalogue.downloads import FORMATS
from schemas.contract import load_contracts
from tests.contract.api_world import ApiWorld, api_world

PAGE = {"Accept": "text/html"}
DOSSIER = load_contracts()["dossier"]


@pytest.fixture
def world() -> Iterator[ApiWorld]:
    with api_world() as made:
        yield made


def two_versions(world: ApiWorld) -> None:
    before: dict[str, Any] = copy.deepcopy(DOSSIER.schema)
    before["fields"] = [field for field in before["fields"] if field["name"] != "rating"]
    world.registered.schemas[DOSSIER.subject] = [json.dumps(before), DOSSIER.schema_text]


async def test_the_list_has_every_contract_those_in_use_first_with_what_is_known(world: ApiWorld) -> None:
    world.ledger("dossier", "portal", applied=90)
    async with world.client() as client:
        items = (await client.get("/v1/catalogue")).json()["items"]
    assert {item["entity"] for item in items} == set(load_contracts())
    assert [item["in_use"] for item in items] == sorted([item["in_use"] for item in items], reverse=True)
    dossier = next(item for item in items if item["entity"] == "dossier")
    assert (dossier["volume"]["records"], dossier["volume"]["usable_percent"]) == (90, 100.0)
    assert dossier["personal"] == "sensitive"
    assert [source["connector"] for source in dossier["sources"]] == ["portal"]
    assert "dossier.on_time_share" in [kpi["id"] for kpi in dossier["kpis"]]
    staff = next(item for item in items if item["entity"] == "staff")
    assert (staff["aggregate"], staff["personal"], staff["sources"]) == (True, None, [])


async def test_quality_counts_what_was_refused(world: ApiWorld) -> None:
    world.ledger("feedback", "1022", applied=3)
    world.queries.command(
        "INSERT INTO ledger (entity, source_system, partition, day, quarantined) VALUES ('feedback', '1022', 0,"
        " '2026-11-20', 1)"
    )
    async with world.client() as client:
        volume = (await client.get("/v1/catalogue/feedback")).json()["volume"]
    assert (volume["records"], volume["quarantined"], volume["usable_percent"]) == (4, 1, 75.0)
    assert (volume["records_30_days"], volume["in_topic"]) == (1, 12)


async def test_one_entity_has_its_fields_with_lineage_in_the_language_asked_for(world: ApiWorld) -> None:
    async with world.client(language="en") as client:
        body = (await client.get("/v1/catalogue/dossier")).json()
        vi = (await client.get("/v1/catalogue/dossier?lang=vi")).json()
    fields = {field["name"]: field for field in body["fields"]}
    assert list(fields) == [field.name for field in DOSSIER.fields]
    assert fields["channel"]["sources"] == [{"connector": "portal", "path": "kenh"}]
    assert "dossier.online_share" in fields["channel"]["kpis"]
    assert (fields["fee"]["unit"], fields["fee"]["doc"]) == ("VND", "Fee.")
    assert vi["fields"][20]["doc"] == "Phí, lệ phí."
    assert set(body["downloads"]) == set(FORMATS)


async def test_versions_come_with_readable_differences(world: ApiWorld) -> None:
    two_versions(world)
    async with world.client(language="en") as client:
        items = (await client.get("/v1/catalogue/dossier/versions")).json()["items"]
        assert [(item["version"], item["current"]) for item in items] == [(2, True), (1, False)]
        assert [change["path"] for change in items[0]["changes"]] == ["rating"]
        back = (await client.get("/v1/catalogue/dossier/diff?from=2&to=1")).json()["items"]
        assert [(item["path"], item["text"]) for item in back] == [("rating", "field removed")]
        missing = await client.get("/v1/catalogue/dossier/diff?from=1&to=3")
        assert (missing.status_code, missing.json()["errors"][0]["parameter"]) == (400, "to")
        assert "2, 1" in missing.text
        assert (await client.get("/v1/catalogue/dossier/diff?from=1")).status_code == 400
        assert (await client.get("/v1/catalogue/meeting/versions")).json()["items"] == []


async def test_an_away_registry_or_warehouse_leaves_the_rest_readable(world: ApiWorld) -> None:
    world.registered.away = True
    world.down = True
    async with world.client() as client:
        assert (await client.get("/v1/catalogue/dossier/versions")).json()["items"] is None
        body = (await client.get("/v1/catalogue/dossier")).json()
        assert (body["volume"], len(body["fields"])) == (None, len(DOSSIER.fields))
        page = await client.get("/catalogue/dossier", headers=PAGE)
        assert page.status_code == 200
        assert "Danh bạ lược đồ không trả lời" in page.text
        assert (await client.get("/catalogue", headers=PAGE)).status_code == 200


@pytest.mark.parametrize("form", FORMATS)
async def test_every_download_is_a_file_of_its_kind(world: ApiWorld, form: str) -> None:
    async with world.client() as client:
        answer = await client.get(f"/v1/catalogue/dossier/download/{form}")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="dossier{FORMATS[form][0]}"'
    if form == "xlsx":
        assert CalamineWorkbook.from_filelike(io.BytesIO(answer.content)).sheet_names == ["dossier"]
    elif form == "md":
        assert answer.text.startswith("# Hồ sơ thủ tục hành chính")
    elif form == "avsc":
        assert answer.json() == DOSSIER.schema
    else:
        jsonschema.Draft202012Validator.check_schema(answer.json())


async def test_the_whole_dictionary_is_one_workbook(world: ApiWorld) -> None:
    async with world.client() as client:
        answer = await client.get("/v1/catalogue.xlsx")
    assert CalamineWorkbook.from_filelike(io.BytesIO(answer.content)).sheet_names == ["Danh mục", *load_contracts()]


@pytest.mark.parametrize(
    ("path", "status", "slug", "said"),
    [
        ("/v1/catalogue/dosier", 404, "unknown-entity", "dossier"),
        ("/v1/catalogue/dosier/download/xlsx", 404, "unknown-entity", "dossier"),
        ("/v1/catalogue/dossier/download/pdf", 400, "invalid-parameter", "avsc, json-schema, md, xlsx"),
        ("/v1/catalogue?entity=dossier", 400, "unknown-parameter", "entity"),
        ("/v1/catalogue/dossier/diff?from=0&to=1", 400, "invalid-parameter", "from"),
    ],
)
async def test_what_is_asked_wrongly_is_said(world: ApiWorld, path: str, status: int, slug: str, said: str) -> None:
    async with world.client() as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")
    assert said in answer.text


async def test_a_department_reads_what_data_mean_and_only_its_own_sources_and_volumes(world: ApiWorld) -> None:
    world.ledger("dossier", "portal")
    world.ledger("feedback", "1022")
    async with world.client("key-of-department") as client:
        items = {item["entity"]: item for item in (await client.get("/v1/catalogue")).json()["items"]}
        assert (items["dossier"]["volume"]["records"], len(items["dossier"]["sources"])) == (10, 1)
        assert (items["feedback"]["volume"]["records"], items["feedback"]["sources"]) == (0, [])
        assert items["feedback"]["volume"]["in_topic"] is None
    for key in ("key-without-unit", "key-of-a-service", "key-of-nobody"):
        async with world.client(key) as client:
            for path in ("/v1/catalogue", "/v1/catalogue/dossier", "/v1/catalogue.xlsx", "/catalogue"):
                assert (await client.get(path)).status_code == 403, (key, path)


@pytest.mark.parametrize("language", ["vi", "en"])
async def test_the_pages_are_tables_that_need_no_script(world: ApiWorld, language: str) -> None:
    two_versions(world)
    async with world.client(language=language) as client:
        listed = await client.get("/catalogue", headers=PAGE)
        assert listed.text.count('<tr id="entity-') == len(load_contracts())
        for entity in load_contracts():
            answer = await client.get(f"/catalogue/{entity}", headers=PAGE)
            assert answer.status_code == 200, entity
            assert answer.text.count('<tr id="field-') == len(load_contracts()[entity].fields)
        compared = await client.get("/catalogue/dossier?from=1&to=2", headers=PAGE)
        assert "<code>rating</code>" in compared.text
        assert 'href="/kpi/dossier.online_share"' in compared.text
        for text in (listed.text, compared.text):
            assert "catalogue." not in text.replace("/v1/catalogue.xlsx", ""), "a message is missing"
            assert " style=" not in text
