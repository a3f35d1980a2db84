"""The catalogue: each contract with its sources, volumes, quality, lineage and versions."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.manifest import Manifest
from hub.api.connector_board import ConnectorRow
from hub.catalogue.lineage import kpis_by_field, sources_by_field
from hub.catalogue.registered import Registered, Versions
from hub.declarations import Declarations
from hub.health.states import STATES
from hub.kpi.cache import AnswerCache
from hub.kpi.errors import WarehouseAwayError
from hub.kpi.feed import Written
from hub.kpi.freshness import newest
from hub.kpi.query import Statement
from hub.kpi.reader import Reader
from hub.kpi.service import KpiService
from schemas.contract import Contract
from schemas.contract_diff import Change, changes
from streams.plan import Kpi

WINDOW_DAYS = 30
"""Volumes are told over so many days: long enough for a monthly report to show."""

VOLUME_TTL = timedelta(seconds=10)

_VOLUMES = (
    "SELECT entity, source_system, sum(applied + superseded + repeats + deleted + quarantined) FROM ledger"
    " WHERE day >= toDate({since:String}) GROUP BY entity, source_system"
)


class UnknownEntityError(Exception):
    """No contract has this name; `nearest` are names like it."""

    def __init__(self, entity: str, nearest: tuple[str, ...]) -> None:
        super().__init__(entity)
        self.entity, self.nearest = entity, nearest


@dataclass(frozen=True, slots=True)
class Volume:
    """What the warehouse accounts for. `in_topic`: records in the topic, None if not known or not the asker's."""

    records: int
    recent: int
    applied: int
    quarantined: int
    repeats: int
    superseded: int
    deleted: int
    in_topic: int | None
    last_event: datetime | None

    @property
    def usable(self) -> float | None:
        """Per cent of the records that could be used; None without records."""
        return None if self.records == 0 else 100.0 * (self.records - self.quarantined) / self.records


@dataclass(frozen=True, slots=True)
class Entry:
    """One contract as it stands now. `volume` None: the warehouse does not tell. `state`: the worst of its sources'
    states, None without a source."""

    contract: Contract
    in_use: bool
    sources: tuple[ConnectorRow, ...]
    kpis: tuple[Kpi, ...]
    volume: Volume | None

    @property
    def state(self) -> str | None:
        return min((row.freshness.state for row in self.sources), key=STATES.index, default=None)

    @property
    def personal(self) -> str | None:
        """The highest class of personal data in it."""
        classes = {field.pii for field in self.contract.fields}
        return next((found for found in ("sensitive", "basic") if found in classes), None)


@dataclass(frozen=True, slots=True)
class VersionEntry:
    """One registered version and what it changed of the one before. `current`: the hub writes by it."""

    registered: Registered
    changes: tuple[Change, ...]
    current: bool


class Catalogue:
    """Answers for the API and the pages; `manifests` are the connectors' as they stand now.

    Methods that are given rows of the board block on the warehouse; `versions` and `diff` block on the registry.
    """

    def __init__(
        self,
        declared: Declarations,
        kpis: KpiService,
        reader: Reader,
        versions: Versions,
        manifests: Callable[[], Mapping[str, Manifest]],
    ) -> None:
        self.declared = declared
        self.manifests = manifests
        self._kpis = kpis
        self._reader = reader
        self._versions = versions
        clock = kpis.around.clock
        self._volumes: AnswerCache[dict[tuple[str, str], int]] = AnswerCache(clock, VOLUME_TTL)

    def contract(self, entity: str) -> Contract:
        """The contract of this name; UnknownEntityError names the nearest."""
        known = self.declared.contracts
        if entity not in known:
            nearest = difflib.get_close_matches(entity, known, n=3, cutoff=0.3) or sorted(known)[:3]
            raise UnknownEntityError(entity, tuple(nearest))
        return known[entity]

    def entries(self, rows: Sequence[ConnectorRow], whole: bool) -> tuple[Entry, ...]:
        """All contracts, those in use first. `rows`: the connectors the asker may see; `whole`: all of the province."""
        found = [self.entry(entity, rows, whole) for entity in self.declared.contracts]
        return tuple(sorted(found, key=lambda entry: not entry.in_use))

    def entry(self, entity: str, rows: Sequence[ConnectorRow], whole: bool) -> Entry:
        """One contract; UnknownEntityError."""
        contract = self.contract(entity)
        sources = tuple(row for row in rows if row.feed.entity == entity)
        systems = None if whole else {row.feed.source_system for row in sources}
        plan = self.declared.plans.get(entity)
        return Entry(
            contract,
            entity in self.declared.in_use or any(feed.entity == entity for feed in self._kpis.around.feeds),
            sources,
            plan.kpis if plan is not None else (),
            self._volume(entity, systems),
        )

    def lineage(self, entity: str) -> tuple[Mapping[str, Sequence[tuple[str, str]]], Mapping[str, Sequence[str]]]:
        """By field: where it comes from, and the KPIs that read it; UnknownEntityError."""
        contract = self.contract(entity)
        return (
            sources_by_field(contract, self.manifests()),
            kpis_by_field(contract, self.declared.plans.get(entity)),
        )

    def versions(self, entity: str) -> tuple[VersionEntry, ...] | None:
        """The registered versions, newest first; None while the registry does not tell; UnknownEntityError."""
        contract = self.contract(entity)
        found = self._versions.of(contract.subject)
        if found is None:
            return None
        schemas = [json.loads(item.text) for item in found]
        before: list[dict[str, Any]] = [{}, *schemas][: len(schemas)]
        return tuple(
            VersionEntry(item, tuple(changes(old, new)) if old else (), new == contract.schema)
            for item, old, new in reversed(list(zip(found, before, schemas, strict=True)))
        )

    def diff(self, entity: str, start: int, end: int) -> tuple[Change, ...] | None:
        """What version `end` changes of version `start`; None while the registry does not tell; KeyError for a version
        that there is not; UnknownEntityError."""
        found = self._versions.of(self.contract(entity).subject)
        if found is None:
            return None
        texts = {item.version: item.text for item in found}
        return tuple(changes(json.loads(texts[start]), json.loads(texts[end])))

    def _volume(self, entity: str, systems: set[str] | None) -> Volume | None:
        try:
            written = [item for item in self._kpis.written() if item.entity == entity]
            recent = self._recent()
        except WarehouseAwayError:
            return None
        mine = [item for item in written if systems is None or item.source_system in systems]
        last = [(source, count) for (name, source), count in recent.items() if name == entity]
        return Volume(
            records=sum(item.records for item in mine),
            recent=sum(count for source, count in last if systems is None or source in systems),
            **{name: _sum(mine, name) for name in ("applied", "quarantined", "repeats", "superseded", "deleted")},
            in_topic=self._kpis.around.topic_records().get(entity) if systems is None else None,
            last_event=newest([item.max_event_time for item in mine]),
        )

    def _recent(self) -> dict[tuple[str, str], int]:
        since = (self._kpis.around.clock() - timedelta(days=WINDOW_DAYS - 1)).date().isoformat()
        statement = Statement(_VOLUMES, {"since": since})
        return self._volumes.get(
            since, lambda: {(str(row[0]), str(row[1])): int(row[2]) for row in self._reader.rows(statement)}
        )


def _sum(written: Sequence[Written], name: str) -> int:
    return sum(int(getattr(item, name)) for item in written)
