"""One topic partition, exactly once: the protocol's steps in order. One batch in flight.

A batch:  1 intent  commit (first, last): from now on its bounds are fixed
          2 decode, look up the states before `first`, compute (the sink)
          3 insert  the block under its token, the identical block again on every error
          4 remember the new states; the next batch's intent confirms this one, or an idle commit does

Small batches of a topic's partitions that wait at the same time take steps 1 and 3 together (`streams.joint_batch`).
On assignment: raise the fence, read the commit, and redo an intent within its own bounds before anything else
(`streams.recovery`). Nothing between two steps without asking again whether the partition is still ours.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

import structlog

from schemas.errors import SchemasAwayError
from schemas.without import Without
from streams import faultpoints, metrics
from streams.announced import RECOMMIT_S, Announced
from streams.batch_trace import around_batch
from streams.intent import Commit, Member, gap_loss
from streams.joint_batch import Batch, write_together
from streams.partition_seams import Block, Log, Owner, Sink
from streams.patience import Patience
from streams.places import Place, Places
from streams.records import MAX_BATCH_RECORDS, Records, Waiting, from_offset, holes
from streams.recovery import Recovery
from streams.schema_wait import SchemaWait
from streams.sending import Sending

log = structlog.get_logger()

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
        topic, _, number = name.rpartition("-")
        self._topic, self._partition = topic if sink.joining else "", int(number)
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
        self._sending = Sending(name, owner.check, sink, self._patiently)

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
            async with Place(self._places, self._pending, self._topic) as place:
                # Its turn has come: what arrived while others were worked on is in the batch. Nothing here holds it.
                await self._process(await self._bridged(self._take(), place), place)

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

    async def _bridged(self, records: Records, place: Place) -> Records:
        """The same records, once offsets missing before or among them are accounted for: retention took them, or they
        were delivered before recovery (and are processed now), or they hold no record."""
        if not len(records):
            return records
        missing = holes(self._next, records.offsets)
        if missing:
            place.company.leave(place)  # nobody is to wait for this one
            log_start, _ = await self._source.bounds()
            for position, arrived in missing:
                loss = gap_loss(position, arrived, log_start)
                if loss is not None:
                    await self._sending.lose(self._sink, self._partition, loss)
            if self._recovered:
                await self._replay(max(self._next, log_start), records.offsets[0])
        self._recovered = False
        return records

    async def _confirm(self) -> None:
        await self._owner.commit(Commit(self._next, self._topic_id))
        self._confirmed = True
        faultpoints.reach("after_commit")

    async def _process(self, records: Records, place: Place) -> None:
        if not len(records):
            return
        first, last, newest_ms = records.offsets[0], records.offsets[-1], records.times[-1]
        with around_batch(self._topic_id, self.name, records):
            batch = Batch(Member(self._partition, first, last), self._announced, self._sink.joining, records)
            del records  # a block may wait for long, and its records would take as much memory again
            self._confirmed = False
            if not await place.company.together(place, batch, self._write_together):
                await self._write_alone(batch, place)
            self._next = last + 1
            faultpoints.reach("before_next_commit")
            metrics.END_TO_END.observe(max(0.0, time.time() - newest_ms / 1000))

    async def _write_together(self, brought: Sequence[Batch]) -> bool:
        return await write_together(brought, self._topic_id, self._sending, self._patiently)

    async def _write_alone(self, batch: Batch, place: Place) -> None:
        member, intent = batch.member, batch.intent(self._topic_id)
        with metrics.STAGE.labels("intent").time():
            await self._announced.make(intent)
        faultpoints.reach("after_intent")
        async with self._announced.standing():
            await faultpoints.stand()
            assert batch.records is not None, "they are let go with the block, and that is made here"
            make = partial(self._sink.prepare, batch.records, member.first, member.last)
            batch.records = None
            block = await self._prepared(make, intent, place)
            del make
            await self._sending.send(block, self._topic_id, (member,), "ok")
        block.done()

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
                    await place.enter_alone()
                    if without != intent.without:
                        intent = replace(intent, without=without)
                        await self._announced.make(intent)
        finally:
            self._schemas.over(self.name)

    async def _recover(self) -> None:
        started = time.monotonic()

        async def prepare(make: Callable[[Without], Awaitable[Block]], intent: Commit) -> Block:
            return await self._prepared(make, intent, Place())

        recovery = Recovery(
            *(self._partition, self._owner, self._source, self._sink, self._sending, self._patiently),
            prepare,
        )
        found = await recovery.run()
        plan, self._topic_id = found.plan, found.topic_id
        self._next, self._recovered = plan.position, True
        await self._confirm()
        replay_to = max(plan.replay_to or 0, self._missed_to)
        if replay_to > self._next:
            await self._replay(self._next, replay_to)
        metrics.RECOVERIES.labels(found.how).inc()
        log.info(
            "partition_taken_over",
            partition=self.name,
            position=self._next,
            how=found.how,
            lost=plan.lost_count,
            took_s=round(time.monotonic() - started, 3),
        )

    async def _replay(self, first: int, end: int) -> None:
        """Process the records from `first` up to `end` (excluded) that the log has, read beside the flow."""
        while first < end:
            records = await self._source.read(first, end - 1, MAX_BATCH_RECORDS)
            if not len(records):
                return
            await self._process(records, Place())
            first = self._next
