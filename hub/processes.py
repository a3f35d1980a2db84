"""Operating-system processes: start them so that none outlives its supervisor, name them, measure them.

Children get their own session, so that a Ctrl-C at the terminal reaches the supervisor alone and the order of
stopping is its decision; on Linux the kernel ends them when the supervisor dies without a word.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

PR_SET_PDEATHSIG = 1

LOG_LIMIT_BYTES = 32 * 1024 * 1024
"""A role's log is cut at this size; the part before is kept as `<role>.log.1`."""


class Child(Protocol):
    """A started unit."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None:
        """The exit code, None while it runs; never blocks."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it."""


def _dies_with_parent() -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask_the_kernel() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before we could ask
            os._exit(1)

    return ask_the_kernel


def spawn(
    command: Sequence[str], environment: Mapping[str, str], log: Path, *, outlive: bool = False
) -> subprocess.Popen[bytes]:
    """Start `command` with its output appended to `log`. Call it from the main thread: the kernel's promise to end
    the child (unless `outlive`) is bound to the thread that forks."""
    log.parent.mkdir(parents=True, exist_ok=True)
    cut(log)
    with log.open("ab") as output:
        return subprocess.Popen(
            list(command),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=None if outlive else _dies_with_parent(),
        )


def cut(log: Path) -> None:
    """Keep a log bounded: what was written so far moves to `.1`, the open file goes on from nothing."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_LIMIT_BYTES:
            log.with_name(log.name + ".1").write_bytes(log.read_bytes())
            os.truncate(log, 0)


def tail(log: Path, lines: int) -> list[str]:
    """The last lines of a log; empty if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 64 * 1024))
            return file.read().decode("utf-8", "replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []


def started_at(pid: int) -> str | None:
    """This boot and the clock tick at which the process began: with the pid it names a process for good. None: gone."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else f"{boot}:{fields[19]}"


def rss_bytes(pid: int) -> int | None:
    """Resident memory of the process, None if it is gone or the system does not tell."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return None
    return None


@dataclass(frozen=True, slots=True)
class PidFile:
    """Remembers a process across supervisors, so that one left over is found again and never mistaken."""

    path: Path

    def write(self, pid: int) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps({"pid": pid, "started_at": started_at(pid)}), encoding="utf-8")

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)

    def running(self) -> int | None:
        """The pid, if that very process still runs."""
        try:
            remembered = json.loads(self.path.read_text(encoding="utf-8"))
            pid, began = int(remembered["pid"]), remembered["started_at"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return pid if began is not None and started_at(pid) == began else None
