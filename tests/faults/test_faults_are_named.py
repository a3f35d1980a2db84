"""Each fault is named as what it is within its limit, alarms by a real Prometheus, and is over by itself.

The limits are those in which the state must be told; a real machine that is busy gets its time on top.
"""

from __future__ import annotations

import re
import shutil
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.wire import Insert
from tests.health_world import ROLES, World, health_world, until

BUSY_S = 60.0
"""Two cores that everything shares: processes get their turn late. How soon a fault is named is the benchmark's to
measure, and printed here."""
CLEAR_S = 240.0
"""An alert that waits for a minute begins anew when a starved warehouse explains the state meanwhile."""
VIETNAMESE = re.compile("[ạảãàáâậầấẩẫăắằặẳẵóòọõỏôộổỗồốơờớợởỡéèẻẹẽêếềệểễúùụủũưựữửừứíìịỉĩýỳỷỵỹđ]", re.IGNORECASE)

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("prometheus-alertmanager") is None,
    reason="Debian packages prometheus and prometheus-alertmanager",
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, warehouse: str) -> Iterator[World]:
    with health_world(tmp_path_factory.mktemp("health"), warehouse) as made:
        yield made


def named(world: World, state: str, alert: str | None, within_s: float) -> dict[str, float]:
    """How long it took until the state was told and its alert was active."""
    took = {"named": until(lambda: world.state() == state, within_s + BUSY_S)}
    if alert is not None:
        took["alerted"] = until(lambda: alert in world.alerts(), CLEAR_S)
        tells_people(world.alerts()[alert], alert)
    print(f"{state}: {took}", flush=True)
    return took


def tells_people(told: dict[str, Any], alert: str) -> None:
    """Whose it is, how urgent, in Vietnamese, and where to read on."""
    labels, words = told["labels"], told["annotations"]
    of_one = {"dataset": "portal", "department": "H53"} if labels["scope"] == "dataset" else {}
    assert of_one.items() <= labels.items()
    assert labels["severity"] == ("page" if alert.endswith("Stuck") else "ticket")
    assert VIETNAMESE.search(words["summary"])
    assert VIETNAMESE.search(words["description"])
    assert words["runbook_url"].endswith(f"/{alert}.md")


def well_again(world: World, alert: str | None = None) -> None:
    world.portal.turn("well")
    until(lambda: world.state() == "on_time", CLEAR_S)
    if alert is not None:
        until(lambda: alert not in world.alerts(), CLEAR_S)


@needs_prometheus
@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_role_is_scraped_and_nothing_alarms_while_all_is_well(world: World) -> None:
    until(lambda: set(world.scraped().values()) == {"up"}, CLEAR_S)
    assert set(world.scraped()) == {f"ioc-{role.lower()}" for role in (*ROLES, "warehouse")}
    assert world.alerts() == {}


@needs_prometheus
@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_server_that_answers_500_is_alarmed_in_vietnamese_and_the_alarm_ends_by_itself(world: World) -> None:
    world.portal.turn("answers_500")
    named(world, "source_down", "IocDatasetSourceDown", 10)
    alert = world.alerts()["IocDatasetSourceDown"]
    assert (alert["labels"]["department"], alert["labels"]["severity"]) == ("H53", "ticket")
    assert alert["annotations"]["summary"] == "Bộ dữ liệu portal (đơn vị H53): nguồn mất kết nối"
    assert alert["annotations"]["runbook_url"].endswith("/IocDatasetSourceDown.md")
    well_again(world, "IocDatasetSourceDown")


SOURCES = [
    ("refuses_login", "credentials", "IocDatasetCredentials", 10),
    ("other_schema", "rejected", "IocDatasetRejected", 10),
    ("hour_ahead", "clock_skew", "IocDatasetClockSkew", 10),
    ("no_rows", "quiet", None, 45),
    ("yesterday", "late", "IocDatasetLate", 10),
    ("yesterday_again", "late", "IocDatasetLate", 10),
    ("day_behind", "clock_skew", "IocDatasetClockSkew", 10),
    ("times_out", "source_down", "IocDatasetSourceDown", 45),
]


@needs_prometheus
@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("mode", "state", "alert", "within_s"), SOURCES, ids=[row[0] for row in SOURCES])
def test_a_fault_of_the_source_is_named(
    world: World, mode: str, state: str, alert: str | None, within_s: float
) -> None:
    world.portal.turn(mode)
    named(world, state, alert, within_s)
    if state == "rejected":
        refused = world.why()["refused"]
        assert any("trangThai" in one["reason"] for one in refused), refused
    well_again(world, alert)


@needs_prometheus
@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("unit", "state", "alert"),
    [("connect", "stuck_connector", "IocConnectorStuck"), ("stream", "stuck_stream", "IocStreamStuck")],
)
def test_a_process_that_stands_still_is_named_within_half_a_minute(
    world: World, unit: str, state: str, alert: str
) -> None:
    world.signal(unit, signal.SIGSTOP)
    try:
        named(world, state, alert, 30)
    finally:
        world.signal(unit, signal.SIGCONT)
    well_again(world, alert)


@needs_prometheus
@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_stream_worker_that_lives_and_does_not_move_is_told_from_one_that_is_gone(world: World) -> None:
    world.stands.touch()
    try:
        named(world, "stuck_stream", "IocStreamStuck", 90)
        (stream,) = (stage for stage in world.why()["stages"] if stage["stage"] == "stream")
        assert stream["ok"] is False
        assert "stall" in stream["status"].values()
        assert "stop" not in stream["status"].values()
    finally:
        world.stands.unlink()
    well_again(world, "IocStreamStuck")


@needs_prometheus
@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_warehouse_that_is_away_pages_once_for_all(world: World) -> None:
    world.relay.cut()
    try:
        named(world, "stuck_warehouse", "IocWarehouseStuck", 30)
        assert "IocStreamStuck" not in world.alerts()
    finally:
        world.relay.mend()
    well_again(world, "IocWarehouseStuck")


@needs_prometheus
@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_slow_warehouse_is_named_within_three_minutes(world: World) -> None:
    def slowly(_: Insert) -> bool:
        time.sleep(5)
        return False

    lose, world.relay.lose = world.relay.lose, slowly
    try:
        named(world, "stuck_warehouse", "IocWarehouseStuck", 180)
    finally:
        world.relay.lose = lose
    well_again(world, "IocWarehouseStuck")
