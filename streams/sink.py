"""From the records of a batch to rows in the warehouse: what a partition's runner writes through.

Sink        what the runner needs
EntitySink  contract → signed changes → `<entity>_changes`
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from schemas.codec import ROW, BadRecord, Decoder, empty_frame
from schemas.contract import Contract
from streams import faultpoints, metrics
from streams.arrival_watch import ArrivalWatch
from streams.block import Bounds, finish, quarantined_rows
from streams.change import OFFSET, STATE_OFFSET, compute
from streams.conflicts import reused_event_ids
from streams.errors import StatesAheadError
from streams.fences import Fence
from streams.placement import misplaced
from streams.quarantine import Quarantine, stream_refusals
from streams.records import Records
from streams.states import KnownKeys, StateCache, key_hashes
from streams.store import EntityStore


class Block(Protocol):
    """A batch that is ready to be sent, as often as it takes."""

    async def send(self) -> None:
        """Write it; raises `WarehouseUnavailableError` if the identical block should be sent again."""

    def done(self) -> None:
        """The write has succeeded: take the new states over."""


class Sink(Protocol):
    """Where the batches of one topic partition go."""

    async def open(self, topic_id: str) -> int | None:
        """Take the partition over. The last offset written, −1 if none, None if it cannot tell. Repeatable."""

    async def prepare(self, records: Records, first: int, last: int) -> Block:
        """Compute the block of a new batch; raises `StatesAheadError` if the states are ahead of it."""

    async def prepare_redo(self, first: int, last: int) -> Block | None:
        """The block of a batch whose rows are (in part) written already; None if none of its rows is."""

    async def prepare_again(self, records: Records, first: int, last: int) -> Block:
        """As `prepare`, with the states from before `first` even if newer ones exist."""


@dataclass(frozen=True, slots=True)
class TakeOver:
    """What all partitions of a topic share after an assignment: loaded once, after all fences are up."""

    fences: dict[int, Fence]
    known: KnownKeys


class _EntityBlock:
    def __init__(self, sink: EntitySink, rows: pl.DataFrame, bounds: Bounds, states: pl.DataFrame | None) -> None:
        self._sink = sink
        self._rows = rows
        self._bounds = bounds
        self._states = states

    async def send(self) -> None:
        await asyncio.to_thread(self._sink.store.insert, self._rows, self._bounds)

    def done(self) -> None:
        self._sink.written(self._rows, self._states)


class EntitySink:
    """One topic partition of an entity. One batch at a time."""

    def __init__(
        self,
        contract: Contract,
        partition: int,
        store: EntityStore,
        decoder: Decoder,
        quarantine: Quarantine,
        take_over: Callable[[], Awaitable[TakeOver]],
        cached_states: int,
    ) -> None:
        self.store = store
        self._contract = contract
        self._partition = partition
        self._decoder = decoder
        self._quarantine = quarantine
        self._take_over = take_over
        self._arrivals = ArrivalWatch(contract.entity)
        self._known = KnownKeys()
        self._cache = StateCache(cached_states)
        self._topic_id = ""
        self._epoch = 0
        self._life = 0

    async def open(self, topic_id: str) -> int | None:
        taken = await self._take_over()
        fence = taken.fences[self._partition]
        self._topic_id, self._epoch, self._life = topic_id, fence.epoch, fence.life
        self._known = taken.known
        return await asyncio.to_thread(self.store.written_last, topic_id, self._partition)

    def _bounds(self, first: int, last: int) -> Bounds:
        return Bounds(self._contract.topic, self._topic_id, self._life, self._partition, first, last, self._epoch)

    async def prepare(self, records: Records, first: int, last: int) -> Block:
        return await self._prepare(records, self._bounds(first, last), redo=False)

    async def prepare_again(self, records: Records, first: int, last: int) -> Block:
        return await self._prepare(records, self._bounds(first, last), redo=True)

    async def prepare_redo(self, first: int, last: int) -> Block | None:
        bounds = self._bounds(first, last)
        rows = await asyncio.to_thread(self.store.written_rows, bounds)
        return _EntityBlock(self, rows, bounds, None) if rows.height else None

    async def _prepare(self, records: Records, bounds: Bounds, redo: bool) -> Block:
        rows, states, bad = await asyncio.to_thread(self._compute, records, bounds, redo)
        if bad:
            await self._quarantine.publish(stream_refusals(bad, records, bounds, self._contract))
        return _EntityBlock(self, rows, bounds, states)

    def _compute(
        self, records: Records, bounds: Bounds, redo: bool
    ) -> tuple[pl.DataFrame, pl.DataFrame, tuple[BadRecord, ...]]:
        with metrics.STAGE.labels("decode").time():
            times = pl.DataFrame(
                {OFFSET: records.offsets, "kafka_time": records.times},
                schema={OFFSET: pl.Int64, "kafka_time": pl.Int64},
            ).with_columns(pl.col("kafka_time").cast(pl.Datetime("ms", "UTC")))
            decoded = self._decoder.decode(records.keys, records.values)
            placed = decoded.frame.with_columns(
                times[OFFSET].gather(decoded.frame[ROW]), times["kafka_time"].gather(decoded.frame[ROW])
            )
            late = misplaced(placed, self._contract)
            bad = (*decoded.bad, *late)
            if late:
                placed = placed.filter(~pl.col(ROW).is_in([record.row for record in late]))
        faultpoints.reach("after_decode")
        with metrics.STAGE.labels("lookup").time():
            states = self._states(placed["entity_key"].unique(maintain_order=True), bounds, redo)
        with metrics.STAGE.labels("change").time():
            reused = reused_event_ids(placed, states, self._contract)
            if reused:
                bad = (*bad, *reused)
                placed = placed.filter(~pl.col(ROW).is_in([record.row for record in reused]))
            changes = compute(placed, states, self._contract)
            rows = changes.rows
            if bad:
                refused = quarantined_rows(bad, records.offsets, records.keys, self._contract)
                rows = pl.concat([rows.select(refused.columns), refused])
            return finish(rows, times, bounds), changes.states, bad

    def _states(self, keys: pl.Series, bounds: Bounds, redo: bool) -> pl.DataFrame:
        if redo:
            return self.store.states_before(keys.to_list(), bounds) if len(keys) else self._no_states()
        existing = keys.filter(pl.Series(self._known.contains(key_hashes(keys)))) if len(keys) else keys
        frames, missing = self._cache.get(existing.to_list())
        if missing:
            found = self.store.current_states(missing)
            ahead = found.filter(pl.col("version") >= bounds.version).height
            if ahead:
                raise StatesAheadError(f"{ahead} states are ahead of offset {bounds.first}")
            frames.append(found.select(self._state_columns()))
        frames = [frame for frame in frames if frame.height]
        return pl.concat(frames) if frames else self._no_states()

    def _state_columns(self) -> list[str]:
        return [field.name for field in self._contract.fields] + [STATE_OFFSET, "deleted"]

    def _no_states(self) -> pl.DataFrame:
        empty = empty_frame(self._contract).drop(ROW)
        return empty.with_columns(pl.lit(0, dtype=pl.Int64).alias(STATE_OFFSET), pl.lit(value=False).alias("deleted"))

    def written(self, rows: pl.DataFrame, states: pl.DataFrame | None) -> None:
        """Count a written batch and remember its states."""
        for kind, count in rows.group_by("kind").len().rows():
            metrics.ROWS.labels(self._contract.entity, kind).inc(count)
        self._arrivals.seen(rows)
        if states is not None:
            self._cache.put(states.select(self._state_columns()))
            self._known.add(key_hashes(states["entity_key"]))
            metrics.KNOWN_KEYS.labels(self._contract.entity).set(len(self._known))
