"""The province's simulated systems, read by their connectors into the core, and what the product then answers.

The sources, mappings, the encoding, the sink and the engine are the product's own; only Kafka is left out.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from connectors.hosts import Hosts
from connectors.manifest import load_manifests
from connectors.mapping import compile_mapping
from connectors.packing import Packer
from connectors.pseudonym import Pseudonymiser
from connectors.runtime import open_source
from connectors.secrets import SecretResolver
from connectors.source import Cursor, Surroundings
from deploy.demo import accounts, archive, indicators, investment, questions, staff, stations
from deploy.demo.cameras import TRAFFIC
from deploy.demo.ledger import Origin, open_history, open_origin
from deploy.demo.simulation import Site, Stage, System, free_port
from deploy.demo.worktime import local_midnight
from hub.kpi import query
from hub.kpi.answer import figures_of
from hub.kpi.period import Period
from schemas.codec import Decoder
from schemas.codes_table import load_code_tables
from schemas.contract import load_contracts
from streams.plan import load_plans
from streams.records import Records
from streams.warehouse.schema import migrate
from tests.core_in_process import TIMEZONE, Core, InProcessWarehouse, _engine
from tests.stack import ROOT

WORKBOOKS: dict[str, Any] = {investment.ID: investment, indicators.ID: indicators}
"""Handed in by people: here they are put where the hub keeps what was handed in."""
DATABASES = (accounts.ACCOUNTS, archive.ARCHIVE, staff.STAFF, questions.QUESTIONS)
"""Read by SQL."""
CONTRACTS, MANIFESTS = load_contracts(), load_manifests(ROOT / "deploy" / "departments")
PLANS = load_plans(CONTRACTS)
ANCHOR = local_midnight(date(2026, 3, 10))
PERIODS = (Period(date(2022, 1, 1), date(2022, 9, 30)), Period(date(2026, 1, 1), date(2026, 3, 9)))
NOW = datetime(2026, 3, 10, tzinfo=UTC)
_NUMBERS = itertools.count(1)


class SystemCore(Core):
    """A core of one entity as it is declared, fed with encoded records."""

    def decoder(self) -> Decoder:
        return Decoder(self.contract, lambda schema_id: self.contract.schema_text)

    def take(self, messages: Sequence[tuple[bytes, bytes]], at: int) -> None:
        offsets = list(range(self.next, self.next + len(messages)))
        keys, values = [key for key, _ in messages], [value for _, value in messages]
        records = Records.of(offsets, [at] * len(messages), keys, values)
        self.next = offsets[-1] + 1
        self._runner.run(self._write(records, offsets[0], offsets[-1]))


@contextmanager
def system_database() -> Iterator[InProcessWarehouse]:
    """A database of its own, empty."""
    name = f"system{next(_NUMBERS)}"
    _engine().command(f"CREATE DATABASE {name}")
    try:
        yield InProcessWarehouse(name)
    finally:
        _engine().command(f"DROP DATABASE {name}")


def stage_of(system: System, state: Path) -> Stage:
    ports = {name: free_port() for name in ("http", *system.ports)}
    origin: Origin = open_origin(state, system.id, 2022, 0.02, ANCHOR)
    return Stage(Site(state, system.id, ports, "http://127.0.0.1:9"), origin, 0.0)


@asynccontextmanager
async def served(system: System, stage: Stage) -> Any:
    """The system at work, and its routes on its port if it has some."""
    system.environment(stage.site)  # makes keys and secrets, as the hub's start does
    simulator, ready = system.make(stage), asyncio.Event()
    tasks = [asyncio.create_task(simulator.run(ready.set))] if system in (TRAFFIC, stations.STATIONS) else []
    routes = list(simulator.routes())
    app = Starlette(routes=[Mount(f"/{system.id}", routes=routes)])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=stage.site.ports["http"], log_level="error"))
    web = [asyncio.create_task(server.serve())] if routes else []
    async with asyncio.timeout(60):
        while (web and not server.started) or (tasks and not ready.is_set()):
            await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *web, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Published:
    """What a connector would publish, how many records it refuses, and where it goes on from."""

    messages: list[tuple[bytes, bytes]]
    refused: int
    cursor: Cursor | None


async def read(system: System, stage: Stage) -> dict[str, Published]:
    """What each connector of a system would publish."""
    found = {}
    async with served(system, stage):
        for connector in system.connectors:
            if connector in WORKBOOKS:
                hand_in(connector, stage)
            found[connector] = await publish(connector, system, stage)
    return found


def hand_in(connector: str, stage: Stage) -> None:
    inbox = stage.site.folder / "inbox" / connector
    inbox.mkdir(parents=True)
    module = WORKBOOKS[connector]
    history = open_history(stage.site.state, stage.site.system, lambda: module.write_history(stage.origin))
    for number, raw in enumerate(raw for raw in history if "dong" in raw):
        path = inbox / raw["tep"]
        path.write_bytes(module.content(raw))
        os.utime(path, (1_660_000_000 + number, 1_660_000_000 + number))


async def publish(
    connector: str,
    system: System,
    stage: Stage,
    environ: Mapping[str, str] | None = None,
    cursor: Cursor | None = None,
    now: datetime = NOW,
) -> Published:
    """What a connector would publish from a position. `environ`: other than the simulator's own."""
    manifest = MANIFESTS[connector]
    contract = CONTRACTS[manifest.entity]
    if manifest.kind in ("files", "station_txt"):
        manifest = dataclasses.replace(manifest, source=manifest.source.model_copy(update={"settle_s": 0}))
    folders = (stage.site.folder / "inbox", *system.folders(stage.site))
    secrets = SecretResolver(environ or system.environment(stage.site))
    around = Surroundings(secrets, hosts=Hosts(("127.0.0.1",)), folders=folders, now=lambda: now)
    mapper = compile_mapping(manifest, contract, Pseudonymiser(b"k" * 32))
    pack, messages, refused = Packer(mapper, contract, 1), [], 0
    source = open_source(manifest, around)
    async with aclosing(source.read(cursor)) as pages:  # type: ignore[type-var]
        async for page in pages:
            packed = pack(page.records, ANCHOR * 1000)
            messages += packed.messages
            refused += len(packed.refused) + len(page.refused)
            cursor = page.cursor_after
    await source.close()
    return Published(messages, refused, cursor)


def mapped(connector: str, records: list[dict[str, Any]]) -> list[tuple[bytes, bytes]]:
    """The messages of records as a source hands them out; none may be refused."""
    contract = CONTRACTS[MANIFESTS[connector].entity]
    packed = Packer(compile_mapping(MANIFESTS[connector], contract, Pseudonymiser(b"k" * 32)), contract, 1)(
        records, ANCHOR * 1000
    )
    assert packed.refused == []
    return packed.messages


def count(core: SystemCore, taken: Sequence[Sequence[tuple[bytes, bytes]]]) -> None:
    try:
        for messages in taken:
            for start in range(0, len(messages), 20_000):
                core.take(messages[start : start + 20_000], ANCHOR * 1000)
        assert core.reasons() == []
    finally:
        core.close()


def shown(database: InProcessWarehouse, entity: str, period: Period) -> dict[str, tuple[Any, Any, Any]]:
    """What the product answers, by KPI: value, numerator, denominator."""
    kpis = [kpi for kpi in PLANS[entity].kpis if not kpi.id.endswith((".late_corrections", ".clock_skew"))]
    statement, layout = query.totals(kpis, period, now=NOW)
    sums = {row[0]: row[2] for row in database.rows(statement.sql, statement.parameters)}
    found = {}
    for kpi in kpis:
        figures = figures_of(kpi, layout.figures(kpi, sums), True)
        ratio = kpi.kind in ("ratio", "members")
        found[kpi.id] = (figures.value, figures.numerator if ratio else None, figures.denominator if ratio else None)
    return found


def tables_of(entity: str, database: InProcessWarehouse) -> SystemCore:
    """The tables of an entity, and a core over them."""
    migrate(database, {entity: CONTRACTS[entity]}, {entity: PLANS[entity]}, TIMEZONE, load_code_tables().values())
    return SystemCore(CONTRACTS[entity], PLANS[entity], database)


def check_figures(
    system: System, stage: Stage, database: InProcessWarehouse, published: Mapping[str, Published]
) -> None:
    """Every KPI, the refused records and the number of good ones are the ledger's; no personal value is in any."""
    entities = set(system.connectors.values())
    sent = {
        entity: [each.messages for name, each in published.items() if system.connectors[name] == entity]
        for entity in entities
    }
    for entity in entities:
        count(tables_of(entity, database), sent[entity])
    for period in PERIODS:
        wanted = system.expected(stage.site.state, period.start, period.end)
        found = {kpi: parts for entity in entities for kpi, parts in shown(database, entity, period).items()}
        assert found == {
            kpi: (answer["value"], answer["numerator"], answer["denominator"]) for kpi, answer in wanted.kpis.items()
        }
        assert {entity: sum(map(len, sent[entity])) for entity in entities} == dict(wanted.records)
        assert {connector: each.refused for connector, each in published.items()} == dict(wanted.bad)
    personal = system.personal(stage.site.state)
    values = b"".join(value for each in published.values() for _, value in each.messages)
    assert not [value for value in personal if value.encode() in values]
