"""A real Kafka Connect worker from its own jars, to compare with."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
from kafka import KafkaAdminClient

from hub.kafka_jars import KafkaJars
from tests.conftest import ROOT, free_port

FOLDER = ROOT / "tests" / "contract" / "kafka_connect"
JARS = KafkaJars(FOLDER / "pom.xml", FOLDER / "libs", "connect-runtime-*.jar")
START_S = 90.0
LOG4J = """<Configuration><Appenders><Console name="C"><PatternLayout pattern="%p %c{1} %m%n"/></Console></Appenders>
<Loggers><Root level="ERROR"><AppenderRef ref="C"/></Root></Loggers></Configuration>
"""


def _properties(bootstrap: str, port: int, group: str) -> str:
    return "\n".join(
        (
            f"bootstrap.servers={bootstrap}",
            f"group.id={group}",
            f"listeners=http://127.0.0.1:{port}",
            "key.converter=org.apache.kafka.connect.storage.StringConverter",
            "value.converter=org.apache.kafka.connect.storage.StringConverter",
            f"offset.storage.topic={group}-offsets",
            f"config.storage.topic={group}-configs",
            f"status.storage.topic={group}-status",
            "offset.storage.replication.factor=1",
            "config.storage.replication.factor=1",
            "status.storage.replication.factor=1",
            "offset.storage.partitions=1",
            "status.storage.partitions=1",
            "offset.flush.interval.ms=500",
            "plugin.discovery=service_load",
            "",
        )
    )


def make_topic(bootstrap: str, name: str) -> None:
    """For its connectors to write to: the broker makes none, and a task that waits for one does nothing else."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1}})
    admin.wait_for_topics([name], timeout_ms=60_000)
    admin.close()


@contextlib.contextmanager
def kafka_connect(bootstrap: str, data: Path, group: str) -> Iterator[str]:
    """The worker's address, as soon as it answers; some 13 s and 550 MB."""
    JARS.fetch(lambda _: None)
    port = free_port()
    (data / "connect.properties").write_text(_properties(bootstrap, port, group), encoding="utf-8")
    (data / "log4j2.xml").write_text(LOG4J, encoding="utf-8")
    command = [
        "java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
        f"-Dlog4j2.configurationFile={data / 'log4j2.xml'}",
        "-cp", f"{JARS.libs}/*:{_logging()}",
        "org.apache.kafka.connect.cli.ConnectDistributed", str(data / "connect.properties"),
    ]  # fmt: skip
    with (data / "connect.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_S
        while not _healthy(url):
            alive = process.poll() is None and time.monotonic() < deadline
            assert alive, (data / "connect.log").read_text()[-3000:]
            time.sleep(0.2)
        yield url
    finally:
        process.kill()
        process.wait(20)


def _logging() -> str:
    """The broker's jars of log4j: without them the worker cannot answer about its loggers."""
    return ":".join(str(path) for path in sorted((ROOT / "deploy" / "kafka" / "libs").glob("log4j-*.jar")))


def _healthy(url: str) -> bool:
    with contextlib.suppress(httpx2.TransportError):
        return httpx2.get(f"{url}/health").status_code == 200
    return False
