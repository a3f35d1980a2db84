"""Running polled connectors: read, map, publish, and only then move the position."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Callable
from contextlib import aclosing
from importlib import import_module
from typing import Any

import structlog

from connectors import metrics
from connectors.clock import now_ms
from connectors.compacted import CompactedTopicError
from connectors.cursor import Positions
from connectors.errors import ConnectorError, PublishError, SourceUnavailableError, Text
from connectors.holds import TopicHeldError
from connectors.intake import Intake, IntakeFactory
from connectors.manifest import Manifest
from connectors.publish import Publisher
from connectors.quarantine import QUARANTINE_TOPIC
from connectors.source import Page, Source, Surroundings
from connectors.status import Tally, internal_error, place_of
from schemas.errors import RegistryError

SLICE_RECORDS = 1_000
"""Records mapped between two turns of the event loop: about 30 ms, so that health checks answer."""
SLOW_RETRY_S = 60.0
"""Rest after a permanent fault, such as a refused login: a look now and then, no hammering."""
BACK_OFF_FIRST_S, BACK_OFF_MOST_S = 0.5, 30.0
"""Rests after retriable faults double from the first to the most, each multiplied by 0.5–1.5."""

log = structlog.get_logger("ioc.connectors")

OpenSource = Callable[[Manifest, Surroundings], Source]


def open_source(manifest: Manifest, around: Surroundings) -> Source:
    """The source of a manifest, by the module of its kind."""
    source: Source = import_module(f"connectors.sources.{manifest.kind}").open_source(manifest, around)
    return source


def is_polled(manifest: Manifest) -> bool:
    """Whether this role reads the connector; pushed ones come in through the API."""
    return hasattr(import_module(f"connectors.sources.{manifest.kind}"), "open_source")


class ConnectorRunner:
    """One connector, for ever. `slow_retry_s` is SLOW_RETRY_S except in tests."""

    def __init__(
        self,
        manifest: Manifest,
        intakes: IntakeFactory,
        publisher: Publisher,
        positions: Positions,
        around: Surroundings,
        tally: Tally,
        slow_retry_s: float = SLOW_RETRY_S,
    ) -> None:
        self._manifest = manifest
        self._intakes = intakes
        self._publisher = publisher
        self._positions = positions
        self._around = dataclasses.replace(around, report=lambda error: tally.failed(error, "source", retry=True))
        self.tally = tally
        self._slow_retry_s = slow_retry_s
        self._intake: Intake | None = None
        self._going = asyncio.Event()
        self._going.set()

    def pause(self) -> None:
        """Stop reading after the page at hand."""
        self._going.clear()
        self.tally.enter("paused")

    def resume(self) -> None:
        self._going.set()
        self.tally.enter("running")

    async def run(self) -> None:
        """Until cancelled; every fault ends in a retry. The one place that decides how soon."""
        failures = 0
        while True:
            before = self.tally.published + self.tally.quarantined
            try:
                await self._work()
            except TopicHeldError as error:
                self.tally.failed(error, "publish", retry=True)
                await asyncio.sleep(error.retry_after_s)
            except (PublishError, CompactedTopicError, SourceUnavailableError) as error:
                self.tally.failed(
                    error, "schema" if isinstance(error, SourceUnavailableError) else "publish", retry=True
                )
                moved = self.tally.published + self.tally.quarantined > before
                failures = 1 if moved else failures + 1
                await asyncio.sleep(_back_off_s(failures))
            except ConnectorError as error:
                self.tally.failed(error, "source", retry=False)
                await asyncio.sleep(self._slow_retry_s)
            except RegistryError as error:
                self.tally.failed(_refused_contract(error), "schema", retry=False)
                await asyncio.sleep(self._slow_retry_s)
            except Exception as error:  # noqa: BLE001 - one broken connector must not stop the others
                log.error("connector_broken", connector=self._manifest.id, where=place_of(error))
                self.tally.failed(internal_error(error), "internal", retry=False)
                await asyncio.sleep(self._slow_retry_s)

    async def _work(self) -> None:
        source = open_source(self._manifest, self._around)
        try:
            self._intake = self._intake or await self._intakes.open(self._manifest)
            while True:
                await self._going.wait()
                await self._read(source, self._intake)
                await asyncio.sleep(source.poll_interval_s)
        finally:
            await source.close()

    async def _read(self, source: Source, intake: Intake) -> None:
        cursor = self._positions.get(self._manifest.id)
        async with aclosing(source.read(cursor)) as pages:  # type: ignore[type-var]
            async for page in pages:
                await self._deliver(intake, page)
                if page.cursor_after != cursor:
                    await self._positions.put(self._manifest.id, page.cursor_after)
                    cursor = page.cursor_after
                if not self._going.is_set():
                    return
        self.tally.succeeded()

    async def _deliver(self, intake: Intake, page: Page) -> None:
        """Publish a page; returns when Kafka has acknowledged all of it."""
        ingest_ms = now_ms()
        messages: list[tuple[bytes, bytes]] = []
        quarantined: list[Any] = []
        for start in range(0, len(page.records) or len(page.refused), SLICE_RECORDS):
            refused = page.refused if start == 0 else ()
            prepared = intake(page.records[start : start + SLICE_RECORDS], ingest_ms, refused)
            messages += prepared.messages
            quarantined += prepared.quarantined
            await asyncio.sleep(0)
        if quarantined:
            try:
                await self._publisher.publish_messages(QUARANTINE_TOPIC, quarantined)
            except PublishError:
                metrics.QUARANTINE_FAILURES.labels(self._manifest.id).inc()
                raise
        if messages:
            await self._publisher.publish(intake.topic, messages)
        received = len(page.records) + len(page.refused)
        self.tally.delivered(received, len(messages), len(quarantined), page.newest_ms, ingest_ms)


def _back_off_s(failures: int) -> float:
    return min(BACK_OFF_MOST_S, BACK_OFF_FIRST_S * 2.0 ** min(failures - 1, 10)) * random.uniform(0.5, 1.5)


def _refused_contract(error: RegistryError) -> ConnectorError:
    return ConnectorError(
        Text(f"Kho lược đồ từ chối hợp đồng dữ liệu: {error}", f"The schema registry refuses the contract: {error}")
    )
