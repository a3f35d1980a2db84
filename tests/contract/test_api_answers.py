"""What `/v1` answers, and how it refuses: problem+json that names the parameter and what is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from hub.api.problems import STATUSES
from streams.generations import State
from tests.contract.api_world import ApiWorld, api_world
from tests.unit.kpi_tables import enter

REFERENCE = "from=2022-01-01&to=2022-09-30"


@pytest.fixture
def world() -> Iterator[ApiWorld]:
    with api_world() as made:
        yield made


async def get(world: ApiWorld, path: str, language: str = "vi", key: str | None = "key-of-admin") -> Any:
    async with world.client(key, language) as client:
        return await client.get(path)


async def test_a_kpi_answers_with_what_it_was_computed_from_and_rests_on(world: ApiWorld) -> None:
    world.ledger("feedback", "1022")
    world.add("feedback_by_received_at", "2022-03-05", org_code="H53.20", received=493, processed=380)
    answer = await get(world, f"/v1/kpis/feedback.processed_share?{REFERENCE}&by=org_code")
    body = answer.json()
    assert answer.status_code == 200
    assert (body["value"], body["numerator"], body["denominator"], body["status"]) == (77.08, 380, 493, "ok")
    assert (body["from"], body["to"], body["unit"]) == ("2022-01-01", "2022-09-30", "%")
    assert body["as_of"] == "2026-11-20T02:59:59.500Z"
    assert body["freshness"] == [
        {
            "connector": "feedback-1022",
            "last_event_time": "2026-11-20T02:59:59.500Z",
            "age_s": 0.5,
            "state": "unknown",
        }
    ]
    assert body["completeness"] == {"in_topic": 12, "in_warehouse": 10, "missing": 2, "refused": 0}
    assert [(badge["name"], badge["state"]) for badge in body["badges"]] == [
        ("Đúng", "good"),
        ("Đủ", "watch"),
        ("Sạch", "good"),
        ("Sống", "unknown"),
    ]
    assert body["badges"][1]["reason"] == "còn 2 bản ghi đang trên đường vào kho"
    assert [(row["key"], row["name"]) for row in body["rows"]] == [("H53.20", "UBND thành phố Tây Ninh")]
    assert "warehouse;dur=" in answer.headers["server-timing"]


async def test_the_list_holds_every_kpi_of_this_year_by_default(world: ApiWorld) -> None:
    body = (await get(world, "/v1/kpis")).json()
    assert (body["from"], body["to"]) == ("2026-01-01", "2026-11-20")
    assert {item["id"] for item in body["items"]} >= {
        "feedback.received",
        "feedback.open",
        "feedback.processed_share",
        "feedback.on_time_of_processed",
        "feedback.on_time_of_received",
        "dossier.received",
        "dossier.on_time_share",
        "dossier.online_share",
        "dossier.result_electronic_share",
        "procedure.online_with_dossier_share",
    }
    assert all(item["value"] is None and item["status"] == "no_data" for item in body["items"])


async def test_late_corrections_and_clocks_ahead_are_served_by_unit_and_system_and_listed_but_no_tiles(
    world: ApiWorld,
) -> None:
    world.ledger("dossier", "portal")
    for day, count in (("2022-03-05", 3), ("2022-10-01", 9)):
        world.add("dossier_by_arrival", day, org_code="H53.14", source_system="portal", late_corrections=count)
    body = (await get(world, f"/v1/kpis/dossier.late_corrections?{REFERENCE}&by=source_system")).json()
    assert (body["value"], body["status"], body["unit"], body["name"]) == (3, "ok", "bản ghi", "Đính chính muộn")
    assert body["dimensions"] == ["org_code", "source_system"]
    assert [(row["key"], row["value"]) for row in body["rows"]] == [("portal", 3)]
    assert body["as_of"] == "2026-11-20T02:59:59.500Z"
    assert "dossier.clock_skew" in {item["id"] for item in (await get(world, "/v1/kpis")).json()["items"]}
    pages = [(await get(world, f"/kpis?{REFERENCE}&view={view}")).text for view in ("tiles", "table")]
    assert ["kpi-dossier.late_corrections" in text for text in pages] == [False, True]
    one = await get(world, f"/kpi/dossier.late_corrections?{REFERENCE}&by=source_system")
    assert one.status_code == 200
    assert "Hệ thống nguồn" in one.text


async def test_names_and_problems_follow_the_language_asked_for(world: ApiWorld) -> None:
    vi = (await get(world, "/v1/kpis/feedback.open")).json()
    en = (await get(world, "/v1/kpis/feedback.open", "en")).json()
    assert (vi["name"], en["name"]) == ("Phản ánh chưa xử lý", "Reports open")
    assert (await get(world, "/v1/kpis/x", "en")).json()["title"] == "Unknown indicator"
    assert (await get(world, "/v1/kpis/x")).json()["title"] == "Không có chỉ tiêu này"


@pytest.mark.parametrize(
    ("path", "status", "slug", "named"),
    [
        ("/v1/kpis?fron=2022-01-01", 400, "unknown-parameter", ["fron", "from", "to"]),
        ("/v1/kpis?from=01/01/2022", 400, "invalid-parameter", ["from", "YYYY-MM-DD"]),
        ("/v1/kpis?from=20220101", 400, "invalid-parameter", ["from", "YYYY-MM-DD"]),
        ("/v1/kpis?to=2022-02-30", 400, "invalid-parameter", ["to", "YYYY-MM-DD"]),
        ("/v1/kpis?to=9999-01-01", 400, "invalid-parameter", ["to", "2149-06-06"]),
        ("/v1/kpis?from=2022-02-01&to=2022-01-01", 400, "invalid-period", ["2022-02-01", "2022-01-01"]),
        ("/v1/kpis/feedback.recieved", 404, "unknown-kpi", ["feedback.received"]),
        ("/v1/kpis/feedback.received?by=colour", 400, "unknown-dimension", ["by", "urgency"]),
        ("/v1/quarantine?limit=0", 400, "invalid-parameter", ["limit"]),
        ("/v1/quarantine?limit=many", 400, "invalid-parameter", ["limit"]),
        ("/v1/quarantine?cursor=!!!", 400, "invalid-cursor", ["cursor"]),
        ("/v1/quarantine?cursor=WyJhIiwgMV0", 400, "invalid-cursor", ["cursor"]),
        ("/v1/quarantine/portal:none", 404, "not-found", []),
        ("/v1/nothing", 404, "not-found", []),
        ("/nothing", 404, "not-found", []),
        ("/livez?deep=1", 400, "unknown-parameter", ["deep"]),
    ],
)
async def test_a_wrong_question_is_refused_with_what_would_be_right(
    world: ApiWorld, path: str, status: int, slug: str, named: list[str]
) -> None:
    answer = await get(world, path, "en")
    body = answer.json()
    assert (answer.status_code, body["type"]) == (status, f"/problems/{slug}")
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["status"] == status == STATUSES[slug]
    assert body["title"]
    assert body["request_id"] == answer.headers["x-request-id"]
    for word in named:
        assert word in answer.text
    assert "Traceback" not in answer.text


async def test_a_wrong_method_is_a_problem_and_names_the_right_one(world: ApiWorld) -> None:
    async with world.client() as client:
        answer = await client.delete("/v1/kpis")
    assert (answer.status_code, answer.json()["type"]) == (405, "/problems/method-not-allowed")
    assert answer.headers["allow"] == "GET"


async def test_the_quarantine_is_read_page_by_page_without_gaps_or_doubles(world: ApiWorld) -> None:
    for number in range(7):
        world.quarantine(number)
    world.quarantine(3)
    seen: list[str] = []
    path: str | None = "/v1/quarantine?limit=3"
    while path:
        answer = await get(world, path, "en")
        body = answer.json()
        seen += [item["id"] for item in body["items"]]
        assert all(item["reason"] == "Bad date" for item in body["items"])
        assert ("link" in answer.headers) == (body["next"] is not None)
        path = f"/v1/quarantine?limit=3&cursor={body['next']}" if body["next"] else None
    assert seen == [f"portal:{number:04d}" for number in reversed(range(7))]
    assert (await get(world, "/v1/quarantine/portal:0003")).json()["reason"] == "Sai ngày"
    assert (await get(world, "/v1/quarantine?connector=feedback-1022")).json()["items"] == []


async def test_a_warehouse_that_is_away_is_said_at_once_and_recovers_by_itself(world: ApiWorld) -> None:
    world.ledger("feedback", "1022")
    world.down = True
    answer = await get(world, f"/v1/kpis/feedback.received?{REFERENCE}", "en")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/warehouse-away")
    assert "no connection" in answer.json()["detail"]
    assert answer.headers["retry-after"]
    ready = await get(world, "/readyz?verbose")
    assert ready.status_code == 503
    assert ready.json()["checks"]["warehouse"] == {"ok": False, "cause": "no_connection"}
    assert (await get(world, "/livez")).status_code == 200
    assert (await get(world, "/v1/connectors")).json()["items"][0]["quarantined"] is None
    world.down, world.now = False, world.now + timedelta(seconds=1)
    assert (await get(world, f"/v1/kpis/feedback.received?{REFERENCE}")).json()["value"] == 0
    assert (await get(world, "/readyz")).status_code == 200


async def test_readiness_names_whatever_is_away(world: ApiWorld) -> None:
    world.broker = "no answer for 12 s"
    ready = await get(world, "/readyz?verbose", key=None)
    assert ready.status_code == 503
    assert ready.json()["checks"] == {
        "warehouse": {"ok": True, "cause": None},
        "kafka": {"ok": False, "cause": "no answer for 12 s"},
    }


async def test_every_refusal_is_counted_and_labels_hold_no_addresses(world: ApiWorld) -> None:
    await get(world, "/v1/kpis?nonsense=secret-value")
    await get(world, "/v1/kpis/some.private.id")
    text = (await get(world, "/metrics")).text
    assert 'ioc_http_problems_total{type="unknown-parameter"} 1.0' in text
    assert 'ioc_http_requests_total{method="GET",route="/v1/kpis/{kpi_id}",status="404"} 1.0' in text
    assert "secret-value" not in text
    assert "some.private.id" not in text


async def test_a_fault_of_ours_shows_no_trace(world: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("inner detail")

    monkeypatch.setattr(world.app.state.deps.kpis, "answers", broken)
    answer = await get(world, "/v1/kpis")
    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal")
    assert "inner detail" not in answer.text


async def test_the_api_describes_itself_without_a_network(world: ApiWorld) -> None:
    page = (await get(world, "/docs", key=None)).text
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    schema = (await get(world, "/openapi.json", key=None)).json()
    assert {"/v1/kpis", "/v1/kpis/{kpi_id}", "/v1/connectors", "/v1/quarantine", "/v1/live"} <= set(schema["paths"])


async def test_a_kpi_that_is_not_computed_or_broken_says_so_with_the_cure_everywhere(world: ApiWorld) -> None:
    world.ledger("feedback", "1022")
    enter(world.queries, world.plans, state=State.BROKEN, reason="Division by zero")
    one = await get(world, f"/v1/kpis/feedback.received?{REFERENCE}&by=org_code")
    assert one.status_code == 200
    assert (one.json()["value"], one.json()["status"], one.json()["rows"]) == (None, "broken", [])
    assert one.json()["unserved"] == {
        "state": "broken",
        "percent": None,
        "reason": "Division by zero",
        "cure": "ioc kpi backfill feedback.received",
    }
    enter(world.queries, world.plans, state=State.DROPPED)
    listed = await get(world, "/v1/kpis")
    assert {item["status"] for item in listed.json()["items"]} == {"not_computed"}
    for path in ("/", "/kpis?view=table", "/kpi/feedback.processed_share"):
        page = await get(world, path)
        assert page.status_code == 200
        assert "Chưa tính" in page.text and "ioc kpi backfill feedback.processed_share" in page.text
