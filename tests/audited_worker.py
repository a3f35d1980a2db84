"""A stream worker as `tests.stream_worker` runs it that also serves its metrics, and the audit a test makes itself.

As a program: `python -m tests.audited_worker BOOTSTRAP WAREHOUSE_URL NAME STATE_DIR METRICS_PORT`.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import start_http_server

from schemas.codec import Decoder
from schemas.contract import load_contracts
from streams.audit import Finding
from streams.audit_checks import EntityAudit
from streams.heal import Healer
from streams.heal_log import HealLog
from streams.heal_lost import LostReader
from streams.quarantine import Refusal
from streams.store import EntityStore
from streams.topic_log import KafkaTopicLog
from tests.stack import free_port
from tests.stream_worker import ROOT, Bench, private_contract, work

MOST_ROUNDS = 6


def schema_text(_schema_id: int) -> str:
    return load_contracts()["dossier"].schema_text


@dataclass(slots=True)
class AuditedWorker:
    """The worker's process and its metrics."""

    process: subprocess.Popen[bytes]
    port: int

    def drift(self, table: str) -> float:
        """`ioc_rollup_drift_rows` of a table; −1 while the audit has not looked at it."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        wanted = f'ioc_rollup_drift_rows{{rollup="{table}"}} '
        return next((float(line.removeprefix(wanted)) for line in lines if line.startswith(wanted)), -1.0)


def start(table: Bench) -> AuditedWorker:
    port = free_port()
    arguments = [table.bootstrap, table.url, table.name, str(table.state), str(port)]
    with (table.state / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.audited_worker", *arguments], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
        )
    return AuditedWorker(process, port)


class Auditor:
    """Audits and heals a bench's tables from the test, beside the worker. To be made on the event loop."""

    def __init__(self, table: Bench) -> None:
        self._table = table
        self._log = KafkaTopicLog(table.bootstrap, table.contract.topic, table.name, asyncio.get_running_loop())
        self._audit = EntityAudit(table.warehouse, table.contract, self._log)
        lost = LostReader(
            table.contract,
            self._log,
            Decoder(table.contract, schema_text),
            EntityStore(table.warehouse, table.contract).states_before,
            self._topic_id,
            _no_refusals,
        )
        self._healer = Healer(table.warehouse, table.contract, lost, self._audit.reader.cuts)

    def _topic_id(self, partition: int) -> str:
        statement = f"SELECT topic_id FROM {self._table.contract.fence_table} WHERE partition = {partition}"
        return str(self._table.warehouse.rows(statement)[0][0])

    async def findings(self) -> list[Finding]:
        return await asyncio.to_thread(self._audit.run)

    async def heal(self) -> int:
        """Until an audit finds nothing; how many rows it took."""
        journal = HealLog(self._table.warehouse)
        count = 0
        await asyncio.to_thread(journal.open)
        try:
            for _ in range(MOST_ROUNDS):
                if not await self.findings():
                    return count
                planned = await asyncio.to_thread(self._healer.plan, self._audit.faults, self._audit.rollups())
                count += await asyncio.to_thread(self._healer.insert, planned, journal)
            raise AssertionError(f"not healed in {MOST_ROUNDS} rounds: {await self.findings()}")
        finally:
            await asyncio.to_thread(journal.close)

    async def close(self) -> None:
        await self._log.close()


def _no_refusals(refusals: Sequence[Refusal]) -> None:
    assert not refusals


async def _serve(bootstrap: str, url: str, name: str, state: str, port: str) -> None:
    start_http_server(int(port), "127.0.0.1")
    await work(bootstrap, url, name, state, private_contract(name), schema_text)


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:6]))
