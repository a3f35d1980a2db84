"""The hub like for like: its own transport, decoding and change against state, then counted in memory; no warehouse.

`python -m tests.benchmarks.systems.hub_counting count BOOTSTRAP TOPIC COUNT SKIP STATE_DIR` reads the topic alone.
`… join GROUP BOOTSTRAP TOPIC STATE_DIR` is a member of a group: it tells its partitions, waits for a line on
standard input before the first batch, and then tells its progress, for several workers at once (`workers`).

Everything but the warehouse is the product's: the group, the intents committed to Kafka, the partitions' runners,
the sink with its states; where it would send a block, the rows are counted.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
from faust.types import TP

from schemas.codec import Decoder
from schemas.contract import Contract
from schemas.quarantine import TOPIC as QUARANTINE_TOPIC
from streams.app import StreamSettings, StreamWorker
from streams.block import Bounds
from streams.fences import Fence
from streams.intent import NOTHING, Joint, Written
from streams.quarantine import Refusal
from streams.sink import EntitySink, TakeOver
from streams.states import KnownKeys
from streams.store import EntityStore
from streams.topic_ids import topic_ids
from streams.warehouse.client import Warehouse
from tests.benchmarks import events, topics
from tests.benchmarks.systems.meter import Meter

NOWHERE = "http://127.0.0.1:9/none"
"""No warehouse is asked for anything."""


class NoQuarantine:
    """Every event of a benchmark is good."""

    async def publish(self, refusals: Sequence[Refusal]) -> None:
        raise AssertionError(f"{len(refusals)} events were refused")


class CountingStore(EntityStore):
    """In the warehouse's place: the rows of a block are summed by unit, and nothing is kept that could be asked for."""

    def __init__(self, contract: Contract, saw: Callable[[int], None]) -> None:
        super().__init__(Warehouse(NOWHERE), contract)
        self._saw = saw
        self.counts: Counter[str] = Counter()

    def written(self, topic_id: str, partition: int) -> Written:
        return NOTHING

    def written_rows(self, bounds: Bounds) -> tuple[pl.DataFrame, Joint]:
        return pl.DataFrame(), ()

    def current_states(self, keys: list[str]) -> pl.DataFrame:
        raise AssertionError(f"{len(keys)} states fell out of the cache: there is no warehouse to look them up in")

    def block(self, rows: pl.DataFrame) -> bytes:
        """Counted here, and sent nowhere: what is told afterwards is how many records they were."""
        self.counts.update(dict(rows.group_by("org_code").agg(pl.col("sign").cast(pl.Int64).sum()).iter_rows()))
        return str(rows.filter(pl.col("kind") != "retracted").height).encode()

    def insert(self, block: bytes, token: str) -> None:
        self._saw(int(block))


class CountingWorker(StreamWorker):
    """The product's worker over that store."""

    def __init__(self, bootstrap: str, topic: str, group: str, state: Path, saw: Callable[[int], None]) -> None:
        self.gate = asyncio.Event()
        self._counted = replace(events.contract(), domain=topic.split(".")[1], entity=topic.split(".")[2])
        self._saw, self._known = saw, KnownKeys()
        settings = StreamSettings(bootstrap, state / "faust", group=group, audit=False)
        ids = topic_ids(bootstrap)
        super().__init__(settings, [self._counted], Warehouse(NOWHERE), events.schema_text, NoQuarantine(), ids)

    async def _topic_id(self, topic: str, turn: int) -> str:
        return "counted"

    def _sink(self, tp: TP, *_: Any) -> EntitySink:
        async def take_over() -> TakeOver:
            await self.gate.wait()
            return TakeOver({tp.partition: Fence(tp.partition, 1, 0)}, self._known)

        store, decoder = CountingStore(self._counted, self._saw), Decoder(self._counted, events.schema_text)
        return EntitySink(self._counted, tp.partition, store, decoder, NoQuarantine(), take_over, self._room[1])


async def count(bootstrap: str, topic: str, number: int, skip: int, state: Path) -> None:
    """Read a topic alone, from its start."""
    stop = asyncio.Event()
    meter = Meter(number, skip, stop.set)
    worker = CountingWorker(bootstrap, topic, f"counting-{time.time_ns()}", state, meter.saw)
    worker.gate.set()
    await worker.run(stop)
    meter.report()


def _tell(**facts: Any) -> None:
    # In one piece: several threads tell, and `print` writes the line's end by itself.
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


async def join(group: str, bootstrap: str, topic: str, state: Path) -> None:
    """Be one of several workers until killed."""
    seen, counting = 0, threading.Lock()

    def saw(number: int) -> None:
        nonlocal seen
        with counting:
            seen += number
            _tell(at=time.monotonic(), seen=seen)

    worker = CountingWorker(bootstrap, topic, group, state, saw)

    async def tell_partitions() -> None:
        told: list[int] = []
        while not worker.gate.is_set():
            owned = worker.partitions.of_topic(topic)
            if owned != told:
                told = owned
                _tell(partitions=owned)
            await asyncio.sleep(0.05)

    async def wait_for_start() -> None:
        await asyncio.to_thread(sys.stdin.readline)
        worker.gate.set()

    others = [asyncio.create_task(tell_partitions()), asyncio.create_task(wait_for_start())]
    await worker.run(asyncio.Event())
    await asyncio.gather(*others)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["count", bootstrap, topic, number, skip, state]:
            topics.ensure(bootstrap, QUARANTINE_TOPIC)
            asyncio.run(count(bootstrap, topic, int(number), int(skip), Path(state)))
        case ["join", group, bootstrap, topic, state]:
            topics.ensure(bootstrap, QUARANTINE_TOPIC)
            asyncio.run(join(group, bootstrap, topic, Path(state)))
        case _:
            print(__doc__, file=sys.stderr)
            os._exit(2)
