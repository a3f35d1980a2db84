"""The pages about connectors over a real Kafka: the configs' topics, an API in the test's own loop, a portal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx2

from connectors.audit_trail import AuditTrail
from connectors.clock import now_ms
from connectors.compacted import CompactedTopic
from connectors.configs import Configs, partition_key
from connectors.cursor import Positions
from connectors.grouping import GroupedPublisher
from connectors.intake import IntakeFactory
from connectors.pseudonym import Pseudonymiser
from connectors.publish import Publisher
from connectors.registrar import Registrar
from connectors.secrets import SecretResolver
from connectors.seeds import parse_manifest
from connectors.source import Surroundings
from connectors.worker import Place
from hub.connect.parts import Parts
from hub.connector_desk import Desk
from hub.connector_verdict import judge_with
from hub.security.keys import KeyInfo
from tests.connect_world import CONTRACTS, OneId
from tests.contract.api_world import ApiWorld
from tests.portal_server import CLIENT_ID, CLIENT_SECRET, LOOPBACK, Portal

MADE = datetime(2026, 11, 1, tzinfo=UTC)
KEYS = (
    KeyInfo("key14", "department", "H53.14", "Văn phòng", MADE, None, None),
    KeyInfo("key20", "department", "H53.20", "Sở khác", MADE, None, None),
)


@dataclass
class DeskWorld:
    """`api` with a desk; `inbox` takes uploads."""

    api: ApiWorld
    desk: Desk
    inbox: Path

    def client(self, key: str | None = "key-of-admin", language: str = "vi"):  # type: ignore[no-untyped-def]
        return self.api.client(key, language)


@asynccontextmanager
async def desk_world(
    bootstrap: str, place: Place, api: ApiWorld, portal: Portal, folder: Path
) -> AsyncIterator[DeskWorld]:
    configs = Configs()
    topics = [
        CompactedTopic(bootstrap, place.configs, partition_key),
        *(CompactedTopic(bootstrap, name) for name in (place.statuses, place.positions, place.audit)),
    ]
    config_topic, statuses, position_topic, audit_topic = topics
    config_topic.on_change(configs.apply)
    publisher = Publisher(bootstrap, client_id="pages")
    grouped = GroupedPublisher(publisher)
    inbox = folder / "inbox"
    inbox.mkdir()
    environ = {
        "IOC_PORTAL_URL": portal.url,
        "IOC_SECRET_PORTAL_CLIENT_ID": CLIENT_ID,
        "IOC_SECRET_PORTAL_CLIENT_SECRET": CLIENT_SECRET,
    }
    around = Surroundings(SecretResolver(environ), hosts=LOOPBACK, folders=(inbox,))
    intakes = IntakeFactory(CONTRACTS, OneId(), Pseudonymiser(b"k" * 32))
    positions, trail = Positions(position_topic, "pages"), AuditTrail(audit_topic)
    parts = Parts(
        configs=configs,
        statuses=statuses,
        positions=positions,
        trail=trail,
        registrar=Registrar(configs, config_topic, positions, trail, now_ms, place.partitions),
        intakes=intakes,
        topics={name: contract.topic for name, contract in CONTRACTS.items()},
        read=parse_manifest,
        now_ms=now_ms,
        make_topic=lambda entity: None,
        judge=judge_with(intakes, around),
    )
    desk = Desk(parts, around, lambda: KEYS, {}, grouped.publish)
    api.app.state.deps = replace(api.app.state.deps, desk=desk)
    for topic in topics:
        await topic.start()
    await publisher.start()
    grouped.start()
    try:
        yield DeskWorld(api, desk, inbox)
    finally:
        await grouped.stop()
        await publisher.stop()
        for topic in topics:
            await topic.stop()


async def apply(client: httpx2.AsyncClient, text: str) -> httpx2.Response:
    """As the editor's button does."""
    return await client.post("/connectors/editor", data={"mode": "yaml", "act": "apply", "text": text})
