"""Starting and stopping the stack of this machine: in the foreground, in the background, and from elsewhere."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from hub.config import Settings
from hub.config_sources import as_variable
from hub.demo import demo_units
from hub.first_keys import ensure_keys
from hub.kafka_jars import kafka_jars
from hub.language import t
from hub.processes import spawn, tail
from hub.stack import Stack, accepts, http_ok, listening_ports, role_environment
from hub.state_dir import StateDir, StateInUseError
from hub.status import readiness
from hub.supervisor import Supervisor

POLL_S = 0.1
SUPERVISOR_LOG = "supervisor"

Say = Callable[[str], None]


class LaunchError(Exception):
    """The stack cannot be started; the message names the cause and the cure."""


class JarsMissingError(LaunchError):
    """Kafka's jars have to be fetched first."""


def prepare(settings: Settings, show_key: Say) -> None:
    """Everything that would stop a start is found here, before anything is started. Raises `LaunchError`.

    `show_key` gets the administrator key of a new state; it cannot be shown again.
    """
    state = state_of(settings)
    holder = state.supervisor()
    if holder is not None:
        raise LaunchError(_in_use(state, holder))
    if settings.kafka.bootstrap_servers is None and not kafka_jars(settings.kafka.libs).usable():
        raise JarsMissingError(
            t("Chưa có các tệp jar của Kafka. Tải bằng lệnh:", "Kafka's jars are missing. Fetch them with:")
            + " ioc kafka fetch"
        )
    leftovers = [name for name, file in state.pid_files().items() if file.running() is not None]
    if not leftovers:
        _refuse_taken_ports(settings)
    ensure_keys(settings, show_key)


def _refuse_taken_ports(settings: Settings) -> None:
    taken = {key: port for key, port in listening_ports(settings).items() if accepts(port)}
    if taken:
        heading = t("Các cổng sau đang bị chiếm; đổi bằng biến:", "These ports are taken; choose others with:")
        raise LaunchError("\n".join([heading, *(f"  {port}  {as_variable(key)}" for key, port in taken.items())]))


def _in_use(state: StateDir, pid: int) -> str:
    return t(
        f"{state.root} đang được một `ioc up` khác dùng (tiến trình {pid}); dừng bằng: ioc down",
        f"{state.root} is in use by another `ioc up` (process {pid}); stop it with: ioc down",
    )


def state_of(settings: Settings) -> StateDir:
    return StateDir(settings.state_dir.absolute())


def run_supervisor(settings: Settings, flags: Mapping[str, str], say: Say) -> None:
    """Supervise in this process until a signal, the simulated systems too if asked by the environment; blocks.

    Raises `LaunchError` if the state directory is taken."""
    state = state_of(settings)
    try:
        with state.lock():
            stack = Stack(settings, flags)
            Supervisor([*stack.units(), *demo_units(settings, stack)], state, _stamped(say)).run()
    except StateInUseError as error:
        raise LaunchError(_in_use(state, error.pid)) from error


def _stamped(say: Say) -> Say:
    return lambda text: say(f"{datetime.now(UTC).astimezone():%H:%M:%S} {text}")


def start_in_background(
    settings: Settings, flags: Mapping[str, str], extra: Mapping[str, str] | None = None, *, outlive: bool = True
) -> subprocess.Popen[bytes]:
    """Start a supervisor that is not bound to this terminal (and, with `outlive`, not to this process)."""
    state = state_of(settings)
    state.snapshot_file.unlink(missing_ok=True)
    return spawn(
        [sys.executable, "-m", "hub.cli", "up", "--supervised"],
        {**role_environment(settings, flags), **(extra or {})},
        state.log(SUPERVISOR_LOG),
        outlive=outlive,
    )


def wait_until_ready(settings: Settings, supervisor: subprocess.Popen[bytes], timeout_s: float, say: Say) -> bool:
    """Whether `/readyz` is green and every unit ready within the time; raises `LaunchError` if the supervisor ends.

    Says each unit's progress once.
    """
    state = state_of(settings)
    deadline = time.monotonic() + timeout_s
    seen: dict[str, str] = {}
    while time.monotonic() < deadline:
        if supervisor.poll() is not None:
            raise LaunchError(
                t("Bộ giám sát đã dừng:", "The supervisor ended:")
                + "\n"
                + "\n".join(tail(state.log(SUPERVISOR_LOG), 12))
            )
        snapshot = state.read_snapshot()
        for name, unit in snapshot.get("units", {}).items():
            if seen.get(name) != unit["phase"] and unit["phase"] in ("ready", "done", "pausing"):
                say(f"  {name}: {unit['phase']}" + (f" ({state.log(name)})" if unit["phase"] == "pausing" else ""))
            seen[name] = unit["phase"]
        if snapshot.get("ready") and http_ok(f"{settings.api_url}/readyz"):
            return True
        time.sleep(POLL_S)
    for check in readiness(settings.api_url):
        if not check["ok"]:
            say(f"  {check['check']}: {check['cause']}")
    return False


def stop_running(state: StateDir, timeout_s: float, say: Say) -> bool:
    """Stop the supervisor that holds `state` and with it all units; True if nothing runs afterwards."""
    pid = state.supervisor()
    if pid is None:
        say(t(f"Không có gì đang chạy trong {state.root}", f"Nothing runs in {state.root}"))
        return True
    deadline = time.monotonic() + timeout_s
    if pid:
        os.kill(pid, signal.SIGTERM)
    while time.monotonic() < deadline:
        if state.supervisor() is None and not _running(state):
            say(t(f"Đã dừng tất cả trong {state.root}", f"Stopped everything in {state.root}"))
            return True
        time.sleep(POLL_S)
    return False


def _running(state: StateDir) -> list[str]:
    return [name for name, file in state.pid_files().items() if file.running() is not None]
