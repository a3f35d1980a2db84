"""Connectors managed from the command line, on a running stack: nothing is counted twice, nothing is lost."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tests.stack import RunningStack, ioc

PERIOD = ("--from", "2022-01-01", "--to", "2022-09-30")
KPIS = ("dossier.received", "dossier.on_time_share")


def figures(stack: RunningStack) -> list[tuple[Any, ...]]:
    answers = [stack.json("kpi", "get", name, *PERIOD) for name in KPIS]
    return [(item["value"], item["numerator"], item["denominator"]) for item in answers]


def described(stack: RunningStack) -> Any:
    return stack.json("connector", "describe", "portal")


def position(stack: RunningStack) -> Any:
    return stack.json("connector", "offsets", "show", "portal")


def until_read_up_to(stack: RunningStack, reached: Any, within_s: float = 120) -> None:
    """Until the portal's connector has read up to that position and the stream has processed all."""
    deadline = time.monotonic() + within_s
    while True:
        now = position(stack)
        lags = [row["lag"] for row in stack.json("lag")] if now == reached else None
        if lags is not None and not any(lags):
            return
        assert time.monotonic() < deadline, (now, reached, lags)
        time.sleep(0.5)


def test_reading_again_from_the_beginning_counts_nothing_twice(stack: RunningStack) -> None:
    before, reached = figures(stack), position(stack)
    assert before[0][0] > 0 and reached
    refused = ioc(stack.environment, "connector", "offsets", "set", "portal", "--beginning", "--yes", check=False)
    assert refused.returncode == 3
    assert "ioc connector stop portal" in refused.stderr or "STOPPED" in refused.stderr
    (told,) = stack.json("connector", "stop", "portal")
    assert told["connector"]["state"] == "STOPPED"
    asks = ioc(stack.environment, "connector", "offsets", "set", "portal", "--beginning", check=False)
    assert asks.returncode == 2 and "--yes" in asks.stderr
    ioc(stack.environment, "connector", "offsets", "set", "portal", "--beginning", "--yes")
    assert stack.json("connector", "offsets", "show", "portal") == []
    (told,) = stack.json("connector", "resume", "portal")
    assert told["ioc"]["target"] == "running"
    until_read_up_to(stack, reached)
    assert figures(stack) == before
    assert [act["act"] for act in stack.json("connector", "history", "portal")][-3:] == [
        "stopped",
        "position_set",
        "resumed",
    ]


def test_a_changed_manifest_is_checked_first_and_runs_at_once(stack: RunningStack, tmp_path: Path) -> None:
    source = (Path(__file__).parents[2] / "connectors" / "departments" / "portal.yaml").read_text(encoding="utf-8")
    file = tmp_path / "portal.yaml"
    file.write_text(source.replace("lookback_s: 60", "lookback_s: 61"), encoding="utf-8")
    version = described(stack)["ioc"]["version"]
    readers_key = ioc(stack.environment, "connector", "apply", str(file), check=False)
    assert (readers_key.returncode, readers_key.stdout) == (1, "")
    assert "--key" in readers_key.stderr
    apply = ("connector", "apply", str(file), "--key", stack.key("admin"))
    (checked,) = stack.json(*apply, "--dry-run")
    assert (checked["new"], checked["changed"]) == (False, True)
    assert described(stack)["ioc"]["version"] == version
    (applied,) = stack.json(*apply)
    assert applied["ioc"]["approved_version"] == version + 1
    assert described(stack)["config"]["source.cursor.lookback_s"] == "61"
    file.write_text(source.replace("records: data", "recods: data"), encoding="utf-8")
    refused = ioc(stack.environment, *apply, check=False)
    assert refused.returncode == 3
    assert "recods" in refused.stderr and "records" in refused.stderr
    assert described(stack)["ioc"]["version"] == version + 1


def test_a_paused_webhook_asks_its_senders_to_keep_their_records(stack: RunningStack) -> None:
    (told,) = stack.json("connector", "pause", "feedback-1022")
    assert told["tasks"][0]["state"] == "PAUSED"
    (told,) = stack.json("connector", "resume", "feedback-1022")
    assert told["tasks"][0]["state"] == "RUNNING"
    assert {item["connector"]: item["state"] for item in stack.json("connector", "ls")}.keys() >= {
        "portal",
        "feedback-1022",
    }


def test_messages_are_in_the_language_asked_for(stack: RunningStack) -> None:
    absent = ("connector", "describe", "absent")
    english = ioc(stack.environment, *absent, check=False)
    vietnamese = ioc({**stack.environment, "IOC_LANG": "vi"}, *absent, check=False)
    assert (english.returncode, vietnamese.returncode) == (1, 1)
    assert "not found" in english.stderr
    assert "Không có đầu nối" in vietnamese.stderr
