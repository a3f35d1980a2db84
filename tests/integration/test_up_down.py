"""`ioc up --wait` leaves a supervised stack behind, `ioc down` leaves nothing."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from hub.processes import started_at
from tests.stack import RunningStack, ioc, stack_environment

UNITS = {"kafka", "warehouse", "topics", "hub", "connect", "stream", "portal", "feedback-1022"}


def eventually(condition: Callable[[], object], what: str, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.1)


def test_everything_is_ready_and_says_so(stack: RunningStack) -> None:
    status = stack.json("status")
    assert status["running"]
    assert status["ready"]
    assert {unit["unit"] for unit in status["units"]} == UNITS
    assert all(check["ok"] for check in status["checks"])
    assert sum(unit["rss_mib"] or 0 for unit in status["units"]) < 2048
    for port in ("API", "REGISTRY", "CONNECT", "STREAM", "WAREHOUSE"):
        for path in ("livez", "readyz?verbose", "metrics"):
            url = f"http://127.0.0.1:{stack.environment[f'IOC_{port}__PORT']}/{path}"
            with urllib.request.urlopen(url, timeout=10) as response:
                assert response.status == 200, url


def test_keys_are_shown_once_and_kept_as_hashes(stack: RunningStack) -> None:
    key = stack.key("department", "H53.14")
    assert key.startswith("ioc_d_")
    everything = b"".join(path.read_bytes() for path in stack.state.rglob("*.json") if path.is_file())
    assert key.encode() not in everything
    made = [entry for entry in stack.json("key", "ls") if entry["org"] == "H53.14"]
    assert made
    assert ioc(stack.environment, "key", "create", "--role", "king", check=False).returncode == 2
    assert ioc(stack.environment, "key", "revoke", made[-1]["id"]).returncode == 0
    refused = ioc(stack.environment, "kpi", "ls", "--key", key, check=False)
    assert refused.returncode == 1
    assert "401" in refused.stderr


def test_reading_commands_speak_table_json_and_csv(stack: RunningStack) -> None:
    shown = [item["id"] for item in stack.json("kpi", "ls")]
    assert len(shown) == len(set(shown)) and {"dossier.received", "feedback.open"} <= set(shown)
    assert (
        stack.json("kpi", "get", "feedback.open", "--from", "2022-01-01", "--to", "2022-09-30")["id"] == "feedback.open"
    )
    lines = ioc(stack.environment, "kpi", "ls", "-o", "csv").stdout.splitlines()
    assert lines[0].startswith("id,name,value")
    assert [line.split(",")[0] for line in lines[1:]] == shown
    assert stack.json("connector", "ls")
    assert len(stack.json("quarantine", "ls", "--limit", "5")) == 5
    unknown = ioc(stack.environment, "kpi", "get", "feedback.opened", check=False)
    assert unknown.returncode == 1
    assert "feedback.open" in unknown.stderr
    assert unknown.stdout == ""


def test_secrets_are_readable_by_their_owner_only(stack: RunningStack) -> None:
    files = [path for path in (stack.state / "secrets").iterdir() if path.is_file()]
    assert files
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)


def test_a_killed_role_comes_back(stack: RunningStack) -> None:
    before = {unit["unit"]: unit["pid"] for unit in stack.json("status")["units"]}
    os.kill(before["connect"], signal.SIGKILL)

    def back() -> bool:
        done = ioc(stack.environment, "status", "-o", "json", check=False)
        now = {unit["unit"]: unit for unit in json.loads(done.stdout)["units"]}["connect"]
        return now["phase"] == "ready" and now["pid"] != before["connect"]

    eventually(back, "connect is ready again")


def test_a_second_stack_on_the_same_state_or_ports_is_refused(stack: RunningStack, tmp_path: Path) -> None:
    same_state = ioc(stack.environment, "up", "--wait", check=False)
    assert same_state.returncode == 1
    assert "in use by another `ioc up`" in same_state.stderr
    same_ports = ioc({**stack.environment, "IOC_STATE_DIR": str(tmp_path)}, "up", "--wait", check=False)
    assert same_ports.returncode == 1
    assert "IOC_KAFKA__PORT" in same_ports.stderr


@pytest.mark.long
def test_down_leaves_no_process_and_the_state_starts_again(tmp_path: Path) -> None:
    environment = stack_environment(tmp_path)
    try:
        begun = ioc(environment, "up", "--wait", "--timeout", "120", timeout_s=150)
        assert "Administrator key" in begun.stderr
        stack = RunningStack(environment, tmp_path)
        pids = [unit["pid"] for unit in stack.json("status")["units"] if unit["pid"]]
        ioc(environment, "down")
        assert [pid for pid in pids if started_at(pid)] == []
        assert not list((tmp_path / "run").glob("*.pid"))
        assert ioc(environment, "status", check=False).returncode == 1
        assert ioc(environment, "down").returncode == 0
        begun = ioc(environment, "up", "--wait", "--timeout", "120", timeout_s=150)
        assert "Administrator key" not in begun.stderr
    finally:
        ioc(environment, "down")
