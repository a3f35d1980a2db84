"""Contracts: one Avro record per entity, read from `schemas/avro/<domain>/<entity>.avsc`."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

from schemas.avro_parser import InvalidSchemaError, parse_schema
from schemas.codes_table import CodeTable
from schemas.contract_field import MAX_PRECISION as MAX_PRECISION
from schemas.contract_field import Field as Field
from schemas.contract_field import parse_field
from schemas.contract_text import read_schema
from schemas.errors import ContractError
from schemas.topic_settings import TopicSettings, topic_settings

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

ENVELOPE_BASES = {
    **dict.fromkeys(ENVELOPE, "string"),
    "revision": "long",
    "op": "enum",
    "event_time": "timestamp",
    "ingest_time": "timestamp",
}
"""Types of the envelope's fields, none of them nullable."""


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
    def topic_settings(self) -> TopicSettings:
        """What the contract says of its topic."""
        return topic_settings(self.schema, self.entity)

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
    def is_aggregate(self) -> bool:
        """Whether a record is a count over persons, so that no row of one person leaves the connector."""
        return bool(self.schema.get("aggregate"))

    def title(self, language: str) -> str:
        """The entity's name for people, in `vi` or `en`."""
        return str(self.schema.get("title_en" if language == "en" else "title") or self.entity)

    def owner(self, language: str) -> str:
        """The department that answers for the data."""
        return str(self.schema.get("owner_en" if language == "en" else "owner") or "")

    def doc(self, language: str) -> str:
        """What one record is."""
        return str(self.schema.get("doc_en" if language == "en" else "doc") or "")

    @property
    def legal(self) -> str | None:
        """The regulation or standard that the contract follows."""
        found = self.schema.get("legal")
        return None if found is None else str(found)

    @property
    def pii_fields(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields if field.pii)

    @cached_property
    def schema_text(self) -> str:
        """The schema as registered: compact JSON, key order as in the file."""
        return json.dumps(self.schema, ensure_ascii=False, separators=(",", ":"))


def parse_contract(schema: dict[str, Any], domain: str, entity: str, where: str) -> Contract:
    """Check an Avro record against the rules for contracts; `where` names it in errors. Raises ContractError."""
    for required in ("type", "name", "namespace", "fields"):
        if required not in schema:
            raise ContractError(
                f"{where}: {required!r} is missing; a contract has type, name, namespace and fields",
                f"{where}: thiếu «{required}»; hợp đồng dữ liệu có type, name, namespace và fields",
            )
    if schema["type"] != "record":
        raise ContractError(
            f"{where}: type is {schema['type']!r}, a contract is a record",
            f"{where}: type là {schema['type']!r}; hợp đồng dữ liệu phải là record",
        )
    if not isinstance(schema["fields"], list):
        raise ContractError(f"{where}.fields: must be a list of fields", f"{where}.fields: phải là danh sách trường")
    fields = tuple(parse_field(raw, where) for raw in schema["fields"])
    _check_names(fields, where)
    kind = _kind(schema, where)
    topic_settings(schema, where)
    try:
        parse_schema(schema)
    except InvalidSchemaError as error:
        raise ContractError(
            f"{where}.{error}; the Avro specification wants it so", f"{where}.{error}; đặc tả Avro yêu cầu như vậy"
        ) from error
    return Contract(domain=domain, entity=entity, kind=kind, schema=schema, fields=fields)


def _check_names(fields: tuple[Field, ...], where: str) -> None:
    names = [field.name for field in fields]
    duplicates = sorted({name for name in names if names.count(name) > 1})
    if duplicates:
        raise ContractError(
            f"{where}.{duplicates[0]}: the field appears twice; take one away or give it another name",
            f"{where}.{duplicates[0]}: trường có hai lần; hãy bỏ một hoặc đặt tên khác",
        )
    missing = ", ".join(name for name in ENVELOPE if name not in names)
    if missing:
        raise ContractError(
            f"{where}: the envelope fields {missing} are missing; copy them from another contract",
            f"{where}: thiếu các trường phong bì {missing}; hãy chép từ hợp đồng khác",
        )
    for field in fields:
        wanted = ENVELOPE_BASES.get(field.name)
        if wanted is not None and (field.base != wanted or field.nullable):
            raise ContractError(
                f"{where}.{field.name}: an envelope field, it must be a {wanted} that is never null",
                f"{where}.{field.name}: trường phong bì, phải là {wanted} và không được trống",
            )


def _kind(schema: Mapping[str, Any], where: str) -> str:
    kind = schema.get("kind", "entity")
    if kind not in KINDS:
        raise ContractError(
            f"{where}.kind: {kind!r} is not one of {', '.join(KINDS)}",
            f"{where}.kind: {kind!r} không thuộc {', '.join(KINDS)}",
        )
    days = schema.get("remember_days", REMEMBER_DAYS)
    if "remember_days" in schema and kind != "fact":
        raise ContractError(
            f"{where}.remember_days: only the keys of facts are forgotten; this is an {kind}",
            f"{where}.remember_days: chỉ khóa của fact mới được quên; đây là {kind}",
        )
    if type(days) is not int or not 1 <= days <= MOST_REMEMBER_DAYS:
        raise ContractError(
            f"{where}.remember_days: {days!r} is no number of days from 1 to {MOST_REMEMBER_DAYS}",
            f"{where}.remember_days: {days!r} không phải số ngày từ 1 đến {MOST_REMEMBER_DAYS}",
        )
    return str(kind)


def read_contract(path: Path) -> Contract:
    """The contract in `<domain>/<entity>.avsc`; ContractError names file, field and cure. Reads the file."""
    where = f"{path.parent.name}/{path.name}"
    return parse_contract(read_schema(read_text(path, where), where), path.parent.name, path.stem, where)


def read_text(path: Path, where: str) -> str:
    """The text of a contract's file; ContractError if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ContractError(
            f"{where}: byte {error.start} is not UTF-8; save the file as UTF-8",
            f"{where}: byte {error.start} không phải UTF-8; hãy lưu tệp dạng UTF-8",
        ) from error
    except OSError as error:
        raise ContractError(
            f"{where}: cannot be read: {error.strerror}", f"{where}: không đọc được: {error.strerror}"
        ) from error


def check_codes(contracts: Iterable[Contract], tables: Mapping[str, CodeTable]) -> None:
    """ContractError for the first field whose code table does not exist."""
    for contract in contracts:
        for field in contract.fields:
            if field.codes is not None and field.codes not in tables:
                near = difflib.get_close_matches(str(field.codes), tables, n=1) or sorted(tables)
                raise ContractError(
                    f"{contract.domain}/{contract.entity}.avsc.{field.name}: there is no code table {field.codes!r}; "
                    f"known: {', '.join(near)}; mend the name or add schemas/codes/{field.codes}.csv",
                    f"{contract.domain}/{contract.entity}.avsc.{field.name}: không có bảng mã «{field.codes}»; "
                    f"hiện có: {', '.join(near)}; hãy sửa tên hoặc thêm schemas/codes/{field.codes}.csv",
                )


def package_root() -> Path:
    """Where the package's own contracts are."""
    return Path(str(files("schemas"))) / "avro"


def load_contracts(root: Path | None = None, *more: Path) -> dict[str, Contract]:
    """All contracts by entity name, from `root` or the package's own `avro/`, then `more`: a later file replaces one
    of the same entity. Raises ContractError."""
    contracts: dict[str, Contract] = {}
    for base in (root or package_root(), *more):
        for path in sorted(base.glob("*/*.avsc")):
            contract = read_contract(path)
            known = contracts.get(contract.entity)
            if known is not None and known.domain != contract.domain:
                raise ContractError(
                    f"{contract.domain}/{path.name}: the entity is in {known.domain}/ already; its name is unique",
                    f"{contract.domain}/{path.name}: thực thể đã có trong {known.domain}/; tên thực thể là duy nhất",
                )
            contracts[contract.entity] = contract
    return contracts
