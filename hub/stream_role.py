"""The role `ioc stream`: the tables first, then the worker, and what it says about itself over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import TypeVar

import structlog

from connectors.publish import Publisher
from hub.config import Settings
from hub.declarations import Declarations, load_declarations, with_topics
from hub.role_face import Probe, create_face
from hub.serving import Listener, serve
from hub.stream_quarantine import KafkaQuarantine as KafkaQuarantine
from hub.stream_report import StreamReports
from hub.topics import STREAM_GROUP, TopicsError, missing_topics
from hub.wiring import live_codes, registry_client, warehouse_client
from schemas.codes_table import CodeTable
from streams.app import StreamSettings, StreamWorker
from streams.broken_views import show_broken
from streams.errors import WarehouseError, WarehouseUnavailableError
from streams.last_exit import end_process_after
from streams.topic_ids import topic_ids
from streams.warehouse.client import Warehouse
from streams.warehouse.code_tables import load_codes
from streams.warehouse.evolution import evolve
from streams.warehouse.schema import migrate

RETRY_S = 0.5

WATCH_S = 15.0
"""How often the catalogue of rollups is looked at."""

ENTITIES_S = 5.0
"""How often the cluster is asked for the topic of an entity that was not in use when the worker started."""

log = structlog.get_logger("ioc.stream")

T = TypeVar("T")


class StreamRole:
    """Waits for what it needs, then works until `stopping`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._declared = load_declarations(settings)
        self._warehouse = warehouse_client(settings, read_only=False)
        self._waits_for: str | None = "starting"
        self._worker: StreamWorker | None = None

    def probes(self) -> dict[str, Probe]:
        """What `/readyz` asks."""
        return {"partitions": self._partitions, "warehouse": self._warehouse_cause}

    async def _partitions(self) -> str | None:
        if self._waits_for is not None or self._worker is None:
            return self._waits_for
        topics = [contract.topic for contract in self._declared.in_use.values()]
        owned = sum(len(self._worker.partitions.of_topic(topic)) for topic in topics)
        return None if owned else "no partition is assigned"

    async def _warehouse_cause(self) -> str | None:
        try:
            await asyncio.to_thread(self._warehouse.command, "SELECT 1")
        except WarehouseUnavailableError:
            return "no connection"
        return None

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping`; raises what made the worker fail, for the supervisor to start a new process."""
        preparation = asyncio.create_task(self._prepare())
        asked = asyncio.create_task(stopping.wait())
        await asyncio.wait({preparation, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if stopping.is_set():
            preparation.cancel()
            await asyncio.gather(preparation, return_exceptions=True)
            return
        await preparation
        await self._work(stopping)

    async def _prepare(self) -> None:
        await self._until_topics_exist()
        self._declared = await asyncio.to_thread(self._with_topics)
        await self._migrate()

    async def _until_topics_exist(self) -> None:
        bootstrap, contracts = self._settings.bootstrap, list(self._declared.in_use.values())
        while True:
            try:
                missing = await asyncio.to_thread(missing_topics, bootstrap, contracts)
                cause = f"missing topics: {', '.join(missing)}; create them with `ioc topics`" if missing else None
            except TopicsError as error:
                cause = str(error)
            if cause is None:
                return
            self._wait_for(cause)
            await asyncio.sleep(RETRY_S)

    def _with_topics(self) -> Declarations:
        """What there is to work on now; blocks; raises TopicsError."""
        return with_topics(self._declared, missing_topics(self._settings.bootstrap, self._declared.contracts.values()))

    async def watch_entities(self, stopping: asyncio.Event) -> None:
        """End, and the process with it, when another entity has got its topic: the next one has tables for it."""
        while not stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), ENTITIES_S)
            if stopping.is_set() or self._waits_for is not None:
                continue
            try:
                found = await asyncio.to_thread(self._with_topics)
            except TopicsError:
                continue  # Kafka's absence is said elsewhere
            come = sorted(set(found.in_use) - set(self._declared.in_use))
            if come:
                log.info("entities_came", entities=come)
                return

    async def _migrate(self) -> None:
        while True:
            try:
                await asyncio.to_thread(migrate_warehouse, self._warehouse, self._declared, self._settings.timezone)
                return
            except WarehouseUnavailableError as error:
                self._wait_for(f"warehouse: {error}")
                await asyncio.sleep(RETRY_S)

    def _wait_for(self, cause: str) -> None:
        if cause != self._waits_for:
            log.info("stream_waits", cause=cause)
        self._waits_for = cause

    async def report(self, stopping: asyncio.Event) -> None:
        """Tell how long writes take, until `stopping`."""
        await StreamReports(self._settings.bootstrap).run(stopping)

    async def watch_codes(self, stopping: asyncio.Event) -> None:
        """Load code tables that people apply into the warehouse, until `stopping`; the tables are there by then."""
        codes = live_codes(self._settings, self._declared)
        come: asyncio.Queue[CodeTable] = asyncio.Queue()
        codes.on_table(come.put_nowait)
        following = asyncio.create_task(codes.follow(), name="stream codes")
        asked = asyncio.create_task(stopping.wait())
        try:
            while not stopping.is_set():
                waiting = asyncio.create_task(come.get())
                await asyncio.wait({waiting, asked, following}, return_when=asyncio.FIRST_COMPLETED)
                if not waiting.done():
                    waiting.cancel()
                    return
                await self._load_codes(waiting.result(), stopping)
        finally:
            asked.cancel()
            following.cancel()
            await asyncio.gather(following, asked, return_exceptions=True)

    async def _load_codes(self, table: CodeTable, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            if self._waits_for is None:
                try:
                    await asyncio.to_thread(load_codes, self._warehouse, table)
                    log.info("codes_loaded", table=table.name, rows=len(table.rows))
                    return
                except WarehouseError as error:
                    log.warning("codes_not_loaded", table=table.name, reason=str(error)[:300])
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), RETRY_S)

    async def watch_rollups(self, stopping: asyncio.Event) -> None:
        """Show which rollups are broken, until `stopping`: a back-fill by another process ends it."""
        while not stopping.is_set():
            if self._waits_for is None:
                try:
                    await asyncio.to_thread(show_broken, self._warehouse)
                except WarehouseError as error:
                    log.warning("rollups_unknown", reason=str(error)[:300])
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), WATCH_S)

    async def _work(self, stopping: asyncio.Event) -> None:
        quarantine = KafkaQuarantine(Publisher(self._settings.bootstrap, client_id="ioc-stream-quarantine"))
        self._worker = StreamWorker(
            StreamSettings(
                self._settings.bootstrap,
                self._settings.state_dir.absolute() / "faust",
                STREAM_GROUP,
                schema_wait=timedelta(seconds=self._settings.stream.schema_wait_s),
            ),
            self._declared.in_use.values(),
            self._warehouse,
            registry_client(self._settings).schema_text,
            quarantine,
            topic_ids(self._settings.bootstrap),
        )
        end_process_after(self._worker.partitions.failed)
        self._waits_for = None
        try:
            await self._worker.run(stopping)
        finally:
            await quarantine.stop()


def migrate_warehouse(warehouse: Warehouse, declared: Declarations, timezone: str) -> None:
    """Bring the tables to the contracts' versions, create missing ones and reload the code tables; blocks; idempotent.

    EvolutionError if a contract does not follow from its table: nothing is changed then.
    """
    evolve(warehouse, declared.in_use.values())
    migrate(warehouse, dict(declared.in_use), dict(declared.plans), timezone, declared.codes.values())


def run_stream(settings: Settings) -> None:
    """Run the role until SIGTERM; blocks."""
    role = StreamRole(settings)
    face = create_face(role.probes())
    work = (role.run, role.watch_rollups, role.watch_entities, role.watch_codes, role.report)
    serve([Listener(face, settings.stream.host, settings.stream.port)], work, fast_loop=False)
