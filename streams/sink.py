"""From the records of a batch to rows in the warehouse: what a partition's runner writes through.

Sink        what the runner needs
EntitySink  contract → signed changes → `<entity>_changes`
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import polars as pl

from schemas.codec import ROW, BadRecord, Decoder, empty_frame
from schemas.contract import Contract
from schemas.without import NONE, Without
from streams import faultpoints, metrics
from streams.arrival_watch import ArrivalWatch
from streams.arrived import Arrived, arrived
from streams.block import Bounds, finish, quarantined_rows
from streams.change import OFFSET, STATE_OFFSET, compute
from streams.conflicts import reused_event_ids
from streams.errors import StatesAheadError
from streams.fact_times import moved_facts
from streams.fences import Fence
from streams.intent import Loss, Written
from streams.placement import misplaced
from streams.quarantine import Quarantine, stream_refusals
from streams.recent_keys import days_of
from streams.records import Records
from streams.states import Known, KnownKeys, StateCache, compact
from streams.store import EntityStore


class Block(Protocol):
    """A batch that is ready to be sent, as often as it takes."""

    async def send(self) -> None:
        """Write it; raises `WarehouseUnavailableError` if the identical block should be sent again."""

    def done(self) -> None:
        """The write has succeeded: take the new states over."""


class Sink(Protocol):
    """Where the batches of one topic partition go."""

    async def open(self, topic_id: str) -> Written | None:
        """Take the partition over; then as `last_written`. Repeatable."""

    async def last_written(self, topic_id: str) -> Written | None:
        """The last batch that is written, None if the sink cannot tell."""

    async def lost(self, loss: Loss) -> None:
        """Put on record what will never be written. Repeatable."""

    async def prepare(self, records: Records, first: int, last: int, without: Without) -> Block:
        """Compute the block of a new batch, `without` some schemas; raises `StatesAheadError` if the states are ahead
        of it, `SchemasAwayError` if it needs schemas that the registry does not give at present."""

    async def prepare_redo(self, first: int, last: int) -> Block | None:
        """The block of a batch whose rows are (in part) written already; None if none of its rows is."""

    async def prepare_again(self, records: Records, first: int, last: int, without: Without) -> Block:
        """As `prepare`, with the states from before `first` even if newer ones exist."""


@dataclass(frozen=True, slots=True)
class TakeOver:
    """What all partitions of a topic share after an assignment: loaded once, after all fences are up."""

    fences: dict[int, Fence]
    known: Known


@dataclass(frozen=True, slots=True)
class Effect:
    """What a written batch changes in the worker: of its rows only what is counted and remembered."""

    kinds: tuple[tuple[str, int], ...]
    """Rows by kind."""
    arrived: Arrived
    newest: int
    """The day, since 1970 and in UTC, of the newest Kafka timestamp."""
    states: pl.DataFrame | None
    new: pl.DataFrame
    """`entity_key` and `event_time` of what had no state before."""


class _EntityBlock:
    """The encoded rows and nothing else of them: it may wait for long, and others beside it."""

    def __init__(self, sink: EntitySink, block: bytes, bounds: Bounds, effect: Effect) -> None:
        self._sink = sink
        self._block = block
        self._bounds = bounds
        self._effect = effect

    async def send(self) -> None:
        await asyncio.to_thread(self._sink.store.insert, self._block, self._bounds)

    def done(self) -> None:
        self._sink.written(self._effect)


def effect_of(rows: pl.DataFrame, states: pl.DataFrame | None, new: pl.DataFrame) -> Effect:
    """Of the rows of one batch."""
    return Effect(
        tuple(rows.group_by("kind").len().rows()),
        arrived(rows),
        rows.select(days_of(pl.col("kafka_time").max())).item(),
        states,
        new.select("entity_key", "event_time"),
    )


def no_states(contract: Contract) -> pl.DataFrame:
    """Of states, the columns and no rows."""
    empty = empty_frame(contract).drop(ROW)
    return empty.with_columns(pl.lit(0, dtype=pl.Int64).alias(STATE_OFFSET), pl.lit(value=False).alias("deleted"))


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
        computing: threading.Lock | None = None,
    ) -> None:
        """`computing`: held by the partition that decodes or computes. Each takes several times its batch's memory for
        it, and two at once are no sooner done on the cores there are."""
        self.store = store
        self._computing = computing or threading.Lock()
        self._contract = contract
        self._partition = partition
        self._decoder = decoder
        self._quarantine = quarantine
        self._take_over = take_over
        self._arrivals = ArrivalWatch(contract.entity)
        self._known: Known = KnownKeys()
        self._cached_states = cached_states
        self._cache = StateCache(cached_states)
        self._topic_id = ""
        self._epoch = 0
        self._life = 0
        self._no_states = no_states(contract)

    async def open(self, topic_id: str) -> Written | None:
        taken = await self._take_over()
        fence = taken.fences[self._partition]
        self._topic_id, self._epoch, self._life = topic_id, fence.epoch, fence.life
        self._known = taken.known
        self._cache = StateCache(self._cached_states)
        return await self.last_written(topic_id)

    async def last_written(self, topic_id: str) -> Written:
        return await asyncio.to_thread(self.store.written, topic_id, self._partition)

    async def lost(self, loss: Loss) -> None:
        await asyncio.to_thread(self.store.losses.record, self._topic_id, self._partition, loss)

    def _bounds(self, first: int, last: int) -> Bounds:
        return Bounds(self._contract.topic, self._topic_id, self._life, self._partition, first, last, self._epoch)

    async def prepare(self, records: Records, first: int, last: int, without: Without = NONE) -> Block:
        return await self._prepare(records, self._bounds(first, last), without, redo=False)

    async def prepare_again(self, records: Records, first: int, last: int, without: Without = NONE) -> Block:
        return await self._prepare(records, self._bounds(first, last), without, redo=True)

    async def prepare_redo(self, first: int, last: int) -> Block | None:
        bounds = self._bounds(first, last)
        rows = await asyncio.to_thread(self.store.written_rows, bounds)
        if not rows.height:
            return None
        # Whoever wrote them may have died before `current` had them, and so before they were loaded as known.
        effect = effect_of(rows, None, rows.unique("entity_key"))
        return _EntityBlock(self, self.store.block(rows), bounds, effect)

    async def _prepare(self, records: Records, bounds: Bounds, without: Without, redo: bool) -> Block:
        block, effect, bad = await asyncio.to_thread(self._compute, records, bounds, without, redo)
        if bad:
            await self._quarantine.publish(stream_refusals(bad, records, bounds, self._contract))
        return _EntityBlock(self, block, bounds, effect)

    def _compute(
        self, records: Records, bounds: Bounds, without: Without, redo: bool
    ) -> tuple[bytes, Effect, tuple[BadRecord, ...]]:
        with self._computing:
            with metrics.STAGE.labels("decode").time():
                placed, times, bad = self._decoded(records, without)
            faultpoints.reach("after_decode")
            with metrics.STAGE.labels("lookup").time():
                states = self._states(placed, bounds, redo)
            with metrics.STAGE.labels("change").time():
                rows, states, new, found = self._changed(placed, states)
                bad = (*bad, *found)
                del placed  # the block is another copy: of its sources nothing is to stay that is not needed
                if bad:
                    unusable = quarantined_rows(bad, records.offsets, records.keys, self._contract)
                    rows = pl.concat([rows.select(unusable.columns), unusable])
                rows = finish(rows, times, bounds)
                return self.store.block(rows), effect_of(rows, states, new), bad

    def _decoded(self, records: Records, without: Without) -> tuple[pl.DataFrame, pl.DataFrame, tuple[BadRecord, ...]]:
        """The records that can be placed, the times of all, and those that cannot be read or placed."""
        times = records.arrivals
        decoded = self._decoder.decode(records.keys, records.values, without)
        placed = decoded.frame.with_columns(
            times[OFFSET].gather(decoded.frame[ROW]), times["kafka_time"].gather(decoded.frame[ROW])
        )
        late = misplaced(placed, self._contract)
        if late:
            placed = placed.filter(~pl.col(ROW).is_in([record.row for record in late]))
        return placed, times, (*decoded.bad, *late)

    def _changed(
        self, placed: pl.DataFrame, states: pl.DataFrame
    ) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, tuple[BadRecord, ...]]:
        """The rows of the changes, the states after them, those that had none before, and records that are refused."""
        refused = moved_facts(placed, states) if self._contract.kind == "fact" else ()
        placed = placed.filter(~pl.col(ROW).is_in([record.row for record in refused])) if refused else placed
        reused = reused_event_ids(placed, states, self._contract)
        if reused:
            placed = placed.filter(~pl.col(ROW).is_in([record.row for record in reused]))
        changes = compute(placed, states, self._contract)
        # What had no state before is new, whether or not it was known to be.
        new = changes.states.join(states, on="entity_key", how="anti") if states.height else changes.states
        after = changes.states.select(self._state_columns())
        if 2 * after.height < placed.height:
            after = compact(after)
        return changes.rows, after, new, (*refused, *reused)

    def _states(self, placed: pl.DataFrame, bounds: Bounds, redo: bool) -> pl.DataFrame:
        if not placed.height:
            return self._no_states
        if redo:
            keys = placed["entity_key"].unique(maintain_order=True).to_list()
            return self._asked(partial(self.store.states_before, keys, bounds))
        frames, missing = self._cache.get(self._known.to_look_up(placed).to_list())
        if missing:
            found = self._asked(partial(self.store.look_up.states, self._partition, missing))
            ahead = found.filter(pl.col("version") >= bounds.version).height
            if ahead:
                raise StatesAheadError(f"{ahead} states are ahead of offset {bounds.first}")
            frames.append(found.select(self._state_columns()))
        frames = [frame for frame in frames if frame.height]
        return pl.concat(frames) if frames else self._no_states

    def _asked(self, ask: Callable[[], pl.DataFrame]) -> pl.DataFrame:
        """The warehouse's answer; others compute while it is waited for."""
        self._computing.release()
        try:
            return ask()
        finally:
            self._computing.acquire()

    def _state_columns(self) -> list[str]:
        return [field.name for field in self._contract.fields] + [STATE_OFFSET, "deleted"]

    def written(self, effect: Effect) -> None:
        """Count a written batch and remember its keys and states."""
        for kind, count in effect.kinds:
            metrics.ROWS.labels(self._contract.entity, kind).inc(count)
        self._arrivals.seen(effect.arrived)
        if effect.states is not None:
            self._cache.put(effect.states)
        self._known.written(effect.new, effect.newest)
        metrics.KNOWN_KEYS.labels(self._contract.entity).set(len(self._known))
