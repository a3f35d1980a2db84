"""Figures as they were known at an earlier time: a rollup's rows from the changes that had arrived until then. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from hub.kpi.counted import moment
from hub.kpi.rollups import Served
from streams.kpi import Kpi
from streams.plan import EntityPlan, rollup_table
from streams.warehouse.schema import rollup_select


def known_then(
    served: Served, kpis: Iterable[Kpi], plans: Mapping[str, EntityPlan], timezone: str, known_at: datetime
) -> Served:
    """The same tables, those that `kpis` need replaced by what they held at `known_at`, by the definitions of now."""
    tables = dict(served.tables)
    asked: dict[str, tuple[str, set[str]]] = {}
    for kpi in kpis:
        for term in kpi.terms.values():
            asked.setdefault(rollup_table(kpi.entity, term.time), (kpi.entity, set()))[1].add(term.measure)
    for name, (entity, measures) in asked.items():
        rollup = next(one for one in plans[entity].rollups if one.table == name)
        wanted = replace(rollup, measures=tuple(one for one in rollup.measures if one.name in measures))
        until = f"kafka_time <= toDateTime64('{moment(known_at)}', 3, 'UTC')"
        source = f"(SELECT * FROM {entity}_changes WHERE {until})"
        tables[name] = f"({rollup_select(wanted, timezone, source)})"
    return replace(served, tables=tables)
