"""Lists of records and their histories, for the API and the pages. Calls block on the warehouse."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hub.catalogue.service import UnknownEntityError
from hub.entities import history, listing
from hub.entities.errors import NoSuchRecordError
from hub.entities.filters import visible
from hub.entities.history import Revision
from hub.entities.keyed import rows_by_key
from hub.entities.listing import Listing, Page
from hub.kpi.conditions import Slice
from hub.kpi.service import KpiService
from schemas.contract import Contract


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its state now (None: deleted, or never applied) and every delivery, newest first."""

    contract: Contract
    key: str
    state: Mapping[str, Any] | None
    deleted: bool
    revisions: tuple[Revision, ...]


class Entities:
    """The records of the contracts in use. `org`: the unit a caller is bound to, None for the whole province."""

    def __init__(self, kpis: KpiService, contracts: Mapping[str, Contract]) -> None:
        self._kpis = kpis
        self._reader = kpis.reader
        self._contracts = contracts
        self._zone = kpis.around.timezone

    @property
    def names(self) -> tuple[str, ...]:
        """The entities that have records."""
        return tuple(self._contracts)

    def contract(self, entity: str) -> Contract:
        """The contract of an entity in use; UnknownEntityError names the nearest."""
        if entity not in self._contracts:
            nearest = difflib.get_close_matches(entity, self._contracts, n=3, cutoff=0.4) or sorted(self._contracts)[:3]
            raise UnknownEntityError(entity, tuple(nearest))
        return self._contracts[entity]

    def page(self, asked: Listing, org: str | None = None, total: bool = False, whole: bool = False) -> Page:
        """One page; UnknownEntityError, EntityError, WarehouseAwayError. `total`: count all of them too; `whole`: the
        page is one of many thousand records, of all there are."""
        contract, chosen = self.contract(asked.entity), self._kpis.slice_of(org)
        found = listing.page(asked, contract, self._rows(asked, contract, chosen, whole))
        if not total:
            return found
        counted = self._reader.rows(listing.count_statement(asked, contract, chosen, self._zone))
        return replace(found, total=int(counted[0][0]))

    def _rows(self, asked: Listing, contract: Contract, chosen: Slice, whole: bool) -> Sequence[Sequence[Any]]:
        if asked.sort != listing.KEY or whole:
            return self._reader.rows(listing.statement(asked, contract, chosen, self._zone))
        where, parameters, after = listing.by_key(asked, contract, chosen, self._zone)
        columns = [f"`{field.name}`" for field in visible(contract)]
        return rows_by_key(self._reader, contract, columns, where, parameters, asked.limit + 1, after)

    def record(self, entity: str, key: str, org: str | None = None) -> Record:
        """One record with its history; UnknownEntityError, NoSuchRecordError, WarehouseAwayError."""
        contract, chosen = self.contract(entity), self._kpis.slice_of(org)
        rows = self._reader.rows(history.statement(contract, key, chosen))
        current = self._reader.rows(history.current_statement(contract, key, chosen))
        if not rows and not current:
            raise NoSuchRecordError(key)
        state: Mapping[str, Any] | None = None
        deleted = False
        if current:
            names = [field.name for field in visible(contract)]
            deleted = bool(current[0][-1])
            state = None if deleted else dict(zip(names, current[0], strict=False))
        return Record(contract, key, state, deleted, history.revisions(contract, rows))
