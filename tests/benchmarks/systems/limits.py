"""How fast it could be: fetch only, fetch and decode to columns, fetch, decode and group.

`python -m tests.benchmarks.systems.limits fetch|decode|group BOOTSTRAP TOPIC COUNT SKIP STATE_DIR`
One process: the next fetch goes on while a thread decodes, as in the hub.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
from aiokafka import AIOKafkaConsumer

from schemas.codec import Decoder
from tests.benchmarks import events
from tests.benchmarks.systems.meter import Meter

FETCH_BYTES = 4 * 1024 * 1024
"""Per partition, as the hub asks for."""


def step(kind: str) -> Callable[[Sequence[Any]], object]:
    """What is done with the records of a fetch."""
    decoder = Decoder(events.contract(), events.schema_text)

    def decoded(records: Sequence[Any]) -> pl.DataFrame:
        return decoder.decode([record.key for record in records], [record.value for record in records]).frame

    def grouped(records: Sequence[Any]) -> pl.DataFrame:
        return decoded(records).group_by("org_code", "channel", "procedure_code").len()

    return {"fetch": lambda records: None, "decode": decoded, "group": grouped}[kind]


async def count_events(kind: str, bootstrap: str, topic: str, count: int, skip: int) -> None:
    work = step(kind)
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=f"limit-{time.time_ns()}",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    meter = Meter(count, skip)
    await consumer.start()
    try:
        while meter.seen < count:
            fetched = await consumer.getmany(timeout_ms=500)
            for records in fetched.values():
                if kind != "fetch":
                    await asyncio.to_thread(work, records)
                meter.saw(len(records))
    finally:
        await consumer.stop()
    meter.report()


if __name__ == "__main__":
    kind, bootstrap, topic, count, skip, _ = sys.argv[1:]
    asyncio.run(count_events(kind, bootstrap, topic, int(count), int(skip)))
