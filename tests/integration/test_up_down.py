"""`ioc up --wait` leaves a supervised stack behind, `ioc down` leaves nothing."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub.processes import started_at
from tests.stack import RunningStack, ioc, stack_environment

UNITS = {"kafka", "warehouse", "topics", "hub", "connect", "stream"}


def eventually(condition: Callable[[], object], what: str, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    state = tmp_path_factory.mktemp("up")
    environment = stack_environment(state)
    begun = ioc(environment, "up", "--wait", "--timeout", "120", timeout_s=150)
    assert "Administrator key" in begun.stderr
    try:
        yield RunningStack(environment, state)
    finally:
        ioc(environment, "down")


def test_everything_is_ready_and_says_so(up: RunningStack) -> None:
    status = up.json("status")
    assert status["running"]
    assert status["ready"]
    assert {unit["unit"] for unit in status["units"]} == UNITS
    assert all(check["ok"] for check in status["checks"])
    assert sum(unit["rss_mib"] or 0 for unit in status["units"]) < 2048
    for port in ("API", "REGISTRY", "CONNECT", "STREAM", "WAREHOUSE"):
        for path in ("livez", "readyz?verbose", "metrics"):
            url = f"http://127.0.0.1:{up.environment[f'IOC_{port}__PORT']}/{path}"
            with urllib.request.urlopen(url, timeout=10) as response:
                assert response.status == 200, url


def test_keys_are_shown_once_and_kept_as_hashes(up: RunningStack) -> None:
    key = up.key("department", "H53.14")
    assert key.startswith("ioc_d_")
    everything = b"".join(path.read_bytes() for path in up.state.rglob("*.json") if path.is_file())
    assert key.encode() not in everything
    made = [entry for entry in up.json("key", "ls") if entry["org"] == "H53.14"]
    assert made
    assert ioc(up.environment, "key", "create", "--role", "king", check=False).returncode == 2
    assert ioc(up.environment, "key", "revoke", made[-1]["id"]).returncode == 0
    refused = ioc(up.environment, "kpi", "ls", "--key", key, check=False)
    assert refused.returncode == 1
    assert "401" in refused.stderr


def test_reading_commands_speak_table_json_and_csv(up: RunningStack) -> None:
    assert len(up.json("kpi", "ls")) == 14
    assert up.json("kpi", "get", "feedback.open", "--from", "2022-01-01", "--to", "2022-09-30")["id"] == "feedback.open"
    lines = ioc(up.environment, "kpi", "ls", "-o", "csv").stdout.splitlines()
    assert lines[0].startswith("id,name,value")
    assert len(lines) == 15
    assert up.json("connector", "ls")
    assert up.json("quarantine", "ls", "--limit", "5") == []
    unknown = ioc(up.environment, "kpi", "get", "feedback.opened", check=False)
    assert unknown.returncode == 1
    assert "feedback.open" in unknown.stderr
    assert unknown.stdout == ""


def test_secrets_are_readable_by_their_owner_only(up: RunningStack) -> None:
    files = [path for path in (up.state / "secrets").iterdir() if path.is_file()]
    assert files
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)


def test_a_killed_role_comes_back(up: RunningStack) -> None:
    before = {unit["unit"]: unit["pid"] for unit in up.json("status")["units"]}
    os.kill(before["connect"], signal.SIGKILL)

    def back() -> bool:
        done = ioc(up.environment, "status", "-o", "json", check=False)
        now = {unit["unit"]: unit for unit in json.loads(done.stdout)["units"]}["connect"]
        return now["phase"] == "ready" and now["pid"] != before["connect"]

    eventually(back, "connect is ready again")


def test_a_second_stack_on_the_same_state_or_ports_is_refused(up: RunningStack, tmp_path: Path) -> None:
    same_state = ioc(up.environment, "up", "--wait", check=False)
    assert same_state.returncode == 1
    assert "in use by another `ioc up`" in same_state.stderr
    same_ports = ioc({**up.environment, "IOC_STATE_DIR": str(tmp_path)}, "up", "--wait", check=False)
    assert same_ports.returncode == 1
    assert "IOC_KAFKA__PORT" in same_ports.stderr


def test_down_leaves_no_process_and_the_state_starts_again(up: RunningStack) -> None:
    status = up.json("status")
    pids = [unit["pid"] for unit in status["units"] if unit["pid"]]
    ioc(up.environment, "down")
    assert [pid for pid in pids if started_at(pid)] == []
    assert not list((up.state / "run").glob("*.pid"))
    assert ioc(up.environment, "status", check=False).returncode == 3
    assert ioc(up.environment, "down").returncode == 0
    begun = ioc(up.environment, "up", "--wait", "--timeout", "120", timeout_s=150)
    assert "Administrator key" not in begun.stderr
