"""A broker and a warehouse of a test's own, to be killed and started again on the same port and data."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hub.broker import Broker, wait_for_port
from tests.stack import ROOT, free_port


@dataclass
class Server:
    """One server process; `kill` and `start` as often as wanted."""

    command: list[str]
    port: int
    log_file: Path
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it accepts connections."""
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, env=os.environ | self.environment, stdout=log, stderr=subprocess.STDOUT
            )
        assert wait_for_port(self.port, 60, self.process), self.log_file.read_text(encoding="utf-8")[-2000:]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Returns when it is gone."""
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(30)

    def kill(self) -> None:
        self.stop(signal.SIGKILL)


@contextlib.contextmanager
def own_broker(data: Path) -> Iterator[tuple[Server, str]]:
    """A broker and its bootstrap address."""
    broker = Broker(ROOT / "deploy" / "kafka" / "libs", data, free_port(), free_port(), heap_mb=384)
    broker.prepare()
    server = Server(broker.command(), broker.port, data / "out.log")
    with _ended(server):
        yield server, f"127.0.0.1:{broker.port}"


@contextlib.contextmanager
def own_warehouse(state: Path) -> Iterator[tuple[Server, str]]:
    """A warehouse and its address with credentials."""
    state.mkdir(parents=True, exist_ok=True)
    port = free_port()
    environment = {"IOC_STATE_DIR": str(state), "IOC_WAREHOUSE__PORT": str(port), "PYTHONPATH": str(ROOT)}
    server = Server([sys.executable, "-m", "hub.cli", "warehouse"], port, state / "out.log", environment)
    with _ended(server):
        password = (state / "secrets" / "warehouse-writer.key").read_text(encoding="utf-8").strip()
        yield server, f"http://ioc:{password}@127.0.0.1:{port}/default"


@contextlib.contextmanager
def _ended(server: Server) -> Iterator[None]:
    server.start()
    try:
        yield
    finally:
        if server.process is not None and server.process.poll() is None:
            server.process.terminate()
            server.process.wait(30)
