"""One topic partition, exactly once: the protocol's steps in order. One batch in flight.

A batch:  1 intent  commit (first, last): from now on its bounds are fixed
          2 decode, look up the states before `first`, compute (the sink)
          3 insert  the block under its token, the identical block again on every error
          4 remember the new states; the next batch's intent confirms this one, or an idle commit does

On assignment: raise the fence, read the commit, and redo an intent within its own bounds before anything else.
Nothing between two steps without asking again whether the partition is still ours.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import structlog

from schemas import tracing
from schemas.errors import SchemasAwayError
from schemas.without import NONE, Without
from streams import faultpoints, metrics
from streams.announced import RECOMMIT_S, Announced
from streams.batch_trace import around_batch
from streams.errors import StatesAheadError, WarehouseError
from streams.intent import Commit, Loss, gap_loss, plan_start
from streams.partition_seams import Log, Owner, read_all
from streams.patience import Patience
from streams.places import Place, Places
from streams.records import Records, Waiting, from_offset, holes
from streams.schema_wait import SchemaWait
from streams.sink import Block, Sink

log = structlog.get_logger()

MAX_BATCH_RECORDS = 40_000
"""Only a backlog fills a batch; otherwise it is what arrived meanwhile. Larger blocks cost the warehouse less per
row (with two rollups 7–9 µs of its CPU at 14,000 rows, 5 µs at 50,000) and the worker 2 to 4 kB of memory a record."""

MAX_BATCH_BYTES = 32 * 1024 * 1024
"""Of memory: a block must stay below what the warehouse takes as one (268 MB), and three are in memory at once."""

IDLE_COMMIT_S = 0.2
"""A batch that no other follows is confirmed after this long."""


class PartitionRunner:
    """Runs one topic partition from its assignment until it is taken away."""

    def __init__(
        self,
        name: str,
        owner: Owner,
        source: Log,
        sink: Sink,
        places: Places,
        released: Callable[[int], None] = lambda size: None,
        schemas: SchemaWait | None = None,
    ) -> None:
        """`places` bounds the batches that are worked on at once over all partitions; `released(n)` tells that
        waiting records of n bytes were taken, for back-pressure; `schemas` is the worker's wait for schemas."""
        self.name = name
        self._owner = owner
        self._announced = Announced(owner)
        self._source = source
        self._sink = sink
        self._places = places
        self._released = released
        self._schemas, self._pending = schemas or SchemaWait(), Waiting()
        self._arrived = asyncio.Event()
        self._next = -1
        self._topic_id = ""
        self._confirmed = True
        self._missed_to = 0
        self._aside = False
        self._recovered = False
        self._finishing = False
        self._patiently = Patience(name, owner.check)

    @property
    def position(self) -> int:
        """The next offset to be processed; −1 before recovery."""
        return self._next

    @property
    def in_hand(self) -> bool:
        """Whether a batch was announced that is not confirmed yet: it may be half written."""
        return not self._confirmed

    def doubt(self) -> None:
        """The warehouse may have come back from a backup: look before the next batch is sent."""
        self._patiently.outage = True

    def finish(self) -> None:
        """Let `run` end once the batch in hand is written and confirmed: whoever comes next has nothing to redo."""
        self._finishing = True
        self._arrived.set()

    def offer(self, records: Records) -> None:
        """Add records that follow those offered before; ones already processed are dropped later."""
        if self._aside or (self._next < 0 and (self._missed_to or self._pending.size > MAX_BATCH_BYTES)):
            self._miss(records)
            return
        self._pending.push(records)
        self._arrived.set()

    def _miss(self, records: Records) -> None:
        """Not taken over yet, or waiting for a schema, perhaps for long: what arrives is read again later, rather
        than hold others up."""
        self._released(self._pending.size + records.size)
        self._pending = Waiting()
        self._missed_to = records.offsets[-1] + 1

    async def run(self) -> None:
        """Recover, then process what is offered; ends with `OwnershipLostError`, or after `finish`."""
        self._aside = False
        await self._recover()
        while True:
            await self._catch_up()
            await self._wait_for_records()
            if self._finishing:
                return await self._confirm()
            async with Place(self._places, lambda: self._pending.records) as place:
                # Its turn has come: what arrived while others were worked on is in the batch. Nothing here holds it.
                await self._process(await self._bridged(self._take()), place)

    async def _catch_up(self) -> None:
        """Read again what was let go while a batch waited for a schema."""
        while self._aside and self._missed_to > self._next:
            target = self._missed_to
            await self._replay(self._next, target)
            if self._missed_to == target:
                break
        self._aside = False

    async def _wait_for_records(self) -> None:
        while not self._pending and not self._finishing:
            self._arrived.clear()
            try:
                async with asyncio.timeout(RECOMMIT_S if self._confirmed else IDLE_COMMIT_S):
                    await self._arrived.wait()
            except TimeoutError:
                await self._confirm()

    def _take(self) -> Records:
        records, size = self._pending.take(MAX_BATCH_RECORDS, MAX_BATCH_BYTES)
        self._released(size)
        self._missed_to = records.offsets[-1] + 1  # should this batch be given up, nobody delivers it again
        return from_offset(records, self._next)

    async def _bridged(self, records: Records) -> Records:
        """The same records, once offsets missing before or among them are accounted for: retention took them, or they
        were delivered before recovery (and are processed now), or they hold no record."""
        if not len(records):
            return records
        missing = holes(self._next, records.offsets)
        if missing:
            log_start, _ = await self._source.bounds()
            for position, arrived in missing:
                loss = gap_loss(position, arrived, log_start)
                if loss is not None:
                    await self._lose(loss)
            if self._recovered:
                await self._replay(max(self._next, log_start), records.offsets[0])
        self._recovered = False
        return records

    async def _lose(self, loss: Loss) -> None:
        metrics.LOST.labels(self.name.rsplit("-", 1)[0]).inc(loss.count)
        log.error("records_lost_by_retention", partition=self.name, count=loss.count, first=loss.first, last=loss.last)
        await self._patiently(lambda: self._sink.lost(loss))

    async def _confirm(self) -> None:
        await self._owner.commit(Commit(self._next, self._topic_id))
        self._confirmed = True
        faultpoints.reach("after_commit")

    async def _process(self, records: Records, place: Place) -> None:
        if not len(records):
            return
        first, last, newest_ms = records.offsets[0], records.offsets[-1], records.times[-1]
        with around_batch(self._topic_id, self.name, records):
            intent = Commit(first, self._topic_id, last)
            with metrics.STAGE.labels("intent").time():
                await self._announced.make(intent)
            self._confirmed = False
            faultpoints.reach("after_intent")
            async with self._announced.standing():
                await faultpoints.stand()
                block = await self._prepared(partial(self._sink.prepare, records, first, last), intent, place)
                del records  # a block may wait for long, and its records would take as much memory again
                await self._send(block, "ok", first)
            self._next = last + 1
            faultpoints.reach("before_next_commit")
            metrics.END_TO_END.observe(max(0.0, time.time() - newest_ms / 1000))

    async def _prepared(self, make: Callable[[Without], Awaitable[Block]], intent: Commit, place: Place) -> Block:
        """The block, made when its schemas are there, or without those that are given up: on record first."""
        try:
            while True:
                try:
                    return await self._patiently(partial(make, intent.without))
                except SchemasAwayError as error:
                    self._aside = True
                    place.leave()
                    without = await self._schemas.wait(self.name, error, intent.without, self._owner.check)
                    await place.enter()
                    if without != intent.without:
                        intent = replace(intent, without=without)
                        await self._announced.make(intent)
        finally:
            self._schemas.over(self.name)

    async def _send(self, block: Block, result: str, first: int) -> None:
        self._owner.check()
        faultpoints.reach("before_insert" if result == "ok" else "recovery_before_redo")
        table = self.name.rsplit("-", 1)[0]
        try:
            with metrics.STAGE.labels("insert").time(), tracing.span("warehouse.insert", table=table, result=result):
                await self._patiently(lambda: self._send_once(block, first))
        except WarehouseError:
            metrics.SINK_BATCHES.labels(table, "fail").inc()
            raise
        faultpoints.reach("after_insert" if result == "ok" else "recovery_after_redo")
        self._owner.check()
        block.done()
        metrics.SINK_BATCHES.labels(table, result).inc()

    async def _send_once(self, block: Block, first: int) -> None:
        """After an outage the warehouse may be another one: without the rows before this batch, go back to them."""
        if self._patiently.outage:
            written = await self._sink.last_written(self._topic_id)
            if written is not None and written.end < first:
                raise StatesAheadError(f"the warehouse ends at {written.end}, before offset {first}: it was restored")
        await block.send()
        self._patiently.outage = False

    async def _recover(self) -> None:
        started = time.monotonic()
        self._topic_id = await self._source.topic_id()
        written = await self._patiently(lambda: self._sink.open(self._topic_id))
        self._patiently.outage = False
        faultpoints.reach("recovery_after_fence")
        commit = await self._owner.fetch_commit()
        faultpoints.reach("recovery_after_commit_read")
        log_start, log_end = await self._source.bounds()
        plan = plan_start(commit, self._topic_id, written, log_start, log_end)
        self._owner.check()
        for loss in plan.lost:
            await self._lose(loss)
        if plan.resend is not None:
            await self._resend(*plan.resend)
        if plan.redo is not None:
            await self._redo(*plan.redo, commit.without if commit is not None else NONE)
        self._next, self._recovered = plan.position, True
        await self._confirm()
        replay_to = max(plan.replay_to or 0, self._missed_to)
        if replay_to > self._next:
            await self._replay(self._next, replay_to)
        how = "redo" if plan.redo else "replay" if plan.replay_to else "clean"
        metrics.RECOVERIES.labels(how).inc()
        log.info(
            "partition_taken_over",
            partition=self.name,
            position=self._next,
            how=how,
            lost=plan.lost_count,
            took_s=round(time.monotonic() - started, 3),
        )

    async def _redo(self, first: int, last: int, without: Without) -> None:
        """The batch that was intended when the last owner stopped: its rows again, or the same rows computed anew."""
        intent = Commit(first, self._topic_id, last, without)
        block = await self._patiently(lambda: self._sink.prepare_redo(first, last))
        result = "redo" if block is None else "dedup"
        if block is None:
            records = await read_all(self._source, first, last, MAX_BATCH_RECORDS)
            if not len(records):
                return
            block = await self._prepared(partial(self._sink.prepare_again, records, first, last), intent, Place())
        await self._send(block, result, first)

    async def _resend(self, first: int, last: int) -> None:
        """Rows that are written, once more under their token: what was derived from them in part is completed."""
        block = await self._patiently(lambda: self._sink.prepare_redo(first, last))
        if block is not None:
            await self._send(block, "dedup", first)

    async def _replay(self, first: int, end: int) -> None:
        """Process the records from `first` up to `end` (excluded) that the log has, read beside the flow."""
        while first < end:
            records = await self._source.read(first, end - 1, MAX_BATCH_RECORDS)
            if not len(records):
                return
            await self._process(records, Place())
            first = self._next
