"""Steps that are repeated while the warehouse is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from streams import metrics
from streams.errors import WarehouseUnavailableError

log = structlog.get_logger()

T = TypeVar("T")

RETRY_FIRST_S, RETRY_MOST_S = 0.2, 2.0
"""Pause before the identical block is sent again: doubled each time, up to the second value."""


class Patience:
    """Of one partition. `outage`: the warehouse was away since this was last set to False."""

    def __init__(self, partition: str, check: Callable[[], None]) -> None:
        """`check` raises if the partition is not ours any more."""
        self._partition = partition
        self._check = check
        self.outage = False

    async def __call__(self, step: Callable[[], Awaitable[T]]) -> T:
        """Repeat a step while the warehouse is away and the partition is ours."""
        pause = RETRY_FIRST_S
        while True:
            try:
                return await step()
            except WarehouseUnavailableError as error:
                self._check()
                self.outage = True
                metrics.SINK_BATCHES.labels(self._partition.rsplit("-", 1)[0], "retry").inc()
                log.warning("batch_waits", partition=self._partition, error=str(error)[:300], pause_s=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_MOST_S)
                self._check()
