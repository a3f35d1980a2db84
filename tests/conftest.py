"""Shared fixtures: one broker and one warehouse per test session, and a whole stack for end-to-end tests.

Local processes by default; with IOC_TEST_CONTAINERS=1 broker and warehouse come from their official images, and
the same tests run against them.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from hub.broker import Broker, wait_for_port
from tests.department_servers import (
    FtpServer,
    MqttBroker,
    SecondCluster,
    add_listener,
    ftp_process,
    mqtt_process,
    second_kafka,
)
from tests.gate import gate
from tests.postgres import Postgres, postgres_process
from tests.sftp_server import SftpServer, sftp_server_thread
from tests.shared_processes import SHARED, Shared
from tests.stack import ROOT, RunningStack, free_port, start_stack

__all__ = ["ROOT", "free_port"]

settings.register_profile("hub", deadline=None)
settings.load_profile("hub")
"""How long an example takes says nothing on a busy machine."""

CONTAINERS = os.environ.get("IOC_TEST_CONTAINERS") == "1"
KAFKA_IMAGE = "apache/kafka:4.1.0"
CLICKHOUSE_IMAGE = "clickhouse/clickhouse-server:26.3"
STACK_SCALE = 0.02
"""Size of the demonstration's history in end-to-end tests: about 2,000 dossiers, seconds to load."""


def shared_by(item: pytest.Item) -> str | None:
    """Which of them the test uses."""
    return next((name for name in SHARED if name in getattr(item, "fixturenames", ())), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share processes follow one another, first of all; with several workers (`-n`) on one of them. A file's
    tests stay together."""
    items.sort(key=lambda item: SHARED.index(name) if (name := shared_by(item)) else len(SHARED))
    for item in items:
        item.add_marker(pytest.mark.xdist_group(shared_by(item) or item.path.name))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    yield
    used = shared_by(item)
    if nextitem is not None and used != shared_by(nextitem):
        Shared.end(used)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap servers of a real Apache Kafka, started once per session."""
    start = _kafka_container() if CONTAINERS else kafka_process(tmp_path_factory.mktemp("kafka"))
    with start as bootstrap:
        yield bootstrap


GATED: dict[str, SecondCluster] = {}
"""By bootstrap servers: the same broker behind a gate, as a department's own would be reached."""


@contextlib.contextmanager
def kafka_process(data: Path) -> Iterator[str]:
    broker = Broker(ROOT / "deploy" / "kafka" / "libs", data, free_port(), free_port(), heap_mb=384)
    broker.prepare()
    behind = free_port()
    with (data / "out.log").open("wb") as log, gate(behind) as opened:
        add_listener(data / "server.properties", "GATED", behind, opened.port)
        GATED[f"127.0.0.1:{broker.port}"] = SecondCluster(f"127.0.0.1:{opened.port}", opened)
        process = subprocess.Popen(broker.command(), stdout=log, stderr=subprocess.STDOUT)
        try:
            assert wait_for_port(broker.port, 150, process), (data / "out.log").read_text()[-2000:]
            yield f"127.0.0.1:{broker.port}"
        finally:
            process.terminate()
            process.wait(20)


@contextlib.contextmanager
def _kafka_container() -> Iterator[str]:
    from testcontainers.kafka import KafkaContainer

    with KafkaContainer(KAFKA_IMAGE).with_kraft() as container:
        yield container.get_bootstrap_server()


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real, empty warehouse with credentials, `http://user:password@host:port/default`."""
    start = _warehouse_container() if CONTAINERS else warehouse_process(tmp_path_factory.mktemp("warehouse"))
    with start as url:
        yield url


@contextlib.contextmanager
def warehouse_process(state: Path) -> Iterator[str]:
    port = free_port()
    environment = {**os.environ, "IOC_STATE_DIR": str(state), "IOC_WAREHOUSE__PORT": str(port), "PYTHONPATH": str(ROOT)}
    with (state / "out.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "hub.cli", "warehouse"], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            assert wait_for_port(port, 150, process), (state / "out.log").read_text()[-2000:]
            password = (state / "secrets" / "warehouse-writer.key").read_text().strip()
            yield f"http://ioc:{password}@127.0.0.1:{port}/default"
        finally:
            process.terminate()
            process.wait(20)


@contextlib.contextmanager
def _warehouse_container() -> Iterator[str]:
    from testcontainers.clickhouse import ClickHouseContainer

    with ClickHouseContainer(
        CLICKHOUSE_IMAGE, port=8123, username="ioc", password="ioc", dbname="default"
    ) as container:
        yield f"http://ioc:ioc@{container.get_container_host_ip()}:{container.get_exposed_port(8123)}/default"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """The whole product with both simulated systems and a small history, loaded; shared by end-to-end tests."""
    running = Shared.start("stack", start_stack(tmp_path_factory.mktemp("stack"), STACK_SCALE))
    try:
        running.wait_until_loaded()
        yield running
    finally:
        Shared.end("stack")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL."""
    with postgres_process() as server:
        yield server


@pytest.fixture(scope="session")
def sftp_server() -> Iterator[SftpServer]:
    with sftp_server_thread() as server:
        yield server


@pytest.fixture(scope="session")
def ftp_server() -> Iterator[FtpServer]:
    with ftp_process() as server:
        yield server


@pytest.fixture(scope="session")
def mqtt_broker() -> Iterator[MqttBroker]:
    with mqtt_process() as broker:
        yield broker


@pytest.fixture(scope="session")
def gated_kafka(request: pytest.FixtureRequest, kafka: str) -> SecondCluster:
    """The session's Kafka as if it were a department's: reached through a gate only."""
    found: SecondCluster = GATED.get(kafka) or request.getfixturevalue("second_cluster")
    return found


@pytest.fixture(scope="session")
def second_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecondCluster]:
    """A department's Kafka, beside the hub's."""
    with second_kafka(tmp_path_factory.mktemp("second-kafka")) as cluster:
        yield cluster
