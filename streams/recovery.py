"""Taking a partition over: what the last owner announced is finished, or known never to have been sent.

A batch that was announced alone is redone by whoever has its partition now. One that was announced with batches of
other partitions is redone by the owner of the first of them, for all: the same block, of rows computed again. The
others wait until that owner has gone on, and then look whether their rows are there. It redoes the block only if
nobody else can have gone on:

1. rows of it are written: all are, and so they are sent again under its token
2. a member's commit does not announce it: the announcement did not reach all, so nothing was sent, or whoever sent it
   had the warehouse's yes and rule 1 holds
3. the warehouse ends before a member: it was restored, and what it lost is processed anew
4. else it may have been sent, and is redone
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from schemas.without import Without
from streams import faultpoints
from streams.intent import Commit, Member, Plan, Written, plan_start, what_is_gone
from streams.partition_seams import Block, Log, Owner, Sink, read_all
from streams.patience import Patience
from streams.records import MAX_BATCH_RECORDS
from streams.sending import Sending

log = structlog.get_logger()

LOOK_S = 0.05
"""Between two looks whether the first member's owner has gone on."""

SAY_S = 10.0
"""After so long it is said what is waited for."""

Prepare = Callable[[Callable[[Without], Awaitable[Block]], Commit], Awaitable[Block]]
"""Makes a block as often as it takes until its schemas are there."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was found and done: the topic's id, the plan, and what `how` calls it."""

    topic_id: str
    plan: Plan

    @property
    def how(self) -> str:
        return "redo" if self.plan.redo else "replay" if self.plan.replay_to else "clean"


class Recovery:
    """Of one topic partition, which is this worker's now."""

    def __init__(
        self,
        partition: int,
        owner: Owner,
        source: Log,
        sink: Sink,
        sending: Sending,
        patiently: Patience,
        prepare: Prepare,
    ) -> None:
        self._partition = partition
        self._owner = owner
        self._source = source
        self._sink = sink
        self._sending = sending
        self._patiently = patiently
        self._prepare = prepare
        self._topic_id = ""

    async def run(self) -> Recovered:
        """Up to where new batches begin; raises `OwnershipLostError`."""
        self._topic_id = await self._source.topic_id()
        written = await self._patiently(lambda: self._sink.open(self._topic_id))
        self._patiently.outage = False
        faultpoints.reach("recovery_after_fence")
        commit = await self._owner.fetch_commit()
        faultpoints.reach("recovery_after_commit_read")
        if commit is not None and commit.joint and commit.topic_id == self._topic_id:
            commit, written = await self._settled(commit)
        log_start, log_end = await self._source.bounds()
        plan = plan_start(commit, self._topic_id, written, log_start, log_end)
        self._owner.check()
        for loss in plan.lost:
            await self._sending.lose(self._sink, self._partition, loss)
        if plan.resend is not None:
            await self._again(*plan.resend)
        if plan.redo is not None and commit is not None and not await self._again(*plan.redo):
            await self._computed_again(commit)
        return Recovered(self._topic_id, plan)

    async def _settled(self, commit: Commit) -> tuple[Commit, Written | None]:
        """The commit, without its intent if the joint block was never sent; and what is written now."""
        first = commit.joint[0].partition
        if first != self._partition:
            await self._passed(first, commit)
        written = await self._patiently(lambda: self._sink.last_written(self._topic_id))
        there = written is not None and commit.last is not None and written.last >= commit.last
        if there or (first == self._partition and await self._may_have_been_sent(commit)):
            return commit, written
        log.info("joint_batch_was_not_sent", partition=self._partition, with_partitions=len(commit.joint) - 1)
        return Commit(commit.offset, commit.topic_id), written

    async def _passed(self, first: int, mine: Commit) -> None:
        """Wait until the owner of the first member has gone on."""
        began, said = time.monotonic(), False
        while True:
            self._owner.check()
            other = await self._owner.fetch_commit(first)
            if other is None or other.joint != mine.joint or other.topic_id != mine.topic_id:
                return
            if not said and time.monotonic() - began > SAY_S:
                said = True
                log.warning("joint_batch_waits", partition=self._partition, waits_for=first)
            await asyncio.sleep(LOOK_S)

    async def _may_have_been_sent(self, mine: Commit) -> bool:
        for member in mine.joint:
            commit = await self._owner.fetch_commit(member.partition)
            if commit is None or commit.joint != mine.joint or commit.topic_id != mine.topic_id:
                return False
            written = await self._written(member)
            if written is not None and written.end < member.first:
                return False
        return True

    async def _written(self, member: Member) -> Written | None:
        return await self._patiently(lambda: self._sink.last_written(self._topic_id, member.partition))

    async def _again(self, first: int, last: int) -> bool:
        """Rows that are written, once more under their token: what was derived from them in part is completed. False
        if there are none."""
        block = await self._patiently(lambda: self._sink.prepare_redo(first, last))
        if block is not None:
            await self._sending.send(block, self._topic_id, (Member(self._partition, first, last),), "dedup")
            block.done()
        return block is not None

    async def _computed_again(self, intent: Commit) -> None:
        """The block that was intended when the last owner stopped: the same rows, from the same records and states."""
        last = intent.offset if intent.last is None else intent.last
        members = intent.joint or (Member(self._partition, intent.offset, last),)
        blocks = [(member, block) for member in members if (block := await self._part(member, intent)) is not None]
        joining = self._sink.joining
        if intent.joint and blocks and joining is not None:
            whole = await joining.join([block for _, block in blocks], intent.joint)
            await self._sending.send(whole, self._topic_id, members, "redo")
        elif blocks:
            await self._sending.send(blocks[0][1], self._topic_id, members, "redo")
        for member, block in blocks:
            if member.partition == self._partition:
                block.done()

    async def _part(self, member: Member, intent: Commit) -> Block | None:
        """The member's rows; None if the log has none of its records any more."""
        if member.partition == self._partition:
            return await self._computed(self._source, self._sink, member, intent)
        joining = self._sink.joining
        if joining is None:
            return None
        sink, source = joining.beside(member.partition), self._source.beside(member.partition)
        try:
            written, (log_start, _) = await self._written(member), await source.bounds()
            if written is not None and (loss := what_is_gone(member, written.end, log_start)) is not None:
                await self._sending.lose(sink, member.partition, loss)
            return await self._computed(source, sink, member, intent)
        finally:
            await source.close()

    async def _computed(self, source: Log, sink: Sink, member: Member, intent: Commit) -> Block | None:
        records = await read_all(source, member.first, member.last, MAX_BATCH_RECORDS)
        if not len(records):
            return None

        async def make(without: Without) -> Block:
            return await sink.prepare_again(records, member.first, member.last, without, bool(intent.joint))

        return await self._prepare(make, intent)
