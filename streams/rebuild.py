"""`ioc kpi backfill`, `ioc kpi retire` and `ioc rebuild`: which tables are made anew or given up, one at a time, under
the one lease."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date

import structlog

from schemas.contract import Contract
from streams.backfill import CHUNK_ROWS, EXCHANGED, Backfill
from streams.cutover import Step
from streams.errors import StreamError, WarehouseError
from streams.generations import Entry, Position, State, serving
from streams.lease import Lease
from streams.plan import EntityPlan
from streams.warehouse.catalogue import Catalogue
from streams.warehouse.client import Warehouse
from streams.warehouse.placing import Target
from streams.warehouse.schema import current_target, rollup_target

log = structlog.get_logger()


class UnknownNameError(StreamError):
    """No KPI, rollup or entity has the name; the message names those there are."""


class RollupUsedError(StreamError):
    """A KPI rests on the rollup: take it out of the KPI file first."""


def retire(warehouse: Warehouse, name: str, plans: Mapping[str, EntityPlan]) -> None:
    """Drop view and table of a rollup that no KPI rests on any more; a back-fill can make them again.

    Before anything changes: `UnknownNameError`, `RollupUsedError`, `RebuildRunningError`. Blocks for a second.
    """
    catalogue = Catalogue(warehouse)
    catalogue.create()
    made = {entry.rollup for entry in catalogue.entries() if entry.state is not State.DROPPED}
    known = {rollup for rollup in made if "_by_" in rollup}
    if name not in known:
        raise UnknownNameError(f"there is no rollup {name!r}; rollups: {', '.join(sorted(known))}")
    for plan in plans.values():
        for rollup in plan.rollups:
            if rollup.table == name:
                on = [kpi.id for kpi in plan.kpis if any(term.time == rollup.time for term in kpi.terms.values())]
                raise RollupUsedError(f"{name} is used by {', '.join(sorted(on))}: take it out of the KPI file first")
    lease = Lease(warehouse, f"ioc kpi retire {name}")
    lease.acquire(max((entry.seq for entry in catalogue.entries()), default=0))
    try:
        catalogue.change(
            lambda entries: [
                replace(entry, state=State.RETIRED, cuts=(), chunks=())
                for entry in entries
                if entry.rollup == name and entry.state not in (State.RETIRED, State.DROPPED)
            ]
        )
        catalogue.sweep(name)
    finally:
        lease.release(finished=True)
    log.info("rollup_retired", rollup=name)


def rollups_of(name: str, plans: Mapping[str, EntityPlan]) -> tuple[str, ...]:
    """The rollups that a KPI rests on, or the rollup of that name; raises `UnknownNameError`."""
    rollups = {rollup.table: rollup for plan in plans.values() for rollup in plan.rollups}
    if name in rollups:
        return (name,)
    kpis = {kpi.id: kpi for plan in plans.values() for kpi in plan.kpis}
    if name not in kpis:
        raise UnknownNameError(
            f"there is no KPI or rollup {name!r}; KPIs: {', '.join(sorted(kpis))}; "
            f"rollups: {', '.join(sorted(rollups))}"
        )
    times = {term.time for term in kpis[name].terms.values()}
    return tuple(sorted(r.table for r in rollups.values() if r.entity == kpis[name].entity and r.time in times))


def targets_of(contract: Contract, plan: EntityPlan, timezone: str, names: Sequence[str] | None = None) -> list[Target]:
    """The rollups called `names`, or all of the entity and before them its current states."""
    rollups = [rollup_target(rollup, contract, timezone) for rollup in plan.rollups]
    if names is not None:
        return [target for target in rollups if target.name in names]
    return [current_target(contract), *rollups]


def backfill(
    warehouse: Warehouse,
    contract: Contract,
    targets: Sequence[Target],
    positions: Callable[[], Mapping[int, Position]],
    report: Callable[[Step], None],
    chunk_rows: int = CHUNK_ROWS,
) -> list[str]:
    """Make those of `targets` that are not served as defined; their names. See `rebuild` for errors."""
    work = f"ioc kpi backfill {' '.join(sorted(target.name for target in targets))}"

    def needed(_since: int, entries: Sequence[Entry]) -> list[Target]:
        return [target for target in targets if not _served(target, entries)]

    return _run(warehouse, contract, work, needed, positions, report, chunk_rows)


def rebuild(
    warehouse: Warehouse,
    contract: Contract,
    targets: Sequence[Target],
    positions: Callable[[], Mapping[int, Position]],
    report: Callable[[Step], None],
    chunk_rows: int = CHUNK_ROWS,
    since: date | None = None,
) -> list[str]:
    """Make all `targets` anew; their names. After an interruption only those that are left.

    `since`: days before it keep the figures they have, and current states, which have no day, are left alone.
    Before anything changes: `RebuildRunningError` if another one runs, `MeasureThrowsError` if a definition throws.
    """
    chosen = [target for target in targets if since is None or not target.exchange]

    def needed(begun: int, entries: Sequence[Entry]) -> list[Target]:
        return [target for target in chosen if not _made_since(target, begun, entries)]

    work = f"ioc rebuild {contract.entity}" + (f" --from {since.isoformat()}" if since is not None else "")
    return _run(warehouse, contract, work, needed, positions, report, chunk_rows, since)


def _run(
    warehouse: Warehouse,
    contract: Contract,
    work: str,
    needed: Callable[[int, Sequence[Entry]], list[Target]],
    positions: Callable[[], Mapping[int, Position]],
    report: Callable[[Step], None],
    chunk_rows: int,
    since: date | None = None,
) -> list[str]:
    catalogue = Catalogue(warehouse)
    catalogue.create()
    entries = catalogue.entries()
    lease = Lease(warehouse, work)
    begun = lease.acquire(max((entry.seq for entry in entries), default=0))
    finished = False
    try:
        chosen = needed(begun, entries)
        backfills = Backfill(warehouse, contract.fence_table, positions, lease.renew, report, chunk_rows)
        for target in chosen:
            backfills.check(target)
        for target in chosen:
            backfills.run(target, since)
        backfills.sweep()
        finished = True
        return [target.name for target in chosen]
    finally:
        try:
            lease.release(finished)
        except WarehouseError as error:
            log.warning("lease_not_released", error=str(error)[:300])


def _served(target: Target, entries: Sequence[Entry]) -> bool:
    entry = serving(entries, target.name)
    return entry is not None and entry.state is State.LIVE and entry.definition == target.definition


def _made_since(target: Target, since: int, entries: Sequence[Entry]) -> bool:
    if target.exchange:
        return any(e.rollup == target.name and e.reason == EXCHANGED and e.seq > since for e in entries)
    entry = serving(entries, target.name)
    return entry is not None and _served(target, entries) and entry.seq > since
