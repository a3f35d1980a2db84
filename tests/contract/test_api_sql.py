"""`/v1/sql` and files: what is asked runs read-only and bounded, what is cut off is told, files open where meant."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pyarrow.parquet as pq
import pytest
from python_calamine import CalamineWorkbook

from hub.api.app import create_api
from hub.api.deps import ApiDeps
from hub.catalogue.registered import Versions
from hub.catalogue.service import Catalogue
from hub.config import Settings
from hub.declarations import load_declarations
from hub.sql.desk import SqlDesk
from hub.sql.saved import SavedQueries
from tests.contract.api_world import KeysInMemory, RegistryInMemory
from tests.dossiers import dossier
from tests.told import Told, told

YEAR = "from=2022-01-01&to=2022-12-31"
AT = datetime(2022, 9, 18, 2, 0, tzinfo=UTC)


class Slow:
    """The warehouse, but one statement waits until it is ended."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.ended, self.waiting = inner, threading.Event(), threading.Event()

    def result(self, sql: str, parameters: dict[str, Any], settings: dict[str, Any]) -> Any:
        assert settings["readonly"] == 1
        if "wait for it" in sql:
            self.mark = settings["log_comment"]
            self.waiting.set()
            assert self.ended.wait(60)
        return self.inner.result(sql, parameters, {"max_threads": 1})

    def command(self, sql: str, settings: Any = None) -> None:
        assert sql == f"KILL QUERY WHERE Settings['log_comment'] = '{self.mark}' ASYNC"
        self.ended.set()


World = tuple[Told, Any, Slow]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with told() as made:
        made.feed([dossier(number, 1, 9, org_code=f"H53.{14 + number % 2}") for number in range(40)], AT)
        declared = load_declarations(Settings())
        versions = Versions(RegistryInMemory(), lambda: made.now)
        catalogue = Catalogue(declared, made.service, made.service.reader, versions, lambda: declared.manifests)
        slow = Slow(made.core.warehouse)
        in_use = {"dossier": declared.contracts["dossier"]}
        desk = SqlDesk(
            slow, slow, in_use, made.service.plans, [declared.codes["org"]], made.service.served, lambda: made.now
        )
        saved = SavedQueries(tmp_path_factory.mktemp("saved") / "queries.json", lambda: made.now)
        reader = made.service.reader
        deps = ApiDeps(made.service, reader, KeysInMemory(), catalogue=catalogue, sql=desk, saved=saved)
        yield made, create_api(deps), slow


def client_of(world: World, key: str = "key-of-operator") -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=world[1], raise_app_exceptions=False)
    headers = {"Accept-Language": "en", "Authorization": f"Bearer {key}"}
    return httpx2.AsyncClient(transport=transport, base_url="http://hub", headers=headers)


async def ask(world: World, sql: str, key: str = "key-of-operator", **more: str) -> Any:
    async with client_of(world, key) as client:
        return await client.get("/v1/sql", params={"query": sql, **more})


async def test_a_question_in_sql_is_answered_with_types_and_what_was_cut_off_is_told(world: World) -> None:
    sql = "SELECT org_code, count() AS n FROM dossier WHERE status = {status:Int32} GROUP BY 1 ORDER BY n, org_code"
    body = (await ask(world, sql, param_status="9")).json()
    assert body["columns"] == [
        {"name": "org_code", "type": "LowCardinality(String)", "unit": None},
        {"name": "n", "type": "UInt64", "unit": None},
    ]
    assert (body["rows"], body["truncated"], body["tables"]) == ([["H53.14", 20], ["H53.15", 20]], False, ["dossier"])
    cut = (await ask(world, "SELECT entity_key FROM dossier", limit="7")).json()
    assert (cut["row_count"], cut["truncated"], cut["limit"]) == (7, True, 7)
    exact = (await ask(world, "SELECT entity_key FROM dossier", limit="40")).json()
    assert (exact["row_count"], exact["truncated"]) == (40, False)
    rollup = (await ask(world, "SELECT sum(received) AS n FROM dossier_by_received_at")).json()
    assert (rollup["rows"], rollup["columns"][0]["unit"]) == ([[40]], "dossiers")
    most, every = "SELECT max(fee) AS most, 1 AS fee FROM dossier", "SELECT * FROM dossier"
    for asked, wanted in (
        (most, {"most": "VND"}),
        (every, {"fee": "VND", "level": "level", "rating": "points", "status": "code"}),
    ):
        columns = (await ask(world, asked)).json()["columns"]
        assert {column["name"]: column["unit"] for column in columns if column["unit"]} == wanted
    changes = (await ask(world, "SELECT kind, sign, max(offset) FROM dossier_changes GROUP BY kind, sign")).json()
    assert changes["rows"] == [["applied", 1, 39]]


@pytest.mark.parametrize(
    ("sql", "status", "named"),
    [
        ("SELECT * FROM file('/etc/passwd')", 400, "file"),
        ("SELECT 1 INTO OUTFILE '/tmp/stolen'", 400, "INTO OUTFILE"),
        ("DROP TABLE dossier", 400, "reading only"),
        ("SELECT applicant FROM dossier", 422, "applicant"),
        ("SELECT colour FROM dossier", 422, "colour"),
        ("SELECT {x:Int32}", 400, "param_x"),
    ],
)
async def test_what_is_not_allowed_is_refused_in_words_and_shows_no_trace(
    world: World, sql: str, status: int, named: str
) -> None:
    answer = await ask(world, sql)
    assert answer.status_code == status and named in answer.text
    assert "Traceback" not in answer.text and "DB::Exception" not in answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert not Path("/tmp/stolen").exists()


@pytest.mark.parametrize(
    ("sql", "place", "nearest"),
    [
        ("SELECT count()\nFROM dosier", {"line": 2, "column": 6}, "dossier"),
        ("SELECT\n  toStartOfMont(received_at) FROM dossier", {"line": 2, "column": 3}, "toStartOfMonth"),
        ("SELECT org_code, statu FROM dossier", {"line": 1, "column": 18}, "status"),
        ("SELECT 1\nFROM dossier WHERE (", {"line": 2, "column": 20}, None),
    ],
)
async def test_a_fault_has_its_place_and_what_may_be_meant(
    world: World, sql: str, place: dict[str, int], nearest: str | None
) -> None:
    told = (await ask(world, sql)).json()
    assert told["place"] == place
    assert "scope" not in told["detail"] and "_current" not in told["detail"]
    assert nearest is None or nearest in told["nearest"]


async def test_a_parameter_with_a_wrong_value_is_named_with_its_type(world: World) -> None:
    told = await ask(world, "SELECT {n:Int32}, {day:Date}", param_n="three", param_day="2022-09-19")
    assert (told.status_code, told.json()["errors"][0]["parameter"]) == (400, "param_n")
    assert "Int32" in told.text


async def test_the_page_asks_shows_units_says_what_is_cut_off_and_shares(world: World) -> None:
    async with client_of(world) as client:
        empty = (await client.get("/sql")).text
        assert "Begin with an example" in empty and "Nothing is saved yet" in empty
        sql = "SELECT entity_key, fee FROM dossier WHERE status = {status:Int32}"
        waiting = (await client.get("/sql", params={"query": sql})).text
        assert 'name="param_status"' in waiting and "Give status a value" in waiting and 'class="figures' not in waiting
        shown = (await client.get("/sql", params={"query": sql, "param_status": "9", "limit": "7"})).text
        assert "VND</small>" in shown and "Truncated: only the first 7 rows" in shown
        assert "/v1/sql.xlsx?query=SELECT+entity_key" in shown and "param_status=9" in shown
        made = await client.post("/sql/saved", data={"name": "Phí", "query": sql, "values": "param_status=9"})
        assert made.status_code == 303 and made.headers["location"].endswith("&param_status=9")
    async with client_of(world, "key-of-admin") as other:
        opened = (await other.get(made.headers["location"])).text
        assert "<h1>Phí</h1>" in opened and "VND</small>" in opened
        mine = made.headers["location"].split("saved=")[1].split("&")[0]
        assert (await other.post(f"/sql/saved/{mine}/delete")).status_code == 303
        assert (await other.get(made.headers["location"])).status_code == 404


async def test_the_page_shows_a_fault_in_its_line_and_is_not_for_departments(world: World) -> None:
    async with client_of(world) as client:
        wrong = await client.get("/sql", params={"query": "SELECT 1\nFROM dosier"})
        assert wrong.status_code == 400
        assert "Line 2, column 6" in wrong.text and "FROM dosier\n     ^</pre>" in wrong.text
        assert "<code>dossier</code>" in wrong.text.split("Did you mean")[1]
        assert (await client.get("/sql", params={"query": "SELECT 1; DROP TABLE dossier"})).status_code == 400
        named = await client.get("/sql", params={"query": "SELECT {n:Int32}", "param_n": "x"})
        assert named.status_code == 400 and "param_n" in named.text
    async with client_of(world, "key-of-department") as client:
        page = await client.get("/sql", headers={"accept": "text/html"})
        assert page.status_code == 403 and 'href="/sql"' not in page.text


async def test_free_sql_is_not_for_departments(world: World) -> None:
    for key in ("key-of-department", "key-of-a-service"):
        assert (await ask(world, "SELECT 1", key)).status_code == 403
    assert (await ask(world, "SELECT 1", "key-of-admin")).status_code == 200


async def test_a_saved_query_has_an_address_that_others_can_run(world: World) -> None:
    async with client_of(world) as client:
        bad = await client.post("/v1/sql/saved", json={"name": "x", "query": "DROP TABLE dossier"})
        assert bad.status_code == 400
        made = await client.post(
            "/v1/sql/saved",
            json={"name": "Theo đơn vị", "query": "SELECT count() FROM dossier WHERE org_code = {org:String}"},
        )
        assert made.status_code == 201
        address = made.json()["url"]
        assert made.json()["id"] in [item["id"] for item in (await client.get("/v1/sql/saved")).json()["items"]]
    async with client_of(world, "key-of-admin") as client:
        assert (await client.get(f"{address}&param_org=H53.14")).json()["rows"] == [[20]]
        assert (await client.delete(f"/v1/sql/saved/{made.json()['id']}")).status_code == 204
        assert (await client.get(address)).status_code == 404


async def test_a_statement_is_ended_when_the_client_leaves(world: World) -> None:
    slow = world[2]
    received = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if not received.is_set():
            received.set()
            return {"type": "http.request", "body": b"", "more_body": False}
        if not slow.waiting.is_set():
            await asyncio.sleep(3600)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        """Nobody is there."""

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": "/v1/sql",
        "raw_path": b"/v1/sql", "query_string": b"query=SELECT%20%27wait%20for%20it%27", "scheme": "http",
        "headers": [(b"authorization", b"Bearer key-of-operator")], "client": ("x", 1), "server": ("hub", 80),
        "root_path": "",
    }  # fmt: skip
    await asyncio.wait_for(world[1](scope, receive, send), 60)
    assert slow.ended.is_set()


async def test_files_open_where_they_are_meant(world: World, tmp_path: Path) -> None:
    async with client_of(world, "key-of-admin") as client:
        plain = await client.get("/v1/entities/dossier.csv")
        rows = list(csv.DictReader(io.StringIO(plain.text)))
        assert len(rows) == 40 and rows[0]["received_at"].endswith("Z") and "applicant" not in rows[0]
        excel = (await client.get(f"/v1/kpis/dossier.online_share.csv?{YEAR}&by=channel&excel=true")).content
        assert excel.startswith(b"\xef\xbb\xbf") and b";" in excel and b"100,0" in excel
        book = await client.get(f"/v1/kpis/dossier.received.xlsx?{YEAR}&grain=month")
        (tmp_path / "book.xlsx").write_bytes(book.content)
        sheet = CalamineWorkbook.from_path(tmp_path / "book.xlsx").get_sheet_by_index(0).to_python()
        assert len(sheet) == 13 and sum(float(str(line[1] or 0)) for line in sheet[1:]) == 40
        parquet = await client.get("/v1/entities/dossier.parquet?where[org_code]=H53.14")
        table = pq.read_table(io.BytesIO(parquet.content))
        assert table.num_rows == 20 and str(table.schema.field("received_at").type) == "timestamp[ms, tz=UTC]"
        whole = await client.get("/v1/entities/dossier.json?sort=-received_at")
        assert len(json.loads(whole.text)) == 40
        listed = await client.get(f"/v1/kpis.csv?{YEAR}")
        assert "dossier.received" in listed.text
        sql = await client.get("/v1/sql.csv", params={"query": "SELECT entity_key FROM dossier", "limit": "5"})
        assert sql.headers["x-truncated"] == "true" and len(sql.text.splitlines()) == 6
        for path in ("/v1/kpis.pdf", "/v1/sql.pdf?query=SELECT%201", "/v1/entities/dossier.xlsx?excel=true"):
            assert (await client.get(path)).status_code == 400


async def test_a_key_that_asks_too_often_waits_and_others_do_not_suffer(world: World) -> None:
    made = world[0]
    deps = ApiDeps(made.service, made.service.reader, KeysInMemory(), requests_per_s=1.0)
    calm: World = (made, create_api(deps), world[2])
    async with client_of(calm) as client:
        answers = [await client.get("/v1/kpis/dossier.received") for _ in range(3)]
    assert [answer.status_code for answer in answers[:2]] == [200, 200]
    assert answers[2].status_code in (200, 429)
    async with client_of(calm) as client:
        more = [(await client.get("/v1/kpis/dossier.received")) for _ in range(4)]
    held = [answer for answer in more if answer.status_code == 429]
    assert held and int(held[0].headers["retry-after"]) >= 1
    assert held[0].json()["type"] == "/problems/too-many-requests"
    async with client_of(calm, "key-of-department") as client:
        assert (await client.get("/v1/kpis/dossier.received")).status_code == 200


async def test_a_burst_of_one_question_costs_one_answer_and_no_key_is_given_anothers(world: World) -> None:
    made = world[0]
    path = f"/v1/kpis/dossier.received?{YEAR}"
    async with client_of(world, "key-of-admin") as admin, client_of(world, "key-of-department") as unit:
        whole, mine = await asyncio.gather(
            asyncio.gather(*(admin.get(path) for _ in range(20))), asyncio.gather(*(unit.get(path) for _ in range(20)))
        )
        assert {answer.json()["value"] for answer in whole} == {40}
        assert {answer.json()["value"] for answer in mine} == {20}
        assert len({answer.content for answer in whole}) <= 2
        before = whole[0].json()
        await asyncio.to_thread(made.feed, [dossier(100, 1, 9, org_code="H53.14")], AT)
        deadline = time.monotonic() + 60
        while (now := (await admin.get(path)).json())["value"] == before["value"] and time.monotonic() < deadline:
            assert now["as_of"] <= before["as_of"], "an answer is never older than it says"
            made.clock[0] += timedelta(seconds=1)
            await asyncio.sleep(0.05)
        assert now["value"] == 41 and now["as_of"] >= before["as_of"]
