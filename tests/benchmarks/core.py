"""The stream core: Kafka → rows, current states and rollups visible in the warehouse, beside stock Faust."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner

from tests.dossiers import dossier
from tests.stream_worker import Bench, bench, value_of

PARTITIONS = 4
EVENTS = 400_000
STOCK_EVENTS = 20_000
REPEATS = 3


@dataclass(frozen=True, slots=True)
class Rates:
    """Events per second of one repeat; `event_bytes` is the mean size of a value."""

    hub: float
    stock_faust: float
    event_bytes: float


async def fill(bootstrap: str, topic: str, values: list[tuple[bytes, bytes]]) -> None:
    """Write the values in batches per partition."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_request_size=8 * 1024 * 1024)
    await producer.start()
    partitioner, partitions = DefaultPartitioner(), list(range(PARTITIONS))
    batches = {partition: producer.create_batch() for partition in partitions}
    for key, value in values:
        partition = partitioner(key, partitions, partitions)
        if batches[partition].append(key=key, value=value, timestamp=None) is None:
            full, batches[partition] = batches[partition], producer.create_batch()
            await (await producer.send_batch(full, topic, partition=partition))
            batches[partition].append(key=key, value=value, timestamp=None)
    for partition, batch in batches.items():
        await (await producer.send_batch(batch, topic, partition=partition))
    await producer.stop()


def events(count: int) -> list[tuple[bytes, bytes]]:
    """Dossiers of about 250 bytes, every event another entity."""
    out = []
    for number in range(count):
        record = dossier(number, 1, status=(4, 9, 10)[number % 3], applicant=f"{number:064x}", applicant_phone="x" * 32)
        out.append((record["entity_key"].encode(), value_of(record)))
    return out


def hub_rate(table: Bench, count: int) -> float:
    """From the first rows visible to all of them, current states and rollups included."""
    name = table.name

    def visible() -> int:
        return int(
            table.warehouse.rows(
                f"SELECT least((SELECT toInt64(count()) FROM {name}_changes), "
                f"(SELECT toInt64(count()) FROM {name}_current), (SELECT sum(received) FROM {name}_by_received_at))"
            )[0][0]
        )

    worker = table.start()
    try:
        table.wait(lambda: visible() > 0, 60)
        started, already = time.monotonic(), visible()
        table.wait(lambda: visible() >= count, 300)
        return (count - already) / (time.monotonic() - started)
    finally:
        worker.kill()
        worker.wait()


def stock_rate(bootstrap: str, topic: str, state: Path) -> float:
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.peers",
        bootstrap,
        topic,
        str(STOCK_EVENTS),
        str(state / "stock"),
    ]
    (state / "stock").mkdir(exist_ok=True)
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    return float(done.stdout.strip().splitlines()[-1])


def measure(bootstrap: str, url: str) -> list[Rates]:
    """Three interleaved repeats."""
    values = events(EVENTS)
    size = sum(len(value) for _, value in values) / len(values)
    rates = []
    for repeat in range(REPEATS):
        with (
            tempfile.TemporaryDirectory() as folder,
            bench(bootstrap, url, f"b{uuid.uuid4().hex[:8]}", Path(folder), PARTITIONS) as table,
        ):
            asyncio.run(fill(bootstrap, table.contract.topic, values))
            hub = hub_rate(table, EVENTS)
            stock = stock_rate(bootstrap, table.contract.topic, Path(folder))
        rates.append(Rates(hub, stock, size))
        print(
            f"  repeat {repeat + 1}: hub {hub:,.0f}/s, stock Faust {stock:,.0f}/s, ratio {hub / stock:.1f}", flush=True
        )
    return rates
