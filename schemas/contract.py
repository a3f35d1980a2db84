"""Contracts: one Avro record per entity, read from `schemas/avro/<domain>/<entity>.avsc`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

from schemas.errors import ContractError

ENVELOPE = (
    "event_id",
    "source_system",
    "org_code",
    "entity_key",
    "revision",
    "op",
    "event_time",
    "ingest_time",
    "admin_code",
    "admin_codeset",
)
"""Fields every canonical event begins with."""

KINDS = ("entity", "fact")
"""An entity lives and changes; a fact happened once, and its time is in its key, such as a station's reading."""

REMEMBER_DAYS = 40
"""Of facts, keys are remembered for so many days unless the contract says otherwise by `remember_days`: systems that
were away for a month bring what they missed."""

MOST_REMEMBER_DAYS = 3660

OPS = ("UPSERT", "CORRECT", "DELETE")
"""Kinds of assertion, in the order in which they win at the same revision."""

MAX_PRECISION = 38
"""Most digits of a decimal: what 128 bits hold, on the wire of columns as in the warehouse."""

_EXACT = Context(prec=MAX_PRECISION)


@dataclass(frozen=True, slots=True)
class Field:
    """One flat field. `base` is `string|int|long|float|double|boolean|enum|timestamp|decimal`.

    A decimal has at most `precision` digits, `scale` of them after the point; its `default` is a `Decimal`.
    `symbol_default` stands in for an enum's symbols that this version does not know.
    """

    name: str
    base: str
    nullable: bool
    doc_vi: str
    doc_en: str
    default: Any = None
    has_default: bool = False
    symbols: tuple[str, ...] = ()
    symbol_default: str | None = None
    precision: int = 0
    scale: int = 0
    pii: str | None = None
    codes: str | None = None
    unit: str | None = None
    role: str | None = None


@dataclass(frozen=True)
class Contract:
    """An entity's contract. `schema` is the parsed `.avsc` as written."""

    domain: str
    entity: str
    kind: str
    schema: dict[str, Any]
    fields: tuple[Field, ...]

    @property
    def topic(self) -> str:
        return f"ioc.{self.domain}.{self.entity}"

    @property
    def subject(self) -> str:
        """Registry subject, by Confluent's TopicNameStrategy."""
        return f"{self.topic}-value"

    @property
    def full_name(self) -> str:
        return f"{self.schema['namespace']}.{self.schema['name']}"

    @property
    def changes_table(self) -> str:
        return f"{self.entity}_changes"

    @property
    def current_table(self) -> str:
        return f"{self.entity}_current"

    @cached_property
    def by_name(self) -> dict[str, Field]:
        return {field.name: field for field in self.fields}

    @property
    def fence_table(self) -> str:
        return f"{self.entity}_fence"

    @property
    def remember_days(self) -> int | None:
        """Days for which the keys of facts are remembered; None: for ever, as those of entities are."""
        return int(self.schema.get("remember_days", REMEMBER_DAYS)) if self.kind == "fact" else None

    @property
    def pii_fields(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields if field.pii)

    @cached_property
    def schema_text(self) -> str:
        """The schema as registered: compact JSON, key order as in the file."""
        return json.dumps(self.schema, ensure_ascii=False, separators=(",", ":"))


def _field(raw: dict[str, Any], where: str) -> Field:
    kind = raw["type"]
    nullable = False
    if isinstance(kind, list):
        branches = [branch for branch in kind if branch != "null"]
        if len(branches) != 1 or len(kind) != 2:
            raise ContractError(f"{where}.{raw['name']}: a union must be null and one type; contracts are flat")
        nullable = True
        kind = branches[0]
    place = f"{where}.{raw['name']}"
    base = _base(kind, place)
    shape = kind if isinstance(kind, dict) else {}
    precision, scale = _digits(shape, place) if base == "decimal" else (0, 0)
    return Field(
        name=raw["name"],
        base=base,
        nullable=nullable,
        doc_vi=raw.get("doc", ""),
        doc_en=raw.get("doc_en", ""),
        default=_default(raw.get("default"), base, precision, scale, place),
        has_default="default" in raw,
        symbols=tuple(shape.get("symbols", ())),
        symbol_default=shape.get("default"),
        precision=precision,
        scale=scale,
        pii=raw.get("pii"),
        codes=raw.get("codes"),
        unit=raw.get("unit"),
        role=raw.get("role"),
    )


def _base(kind: Any, place: str) -> str:
    if isinstance(kind, dict):
        match kind.get("type"), kind.get("logicalType"):
            case "long", "timestamp-millis":
                return "timestamp"
            case "bytes", "decimal":
                return "decimal"
            case "enum", _:
                return "enum"
        kind = json.dumps(kind)
    elif kind in {"string", "int", "long", "float", "double", "boolean"}:
        return str(kind)
    raise ContractError(
        f"{place}: type {kind} is not flat; use a primitive, an enum, timestamp-millis or a decimal in bytes"
    )


def _digits(shape: dict[str, Any], place: str) -> tuple[int, int]:
    """Precision and scale of a decimal."""
    precision, scale = shape.get("precision"), shape.get("scale", 0)
    if type(precision) is not int or not 1 <= precision <= MAX_PRECISION:
        raise ContractError(f"{place}: precision is {precision!r}; a decimal has 1 to {MAX_PRECISION} digits")
    if type(scale) is not int or not 0 <= scale <= precision:
        raise ContractError(f"{place}: scale is {scale!r}; it must be 0 to the precision, {precision}")
    return precision, scale


def _default(value: Any, base: str, precision: int, scale: int, place: str) -> Any:
    """A decimal's default is written as the characters of its bytes; every other one as itself."""
    if base != "decimal" or value is None:
        return value
    try:
        number = int.from_bytes(value.encode("latin-1"), "big", signed=True)
    except (AttributeError, UnicodeEncodeError) as error:
        raise ContractError(f'{place}: the default {value!r} is no bytes, written as "\\u00ff"') from error
    if abs(number) >= 10**precision:
        raise ContractError(f"{place}: the default has more than {precision} digits")
    return Decimal(number).scaleb(-scale, context=_EXACT)


def parse_contract(schema: dict[str, Any], domain: str, entity: str, where: str) -> Contract:
    """Check an Avro record against the rules for contracts; `where` names it in errors."""
    for required in ("type", "name", "namespace", "fields"):
        if required not in schema:
            raise ContractError(f"{where}: {required!r} is missing")
    if schema["type"] != "record":
        raise ContractError(f"{where}: type is {schema['type']!r}, a contract is a record")
    fields = tuple(_field(raw, where) for raw in schema["fields"])
    names = [field.name for field in fields]
    missing = [name for name in ENVELOPE if name not in names]
    if missing:
        raise ContractError(f"{where}: the envelope fields {', '.join(missing)} are missing")
    duplicates = {name for name in names if names.count(name) > 1}
    if duplicates:
        raise ContractError(f"{where}: fields appear twice: {', '.join(sorted(duplicates))}")
    kind = schema.get("kind", "entity")
    if kind not in KINDS:
        raise ContractError(f"{where}.kind: {kind!r} is not one of {', '.join(KINDS)}")
    days = schema.get("remember_days", REMEMBER_DAYS)
    if "remember_days" in schema and kind != "fact":
        raise ContractError(f"{where}.remember_days: only the keys of facts are forgotten; this is an {kind}")
    if type(days) is not int or not 1 <= days <= MOST_REMEMBER_DAYS:
        raise ContractError(f"{where}.remember_days: {days!r} is no number of days from 1 to {MOST_REMEMBER_DAYS}")
    return Contract(domain=domain, entity=entity, kind=kind, schema=schema, fields=fields)


def load_contracts(root: Path | None = None) -> dict[str, Contract]:
    """All contracts by entity name, from `root` or the package's own `avro/`."""
    base = root or Path(str(files("schemas"))) / "avro"
    contracts: dict[str, Contract] = {}
    for path in sorted(base.glob("*/*.avsc")):
        try:
            schema = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise ContractError(f"{path.name}: not JSON, line {error.lineno}: {error.msg}") from error
        contracts[path.stem] = parse_contract(schema, path.parent.name, path.stem, path.name)
    return contracts
