"""The state directory of a stack: what lies where, and the lock that keeps two supervisors apart."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.processes import PidFile


class StateInUseError(Exception):
    """Another supervisor works in the directory; `pid` is its process, 0 if it did not say."""

    def __init__(self, root: Path, pid: int) -> None:
        super().__init__(f"{root} is in use by another `ioc up` (process {pid}); stop it with `ioc down`")
        self.pid = pid


@dataclass(frozen=True, slots=True)
class StateDir:
    """Paths under `root`, which is absolute."""

    root: Path

    @property
    def kafka(self) -> Path:
        return self.root / "kafka"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def lock_file(self) -> Path:
        return self.run / "supervisor.lock"

    @property
    def snapshot_file(self) -> Path:
        return self.run / "stack.json"

    def log(self, role: str) -> Path:
        return self.root / "logs" / f"{role}.log"

    def pid_file(self, role: str) -> PidFile:
        return PidFile(self.run / f"{role}.pid")

    def pid_files(self) -> dict[str, PidFile]:
        """Those of all roles that were ever started."""
        return {path.stem: PidFile(path) for path in sorted(self.run.glob("*.pid"))}

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory for this process; raises `StateInUseError`. Released by the kernel at our death."""
        self.run.mkdir(parents=True, exist_ok=True)
        with self.lock_file.open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StateInUseError(self.root, _pid_in(self.lock_file)) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            try:
                yield
            finally:
                file.truncate(0)

    def supervisor(self) -> int | None:
        """The pid of the supervisor that holds the lock; None if nobody does, 0 if it is not yet written."""
        if not self.lock_file.exists():
            return None
        with self.lock_file.open("r", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _pid_in(self.lock_file)
            fcntl.flock(file, fcntl.LOCK_UN)
        return None

    def write_snapshot(self, snapshot: dict[str, Any]) -> None:
        """Publish the supervisor's view; readers see the old one or the new one."""
        self.run.mkdir(parents=True, exist_ok=True)
        scratch = self.snapshot_file.with_suffix(".new")
        scratch.write_text(json.dumps(snapshot), encoding="utf-8")
        scratch.replace(self.snapshot_file)

    def read_snapshot(self) -> dict[str, Any]:
        """The last published view; empty if there is none."""
        try:
            snapshot: dict[str, Any] = json.loads(self.snapshot_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return snapshot


def _pid_in(path: Path) -> int:
    try:
        return int(path.read_text(encoding="utf-8").strip() or 0)
    except (OSError, ValueError):
        return 0
