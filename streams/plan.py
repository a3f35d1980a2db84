"""From KPI files to rollup tables: pure. One rollup per (entity, time field), measures as columns.

A rollup row is `(day, dimensions…, measures…)`; a measure is the signed sum of its expression over the
states of the entity, so a state that is taken back takes its share with it (design: signed changes).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from schemas.contract import Contract
from streams import arrivals
from streams.errors import PlanError
from streams.measures import MeasureError, check_measure

KINDS = ("flow", "ratio", "stock", "members")


@dataclass(frozen=True, slots=True)
class Measure:
    """`sql` is an expression over one state row, with `$day(x)` as written in the file."""

    name: str
    sql: str
    name_vi: str
    name_en: str


@dataclass(frozen=True, slots=True)
class Term:
    """A measure summed by the day of `time`."""

    measure: str
    time: str


@dataclass(frozen=True, slots=True)
class Kpi:
    """One KPI. `terms` by kind: flow: value · ratio: numerator, denominator · stock: value, less · members: value.

    Values of ratios and members are percentages (77.08), `target` likewise. `dimensions`: what it may be divided by.
    `tile`: among the tiles of the dashboard; every KPI is listed.
    """

    id: str
    entity: str
    kind: str
    name: dict[str, str]
    explanation: dict[str, str]
    unit: dict[str, str]
    direction: str
    owner: str
    terms: dict[str, Term]
    target: dict[str, float] = field(default_factory=dict)
    member: str | None = None
    codes: str | None = None
    codes_where: str | None = None
    dimensions: tuple[str, ...] = ()
    tile: bool = True


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


def _term(raw: Any, where: str, time: str | None = None) -> Term:
    if not isinstance(raw, dict) or "measure" not in raw or not (raw.get("time") or time):
        raise PlanError(f"{where}: write {{measure: NAME, time: FIELD}}, found {raw!r}")
    return Term(raw["measure"], raw.get("time") or str(time))


def _terms(raw: dict[str, Any], where: str) -> dict[str, Term]:
    kind = raw["kind"]
    try:
        if kind == "ratio":
            denominator = _term(raw["denominator"], f"{where}.denominator")
            numerator = _term(raw["numerator"], f"{where}.numerator", denominator.time)
            return {"numerator": numerator, "denominator": denominator}
        terms = {"value": _term(raw["value"], f"{where}.value")}
        if kind == "stock" and "less" in raw:
            terms["less"] = _term(raw["less"], f"{where}.less")
        return terms
    except KeyError as error:
        raise PlanError(f"{where}: {error.args[0]!r} is missing; a {kind} needs it") from error


_KPI_KEYS = frozenset(
    [
        "id",
        "name",
        "explanation",
        "kind",
        "unit",
        "direction",
        "owner",
        "target",
        "value",
        "numerator",
        "denominator",
        "less",
        "member",
        "over",
        "tile",
    ]
)


def dimensions_by(time: str, dimensions: tuple[str, ...]) -> tuple[str, ...]:
    """Dimensions of the rollup by `time` of an entity with `dimensions`."""
    return arrivals.DIMENSIONS if time == arrivals.TIME else dimensions


def _kpi(raw: dict[str, Any], entity: str, dimensions: tuple[str, ...], where: str) -> Kpi:
    unknown = set(raw) - _KPI_KEYS
    if unknown:
        raise PlanError(f"{where}: unknown key {sorted(unknown)[0]!r}; known: {', '.join(sorted(_KPI_KEYS))}")
    for required in ("id", "name", "explanation", "kind", "unit", "direction", "owner"):
        if required not in raw:
            raise PlanError(f"{where}: {required!r} is missing")
    if raw["kind"] not in KINDS:
        raise PlanError(f"{where}.kind: {raw['kind']!r} is not one of {', '.join(KINDS)}")
    if raw["kind"] == "members" and not ("member" in raw and "over" in raw):
        raise PlanError(f"{where}: a members KPI needs 'member' and 'over'")
    over = raw.get("over") or {}
    terms = _terms(raw, where)
    rolled_by = [dimensions_by(term.time, dimensions) for term in terms.values()]
    return Kpi(
        id=raw["id"],
        entity=entity,
        kind=raw["kind"],
        name=raw["name"],
        explanation=raw["explanation"],
        unit=raw["unit"],
        direction=raw["direction"],
        owner=raw["owner"],
        terms=terms,
        target={str(key): float(value) for key, value in (raw.get("target") or {}).items()},
        member=raw.get("member"),
        codes=over.get("codes"),
        codes_where=over.get("where"),
        dimensions=tuple(name for name in rolled_by[0] if all(name in others for others in rolled_by)),
        tile=bool(raw.get("tile", True)),
    )


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
        check_measure(measure.sql, [*contract.by_name, "kafka_time"], times)
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
    entity = raw.get("entity")
    if entity not in contracts:
        raise PlanError(f"{where}.entity: {entity!r} has no contract; known: {', '.join(sorted(contracts))}")
    contract = contracts[entity]
    raw = arrivals.declared(raw, where)
    dimensions = tuple(raw.get("dimensions", ()))
    for name in dimensions:
        if name not in contract.by_name:
            raise PlanError(f"{where}.dimensions: {entity} has no field {name!r}")
    measures = {
        name: Measure(name, body["sql"], body["name"]["vi"], body["name"]["en"])
        for name, body in (raw.get("measures") or {}).items()
    }
    kpis = tuple(
        _kpi(item, entity, dimensions, f"{where}.kpis[{number}]") for number, item in enumerate(raw.get("kpis", ()))
    )
    needed: dict[str, dict[str, Measure]] = {}
    for kpi in kpis:
        for role, term in kpi.terms.items():
            if term.measure not in measures:
                raise PlanError(f"{where}: {kpi.id}.{role}.measure: no measure {term.measure!r}")
            _check_time(term, contract, f"{where}: {kpi.id}.{role}.time")
            _check_measure(measures[term.measure], contract, f"{where}: {kpi.id}.{role}")
            needed.setdefault(term.time, {})[term.measure] = measures[term.measure]
        if kpi.member is not None and kpi.member not in dimensions:
            raise PlanError(f"{where}: {kpi.id}.member: {kpi.member!r} is not a dimension")
    rollups = tuple(
        Rollup(rollup_table(entity, time), entity, time, dimensions_by(time, dimensions), tuple(needed[time].values()))
        for time in sorted(needed)
    )
    return EntityPlan(entity, dimensions, measures, kpis, rollups)


def load_plans(contracts: dict[str, Contract], root: Path | None = None) -> dict[str, EntityPlan]:
    """All plans by entity, from `root` or the package's own `kpis/`; entities without KPIs get an empty plan."""
    base = root or Path(str(files("streams"))) / "kpis"
    plans = {name: EntityPlan(name, (), {}, (), ()) for name in contracts}
    for path in sorted(base.glob("*.yaml")):
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        plan = plan_entity(raw, contracts, path.name)
        plans[plan.entity] = plan
    return plans
