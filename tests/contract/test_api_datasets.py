"""`/v1/health`: freshness, the reason for a state, incidents; each unit sees its own."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from hub.api.datasets import Datasets
from hub.health.consumer import Shown, Status
from hub.health.flow import Flow
from hub.health.group import PartitionHealth
from hub.health.incident import Incident
from hub.health.lag import Behind
from hub.health.observation import Observation, slot, to_json
from hub.monitor import judge_all
from hub.observation_book import ObservationBook
from tests.contract.api_world import ApiWorld, api_world

MINUTE = 60_000


class Book:
    """Incidents by hand."""

    def __init__(self, *incidents: Incident) -> None:
        self._incidents = incidents

    def all(self) -> tuple[Incident, ...]:
        return self._incidents

    def since(self, time: Any) -> tuple[Incident, ...]:
        return tuple(one for one in self._incidents if one.ended is None or one.ended >= time)


@pytest.fixture
def world() -> Iterator[ApiWorld]:
    with api_world() as made:
        made.ledger("dossier", "portal")
        made.statuses["portal"] = report(made)
        yield made


def report(world: ApiWorld, **changes: Any) -> Any:
    now = int(world.now.timestamp() * 1000)
    told = {
        "state": "running", "at": now, "last_poll_ok": now - MINUTE, "last_event_time": now - MINUTE,
        "last_ingest": now - MINUTE, "last_published": now - MINUTE, "last_refused": None, "last_advance": now - MINUTE,
        "lag_steady_since": None, "last_lag_ms": 1000, "outdated": 0, "outdated_from": None, "outdated_to": None,
        "counted_since": now - 60 * MINUTE, "received": 10, "published": 10, "quarantined": 0,
        "errors": 0, "last_error": None,
    }  # fmt: skip
    return SimpleNamespace(**(told | changes))


async def test_every_data_set_has_its_state_age_and_contact(world: ApiWorld) -> None:
    async with world.client() as client:
        items = {item["dataset"]: item for item in (await client.get("/v1/health/datasets")).json()["items"]}
    assert items["portal"]["state"] == "on_time"
    assert items["portal"]["age_s"] == 60.0
    assert items["feedback-1022"]["state"] == "unknown"


async def test_why_marks_the_failing_stage_and_names_the_kpis_that_go_stale(world: ApiWorld) -> None:
    now = int(world.now.timestamp() * 1000)
    error = {"code": "source_down", "message_vi": "trả lời 500", "message_en": "answers 500", "at": now}
    world.statuses["portal"] = report(world, last_error=error)
    async with world.client(language="en") as client:
        (found,) = (await client.get("/v1/health/datasets/portal")).json()["items"]
        by_entity = (await client.get("/v1/health/datasets/dossier")).json()["items"]
    assert (found["state"], found["failing"]) == ("source_down", "source")
    source = next(stage for stage in found["stages"] if stage["stage"] == "source")
    assert (source["ok"], source["error"], source["error_text"]) == (False, "source_down", "answers 500")
    assert "dossier.received" in {item["kpi"] for item in found["stale"]}
    assert all(not item["kpi"].startswith("feedback.") for item in found["stale"])
    assert by_entity == [found]


async def test_refusals_are_told_by_rule(world: ApiWorld) -> None:
    world.quarantine(1)
    world.quarantine(2)
    now = int(world.now.timestamp() * 1000)
    world.statuses["portal"] = report(world, last_refused=now)
    async with world.client(language="en") as client:
        (found,) = (await client.get("/v1/health/datasets/portal")).json()["items"]
    assert (found["state"], found["failing"]) == ("rejected", "contract")
    assert [(one["code"], one["reason"], one["records"]) for one in found["refused"]] == [("bad_date", "Bad date", 2)]


async def test_a_stream_that_stands_is_told_with_its_lag_by_partition(world: ApiWorld) -> None:
    place = PartitionHealth(Behind(40, 12.0), shown=Shown(Status.STALL))
    way = SimpleNamespace(partitions=lambda entity: {0: place} if entity == "dossier" else {})
    deps = world.app.state.deps
    around = deps.kpis.around
    object.__setattr__(around, "flow", lambda entity: Flow(stream=Status.STALL))
    world.app.state.datasets = Datasets(deps.kpis, deps.reader, None, way)  # type: ignore[arg-type]
    async with world.client() as client:
        (found,) = (await client.get("/v1/health/datasets/portal")).json()["items"]
    assert (found["state"], found["failing"]) == ("stuck_stream", "stream")
    stream = next(stage for stage in found["stages"] if stage["stage"] == "stream")
    assert (stream["lag"], stream["status"], stream["lag_seconds"]) == ({"0": 40}, {"0": "stall"}, 12.0)


async def test_with_the_warehouse_away_the_chain_says_so(world: ApiWorld) -> None:
    world.down = True
    world.app.state.datasets = Datasets(world.app.state.deps.kpis, world.app.state.deps.reader, None, None)
    async with world.client() as client:
        answer = await client.get("/v1/health/datasets/portal")
    (found,) = answer.json()["items"]
    warehouse = next(stage for stage in found["stages"] if stage["stage"] == "warehouse")
    assert (warehouse["ok"], warehouse["answers"], found["refused"]) == (None, False, None)
    assert found["failing"] is None, "one question without an answer is no outage yet"
    around = world.app.state.deps.kpis.around
    object.__setattr__(around, "flow", lambda entity: Flow(warehouse="away"))
    async with world.client() as client:
        (found,) = (await client.get("/v1/health/datasets/portal")).json()["items"]
    assert (found["state"], found["failing"]) == ("stuck_warehouse", "warehouse")


async def test_incidents_are_summed_by_department(world: ApiWorld) -> None:
    hour = timedelta(hours=1)
    first = Incident("a", "portal", "H53.14", "dossier", "late", world.now - 5 * hour, world.now - 3 * hour)
    still = Incident("b", "portal", "H53.14", "dossier", "late", world.now - hour)
    other = Incident("c", "feedback-1022", "H53.20", "feedback", "late", world.now - hour)
    deps = world.app.state.deps
    world.app.state.datasets = Datasets(deps.kpis, deps.reader, Book(still, other, first), None)  # type: ignore[arg-type]
    async with world.client() as client:
        answer = (await client.get("/v1/health/incidents?days=1")).json()
    names = {one["department"]: one.pop("name") for one in answer["by_department"]}
    assert names == {feed.org: feed.department for feed in deps.kpis.around.feeds}
    assert answer["by_department"] == [
        {"department": "H53.14", "state": "late", "incidents": 2, "lasted_s": 10_800.0},
        {"department": "H53.20", "state": "late", "incidents": 1, "lasted_s": 3_600.0},
    ]
    async with world.client("key-of-department") as client:
        mine = (await client.get("/v1/health/incidents?days=1")).json()["items"]
        assert {one["dataset"] for one in mine} == {"portal"}
        assert [one["dataset"] for one in (await client.get("/v1/health/datasets")).json()["items"]] == ["portal"]
        assert (await client.get("/v1/health/datasets/feedback-1022")).status_code == 404


async def test_a_month_has_the_incidents_that_fall_into_it_and_of_each_its_part_of_the_month(world: ApiWorld) -> None:
    def at(text: str) -> datetime:
        return datetime.fromisoformat(f"{text}+07:00")

    before = Incident("a", "portal", "H53.14", "dossier", "late", at("2022-07-31T22:00"), at("2022-08-01T01:00"))
    within = Incident("b", "portal", "H53.14", "dossier", "late", at("2022-08-10T10:00"), at("2022-08-10T12:00"))
    after = Incident("c", "portal", "H53.14", "dossier", "late", at("2022-08-31T23:00"), at("2022-09-01T05:00"))
    none = Incident("d", "portal", "H53.14", "dossier", "late", at("2022-09-01T00:00"), at("2022-09-01T05:00"))
    deps = world.app.state.deps
    book = Book(none, after, within, before)
    world.app.state.datasets = Datasets(deps.kpis, deps.reader, book, None)  # type: ignore[arg-type]
    async with world.client() as client:
        answer = (await client.get("/v1/health/incidents?month=2022-08")).json()
        assert (await client.get("/v1/health/incidents?month=2022-13")).status_code == 400
    assert {one["incident"] for one in answer["items"]} == {"a", "b", "c"}
    (sums,) = answer["by_department"]
    assert (sums["incidents"], sums["lasted_s"]) == (3, 14_400.0)


async def test_the_judgement_of_a_monitor_beside_the_api_serves_whoever_asks_while_it_is_young(world: ApiWorld) -> None:
    deps, made = world.app.state.deps, judge_all(world.app.state.deps.kpis)
    world.app.state.datasets = Datasets(deps.kpis, deps.reader, None, None, judged=lambda: made)
    world.statuses.clear()
    async with world.client() as client:
        states = []
        for _ in range(2):
            items = (await client.get("/v1/health/datasets")).json()["items"]
            states.append({item["dataset"]: item["state"] for item in items}["portal"])
            world.now += timedelta(seconds=5)
    assert states == ["on_time", "unknown"]


async def test_why_a_data_set_is_late_says_that_only_old_rows_came(world: ApiWorld) -> None:
    yesterday = int(world.now.timestamp() * 1000) - 86_400_000
    world.statuses["portal"] = report(world, outdated=7, outdated_from=yesterday, outdated_to=yesterday)
    async with world.client() as client:
        (one,) = (await client.get("/v1/health/datasets/portal")).json()["items"]
        page = (await client.get("/integration/portal", headers={"Accept": "text/html"})).text
    assert (one["state"], one["failing"]) == ("late", "source")
    source = one["stages"][0]
    assert (source["outdated"], source["outdated_to"]) == (7, (world.now - timedelta(days=1)).isoformat())
    assert "lần liền chỉ trả dòng cũ hơn yêu cầu" in page


async def test_an_unknown_data_set_names_the_nearest(world: ApiWorld) -> None:
    async with world.client() as client:
        answer = await client.get("/v1/health/datasets/portl")
    assert answer.status_code == 404
    assert answer.json()["nearest"][0] == "portal"


@pytest.mark.parametrize("path", ["datasets", "datasets/portal", "datasets/portal/observations", "incidents"])
@pytest.mark.parametrize(("key", "status"), [(None, 401), ("key-of-a-service", 403), ("key-without-unit", 403)])
async def test_without_the_right_nothing_is_told(world: ApiWorld, path: str, key: str | None, status: int) -> None:
    async with world.client(key) as client:
        assert (await client.get(f"/v1/health/{path}")).status_code == status


async def test_pages_show_the_matrix_fourteen_days_and_the_chain(world: ApiWorld) -> None:
    hour = timedelta(hours=1)
    now = int(world.now.timestamp() * 1000)
    error = {"code": "source_down", "message_vi": "trả lời 500", "message_en": "answers 500", "at": now}
    world.statuses["portal"] = report(world, last_error=error)
    deps = world.app.state.deps
    past = Incident("a", "portal", "H53.14", "dossier", "late", world.now - 50 * hour, world.now - 48 * hour)
    world.app.state.datasets = Datasets(deps.kpis, deps.reader, Book(past), None)  # type: ignore[arg-type]
    async with world.client() as client:
        matrix = (await client.get("/integration", headers={"Accept": "text/html"})).text
        one = (await client.get("/integration/portal", headers={"Accept": "text/html"})).text
        missing = await client.get("/integration/nobody", headers={"Accept": "text/html"})
    assert "14 ngày qua" in matrix
    assert "Trễ, 2:00:00" in matrix
    assert 'class="bad"' in one
    assert "trả lời 500" in one
    assert "nghẽn ở đây" in one
    assert 'href="/kpi/dossier.received"' in one
    assert missing.status_code == 404
    async with world.client("key-of-another") as client:
        assert (await client.get("/integration/portal", headers={"Accept": "text/html"})).status_code == 404
        assert "/integration/portal" not in (await client.get("/integration", headers={"Accept": "text/html"})).text


async def test_a_page_draws_the_last_day_and_has_it_as_a_table_too(world: ApiWorld) -> None:
    seen = [
        Observation(world.now - timedelta(minutes=minute), "late" if minute == 70 else "on_time", 30.0 + minute, 5, 2.0)
        for minute in range(180)
        if minute != 100
    ]
    observe(world, {"portal": seen, "feedback-1022": []})
    async with world.client() as client:
        page = (await client.get("/integration/portal", headers={"Accept": "text/html"})).text
        empty = (await client.get("/integration/feedback-1022", headers={"Accept": "text/html"})).text
        told = (await client.get("/v1/health/datasets/portal/observations")).json()["items"]
    assert len(re.findall("<figure", page)) == 3
    age = json.loads(html.unescape(re.findall('data-chart="([^"]*)"', page)[0]))
    assert len(age["x"]) == len(age["series"][0]["values"]) == 180
    assert age["series"][0]["values"].count(None) == 1, "a minute in which nobody looked is a gap"
    assert (age["series"][0]["unit"], age["target"], age["timezone"]) == ("phút", 5.0, "Asia/Ho_Chi_Minh")
    assert "Tuổi dữ liệu: hiện 0,5 phút, cao nhất 3,48 phút" in page, "the small line says it in words"
    rows = re.findall(r'<tr><th scope="row" class="time">(.*?)</tr>', page, re.DOTALL)
    assert len(rows) == 4
    assert ["Trễ" in row for row in rows] == [False, False, True, False]
    assert len(told) == 179
    assert (told[0]["at"], told[-1]["age_s"], told[-1]["waiting"]) == (seen[-1].at.isoformat(), 30.0, 5)
    assert "<figure" not in empty
    assert "biểu đồ có từ phút thứ hai" in empty
    async with world.client("key-of-another") as client:
        assert (await client.get("/v1/health/datasets/portal/observations")).status_code == 404


def observe(world: ApiWorld, seen: dict[str, list[Observation]]) -> None:
    """What the monitor has written, read back through its book."""
    by_slot: dict[str, bytes] = {}
    for name, found in seen.items():
        for one in found:
            by_slot[slot(one.at)] = to_json({name: one}, one.at)
    deps, topic = world.app.state.deps, SimpleNamespace(items=lambda: by_slot)
    book = ObservationBook(topic)  # type: ignore[arg-type]
    world.app.state.datasets = Datasets(deps.kpis, deps.reader, Book(), None, book)  # type: ignore[arg-type]


async def test_an_error_that_begins_like_a_time_is_shown_as_it_is(world: ApiWorld) -> None:
    now = int(world.now.timestamp() * 1000)
    text = "5432 TCP: kết nối bị từ chối"
    error = {"code": "source_down", "message_vi": text, "message_en": text, "at": now}
    world.statuses["portal"] = report(world, last_error=error)
    async with world.client() as client:
        shown = await client.get("/integration/portal", headers={"Accept": "text/html"})
    assert (shown.status_code, text in shown.text) == (200, True)
