"""Which derived tables there are when a worker starts: created live on an empty warehouse, otherwise planned.

A rollup whose definition differs from the one that is live is not made by a start: rows written before would be
missing in it. It waits for `ioc kpi backfill`, and all others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import structlog

from streams.errors import WarehouseError, WarehouseUnavailableError
from streams.generations import Cut, Definition, Entry, State, beyond, next_generation, serving, table_of
from streams.warehouse.catalogue import Catalogue, text
from streams.warehouse.client import Warehouse
from streams.warehouse.narrow import add_projection

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Target:
    """A table that is derived from `changes`. `select`: its definition over a source of such rows; `edges`: a source
    of edge values. `exchange`: it keeps its name, and a new generation takes its place under it. `projection`: see
    `streams.warehouse.narrow`."""

    name: str
    entity: str
    changes: str
    definition: Definition
    create: Callable[[str], str]
    select: Callable[[str], str]
    edges: str
    exchange: bool = False
    projection: str | None = None

    def view(self, table: str, cuts: Sequence[Cut] = ()) -> str:
        """DDL of the view that feeds the generation `table`."""
        source = f"(SELECT * FROM {self.changes} WHERE {beyond(cuts)})" if cuts else self.changes
        return f"CREATE MATERIALIZED VIEW IF NOT EXISTS view_{table} TO {table} AS {self.select(source)}"


class Rows(Protocol):
    """What a trial asks of a warehouse."""

    def rows(self, sql: str, parameters: dict[str, Any] | None = None, **settings: Any) -> Sequence[Sequence[Any]]: ...


def try_out(warehouse: Rows, target: Target, sample_rows: int = 0) -> str | None:
    """Run the definition over edge values and a sample of what is written; what it throws, or None if nothing.

    Raises `WarehouseUnavailableError`.
    """
    sources = [target.edges]
    if sample_rows:
        sources.append(f"(SELECT * FROM {target.changes} LIMIT {sample_rows})")
    try:
        for source in sources:
            warehouse.rows(f"SELECT count() FROM ({target.select(source)}) WHERE NOT ignore(*)")
    except WarehouseUnavailableError:
        raise
    except WarehouseError as error:
        return str(error)
    return None


def is_empty(warehouse: Warehouse, table: str) -> bool:
    """Whether a table has no row."""
    return not warehouse.rows(f"SELECT 1 FROM {table} LIMIT 1")


def place(warehouse: Warehouse, targets: Sequence[Target]) -> None:
    """Bring catalogue and tables in line with `targets`. Idempotent; blocks; raises `WarehouseError`."""
    catalogue = Catalogue(warehouse)
    catalogue.create()
    entries = catalogue.entries()
    fresh: list[tuple[Target, Entry]] = []
    for target in targets:
        entry = serving(entries, target.name)
        if entry is not None and entry.definition == target.definition:
            if entry.state is State.LIVE:
                warehouse.command(target.create(entry.table))
                if target.projection is not None:
                    add_projection(warehouse, entry.table, target.projection)
                warehouse.command(target.view(entry.table, entry.cuts))
            else:
                log.error("rollup_broken", rollup=target.name, reason=entry.reason, cure=cure(target.name))
        elif entry is None and (older := _older(warehouse, target)) is not None:
            fresh.append((target, older))
        elif is_empty(warehouse, target.changes):
            number = next_generation(entries, target.name) if entry is not None else 0
            fresh.append((target, _create(warehouse, target, number)))
        else:
            log.warning("rollup_planned", rollup=target.name, cure=cure(target.name))
    for entry in unused(entries, targets):
        log.warning("rollup_unused", rollup=entry.rollup, cure=f"ioc kpi retire {entry.rollup}")
    if fresh:
        _enter(warehouse, catalogue, fresh)
    if any(entry.state is State.RETIRED for entry in entries):
        catalogue.sweep()


def unused(entries: Sequence[Entry], targets: Sequence[Target]) -> list[Entry]:
    """The live rollups of these entities that are no target any more: every block still pays for their views.

    They are left as they are: an older worker beside this one may serve KPIs from them.
    """
    named, entities = {target.name for target in targets}, {target.entity for target in targets}
    return [
        entry
        for entry in entries
        if entry.state is State.LIVE and entry.entity in entities and entry.rollup not in named
    ]


def cure(rollup: str) -> str:
    """What the operator does about a rollup that is not served."""
    return f"ioc kpi backfill {rollup}"


def _live(target: Target, number: int) -> Entry:
    return Entry(target.name, target.entity, number, table_of(target.name, number), State.LIVE, target.definition)


def _create(warehouse: Warehouse, target: Target, number: int) -> Entry:
    """The first rows are still to come: a view from the start, unless it would throw."""
    entry = _live(target, number)
    thrown = try_out(warehouse, target)
    if thrown is not None:
        log.error("rollup_refused", rollup=target.name, reason=thrown[:300])
        return replace(entry, state=State.BROKEN, reason=thrown[:300])
    warehouse.command(target.create(entry.table))
    warehouse.command(target.view(entry.table))
    return entry


def _older(warehouse: Warehouse, target: Target) -> Entry | None:
    """The entry for a view from before there was a catalogue: live if it says what the target says."""
    select = text(target.select(target.changes))
    rows = warehouse.rows(
        f"SELECT replaceAll(as_select, concat(currentDatabase(), '.'), '') = formatQuerySingleLine({select}) "
        f"FROM system.tables WHERE database = currentDatabase() AND name = {text('view_' + target.name)}"
    )
    if not rows:
        return None
    entry = _live(target, 0)
    if rows[0][0]:
        return entry
    log.warning("rollup_planned", rollup=target.name, cure=cure(target.name))
    return replace(entry, state=State.BROKEN, definition=Definition(""), reason="its definition is an older one")


def _enter(warehouse: Warehouse, catalogue: Catalogue, fresh: list[tuple[Target, Entry]]) -> None:
    """Enter new generations, unless another worker that starts just now has entered them."""

    def added(entries: list[Entry]) -> list[Entry]:
        found = []
        for target, entry in fresh:
            before = serving(entries, target.name)
            if before is None or before.definition != target.definition:
                found.append(entry)
                found += [replace(before, state=State.RETIRED)] if before is not None else []
        return found

    catalogue.change(added)
