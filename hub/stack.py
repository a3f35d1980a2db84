"""The units of `ioc up` on one machine: what runs, what it needs, and when it counts as ready."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from hub.broker import Broker
from hub.config import Settings
from hub.kafka_jars import clone_root, kafka_jars
from hub.processes import Child, spawn
from hub.state_dir import StateDir
from hub.supervision import Plan
from hub.supervisor import StartFailedError, Unit

PROBE_TIMEOUT_S = 1.0

LEAN = {
    # glibc keeps an arena per thread otherwise: tens of MB in each process.
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_TRIM_THRESHOLD_": "131072",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "ARROW_IO_THREADS": "1",
    "PYTHONUNBUFFERED": "1",
}
"""Environment of the roles on one machine: memory and threads of a small server."""


class Task:
    """A short piece of work in a thread that looks like a child process: 0 done, 1 failed."""

    def __init__(self, work: Callable[[], None], name: str) -> None:
        self._exit_code: int | None = None
        self._work = work
        threading.Thread(target=self._run, name=name, daemon=True).start()

    @property
    def pid(self) -> int:
        return os.getpid()

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 – the supervisor decides: it tries again
            logging.getLogger("ioc").error("%s: %s", threading.current_thread().name, error)
            self._exit_code = 1
        else:
            self._exit_code = 0

    def poll(self) -> int | None:
        return self._exit_code

    def terminate(self) -> None:
        """A thread cannot be ended; the work is idempotent, so it is left to the end of the process."""
        if self._exit_code is None:
            self._exit_code = 1

    def kill(self) -> None:
        self.terminate()


def role_environment(settings: Settings, flags: Mapping[str, str]) -> dict[str, str]:
    """The environment of a role's process: ours, the flags we were given, and the state directory made absolute."""
    package_root = str(Path(__file__).parent.parent)
    path = [package_root, *filter(None, [os.environ.get("PYTHONPATH")])] if clone_root() else []
    return {
        **LEAN,
        **os.environ,
        **{"IOC_" + key.upper().replace(".", "__"): value for key, value in flags.items()},
        "IOC_STATE_DIR": str(settings.state_dir.absolute()),
        **({"PYTHONPATH": os.pathsep.join(path)} if path else {}),
    }


def http_ok(url: str) -> bool:
    """Whether a GET answers 2xx within the probe's time; False for every failure."""
    try:
        with urllib.request.urlopen(url, timeout=PROBE_TIMEOUT_S) as response:
            return 200 <= int(response.status) < 300
    except (urllib.error.URLError, OSError, ValueError):
        return False


def accepts(port: int) -> bool:
    """Whether something accepts connections on the loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.3):
            return True
    except OSError:
        return False


def free_port() -> int:
    """A port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listening_ports(settings: Settings) -> dict[str, int]:
    """Ports that the stack will open, by the setting that moves them."""
    ports = {
        "api.port": settings.api.port,
        "connect.port": settings.connect.port,
        "stream.port": settings.stream.port,
        "monitor.port": settings.monitor.port,
    }
    if settings.registry.url is None:
        ports["registry.port"] = settings.registry.port
    if settings.kafka.bootstrap_servers is None:
        ports["kafka.port"] = settings.kafka.port
    if settings.clickhouse.url is None:
        ports["warehouse.port"] = settings.warehouse.port
    return ports


class Stack:
    """Builds the units for `settings`; `flags` are handed on to the roles' processes."""

    def __init__(self, settings: Settings, flags: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        self._state = StateDir(settings.state_dir.absolute())
        self._environment = role_environment(settings, flags or {})

    def units(self) -> list[Unit]:
        """In the order of starting; parts given by an address (a cluster, a server) are left out."""
        settings = self._settings
        units: list[Unit] = []
        if settings.kafka.bootstrap_servers is None:
            units.append(Unit(Plan("kafka"), self._start_kafka, lambda: accepts(settings.kafka.port), grace_s=30))
        if settings.clickhouse.url is None:
            units.append(self._role("warehouse", settings.warehouse.port, needs=(), grace_s=30))
        there = {unit.plan.name for unit in units}
        units.append(
            Unit(Plan("topics", tuple(there & {"kafka"}), once=True), self._start_topics, lambda: False, grace_s=1)
        )
        base = ("topics", *sorted(there & {"warehouse"}))
        units.append(self._role("hub", settings.api.port, base, probe="/livez"))
        units.append(self._role("connect", settings.connect.port, (*base, "hub")))
        units.append(self._role("stream", settings.stream.port, (*base, "hub"), grace_s=20))
        return units

    def _role(
        self, name: str, port: int, needs: tuple[str, ...], grace_s: float = 15.0, probe: str = "/readyz"
    ) -> Unit:
        # Roles wait for what they need themselves: their imports go on while Kafka starts.
        plan = Plan(name, needs, eager=True)
        return Unit(plan, lambda: self.spawn_role(name), lambda: http_ok(f"http://127.0.0.1:{port}{probe}"), grace_s)

    def spawn_role(self, name: str) -> Child:
        """Start `ioc <name>` as a child."""
        return spawn([sys.executable, "-m", "hub.cli", name], self._environment, self._state.log(name))

    def spawn_program(self, name: str, command: list[str], extra: Mapping[str, str]) -> Child:
        """Start another program as a child, its log beside those of the roles."""
        return spawn(command, {**self._environment, **extra}, self._state.log(name))

    def _start_kafka(self) -> Child:
        kafka = self._settings.kafka
        jars = kafka_jars(kafka.libs)
        # The controller's listener is private to the node: any free port will do, a new one at each start.
        broker = Broker(jars.libs, self._state.kafka, kafka.port, free_port(), kafka.heap_mb)
        try:
            broker.prepare()
        except subprocess.CalledProcessError as error:
            raise StartFailedError(error.stderr.decode("utf-8", "replace")[-2000:]) from error
        return spawn(broker.command(), self._environment, self._state.log("kafka"))

    def _start_topics(self) -> Child:
        return Task(self.ensure_topics, "topics")

    def ensure_topics(self) -> None:
        """Create the hub's topics; blocks; raises `TopicsError`."""
        from hub.declarations import load_declarations
        from hub.topics import ensure_topics

        kafka = self._settings.kafka
        contracts = load_declarations(self._settings).in_use.values()
        ensure_topics(self._settings.bootstrap, contracts, kafka.topic_partitions, kafka.replication_factor)
