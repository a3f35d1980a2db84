"""A stream worker's word on its own writes, every few seconds: what the monitor cannot see from Kafka."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque

import structlog
from prometheus_client import Counter
from prometheus_client.samples import Sample

from connectors.clock import now_ms
from connectors.compacted import CompactedTopic
from connectors.errors import ConnectorError
from connectors.worker_name import worker_name
from hub.health.writing import REPORT_EVERY_S, REPORTS_TOPIC, Totals, report
from streams import metrics

WINDOW = 6
"""Reports are of the last half minute: a slow write may end only every few seconds."""

log = structlog.get_logger("ioc.stream")


def totals() -> Totals:
    """This process's counts, from its own metrics."""
    inserts = {
        sample.name.rpartition("_")[2]: sample.value
        for family in metrics.STAGE.collect()
        for sample in family.samples
        if sample.labels == {"stage": "insert"}
    }
    failed = sum(one.value for one in _counted(metrics.SINK_BATCHES) if one.labels["result"] in ("retry", "fail"))
    rows = sum(one.value for one in _counted(metrics.ROWS))
    return Totals(int(inserts.get("count", 0)), inserts.get("sum", 0.0), int(failed), int(rows))


def _counted(counter: Counter) -> list[Sample]:
    return [one for family in counter.collect() for one in family.samples if one.name.endswith("_total")]


class StreamReports:
    """Writes the reports until it is told to stop; Kafka's absence is said elsewhere and waited out."""

    def __init__(self, bootstrap: str) -> None:
        self._topic = CompactedTopic(bootstrap, REPORTS_TOPIC, keep_values=False)
        self._worker = worker_name()
        self._counts: deque[Totals] = deque([Totals()], maxlen=WINDOW + 1)

    async def run(self, stopping: asyncio.Event) -> None:
        started = False
        try:
            while not await _asked(stopping):
                try:
                    if not started:
                        await self._topic.start()
                        started = True
                    await self._write()
                except (ConnectorError, OSError) as error:
                    log.info("report_not_written", reason=type(error).__name__)
        finally:
            if started:
                with contextlib.suppress(ConnectorError, OSError, TimeoutError):
                    async with asyncio.timeout(1.0):
                        await self._topic.put(self._worker, None)
            await self._topic.stop()

    async def _write(self) -> None:
        now = totals()
        told = report(self._worker, now_ms(), self._counts[0], now)
        self._counts.append(now)
        await self._topic.put(self._worker, told.to_json())


async def _asked(stopping: asyncio.Event) -> bool:
    """Whether to stop, after the pause between two reports."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), REPORT_EVERY_S)
    return stopping.is_set()
