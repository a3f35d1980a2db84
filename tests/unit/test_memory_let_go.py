"""What a worker has no more use for is gone at once: not with the collector's next look, which is seldom."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from schemas.octets import Octets
from schemas.without import Without
from streams.app import StreamSettings, StreamWorker
from streams.entity_block import LARGE_BYTES, EntityBlock
from streams.fetched import FetchedBatches
from streams.garbage import FRAMES_KEPT, POLARS_OWN
from streams.partition import PartitionRunner
from streams.places import Places
from streams.records import Records
from streams.state_cache import compact
from streams.store import EntityStore
from streams.topic_ids import Topic as KafkaTopic
from streams.warehouse.client import Warehouse
from tests.core_in_process import Refused
from tests.unit.test_partition import Group, MemoryBlock, Table, Topic


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_a_fetched_answer_is_gone_when_its_records_are_read() -> None:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 16)
    for number in range(3):
        builder.append(number, 1_000, b"key", b"value", [])
    answer = PartitionRecords(
        TopicPartition("t", 0), MemoryRecords(bytes(builder.build())), None, 0, None, None, True, 0
    )
    held = weakref.ref(answer)
    batches = FetchedBatches(answer)
    del answer
    assert [list(found.values) for found in batches] == [[b"value"] * 3]
    del batches
    assert held() is None


class Data(bytearray):
    """Of records: can be watched, however many columns and parts of them refer to it."""


class Standing(Table):
    """A warehouse that is away while the first block is sent."""

    def __init__(self, sending: asyncio.Event, go_on: asyncio.Event) -> None:
        super().__init__()
        self.sending, self.go_on = sending, go_on

    async def prepare(self, taken: Records, first: int, last: int, without: Without) -> MemoryBlock:
        table, block = self, await super().prepare(taken, first, last, without)

        class Slow(MemoryBlock):
            async def send(self) -> None:
                table.sending.set()
                await table.go_on.wait()
                await super().send()

        return Slow(block.table, block.first, block.last, block.how)


@pytest.mark.usefixtures("no_collector")
async def test_a_batch_s_records_are_gone_while_its_block_waits_for_the_warehouse() -> None:
    table = Standing(asyncio.Event(), asyncio.Event())
    runner = PartitionRunner("ioc.x.y-0", Group(), Topic(), table, Places(1))
    data = Data(b"v" * 5)
    held = weakref.ref(data)
    ends = pa.py_buffer(np.arange(6, dtype=np.int32))
    values = Octets(pa.BinaryArray.from_buffers(pa.binary(), 5, [None, ends, pa.py_buffer(data)]))
    runner.offer(Records.of(range(5), [1_700_000_000_000] * 5, [b"k"] * 5, values))
    del data, values
    assert held() is not None
    task = asyncio.create_task(runner.run())
    async with asyncio.timeout(10):
        await table.sending.wait()
    assert held() is None
    table.go_on.set()
    async with asyncio.timeout(10):
        while runner.position != 5:
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert table.log == ["new 0-4"]


def test_compact_states_are_the_same_rows_and_hold_no_more_than_them() -> None:
    long = "x" * 200
    frame = pl.DataFrame(
        {
            "entity_key": [f"{long}{number}" for number in range(1_000)],
            "fee": [Decimal(number) / 100 for number in range(1_000)],
            "at": [datetime(2022, 9, 19, tzinfo=UTC)] * 999 + [None],
            "status": ["NEW", "DONE"] * 500,
            "deleted": [True, False] * 500,
        },
        schema={
            "entity_key": pl.String,
            "fee": pl.Decimal(12, 2),
            "at": pl.Datetime("ms", "UTC"),
            "status": pl.Enum(["NEW", "DONE"]),
            "deleted": pl.Boolean,
        },
    )
    few = compact(frame.tail(3))
    assert few.schema == frame.schema
    assert few.equals(frame.tail(3), null_equal=True)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, FRAMES_KEPT),
        ("narenas:7", "narenas:7"),
        (POLARS_OWN, FRAMES_KEPT),
        (f"{POLARS_OWN},narenas:7", "narenas:7"),
        (f"{POLARS_OWN},{FRAMES_KEPT}", FRAMES_KEPT),
    ],
)
def test_allocators_are_told_before_polars_is_imported_unless_somebody_told_them(
    before: str | None, after: str
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "_RJEM_MALLOC_CONF"}
    program = (
        "import os, sys; from streams.garbage import loading\n"
        "assert 'polars' not in sys.modules\n"
        "with loading(): pass\n"
        "print(os.environ['_RJEM_MALLOC_CONF'])\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program],
        env=environment if before is None else environment | {"_RJEM_MALLOC_CONF": before},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert found.stdout.strip() == after


def test_what_polars_tells_its_allocator_by_itself_is_known() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "_RJEM_MALLOC_CONF"}
    program = "import os, polars; print(os.environ['_RJEM_MALLOC_CONF'])"
    found = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.strip() == POLARS_OWN


def test_holes_between_what_is_kept_are_given_back() -> None:
    program = (
        "from pathlib import Path; from streams.garbage import trim\n"
        "def resident(): return 4 * int(Path('/proc/self/statm').read_text().split()[1])\n"
        "pieces = [bytes([1]) * 16_000 for _ in range(4_000)]\n"
        "kept = pieces[::20]; del pieces\n"
        "before = resident(); trim(); print(before - resident())\n"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert int(found.stdout) > 40_000, "kB of 61,000 that nobody holds"


class TellingStore(EntityStore):
    """Tells when a block was inserted, and has no warehouse."""

    def __init__(self, told: list[str]) -> None:
        self._told = told

    def insert(self, block: bytes, token: str) -> None:
        self._told.append("inserted")


@pytest.mark.parametrize(("size", "times"), [(LARGE_BYTES + 1, 1), (LARGE_BYTES, 0)])
async def test_only_a_large_block_is_followed_by_giving_holes_back(
    size: int, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr("streams.entity_block.trim", lambda: told.append("given back"))
    await EntityBlock(TellingStore(told), bytes(size), "token").send()
    assert told == ["inserted", *["given back"] * times]


async def test_what_waits_in_the_stream_s_queue_is_bounded_where_the_agent_reads_it(tmp_path: Path) -> None:
    nowhere = Warehouse("http://127.0.0.1:9")
    settings = StreamSettings("127.0.0.1:9", tmp_path)
    worker = StreamWorker(settings, [], nowhere, str, Refused(), lambda topic: KafkaTopic(topic, 1))
    (agent,) = worker.app.agents.values()
    assert agent.channel.clone(is_iterator=True).queue.maxsize == 4
