"""The audit beside the flow: what it costs, and how soon it sees that something is wrong in a table of many rows.

The changes are written by SQL (`seeding`), events flow at a steady rate, and the audit runs in this process as it does
in a worker, so that its rounds and its metric can be looked at. Its cost is the processor time that warehouse, worker
and broker take at that rate with it and without it, beside what it counts itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from streams import metrics
from streams.audit_idle import BUSY_SHARE, IdleAudit
from tests.benchmarks import pace, seeding
from tests.benchmarks.cores import broker_and_warehouse, processor_s
from tests.benchmarks.stand import Stand, stand

RATE = 2_000
"""Events/s meanwhile."""

COST_S = 40.0
"""How long the cost is measured, without the audit and with it."""

ROUND_S = 600.0
"""For the first round, which makes the sums that are kept."""

FOUND_S = 300.0
FOUND_WANTED_S = 60.0
FLOW_S = 240.0


class _Audit:
    """The audit in a thread with a loop of its own."""

    def __init__(self, ready: Stand) -> None:
        self._entity = ready.contract.entity
        self._loop = asyncio.new_event_loop()
        self._audit = IdleAudit(ready.warehouse, [ready.contract], ready.bootstrap, ready.name, lambda topic: True)
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        self._task = self._loop.create_task(self._audit.run())
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
            self._thread.join()

    @property
    def rounds(self) -> int:
        """Rounds it has come to the end of."""
        watched = self._audit._watches.get(self._entity)
        return watched[0].rounds if watched is not None else 0

    @property
    def spent_s(self) -> float:
        return float(metrics.AUDIT_SECONDS.labels(self._entity)._value.get())


def drift(table: str) -> float:
    """The metric that an alert looks at."""
    return float(metrics.ROLLUP_DRIFT.labels(table)._value.get())


@contextlib.contextmanager
def flowing(ready: Stand, seconds: float, begin: int) -> Iterator[Callable[[], bool]]:
    """Events at the steady rate for so long; gives whether they still flow. Returns once all are processed."""
    before = ready.processed()
    file = ready.folder / f"sent-{begin}.json"
    sender = pace.start(ready, RATE, seconds, file, begin)
    try:
        ready.wait(lambda: ready.processed() > before, FLOW_S)
        yield lambda: sender.poll() is None
    finally:
        sender.kill()
        sender.wait()


def processors() -> dict[str, psutil.Process]:
    return broker_and_warehouse()


def used(ready: Stand, seconds: float) -> dict[str, float]:
    """Cores that each process takes, over so many seconds."""
    watched = {**processors(), "worker": psutil.Process(ready.workers[0].process.pid)}
    began, before = time.monotonic(), {name: processor_s(process) for name, process in watched.items()}
    time.sleep(seconds)
    spent = time.monotonic() - began
    return {name: (processor_s(process) - before[name]) / spent for name, process in watched.items()}


def _damage(ready: Stand) -> dict[str, Callable[[], object]]:
    """What goes wrong, by the table whose metric is to tell."""
    changes = ready.contract.changes_table
    batch = f"partition = 0 AND `first` = (SELECT min(`first`) FROM {changes} WHERE partition = 0)"
    rollup = f"{ready.name}_by_due_at"
    return {
        rollup: lambda: ready.warehouse.command(
            f"ALTER TABLE {rollup} DELETE WHERE day = (SELECT min(day) FROM {rollup})", {"mutations_sync": 2}
        ),
        changes: lambda: ready.warehouse.command(
            f"INSERT INTO {changes} SELECT * REPLACE(toInt64(9223372036854775807) AS epoch) FROM {changes} "
            f"WHERE {batch}",
            {"insert_deduplication_token": f"another {uuid.uuid4()}"},
        ),
    }


def measure(bootstrap: str, url: str, folder: Path, changes: int) -> dict[str, Any]:
    """The part `audit`."""
    with stand(bootstrap, url, folder) as ready:
        seeding.seed_changes(ready, 0, changes, seeding.BY_NUMBER)
        seeding.earlier_life(ready)
        ready.start(audit=False)
        audit = _Audit(ready)
        try:
            return {"changes": changes, **_cost(ready, audit, changes), **_found(ready, audit, changes)}
        finally:
            audit.stop()


def _cost(ready: Stand, audit: _Audit, changes: int) -> dict[str, Any]:
    with flowing(ready, FLOW_S, changes):
        without = used(ready, COST_S)
        audit.start()
        ready.wait(lambda: audit.spent_s > 0, FOUND_S)
        began, spent = time.monotonic(), audit.spent_s
        beside = used(ready, COST_S)
        counted = (audit.spent_s - spent) / (time.monotonic() - began)
    return {
        "cores_without": {name: round(cores, 3) for name, cores in without.items()},
        "cores_with": {name: round(cores, 3) for name, cores in beside.items()},
        "audit_cores_by_its_own_count": round(counted, 3),
        "audit_cores_allowed_while_events_flow": BUSY_SHARE,
    }


def _found(ready: Stand, audit: _Audit, changes: int) -> dict[str, Any]:
    """Seconds from each damage until the metric tells, while events flow."""
    began = time.monotonic()
    ready.wait(lambda: audit.rounds >= 1, ROUND_S)
    first_round_s = time.monotonic() - began
    found: dict[str, float] = {}
    with flowing(ready, FLOW_S, changes + 10_000_000) as flows:
        for table, damage in _damage(ready).items():
            damage()
            began = time.monotonic()
            ready.wait(lambda table=table: drift(table) > 0, FOUND_S)  # type: ignore[misc]
            found[table.removeprefix(f"{ready.name}_")] = round(time.monotonic() - began, 1)
            if not flows():
                raise AssertionError("the flow ended before the drift was found")
            print(f"  {table}: found after {found[table.removeprefix(f'{ready.name}_')]} s", flush=True)
    return {
        "first_round_after_the_flow_s": round(first_round_s, 1),
        "found_after_s": found,
        "found_after_s_wanted": FOUND_WANTED_S,
    }
