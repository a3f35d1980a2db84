"""From KPI files to rollup tables: pure. One rollup per (entity, time field), measures as columns.

A rollup row is `(day, dimensions…, measures…)`; a measure is the signed sum of its expression over the
states of the entity, so a state that is taken back takes its share with it (design: signed changes).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from schemas.contract import Contract
from schemas.declaration import YAML_LOADER
from streams import arrivals
from streams.errors import PlanError
from streams.kpi import DUE_MINUTE, KINDS, Kpi, Measure, Term
from streams.kpi_file import dimensions_by, read_kpi
from streams.measure_types import TIME, Typed, of_field
from streams.measures import MeasureError, check_measure

__all__ = ["KINDS", "EntityPlan", "Kpi", "Measure", "Rollup", "Term", "load_plans", "plan_entity", "rollup_table"]


@dataclass(frozen=True, slots=True)
class Rollup:
    """A SummingMergeTree fed by a materialised view over `<entity>_changes`."""

    table: str
    entity: str
    time: str
    dimensions: tuple[str, ...]
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class EntityPlan:
    """What the warehouse keeps for one entity."""

    entity: str
    dimensions: tuple[str, ...]
    measures: dict[str, Measure]
    kpis: tuple[Kpi, ...]
    rollups: tuple[Rollup, ...]


def rollup_table(entity: str, time: str) -> str:
    return f"{entity}_by_{time}"


def expand(sql: str, timezone: str) -> str:
    """Replace `$day(x)` by the day of `x` in `timezone`: a Date32, which holds all of 1900–2299."""
    return re.sub(r"\$day\((\w+)\)", rf"toDate32(\1, '{timezone}')", sql)


def _check_time(term: Term, contract: Contract, where: str) -> None:
    if (term.time == arrivals.TIME) != (term.measure in arrivals.MEASURES):
        raise PlanError(f"{where}: {' and '.join(arrivals.MEASURES)}, and they alone, have the time {arrivals.TIME!r}")
    time_field = contract.by_name.get(term.time)
    if term.time != arrivals.TIME and (time_field is None or time_field.base != "timestamp"):
        raise PlanError(f"{where}: {term.time!r} is no timestamp of {contract.entity}")


_MADE_WHOLE = re.compile(r"\b(accurateCastOrNull|round|floor|ceil)\s*\(|[<>=]|\b(IN|BETWEEN|IS)\b", re.IGNORECASE)
"""What makes a whole number of a decimal, or only asks about it. The sum would cut its fraction off, row by row."""


def _check_measure(measure: Measure, contract: Contract, where: str) -> None:
    """A measure that could throw would stop its entity; PlanError says which piece, and what to write instead."""
    times = [field.name for field in contract.fields if field.base == "timestamp"]
    try:
        types = {field.name: of_field(field) for field in contract.fields}
        check_measure(measure.sql, {**types, "kafka_time": Typed(TIME, "kafka_time")}, times)
    except MeasureError as error:
        raise PlanError(f"{where}: measures.{measure.name}.sql: {measure.sql!r}: {error}") from error
    fraction = next((name for name in contract.by_name if _has_fraction(contract, name, measure.sql)), None)
    if fraction is not None and not _MADE_WHOLE.search(measure.sql):
        raise PlanError(
            f"{where}.{measure.name}: a measure is a whole number, and {fraction!r} has digits after the point; write "
            f"accurateCastOrNull({fraction} * {10 ** contract.by_name[fraction].scale}, 'Int64') for its smallest unit"
        )


def _has_fraction(contract: Contract, name: str, sql: str) -> bool:
    return contract.by_name[name].scale > 0 and re.search(rf"\b{name}\b", sql) is not None


def plan_entity(raw: dict[str, Any], contracts: dict[str, Contract], where: str) -> EntityPlan:
    """Check one KPI file against its contract and lay out the rollups it needs."""
    if not isinstance(raw, dict):
        raise PlanError(f"{where}: a KPI file begins with entity: NAME, found {type(raw).__name__}")
    entity = raw.get("entity")
    if entity not in contracts:
        raise PlanError(f"{where}.entity: {entity!r} has no contract; known: {', '.join(sorted(contracts))}")
    contract = contracts[entity]
    raw = arrivals.declared(raw, where)
    dimensions = tuple(raw.get("dimensions", ()))
    for name in dimensions:
        if name not in contract.by_name:
            raise PlanError(f"{where}.dimensions: {entity} has no field {name!r}")
        if contract.by_name[name].nullable:
            # A rollup is sorted by its dimensions, and the warehouse sorts by no null.
            raise PlanError(f"{where}.dimensions: {name!r} may be null; let its contract say a default instead")
    measures = {name: _measure(name, body, where) for name, body in (raw.get("measures") or {}).items()}
    _check_names(measures, contract, where)
    kpis = tuple(
        read_kpi(item, entity, dimensions, f"{where}.kpis[{number}]") for number, item in enumerate(raw.get("kpis", ()))
    )
    needed: dict[str, dict[str, Measure]] = {}
    by_minute: set[str] = set()
    for kpi in kpis:
        for version in kpi.versions:
            _check_terms(version, measures, contract, where)
            for term in version.terms.values():
                needed.setdefault(term.time, {})[term.measure] = measures[term.measure]
                by_minute |= (
                    {term.time} if version.kind == "due" or (version.forecast and term == version.base) else set()
                )
        if kpi.member is not None and kpi.member not in dimensions:
            raise PlanError(f"{where}: {kpi.id}.member: {kpi.member!r} is not a dimension")
    rollups = tuple(
        Rollup(
            rollup_table(entity, time),
            entity,
            time,
            (*dimensions_by(time, dimensions), *((DUE_MINUTE,) if time in by_minute else ())),
            tuple(needed[time].values()),
        )
        for time in sorted(needed)
    )
    return EntityPlan(entity, dimensions, measures, kpis, rollups)


def _check_names(measures: Mapping[str, Measure], contract: Contract, where: str) -> None:
    """In one SELECT the name of a sum hides the field of that name from the other sums."""
    for name in measures.keys() & contract.by_name.keys():
        hidden = [other.name for other in measures.values() if re.search(rf"\b{name}\b", other.sql)]
        if any(other != name for other in hidden):
            raise PlanError(
                f"{where}.measures.{name}: a field has this name, and {', '.join(hidden)} read that field; call the "
                f"measure otherwise, {name}_sum say"
            )


def _measure(name: Any, body: Any, where: str) -> Measure:
    try:
        return Measure(name, body["sql"], body["name"]["vi"], body["name"]["en"])
    except (KeyError, TypeError) as error:
        raise PlanError(
            f'{where}.measures.{name}: write {{sql: "EXPRESSION", name: {{vi: …, en: …}}}}, found {body!r}'
        ) from error


def _check_terms(kpi: Kpi, measures: Mapping[str, Measure], contract: Contract, where: str) -> None:
    for role, term in kpi.terms.items():
        if term.measure not in measures:
            raise PlanError(f"{where}: {kpi.id}.{role}.measure: no measure {term.measure!r}")
        _check_time(term, contract, f"{where}: {kpi.id}.{role}.time")
        _check_measure(measures[term.measure], contract, f"{where}: {kpi.id}.{role}")


def load_plans(contracts: dict[str, Contract], *roots: Path) -> dict[str, EntityPlan]:
    """All plans by entity, from `roots` or the package's own `kpis/`; entities without KPIs get an empty plan. A file
    of a later directory replaces that of the same name."""
    paths = {path.name: path for root in roots or (package_root(),) for path in sorted(root.glob("*.yaml"))}
    plans = {name: EntityPlan(name, (), {}, (), ()) for name in contracts}
    for name, path in sorted(paths.items()):
        plan = plan_entity(_read(path), contracts, name)
        if plans[plan.entity].kpis:
            raise PlanError(f"{name}.entity: another file declares the KPIs of {plan.entity!r}; put them into one")
        plans[plan.entity] = plan
    _check_across(plans)
    return plans


def faults_in(contracts: dict[str, Contract], root: Path) -> list[PlanError]:
    """What is wrong with the KPI files of a directory, beside the package's own: the first fault of each file, or what
    only all files together tell."""
    found = []
    for path in sorted(root.glob("*.yaml")):
        try:
            plan_entity(_read(path), contracts, path.name)
        except PlanError as error:
            found.append(error)
    if not found:
        try:
            load_plans(contracts, package_root(), root)
        except PlanError as error:
            found.append(error)
    return found


def package_root() -> Path:
    """Where the package's own KPI files are."""
    return Path(str(files("streams"))) / "kpis"


def _read(path: Path) -> Any:
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=YAML_LOADER)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PlanError(f"{path.name}: no YAML: {error}") from error


def _check_across(plans: Mapping[str, EntityPlan]) -> None:
    """What only all files together tell: ids that appear twice, parts of scores that are no shares of 100."""
    known: dict[str, Kpi] = {}
    for kpi in _all(plans):
        if kpi.id in known:
            raise PlanError(f"{kpi.entity}.yaml: {kpi.id}: {known[kpi.id].entity}.yaml has a KPI of that id too")
        known[kpi.id] = kpi
    for kpi in _all(plans):
        for part in (part for version in kpi.versions for part in version.parts):
            other = known.get(part.kpi)
            if other is None or other.kind not in ("ratio", "members") or other.scale != 100:
                why = "there is no such KPI" if other is None else f"it is a {other.kind}, no share of 100"
                raise PlanError(f"{kpi.entity}.yaml: {kpi.id}.parts: {part.kpi!r}: {why}")


def _all(plans: Mapping[str, EntityPlan]) -> Iterator[Kpi]:
    return (kpi for plan in plans.values() for kpi in plan.kpis)
