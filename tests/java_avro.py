"""Java Avro, asked by two small programmes that Maven's jars and javac make under `.bench/` on demand."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hub.kafka_jars import MAVEN_PLUGIN

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "tests" / "contract" / "java_avro"
PLACE = ROOT / ".bench" / "java_avro"
TIMEOUT_S = 600


def class_path() -> str:
    """Class path of the programmes, made anew if their sources have changed."""
    programmes = sorted(SOURCES.glob("*.java"))
    sources = (SOURCES / "pom.xml", *programmes)
    stamp = hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()
    mark = PLACE / ".sources.sha256"
    PLACE.parent.mkdir(exist_ok=True)
    with PLACE.with_suffix(".lock").open("w") as lock:
        # Workers of one test run come here at the same time.
        fcntl.flock(lock, fcntl.LOCK_EX)
        _make(programmes, mark, stamp)
    return f"{PLACE}{os.pathsep}{PLACE / 'libs'}/*"


def _make(programmes: Sequence[Path], mark: Path, stamp: str) -> None:
    if not (mark.exists() and mark.read_text(encoding="utf-8") == stamp):
        shutil.rmtree(PLACE, ignore_errors=True)
        PLACE.mkdir(parents=True)
        maven = ("mvn", "--quiet", "--batch-mode", "--no-transfer-progress", "-f", str(SOURCES / "pom.xml"))
        _run(*maven, MAVEN_PLUGIN, f"-DoutputDirectory={PLACE / 'libs'}", "-DincludeScope=runtime")
        _run("javac", "-d", str(PLACE), "-cp", f"{PLACE / 'libs'}/*", *map(str, programmes))
        mark.write_text(stamp, encoding="utf-8")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, f"{' '.join(command)}:\n{(done.stdout + done.stderr)[-2000:]}"


def verdicts(asked: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The answer to each question, in one run; `Verdicts.java` tells what may be asked."""
    return _answers("Verdicts", asked)


def values(asked: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is written and read, in one run; `Values.java` tells what may be asked."""
    return _answers("Values", asked)


def _answers(programme: str, asked: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    done = subprocess.run(
        ("java", "-XX:TieredStopAtLevel=1", "-Xmx512m", "-cp", class_path(), programme),
        input="\n".join(json.dumps(item) for item in asked),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.split("\n") if line]
