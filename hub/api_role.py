"""The role `ioc api`: its parts, their starts and stops. `ioc hub` serves the registry beside it."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from datetime import timedelta

import structlog

from connectors.audit_trail import AuditTrail
from connectors.clock import now_ms
from connectors.compacted import CompactedTopic
from connectors.configs import CONFIGS_TOPIC, PARTITIONS, partition_key
from connectors.cursor import Positions
from connectors.errors import ConnectorError
from connectors.holds import Holds
from connectors.ingest import WebhookIngest
from connectors.registrar import Registrar
from connectors.secrets import SecretResolver
from connectors.seeds import reader_with
from connectors.status import STATUS_TOPIC
from connectors.worker import PLACE
from connectors.worker_name import worker_name
from hub.alerts.desk import AlertDesk
from hub.api.app import create_api
from hub.api.deps import ApiDeps
from hub.canary.declared import KEY as CANARY_KEY
from hub.canary.declared import VARIABLE as CANARY_VARIABLE
from hub.canary.declared import without_canary
from hub.catalogue.registered import Versions
from hub.catalogue.service import Catalogue
from hub.clock import utc_now
from hub.codes_desk import CodesDesk
from hub.config import Settings
from hub.connect.parts import Parts
from hub.connector_desk import Desk
from hub.connector_verdict import judge_with
from hub.declarations import Declarations, load_declarations
from hub.declared import DeclaredConnectors
from hub.local_secrets import local_secrets
from hub.security.gatekeeper import RolesToo, build_gatekeeper
from hub.security.keys import KeyStore
from hub.serving import Listener
from hub.sight import Sight
from hub.sql.saved import SavedQueries
from hub.version import version
from hub.web.places import TABLE, unit_sets
from hub.web.theme import load_themes
from hub.wiring import (
    connector_intakes,
    connector_surroundings,
    live_codes,
    registry_client,
    sql_desk,
    topic_maker,
)

RETRY_S = 0.5
JUDGED_KEPT = timedelta(seconds=1)
"""Of data sets: shorter than the monitor's own rounds, and a burst of viewers costs one judgement."""

log = structlog.get_logger("ioc.hub")


class ApiParts:
    """Everything behind the API's port."""

    def __init__(self, settings: Settings, declared: Declarations) -> None:
        self._settings = settings
        self._status_topic = CompactedTopic(settings.bootstrap, STATUS_TOPIC)
        codes = live_codes(settings, declared)
        self._intakes = connector_intakes(settings, declared, codes)
        self._ingest = self._webhooks()
        config_topic = CompactedTopic(settings.bootstrap, CONFIGS_TOPIC, partition_key)
        self._config_topic = config_topic
        self._connectors = DeclaredConnectors(
            config_topic, declared.seeds, self._ingest, reader_with(declared.calendars.calendars)
        )
        self._position_topic = CompactedTopic(settings.bootstrap, PLACE.positions)
        self._audit_topic = CompactedTopic(settings.bootstrap, PLACE.audit)
        self._waits_for: str | None = "starting"
        self.sight = Sight(settings, declared, self._connectors, self._status_topic, codes)
        self.opened = asyncio.Event()
        self._watch = self.sight.watch
        kpis, reader = self.sight.kpis, self.sight.reader
        versions = Versions(registry_client(settings), utc_now)
        self.app = create_api(
            ApiDeps(
                kpis=kpis,
                catalogue=Catalogue(_of_the_province(declared), kpis, reader, versions, self._connectors.manifests),
                codes=CodesDesk(codes, declared, now_ms),
                reader=reader,
                access=build_gatekeeper(settings.state_dir.absolute(), utc_now, RolesToo),
                probes={"kafka": self._kafka_cause, "webhooks": self._ingest_cause},
                extra_routes=(self._ingest.route,),
                language=settings.lang,
                incidents=self.sight.book,
                observed=self.sight.observed,
                way=self.sight.way,
                judged_kept=JUDGED_KEPT,
                judged=lambda: self.sight.last_round(),
                sql=sql_desk(settings, declared, kpis.served),
                saved=SavedQueries(settings.state_dir.absolute() / "queries.json", utc_now),
                requests_per_s=settings.api.requests_per_s,
                alerts=AlertDesk(self.sight.alerts, self.sight.alert_rules, utc_now),
                version=version(),
                desk=self._desk(declared),
                themes=load_themes(*filter(None, [settings.themes_dir])),
                unit_sets=unit_sets(declared.codes.get(TABLE)),
            )
        )

    def _webhooks(self) -> WebhookIngest:
        if self._settings.monitor.canary_s:
            os.environ.setdefault(CANARY_VARIABLE, local_secrets(self._settings.state_dir).ensure(CANARY_KEY))
        return WebhookIngest(
            (),
            self._intakes,
            self._settings.bootstrap,
            SecretResolver(file_roots=(local_secrets(self._settings.state_dir).directory,)),
            self._status_topic,
            worker_name(),
            Holds(self._status_topic, now_ms),
        )

    def _desk(self, declared: Declarations) -> Desk:
        """What pages do to connectors, in this process."""
        settings, configs, around = self._settings, self._connectors.configs, connector_surroundings(self._settings)
        positions, trail = Positions(self._position_topic, worker_name()), AuditTrail(self._audit_topic)
        parts = Parts(
            configs=configs,
            statuses=self._status_topic,
            positions=positions,
            trail=trail,
            registrar=Registrar(configs, self._config_topic, positions, trail, now_ms, PARTITIONS),
            intakes=self._intakes,
            topics={entity: contract.topic for entity, contract in declared.contracts.items()},
            read=reader_with(declared.calendars.calendars),
            now_ms=now_ms,
            make_topic=topic_maker(settings, declared),
            judge=judge_with(self._intakes, around),
        )
        return Desk(
            parts, around, KeyStore(settings.state_dir.absolute(), utc_now).all, declared.plans, self._ingest.publish
        )

    async def _kafka_cause(self) -> str | None:
        return self._watch.cause()

    async def _ingest_cause(self) -> str | None:
        if self._waits_for is not None:
            return self._waits_for
        return "; ".join(f"{name}: {cause}" for name, cause in self._ingest.causes().items()) or None

    def listener(self) -> Listener:
        """Where the API is served."""
        return Listener(self.app, self._settings.api.host, self._settings.api.port)

    async def run(self, stopping: asyncio.Event) -> None:
        """Follow Kafka and take webhooks until `stopping`."""
        self._watch.start()
        opening = asyncio.create_task(self._open(), name="api opening")
        try:
            await stopping.wait()
        finally:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            await self._ingest.stop()
            await self._status_topic.stop()
            await self.sight.stop()
            for topic in (self._config_topic, self._position_topic, self._audit_topic):
                await topic.stop()
            await asyncio.to_thread(self._watch.stop)

    async def _open(self) -> None:
        while True:
            try:
                await self._status_topic.start()
                await self.sight.start()
                await self._connectors.start()
                await self._position_topic.start()
                await self._audit_topic.start()
                break
            except ConnectorError as error:
                self._waits_for = str(error)
                log.info("api_waits", cause=self._waits_for)
                await self.sight.stop()
                for topic in (self._status_topic, self._config_topic, self._position_topic, self._audit_topic):
                    await topic.stop()
                await asyncio.sleep(RETRY_S)
        await self._ingest.start()
        self._waits_for = None
        self.opened.set()


def _of_the_province(declared: Declarations) -> Declarations:
    return replace(
        declared,
        contracts=without_canary(declared.contracts),
        in_use=without_canary(declared.in_use),
        plans=without_canary(declared.plans),
    )


def api_parts(settings: Settings) -> ApiParts:
    """The API of this process; raises what is wrong with a declaration."""
    return ApiParts(settings, load_declarations(settings))
