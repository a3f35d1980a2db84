"""One rebuild at a time: a lease in the warehouse, renewed while it works, free at once when its process is gone."""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from streams.errors import StreamError
from streams.warehouse.catalogue import text
from streams.warehouse.client import Warehouse

TABLE = "rebuild_lease"

LEASE_S = 120.0
"""A holder on another machine that was silent for so long is gone: twice the time-out of one insert."""

RENEW_S = 5.0

CREATE = (
    f"CREATE TABLE IF NOT EXISTS {TABLE} (seq UInt64, owner String, work String, "
    "since UInt64, at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')) "
    "ENGINE = MergeTree ORDER BY seq SETTINGS non_replicated_deduplication_window = 1000"
)


class RebuildRunningError(StreamError):
    """Another rebuild is under way: wait for it, or stop it."""


class LeaseLostError(StreamError):
    """Another rebuild took the lease over, because this one was silent for too long: start it again."""


@dataclass(frozen=True, slots=True)
class _Held:
    """`work` is empty once it is finished; `since`: as given to `acquire` when the work began."""

    seq: int
    owner: str
    work: str
    since: int
    age_s: float


class Lease:
    """Held from `acquire` to `release`. Blocks."""

    def __init__(self, warehouse: Warehouse, work: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._warehouse = warehouse
        self._work = work
        self._clock = clock
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex}"
        self._seq = 0
        self._since = 0
        self._renewed = 0.0

    def acquire(self, since: int) -> int:
        """Raises `RebuildRunningError` if another process holds it.

        Returns `since`, or the one that was given when the same work began that was interrupted.
        """
        self._warehouse.command(CREATE)
        held = self._latest()
        if held.owner and held.age_s < LEASE_S and not _is_gone(held.owner):
            host, pid, _ = held.owner.split(":")
            raise RebuildRunningError(f"{held.work} is under way (process {pid} on {host}); wait for it or stop it")
        self._since = held.since if held.work == self._work else since
        if not self._write(held.seq + 1, self._owner, self._work):
            raise RebuildRunningError(f"{self._latest().work} has begun just now; wait for it or stop it")
        return self._since

    def renew(self) -> None:
        """Call it often; raises `LeaseLostError`."""
        if self._clock() - self._renewed >= RENEW_S and not self._write(self._seq + 1, self._owner, self._work):
            raise LeaseLostError(f"{self._latest().work} has taken over; start this again when it has ended")

    def release(self, finished: bool) -> None:
        """Let others in; work that is not finished is resumed by the next process that does the same."""
        self._write(self._seq + 1, "", "" if finished else self._work)

    def _latest(self) -> _Held:
        rows = self._warehouse.rows(
            "SELECT seq, owner, work, since, dateDiff('millisecond', at, now64(3, 'UTC')) / 1000 "
            f"FROM {TABLE} ORDER BY seq DESC LIMIT 1"
        )
        return _Held(*rows[0]) if rows else _Held(0, "", "", 0, 0.0)

    def _write(self, seq: int, owner: str, work: str) -> bool:
        """Of two who write the same number the warehouse drops the second, by the token."""
        self._warehouse.command(
            f"INSERT INTO {TABLE} (seq, owner, work, since) VALUES ({seq}, {text(owner)}, {text(work)}, {self._since})",
            {"insert_deduplication_token": f"{TABLE}:{seq}", "async_insert": 0},
        )
        self._seq, self._renewed = seq, self._clock()
        won = self._warehouse.rows(f"SELECT any(owner) FROM {TABLE} WHERE seq = {seq}")
        return str(won[0][0]) == owner


def _is_gone(owner: str) -> bool:
    """Whether the holder was a process of this machine that has ended, perhaps not yet taken note of by its parent."""
    host, pid, _ = owner.split(":")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False
