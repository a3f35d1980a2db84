"""Warehouse or broker away – standing still, the worst way: everything says so in time, and mends itself after."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import httpx2
import orjson
import pytest

from connectors.grouping import ACKNOWLEDGE_S
from deploy.demo.delivery import JSON, sign
from deploy.demo.ledger import FEEDBACK, read_progress, read_reports
from hub.kpi.reader import QUERY_TIMEOUT_S
from tests import books
from tests.books import Books
from tests.faults import units
from tests.stack import start_stack

pytestmark = pytest.mark.long

OUTAGE_S = 10.0
ANSWER_S = QUERY_TIMEOUT_S + 3.0
"""Longest that a reader waits for an answer, on a busy machine."""
REFUSED_S = ACKNOWLEDGE_S + 5.0
"""Longest that a sender waits to hear that the broker is away, on a busy machine."""
NOTICED_S = 25.0
BACK_S = 60.0


SCALE = 0.01
LIVE_RATE = 10
"""Live events per second of each system: there is always a batch on its way."""


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    """A stack with a small history, loaded, and live events all the time; it ends with these tests, for it is dear."""
    with (
        start_stack(tmp_path_factory.mktemp("busy"), SCALE, LIVE_RATE) as stack,
        books.opened(stack) as opened,
    ):
        stack.wait_until_loaded()
        yield opened


def failing(opened: Books) -> list[str] | None:
    """What `/readyz` names as failing, empty if it is green; None if it does not answer in time."""
    try:
        answer = opened.api.get("/readyz", timeout=ANSWER_S)
    except httpx2.HTTPError:
        return None
    body = answer.json()
    assert answer.status_code == (503 if body.get("failing") else 200)
    return list(body["failing"])


def tiles(opened: Books) -> tuple[int, int]:
    """Tiles of the dashboard, and how many of them are marked as stale."""
    answer = opened.api.get("/", headers={"Accept": "text/html"}, timeout=ANSWER_S)
    assert answer.status_code == 200
    return answer.text.count('<article class="tile'), answer.text.count('<article class="tile stale"')


def fresh_tiles(opened: Books) -> int:
    """How many tiles there are, once live events have made every one fresh."""
    shown = 0

    def fresh() -> bool:
        nonlocal shown
        shown, stale = tiles(opened)
        return shown > 0 and stale == 0

    units.until(fresh, "live events make every tile fresh", BACK_S)
    return shown


def pids_of(opened: Books) -> dict[str, int]:
    return {name: state["pid"] for name, state in units.snapshot(opened.stack).items()}


async def mends_itself(opened: Books, pids: dict[str, int], shown: int) -> None:
    """Green again with the processes and tiles there were, all fresh, books equal."""
    units.until(lambda: failing(opened) == [], "/readyz green", BACK_S)
    units.until(lambda: tiles(opened) == (shown, 0), "tiles fresh", BACK_S)
    await units.settle_and_check(opened)
    assert pids_of(opened) == pids
    units.resume_emitting(opened.stack)


async def test_a_warehouse_that_stands_still_is_named_and_waited_for(busy: Books) -> None:
    shown, pids = fresh_tiles(busy), pids_of(busy)
    accepted = read_progress(busy.stack.ledgers, FEEDBACK)["live_accepted"]
    with units.frozen(busy.stack, "warehouse"):
        begun = time.monotonic()
        units.until(lambda: "warehouse" in (failing(busy) or ()), "/readyz names the warehouse", NOTICED_S)
        while time.monotonic() - begun < OUTAGE_S:
            asked = time.monotonic()
            answer = busy.api.get("/v1/kpis/dossier.received", timeout=ANSWER_S)
            assert time.monotonic() - asked < ANSWER_S
            assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
            assert answer.json()["type"] == "/problems/warehouse-away"
            assert tiles(busy) == (shown, shown)
            assert failing(busy) == ["warehouse"]
            assert busy.api.get("/livez").status_code == 200
        assert read_progress(busy.stack.ledgers, FEEDBACK)["live_accepted"] > accepted
    await mends_itself(busy, pids, shown)


async def test_a_broker_that_stands_still_refuses_pushes_until_it_is_back(busy: Books) -> None:
    shown, pids = fresh_tiles(busy), pids_of(busy)
    body = orjson.dumps(read_reports(busy.stack.ledgers)[0])
    assert push(busy, body).status_code == 202
    with units.frozen(busy.stack, "kafka"):
        answer = push(busy, body)
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert answer.json()["type"] == "/problems/kafka-unavailable"
        assert int(answer.headers["retry-after"]) > 0
        units.until(lambda: "kafka" in (failing(busy) or ()), "/readyz names Kafka", NOTICED_S)
        assert busy.api.get("/v1/kpis/dossier.received", timeout=ANSWER_S).status_code == 200
    units.until(lambda: push(busy, body).status_code == 202, "pushes accepted again", BACK_S)
    await mends_itself(busy, pids, shown)


async def test_a_worker_a_connector_and_the_warehouse_killed_under_load_lose_nothing(busy: Books) -> None:
    await units.kill_in_rounds(busy, (("warehouse",), ("stream", "connect")))
    units.resume_emitting(busy.stack)


def push(opened: Books, body: bytes) -> httpx2.Response:
    """A signed webhook, as the 1022 system sends it."""
    key = opened.stack.environment["IOC_SECRET_1022_KEY"]
    headers = sign(key, body, int(time.time()), os.urandom(16).hex()) | {"Content-Type": JSON}
    return opened.api.post(f"/v1/ingest/{FEEDBACK}", content=body, headers=headers, timeout=REFUSED_S)
