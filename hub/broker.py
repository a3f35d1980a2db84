"""The local Apache Kafka: one KRaft node from its own jars, data under the state directory."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

LOG4J = """<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="WARN">
<Appenders><Console name="c"><PatternLayout pattern="%d{ISO8601} %p %m (%c)%n"/></Console></Appenders>
<Loggers><Root level="WARN"><AppenderRef ref="c"/></Root></Loggers></Configuration>
"""

CLUSTER_ID = "aW9jLWludGVncmF0aW9uLQ"
"""KRaft cluster id of a local broker (22 characters of base64url); the directory, not the id, tells stacks apart."""


def classes_of(libs: Path) -> Path:
    """The archive of Kafka's classes, beside the jars (`hub.kafka_classes`)."""
    return libs.resolve() / "classes.jsa"


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a local broker lives. `controller_port` is private to the node."""

    libs: Path
    data: Path
    port: int
    controller_port: int
    heap_mb: int = 512

    def properties(self) -> str:
        return "\n".join(
            (
                "process.roles=broker,controller",
                "node.id=1",
                f"controller.quorum.voters=1@127.0.0.1:{self.controller_port}",
                f"listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
                f"advertised.listeners=PLAINTEXT://127.0.0.1:{self.port}",
                "controller.listener.names=CONTROLLER",
                "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
                f"log.dirs={self.data / 'log'}",
                "auto.create.topics.enable=false",
                "offsets.topic.replication.factor=1",
                "offsets.topic.num.partitions=4",
                # A stack that was off for months must find its positions again: ten years.
                "offsets.retention.minutes=5256000",
                # Fifty by default, which take seconds to be made: the registry's first write waits for them.
                "transaction.state.log.num.partitions=2",
                "transaction.state.log.replication.factor=1",
                "transaction.state.log.min.isr=1",
                "share.coordinator.state.topic.replication.factor=1",
                "share.coordinator.state.topic.min.isr=1",
                # A lone worker should start at once; a joining peer triggers a second, quick rebalance.
                "group.initial.rebalance.delay.ms=0",
                "group.min.session.timeout.ms=1000",
                "log.cleaner.dedupe.buffer.size=16777216",
                "message.max.bytes=12582912",
                "",
            )
        )

    def _java(self, *arguments: str, archive: str | None = None) -> list[str]:
        java = shutil.which("java") or "java"
        if archive is None and (classes := classes_of(self.libs)).exists():
            archive = f"-XX:SharedArchiveFile={classes}"
        return [
            java,
            f"-Xmx{self.heap_mb}m",
            f"-Xms{min(self.heap_mb, 256)}m",
            "-XX:+UseSerialGC",
            # The quick compiler alone: on two cores the thorough one costs 13 s of the demonstration's load, and what
            # it made is no cheaper within minutes (300 batches 0.2 instead of 0.4 s, start 1.9 instead of 3.4 s).
            "-XX:TieredStopAtLevel=1",
            "-Xshare:auto",
            *([archive] if archive else []),
            f"-Dlog4j2.configurationFile={self.data / 'log4j2.xml'}",
            "-cp",
            f"{self.libs.resolve()}/*",
            *arguments,
        ]

    def prepare(self) -> None:
        """Write the configuration and format the log directory once. Idempotent; blocks about a second."""
        self.data.mkdir(parents=True, exist_ok=True)
        (self.data / "log4j2.xml").write_text(LOG4J, encoding="utf-8")
        (self.data / "server.properties").write_text(self.properties(), encoding="utf-8")
        if not (self.data / "log" / "meta.properties").exists():
            subprocess.run(
                [
                    *self._java("kafka.tools.StorageTool"),
                    "format",
                    "-t",
                    CLUSTER_ID,
                    "-c",
                    str(self.data / "server.properties"),
                ],
                check=True,
                capture_output=True,
                env={**os.environ},
            )

    def command(self) -> list[str]:
        """The command line of the broker, to be run after `prepare`."""
        return self._java("kafka.Kafka", str(self.data / "server.properties"))

    def recording_command(self, archive: Path) -> list[str]:
        """As `command`; when it is told to stop it writes the classes it has used to `archive`."""
        settings = str(self.data / "server.properties")
        return self._java("kafka.Kafka", settings, archive=f"-XX:ArchiveClassesAtExit={archive}")


def wait_for_port(port: int, timeout_s: float, alive: subprocess.Popen[bytes] | None = None) -> bool:
    """Whether something accepts connections on the loopback port within the time; blocks."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if alive is not None and alive.poll() is not None:
            return False
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=0.5):
                return True
        except OSError:
            time.sleep(0.05)
    return False
