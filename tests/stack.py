"""A whole stack of processes for tests: `ioc` as a user runs it, in a state directory and on ports of its own."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

ROOT = Path(__file__).parent.parent
PORTS = ("API", "REGISTRY", "CONNECT", "STREAM", "MONITOR", "WAREHOUSE", "KAFKA")


def free_port() -> int:
    """A port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def stack_environment(state: Path) -> dict[str, str]:
    """The environment of `ioc` for a stack in `state`, on free ports; nothing of the caller's settings."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("IOC_")}
    ports = {f"IOC_{name}__PORT": str(free_port()) for name in PORTS}
    return {**own, **ports, "IOC_STATE_DIR": str(state), "IOC_LANG": "en", "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}


def ioc(
    environment: Mapping[str, str], *arguments: str, timeout_s: float = 120, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run `ioc` to its end; with `check` a failure shows both outputs."""
    done = subprocess.run(
        [sys.executable, "-m", "hub.cli", *arguments],
        env=dict(environment), capture_output=True, text=True, timeout=timeout_s, check=False,
    )  # fmt: skip
    assert not check or done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A started stack."""

    environment: Mapping[str, str]
    state: Path

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.environment['IOC_API__PORT']}"

    @property
    def ledgers(self) -> Path:
        """Where the simulated systems keep what they emitted."""
        return self.state / "demo"

    def key(self, role: str = "admin", org: str | None = None) -> str:
        """A new API key."""
        arguments = ["key", "create", "--role", role, "--quiet", *(["--org", org] if org else [])]
        return ioc(self.environment, *arguments).stdout.strip()

    def json(self, *arguments: str) -> Any:
        """The JSON of a reading command."""
        return json.loads(ioc(self.environment, *arguments, "-o", "json").stdout)

    def json_file(self, path: str) -> Any:
        """The JSON in a file of the state directory."""
        return json.loads((self.state / path).read_text(encoding="utf-8"))

    def wait_until_loaded(self, timeout_s: float = 400) -> None:
        """Until everything the simulated systems have emitted so far is in the warehouse."""
        deadline = time.monotonic() + timeout_s
        oracle = [sys.executable, "-m", "deploy.demo.oracle", "--state", str(self.ledgers), "--json"]
        emitted: Mapping[str, int] = {}
        while time.monotonic() < deadline:
            done = subprocess.run(oracle, cwd=ROOT, env=dict(self.environment), capture_output=True, check=False)
            if done.returncode == 0:
                emitted = json.loads(done.stdout)["events"]
                break
            time.sleep(1)
        loaded: Sequence[Any] = ()
        headers = {"Authorization": f"Bearer {self.key()}"}
        with httpx2.Client(base_url=self.api_url, headers=headers, timeout=20) as api:
            while time.monotonic() < deadline:
                kpis = {item["id"]: item["completeness"]["in_warehouse"] or 0 for item in self._kpis(api)}
                loaded = (kpis.get("dossier.received", 0), kpis.get("feedback.received", 0))
                if loaded[0] >= emitted["portal"] and loaded[1] >= emitted["feedback-1022"]:
                    return
                time.sleep(0.3)
        raise AssertionError(f"not loaded within {timeout_s} s: {loaded} of {emitted}")

    def _kpis(self, api: httpx2.Client) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = api.get("/v1/kpis").raise_for_status().json()["items"]
        return items


@contextlib.contextmanager
def start_stack(
    state: Path, scale: float, live_rate: float = 0.0, extra: Mapping[str, str] | None = None
) -> Iterator[RunningStack]:
    """`ioc up --wait` with both simulated systems at `scale`; stopped by `ioc down`."""
    environment = stack_environment(state) | simulator_environment(scale, live_rate) | dict(extra or {})
    ioc(environment, "up", "--wait", "--timeout", "300", timeout_s=360)
    try:
        yield RunningStack(environment, state)
    finally:
        ioc(environment, "down")


def simulator_environment(scale: float, live_rate: float) -> dict[str, str]:
    """What makes `ioc up` start the simulated systems, with secrets of this run."""
    port = free_port()
    return {
        "IOC_DEMO_SCALE": f"{scale:g}",
        "IOC_DEMO_LIVE_RATE": f"{live_rate:g}",
        "IOC_DEMO_PORTAL_PORT": str(port),
        "IOC_PORTAL_URL": f"http://127.0.0.1:{port}",
        "IOC_CONNECT__ALLOWED_HOSTS": "127.0.0.1",
        "IOC_SECRET_PORTAL_CLIENT_ID": "ioc-hub",
        "IOC_SECRET_PORTAL_CLIENT_SECRET": os.urandom(16).hex(),
        "IOC_SECRET_1022_KEY": os.urandom(16).hex(),
    }
