"""`ioc audit` at work: the checks of the entities asked for, and their healing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from connectors.compacted import CompactedTopic, CompactedTopicError
from connectors.publish import Publisher
from connectors.status import STATUS_TOPIC, ConnectorStatus
from hub.clock import utc_now
from hub.config import Settings
from hub.control import Published, published, source_totals, topic_totals
from hub.declarations import Declarations
from hub.stream_quarantine import KafkaQuarantine
from hub.topics import STREAM_GROUP
from hub.wiring import registry_client, warehouse_url
from schemas.codec import Decoder
from schemas.contract import Contract
from streams.audit import Finding
from streams.audit_checks import Days, EntityAudit, Progress
from streams.errors import StreamError
from streams.generations import BUILDING
from streams.heal import Healer, Insertion
from streams.heal_log import HealBusyError, HealLog
from streams.heal_lost import LostReader
from streams.quarantine import Refusal
from streams.store import EntityStore
from streams.topic_log import KafkaTopicLog
from streams.warehouse.catalogue import Catalogue
from streams.warehouse.client import Warehouse

STATEMENT_S = 300.0
"""The audit's statements may read much: longer than a screen waits, and than a batch."""

ROUNDS = 5
"""Of healing: the changes, what follows from them, and what came between. More means that something goes on wrong."""

LAST_DAYS = 7
"""Days whose control totals are told one by one unless others are asked for; all before them as one."""


@dataclass(slots=True)
class Outcome:
    """What an audit found at the end, and what was inserted (or would be) on the way: (table, why, rows)."""

    findings: list[Finding] = field(default_factory=list)
    inserted: list[tuple[str, str, int]] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return all(finding.noted for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for. `heal`: put right what is found; `dry_run`: only say what would be inserted."""

    entities: Sequence[str]
    days: Days
    heal: bool = False
    dry_run: bool = False


async def run_audit(settings: Settings, declared: Declarations, request: Request, progress: Progress) -> Outcome:
    """Audit, and heal if asked. Raises `StreamError` (`HealBusyError` before anything has changed)."""
    statuses = await _statuses(settings.bootstrap)
    loop = asyncio.get_running_loop()
    # Healing writes; reading alone goes by the reader's right.
    warehouse = Warehouse(warehouse_url(settings, read_only=not request.heal), STATEMENT_S)
    quarantine = KafkaQuarantine(Publisher(settings.bootstrap, client_id="ioc-audit-quarantine"))
    outcome = Outcome()
    try:
        for entity in request.entities:
            contract = declared.contracts[entity]
            feeds = [name for name, manifest in declared.manifests.items() if manifest.entity == entity]
            log = KafkaTopicLog(settings.bootstrap, contract.topic, STREAM_GROUP, loop)
            sent = partial(_published, statuses, feeds)
            work = EntityWork(settings, warehouse, contract, log, sent, request, progress)
            work.publish = lambda refusals: asyncio.run_coroutine_threadsafe(
                quarantine.publish(refusals), loop
            ).result()
            try:
                await asyncio.to_thread(work.run, outcome)
            finally:
                await log.close()
    finally:
        await quarantine.stop()
        await statuses.stop()
        warehouse.close()
    return outcome


async def _statuses(bootstrap: str) -> CompactedTopic:
    """What each connector says of itself, followed."""
    topic = CompactedTopic(bootstrap, STATUS_TOPIC)
    try:
        await topic.start()
    except CompactedTopicError as error:
        raise StreamError(str(error)) from error
    return topic


def _published(statuses: CompactedTopic, feeds: Sequence[str]) -> Published:
    values = [value for name in feeds if (value := statuses.get(name)) is not None]
    return published([ConnectorStatus.from_json(value) for value in values])


class EntityWork:
    """One entity's audit and healing. Blocks."""

    def __init__(
        self,
        settings: Settings,
        warehouse: Warehouse,
        contract: Contract,
        log: KafkaTopicLog,
        sent: Callable[[], Published],
        request: Request,
        progress: Progress,
    ) -> None:
        self._settings = settings
        self._warehouse = warehouse
        self._contract = contract
        self._log = log
        self._sent = sent
        self._request = request
        self._progress = progress
        self.publish: Callable[[Sequence[Refusal]], None] = _refuse
        self._audit = EntityAudit(warehouse, contract, log, request.days, progress)

    def run(self, outcome: Outcome) -> None:
        """Add to the outcome what is found, after healing where that is asked for."""
        found = self._audit.run()
        if self._request.heal and any(not finding.noted for finding in found):
            found = self._heal(found, outcome)
        outcome.findings += found + self._control_totals()

    def _heal(self, found: list[Finding], outcome: Outcome) -> list[Finding]:
        building = [e.rollup for e in Catalogue(self._warehouse).entries() if e.entity == self._contract.entity
                    and e.state in BUILDING]  # fmt: skip
        if building:
            raise HealBusyError(f"{building[0]} is being computed anew; heal when that is done: ioc kpi rollups")
        healer = self._healer()
        if self._request.dry_run:
            outcome.inserted += _told(healer.plan(self._audit.faults, self._audit.rollups()))
            return found
        journal = HealLog(self._warehouse)
        journal.open()
        try:
            for _ in range(ROUNDS):
                planned = healer.plan(self._audit.faults, self._audit.rollups())
                healer.insert(planned, journal)
                outcome.inserted += _told(planned)
                found = self._audit.run()
                if not planned or all(finding.noted for finding in found):
                    break
        finally:
            journal.close()
        return found

    def _healer(self) -> Healer:
        contract, warehouse = self._contract, self._warehouse

        def topic_id(partition: int) -> str:
            statement = f"SELECT topic_id FROM {contract.fence_table} WHERE partition = {partition}"
            return str(warehouse.rows(statement)[0][0])

        decoder = Decoder(contract, registry_client(self._settings).schema_text)
        states_before = EntityStore(warehouse, contract).states_before
        # A dry run must not write to the quarantine either.
        publish = _nowhere if self._request.dry_run else self.publish
        lost = LostReader(contract, self._log, decoder, states_before, topic_id, publish)
        return Healer(warehouse, contract, lost, self._audit.reader.cuts)

    def _control_totals(self) -> list[Finding]:
        today = utc_now().date()
        days = self._request.days
        last = min(days.last or today, today)
        first = min(days.first or last - timedelta(days=LAST_DAYS - 1), last)
        asked = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        found = topic_totals(self._audit, self._log, asked)
        if days.bounded:
            found = [finding for finding in found if not finding.place.startswith("<")]
        return found + source_totals(self._audit, self._log, self._sent, asked)


def _told(planned: Sequence[Insertion]) -> list[tuple[str, str, int]]:
    return [(insertion.target, insertion.why, insertion.rows.height) for insertion in planned]


def _refuse(refusals: Sequence[Refusal]) -> None:
    raise StreamError(f"{len(refusals)} lost records belong into the quarantine, and there is no way to it")


def _nowhere(refusals: Sequence[Refusal]) -> None:
    """Refusals of a dry run."""
