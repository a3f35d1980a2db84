"""A topic, its tables and worker processes for one measurement of the whole path, Kafka to rollups."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from schemas.contract import Contract
from schemas.quarantine import TOPIC as QUARANTINE_TOPIC
from streams.state_cache import CACHED_STATES
from streams.warehouse.client import Warehouse
from streams.warehouse.schema import migrate
from tests.benchmarks import events, topics

TIMEZONE = "Asia/Ho_Chi_Minh"
POLL_S = 0.05
"""Between two looks at the warehouse: each costs it a few milliseconds."""


@dataclass(frozen=True, slots=True)
class Worker:
    """One `case_worker` process."""

    process: subprocess.Popen[bytes]
    log: Path

    def rss_mib(self) -> float:
        """Resident memory now, in MiB."""
        return psutil.Process(self.process.pid).memory_info().rss / 2**20

    def took_part(self, topic: str) -> bool:
        """Whether it has taken over a partition of the topic."""
        return f"partition={topic}-" in self.log.read_text(encoding="utf-8")

    def loaded_s(self, topic: str) -> float | None:
        """Seconds it took to load the keys known before it; None until it has."""
        for line in self.log.read_text(encoding="utf-8").splitlines():
            if "known_keys_loaded" in line and f"topic={topic}" in line:
                return float(line.split("took_s=")[1].split()[0])
        return None

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass(frozen=True, slots=True)
class Stand:
    """A private entity on a broker and a warehouse that others use too."""

    bootstrap: str
    url: str
    name: str
    folder: Path
    warehouse: Warehouse
    contract: Contract
    workers: list[Worker] = field(default_factory=list)

    def start(self, cached_states: int = CACHED_STATES, *, audit: bool = True) -> Worker:
        """Start a worker; it ends with the stand."""
        log = self.folder / f"worker-{self.name}-{len(self.workers)}.log"
        state = self.folder / f"state-{self.name}-{len(self.workers)}"
        command = [sys.executable, "-m", "tests.benchmarks.case_worker", self.bootstrap, self.url, self.name]
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*command, self.name, str(state), str(cached_states), "audit" if audit else "no-audit"],
                env={**os.environ, "PYTHONWARNINGS": "ignore"}, stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip
        worker = Worker(process, log)
        self.workers.append(worker)
        return worker

    def number(self, sql: str) -> int:
        """The one number a query gives; `$` stands for the entity's name."""
        return int(self.warehouse.rows(sql.replace("$", self.name))[0][0] or 0)

    def processed(self) -> int:
        """Events that have left their primary row."""
        return self.number("SELECT count() FROM $_changes WHERE kind != 'retracted'")

    def wait(self, holds: Callable[[], bool], within_s: float) -> None:
        """Wait with a deadline; fails at once when a worker has ended by itself."""
        deadline = time.monotonic() + within_s
        while not holds():
            ended = [worker for worker in self.workers if worker.process.poll() not in (None, -9)]
            if ended or time.monotonic() > deadline:
                logs = "\n".join(worker.log.read_text(encoding="utf-8")[-2000:] for worker in self.workers)
                raise TimeoutError(f"not within {within_s} s, or a worker ended\n{logs}")
            time.sleep(POLL_S)

    def timeline(self, until: int, within_s: float) -> list[tuple[float, int]]:
        """(monotonic time, events processed) until so many are."""
        told: list[tuple[float, int]] = []

        def reached() -> bool:
            told.append((time.monotonic(), self.processed()))
            return told[-1][1] >= until

        self.wait(reached, within_s)
        return told


def rate_between(told: list[tuple[float, int]], low: int, high: int) -> float:
    """Events per second between two counts of a timeline: pure."""
    began = next(place for place, (_, count) in enumerate(told) if count >= low)
    ended = next(place for place, (_, count) in enumerate(told) if count >= high)
    if told[began][1] == told[ended][1]:
        # So few events that one look saw them all: from the look before.
        began = max(began - 1, 0)
    if began == ended:
        raise ValueError(f"all {told[ended][1]} events were processed before the first look: measure more")
    return (told[ended][1] - told[began][1]) / (told[ended][0] - told[began][0])


@contextlib.contextmanager
def stand(bootstrap: str, url: str, folder: Path, partitions: int = events.PARTITIONS) -> Iterator[Stand]:
    """Topic and tables of a private entity; drops both and kills its workers afterwards."""
    name = f"b{uuid.uuid4().hex[:8]}"
    contract = events.contract(name)
    warehouse = Warehouse(url, timeout_s=900)
    migrate(warehouse, {name: contract}, {name: events.plan(contract)}, TIMEZONE)
    topics.create(bootstrap, contract.topic, partitions, topics.BROKERS_TIME)
    topics.ensure(bootstrap, QUARANTINE_TOPIC)
    ready = Stand(bootstrap, url, name, folder, warehouse, contract)
    try:
        yield ready
    finally:
        for worker in ready.workers:
            worker.kill()
        for table, engine in warehouse.rows(
            "SELECT name, engine FROM system.tables "
            f"WHERE database = currentDatabase() AND position(name, '{name}') > 0 "
            "ORDER BY engine = 'MaterializedView' DESC, engine = 'Join'"
        ):
            warehouse.command(f"DROP {'VIEW' if engine == 'MaterializedView' else 'TABLE'} {table} SYNC")
        warehouse.close()
        topics.drop(bootstrap, contract.topic)
