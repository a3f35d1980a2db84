"""Which physical table answers a KPI, and why some KPIs cannot be answered yet. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hub.kpi.query import Statement
from streams.generations import Definition, Entry, State, building, definition_of, serving
from streams.plan import EntityPlan, Kpi, rollup_table
from streams.warehouse.catalogue import READ

CATALOGUE = Statement(READ, {})
"""Its answer goes through `streams.warehouse.catalogue.entries_of`."""


@dataclass(frozen=True, slots=True)
class Unserved:
    """Why a KPI has no figures. `state`: not_computed, computing or broken; `cure`: the command that helps."""

    state: str
    cure: str
    reason: str = ""
    percent: int | None = None


def definitions(plans: Mapping[str, EntityPlan], timezone: str) -> dict[str, Definition]:
    """What the declarations want of each rollup."""
    return {rollup.table: definition_of(rollup, "", timezone) for plan in plans.values() for rollup in plan.rollups}


@dataclass(frozen=True, slots=True)
class Served:
    """The catalogue at one moment against what is declared."""

    entries: tuple[Entry, ...]
    wanted: Mapping[str, Definition]
    tables: Mapping[str, str] = field(default_factory=dict)
    """Physical tables by rollup."""

    @classmethod
    def of(cls, entries: Iterable[Entry], wanted: Mapping[str, Definition]) -> Served:
        kept = tuple(entries)
        live = {name: serving(kept, name) for name in wanted}
        return cls(kept, wanted, {name: entry.table for name, entry in live.items() if entry is not None})

    def unserved(self, kpi: Kpi, by: str | None = None) -> Unserved | None:
        """Why `kpi`, divided `by` a dimension, cannot be answered; None if it can."""
        needed: dict[str, list[str]] = {}
        for term in kpi.terms.values():
            needed.setdefault(rollup_table(kpi.entity, term.time), []).append(term.measure)
        for rollup, measures in needed.items():
            found = self._lacking(kpi, rollup, measures, by)
            if found is not None:
                return found
        return None

    def _lacking(self, kpi: Kpi, rollup: str, measures: list[str], by: str | None) -> Unserved | None:
        live = serving(self.entries, rollup)
        dimensions = [name for name in (kpi.member, by) if name in self.wanted[rollup].dimensions]
        if (
            live is not None
            and live.state is State.LIVE
            and not live.definition.lacks(
                self.wanted[rollup], measures, [name for name in dimensions if name is not None]
            )
        ):
            return None
        cure = f"ioc kpi backfill {kpi.id}"
        under_way = building(self.entries, rollup)
        if under_way is not None:
            chunks = len(under_way.chunks)
            return Unserved("computing", cure, percent=100 * under_way.done // chunks if chunks else 0)
        if live is not None and live.state is State.BROKEN:
            return Unserved("broken", cure, live.reason)
        return Unserved("not_computed", cure)
