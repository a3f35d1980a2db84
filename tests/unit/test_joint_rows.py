"""Batches of several partitions computed in one pass are those of each partition put together."""

from __future__ import annotations

import asyncio
import io
import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pytest

from schemas.codec import Decoder
from schemas.contract import load_contracts
from schemas.errors import UnknownSchemaError
from schemas.without import NONE
from streams.block import joined_rows
from streams.change import STATE_OFFSET
from streams.errors import StatesAheadError
from streams.fences import Fence
from streams.intent import Member
from streams.joint_rows import PLACE, OnePart, by_place, rows_of, side_by_side
from streams.partition_seams import Part
from streams.quarantine import Refusal
from streams.records import Records
from streams.sink import EntitySink, TakeOver
from streams.state_cache import StateRoom
from streams.states import KnownKeys
from streams.store import EntityStore
from streams.warehouse.client import Warehouse
from tests.dossiers import life_cycles
from tests.stream_worker import private_contract, value_of

PARTITIONS = 4
ARRIVED_MS = 1_700_000_000_000
"""Kafka's time of the first records: after their events."""
CACHED = 20
"""States a partition remembers: others are looked up."""


def schema_text(schema_id: int) -> str:
    if schema_id != 1:
        raise UnknownSchemaError(str(schema_id))
    return load_contracts()["dossier"].schema_text


def frame(block: bytes) -> pl.DataFrame:
    return pl.read_ipc_stream(io.BytesIO(block))


class MemoryStates:
    """Newest states, as the warehouse would tell them."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.schema: dict[str, pl.DataType] = {}
        self.asked = 0

    def states(self, asker: int, keys: list[str]) -> pl.DataFrame:
        self.asked += len(keys)
        return pl.DataFrame([self.rows[key] for key in keys if key in self.rows], schema=self.schema)

    def put(self, states: pl.DataFrame) -> None:
        told = states.with_columns(pl.col(STATE_OFFSET).cast(pl.UInt64).alias("version"))
        self.schema = dict(told.schema)
        self.rows.update({row["entity_key"]: row for row in told.iter_rows(named=True)})


@dataclass
class Refusals:
    told: list[Refusal] = field(default_factory=list)

    async def publish(self, refusals: Sequence[Refusal]) -> None:
        self.told += refusals


class Side:
    """The partitions' sinks of one worker."""

    def __init__(self, cached: int = CACHED) -> None:
        contract, self.known, self.warehouse = private_contract("case"), KnownKeys(), MemoryStates()
        self.store = EntityStore(Warehouse("http://127.0.0.1:9/none"), contract)
        self.store.look_up = self.warehouse  # type: ignore[assignment]
        self.quarantine = Refusals()
        self.sinks = [self._sink(contract, partition, cached) for partition in range(PARTITIONS)]

    def _sink(self, contract: Any, partition: int, cached: int) -> EntitySink:
        async def take_over() -> TakeOver:
            return TakeOver({partition: Fence(partition, 7 + partition, 0)}, self.known)

        decoder, room = Decoder(contract, schema_text), StateRoom(cached)
        sink = EntitySink(contract, partition, self.store, decoder, self.quarantine, take_over, room)
        sink.topic_id, sink._epoch, sink.known = "T", 7 + partition, self.known
        return sink

    def parts(self, batches: dict[int, Records]) -> list[OnePart]:
        return [
            OnePart(self.sinks[partition], records, Member(partition, records.offsets[0], records.offsets[-1]))
            for partition, records in batches.items()
        ]

    def separately(self, batches: dict[int, Records]) -> tuple[bytes, list[Any]]:
        parts, rows, refused = self.parts(batches), [], []
        for part in parts:
            made, effect, bad = part.sink._compute(part.records, part.bounds, NONE, redo=False, kept=True)
            assert isinstance(made, pl.DataFrame) and effect.states is not None
            rows.append(made)
            refused.append(tuple(sorted(bad, key=lambda record: record.row)))
            part.sink.written(effect)
            self.warehouse.put(effect.states)
        return self.store.block(joined_rows(rows, tuple(part.member for part in parts))), refused

    def in_one_pass(self, batches: dict[int, Records]) -> tuple[bytes, list[Any]]:
        parts = self.parts(batches)
        made = rows_of(parts)
        assert made is not None
        parts[0].sink.written(made.effect)
        for part, states in zip(parts, made.states, strict=True):
            part.sink.cache.put(states)
            self.warehouse.put(states)
        return made.rows, [tuple(sorted(bad, key=lambda record: record.row)) for bad in made.refused]


def rounds(seed: int) -> list[dict[int, Records]]:
    """Batches by partition; some partitions have none in a round, and some records are bad."""
    dice = random.Random(seed)
    queues: dict[int, list[tuple[bytes, bytes]]] = {partition: [] for partition in range(PARTITIONS)}
    for event in life_cycles(150, seed):
        key = event["entity_key"].encode()
        value = value_of(event)
        if dice.random() < 0.03:
            value = dice.choice((value[:-4], b"\x01" + value, value[:1] + b"\x00\x00\x00\x09" + value[5:]))
        queues[zlib.crc32(key) % PARTITIONS].append((key, value))
    offsets, out = dict.fromkeys(queues, 0), []
    while any(queues.values()):
        batches: dict[int, Records] = {}
        for partition in dice.sample(range(PARTITIONS), dice.randint(2, PARTITIONS)):
            taken = [queues[partition].pop(0) for _ in range(min(len(queues[partition]), dice.randint(1, 40)))]
            if taken:
                first = offsets[partition] + dice.choice((0, 0, 3))
                offsets[partition] = first + len(taken)
                times = [ARRIVED_MS + 10_000_000 * len(out) + place for place in range(len(taken))]
                keys, values = zip(*taken, strict=True)
                batches[partition] = Records.of(range(first, first + len(taken)), times, keys, values)
        if batches:
            out.append(dict(sorted(batches.items())))
    return out


@pytest.mark.parametrize("seed", range(6))
def test_the_pass_over_all_gives_the_same_block_refusals_and_states_as_each_alone(seed: int) -> None:
    one, two = Side(), Side()
    refused = 0
    for batches in rounds(seed):
        block, bad = one.in_one_pass(batches)
        alone, bad_alone = two.separately(batches)
        assert frame(block).equals(frame(alone))
        assert bad == bad_alone
        refused += sum(map(len, bad))
        assert one.warehouse.rows == two.warehouse.rows
    assert refused > 3
    assert len(one.warehouse.rows) > 100
    assert one.warehouse.asked, "states that fell out of the cache were looked up"


def one_record(offset: int) -> Records:
    (event, *_) = life_cycles(1, 1)
    return Records.of(range(offset, offset + 1), [ARRIVED_MS], [event["entity_key"].encode()], [value_of(event)])


def told(parts: Sequence[OnePart]) -> list[Part]:
    return [Part(part.sink, part.records, part.member) for part in parts]


def test_an_entity_with_records_in_two_partitions_is_not_computed_in_one_pass() -> None:
    records = one_record(0)
    assert rows_of(Side().parts({0: records, 2: records})) is None


async def test_such_batches_are_one_block_all_the_same() -> None:
    side = Side()
    block = await side.sinks[0].prepare_joint(told(side.parts({0: one_record(3), 2: one_record(3)})))
    assert isinstance(block.rows, pl.DataFrame)  # type: ignore[attr-defined]
    assert block.rows["partition"].to_list() == [0, 2]  # type: ignore[attr-defined]
    assert block.rows["joint"].unique().to_list() == ["0:3-3,2:3-3"]  # type: ignore[attr-defined]


async def test_refused_records_are_told_with_their_own_partition_and_offset() -> None:
    side = Side()
    (event, *_) = life_cycles(1, 1)
    good, key = value_of(event), event["entity_key"].encode()
    parts = side.parts(
        {
            1: Records.of(range(5, 7), [ARRIVED_MS, ARRIVED_MS], [key, b"b"], [good, None]),
            3: Records.of(range(8, 9), [ARRIVED_MS], [b"c"], [b"\x07"]),
        }
    )
    await side.sinks[0].prepare_joint(told(parts))
    assert [refusal.id for refusal in side.quarantine.told] == ["ioc.case.case:1:6", "ioc.case.case:3:8"]


def test_a_state_that_is_ahead_of_its_own_partition_s_batch_is_found() -> None:
    side = Side(cached=1)
    (events, *_) = rounds(1)
    side.in_one_pass(events)
    with pytest.raises(StatesAheadError, match="ahead of a batch of"):
        rows_of(side.parts(events))


def test_offsets_of_different_partitions_are_kept_apart_and_in_order() -> None:
    parts = [
        Records.of(range(5, 8), [0] * 3, [b"k"] * 3, [b"v"] * 3),
        Records.of([2, 9], [0] * 2, [b"k"] * 2, [b"v"] * 2),
    ]
    offsets = side_by_side(parts).offsets
    assert [offset % (1 << 44) for offset in offsets] == [5, 6, 7, 2, 9]
    assert list(offsets) == sorted(set(offsets))


def test_the_block_of_an_intent_is_made_again_from_records_of_each_partition_alone() -> None:
    """What `streams.recovery` relies on: `prepare_again` of each and `join`."""

    async def again(side: Side, batches: dict[int, Records]) -> bytes:
        parts = side.parts(batches)
        blocks = [await p.sink.prepare_again(p.records, p.member.first, p.member.last, NONE, kept=True) for p in parts]
        whole = await side.sinks[0].join(blocks, tuple(part.member for part in parts))
        assert isinstance(whole.rows, pl.DataFrame)
        return side.store.block(whole.rows)

    first = rounds(3)[0]
    side = Side()
    side.store.states_before = lambda keys, bounds: side.sinks[0].no_states  # type: ignore[method-assign]
    assert frame(asyncio.run(again(side, first))).equals(frame(Side().in_one_pass(first)[0]))


def memory_of(texts: pl.Series) -> int:
    """Bytes that are kept for them, of others too."""
    buffers = texts.to_arrow(compat_level=pl.CompatLevel.newest()).buffers()
    return sum(buffer.size for buffer in buffers if buffer is not None)


def test_a_partition_with_a_small_part_of_the_states_keeps_none_of_the_others_memory() -> None:
    offsets = [number * PLACE + offset for number, count in ((0, 3), (2, 1000)) for offset in range(count)]
    keys = [f"a key that is longer than twelve bytes {offset}" for offset in offsets]
    few, none, many = by_place(pl.DataFrame({"entity_key": keys, STATE_OFFSET: offsets}), 3)
    assert few[STATE_OFFSET].to_list() == [0, 1, 2] and few["entity_key"].to_list() == keys[:3]
    assert none.height == 0
    assert many[STATE_OFFSET].to_list() == list(range(1000)) and many["entity_key"].to_list() == keys[3:]
    assert memory_of(few["entity_key"]) < 1000 < memory_of(many["entity_key"])
