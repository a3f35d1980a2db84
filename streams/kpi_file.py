"""KPIs as files declare them, checked key by key. Pure; every error names the place, what is there and what to write.

    - id: dossier.online_share            # lower case, dots; stable: addresses and alerts name it
      name: {vi: …, en: …}                # explanation and unit likewise
      kind: ratio                         # flow, ratio, stock, members, due, score
      direction: up                       # up, down, none
      owner: VP UBND
      numerator: {measure: received_online}
      denominator: {measure: received, time: received_at}
      scale: 100                          # of a ratio: 100 (default) gives per cent, 1 a mean
      target: {default: 50, "2025": 80, "2025-Q1": {all: 75, H53.14: 90}}
      thresholds: {warn: 40, alarm: 30}   # in the KPI's unit; reached in the bad direction
      legal: "QĐ 766/QĐ-TTg"              # or {vi: …, en: …}
      reported: {entity: indicator_value, code: CT-DVC}
      version: 2
      valid_from: 2025-07-01
      earlier: [{version: 1, target: {default: 30}}]   # older versions: only what differs

With `last: true` a flow or ratio is no sum over the period: of each unit the last day counts on which its denominator,
or value, is not 0 – figures reported as of a day.

A due KPI has `value` by a due time and `due: past` or `due: {within_h: 24}`, a score `parts: [{kpi: ID, weight: 20}]`,
a forecast what `streams.kpi_forecast` shows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from streams import arrivals
from streams.errors import PlanError
from streams.kpi import DIRECTIONS, KINDS, Due, Kpi, Part, Reported, Term, Thresholds
from streams.kpi_forecast import left_terms, read_forecast

REQUIRED = ("id", "name", "explanation", "kind", "unit", "direction", "owner")
_TERMS = {
    "flow": ("value",),
    "ratio": ("numerator", "denominator"),
    "stock": ("value", "less"),
    "members": ("value", "member", "over"),
    "due": ("value", "due"),
    "forecast": ("value", "done", "kept", "left", "like", "back_days", "least"),
    "score": ("parts",),
}
_OF_KINDS = frozenset(key for keys in _TERMS.values() for key in keys)
_OPTIONAL = ("target", "tile", "scale", "thresholds", "legal", "reported", "last", "version", "valid_from", "earlier")
KEYS = frozenset((*REQUIRED, *_OPTIONAL, *_OF_KINDS))

_PERIOD = re.compile(r"default|\d{4}(-(Q[1-4]|H[12]|0[1-9]|1[0-2]))?")
_ID = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
ALL = "all"
"""In a target by unit: the whole province."""


def dimensions_by(time: str, dimensions: tuple[str, ...]) -> tuple[str, ...]:
    """Dimensions of the rollup by `time` of an entity with `dimensions`."""
    return arrivals.DIMENSIONS if time == arrivals.TIME else dimensions


def read_kpi(raw: Any, entity: str, dimensions: tuple[str, ...], where: str) -> Kpi:
    """One KPI of a file with its earlier versions; PlanError."""
    if not isinstance(raw, dict):
        raise PlanError(f"{where}: a KPI is a mapping that begins with id, found {_shown(raw)}")
    earlier = raw.get("earlier") or ()
    if not isinstance(earlier, Sequence) or isinstance(earlier, str):
        raise PlanError(f"{where}.earlier: write a list of older versions, found {_shown(earlier)}")
    now = {key: value for key, value in raw.items() if key != "earlier"}
    newest = _one(now, entity, dimensions, where)
    older: list[Kpi] = []
    for number, changes in enumerate(earlier):
        place = f"{where}.earlier[{number}]"
        if not isinstance(changes, dict) or {"id", "kind", "earlier"} & set(changes):
            raise PlanError(
                f"{place}: write what differs in that version, without id and kind; found {_shown(changes)}"
            )
        before = older[-1] if older else newest
        if before.valid_from is None:
            raise PlanError(f"{where}: version {before.version} needs valid_from: an older version ends the day before")
        one = _one({**{key: value for key, value in now.items() if key != "valid_from"}, **changes}, entity, dimensions,
                   place)  # fmt: skip
        if one.version >= before.version or (one.valid_from and one.valid_from >= before.valid_from):
            raise PlanError(f"{place}: version and valid_from must be older than version {before.version}'s")
        older.append(one)
    return replace(newest, earlier=tuple(older))


def _one(raw: dict[str, Any], entity: str, dimensions: tuple[str, ...], where: str) -> Kpi:
    _keys(raw, where)
    kind, over = raw["kind"], raw.get("over") or {}
    terms = _terms(raw, where)
    rolled_by = [dimensions_by(term.time, dimensions) for term in terms.values()] or [dimensions]
    target, unit_targets = _targets(raw.get("target"), f"{where}.target")
    return Kpi(
        id=raw["id"],
        entity=entity,
        kind=kind,
        name=_texts(raw["name"], f"{where}.name"),
        explanation=_texts(raw["explanation"], f"{where}.explanation"),
        unit=_texts(raw["unit"], f"{where}.unit"),
        direction=_one_of(raw["direction"], DIRECTIONS, f"{where}.direction"),
        owner=str(raw["owner"]),
        terms=terms,
        target=target,
        member=raw.get("member"),
        codes=over.get("codes"),
        codes_where=over.get("where"),
        dimensions=tuple(name for name in rolled_by[0] if all(name in others for others in rolled_by)),
        tile=bool(raw.get("tile", True)),
        scale=_scale(raw.get("scale", 100), kind, f"{where}.scale"),
        unit_targets=unit_targets,
        thresholds=_thresholds(raw.get("thresholds"), raw["direction"], f"{where}.thresholds"),
        legal=_legal(raw.get("legal"), f"{where}.legal"),
        reported=_reported(raw.get("reported"), f"{where}.reported"),
        due=_due(raw["due"], f"{where}.due") if kind == "due" else None,
        forecast=read_forecast(raw, dimensions, where) if kind == "forecast" else None,
        parts=_parts(raw["parts"], f"{where}.parts") if kind == "score" else (),
        last=_last(raw.get("last", False), kind, f"{where}.last"),
        version=_version(raw.get("version", 1), f"{where}.version"),
        valid_from=_day(raw.get("valid_from"), f"{where}.valid_from"),
    )


def _keys(raw: dict[str, Any], where: str) -> None:
    unknown = sorted(str(key) for key in set(raw) - KEYS)
    if unknown:
        raise PlanError(f"{where}: unknown key {unknown[0]!r}; known: {', '.join(sorted(KEYS))}")
    for required in REQUIRED:
        if required not in raw:
            raise PlanError(f"{where}: {required!r} is missing")
    kind = _one_of(raw["kind"], KINDS, f"{where}.kind")
    if not isinstance(raw["id"], str) or not _ID.fullmatch(raw["id"]):
        raise PlanError(f"{where}.id: {raw['id']!r}: write lower-case words with a dot, such as dossier.on_time_share")
    wanted = _TERMS[kind]
    for key in wanted:
        if key not in raw and key != "less":
            raise PlanError(f"{where}: {key!r} is missing; a {kind} needs it")
    foreign = sorted((_OF_KINDS - set(wanted)) & set(raw))
    if foreign:
        raise PlanError(f"{where}.{foreign[0]}: a {kind} has no such key; it has {', '.join(wanted)}")


def _terms(raw: dict[str, Any], where: str) -> dict[str, Term]:
    kind = raw["kind"]
    if kind == "ratio":
        denominator = _term(raw["denominator"], f"{where}.denominator")
        return {
            "numerator": _term(raw["numerator"], f"{where}.numerator", denominator.time),
            "denominator": denominator,
        }
    if kind == "score":
        return {}
    terms = {"value": _term(raw["value"], f"{where}.value")}
    if kind == "forecast":
        kept = {role: _term(raw[role], f"{where}.{role}") for role in ("done", "kept")}
        return terms | kept | left_terms(raw["left"], kept["done"].time, f"{where}.left")
    if "less" in raw:
        terms["less"] = _term(raw["less"], f"{where}.less")
    return terms


def _term(raw: Any, where: str, time: str | None = None) -> Term:
    if (
        not isinstance(raw, dict)
        or set(raw) - {"measure", "time"}
        or "measure" not in raw
        or not (raw.get("time") or time)
    ):
        raise PlanError(f"{where}: write {{measure: NAME, time: FIELD}}, found {raw!r}")
    return Term(raw["measure"], raw.get("time") or str(time))


def _targets(raw: Any, where: str) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    if raw is None:
        return {}, {}
    if not isinstance(raw, Mapping):
        raise PlanError(f'{where}: write {{default: 50, "2025": 80}}, found {_shown(raw)}')
    whole: dict[str, float] = {}
    by_unit: dict[str, dict[str, float]] = {}
    for key, value in raw.items():
        period, place = str(key), f"{where}.{key}"
        if not _PERIOD.fullmatch(period):
            raise PlanError(f"{place}: no period; write default, 2025, 2025-H1, 2025-Q1 or 2025-03")
        if not isinstance(value, Mapping):
            whole[period] = _number(value, place)
            continue
        units = {str(unit): _number(amount, f"{place}.{unit}") for unit, amount in value.items()}
        if ALL in units:
            whole[period] = units.pop(ALL)
        by_unit[period] = units
    return whole, by_unit


def _thresholds(raw: Any, direction: str, where: str) -> Thresholds:
    if raw is None:
        return Thresholds()
    if not isinstance(raw, Mapping) or not raw or set(raw) - {"warn", "alarm"}:
        raise PlanError(f"{where}: write {{warn: 75, alarm: 60}}, found {_shown(raw)}")
    if direction == "none":
        raise PlanError(f"{where}: a KPI with direction none has no bad values; write direction up or down")
    warn, alarm = (_number(raw[key], f"{where}.{key}") if key in raw else None for key in ("warn", "alarm"))
    if warn is not None and alarm is not None and (warn < alarm if direction == "up" else warn > alarm):
        raise PlanError(
            f"{where}: with direction {direction} warn comes before alarm, found warn {warn}, alarm {alarm}"
        )
    return Thresholds(warn, alarm)


def _parts(raw: Any, where: str) -> tuple[Part, ...]:
    if not isinstance(raw, list) or not raw:
        raise PlanError(f"{where}: write a list of {{kpi: ID, weight: NUMBER}}, found {_shown(raw)}")
    parts = []
    for number, item in enumerate(raw):
        place = f"{where}[{number}]"
        if not isinstance(item, Mapping) or not {"kpi", "weight"} <= set(item) <= {"kpi", "weight", "name"}:
            raise PlanError(f"{place}: write {{kpi: ID, weight: NUMBER, name: {{vi: …, en: …}}}}, found {_shown(item)}")
        weight = _number(item["weight"], f"{place}.weight")
        if weight <= 0:
            raise PlanError(f"{place}.weight: {weight:g} is not above 0")
        name = _texts(item["name"], f"{place}.name") if "name" in item else None
        parts.append(Part(str(item["kpi"]), weight, name))
    if len({part.kpi for part in parts}) < len(parts):
        raise PlanError(f"{where}: a KPI appears twice; add the weights up")
    return tuple(parts)


def _due(raw: Any, where: str) -> Due:
    if raw == "past":
        return Due()
    if isinstance(raw, Mapping) and set(raw) == {"within_h"}:
        hours = _number(raw["within_h"], f"{where}.within_h")
        if 0 < hours <= arrivals.MOST_HOURS:
            return Due(past=False, within_h=hours)
    raise PlanError(f"{where}: write past, or {{within_h: HOURS}} with hours from 0 to {arrivals.MOST_HOURS}; "
                    f"found {_shown(raw)}")  # fmt: skip


def _last(raw: Any, kind: str, where: str) -> bool:
    if not isinstance(raw, bool) or (raw and kind not in ("flow", "ratio")):
        raise PlanError(f"{where}: write true at a flow or a ratio, found {_shown(raw)} at a {kind}")
    return raw


def _reported(raw: Any, where: str) -> Reported | None:
    if raw is None:
        return None
    if not isinstance(raw, Mapping) or not {"entity", "code"} <= set(raw) <= {"entity", "code", "field"}:
        raise PlanError(f"{where}: write {{entity: NAME, code: CODE}}, found {_shown(raw)}")
    return Reported(**{str(key): str(value) for key, value in raw.items()})


def _legal(raw: Any, where: str) -> dict[str, str] | None:
    if raw is None:
        return None
    return {"vi": raw, "en": raw} if isinstance(raw, str) else _texts(raw, where)


def _texts(raw: Any, where: str) -> dict[str, str]:
    if not isinstance(raw, Mapping) or set(raw) != {"vi", "en"} or not all(isinstance(raw[key], str) for key in raw):
        raise PlanError(f"{where}: write {{vi: …, en: …}}, both texts; found {_shown(raw)}")
    return {"vi": raw["vi"], "en": raw["en"]}


def _one_of(value: Any, allowed: tuple[str, ...], where: str) -> str:
    if value not in allowed:
        raise PlanError(f"{where}: {value!r} is not one of {', '.join(allowed)}")
    return str(value)


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise PlanError(f"{where}: write a number, found {_shown(value)}")
    return float(value)


def _scale(value: Any, kind: str, where: str) -> int:
    if type(value) is not int or value < 1 or (kind != "ratio" and value != 100):
        raise PlanError(f"{where}: only a ratio has one, a whole number from 1; found {_shown(value)} for a {kind}")
    return value


def _version(value: Any, where: str) -> int:
    if type(value) is not int or value < 1:
        raise PlanError(f"{where}: write a whole number from 1, found {_shown(value)}")
    return value


def _day(value: Any, where: str) -> date | None:
    if value is None or type(value) is date:
        return value
    raise PlanError(f"{where}: write a day as YYYY-MM-DD without quotes, found {_shown(value)}")


def _shown(value: Any) -> str:
    return f"{value!r} ({type(value).__name__})"
