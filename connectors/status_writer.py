"""Writes the statuses of a process's connectors into the compacted status topic."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

import structlog

from connectors.clock import now_ms
from connectors.errors import ConnectorError
from connectors.status import ConnectorStatus, Tally

WRITE_INTERVAL_S = 1.0
"""How often a changed status is written."""
FINISH_S = 3.0
HEARTBEAT_MS = 10_000
"""How often an unchanged one is: readers take silence for a dead worker."""

log = structlog.get_logger("ioc.connectors")


class Table(Protocol):
    """A compacted topic as a table (see `connectors/compacted.py`)."""

    def get(self, key: str) -> bytes | None: ...

    async def put_all(self, records: Iterable[tuple[str, bytes | None]]) -> None: ...


class StatusWriter:
    """Writes the statuses of this process's connectors while `run` runs. `tallies`: those it has at the moment."""

    def __init__(self, table: Table, tallies: Callable[[], Iterable[Tally]]) -> None:
        self._table = table
        self._tallies = tallies
        self._written: dict[str, _Written] = {}
        self._due = asyncio.Event()

    def resume(self, tally: Tally) -> None:
        """Let a tally count on from the topic's value."""
        value = self._table.get(tally.connector)
        if value is not None:
            with contextlib.suppress(ValueError, TypeError):
                tally.resume(ConnectorStatus.from_json(value))
        self._written.pop(tally.connector, None)

    def hurry(self) -> None:
        """A state has changed: write it now."""
        self._due.set()

    async def run(self) -> None:
        """Write changes every second and heartbeats, until cancelled. A failed write is tried again next time."""
        while True:
            self._due.clear()
            try:
                await self.write()
            except (OSError, RuntimeError, TimeoutError, ConnectorError) as error:
                log.warning("status_not_written", reason=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), WRITE_INTERVAL_S)

    async def finish(self) -> None:
        """Write the last word before the process ends; gives up after FINISH_S."""
        with contextlib.suppress(OSError, RuntimeError, TimeoutError, ConnectorError):
            async with asyncio.timeout(FINISH_S):
                await self.write()

    async def write(self) -> None:
        """Write what has changed or is due. Those that have nothing to tell cost next to nothing."""
        at = now_ms()
        due: dict[str, bytes] = {}
        told: dict[str, _Written] = {}
        for tally in self._tallies():
            before = self._written.get(tally.connector)
            if before is None or (before.tally, before.changes) != (tally, tally.changes) or at >= before.again_at:
                due[tally.connector] = tally.snapshot(at).to_json()
                told[tally.connector] = _Written(tally, tally.changes, at + HEARTBEAT_MS)
        if due:
            await self._table.put_all(due.items())
            self._written.update(told)


class _Written(NamedTuple):
    """What was written of a connector: its tally and the count of its changes then; when it is due again, epoch ms."""

    tally: Tally
    changes: int
    again_at: int
