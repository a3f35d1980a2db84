"""The code tables over HTTP: read by day, taken out, compared, replaced; and their pages, over a real topic."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx2
import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from prometheus_client import CollectorRegistry

from connectors.compacted import CompactedTopic
from connectors.live_codes import LiveCodes
from hub.api.app import create_api
from hub.codes_desk import CodesDesk
from hub.config import Settings
from hub.declarations import load_declarations
from schemas.codes_table import as_csv, load_code_tables
from tests.contract.api_world import ApiWorld, api_world
from tests.stack import ROOT

SEEDS = load_code_tables()
DECLARED = load_declarations(Settings(connectors_dir=ROOT / "deploy" / "departments"))
NEW_LIMIT = "AIR:SO2,AIR,SO2,,300,Quyết định của tỉnh (1 giờ),2027-01-01,\n"


@pytest.fixture(scope="module")
def world() -> Iterator[ApiWorld]:
    with api_world() as made:
        yield made


@asynccontextmanager
async def desk(kafka: str) -> AsyncIterator[CodesDesk]:
    name = f"codes-{uuid.uuid4().hex[:8]}"
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    admin.create_topics([NewTopic(name, 1, 1, topic_configs={"cleanup.policy": "compact"})])
    admin.close()
    codes = LiveCodes(CompactedTopic(kafka, name, keep_values=False), SEEDS)
    await codes.topic.start()
    try:
        yield CodesDesk(codes, DECLARED, lambda: 1_800_000_000_000)
    finally:
        await codes.topic.stop()


@asynccontextmanager
async def client(
    world: ApiWorld, codes: CodesDesk, key: str = "key-of-admin", language: str = "en"
) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_api(replace(world.app.state.deps, codes=codes, metrics=CollectorRegistry()))
    headers = {"Accept-Language": language, "Authorization": f"Bearer {key}"}
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://hub", headers=headers) as asking:
        yield asking


def limits_with_a_new_one() -> str:
    """The province's own limit follows the national one on 1 January 2027."""
    old = "AIR:SO2,AIR,SO2,,350,QCVN 05:2023/BTNMT (1 giờ),2023-09-12,\n"
    assert old in as_csv(SEEDS["env_limit"])
    return as_csv(SEEDS["env_limit"]).replace(old, old[:-1] + "2026-12-31\n" + NEW_LIMIT)


async def test_a_limit_is_changed_by_a_file_after_its_diff_and_older_days_keep_theirs(
    world: ApiWorld, kafka: str
) -> None:
    async with desk(kafka) as codes, client(world, codes) as api:
        before = (await api.get("/v1/codes/env_limit")).json()
        assert (before["version"], before["applied_by"]) == (0, None)
        body = limits_with_a_new_one().encode()
        looked = (await api.post("/v1/codes/env_limit/diff", content=body)).json()
        assert [(each["kind"], each["code"], each["valid_from"]) for each in looked["changes"]] == [
            ("changed", "AIR:SO2", "2023-09-12"), ("added", "AIR:SO2", "2027-01-01"),
        ]  # fmt: skip
        assert looked["faults"] == [] and codes.version("env_limit") == 0
        applied = await api.put("/v1/codes/env_limit", params={"base": looked["base"]}, content=body)
        assert (applied.status_code, applied.json()["version"]) == (200, 1)
        on = {
            day: [
                row["limit_high"]
                for row in (await api.get("/v1/codes/env_limit", params={"on": day})).json()["rows"]
                if row["code"] == "AIR:SO2"
            ]
            for day in ("2022-09-19", "2026-11-20", "2027-01-01")
        }
        assert on == {"2022-09-19": ["350"], "2026-11-20": ["350"], "2027-01-01": ["300"]}
        late = await api.put("/v1/codes/env_limit", params={"base": 0}, content=body)
        assert (late.status_code, late.json()["type"]) == (409, "/problems/codes-moved")
        assert [item["applied_by"] for item in (await api.get("/v1/codes")).json()["items"] if item["version"]] == [
            "admin"
        ]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
async def test_a_table_taken_out_comes_back_unchanged(world: ApiWorld, kafka: str, form: str) -> None:
    async with desk(kafka) as codes, client(world, codes) as api:
        for name in ("admin_unit", "env_limit", "vendor_status", "feedback_field"):
            file = await api.get(f"/v1/codes/{name}/download/{form}")
            assert file.status_code == 200
            looked = await api.post(f"/v1/codes/{name}/diff", params={"file": f"{name}.{form}"}, content=file.content)
            assert (looked.json()["changes"], looked.json()["faults"]) == ([], []), name


async def test_what_cannot_be_used_is_refused_in_the_readers_language_and_changes_nothing(
    world: ApiWorld, kafka: str
) -> None:
    twice = as_csv(SEEDS["fonds"]).splitlines()
    cases = {
        "\n".join([*twice, twice[1]]): ("có hiệu lực hai lần", "in force twice"),
        "code,name_vi,valid_from\nA,B,2021-01-01\n": ("thiếu cột 'valid_to'", "the column 'valid_to' is missing"),
        "code,valid_from,valid_to\nA,01/07/2025,\n": ("không phải ngày", "is no day"),
    }
    async with desk(kafka) as codes:
        for language, place in (("vi", 0), ("en", 1)):
            async with client(world, codes, language=language) as api:
                for text, words in cases.items():
                    answer = await api.put("/v1/codes/fonds", params={"base": 0}, content=text.encode())
                    assert answer.status_code == 422 and words[place] in answer.json()["detail"]
        # A column that a mapping reads by name may not go.
        header, *rows = [line.split(",") for line in as_csv(SEEDS["quantity_unit"]).splitlines()]
        place = header.index("kilograms")
        without = "\n".join(",".join([*line[:place], *line[place + 1 :]]) for line in [header, *rows])
        async with client(world, codes) as api:
            answer = await api.put("/v1/codes/quantity_unit", params={"base": 0}, content=without.encode())
            assert answer.status_code == 422 and "is no known column" in answer.json()["detail"]
            assert (await api.get("/v1/codes/no_such_table")).json()["known"] == list(SEEDS)
        assert codes.tables() == SEEDS


async def test_only_an_administrator_changes_a_table(world: ApiWorld, kafka: str) -> None:
    body = limits_with_a_new_one().encode()
    async with desk(kafka) as codes:
        for key in ("key-of-operator", "key-of-department"):
            async with client(world, codes, key) as api:
                assert (await api.get("/v1/codes/env_limit")).status_code == 200
                assert (await api.put("/v1/codes/env_limit", params={"base": 0}, content=body)).status_code == 403
                shown = (await api.get("/codes/env_limit", headers={"Accept": "text/html"})).text
                assert "<textarea" not in shown
        assert codes.version("env_limit") == 0


async def test_the_page_shows_each_change_before_it_takes_effect(world: ApiWorld, kafka: str) -> None:
    async with desk(kafka) as codes, client(world, codes) as api:
        html = {"Accept": "text/html"}
        listed = (await api.get("/codes", headers=html)).text
        assert [name for name in SEEDS if f'href="/codes/{name}"' not in listed] == []
        file = {"file": ("env_limit.csv", limits_with_a_new_one().encode(), "text/csv")}
        looked = await api.post("/codes/env_limit", files=file, headers=html)
        assert looked.status_code == 200 and "2 changes, not applied yet" in looked.text
        assert "new, in force from 2027-01-01" in looked.text and codes.version("env_limit") == 0
        form = {"text": (None, limits_with_a_new_one()), "base": (None, "0")}
        done = await api.post("/codes/env_limit", files=form, headers=html)
        assert done.status_code == 200 and "2 changes applied" in done.text
        assert codes.version("env_limit") == 1
        shown = await api.get("/codes/env_limit", params={"on": "2027-02-01", "q": "SO2"}, headers=html)
        assert "Quyết định của tỉnh" in shown.text
        moved = await api.post("/codes/env_limit", files=form, headers=html)
        assert moved.status_code == 409 and "another version" in moved.text
        broken = await api.post("/codes/env_limit", files={"text": (None, "code\nA\n")}, headers=html)
        assert broken.status_code == 422 and "Nothing was changed" in broken.text
        empty = await api.post("/codes/env_limit", files={"text": (None, "")}, headers=html)
        assert empty.status_code == 422
