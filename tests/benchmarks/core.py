"""The whole path, Kafka → rows, current states and rollups visible in the warehouse, exactly once; and its bare limit.

Both read the topic from its start into empty tables of the same shape and are looked at in the same way: the rate is
taken from the first rows in `<entity>_changes` to all of them in `<entity>_changes` and the first rollup.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from schemas.contract import Contract
from schemas.quarantine import TOPIC as QUARANTINE_TOPIC
from streams.warehouse.client import Warehouse
from streams.warehouse.schema import migrate
from tests.benchmarks import events, topics
from tests.benchmarks.stand import TIMEZONE

POLL_S = 0.2
"""Between two looks: a look costs the warehouse some milliseconds, and both sides pay for it."""

START_S, RUN_S = 60, 600


def fresh_tables(warehouse: Warehouse, name: str, contract: Contract) -> None:
    """Empty tables and views of the entity."""
    for table, engine in warehouse.rows(
        "SELECT name, engine FROM system.tables "
        f"WHERE database = currentDatabase() AND position(name, '{name}') > 0 "
        "ORDER BY engine = 'MaterializedView' DESC, engine = 'Join'"
    ):
        warehouse.command(f"DROP {'VIEW' if engine == 'MaterializedView' else 'TABLE'} {table} SYNC")
    if warehouse.rows("SELECT count() FROM system.tables WHERE name = 'ledger'")[0][0]:
        warehouse.command(f"DELETE FROM ledger WHERE entity = '{name}'")
    # Dropped, not emptied: its writes carry tokens, which a table remembers beyond its rows.
    warehouse.command("DROP TABLE IF EXISTS rollup_catalogue SYNC")
    migrate(warehouse, {name: contract}, {name: events.plan(contract)}, TIMEZONE)


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


def repeat(bootstrap: str, url: str, topic: str, count: int) -> dict[str, float]:
    """One repeat of the bare limit and of the whole path on a filled topic."""
    name = topic.rsplit(".", 1)[1]
    contract = events.contract(name)
    warehouse = Warehouse(url, timeout_s=900)
    topics.ensure(bootstrap, QUARANTINE_TOPIC)
    rates = {}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "out.log"
        for system, command in (
            ("bare_limit", ["bare", bootstrap, url, name, str(count)]),
            ("end_to_end", ["case_worker", bootstrap, url, name, f"whole-{uuid.uuid4().hex[:8]}", folder]),
        ):
            fresh_tables(warehouse, name, contract)
            module = [sys.executable, "-m", f"tests.benchmarks.{command[0]}", *command[1:]]
            rates[system] = measured_rate(warehouse, name, count, module, log)
    warehouse.close()
    return rates
