"""Lineage: from a field of a contract to the connectors that fill it and the KPIs that use it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from connectors.manifest import Manifest
from schemas.contract import Contract
from streams import arrivals
from streams.plan import EntityPlan, Kpi


def kpi_fields(kpi: Kpi, plan: EntityPlan) -> frozenset[str]:
    """The contract's fields that a KPI reads: in its measures, as its times, dimensions and members."""
    measures = [plan.measures[term.measure].sql for term in kpi.terms.values() if term.measure in plan.measures]
    words = {word for sql in measures for word in re.findall(r"[A-Za-z_][A-Za-z0-9_]*", _without_texts(sql))}
    times = {term.time for term in kpi.terms.values() if term.time != arrivals.TIME}
    return frozenset(words | times | set(kpi.dimensions) | ({kpi.member} if kpi.member else set()))


def kpis_by_field(contract: Contract, plan: EntityPlan | None) -> dict[str, tuple[str, ...]]:
    """By field: the ids of the KPIs that read it."""
    kpis = plan.kpis if plan is not None else ()
    reads = {kpi.id: kpi_fields(kpi, plan) for kpi in kpis} if plan is not None else {}
    return {field.name: tuple(id for id, names in reads.items() if field.name in names) for field in contract.fields}


def sources_by_field(contract: Contract, manifests: Mapping[str, Manifest]) -> dict[str, tuple[tuple[str, str], ...]]:
    """By field: (connector, where its value comes from there)."""
    found: dict[str, list[tuple[str, str]]] = {field.name: [] for field in contract.fields}
    for manifest in feeding(contract.entity, manifests):
        for name, rule in manifest.mapping.items():
            if name in found:
                found[name].append((manifest.id, rule.source or ("=" if rule.const is None else f"= {rule.const}")))
    return {name: tuple(origins) for name, origins in found.items()}


def feeding(entity: str, manifests: Mapping[str, Manifest]) -> Iterator[Manifest]:
    """The connectors of an entity."""
    return (manifest for manifest in manifests.values() if manifest.entity == entity)


def _without_texts(sql: str) -> str:
    return re.sub(r"'(?:[^'\\]|\\.)*'", "''", sql)
