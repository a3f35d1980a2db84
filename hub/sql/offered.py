"""The tables that people's SQL may read, each as a sub-query that shows what may be seen. Pure.

`<entity>`: the last state of each record, deleted ones left out · `<entity>_changes`: every change with its sign, kind,
offset and arrival · `<entity>_by_<time>`: the rollups of KPIs · `code_<table>` · `ledger`. Personal fields are in none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hub.entities.filters import visible
from hub.kpi.rollups import Served
from schemas.codes_table import CodeTable
from schemas.contract import Contract
from streams.plan import EntityPlan
from streams.warehouse.schema import BOOKKEEPING

_LEDGER = ("entity", "source_system", "partition", "day", "applied", "superseded", "repeats", "deleted", "quarantined",
           "max_event_time", "max_ingest_time", "max_kafka_time", "written_at")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Offered:
    """A table: its columns, and the SQL that gives them. `units`: of those columns that have one, by language."""

    name: str
    columns: tuple[str, ...]
    sql: str
    units: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def offered(
    contracts: Mapping[str, Contract], plans: Mapping[str, EntityPlan], codes: Iterable[CodeTable], served: Served
) -> dict[str, Offered]:
    """All tables by name. `contracts`: those in use."""
    found = [*_entities(contracts.values()), *_rollups(contracts, plans, served)]
    found += [
        Offered(f"code_{table.name}", table.columns, _select(f"code_{table.name}", table.columns)) for table in codes
    ]
    found.append(Offered("ledger", _LEDGER, _select("ledger", _LEDGER)))
    return {table.name: table for table in found}


def _entities(contracts: Iterable[Contract]) -> Iterable[Offered]:
    for contract in contracts:
        fields = tuple(field.name for field in visible(contract))
        current = f"{_select(contract.current_table, fields)} FINAL WHERE deleted = 0"
        units = {one.name: {"vi": one.unit, "en": one.unit} for one in visible(contract) if one.unit}
        yield Offered(contract.entity, fields, current, units)
        columns = (*fields, *(name for name, _ in BOOKKEEPING))
        yield Offered(contract.changes_table, columns, _select(contract.changes_table, columns), units)


def _rollups(contracts: Mapping[str, Contract], plans: Mapping[str, EntityPlan], served: Served) -> Iterable[Offered]:
    for entity in contracts:
        counted = _units_of_measures(plans[entity]) if entity in plans else {}
        for rollup in plans[entity].rollups if entity in plans else ():
            table = served.tables.get(rollup.table)
            if table is None:
                continue
            keys = ("day", *rollup.dimensions)
            sums = tuple(measure.name for measure in rollup.measures)
            listed = ", ".join(f"`{name}`" for name in keys)
            added = ", ".join(f"sum(`{name}`) AS `{name}`" for name in sums)
            units = {name: counted[name] for name in sums if name in counted}
            sql = f"SELECT {listed}, {added} FROM {table} GROUP BY {listed}"
            yield Offered(rollup.table, (*keys, *sums), sql, units)


def _units_of_measures(plan: EntityPlan) -> dict[str, Mapping[str, str]]:
    """What a measure counts, by the KPIs that show its sum as it is."""
    sums = [kpi for kpi in plan.kpis if kpi.kind in ("flow", "stock") and "value" in kpi.terms]
    return {kpi.terms["value"].measure: kpi.unit for kpi in sums}


def _select(table: str, columns: Iterable[str]) -> str:
    return f"SELECT {', '.join(f'`{name}`' for name in columns)} FROM {table}"
