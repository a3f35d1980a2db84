"""The role `ioc monitor`: judges every dataset and shows it to Prometheus. `ioc hub` has it beside the API."""

from __future__ import annotations

import asyncio
from functools import partial

import structlog
from prometheus_client import CollectorRegistry, Gauge

from connectors.compacted import CompactedTopic
from connectors.configs import CONFIGS_TOPIC, partition_key
from connectors.errors import ConnectorError
from connectors.manifest import Manifest
from connectors.seeds import reader_with
from connectors.status import STATUS_TOPIC
from hub.alert_role import alert_engine
from hub.alerts.metrics import AlertCollector
from hub.canary.canary import Canary, Way
from hub.canary.declared import KEY
from hub.clock import utc_now
from hub.config import Settings
from hub.declarations import load_declarations
from hub.declared import DeclaredConnectors
from hub.exposition import text_of
from hub.incident_book import INCIDENTS_TOPIC
from hub.kafka_watch import LagCollector
from hub.local_secrets import local_secrets
from hub.monitor import Monitor
from hub.monitor_metrics import FreshnessCollector
from hub.role_face import create_face
from hub.serving import Listener, serve
from hub.sight import Sight
from hub.topics import STREAM_GROUP
from hub.turn import GroupTurn
from hub.version import version
from hub.wiring import SERVICE_KEY

RETRY_S = 0.5

log = structlog.get_logger("ioc.monitor")


class MonitorRole:
    """The monitor over what the process sees, with a port of its own. `opened`: set once the topics are followed."""

    def __init__(self, settings: Settings, sight: Sight, opened: asyncio.Event) -> None:
        self._settings = settings
        self._sight = sight
        self._opened = opened
        self._turn = GroupTurn(settings.bootstrap, INCIDENTS_TOPIC)
        self.monitor = Monitor(sight.kpis, sight.book, sight.observed, self._turn)
        sight.last_round = lambda: self.monitor.last
        self._registry = CollectorRegistry()
        Gauge("ioc_build_info", "The running version, value 1.", ["version"], registry=self._registry).labels(
            version()
        ).set(1)
        self._registry.register(LagCollector(sight.watch, STREAM_GROUP, lambda: self.monitor.in_turn))
        self._registry.register(FreshnessCollector(self.monitor, sight.watch))
        self.alerts = alert_engine(settings, sight, self.monitor)
        self._registry.register(AlertCollector(self.alerts))
        self.canary = self._canary()

    def _canary(self) -> Canary | None:
        every_s = self._settings.monitor.canary_s
        if not every_s:
            return None
        secrets = local_secrets(self._settings.state_dir)
        way = Way(self._settings.api_url, partial(secrets.ensure, KEY), partial(secrets.ensure, SERVICE_KEY))
        made = Canary(way, every_s, utc_now, self._registry)
        self._registry.register(made)
        return made

    def listener(self) -> Listener:
        """Where `/livez`, `/readyz` and `/metrics` of the monitor are served."""
        face = create_face(
            {"kafka": self._kafka, "judgement": self._judging}, exposition=lambda: text_of(self._registry)
        )
        return Listener(face, self._settings.monitor.host, self._settings.monitor.port)

    async def run(self, stopping: asyncio.Event) -> None:
        """Judge and alert until `stopping`."""
        waits = [asyncio.create_task(event.wait()) for event in (self._opened, stopping)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if self._opened.is_set():
            work = [self._turn.run(stopping), self.monitor.run(stopping), self.alerts.run(stopping)]
            if self.canary is not None:
                work.append(self.canary.run(stopping))
            await asyncio.gather(*work)

    async def _kafka(self) -> str | None:
        return self._sight.watch.cause()

    async def _judging(self) -> str | None:
        return self.monitor.waits_for


class NoPushes:
    """Stands where the API takes pushes: the monitor only looks at what is declared."""

    def declare(self, manifest: Manifest, version: int, state: str) -> None:
        """Nothing to take."""

    def withdraw(self, connector: str) -> None:
        """Nothing was taken."""


class _Alone:
    """What the monitor follows when no API runs in its process."""

    def __init__(self, settings: Settings) -> None:
        declared = load_declarations(settings)
        read = reader_with(declared.calendars.calendars)
        self._configs = CompactedTopic(settings.bootstrap, CONFIGS_TOPIC, partition_key)
        self._statuses = CompactedTopic(settings.bootstrap, STATUS_TOPIC, at_leisure=True)
        self._connectors = DeclaredConnectors(self._configs, declared.seeds, NoPushes(), read)
        self.sight = Sight(settings, declared, self._connectors, self._statuses)
        self.opened = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        """Follow Kafka until `stopping`."""
        self.sight.watch.start()
        opening = asyncio.create_task(self._open(), name="monitor opening")
        try:
            await stopping.wait()
        finally:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            await self._close()
            await asyncio.to_thread(self.sight.watch.stop)

    async def _open(self) -> None:
        while True:
            try:
                await self._statuses.start()
                await self._connectors.start()
                await self.sight.start()
                break
            except ConnectorError as error:
                log.info("monitor_waits", cause=str(error))
                await self._close()
                await asyncio.sleep(RETRY_S)
        self.opened.set()

    async def _close(self) -> None:
        await self.sight.stop()
        await self._configs.stop()
        await self._statuses.stop()


def run_monitor(settings: Settings) -> None:
    """Run the role until SIGTERM; blocks."""
    alone = _Alone(settings)
    role = MonitorRole(settings, alone.sight, alone.opened)
    serve([role.listener()], [alone.run, role.run])
