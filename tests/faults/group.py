"""Workers of one consumer group under a steady load, and what must hold when the load is over."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from kafka import KafkaConsumer, TopicPartition

from connectors.errors import PublishError
from connectors.publish import Publisher
from streams.errors import WarehouseError
from tests.core_figures import measured
from tests.dossiers import figures
from tests.stream_worker import ROOT, Bench, value_of

CHUNK_S = 0.05
"""The feed sends what is due this often."""

AGAIN_S = 0.2
"""Pause before a chunk is sent again that the broker has not acknowledged."""


@dataclass
class Worker:
    """One worker process with a log of its own."""

    process: subprocess.Popen[bytes]
    log_file: Path

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8")

    def events(self, name: str) -> list[str]:
        """Log lines of this event."""
        return [line for line in self.log().splitlines() if name in line.split()]

    def wait_until_it_works(self, within_s: float = 180.0) -> float:
        """Until it has taken a partition over; the seconds it took."""
        began = time.monotonic()
        while not self.events("partition_taken_over"):
            assert time.monotonic() - began < within_s, self.log()[-3000:]
            time.sleep(0.05)
        return time.monotonic() - began

    @property
    def resident_bytes(self) -> int:
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def stop(self, within_s: float = 30.0) -> None:
        """End it in the orderly way."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(within_s) == 0, self.log()[-3000:]


@dataclass
class Group:
    """Starts workers of one group; all are ended with the block."""

    table: Bench
    workers: list[Worker] = field(default_factory=list)

    def start(self, url: str = "") -> Worker:
        """`url` of the warehouse, if it is reached in another way."""
        state = self.table.state / f"worker-{len(self.workers)}"
        state.mkdir()
        command = [sys.executable, "-m", "tests.stream_worker_process", self.table.bootstrap, url or self.table.url]
        with (state / "worker.log").open("wb") as log:
            process = subprocess.Popen(
                [*command, self.table.name, str(state)], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
            )
        worker = Worker(process, state / "worker.log")
        self.workers.append(worker)
        return worker

    def wait_for_rows(self, count: int, within_s: float = 180.0) -> float:
        """Until so many records have their row; the seconds it took."""
        began = time.monotonic()
        while rows_written(self.table) < count:
            assert time.monotonic() - began < within_s, (
                f"{rows_written(self.table)} of {count} rows after {within_s} s\n"
                + "\n".join(worker.log()[-2000:] for worker in self.workers)
            )
            time.sleep(0.05)
        return time.monotonic() - began

    def wait_for_more(self, count: int, within_s: float = 180.0) -> float:
        return self.wait_for_rows(rows_written(self.table) + count, within_s)


@contextlib.contextmanager
def group(table: Bench) -> Iterator[Group]:
    running = Group(table)
    try:
        yield running
    finally:
        for worker in running.workers:
            with contextlib.suppress(ProcessLookupError):
                worker.process.send_signal(signal.SIGCONT)
            worker.process.kill()
            worker.process.wait()


def rows_written(table: Bench) -> int:
    """Records that have their row; −1 while the warehouse does not answer."""
    try:
        return table.primary_rows()
    except WarehouseError:
        return -1


class Feed:
    """Sends events in order at a steady rate from a thread of its own, until they are over or it is stopped."""

    def __init__(self, table: Bench, events: Sequence[dict[str, Any]], rate: float) -> None:
        self._table = table
        self._events = events
        self._messages = [(event["entity_key"].encode(), value_of(event)) for event in events]
        self.rate = rate
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send()), name="feed")
        self._error: BaseException | None = None
        self.taken = 0

    async def _send(self) -> None:
        publisher = Publisher(self._table.bootstrap, client_id="feed")
        try:
            await publisher.start()
            began = time.monotonic()
            while self.taken < len(self._messages) and not self._stopping.is_set():
                due = min(len(self._messages), int((time.monotonic() - began) * self.rate))
                if due > self.taken:
                    await self._publish(publisher, self._messages[self.taken : due])
                    self.taken = due
                await asyncio.sleep(CHUNK_S)
        except BaseException as error:
            self._error = error
            raise
        finally:
            await publisher.stop()

    async def _publish(self, publisher: Publisher, messages: Sequence[tuple[bytes, bytes]]) -> None:
        """As a connector does it: the same again until the broker has acknowledged, so some may come twice."""
        while True:
            try:
                await publisher.publish(self._table.contract.topic, messages)
                return
            except PublishError:
                await asyncio.sleep(AGAIN_S)

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> list[dict[str, Any]]:
        """No more; the events that the broker has."""
        self._stopping.set()
        self._thread.join()
        if self._error is not None:
            raise self._error
        return list(self._events[: self.taken])

    def finish(self) -> list[dict[str, Any]]:
        """Wait until all are sent."""
        self._thread.join()
        return self.stop()


def log_end(table: Bench) -> int:
    """Records on the topic."""
    consumer = KafkaConsumer(bootstrap_servers=table.bootstrap, enable_auto_commit=False)
    try:
        topic = table.contract.topic
        places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        return sum(consumer.end_offsets(places).values())
    finally:
        consumer.close()


def assert_exact(running: Group, events: Sequence[dict[str, Any]], within_s: float = 180.0) -> None:
    """Every record once, each batch whole, and the figures of the events' last states."""
    table = running.table
    records = log_end(table)
    assert records >= len(events)
    running.wait_for_rows(records, within_s)
    # Rows of a block are visible while its views still run.
    deadline = time.monotonic() + 10
    while measured(table) != figures(events) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert measured(table) == figures(events)
    rows = table.warehouse.rows(
        f"SELECT count(), uniqExact(partition, `offset`) FROM {table.contract.changes_table} WHERE kind != 'retracted'"
    )
    assert tuple(rows[0]) == (records, records)
    overlapping = table.warehouse.rows(
        f"SELECT partition, `offset` FROM {table.contract.changes_table} GROUP BY partition, `offset` "
        "HAVING uniqExact(`first`, `last`) > 1"
    )
    assert list(overlapping) == []
