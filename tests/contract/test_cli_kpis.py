"""`ioc kpi ls` and `ioc kpi get` against the real API: what cannot be answered is said with what to run."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from typer.testing import CliRunner

from hub.cli.application import app
from streams.generations import State
from streams.plan import package_root
from tests.contract.api_world import ApiWorld, api_world
from tests.unit.kpi_tables import enter


@contextmanager
def served(world: ApiWorld) -> Iterator[int]:
    """The application on a port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(world.app, lifespan="off", log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def test_the_command_says_which_kpi_is_broken_why_and_what_to_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with api_world() as world, served(world) as port:
        world.ledger("feedback", "1022")
        enter(world.queries, world.plans, state=State.BROKEN, reason="Division by zero")
        monkeypatch.setenv("IOC_API__PORT", str(port))
        monkeypatch.setenv("IOC_API_KEY", "key-of-admin")
        monkeypatch.setenv("IOC_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        one = CliRunner().invoke(app, ["--lang", "en", "kpi", "get", "feedback.received", "-o", "csv"])
        assert one.exit_code == 0
        assert "feedback.received: broken Division by zero → ioc kpi backfill feedback.received" in one.stderr
        assert ",broken," in one.stdout
        listed = CliRunner().invoke(app, ["--lang", "en", "kpi", "ls"])
        assert listed.exit_code == 0
        assert listed.stderr.count("→ ioc kpi backfill") == len(world.app.state.deps.kpis.kpis)


def test_kpi_files_are_checked_before_they_run_each_with_its_path_and_cure(tmp_path: Path) -> None:
    shutil.copy(package_root() / "question.yaml", tmp_path / "question.yaml")
    shutil.copy(package_root() / "meeting.yaml", tmp_path / "meeting.yaml")
    right = check(tmp_path)
    assert right.returncode == 0 and "All right: 2 files" in right.stdout + right.stderr, right.stderr
    for name, old, new in (("question", "direction: ", "directon: "), ("meeting", "entity: meeting", "entity: meting")):
        file = tmp_path / f"{name}.yaml"
        file.write_text(file.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    wrong = CliRunner().invoke(app, ["--lang", "en", "kpi", "check", str(tmp_path)])
    assert wrong.exit_code == 3
    assert "meeting.yaml.entity: 'meting' has no contract" in wrong.stderr
    assert "question.yaml.kpis[0]" in wrong.stderr and "directon" in wrong.stderr
    nothing = CliRunner().invoke(app, ["--lang", "en", "kpi", "check", str(tmp_path / "..")])
    assert nothing.exit_code == 2 and "*.yaml" in nothing.stderr


def check(directory: Path) -> subprocess.CompletedProcess[str]:
    """In a process of its own: the engine of the trial is the only one in it."""
    command = [sys.executable, "-m", "hub.cli", "--lang", "en", "kpi", "check", str(directory)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env={**os.environ}, check=False)
