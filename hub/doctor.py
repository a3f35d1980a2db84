"""`ioc doctor`: what this machine must have, checked one by one, each with its cure."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

from hub.config import Settings
from hub.config_sources import as_variable
from hub.kafka_jars import clone_root, kafka_jars
from hub.stack import accepts, listening_ports
from hub.state_dir import StateDir

PYTHON = (3, 11)
JAVA = 17
FREE_DISK_BYTES = 2 * 1024**3
"""Kafka and the warehouse stop writing on a full disk; the demo's history takes about half of this."""

CLOCK_SKEW_S = 60.0
"""Webhooks are refused beyond 300 s of difference; warn long before."""

EARLIEST_CLOCK = 1_735_689_600
"""1 January 2025: a clock before it was never set."""

_VERSION = re.compile(r'version "(\d+)')


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. `cure` is empty where nothing is wrong."""

    name: str
    ok: bool
    found: str
    cure: str = ""


Run = Callable[[list[str]], str | None]


def run_program(command: list[str]) -> str | None:
    """Output and errors of a program, None if it is not there or fails."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout + done.stderr


def java_major(output: str | None) -> int | None:
    """The major version in the output of `java -version`."""
    match = _VERSION.search(output or "")
    return int(match.group(1)) if match else None


def check_python() -> Check:
    found = ".".join(str(part) for part in sys.version_info[:3])
    cure = "" if sys.version_info >= PYTHON else "apt install python3.11 python3.11-venv"
    return Check("python", not cure, found, cure)


def check_java(run: Run) -> Check:
    major = java_major(run(["java", "-version"]))
    ok = major is not None and major >= JAVA
    found = "–" if major is None else str(major)
    return Check("java", ok, found, "" if ok else f"apt install openjdk-{JAVA}-jre-headless")


def check_program(name: str, command: list[str], package: str, run: Run) -> Check:
    output = run(command)
    first = output.strip().splitlines()[0] if output and output.strip() else "–"
    found = re.sub(r"\x1b\[[0-9;]*m", "", first)
    return Check(name, output is not None, found, "" if output is not None else f"apt install {package}")


def check_jars(settings: Settings) -> Check:
    jars = kafka_jars(settings.kafka.libs)
    ok = settings.kafka.bootstrap_servers is not None or jars.usable()
    cure = "" if ok else ("make setup" if clone_root() else "ioc kafka fetch")
    return Check("kafka jars", ok, str(jars.libs), cure)


def check_port(key: str, port: int, *, ours: bool) -> Check:
    taken = accepts(port) and not ours
    cure = f"export {as_variable(key)}=<port>  (ss -ltnp 'sport = :{port}')" if taken else ""
    return Check(f"port {port} ({key.removesuffix('.port')})", not taken, "taken" if taken else "free", cure)


def check_disk(state_dir: Path) -> Check:
    existing = next(path for path in (state_dir, *state_dir.parents) if path.exists())
    if not os.access(existing, os.W_OK):
        return Check("disk", False, f"{existing} not writable", f"{as_variable('state_dir')}=<directory>")
    free = shutil.disk_usage(existing).free
    ok = free >= FREE_DISK_BYTES
    cure = "" if ok else f"free {FREE_DISK_BYTES // 1024**3} GiB, or {as_variable('state_dir')}=<directory>"
    return Check("disk", ok, f"{free / 1024**3:.1f} GiB free at {existing}", cure)


def check_clock(now_s: float, reference_s: float | None) -> Check:
    """`reference_s`: another machine's clock, None where none could be asked."""
    if now_s < EARLIEST_CLOCK:
        return Check("clock", False, "never set", "timedatectl set-ntp true")
    if reference_s is None:
        return Check("clock", True, "set (no other clock to compare with)")
    skew = now_s - reference_s
    ok = abs(skew) <= CLOCK_SKEW_S
    return Check("clock", ok, f"{skew:+.0f} s", "" if ok else "timedatectl set-ntp true")


def reference_clock(url: str | None) -> float | None:
    """The clock of an HTTP server (a department's system), by its Date header."""
    if not url:
        return None
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=2) as response:
            return parsedate_to_datetime(response.headers["Date"]).timestamp()
    except (OSError, ValueError, TypeError):
        return None


def examine(settings: Settings, run: Run = run_program) -> Iterator[Check]:
    """All checks, each as it is done. Blocks for some seconds."""
    yield check_python()
    if settings.kafka.bootstrap_servers is None:
        yield check_java(run)
        yield check_program("maven", ["mvn", "--version"], "maven", run)
        yield check_jars(settings)
    if clone_root() is not None:
        yield check_program("node", ["node", "--version"], "nodejs", run)
        yield check_program("npm", ["npm", "--version"], "npm", run)
    ours = StateDir(settings.state_dir.absolute()).supervisor() is not None
    for key, port in listening_ports(settings).items():
        yield check_port(key, port, ours=ours)
    yield check_disk(settings.state_dir.absolute())
    yield check_clock(time.time(), reference_clock(os.environ.get("IOC_PORTAL_URL")))
