"""A stream worker over the benchmark's entity."""

from __future__ import annotations

import asyncio
import signal
from datetime import timedelta
from pathlib import Path

from connectors.publish import Publisher
from hub.stream_role import KafkaQuarantine
from streams.app import StreamSettings, StreamWorker
from streams.state_cache import CACHED_STATES
from streams.topic_ids import topic_ids
from streams.warehouse.client import Warehouse
from tests.benchmarks.events import contract, schema_text

SESSION_TIMEOUT = timedelta(seconds=6)


async def work(
    bootstrap: str,
    url: str,
    name: str,
    group: str,
    state: str,
    cached_states: str = str(CACHED_STATES),
    audit: str = "audit",
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    quarantine = KafkaQuarantine(Publisher(bootstrap, client_id="benchmark-quarantine"))
    settings = StreamSettings(
        bootstrap, Path(state) / "faust", group, SESSION_TIMEOUT, int(cached_states), audit=audit == "audit"
    )
    worker = StreamWorker(settings, [contract(name)], Warehouse(url), schema_text, quarantine, topic_ids(bootstrap))
    try:
        await worker.run(stop)
    finally:
        await quarantine.stop()
