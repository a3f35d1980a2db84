"""The partitions a worker owns now: a runner each, from assignment to revocation, and what ends the worker."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import structlog

from streams import faultpoints, metrics
from streams.errors import FencedError, OwnershipLostError, StatesAheadError
from streams.fences import NOBODY
from streams.partition import PartitionRunner
from streams.records import Records
from streams.transport import TP, PartitionsListener

log = structlog.get_logger()

MAX_WAITING_BYTES = 32 * 1024 * 1024
"""Of records that wait, over all partitions, before the fetcher waits too: 110,000 events of 250 bytes, nearly three
full batches. With half of it batches are smaller, and the warehouse's cost of a row is higher."""

RECOVER_AGAIN_S = 1.0
"""Pause before a partition whose states are ahead is recovered anew."""


class Partitions(PartitionsListener):
    """The runners of the partitions this worker owns now."""

    def __init__(
        self, start: Callable[[TP, int], PartitionRunner], close: Callable[[TP], Any], group: str = ""
    ) -> None:
        self.turn = 0
        self._group = group
        self._given_back_s: float | None = None
        self._start = start
        self._close = close
        self._runners: dict[TP, PartitionRunner] = {}
        self._tasks: dict[TP, asyncio.Task[None]] = {}
        self._waiting = 0
        self._left: dict[TP, int] = {}
        self._left_next: dict[TP, int] = {}
        self.membership = NOBODY
        self._room = asyncio.Event()
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    def revoked(self, partitions: set[TP]) -> None:
        self.turn += 1
        for task in self._tasks.values():
            task.cancel()
        self._runners.clear()
        self._tasks.clear()
        self._waiting = 0
        self._room.set()
        metrics.ASSIGNED.set(0)
        self._given_back_s = self._given_back_s or time.monotonic()
        if partitions:
            faultpoints.reach("rebalance_revoked")

    async def finish(self, within_s: float) -> None:
        """Let every partition confirm its batch in hand, for so long at most: before a wanted end."""
        for runner in self._runners.values():
            runner.finish()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=within_s)

    def put_out(self, reason: str) -> None:
        """Remember what was in hand: the next take-over ends the worker if a peer took one of these over meanwhile.
        If none did – a busy machine, a lone worker – joining again is as good as a new process, and sooner."""
        in_hand = {tp: self.membership.place for tp, runner in self._runners.items() if runner.in_hand}
        self._left_next |= in_hand
        if self._runners:
            log.warning("put_out_of_group", reason=reason, in_hand=[f"{tp.topic}-{tp.partition}" for tp in in_hand])

    def left_behind(self, topic: str) -> dict[int, int]:
        """Partitions in which a batch was in hand when the group put this worker out before this assignment, and the
        place of its epoch then."""
        return {tp.partition: place for tp, place in self._left.items() if tp.topic == topic}

    def _fenced(self, name: str, error: FencedError) -> None:
        """A peer has the partition and a batch was in hand: end the process, so that nothing of it lives on."""
        if not self.failed.done():
            metrics.FENCED.inc()
            log.error("worker_fenced", partition=name, reason=str(error)[:300], then="the process ends")
            self.failed.set_result(error)

    def stop_if_failed(self, task: asyncio.Task[None]) -> None:
        """When `task` has ended: an error it could not deal with ends the worker."""
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.failed.done():
            log.error("worker_task_failed", task=task.get_name(), error=str(error)[:300])
            self.failed.set_result(error)

    def assigned(self, partitions: set[TP]) -> None:
        self.revoked(set())
        metrics.REBALANCES.labels(self._group).inc()
        metrics.REBALANCE_SECONDS.labels(self._group).observe(time.monotonic() - (self._given_back_s or 0.0))
        self._given_back_s = None
        self._left, self._left_next = self._left_next, {}
        self._runners = {tp: self._start(tp, self.turn) for tp in sorted(partitions)}
        for tp, runner in self._runners.items():
            self._tasks[tp] = asyncio.create_task(self._run(tp, runner), name=f"partition {tp.topic}-{tp.partition}")
        metrics.ASSIGNED.set(len(partitions))
        faultpoints.reach("rebalance_assigned")

    async def _run(self, tp: TP, runner: PartitionRunner) -> None:
        turn = self.turn
        try:
            while self.turn == turn:
                try:
                    return await runner.run()
                except StatesAheadError as error:
                    log.warning("states_ahead", partition=runner.name, reason=str(error))
                    await asyncio.sleep(RECOVER_AGAIN_S)
                except OwnershipLostError as error:
                    if isinstance(error, FencedError):
                        self._fenced(runner.name, error)
                    metrics.OWNERSHIP_LOST.inc()
                    log.warning("ownership_lost", partition=runner.name, reason=str(error))
                    return None
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.exception("partition_failed", partition=runner.name)
            if not self.failed.done():
                self.failed.set_result(error)
        finally:
            with contextlib.suppress(Exception):
                await self._close(tp)

    async def offer(self, tp: TP, records: Records) -> None:
        """Hand records over; waits while too many are waiting already."""
        while self._waiting >= MAX_WAITING_BYTES:
            self._room.clear()
            await self._room.wait()
        runner = self._runners.get(tp)
        if runner is not None:
            self._waiting += records.size
            runner.offer(records)

    def doubt(self) -> None:
        """Let every partition look whether the warehouse has still got its last batch."""
        for runner in self._runners.values():
            runner.doubt()

    def of_topic(self, topic: str) -> list[int]:
        """Partitions of a topic that are ours."""
        return sorted(tp.partition for tp in self._runners if tp.topic == topic)

    def released(self, size: int) -> None:
        """Records of so many bytes were taken up."""
        self._waiting = max(0, self._waiting - size)
        self._room.set()
