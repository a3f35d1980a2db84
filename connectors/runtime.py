"""Running one polled connector: read, map, publish, and only then move the position."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import structlog

from connectors import metrics
from connectors.clock import now_ms
from connectors.compacted import CompactedTopicError
from connectors.cursor import Positions
from connectors.errors import (
    ConnectorError,
    CredentialsError,
    PublishError,
    SourceUnavailableError,
    Text,
    internal_error,
    place_of,
)
from connectors.holds import TopicHeldError
from connectors.intake import Intake, IntakeFactory
from connectors.lease import Lease
from connectors.manifest import Manifest
from connectors.publish import Publisher
from connectors.retry import FaultKind, RetryPolicy
from connectors.source import Page, Source, Surroundings
from connectors.status import Tally
from connectors.trial import refuse_untagged
from schemas import tracing
from schemas.errors import RegistryError
from schemas.quarantine import TOPIC as QUARANTINE_TOPIC

SLICE_RECORDS = 1_000
"""Records mapped between two turns of the event loop: about 20 ms, so that health checks answer."""
HALT_S = 3.0
"""How long a page under way may take to be finished when a connector is paused or stopped; then it is cut, and read
again later. A source that hangs must not keep it."""
OPENING = 2
"""Sources opened at once. Opening takes tens of milliseconds of the loop (compiled mappings, TLS contexts): hundreds at
once would keep the worker from telling the group that it lives."""
SURE_POLL_S = 0.1
"""How often a runner looks whether its worker is an owner again."""

log = structlog.get_logger("ioc.connectors")

OpenSource = Callable[[Manifest, Surroundings], Source]


def open_source(manifest: Manifest, around: Surroundings) -> Source:
    """The source of a manifest, by the module of its kind."""
    source: Source = import_module(f"connectors.sources.{manifest.kind}").open_source(manifest, around)
    return source


def is_polled(manifest: Manifest) -> bool:
    """Whether this role reads the connector; pushed ones come in through the API."""
    return hasattr(import_module(f"connectors.sources.{manifest.kind}"), "open_source")


class _HaltedError(Exception):
    """The runner was told to end while it waited."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What all connectors of a worker share."""

    intakes: IntakeFactory
    publisher: Publisher
    positions: Positions
    around: Surroundings
    lease: Lease
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    opening: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(OPENING))


class ConnectorRunner:
    """One connector while it runs: `start`, `halt`, any number of times. `shard`: whose owner this worker is."""

    def __init__(self, manifest: Manifest, shard: int, bench: Bench, tally: Tally) -> None:
        self._manifest = manifest
        self._shard = shard
        self._bench = bench
        self._around = dataclasses.replace(bench.around, report=lambda error: tally.failed(error, "source", retry=True))
        self.tally = tally
        self._intake: Intake | None = None
        self._halting = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failures: dict[FaultKind, int] = {}
        self.delivered = asyncio.Event()
        """Unset while a page is under way to Kafka."""
        self.delivered.set()

    def renew(self, table: str) -> None:
        """A code table is another one: from the next read on it holds, if the mapping names it."""
        if table in self._manifest.tables:
            self._intake = None

    def start(self) -> None:
        """Begin to read; returns at once. Idempotent."""
        if self._task is None:
            self._halting.clear()
            self.tally.enter("running")
            self._task = asyncio.create_task(self._run(), name=f"connector {self._manifest.id}")

    async def halt(self, within_s: float = HALT_S) -> None:
        """Stop after the page under way, or within the time: what is cut is read again. Idempotent."""
        task, self._task = self._task, None
        if task is None:
            return
        self._halting.set()
        await asyncio.wait({task}, timeout=within_s)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        """Until halted; every fault ends in a retry. The one place that decides how soon."""
        while not self._halting.is_set():
            before = self.tally.published + self.tally.quarantined
            rest_s = 0.0
            try:
                await self._work()
            except _HaltedError:
                return
            except Exception as error:  # noqa: BLE001 - one broken connector must not stop the others
                if self.tally.published + self.tally.quarantined > before:
                    self._failures.clear()
                rest_s = self._faulted(error)
            if rest_s > 0:
                await self._or_halted(asyncio.sleep(rest_s))

    def _faulted(self, error: Exception) -> float:
        """Tell of a fault; how long to rest, seconds."""
        if isinstance(error, TopicHeldError):
            self.tally.failed(error, "publish", retry=True)
            return error.retry_after_s
        kind, stage, told = self._judged(error)
        self._failures[kind] = self._failures.get(kind, 0) + 1
        rest = self._bench.policy.after(kind, self._failures[kind], random.uniform(0.5, 1.5))
        self.tally.failed(told, stage, retry=not rest.failed)
        return rest.wait_s

    def _judged(self, error: Exception) -> tuple[FaultKind, str, ConnectorError]:
        if isinstance(error, SourceUnavailableError):
            return FaultKind.RETRIABLE, "schema", error
        if isinstance(error, PublishError | CompactedTopicError):
            return FaultKind.RETRIABLE, "publish", error
        if isinstance(error, CredentialsError):
            return FaultKind.CREDENTIALS, "source", error
        if isinstance(error, ConnectorError):
            return FaultKind.PERMANENT, "source", error
        if isinstance(error, RegistryError):
            return FaultKind.PERMANENT, "schema", _refused_contract(error)
        log.error("connector_broken", connector=self._manifest.id, where=place_of(error))
        return FaultKind.PERMANENT, "internal", internal_error(error)

    async def _work(self) -> None:
        async with self._bench.opening:
            self._intake = self._intake or await self._bench.intakes.open(self._manifest)
            source = open_source(self._manifest, self._around)
        try:
            while not self._halting.is_set():
                await self._sure()
                self._intake = self._intake or await self._bench.intakes.open(self._manifest)
                if await self._read(source, self._intake):
                    self._failures.clear()
                    await self._or_halted(asyncio.sleep(self.rest_s(source)))
        finally:
            await source.close()

    def rest_s(self, source: Source) -> float:
        """Until the next read: by the manifest's schedule, else as the source itself says."""
        timetable = self._manifest.timetable
        if timetable is None:
            return source.poll_interval_s
        now = self._around.now()
        return max(0.0, (timetable.next_read(now) - now).total_seconds())

    async def _read(self, source: Source, intake: Intake) -> bool:
        """One walk from the stored position to the present; False if it was left before."""
        position = self._bench.positions.get(self._manifest.id)
        cursor, line = (position.cursor, position.line) if position is not None else (None, 0)
        outdated_ms: int | None = None
        async with aclosing(source.read(cursor)) as pages:  # type: ignore[type-var]
            async for page in pages:
                if self.tally.published == 0 and page.records:
                    await asyncio.to_thread(refuse_untagged, self._manifest, page.records)
                try:
                    await self._deliver(intake, page)
                    if page.cursor_after != cursor and not await self._store(page, line):
                        return False
                finally:
                    self.delivered.set()
                cursor, outdated_ms = page.cursor_after, page.outdated_ms
                if self._halting.is_set():
                    return False
        self.tally.succeeded(outdated_ms)
        return True

    async def _store(self, page: Page, line: int) -> bool:
        """Move the position; False if that does not count: another worker took over, or a person has set it."""
        return await self._bench.positions.put(self._manifest.id, self._shard, page.cursor_after, line)

    async def _sure(self) -> None:
        """Wait until this worker is sure to own the connector; before that nothing is published."""
        while not (self._bench.lease.held and self._bench.positions.owns(self._shard)):
            if self._halting.is_set():
                raise _HaltedError
            await self._or_halted(asyncio.sleep(SURE_POLL_S))

    async def _deliver(self, intake: Intake, page: Page) -> None:
        """Publish a page; returns when Kafka has acknowledged all of it."""
        with tracing.span("connector.batch", connector=self._manifest.id, records=len(page.records)):
            await self._deliver_traced(intake, page)

    async def _deliver_traced(self, intake: Intake, page: Page) -> None:
        ingest_ms = now_ms()
        messages: list[tuple[bytes, bytes]] = []
        quarantined: list[Any] = []
        event_ms: int | None = None
        for start in range(0, len(page.records) or len(page.refused), SLICE_RECORDS):
            refused = page.refused if start == 0 else ()
            prepared = intake(page.records[start : start + SLICE_RECORDS], ingest_ms, refused)
            messages += prepared.messages
            quarantined += prepared.quarantined
            event_ms = max(filter(None, (event_ms, prepared.newest_ms)), default=None)
            await asyncio.sleep(0)
        await self._sure()
        self.delivered.clear()
        if quarantined:
            try:
                await self._bench.publisher.publish_messages(QUARANTINE_TOPIC, quarantined)
            except PublishError:
                metrics.QUARANTINE_FAILURES.labels(self._manifest.id).inc()
                raise
        if messages:
            await self._bench.publisher.publish(intake.topic, messages)
        metrics.SKIPPED.labels(self._manifest.id, "source").inc(page.repeats)
        received = len(page.records) + len(page.refused)
        self.tally.delivered(received, len(messages), len(quarantined), page.newest_ms, ingest_ms, event_ms)

    async def _or_halted(self, waiting: Any) -> None:
        """Wait, but not on when halted."""
        waits = asyncio.ensure_future(waiting)
        halted = asyncio.ensure_future(self._halting.wait())
        try:
            await asyncio.wait({waits, halted}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (waits, halted):
                task.cancel()
            await asyncio.gather(waits, halted, return_exceptions=True)


def _refused_contract(error: RegistryError) -> ConnectorError:
    return ConnectorError(
        Text(f"Kho lược đồ từ chối hợp đồng dữ liệu: {error}", f"The schema registry refuses the contract: {error}")
    )
