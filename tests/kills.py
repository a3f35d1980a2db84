"""Killing the core at its fault points: workers that start at once, a warehouse of one's own, load, and what to kill.

Everything is drawn from a seeded die, so that a run can be had again; what the load looks like when a process dies
depends on the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from hub.broker import wait_for_port
from streams.faultpoints import VARIABLE, WAREHOUSE_POINTS
from streams.warehouse.server import spool_of
from tests.conftest import ROOT, free_port
from tests.dossiers import life_cycles
from tests.stream_worker import SESSION_TIMEOUT, Bench, value_of

SIGKILLED = -9
PACE_S = 0.1
"""Between two bursts of load."""
BURST = (5, 80)
"""Records of a burst."""
BAD_SHARE = 0.02
DOSSIERS = 300
"""Of one round of load: about 1,000 events, late ones among them."""
WITHIN_S = 180.0
"""A process that does not come to its fault point in this time never will, on a crowded machine either."""
STARTS = 5
"""Of a worker, until it is killed: on a crowded machine the group may put it out before, and it ends by itself."""

INTENT_OPEN = (
    "after_intent",
    "after_decode",
    "before_insert",
    "insert_in_worker",
    "insert_unanswered",
    "after_insert",
    "before_next_commit",
)
"""Worker points that leave an announced batch behind, so that the next worker has something to redo."""
BETWEEN = ("after_commit", "rebalance_revoked", "rebalance_assigned")
RECOVERY = (
    "recovery_after_fence",
    "recovery_after_commit_read",
    "recovery_before_redo",
    "recovery_after_redo",
)
_PER_PARTITION = frozenset(("recovery_after_fence", "recovery_after_commit_read"))


def armed(point: str, dice: random.Random) -> str:
    """The fault point with a passage, and a delay where it is of use."""
    if point in ("insert_unanswered", "warehouse_inserting"):
        return f"{point}:{dice.randint(1, 3)}:{dice.uniform(1, 40):.1f}"
    if point == "rebalance_assigned":
        return f"{point}:1:{dice.uniform(1, 150):.1f}"
    if point == "rebalance_revoked" or (point in RECOVERY and point not in _PER_PARTITION):
        return f"{point}:1"
    return f"{point}:{dice.randint(1, 4)}"


def worker_kills(dice: random.Random) -> list[list[str]]:
    """Every worker point once: a batch point and perhaps a recovery point that follows it, in random order."""
    begun = [[point] for point in dice.sample(INTENT_OPEN, len(INTENT_OPEN))]
    for place, point in zip(dice.sample(range(len(begun)), len(RECOVERY)), RECOVERY, strict=True):
        begun[place].append(point)
    parts = [*begun, *([point] for point in BETWEEN)]
    dice.shuffle(parts)
    return [[armed(point, dice) for point in part] for part in parts]


def warehouse_kills(dice: random.Random, rounds: int) -> list[str]:
    points = [point for _ in range(rounds) for point in WAREHOUSE_POINTS]
    dice.shuffle(points)
    return [armed(point, dice) for point in points]


def _run_worker(bootstrap: str, url: str, name: str, state: str, fault: str, session_timeout: timedelta) -> None:
    from tests import stream_worker

    stream_worker.SESSION_TIMEOUT = session_timeout
    with (Path(state) / "worker.log").open("ab", buffering=0) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.environ.pop(VARIABLE, None)
    if fault:
        os.environ[VARIABLE] = fault
    contract, schema_text = stream_worker.private_contract(name), stream_worker._schema_text
    asyncio.run(stream_worker.work(bootstrap, url, name, state, contract, schema_text))


def _forks() -> Any:
    """Workers are forked from a process that has everything imported and nothing begun: 2 s less a kill."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.stream_worker"])
    return context


def start_worker(table: Bench, fault: str = "", session_timeout: timedelta = SESSION_TIMEOUT) -> BaseProcess:
    arguments = (table.bootstrap, table.url, table.name, str(table.state), fault, session_timeout)
    process: BaseProcess = _forks().Process(target=_run_worker, args=arguments, daemon=True)
    process.start()
    return process


def put_down(process: BaseProcess) -> None:
    process.kill()
    process.join()


@dataclass
class Load:
    """Events of dossiers, partly out of order, repeated, corrected, recalled and restored, some records bad."""

    table: Bench
    dice: random.Random
    producer: AIOKafkaProducer
    sent: int = 0
    _round: int = 0
    _waiting: list[dict[str, Any]] = field(default_factory=list)

    def _message(self) -> tuple[bytes, bytes | None]:
        if not self._waiting:
            self._round += 1
            mark = f"-{self._round}"
            self._waiting = [
                {**event, "entity_key": event["entity_key"] + mark, "event_id": event["event_id"] + mark}
                for event in life_cycles(DOSSIERS, self.dice.randrange(2**32))
            ][::-1]
        event = self._waiting.pop()
        key, value = event["entity_key"].encode(), value_of(event)
        if self.dice.random() >= BAD_SHARE:
            return key, value
        bad: list[tuple[bytes, bytes | None]] = [
            (key, None),
            (key, b"not avro"),
            (key, b"\x00\x00\x00\x00\x63rest"),
            (key, value[: self.dice.randint(6, len(value) - 1)]),
            (key + b"x", value),
            (key, value_of({**event, "event_time": 4_000_000_000_000})),
            (key, value_of({**event, "fee": 1, "revision": 1})),
        ]
        return self.dice.choice(bad)

    async def burst(self) -> None:
        messages = [self._message() for _ in range(self.dice.randint(*BURST))]
        sent = [await self.producer.send(self.table.contract.topic, value=value, key=key) for key, value in messages]
        await asyncio.gather(*sent)
        self.sent += len(messages)

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        """Go on with the load until `holds()`."""
        deadline = time.monotonic() + WITHIN_S
        while not holds():
            assert time.monotonic() < deadline, f"not within {WITHIN_S:g} s: {what}\n{self.table.log()[-4000:]}"
            await self.burst()
            await asyncio.sleep(PACE_S)


@contextlib.asynccontextmanager
async def load(table: Bench, dice: random.Random) -> AsyncIterator[Load]:
    producer = AIOKafkaProducer(bootstrap_servers=table.bootstrap, acks="all", linger_ms=2, enable_idempotence=True)
    await producer.start()
    try:
        yield Load(table, dice, producer)
    finally:
        await producer.stop()


async def kill_worker(load: Load, fault: str) -> None:
    """Start a worker that dies at the fault point, under load, and see it die there."""
    codes: list[int | None] = []
    while not codes or (codes[-1] != SIGKILLED and len(codes) < STARTS):
        codes.append(await _start_and_await_death(load, fault))
    assert codes[-1] == SIGKILLED, f"{fault}: exit codes {codes}\n{load.table.log()[-4000:]}"


async def _start_and_await_death(load: Load, fault: str) -> int | None:
    """The exit code: SIGKILL's, or 1 of a worker that was put out of the group and said so."""
    table = load.table
    fenced = table.log().count("worker_fenced") if (table.state / "worker.log").exists() else 0
    taken = table.log().count("partition_taken_over") if (table.state / "worker.log").exists() else 0
    worker = start_worker(table, fault)
    others: list[BaseProcess] = []
    try:
        if fault.startswith("rebalance_revoked"):
            # On a crowded machine the group may put it out before, and it dies there of that.
            await load.until(
                lambda: table.log().count("partition_taken_over") >= taken + 3 or worker.exitcode is not None,
                "partitions are at work",
            )
            others.append(start_worker(table))
        await load.until(lambda: worker.exitcode is not None, f"the worker dies at {fault}")
        if worker.exitcode != SIGKILLED:
            assert table.log().count("worker_fenced") > fenced, f"{fault}: {worker.exitcode}\n{table.log()[-4000:]}"
        return worker.exitcode
    finally:
        for process in (worker, *others):
            put_down(process)


@dataclass
class PrivateWarehouse:
    """A warehouse over one directory, to be killed and started again at the same address."""

    state: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        password = (self.state / "secrets" / "warehouse-writer.key").read_text().strip()
        return f"http://ioc:{password}@127.0.0.1:{self.port}/default"

    def start(self, fault: str = "") -> None:
        """Start, armed if asked; returns when it answers."""
        variables = {name: value for name, value in os.environ.items() if name != VARIABLE}
        variables |= {"IOC_STATE_DIR": str(self.state), "IOC_WAREHOUSE__PORT": str(self.port), "PYTHONPATH": str(ROOT)}
        variables |= {VARIABLE: fault} if fault else {}
        with (self.state / "out.log").open("ab") as out:
            command = [sys.executable, "-m", "hub.cli", "warehouse"]
            self.process = subprocess.Popen(command, env=variables, stdout=out, stderr=subprocess.STDOUT)
        assert wait_for_port(self.port, 60, self.process), self.log()

    @property
    def spool(self) -> Path:
        """Where it keeps the bodies of inserts."""
        return spool_of(self.state / "warehouse")

    def log(self) -> str:
        return (self.state / "out.log").read_text(errors="replace")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)


@contextlib.contextmanager
def private_warehouse(state: Path) -> Iterator[PrivateWarehouse]:
    state.mkdir(parents=True, exist_ok=True)
    owned = PrivateWarehouse(state, free_port())
    owned.start()
    try:
        yield owned
    finally:
        owned.stop()


LONG_SESSION = timedelta(seconds=30)
"""Of a worker that is to live on while its warehouse is killed."""


@contextlib.contextmanager
def lasting_worker(table: Bench) -> Iterator[None]:
    """A worker that must live until the end of the block."""
    worker = start_worker(table, session_timeout=LONG_SESSION)
    try:
        yield
        assert worker.is_alive(), table.log()[-4000:]
        worker.terminate()
        worker.join(60)
    finally:
        put_down(worker)


async def kill_warehouse(load: Load, owned: PrivateWarehouse, fault: str) -> None:
    """Start the warehouse anew so that it dies at the fault point, under load, and see it die there."""
    await asyncio.to_thread(owned.stop)
    await asyncio.to_thread(owned.start, fault)
    process = owned.process
    assert process is not None
    await load.until(lambda: process.poll() is not None, f"the warehouse dies at {fault}")
    assert process.returncode == SIGKILLED, f"{fault}: {process.returncode}\n{owned.log()[-4000:]}"
