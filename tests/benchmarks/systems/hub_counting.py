"""The hub like for like: its own transport, decoding and change against state, then counted in memory; no warehouse.

`python -m tests.benchmarks.systems.hub_counting count BOOTSTRAP TOPIC COUNT SKIP STATE_DIR` reads the topic alone.
`… join GROUP BOOTSTRAP TOPIC STATE_DIR` is a member of a group: it tells its partitions, waits for a line on
standard input before the first batch, and then tells its progress, for several workers at once (`workers`).

Everything but the warehouse is the product's: the group, the intents committed to Kafka, the partitions' runners.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
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
from streams.app import StreamSettings, StreamWorker
from streams.change import DELETED, OFFSET, STATE_OFFSET, compute
from streams.placement import misplaced
from streams.quarantine import TOPIC as QUARANTINE_TOPIC
from streams.quarantine import Refusal
from streams.states import KnownKeys, StateCache, key_hashes
from streams.topic_ids import topic_ids
from streams.warehouse.client import Warehouse
from tests.benchmarks import events, topics
from tests.benchmarks.systems.meter import Meter

CACHED_STATES = 200_000
"""Over all partitions, as a worker's default."""

NOWHERE = "http://127.0.0.1:9/none"
"""No warehouse is asked for anything."""


class NoQuarantine:
    """Every event of a benchmark is good."""

    async def publish(self, refusals: Sequence[Refusal]) -> None:
        raise AssertionError(f"{len(refusals)} events were refused")


class _Counted:
    """A block that is written by counting it."""

    def __init__(self, sink: CountingSink, rows: pl.DataFrame, states: pl.DataFrame, events: int) -> None:
        self._sink, self._rows, self._states, self._events = sink, rows, states, events

    async def send(self) -> None:
        return

    def done(self) -> None:
        self._sink.count(self._rows, self._states, self._events)


class CountingSink:
    """One partition: signed changes, summed by unit."""

    def __init__(self, contract: Contract, known: KnownKeys, saw: Callable[[int], None], gate: asyncio.Event) -> None:
        self._contract, self._known, self._saw, self._gate = contract, known, saw, gate
        self._decoder = Decoder(contract, events.schema_text)
        self._cache = StateCache(CACHED_STATES // events.PARTITIONS)
        self._columns = [*(field.name for field in contract.fields), STATE_OFFSET, DELETED]
        self.counts: Counter[str] = Counter()

    async def open(self, topic_id: str) -> None:
        """It cannot tell what was written: the commit alone is believed."""

    async def prepare(self, records: Any, first: int, last: int) -> _Counted:
        await self._gate.wait()
        rows, states = await asyncio.to_thread(self._compute, records)
        return _Counted(self, rows, states, len(records))

    async def prepare_redo(self, first: int, last: int) -> None:
        return None

    async def prepare_again(self, records: Any, first: int, last: int) -> _Counted:
        return await self.prepare(records, first, last)

    def _compute(self, records: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
        decoded = self._decoder.decode(records.keys, records.values)
        times = pl.Series(records.times, dtype=pl.Int64).cast(pl.Datetime("ms", "UTC"))
        batch = decoded.frame.with_columns(
            pl.Series(OFFSET, records.offsets, dtype=pl.Int64), times.alias("kafka_time")
        )
        assert not decoded.bad
        assert not misplaced(batch, self._contract)
        changes = compute(batch, self._states(batch["entity_key"].unique(maintain_order=True)), self._contract)
        return changes.rows, changes.states

    def _states(self, keys: pl.Series) -> pl.DataFrame:
        frames, missing = self._cache.get(keys.filter(pl.Series(self._known.contains(key_hashes(keys)))).to_list())
        assert not missing, "a state fell out of the cache: there is no warehouse to look it up in"
        return pl.concat(frames) if frames else self._none()

    def _none(self) -> pl.DataFrame:
        empty = self._decoder.decode([], []).frame.drop("__row")
        return empty.with_columns(pl.lit(0, dtype=pl.Int64).alias(STATE_OFFSET), pl.lit(value=False).alias(DELETED))

    def count(self, rows: pl.DataFrame, states: pl.DataFrame, number: int) -> None:
        """Sum a batch's signs by unit and remember its states."""
        self.counts.update(dict(rows.group_by("org_code").agg(pl.col("sign").cast(pl.Int64).sum()).iter_rows()))
        self._cache.put(states.select(self._columns))
        self._known.add(key_hashes(states["entity_key"]))
        self._saw(number)


class CountingWorker(StreamWorker):
    """The product's worker with another sink."""

    def __init__(self, bootstrap: str, topic: str, group: str, state: Path, saw: Callable[[int], None]) -> None:
        contract = replace(events.contract(), domain=topic.split(".")[1], entity=topic.split(".")[2])
        self.gate = asyncio.Event()
        self._of_case, self._saw, self._known = contract, saw, KnownKeys()
        settings = StreamSettings(bootstrap, state / "faust", group=group)
        ids = topic_ids(bootstrap)
        super().__init__(settings, [contract], Warehouse(NOWHERE), events.schema_text, NoQuarantine(), ids)

    def _sink(self, tp: TP, *_: Any) -> Any:
        return CountingSink(self._of_case, self._known, self._saw, self.gate)


async def count(bootstrap: str, topic: str, number: int, skip: int, state: Path) -> None:
    """Read a topic alone, from its start."""
    stop = asyncio.Event()
    meter = Meter(number, skip, stop.set)
    worker = CountingWorker(bootstrap, topic, f"counting-{time.time_ns()}", state, meter.saw)
    worker.gate.set()
    await worker.run(stop)
    meter.report()


def _tell(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


async def join(group: str, bootstrap: str, topic: str, state: Path) -> None:
    """Be one of several workers until killed."""
    seen = 0

    def saw(number: int) -> None:
        nonlocal seen
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
