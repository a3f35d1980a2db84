"""The connectors' pages: form and YAML, trying and applying, uploads, a department's own page, who may do what."""

from __future__ import annotations

import html
import io
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer
from fastapi.routing import APIRoute
from python_calamine import CalamineWorkbook

from connectors.manifest_form import typed
from connectors.worker import Place
from hub.topics import ensure_topics
from hub.web import connector_pages, department_pages, upload_pages
from tests.connect_place import make_place
from tests.connect_world import CONTRACTS, manifest, without_login
from tests.contract.api_world import KEYS, ApiWorld, api_world
from tests.contract.desk_world import DeskWorld, apply, desk_world
from tests.portal_server import Portal, portal_server, record

PAGE = {"Accept": "text/html"}
UPLOADED = """\
id: visits
kind: files
entity: question
source_system: visits
name: {vi: Hỏi đáp, en: Questions}
owner: {department: Sở A, contact: B, org: ORG}
sla: {cadence_s: 86400}
source:
  place: {type: upload}
  pattern: "*.FORM"
  settle_s: 0
  format: {type: FORM, columns: {Mã: ma, Lúc: luc, Lĩnh vực: linh_vuc}}
mapping:
  event_id: {from: ma}
  source_system: {const: visits}
  org_code: {const: ORG}
  entity_key: {from: ma}
  revision: {from: _revision}
  op: {const: UPSERT}
  event_time: {from: luc, time: "%d/%m/%Y"}
  ingest_time: {ingest_time: true}
  admin_code: {const: "25459"}
  admin_codeset: {const: "2025"}
  field: {from: linh_vuc}
  channel: {const: WEB}
  status: {const: NEW}
  asked_at: {from: luc, time: "%d/%m/%Y"}
"""


@pytest.fixture(scope="module")
def place(kafka: str) -> Place:
    ensure_topics(kafka, [CONTRACTS["dossier"], CONTRACTS["question"]], 1, 1)
    return make_place(kafka)


@pytest.fixture(scope="module")
def portal() -> Iterator[Portal]:
    with portal_server([record(number) for number in range(20)]) as running:
        running.open = True
        yield running


@pytest.fixture(scope="module")
def api() -> Iterator[ApiWorld]:
    with api_world() as made:
        yield made


@pytest_asyncio.fixture
async def world(kafka: str, place: Place, portal: Portal, api: ApiWorld, tmp_path: Path) -> AsyncIterator[DeskWorld]:
    async with desk_world(kafka, place, api, portal, tmp_path) as made:
        yield made


def declared(name: str, org: str = "H53.14") -> str:
    return without_login(manifest(name, org=org))


def inputs(page: str) -> dict[str, str]:
    """The form's rows."""
    found = re.findall(r'name="row:([^"]*)" value="([^"]*)"', page)
    return {html.unescape(path): html.unescape(value) for path, value in found}


def text_in(page: str) -> str:
    found = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
    assert found is not None
    return html.unescape(found[1])


async def turn(client: httpx2.AsyncClient, text: str, act: str, rows: dict[str, str] | None = None, **more: Any) -> str:
    data = {"text": text, "act": act, "mode": "yaml" if rows is None else "form"}
    data |= {f"row:{path}": value for path, value in (rows or {}).items()} | more
    answer = await client.post("/connectors/editor", data=data, headers=PAGE)
    assert answer.status_code in (200, 422), answer.text
    return answer.text


async def test_form_and_yaml_lead_into_each_other_and_nothing_is_lost(world: DeskWorld) -> None:
    text = declared("round")
    async with world.client() as client:
        form = await turn(client, text, "form")
        rows = inputs(form)
        assert rows["source.paging.type"] == "token" and rows["mapping.fee.min"] == "0"
        assert text_in(await turn(client, text, "yaml", rows)) == text
        changed = rows | {"source.poll_interval_s": "5", "owner.contact": "Phòng “một cửa”: tầng 2 # 3"}
        made = text_in(await turn(client, text, "yaml", changed))
        assert made.replace("poll_interval_s: 5", "poll_interval_s: 0.2").count("\n") == text.count("\n")
        assert made.startswith("# Cổng dịch vụ công")
        again = inputs(await turn(client, made, "form"))
        assert {path: typed(value) for path, value in again.items()} == {
            path: typed(value) for path, value in changed.items()
        }
        grown = text_in(
            await turn(client, text, "yaml", rows, drop="mapping.fee.min", new_path="ignore", new_value="[x]")
        )
        assert "ignore: [x]" in grown and "fee: {from: lePhi}" in grown
        assert "YAML" in await turn(client, "a: [", "form")


async def test_a_manifest_is_checked_previewed_and_judged_on_the_page(world: DeskWorld) -> None:
    async with world.client() as client:
        text = declared("tried")
        checked = await turn(client, text, "check")
        assert "Đối chiếu hợp đồng dữ liệu" in checked and " ms" in checked
        previewed = await turn(client, text, "preview")
        assert "maHoSo = H53.14-220823-0000" in previewed and "Nguyễn Thị Bưởi" not in previewed
        assert "Có thể áp dụng" in await turn(client, text, "dry_run")
        untagged = text.replace("pii: [nguoiNop.hoTen, nguoiNop.cccd, nguoiNop.dienThoai]", "pii: []")
        judged = await turn(client, untagged, "dry_run")
        assert "Chưa được áp dụng" in judged and "nguoiNop.hoTen" in judged
        refused = await turn(client, untagged, "apply")
        assert "nguoiNop.hoTen" in refused and world.desk.parts.configs.get("tried") is None
        misspelt = await turn(client, text.replace("entity:", "entty:"), "apply")
        assert "entty" in misspelt and text_in(misspelt).startswith("# Cổng")


async def test_what_a_department_applies_waits_and_the_ioc_approves_it(world: DeskWorld) -> None:
    async with world.client("key-of-department") as department, world.client("key-of-operator") as ioc:
        answer = await apply(department, declared("awaits"))
        assert "chờ IOC duyệt" in answer.text
        shown = await department.get("/connectors/awaits", headers=PAGE)
        assert "Duyệt cho chạy" not in shown.text
        assert "awaits" in (await department.get("/department", headers=PAGE)).text
        assert "Duyệt cho chạy" in (await ioc.get("/connectors/awaits", headers=PAGE)).text
        stale = await ioc.post("/connectors/awaits/approve", data={"version": "7"})
        assert stale.status_code == 409
        assert (await ioc.post("/connectors/awaits/approve", data={"version": "1"})).status_code == 303
        for act, state in (("pause", "paused"), ("stop", "stopped"), ("reread", "running")):
            assert (await department.post(f"/connectors/awaits/{act}")).status_code == 303
            declared_now = world.desk.parts.configs.get("awaits")
            assert declared_now is not None and declared_now.target.state == state
        acts = [act.act for act in world.desk.parts.trail.of("awaits")]
        assert acts == ["applied", "approved", "paused", "stopped", "position_set", "resumed"]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
async def test_an_upload_is_told_row_by_row_and_gives_the_rows_to_correct(world: DeskWorld, form: str) -> None:
    header, good, bad = ["Mã", "Lúc", "Lĩnh vực"], ["h-1", "20/09/2022", "Đất đai"], ["h-2", "31/02/2022", "=1+1"]
    data = spreadsheet([header, good, bad, ["h-3", "21/09/2022", "Hộ tịch"]], form)
    text = UPLOADED.replace("ORG", "H53.14").replace("FORM", form)
    async with world.client() as client:
        assert (await apply(client, text)).status_code == 200
        path = "/connectors/visits/upload"
        assert "Mã, Lúc, Lĩnh vực" in (await client.get(path, headers=PAGE)).text
        wrong = await client.post(path, files={"file": ("x.pdf", b"x")}, headers=PAGE)
        assert wrong.status_code == 422 and f"*.{form}" in wrong.text
        looked = await client.post(path, files={"file": (f"../thang 9.{form}", data)}, headers=PAGE)
        assert looked.status_code == 200, looked.text
        assert "2 dòng đúng, 1 dòng bị từ chối" in looked.text
        assert re.search(r'<th scope="row">3</th>.*luc', looked.text), looked.text
        assert list(world.inbox.glob("visits/*")) == []
        token = re.search(r'name="token" value="(\w+)"', looked.text)
        assert token is not None
        corrected = await client.get(f"{path}/{token[1]}")
        rows = read_spreadsheet(corrected.content, form)
        assert rows[0][:3] == header and rows[0][3] == "Lý do bị từ chối"
        assert rows[1][:3] == bad and "luc" in rows[1][3] and str(rows[1][4]).rstrip(".0") == "3"
        mended = [rows[0], ["h-2", "28/02/2022", *rows[1][2:]]]
        again = await client.post(path, files={"file": (f"sua.{form}", spreadsheet(mended, form))}, headers=PAGE)
        assert "1 dòng đúng, 0 dòng bị từ chối" in again.text
        taken = await client.post(path, data={"token": token[1]}, files={"none": b""}, headers=PAGE)
        assert "Đã nạp" in taken.text
        (file,) = world.inbox.glob("visits/*")
        assert (file.name, file.read_bytes()) == (f"thang 9.{form}", data)
        gone = await client.post(path, data={"token": token[1]}, files={"none": b""}, headers=PAGE)
        assert gone.status_code == 422


def spreadsheet(rows: list[list[Any]], form: str) -> bytes:
    if form == "csv":
        return "\ufeff".encode() + "\r\n".join(";".join(map(str, row)) for row in rows).encode()
    import xlsxwriter

    made = io.BytesIO()
    with xlsxwriter.Workbook(made, {"in_memory": True, "strings_to_formulas": False}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    return made.getvalue()


def read_spreadsheet(data: bytes, form: str) -> list[list[Any]]:
    if form == "csv":
        assert data.startswith("\ufeff".encode())
        return [line.split(";") for line in data.decode("utf-8-sig").splitlines()]
    return CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0).to_python()


async def test_a_departments_page_shows_its_own_and_nothing_of_another(world: DeskWorld) -> None:
    world.api.quarantine(1, "portal")
    world.api.quarantine(2, "feedback-1022")
    world.api.ledger("dossier", "portal")
    async with world.client() as admin:
        for name, org in (("mine", "H53.14"), ("theirs", "H53.20")):
            assert (await apply(admin, declared(name, org))).status_code == 200
    async with world.client("key-of-department") as client:
        page = (await client.get("/department", headers=PAGE)).text
        assert "key14" in page and "key20" not in page
        assert "/quarantine?connector=portal" in page and "feedback-1022" not in page
        assert (await client.get("/department?org=H53.20", headers=PAGE)).status_code == 403
        assert (await client.get("/quarantine?connector=feedback-1022", headers=PAGE)).status_code == 403
    async with world.client("key-of-operator", "en") as client:
        page = (await client.get("/department", headers=PAGE)).text
        assert "key14" in page and "key20" in page and "Control totals" in page
        assert "key20" not in (await client.get("/department?org=H53.14", headers=PAGE)).text


async def test_refused_records_are_published_again_by_the_mapping_of_today(world: DeskWorld, kafka: str) -> None:
    text = UPLOADED.replace("ORG", "H53.14").replace("FORM", "csv").replace("id: visits", "id: again")
    payloads = {
        "fits": {"ma": "r-1", "luc": "20/09/2022", "linh_vuc": "Đất đai", "_revision": 5},
        "still-wrong": {"ma": "r-2", "luc": "31/02/2022", "linh_vuc": "Y tế", "_revision": 5},
        "masked": {"ma": "r-3", "luc": "20/09/2022", "linh_vuc": "•••", "_revision": 5},
    }
    for number, (name, payload) in enumerate(payloads.items()):
        world.api.queries.command(
            f"INSERT INTO quarantine VALUES ('again:{name}', 'again', 'map', 'bad_date', 'Sai ngày', 'Bad date', 't',"
            f" NULL, NULL, 'question', '2026-11-20 01:00:0{number}.000', '{json.dumps(payload, ensure_ascii=False)}')"
        )
    async with world.client() as client:
        assert (await apply(client, text)).status_code == 200
        answer = await client.post("/connectors/again/replay", data={"reason_code": "bad_date"}, headers=PAGE)
        assert answer.status_code == 200, answer.text
        assert re.findall(r"<dd>(\d+)</dd>", answer.text) == ["1", "1", "1"]
        nothing = await client.post("/connectors/again/replay", data={"reason_code": "other"}, headers=PAGE)
        assert re.findall(r"<dd>(\d+)</dd>", nothing.text) == ["0", "0", "0"]
    published = await messages(kafka, CONTRACTS["question"].topic)
    assert [key for key, _ in published] == [b"r-1"]
    (marked,) = [json.loads(value) for key, value in await messages(kafka, "ioc.quarantine") if key == b"again:fits"]
    assert marked["stage"] == "replayed" and marked["reason"].startswith("Đã phát lại bởi admin:")


async def test_a_person_mends_a_refused_record_and_the_trail_says_who_and_what(world: DeskWorld, kafka: str) -> None:
    text = UPLOADED.replace("ORG", "H53.14").replace("FORM", "csv").replace("id: visits", "id: mended")
    kept = {"ma": "m-1", "luc": "31/02/2022", "linh_vuc": "•••", "_revision": 5}
    world.api.queries.command(
        "INSERT INTO quarantine VALUES ('mended:a', 'mended', 'map', 'bad_date', 'Sai ngày', 'Bad date', 't', NULL,"
        f" NULL, 'question', '2026-11-20 01:00:00.000', '{json.dumps(kept, ensure_ascii=False)}')"
    )
    async with world.client() as client:
        assert (await apply(client, text)).status_code == 200
        entry = await client.get("/quarantine/mended:a", headers=PAGE)
        assert 'action="/connectors/mended/mend"' in entry.text and "31/02/2022" in entry.text

        async def send(record: str, **headers: str) -> httpx2.Response:
            form = {"entry": "mended:a", "record": record}
            answer: httpx2.Response = await client.post("/connectors/mended/mend", data=form, headers=headers or PAGE)
            return answer

        for wrong, said in (
            ('{"ma": ', "dòng 1, cột 8"),
            ("[1]", "Cần một đối tượng JSON"),
            (json.dumps(kept | {"luc": "28/02/2022"}), "Còn giá trị bị che"),
            (json.dumps(kept | {"linh_vuc": "Y tế"}), "không đọc được thời gian"),
        ):
            answer = await send(wrong)
            assert answer.status_code == 422 and said in answer.text, said
        assert b"m-1" not in [key for key, _ in await messages(kafka, CONTRACTS["question"].topic)]
        right = json.dumps(kept | {"luc": "28/02/2022", "linh_vuc": "Y tế"})
        done = await send(right, Accept="application/json")
        assert done.json() == {"published": 1, "mended": ["luc", "linh_vuc"]}
        assert "<code>mended:a: luc, linh_vuc</code>" in (await client.get("/connectors/mended", headers=PAGE)).text
    assert b"m-1" in [key for key, _ in await messages(kafka, CONTRACTS["question"].topic)]
    (mark,) = [json.loads(value) for key, value in await messages(kafka, "ioc.quarantine") if key == b"mended:a"]
    assert mark["stage"] == "replayed" and "luc, linh_vuc" in mark["reason"] and "Y tế" not in json.dumps(mark)


async def messages(bootstrap: str, topic: str) -> list[tuple[bytes, bytes]]:
    """All that a topic holds."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id=None)
    await consumer.start()
    try:
        left = sum((await consumer.end_offsets(consumer.assignment())).values())
        found = []
        while len(found) < left:
            message = await consumer.getone()
            found.append((message.key, message.value))
        return found
    finally:
        await consumer.stop()


ROUTES = [
    route
    for router in (connector_pages.router, department_pages.router, upload_pages.router)
    for route in router.routes
    if isinstance(route, APIRoute)
]
WRITERS, OPERATORS = {"key-of-admin", "key-of-department"}, {"key-of-admin", "key-of-operator", "key-of-department"}
MAY = {
    "/connectors": OPERATORS,
    "/connectors/new": WRITERS,
    "/connectors/{connector}": OPERATORS,
    "/connectors/{connector}/edit": WRITERS,
    "/connectors/editor": WRITERS,
    "/connectors/{connector}/approve": {"key-of-admin", "key-of-operator"},
    "/connectors/{connector}/{act}": OPERATORS,
    "/connectors/{connector}/replay": OPERATORS,
    "/connectors/{connector}/mend": OPERATORS,
    "/connectors/{connector}/upload": OPERATORS,
    "/connectors/{connector}/upload/{token}": OPERATORS,
    "/department": OPERATORS,
}


def test_the_matrix_knows_every_route() -> None:
    assert {route.path for route in ROUTES} == set(MAY)


async def test_each_role_reaches_its_own_connectors_and_nothing_else(world: DeskWorld) -> None:
    async with world.client() as admin:
        for org in ("H53.14", "H53.20"):
            text = UPLOADED.replace("ORG", org).replace("FORM", "csv").replace("id: visits", f"id: of-{org[-2:]}")
            assert (await apply(admin, text)).status_code == 200
    wrong = []
    for key in (None, *KEYS):
        async with world.client(key) as client:
            for route in ROUTES:
                for connector in ("of-14", "of-20"):
                    may = key in MAY[route.path]
                    if "{connector}" in route.path and connector == "of-20":
                        may = may and key != "key-of-department"
                    status = (await ask(client, route, connector)).status_code
                    reached = status not in (401, 403, 404)
                    if key == "key-of-another":
                        continue
                    if reached is not may or (key is None and status != 401):
                        wrong.append((key, route.path, connector, status))
    assert wrong == []


async def ask(client: httpx2.AsyncClient, route: APIRoute, connector: str) -> httpx2.Response:
    """A request that finds nothing to do once it is let in: a token that is none, a version that is none."""
    path = route.path.format(connector=connector, act="resume", token="0" * 32)
    if "GET" in route.methods:
        answer = await client.get(path)
        # A token that there is not is 404 for everybody; the form beside it tells who is let in.
        return await client.get(path.rpartition("/")[0]) if "{token}" in route.path else answer
    if path.endswith("upload"):
        return await client.post(path, files={"none": b""})
    return await client.post(path, data={"version": "99", "act": "yaml", "mode": "yaml", "text": "a: 1"})
