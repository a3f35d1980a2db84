"""`/v1/alerts` and the alert desk: life cycle with its trail, silences, and what each unit sees and may do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hub.alerts.alert import Act, Alert
from hub.alerts.book import AlertBook
from hub.alerts.desk import AlertDesk
from hub.alerts.rule_files import load_alert_rules
from hub.alerts.sending import Mark
from tests.contract.api_world import ApiWorld, api_world
from tests.unit.alert_worlds import AGAINST, TopicInMemory


@pytest.fixture
def world() -> Iterator[ApiWorld]:
    with api_world() as made:
        yield made


@pytest.fixture
async def desk(world: ApiWorld) -> AsyncIterator[AlertDesk]:
    """Three alerts: a department's, another's, and the province's."""
    made = AlertDesk(AlertBook(TopicInMemory()), load_alert_rules(AGAINST), lambda: world.now)
    world.app.state.deps = replace(world.app.state.deps, alerts=made)
    await made.book.write([alert(world, "own", "H53.14"), alert(world, "other", "H53.20"), alert(world, "ours", "")])
    yield made


def alert(world: ApiWorld, name: str, org: str) -> Alert:
    return Alert(
        name, "health.late", "portal", {"vi": "Dữ liệu trễ", "en": "Data are late"}, "ticket", "Sở Nội vụ", "đầu mối",
        org, world.now - timedelta(hours=1), facts={"state": "late"}, dataset="portal",
    )  # fmt: skip


async def test_an_alert_is_assigned_noted_and_handled_and_the_trail_says_by_whom(
    world: ApiWorld, desk: AlertDesk
) -> None:
    async with world.client("key-of-department") as client:
        (listed,) = (await client.get("/v1/alerts")).json()["items"]
        assert (listed["alert"], listed["state"], listed["holds"]) == ("own", "open", True)
        given = (await client.post("/v1/alerts/own/assign", json={"to": "Trần An"})).json()
        assert (given["state"], given["assignee"]) == ("assigned", "Trần An")
        world.now += timedelta(minutes=1)
        await client.post("/v1/alerts/own/notes", json={"text": "đã gọi"})
        world.now += timedelta(minutes=1)
        done = (await client.post("/v1/alerts/own/handle", json={"text": "đổi khóa"})).json()
        assert done["state"] == "handled"
        assert [(act["act"], act["by"], act["text"]) for act in done["acts"]] == [
            ("assigned", "department:d14", ""), ("noted", "department:d14", "đã gọi"),
            ("handled", "department:d14", "đổi khóa"),
        ]  # fmt: skip
        again = await client.post("/v1/alerts/own/handle", json={"text": "x"})
        assert (again.status_code, again.json()["type"]) == (409, "/problems/alert-handled")
        world.now += timedelta(minutes=1)
        taken_up = (await client.post("/v1/alerts/own/assign", json={"to": "Lê Bình"})).json()
        assert taken_up["state"] == "assigned"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/alerts/own/handle", {"text": "  "}, 400),
        ("/v1/alerts/own/handle", {}, 400),
        ("/v1/alerts/own/notes", {"text": "x", "colour": "red"}, 400),
        ("/v1/alerts/own/assign", {"to": " "}, 400),
        ("/v1/alerts/nothing/assign", {"to": "a"}, 404),
        ("/v1/alerts/silences", {"hours": 0, "reason": "x"}, 400),
        ("/v1/alerts/silences", {"hours": 10_000, "reason": "x"}, 400),
        ("/v1/alerts/silences", {"hours": 1, "reason": " "}, 400),
    ],
)
async def test_what_is_not_possible_is_a_problem(
    world: ApiWorld, desk: AlertDesk, path: str, body: dict[str, object], status: int
) -> None:
    async with world.client("key-of-operator") as client:
        answer = await client.post(path, json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert all(one.acts == () for one in desk.book.all())


async def test_a_unit_sees_and_touches_its_own_only(world: ApiWorld, desk: AlertDesk) -> None:
    async with world.client("key-of-department") as client:
        assert (await client.get("/v1/alerts/other")).status_code == 404
        assert (await client.post("/v1/alerts/other/handle", json={"text": "x"})).status_code == 404
        assert (await client.get("/v1/alerts/ours")).status_code == 404
        assert (await client.post("/v1/alerts/silences", json={"hours": 1, "reason": "x"})).status_code == 403
    async with world.client("key-of-a-service") as client:
        assert (await client.get("/v1/alerts")).status_code == 403
    async with world.client(None) as client:
        assert (await client.get("/v1/alerts")).status_code == 401


async def test_a_silence_is_made_seen_and_ended(world: ApiWorld, desk: AlertDesk) -> None:
    async with world.client("key-of-operator") as client:
        made = await client.post("/v1/alerts/silences", json={"hours": 2, "reason": "nâng cấp", "rule": "health.*"})
        assert made.status_code == 201
        name = made.json()["silence"]
        assert {one["silence"] for one in (await client.get("/v1/alerts")).json()["items"]} == {name}
        ended = (await client.delete(f"/v1/alerts/silences/{name}")).json()
        assert (ended["active"], ended["by"]) == (False, "operator")
        assert {one["silence"] for one in (await client.get("/v1/alerts")).json()["items"]} == {None}
        assert (await client.delete("/v1/alerts/silences/none")).status_code == 404


async def test_rules_and_filters(world: ApiWorld, desk: AlertDesk) -> None:
    await desk.assign("ours", "a", "b")
    async with world.client() as client:
        rules = {one["id"]: one for one in (await client.get("/v1/alerts/rules")).json()["items"]}
        assert rules["health.late"]["owner"]["unit"]
        by_state = (await client.get("/v1/alerts?state=assigned")).json()["items"]
        assert [one["alert"] for one in by_state] == ["ours"]
        assert (await client.get("/v1/alerts?rule=none")).json()["items"] == []
        assert (await client.get("/v1/alerts?state=lost")).status_code == 400
        assert (await client.get("/v1/alerts?colour=red")).status_code == 400


@pytest.mark.parametrize("language", ["vi", "en"])
async def test_the_desk_works_by_forms_alone(world: ApiWorld, desk: AlertDesk, language: str) -> None:
    await desk.book.mark([("own", "opened", "mail")], Mark("failed", "d", 3, world.now, "r", "http_500"))
    await desk.book.act("own", Act("escalated", world.now, "ioc", to="giám đốc", level=1))
    async with world.client("key-of-operator", language) as client:
        listed = await client.get("/alerts", headers={"Accept": "text/html"})
        assert set(re.findall(r'href="/alerts/(\w+)"', listed.text)) == {"own", "other", "ours"}
        shown = await client.get("/alerts/own", headers={"Accept": "text/html"})
        for part in ("http_500", "giám đốc", "Sở Nội vụ", 'href="/integration/portal"'):
            assert part in shown.text
        assert (await client.post("/alerts/own/assign", data={"to": "Trần <An>"})).status_code == 303
        assert "Trần &lt;An&gt;" in (await client.get("/alerts/own")).text
        assert (await client.post("/alerts/own/handle", data={"text": "xong"})).status_code == 303
        made = await client.post("/alerts/silences", data={"hours": "4", "reason": "bảo trì", "rule": "health.*"})
        assert made.status_code == 303
        page = (await client.get("/alerts?state=handled")).text
        (silence,) = re.findall(r'action="/alerts/silences/(\w+)/end"', page)
        assert "health.* · * · *" in page
        assert (await client.post(f"/alerts/silences/{silence}/end")).status_code == 303
    assert desk.alert("own").state == "handled"


async def test_a_desk_without_alerts_teaches(world: ApiWorld, tmp_path: Path) -> None:
    made = AlertDesk(AlertBook(TopicInMemory()), load_alert_rules(AGAINST), lambda: world.now)
    world.app.state.deps = replace(world.app.state.deps, alerts=made)
    async with world.client("key-of-department") as client:
        page = (await client.get("/alerts")).text
    assert "IOC_ALERTS__DIR" in page
    assert "/alerts/silences" not in page
