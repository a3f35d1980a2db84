"""Apache Kafka's jars: where they are, and how Maven fetches them.

In a clone they lie beside their `pom.xml` in `deploy/kafka/libs`; an installed wheel keeps them in the user's cache.
A stamp with the pom's hash says that the directory is complete; without it Maven goes on from its own cache.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

STAMP = ".pom.sha256"
MAVEN_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
"""Pinned, so that what runs does not depend on the day."""


class JarsError(Exception):
    """The jars are not there and could not be fetched; the message names the cure."""


@dataclass(frozen=True, slots=True)
class KafkaJars:
    """A directory of jars and the pom that lists them."""

    pom: Path
    libs: Path
    proof: str = "kafka_2.13-*.jar"
    """The jar without which the others are of no use."""

    def complete(self) -> bool:
        """Whether the directory holds what the pom lists."""
        stamp = self.libs / STAMP
        return stamp.exists() and stamp.read_text(encoding="utf-8").strip() == self._pom_hash()

    def usable(self) -> bool:
        """Whether a broker can be started from the directory, be it filled by us or by hand."""
        return self.complete() or any(self.libs.glob(self.proof))

    def fetch(self, say: Callable[[str], None], maven: str | None = None) -> None:
        """Copy the jars with Maven; `say` gets a line per jar. Resumable; blocks; raises `JarsError`."""
        if self.complete():
            return
        program = maven or shutil.which("mvn")
        if program is None:
            raise JarsError("Maven is missing; on Debian or Ubuntu: apt install maven")
        self.libs.mkdir(parents=True, exist_ok=True)
        tail = self._run(program, say)
        if not any(self.libs.glob(self.proof)):
            raise JarsError("Maven could not fetch Kafka's jars:\n" + "\n".join(tail[-8:]))
        (self.libs / STAMP).write_text(self._pom_hash() + "\n", encoding="utf-8")

    def _run(self, program: str, say: Callable[[str], None]) -> list[str]:
        command = [
            program,
            "--batch-mode",
            "--no-transfer-progress",
            "-f",
            str(self.pom),
            MAVEN_PLUGIN,
            f"-DoutputDirectory={self.libs.absolute()}",
            "-DincludeScope=runtime",
        ]
        lines: list[str] = []
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line.rstrip())
                if "Copying " in line:
                    say(line.split("Copying ", 1)[1].split(" to ")[0])
        if process.returncode != 0:
            raise JarsError("Maven could not fetch Kafka's jars:\n" + "\n".join(lines[-8:]))
        return lines

    def _pom_hash(self) -> str:
        return hashlib.sha256(self.pom.read_bytes()).hexdigest()


def clone_root() -> Path | None:
    """The root of the clone this package runs from; None for an installed wheel."""
    root = Path(__file__).parent.parent
    return root if (root / "deploy" / "kafka" / "pom.xml").exists() else None


def kafka_jars(libs: Path | None = None) -> KafkaJars:
    """Where the jars belong: `libs` if given, else the clone, else the user's cache."""
    clone = clone_root()
    if clone is not None:
        folder = clone / "deploy" / "kafka"
        return KafkaJars(folder / "pom.xml", libs or folder / "libs")
    pom = Path(str(resources.files("hub") / "kafka-pom.xml"))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return KafkaJars(pom, libs or cache / "ioc-integration-hub" / "kafka" / "libs")
