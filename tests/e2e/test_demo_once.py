"""`ioc demo --once` as a user runs it, at small scale: the figures are the ledgers'."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo.systems import SYSTEMS
from hub.processes import started_at
from tests.stack import ioc, stack_environment

SCALE = "0.01"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return stack_environment(tmp_path / "state")


def running(environment: dict[str, str]) -> list[int]:
    """Processes of the stack that still run."""
    found = []
    for file in (Path(environment["IOC_STATE_DIR"]) / "run").glob("*.pid"):
        pid = json.loads(file.read_text())["pid"]
        if started_at(pid) is not None:
            found.append(pid)
    return found


@contextlib.contextmanager
def demonstration(environment: dict[str, str], out: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`ioc demo` in a session of its own, which is over afterwards whatever happened."""
    command = [sys.executable, "-m", "hub.cli", "demo", "--scale", SCALE, "--live-rate", "5"]
    with (
        out.open("wb") as log,
        subprocess.Popen(
            command, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        ) as process,
    ):
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                ioc(environment, "down", check=False)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_an_interrupted_demonstration_goes_on_and_its_figures_equal_the_ledgers(
    environment: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with demonstration(environment, out) as process:
        deadline = time.monotonic() + 600
        while b"/signin?token=" not in out.read_bytes():
            assert process.poll() is None, out.read_text()
            assert time.monotonic() < deadline, out.read_text()
            time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 0, out.read_text()
    assert "nothing is lost" in out.read_text()
    assert running(environment) == []
    report = json.loads(ioc(environment, "demo", "--once", "--timeout", "500", timeout_s=560).stdout)
    assert report["equal"], report["differences"]
    assert report["differences"] == []
    refused = {name: count for name, count in report["quarantined"].items() if count}
    assert refused["portal"] == refused["feedback-1022"] == 5
    assert set(refused) >= {connector for system in SYSTEMS for connector in system.connectors}
    assert report["in_warehouse"] >= sum(report["events"].values())
    assert set(report["periods"]) == {"reference", "this_year"}
    shown = report["periods"]["reference"]["kpis"]
    assert len([kpi for kpi in shown if kpi.endswith(".late_corrections")]) == 15, "of every entity of the province"
    assert report["rss_mib"]["peak"]["total"] < 2048
    assert report["seconds"]["figures_right"] is not None
    assert running(environment) == []


def test_what_cannot_be_done_is_said_before_anything_starts(environment: dict[str, str]) -> None:
    state = Path(environment["IOC_STATE_DIR"])
    (state / "demo" / "portal").mkdir(parents=True)
    (state / "demo" / "portal" / "origin.json").write_text('{"seed": 2022, "scale": 0.5, "anchor": 1}')
    other_scale = ioc(environment, "demo", "--once", "--scale", "0.1", check=False)
    assert other_scale.returncode == 2
    assert "--scale 0.5" in other_scale.stderr
    unasked = ioc(environment, "demo", "--reset", check=False)
    assert unasked.returncode == 2
    assert "--yes" in unasked.stderr
    assert state.exists()
    wrong_key = ioc({**environment, "IOC_KAFKA__HEAP": "1"}, "up", check=False)
    assert wrong_key.returncode == 2
    assert "IOC_KAFKA__HEAP_MB" in wrong_key.stderr
