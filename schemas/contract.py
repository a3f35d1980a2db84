"""Contracts: one Avro record per entity, read from `schemas/avro/<domain>/<entity>.avsc`."""

from __future__ import annotations

import json
from dataclasses import dataclass
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

OPS = ("UPSERT", "CORRECT", "DELETE")
"""Kinds of assertion, in the order in which they win at the same revision."""


@dataclass(frozen=True, slots=True)
class Field:
    """One flat field. `base` is `string|int|long|float|double|boolean|enum|timestamp`."""

    name: str
    base: str
    nullable: bool
    doc_vi: str
    doc_en: str
    default: Any = None
    has_default: bool = False
    symbols: tuple[str, ...] = ()
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
    symbols: tuple[str, ...] = ()
    if isinstance(kind, dict):
        if kind.get("logicalType") == "timestamp-millis" and kind.get("type") == "long":
            base = "timestamp"
        elif kind.get("type") == "enum":
            base, symbols = "enum", tuple(kind["symbols"])
        else:
            raise ContractError(
                f"{where}.{raw['name']}: type {json.dumps(kind)} is not flat; "
                "use a primitive, an enum or timestamp-millis"
            )
    elif kind in {"string", "int", "long", "float", "double", "boolean"}:
        base = kind
    else:
        raise ContractError(
            f"{where}.{raw['name']}: type {kind!r} is not flat; use a primitive, an enum or timestamp-millis"
        )
    return Field(
        name=raw["name"],
        base=base,
        nullable=nullable,
        doc_vi=raw.get("doc", ""),
        doc_en=raw.get("doc_en", ""),
        default=raw.get("default"),
        has_default="default" in raw,
        symbols=symbols,
        pii=raw.get("pii"),
        codes=raw.get("codes"),
        unit=raw.get("unit"),
        role=raw.get("role"),
    )


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
    return Contract(domain=domain, entity=entity, kind=schema.get("kind", "entity"), schema=schema, fields=fields)


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
