"""Stock Faust doing less: decode an event, count it by unit in its own table or in a dict.

`python -m tests.benchmarks.systems.stock_faust table|dict BOOTSTRAP TOPIC COUNT SKIP STATE_DIR`
"""

from __future__ import annotations

import asyncio
import io
import sys
import time
from typing import Any

import fastavro
import faust

from tests.benchmarks.systems.meter import HEADER_BYTES, Meter, parsed_schema


async def count_events(kind: str, bootstrap: str, topic: str, count: int, skip: int, state: str) -> None:
    schema = parsed_schema()
    app = faust.App(
        f"stock-{time.time_ns()}",
        broker=f"kafka://{bootstrap}",
        store="memory://",
        datadir=state,
        web_enabled=False,
        topic_disable_leader=True,
        stream_wait_empty=False,
        consumer_auto_offset_reset="earliest",
        topic_partitions=4,
    )
    events = app.topic(topic, value_type=bytes, value_serializer="raw", key_serializer="raw", key_type=bytes)
    counts: Any = app.Table("counts", default=int, partitions=4) if kind == "table" else {}
    done = asyncio.Event()
    meter = Meter(count, skip, done.set)

    @app.agent(events)
    async def tally(stream: Any) -> None:
        async for value in stream:
            record: Any = fastavro.schemaless_reader(io.BytesIO(value[HEADER_BYTES:]), schema, None)
            unit = record["org_code"]
            counts[unit] = counts.get(unit, 0) + 1 if kind == "dict" else counts[unit] + 1
            meter.saw()

    await app.start()
    await done.wait()
    meter.report()
    await app.stop()


if __name__ == "__main__":
    kind, bootstrap, topic, count, skip, state = sys.argv[1:]
    asyncio.run(count_events(kind, bootstrap, topic, int(count), int(skip), state))
