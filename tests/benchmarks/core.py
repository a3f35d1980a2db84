"""The whole path, Kafka → rows, current states and rollups visible in the warehouse, exactly once; and its bare limit.

Both read the topic from its start into empty tables of the same shape and are looked at in the same way: the rate is
taken from the first rows in `<entity>_changes` to all of them in `<entity>_changes` and the first rollup.

Each has a new warehouse, and no file is removed before all is measured. A file system without a journal passes by every
inode that was freed within some minutes: with the tables dropped in between, making files was a fifth of the
warehouse's processor time, and a run 10 to 20% slower than the first one.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from schemas.quarantine import TOPIC as QUARANTINE_TOPIC
from streams.warehouse.client import Warehouse
from streams.warehouse.schema import migrate
from tests.benchmarks import events, topics
from tests.benchmarks.stand import TIMEZONE
from tests.conftest import warehouse_process

POLL_S = 0.2
"""Between two looks: a look costs the warehouse some milliseconds, and both sides pay for it."""

START_S, RUN_S = 60, 600


def measured_rate(warehouse: Warehouse, name: str, count: int, command: Sequence[str], log: Path) -> float:
    """Events per second of the process `command`, which is killed afterwards."""
    rollup = events.plan(events.contract(name)).rollups[-1].table

    def number(sql: str) -> int:
        return int(warehouse.rows(sql)[0][0] or 0)

    def written() -> int:
        return number(f"SELECT count() FROM {name}_changes")

    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + START_S
        while not (already := written()):
            _check(process, deadline, log)
            time.sleep(POLL_S)
        began = time.monotonic()
        deadline = began + RUN_S
        while written() < count or number(f"SELECT sum(received) FROM {rollup}") < count:
            _check(process, deadline, log)
            time.sleep(POLL_S)
        return (count - already) / (time.monotonic() - began)
    finally:
        process.kill()
        process.wait()


def _check(process: subprocess.Popen[bytes], deadline: float, log: Path) -> None:
    if process.poll() not in (None, 0) or time.monotonic() > deadline:
        raise TimeoutError(f"{process.args!r} ended or took too long\n{log.read_text(encoding='utf-8')[-3000:]}")


def repeat(bootstrap: str, folder: Path, topic: str, count: int) -> dict[str, float]:
    """One repeat of the bare limit and of the whole path on a filled topic. What they write stays in `folder`."""
    name = topic.rsplit(".", 1)[1]
    topics.ensure(bootstrap, QUARANTINE_TOPIC)
    bare, whole = (Path(tempfile.mkdtemp(dir=folder)) for _ in range(2))
    group = f"whole-{uuid.uuid4().hex[:8]}"
    return {
        "bare_limit": _alone(bootstrap, bare, name, count, "bare", str(count)),
        "end_to_end": _alone(bootstrap, whole, name, count, "case_worker", group, str(whole)),
    }


def _alone(bootstrap: str, folder: Path, name: str, count: int, module: str, *arguments: str) -> float:
    """Events per second of a module of the benchmarks beside a warehouse of its own."""
    with warehouse_process(folder) as url, contextlib.closing(Warehouse(url, timeout_s=900)) as warehouse:
        contract = events.contract(name)
        migrate(warehouse, {name: contract}, {name: events.plan(contract)}, TIMEZONE)
        command = [sys.executable, "-m", f"tests.benchmarks.{module}", bootstrap, url, name, *arguments]
        return measured_rate(warehouse, name, count, command, folder / "run.log")
