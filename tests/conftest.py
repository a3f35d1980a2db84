"""Shared fixtures: one broker and one warehouse per test session, as local processes."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.broker import Broker, wait_for_port

ROOT = Path(__file__).parent.parent


def free_port() -> int:
    """A port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap servers of a real Apache Kafka, started once per session."""
    data = tmp_path_factory.mktemp("kafka")
    broker = Broker(ROOT / "deploy" / "kafka" / "libs", data, free_port(), free_port(), heap_mb=384)
    broker.prepare()
    with (data / "out.log").open("wb") as log:
        process = subprocess.Popen(broker.command(), stdout=log, stderr=subprocess.STDOUT)
        try:
            assert wait_for_port(broker.port, 60, process), (data / "out.log").read_text()[-2000:]
            yield f"127.0.0.1:{broker.port}"
        finally:
            process.terminate()
            process.wait(20)
