"""A block on its way to the warehouse: the identical one again on every error, and what may have changed meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from schemas import tracing
from streams import faultpoints, metrics
from streams.errors import StatesAheadError, WarehouseError
from streams.intent import Loss, Member
from streams.partition_seams import Block, Sink
from streams.patience import Patience

log = structlog.get_logger()


class Sending:
    """Of one topic partition, or of a company that it acts for."""

    def __init__(self, name: str, check: Callable[[], None], sink: Sink, patiently: Patience) -> None:
        """`name`: `<topic>-<partition>`; `check` raises `OwnershipLostError` if it is not ours any more."""
        self._table = name.rsplit("-", 1)[0]
        self._check = check
        self._sink = sink
        self._patiently = patiently

    async def send(self, block: Block, topic_id: str, members: Sequence[Member], result: str) -> None:
        """Until the warehouse has it. `result`, for the metrics: ok, or redo and dedup, which are of a recovery.

        Raises `OwnershipLostError`; `StatesAheadError` if the warehouse was restored to before one of the members;
        `WarehouseError` if it refuses the block.
        """
        self._check()
        faultpoints.reach("before_insert" if result == "ok" else "recovery_before_redo")
        try:
            with (
                metrics.STAGE.labels("insert").time(),
                tracing.span("warehouse.insert", table=self._table, result=result),
            ):
                await self._patiently(lambda: self._send_once(block, topic_id, members))
        except WarehouseError:
            metrics.SINK_BATCHES.labels(self._table, "fail").inc()
            raise
        faultpoints.reach("after_insert" if result == "ok" else "recovery_after_redo")
        self._check()
        metrics.SINK_BATCHES.labels(self._table, result).inc()
        if result == "ok":
            metrics.SINK_PARTITIONS.labels(self._table).inc(len(members))

    async def _send_once(self, block: Block, topic_id: str, members: Sequence[Member]) -> None:
        """After an outage the warehouse may be another one: without the rows before this block, go back to them."""
        if self._patiently.outage:
            for member in members:
                written = await self._sink.last_written(topic_id, member.partition)
                if written is not None and written.end < member.first:
                    raise StatesAheadError(
                        f"the warehouse has partition {member.partition} up to {written.end}, before offset "
                        f"{member.first}: it was restored"
                    )
        await block.send()
        self._patiently.outage = False

    async def lose(self, sink: Sink, partition: int, loss: Loss) -> None:
        """Put on record, count and say what a partition lost before it was processed. `sink`: of that partition."""
        metrics.LOST.labels(self._table).inc(loss.count)
        first, last, name = loss.first, loss.last, f"{self._table}-{partition}"
        log.error("records_lost_by_retention", partition=name, count=loss.count, first=first, last=last)
        await self._patiently(lambda: sink.lost(loss))
