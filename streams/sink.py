"""From the records of a batch to rows in the warehouse: contract → signed changes → `<entity>_changes`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

import polars as pl

from schemas.codec import ROW, BadRecord, Decoder, empty_frame
from schemas.contract import Contract
from schemas.without import NONE, Without
from streams import faultpoints, metrics
from streams.arrival_watch import ArrivalWatch
from streams.block import Bounds, finish, joined_rows, quarantined_rows
from streams.change import STATE_OFFSET, compute
from streams.conflicts import reused_event_ids
from streams.entity_block import Effect, EntityBlock, effect_of
from streams.errors import StatesAheadError
from streams.fact_times import moved_facts
from streams.fences import BEYOND, Fence
from streams.intent import Joint, Loss, Written, token_of
from streams.joint_rows import OnePart, prepare_joint
from streams.partition_seams import Block, Part
from streams.placement import misplaced
from streams.quarantine import Quarantine, stream_refusals
from streams.records import Records
from streams.state_cache import StateCache, StateRoom, compact
from streams.states import Known, KnownKeys
from streams.store import EntityStore


@dataclass(frozen=True, slots=True)
class TakeOver:
    """What all partitions of a topic share after an assignment: loaded once, after all fences are up."""

    fences: dict[int, Fence]
    known: Known


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
        room: StateRoom,
        computing: threading.Lock | None = None,
    ) -> None:
        """`computing`: held by the partition that decodes or computes. Each takes several times its batch's memory for
        it, and two at once are no sooner done on the cores there are."""
        self.store = store
        self.computing = computing or threading.Lock()
        self.contract = contract
        self._partition = partition
        self._decoder = decoder
        self.quarantine = quarantine
        self._take_over = take_over
        self._arrivals = ArrivalWatch(contract.entity)
        self.known: Known = KnownKeys()
        self.cache = StateCache(room)
        self.topic_id = ""
        self._epoch = 0
        self._life = 0
        self.no_states = no_states(contract)

    @property
    def joining(self) -> EntitySink:
        """Itself."""
        return self

    def beside(self, partition: int) -> EntitySink:
        """See `streams.partition_seams.Joining`."""
        other = EntitySink(
            *(self.contract, partition, self.store, self._decoder, self.quarantine, self._take_over, StateRoom(1)),
            self.computing,
        )
        other.topic_id, other._life, other._epoch = self.topic_id, self._life, BEYOND
        return other

    async def join(self, blocks: Sequence[Block], joint: Joint) -> EntityBlock:
        """See `streams.partition_seams.Joining`."""
        rows = [block.rows for block in blocks if isinstance(block, EntityBlock)]
        parts = [part for part in rows if isinstance(part, pl.DataFrame)]
        if len(parts) < len(blocks):
            raise TypeError(f"{len(parts)} of {len(blocks)} blocks have rows to be joined")
        return EntityBlock(self.store, joined_rows(parts, joint), token_of(self.topic_id, joint))

    async def prepare_joint(self, parts: Sequence[Part]) -> Block:
        """See `streams.partition_seams.Joining`."""
        told = [(part.joining, part.records, part.member) for part in parts]
        mine = [OnePart(sink, records, member) for sink, records, member in told if isinstance(sink, EntitySink)]
        if len(mine) < len(parts):
            raise TypeError(f"{len(mine)} of {len(parts)} parts are of this kind of sink")
        block = await prepare_joint(mine)
        if block is not None:
            return block
        blocks = [await p.sink._prepare(p.records, p.bounds, NONE, redo=False, kept=True) for p in mine]
        block = await self.join(blocks, tuple(part.member for part in mine))

        def done() -> None:
            for one in blocks:
                one.done()

        block.done = done
        return block

    async def open(self, topic_id: str) -> Written | None:
        taken = await self._take_over()
        fence = taken.fences[self._partition]
        self.topic_id, self._epoch, self._life = topic_id, fence.epoch, fence.life
        self.known = taken.known
        self.cache.clear()
        return await self.last_written(topic_id)

    async def last_written(self, topic_id: str, partition: int | None = None) -> Written:
        asked = self._partition if partition is None else partition
        return await asyncio.to_thread(self.store.written, topic_id, asked)

    async def lost(self, loss: Loss) -> None:
        await asyncio.to_thread(self.store.losses.record, self.topic_id, self._partition, loss)

    def bounds(self, first: int, last: int) -> Bounds:
        return Bounds(self.contract.topic, self.topic_id, self._life, self._partition, first, last, self._epoch)

    async def prepare(self, records: Records, first: int, last: int, without: Without = NONE) -> Block:
        return await self._prepare(records, self.bounds(first, last), without, redo=False, kept=False)

    async def prepare_again(
        self, records: Records, first: int, last: int, without: Without = NONE, kept: bool = False
    ) -> Block:
        return await self._prepare(records, self.bounds(first, last), without, redo=True, kept=kept)

    async def prepare_redo(self, first: int, last: int) -> Block | None:
        bounds = self.bounds(first, last)
        rows, joint = await asyncio.to_thread(self.store.written_rows, bounds)
        if not rows.height:
            return None
        own = rows.filter(pl.col("partition") == self._partition)
        # Whoever wrote them may have died before `current` had them, and so before they were loaded as known.
        effect = effect_of(own, None, own.unique("entity_key"))
        token = token_of(self.topic_id, joint or (bounds.member,))
        return EntityBlock(self.store, self.store.block(rows), token, partial(self.written, effect))

    async def _prepare(self, records: Records, bounds: Bounds, without: Without, redo: bool, kept: bool) -> EntityBlock:
        rows, effect, bad = await asyncio.to_thread(self._compute, records, bounds, without, redo, kept)
        if bad:
            await self.quarantine.publish(stream_refusals(bad, records, bounds, self.contract))
        token = token_of(bounds.topic_id, (bounds.member,))
        return EntityBlock(self.store, rows, token, partial(self.written, effect))

    def _compute(
        self, records: Records, bounds: Bounds, without: Without, redo: bool, kept: bool
    ) -> tuple[pl.DataFrame | bytes, Effect, tuple[BadRecord, ...]]:
        with self.computing:
            with metrics.STAGE.labels("decode").time():
                placed, times, bad = self.decoded(records, without)
            faultpoints.reach("after_decode")
            with metrics.STAGE.labels("lookup").time():
                states = self._states(placed, bounds, redo)
            with metrics.STAGE.labels("change").time():
                rows, states, new, found = self.changed(placed, states)
                bad = (*bad, *found)
                del placed  # the block is another copy: of its sources nothing is to stay that is not needed
                if bad:
                    unusable = quarantined_rows(bad, records.offsets, records.keys, self.contract)
                    rows = pl.concat([rows.select(unusable.columns), unusable])
                rows = finish(rows, times, bounds)
                effect = effect_of(rows, states, new)
                return (rows if kept else self.store.block(rows)), effect, bad

    def decoded(
        self, records: Records, without: Without = NONE
    ) -> tuple[pl.DataFrame, pl.DataFrame, tuple[BadRecord, ...]]:
        """The records that can be placed, the times of all, and those that cannot be read or placed."""
        times = records.arrivals
        decoded = self._decoder.decode(records.keys, records.values, without)
        whole = decoded.frame.height == times.height
        placed = decoded.frame.hstack(times if whole else times[decoded.frame[ROW]])
        late = misplaced(placed, self.contract)
        if late:
            placed = placed.filter(~pl.col(ROW).is_in([record.row for record in late]))
        return placed, times, (*decoded.bad, *late)

    def changed(
        self, placed: pl.DataFrame, states: pl.DataFrame
    ) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, tuple[BadRecord, ...]]:
        """The rows of the changes, the states after them, those that had none before, and records that are refused."""
        refused = moved_facts(placed, states) if self.contract.kind == "fact" else ()
        placed = placed.filter(~pl.col(ROW).is_in([record.row for record in refused])) if refused else placed
        reused = reused_event_ids(placed, states, self.contract)
        if reused:
            placed = placed.filter(~pl.col(ROW).is_in([record.row for record in reused]))
        changes = compute(placed, states, self.contract)
        # What had no state before is new, whether or not it was known to be.
        new = changes.states.join(states, on="entity_key", how="anti") if states.height else changes.states
        after = changes.states[self.state_columns()]
        if 2 * after.height < placed.height:
            after = compact(after)
        return changes.rows, after, new, (*refused, *reused)

    def _states(self, placed: pl.DataFrame, bounds: Bounds, redo: bool) -> pl.DataFrame:
        if not placed.height:
            return self.no_states
        if redo:
            keys = placed["entity_key"].unique(maintain_order=True).to_list()
            return self.asked(partial(self.store.states_before, keys, bounds))
        frames, missing = self.cache.get(self.known.to_look_up(placed).to_list())
        if missing:
            found = self.asked(partial(self.store.look_up.states, self._partition, missing))
            ahead = found.filter(pl.col("version") >= bounds.version).height
            if ahead:
                raise StatesAheadError(f"{ahead} states are ahead of offset {bounds.first}")
            frames.append(found.select(self.state_columns()))
        frames = [frame for frame in frames if frame.height]
        return pl.concat(frames) if frames else self.no_states

    def asked(self, ask: Callable[[], pl.DataFrame]) -> pl.DataFrame:
        """The warehouse's answer; others compute while it is waited for."""
        self.computing.release()
        try:
            return ask()
        finally:
            self.computing.acquire()

    def state_columns(self) -> list[str]:
        return [field.name for field in self.contract.fields] + [STATE_OFFSET, "deleted"]

    def written(self, effect: Effect) -> None:
        """Count a written batch and remember its keys and states."""
        for kind, count in effect.kinds:
            metrics.ROWS.labels(self.contract.entity, kind).inc(count)
        self._arrivals.seen(effect.arrived)
        if effect.states is not None:
            self.cache.put(effect.states)
        self.known.written(effect.new, effect.newest)
        metrics.KNOWN_KEYS.labels(self.contract.entity).set(len(self.known))
