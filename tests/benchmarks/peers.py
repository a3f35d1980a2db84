"""Stock Faust doing less: decode an event, count it in the worker's own table.

`python -m tests.benchmarks.peers BOOTSTRAP TOPIC COUNT STATE_DIR` prints the events per second of one process.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
import time
from typing import Any

import fastavro
import faust

from schemas.contract import load_contracts


async def measure(bootstrap: str, topic: str, count: int, state: str) -> float:
    """Events per second from the first to the last of `count`."""
    schema = fastavro.parse_schema(json.loads(load_contracts()["dossier"].schema_text))
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
    counts = app.Table("counts", default=int, partitions=4)
    seen = {"count": 0, "first": 0.0, "last": 0.0}
    done = asyncio.Event()

    @app.agent(events)
    async def tally(stream: Any) -> None:
        async for value in stream:
            record: Any = fastavro.schemaless_reader(io.BytesIO(value[5:]), schema, None)
            counts[record["org_code"]] += 1
            if not seen["count"]:
                seen["first"] = time.monotonic()
            seen["count"] += 1
            if seen["count"] >= count:
                seen["last"] = time.monotonic()
                done.set()

    await app.start()
    await asyncio.wait_for(done.wait(), 600)
    rate = count / (seen["last"] - seen["first"])
    await app.stop()
    return rate


if __name__ == "__main__":
    print(asyncio.run(measure(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])))
