"""A view that throws stops its entity: it is dropped by name, its rollup marked broken, and the flow goes on.

The insert that met it is sent again unchanged: the warehouse keeps what it has and completes the other views. A
back-fill makes the rollup anew.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

import structlog

from streams import metrics
from streams.errors import WarehouseError
from streams.generations import BUILDING, Entry, State
from streams.warehouse.catalogue import Catalogue, text
from streams.warehouse.client import Warehouse

log = structlog.get_logger()

_THROWING = re.compile(r"while pushing to view (?:`?\w+`?\.)?`?(\w+)`?")
_TARGETLESS = re.compile(r"Target table '(?:\w+\.)?(\w+)' of view '[^']*' doesn't exist")

MOST_REASON = 300
"""Characters of an error that are kept."""


def view_of(error: str) -> str | None:
    """The view that an insert's error names."""
    throwing = _THROWING.search(error)
    if throwing is not None:
        return throwing.group(1)
    targetless = _TARGETLESS.search(error)
    return f"view_{targetless.group(1)}" if targetless is not None else None


class BrokenViews:
    """Takes views that throw off one entity's changes. Blocks; safe from several threads and processes."""

    def __init__(self, warehouse: Warehouse, needed: Collection[str]) -> None:
        """`needed`: views without which nothing is right; they are never dropped."""
        self._warehouse = warehouse
        self._needed = frozenset(needed)

    def drop(self, error: WarehouseError) -> bool:
        """Drop the view that `error` names; False if it names none, or one that is needed."""
        view = view_of(str(error))
        if view is None or view in self._needed:
            return False
        definition = self._definition(view)
        self._warehouse.command(f"DROP VIEW IF EXISTS {view}")
        broken = self._mark(view.removeprefix("view_"), str(error)[:MOST_REASON])
        if definition is not None:
            rollup = broken.rollup if broken is not None else view
            metrics.ROLLUP_BROKEN.labels(rollup).set(1)
            log.error("view_dropped", view=view, rollup=rollup, reason=str(error)[:MOST_REASON], definition=definition)
        return True

    def _definition(self, view: str) -> str | None:
        """Its SQL, to make it again by hand; None if another worker was quicker."""
        rows = self._warehouse.rows(
            f"SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = {text(view)}"
        )
        return str(rows[0][0]) if rows else None

    def _mark(self, table: str, reason: str) -> Entry | None:
        written = Catalogue(self._warehouse).change(
            lambda entries: [
                replace(entry, state=State.BROKEN, reason=reason)
                for entry in entries
                if entry.table == table and entry.state in (State.LIVE, *BUILDING)
            ]
        )
        return written[0] if written else None


def show_broken(warehouse: Warehouse) -> None:
    """Set the metric for every rollup of the catalogue; blocks."""
    entries = Catalogue(warehouse).entries()
    broken = {entry.rollup for entry in entries if entry.state is State.BROKEN}
    for rollup in {entry.rollup for entry in entries}:
        metrics.ROLLUP_BROKEN.labels(rollup).set(rollup in broken)
