"""What the other systems need, made under `.bench/` on demand: a Python environment and a jar."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent.parent
BENCH = ROOT / ".bench"
LOCK = HERE / "peers.lock"
MAVEN_PROJECT = HERE / "kafka_streams"


class PeerMissingError(Exception):
    """A peer's packages could not be installed; the message says what was run and what it answered."""


def _stamp(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _run(*command: str, **environment: str) -> None:
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=900, check=False
    )
    if done.returncode:
        raise PeerMissingError(f"{' '.join(command)}:\n{(done.stdout + done.stderr)[-2000:]}")


def python() -> Path:
    """Interpreter of the peers' environment (Quix Streams, Bytewax, py-spy), made if its lock has changed."""
    place = BENCH / "peers"
    mark = place / ".lock.sha256"
    interpreter = place / "bin" / "python"
    if not (mark.exists() and mark.read_text(encoding="utf-8") == _stamp(LOCK)):
        uv = str(Path(sys.executable).parent / "uv")
        _run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(place))
        _run(uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(interpreter), str(LOCK))
        mark.write_text(_stamp(LOCK), encoding="utf-8")
    return interpreter


def profiler() -> Path:
    """py-spy's command."""
    return python().parent / "py-spy"


def kafka_streams() -> str:
    """Class path of the Kafka Streams peer, built by Maven if its sources have changed."""
    place = BENCH / "kafka_streams"
    mark = place / ".sources.sha256"
    stamp = _stamp(MAVEN_PROJECT / "pom.xml", MAVEN_PROJECT / "src" / "main" / "java" / "Peer.java")
    if not (mark.exists() and mark.read_text(encoding="utf-8") == stamp):
        maven = shutil.which("mvn")
        if maven is None:
            raise PeerMissingError("Maven is missing; on Debian or Ubuntu: apt install maven")
        pom = str(MAVEN_PROJECT / "pom.xml")
        _run(maven, "-q", "--batch-mode", "--no-transfer-progress", "-f", pom, f"-Dout={place}", "package")
        mark.write_text(stamp, encoding="utf-8")
    return f"{place / 'peer.jar'}:{place / 'libs'}/*"
