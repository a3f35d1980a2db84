"""The composition root: builds the parts of every role from the settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

from hub.clock import utc_now
from hub.config import Settings
from hub.language import t
from hub.local_secrets import local_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from connectors.intake import IntakeFactory
    from connectors.live_codes import LiveCodes
    from connectors.source import Surroundings
    from hub.connect.app import ConnectApp
    from hub.declarations import Declarations
    from hub.kpi.rollups import Served
    from hub.registry.app import RegistryApp
    from hub.registry.owners import Owners
    from hub.security.gatekeeper import Gatekeeper
    from hub.serving import Listener
    from hub.sql.desk import SqlDesk
    from hub.topic_growth import Grown
    from schemas.codes_table import CodeTable
    from schemas.registry_client import RegistryAccess, RegistryClient
    from streams.warehouse.client import Warehouse

WRITER = "ioc"
READER = "ioc_read"
WRITER_KEY = "warehouse-writer.key"
READER_KEY = "warehouse-reader.key"
PSEUDONYM_KEY = "pseudonym.key"
SERVICE_KEY = "service.key"
"""Shared by the roles of one machine; `hub.security.gatekeeper` knows it by this name."""


def warehouse_app(settings: Settings) -> Any:
    """The embedded warehouse, with a password for the one who writes and one for those who read."""
    from streams.warehouse.server import Credential, create_app

    secrets = local_secrets(settings.state_dir)
    return create_app(
        settings.state_dir.absolute() / "warehouse",
        {
            WRITER: Credential(secrets.ensure(WRITER_KEY), read_only=False),
            READER: Credential(secrets.ensure(READER_KEY), read_only=True),
        },
    )


def warehouse_url(settings: Settings, *, read_only: bool) -> str:
    """Address of the warehouse with its credentials; a given server's address is used as it is."""
    if settings.clickhouse.url is not None:
        return settings.clickhouse.url
    user, name = (READER, READER_KEY) if read_only else (WRITER, WRITER_KEY)
    password = local_secrets(settings.state_dir).ensure(name)
    parts = urlsplit(settings.clickhouse_url)
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password)}@{parts.netloc}"))


def warehouse_client(settings: Settings, *, read_only: bool) -> Warehouse:
    """A client of the warehouse, for a reader with the patience of a screen; does not connect yet."""
    from hub.kpi.reader import ANSWER_TIMEOUT_S
    from streams.warehouse.client import Warehouse

    url = warehouse_url(settings, read_only=read_only)
    return Warehouse(url, ANSWER_TIMEOUT_S) if read_only else Warehouse(url)


def sql_desk(settings: Settings, declared: Declarations, served: Callable[[], Served]) -> SqlDesk:
    """People's SQL: read by the read-only user, ended by the one that may write; does not connect yet."""
    from hub.sql.desk import TIMEOUT_S, SqlDesk
    from streams.warehouse.client import Warehouse

    reading = Warehouse(warehouse_url(settings, read_only=True), TIMEOUT_S + 5.0)
    killing = warehouse_client(settings, read_only=False)
    codes = declared.codes.values()
    return SqlDesk(reading, killing, declared.in_use, declared.plans, codes, served, utc_now)


def registry_client(settings: Settings) -> RegistryClient:
    """A client of the registry with this stack's credentials; does not connect yet. OSError for an unreadable CA."""
    from schemas.registry_client import RegistryClient

    return RegistryClient(settings.registry_url, access=registry_access(settings))


def registry_access(settings: Settings) -> RegistryAccess:
    """The credentials of a given registry, or the service key of the roles of one machine for the hub's own."""
    from schemas.registry_client import RegistryAccess

    given = settings.registry
    if given.url is None:
        # Of its own certificate the hub needs no other proof.
        own = local_secrets(settings.state_dir).ensure(SERVICE_KEY)
        return RegistryAccess(token=own, ca=given.ca or given.tls_certificate)
    return RegistryAccess(
        token=given.token.get_secret_value() if given.token else None,
        user=given.user,
        password=given.password.get_secret_value() if given.password else None,
        ca=given.ca,
    )


def pseudonym_key(settings: Settings) -> bytes:
    """The key of the pseudonyms, made at the first start. Whoever has it can tell whether a person is the same."""
    return bytes.fromhex(local_secrets(settings.state_dir).ensure(PSEUDONYM_KEY))


def connect_app(settings: Settings) -> ConnectApp:
    """The polled connectors of this process behind Kafka Connect's REST interface; raises what is wrong with a
    manifest of the tree."""
    from connectors.seeds import reader_with
    from connectors.worker import ConnectWorker, Place
    from connectors.worker_name import worker_name
    from hub.connect.app import build_app
    from hub.declarations import load_declarations
    from hub.topics import TopicsError, cluster_id

    declared = load_declarations(settings)
    codes = live_codes(settings, declared)
    intakes = connector_intakes(settings, declared, codes)
    for seed in declared.seeds.values():
        intakes.check(seed.manifest)
    read = reader_with(declared.calendars.calendars)
    worker = ConnectWorker(
        settings.bootstrap,
        declared.seeds,
        intakes,
        connector_surroundings(settings),
        worker_name(),
        Place(session_s=settings.connect.session_s),
        read=read,
    )

    def renew(table: CodeTable) -> None:
        for item in worker.connectors.values():
            if item.runner is not None:
                item.runner.renew(table.name)

    codes.on_table(renew)

    def cluster() -> str | None:
        try:
            return cluster_id(settings.bootstrap)
        except TopicsError:
            return None

    app = build_app(worker, intakes, access(settings).by_key, cluster, read, topic_maker(settings, declared))
    app.beside.append(codes.follow)
    return app


def live_codes(settings: Settings, declared: Declarations) -> LiveCodes:
    """The code tables as they are now, once they are followed."""
    from connectors.compacted import CompactedTopic
    from connectors.live_codes import CODES_TOPIC, LiveCodes

    return LiveCodes(CompactedTopic(settings.bootstrap, CODES_TOPIC, keep_values=False), declared.codes)


def connector_intakes(
    settings: Settings, declared: Declarations, codes: Mapping[str, CodeTable] | None = None
) -> IntakeFactory:
    """How raw records become messages here; by `codes`, or the tables of the tree."""
    from connectors.intake import IntakeFactory
    from connectors.pseudonym import Pseudonymiser

    pseudonymiser = Pseudonymiser(pseudonym_key(settings))
    return IntakeFactory(declared.contracts, registry_client(settings), pseudonymiser, codes or declared.codes)


def connector_surroundings(settings: Settings) -> Surroundings:
    """What connectors of this process may reach and read."""
    from connectors.hosts import Hosts
    from connectors.secrets import SecretResolver
    from connectors.source import Surroundings

    return Surroundings(
        SecretResolver(file_roots=(local_secrets(settings.state_dir).directory,)),
        hosts=Hosts(settings.connect.allowed_hosts),
        folders=connector_folders(settings),
    )


def topic_maker(settings: Settings, declared: Declarations) -> Callable[[str], None]:
    """Makes the topic of an entity that nothing has written to yet; blocks, raises TopicsError."""
    from hub.topics import ensure_topics

    made = set(declared.in_use)

    def make_topic(entity: str) -> None:
        if entity not in made:
            kafka = settings.kafka
            contract = declared.contracts[entity]
            ensure_topics(settings.bootstrap, [contract], kafka.topic_partitions, kafka.replication_factor)
            made.add(entity)

    return make_topic


def connector_folders(settings: Settings) -> tuple[Path, ...]:
    """Directories that file connectors may read; the first takes uploads, a directory per connector."""
    inbox = settings.state_dir.absolute() / "inbox"
    inbox.mkdir(parents=True, exist_ok=True)
    return (inbox, *settings.connect.folders)


async def grow_topic(
    settings: Settings, topic: str, partitions: int, within_s: float, drain: bool, say: Callable[[str], None]
) -> Grown:
    """More partitions for an entity's topic; raises what `hub.topic_growth.grow` does."""
    from connectors.compacted import CompactedTopic
    from connectors.status import STATUS_TOPIC
    from hub.declarations import load_declarations
    from hub.topic_growth import GrowthRefusedError, grow, surroundings
    from hub.topics import STREAM_GROUP

    known = {contract.topic: contract for contract in load_declarations(settings).in_use.values()}
    if topic not in known:
        raise GrowthRefusedError(
            t(
                f"Không có chủ đề {topic} của thực thể nào; hiện có: {', '.join(sorted(known))}",
                f"No entity has the topic {topic}; there are: {', '.join(sorted(known))}",
            )
        )
    statuses = CompactedTopic(settings.bootstrap, STATUS_TOPIC)
    warehouse = warehouse_client(settings, read_only=False)
    await statuses.start()
    try:
        around = surroundings(settings.bootstrap, STREAM_GROUP, statuses, warehouse, known[topic], say)
        return await grow(around, topic, partitions, within_s, drain)
    finally:
        await statuses.stop()
        warehouse.close()


def access(settings: Settings) -> Gatekeeper:
    """Keys, links and sessions of this state directory."""
    from hub.security.gatekeeper import build_gatekeeper

    return build_gatekeeper(settings.state_dir.absolute(), utc_now)


def registry_app(settings: Settings) -> RegistryApp:
    """The hub's own registry: its roles come in by the service key, people by theirs."""
    from hub.registry.app import build_registry

    own = settings.registry
    return build_registry(
        settings.bootstrap,
        access(settings).by_service_key,
        registry_owners(settings),
        settings.registry_advertised_url,
        own.session_timeout_s,
        own.ca or own.tls_certificate,
    )


def registry_owners(settings: Settings) -> Owners:
    """Which units' connectors write which subjects."""
    from connectors.compacted import CompactedTopic
    from connectors.configs import CONFIGS_TOPIC, partition_key
    from hub.registry.owners import Owners, Tree

    def load() -> Tree:
        from connectors.seeds import load_seeds, reader_with
        from hub.canary import declared as canary
        from hub.canary.declared import directories
        from schemas.calendar_files import load_calendars
        from schemas.contract import load_contracts

        every_s = settings.monitor.canary_s
        contracts = load_contracts(None, *directories(canary.CONTRACTS, settings.contracts_dir, every_s))
        calendars = load_calendars(*filter(None, [settings.calendars_dir])).calendars
        seeds = load_seeds(*directories(canary.CONNECTORS, settings.connectors_dir, every_s), calendars=calendars)
        subjects = {entity: contract.subject for entity, contract in contracts.items()}
        return Tree(subjects, seeds, reader_with(calendars))

    return Owners(CompactedTopic(settings.bootstrap, CONFIGS_TOPIC, partition_key, keep_values=False), load)


def registry_listener(settings: Settings) -> Listener:
    """Where the hub's own registry is served."""
    from hub.serving import Listener

    own = settings.registry
    app = registry_app(settings)
    return Listener(app, own.host, own.port, own.tls_certificate, own.tls_key, app.at_once)
