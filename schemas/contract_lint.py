"""The linter of contracts: what the specification does not ask for and people who read and connect do. Pure."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from schemas.codes_table import CodeTable
from schemas.contract import ENVELOPE, Contract, parse_contract
from schemas.contract_field import Field
from schemas.contract_finding import Finding, finding
from schemas.contract_text import line_of_field, read_schema
from schemas.errors import ContractError
from schemas.personal import CLASSES, JUDGED, looks_personal, speaks_of_a_pseudonym
from schemas.units import UNITS

ROLES = {
    "entity_key": "key",
    "revision": "revision",
    "op": "op",
    "event_time": "event_time",
    "ingest_time": "ingest_time",
}
"""The envelope's marks, by field."""

RESERVED = frozenset(
    [
        *("kind", "sign", "reason", "topic_id", "life", "partition", "offset", "first", "last", "state_offset"),
        *("epoch", "heal", "kafka_time", "batch_time", "joint", "deleted", "version", "day", "arrival", "clock_skew"),
        *("late_corrections", "null", "true", "false"),
    ]
)
"""Columns that the warehouse has beside a contract's own, and words that its SQL reads otherwise."""

UNKNOWN = "UNKNOWN"

NUMBERS = frozenset({"int", "long", "float", "double", "decimal"})

RECORD_ATTRIBUTES = frozenset(
    [
        *("type", "name", "namespace", "aliases", "fields", "doc", "doc_en", "title", "title_en", "owner", "owner_en"),
        *("kind", "remember_days", "topic", "aggregate", "legal"),
    ]
)
FIELD_ATTRIBUTES = frozenset(
    [
        *("name", "type", "default", "aliases", "order", "doc", "doc_en", "role", "codes", "few_values", "unit"),
        *("unit_field", "min", "max", "pii", "examples"),
    ]
)


def lint(text: str, domain: str, entity: str, tables: Mapping[str, CodeTable]) -> list[Finding]:
    """All that is wrong with the text of `<domain>/<entity>.avsc`, in the order of its fields. Pure.

    A file that is no contract at all gives one finding, `unreadable`.
    """
    file = f"{domain}/{entity}.avsc"
    try:
        contract = parse_contract(read_schema(text, file), domain, entity, file)
    except ContractError as error:
        path = _path_of(str(error), file)
        vi, en = (said.removeprefix(file).lstrip(".: ").removeprefix(f"{path}: ") for said in (error.vi, str(error)))
        return [finding(file, line_of_field(text, path) or 1, path, "unreadable", vi=vi, en=en)]
    raw_fields = {raw["name"]: raw for raw in contract.schema["fields"]}
    found = list(_record(contract, file))
    for field in contract.fields:
        subject = _Subject(file, line_of_field(text, field.name) or 1, field, raw_fields[field.name], contract)
        found += subject.findings(tables)
    return found


def _path_of(message: str, file: str) -> str:
    """The field that an error speaks of: `traffic/violation.avsc.plate: …`."""
    named = re.match(rf"{re.escape(file)}\.([A-Za-z_][A-Za-z0-9_]*)", message)
    return named.group(1) if named else ""


def _record(contract: Contract, file: str) -> Iterator[Finding]:
    schema = contract.schema
    for vi, en in (("title", "title_en"), ("doc", "doc_en"), ("owner", "owner_en")):
        yield from _said(schema, vi, en, file, 1, "")
    for key in sorted(set(schema) - RECORD_ATTRIBUTES):
        near = _nearest(key, RECORD_ATTRIBUTES)
        yield finding(file, 1, key, "attribute-unknown", found=key, near=near)
    wanted = "".join(part.capitalize() for part in contract.entity.split("_"))
    if schema["name"] != wanted:
        yield finding(file, 1, "name", "name-form", found=schema["name"], near=wanted)
    if schema["namespace"] != f"ioc.{contract.domain}":
        yield finding(file, 1, "namespace", "name-form", found=schema["namespace"], near=f"ioc.{contract.domain}")


def _said(raw: Mapping[str, Any], vi: str, en: str, file: str, line: int, path: str) -> Iterator[Finding]:
    """Both languages, and not one for the other."""
    texts = {key: str(raw.get(key) or "").strip() for key in (vi, en)}
    if not texts[vi]:
        yield finding(file, line, path, "doc-vi", key=vi)
    if not texts[en] or (texts[en] == texts[vi] and vi == "doc"):
        yield finding(file, line, path, "doc-en", key=en)


def _nearest(word: str, known: Any) -> str:
    return ", ".join(difflib.get_close_matches(word, sorted(known), n=2, cutoff=0.4) or sorted(known))


@dataclass(frozen=True, slots=True)
class _Subject:
    """One field under the rules."""

    file: str
    line: int
    field: Field
    raw: Mapping[str, Any]
    contract: Contract

    def findings(self, tables: Mapping[str, CodeTable]) -> Iterator[Finding]:
        yield from _said(self.raw, "doc", "doc_en", self.file, self.line, self.field.name)
        yield from self._attributes()
        yield from self._name()
        yield from self._role()
        yield from self._personal()
        yield from self._unit()
        yield from self._codes(tables)
        if self.field.base == "enum" and self.field.name != "op" and self.field.symbol_default != UNKNOWN:
            yield self._found("enum-default")
        yield from self._range()
        yield from self._examples()

    def _found(self, rule: str, **values: Any) -> Finding:
        return finding(self.file, self.line, self.field.name, rule, **values)

    def _attributes(self) -> Iterator[Finding]:
        for key in sorted(set(self.raw) - FIELD_ATTRIBUTES):
            yield self._found("attribute-unknown", found=key, near=_nearest(key, FIELD_ATTRIBUTES))

    def _name(self) -> Iterator[Finding]:
        name = self.field.name
        if name.lower() in RESERVED or name.startswith("__"):
            yield self._found("name-reserved", near=f"{self.contract.entity}_{name.strip('_')}")
        elif not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
            near = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_")
            yield self._found("name-form", found=name, near=near)

    def _role(self) -> Iterator[Finding]:
        wanted = ROLES.get(self.field.name)
        if wanted is not None and self.field.role != wanted:
            yield self._found("role", wanted=json.dumps(wanted))
        elif wanted is None and self.field.role is not None:
            yield self._found("role-unknown", found=self.field.role)

    def _personal(self) -> Iterator[Finding]:
        tag = self.raw.get("pii")
        if tag is not None and tag not in (*CLASSES, JUDGED):
            yield self._found("pii-class", found=json.dumps(tag, ensure_ascii=False))
        if self.field.name in ENVELOPE:
            if self.field.pii:
                yield self._found("pii-key")
            return
        suggested = looks_personal(self.field.name)
        if suggested is None and speaks_of_a_pseudonym(f"{self.field.doc_vi} {self.field.doc_en}"):
            suggested = "basic"
        if tag is None and suggested is not None and self.field.base != "boolean":
            yield self._found("pii-untagged", suggested=suggested)
        if self.field.pii and self.contract.is_aggregate:
            yield self._found("pii-aggregate")

    def _unit(self) -> Iterator[Finding]:
        field = self.field
        if field.unit is not None and field.unit not in UNITS:
            yield self._found("unit-unknown", found=field.unit, near=_nearest(str(field.unit), UNITS))
        if field.unit_field is not None:
            named = self.contract.by_name.get(field.unit_field)
            if named is None or named.base != "string":
                yield self._found("unit-field", found=field.unit_field)
        if field.base in NUMBERS and field.role is None and not (field.unit or field.unit_field or field.codes):
            yield self._found("unit-missing")

    def _codes(self, tables: Mapping[str, CodeTable]) -> Iterator[Finding]:
        codes = self.field.codes
        if codes is not None and codes not in tables:
            yield self._found("codes-unknown", found=codes, near=_nearest(str(codes), tables), name=codes)

    def _range(self) -> Iterator[Finding]:
        limits = [value for key in ("min", "max") if (value := self.raw.get(key)) is not None]
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in limits)
        if limits and (self.field.base not in NUMBERS or not numbers or limits != sorted(limits)):
            yield self._found("range-wrong")

    def _examples(self) -> Iterator[Finding]:
        if self.field.base == "string" and not self.field.examples:
            yield self._found("example-missing")
        for example in self.field.examples:
            why = misfit(self.field, example)
            if why is not None:
                yield self._found("example-wrong", found=json.dumps(example, ensure_ascii=False), why=why)


def misfit(field: Field, example: Any) -> str | None:
    """Why an example is no value of the field, None if it is one. Decimals are written as texts."""
    match field.base:
        case "string":
            return None if isinstance(example, str) and example else "string"
        case "enum":
            return None if example in field.symbols else ", ".join(field.symbols)
        case "boolean":
            return None if isinstance(example, bool) else "true, false"
        case "timestamp":
            return None if isinstance(example, str) and re.match(r"\d{4}-\d\d-\d\dT.*Z$", example) else "…T…Z"
        case "decimal":
            return _decimal_misfit(field, example)
        case _:
            return _number_misfit(field, example)


def _decimal_misfit(field: Field, example: Any) -> str | None:
    try:
        number = Decimal(example) if isinstance(example, str) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite():
        return '"12.5"'
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or -exponent > field.scale:
        return field.type_text
    return _out_of_range(field, float(number))


def _number_misfit(field: Field, example: Any) -> str | None:
    whole = field.base in ("int", "long")
    if isinstance(example, bool) or not isinstance(example, int if whole else int | float):
        return field.base
    return _out_of_range(field, example)


def _out_of_range(field: Field, number: float) -> str | None:
    low = field.minimum is not None and number < field.minimum
    high = field.maximum is not None and number > field.maximum
    return f"{field.minimum} … {field.maximum}" if low or high else None
