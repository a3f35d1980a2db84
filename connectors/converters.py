"""Which converter a rule means for a field of the contract; what does not fit is named with file, line and path."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors import convert, convert_time
from connectors.convert import Convert
from connectors.convert_number import decimal_text, number_text
from connectors.convert_table import lookup, table_values
from connectors.errors import ManifestError, MappingError, Text
from connectors.manifest import Manifest
from connectors.pseudonym import PersonalClass, Pseudonymiser
from connectors.rules import FieldRule
from schemas.codes_table import CodeTable
from schemas.contract import Field
from schemas.declaration import unknown_key

INT_BOUNDS = (-(2**31), 2**31 - 1)
LONG_BOUNDS = (-(2**63), 2**63 - 1)
NUMBERS = ("int", "long", "float", "double", "decimal")
MEANT_FOR: Mapping[str, tuple[str, ...]] = {
    "pattern": ("string",),
    "normalise": ("string",),
    "check": ("string",),
    "pseudonym": ("string",),
    "codeset": ("string",),
    "decimal": NUMBERS,
    "min": NUMBERS,
    "max": NUMBERS,
}
"""Keys of a rule, and the types of fields that they are for. Elsewhere they would be ignored in silence."""


@dataclass(frozen=True, slots=True)
class Converters:
    """Chooses for one manifest. `tables`: the code tables that `table` may name."""

    manifest: Manifest
    pseudonymiser: Pseudonymiser
    tables: Mapping[str, CodeTable]

    def fault(self, name: str, problem: Text, *below: str) -> ManifestError:
        """What is wrong with the rule of a field, or with a key of it."""
        return self.manifest.fault(("mapping", name, *below), problem)

    def constant(self, field: Field, value: Any) -> Any:
        """The constant as the field has it; ManifestError if it does not fit."""
        if field.base == "decimal":
            try:
                return convert.fixed_point(field.precision, field.scale)(value)
            except MappingError as error:
                raise self.fault(
                    field.name, Text(f"hằng: {error.reason.vi}", f"constant: {error.reason.en}")
                ) from error
        wanted = {"string": str, "boolean": bool, "int": int, "long": int, "timestamp": int}.get(field.base)
        fits = value in field.symbols if field.base == "enum" else wanted is None or type(value) is wanted
        if not fits:
            known = f" ({', '.join(field.symbols)})" if field.symbols else ""
            raise self.fault(
                field.name,
                Text(
                    f"có hằng {value!r} không hợp kiểu {field.base}{known}",
                    f"the constant {value!r} is no {field.base}{known}",
                ),
            )
        return value

    def converter(self, field: Field, rule: FieldRule) -> Convert:
        """From a raw value to the field's; ManifestError where the rule does not fit the field."""
        self._refuse_misplaced(field, rule)
        if rule.codes is not None:
            return convert.codes({code: self.constant(field, value) for code, value in rule.codes.items()})
        if rule.table is not None:
            return self._of_table(field, rule)
        zone = self.manifest.zone
        if rule.codeset is not None:
            steps = tuple((step.before, step.value) for step in rule.codeset)
            return convert_time.codeset(convert_time.time_by_any(rule.times, zone), steps, zone)
        if field.base == "timestamp" and rule.time is None:
            raise self.fault(field.name, Text("là thời gian, cần khóa time", "is a time and needs the key time"))
        if field.base != "timestamp" and rule.time is not None:
            raise self.fault(field.name, Text("không phải thời gian", "is not for a field that is no time"), "time")
        if rule.time is not None:
            return convert_time.time_by_any(rule.times, zone)
        return self._text(rule) if field.base == "string" else _plain(field, rule)

    def _refuse_misplaced(self, field: Field, rule: FieldRule) -> None:
        for key, bases in MEANT_FOR.items():
            if getattr(rule, key) is not None and field.base not in bases:
                named = ", ".join(bases)
                raise self.fault(
                    field.name,
                    Text(
                        f"chỉ dùng cho trường kiểu {named}; trường này kiểu {field.base}",
                        f"is for fields of type {named}; this one is of type {field.base}",
                    ),
                    key,
                )

    def _of_table(self, field: Field, rule: FieldRule) -> Convert:
        wanted = rule.table
        assert wanted is not None
        if wanted.name not in self.tables:
            raise self.fault(
                field.name, Text(*unknown_key(wanted.name, self.tables, "bảng mã", "code table")), "table", "name"
            )
        table = self.tables[wanted.name]
        columns = (("by", wanted.by), ("give", wanted.give), *((f"where.{name}", name) for name in wanted.where))
        for key, column in columns:
            if column not in table.columns:
                problem = Text(*unknown_key(column, table.columns, "cột", "column"))
                raise self.fault(field.name, problem, "table", *key.split("."))
        try:
            values = table_values(table, wanted.by, wanted.give, wanted.where)
        except MappingError as error:
            raise self.fault(field.name, error.problem, "table") from None
        whole = field.base in {"int", "long"}
        return lookup(wanted.name, {key: self.constant(field, int(v) if whole else v) for key, v in values.items()})

    def _text(self, rule: FieldRule) -> Convert:
        if rule.pseudonym is not None:
            return convert.Pseudonym(self.pseudonymiser.of(PersonalClass[rule.pseudonym.upper()]))
        if rule.normalise == "procedure_code":
            return convert.procedure_code
        if rule.check == "dossier_code":
            return convert.dossier_code
        return convert.matching(rule.pattern) if rule.pattern else convert.text


def _plain(field: Field, rule: FieldRule) -> Convert:
    if field.base == "enum":
        return convert.codes({symbol: symbol for symbol in field.symbols})
    if field.base == "boolean":
        return convert.boolean
    made = _number(field, rule)
    if rule.decimal is None:
        return made
    if field.base == "decimal":
        return decimal_text(rule.decimal, made)
    return number_text(rule.decimal, field.base in {"int", "long"}, made)


def bounds_of(field: Field, rule: FieldRule) -> tuple[Any, Any]:
    """The least and the most that a number may be: what its type holds, and the rule allows."""
    if field.base in {"int", "long"}:
        low, high = INT_BOUNDS if field.base == "int" else LONG_BOUNDS
        return (
            low if rule.min is None else max(low, int(rule.min)),
            high if rule.max is None else min(high, int(rule.max)),
        )
    least, most = (-math.inf, math.inf) if field.base == "decimal" else (-1e308, 1e308)
    return least if rule.min is None else rule.min, most if rule.max is None else rule.max


def _number(field: Field, rule: FieldRule) -> Convert:
    low, high = bounds_of(field, rule)
    if field.base in {"int", "long"}:
        return convert.integer(low, high)
    if field.base == "decimal":
        return convert.fixed_point(field.precision, field.scale, low, high)
    return convert.decimal(low, high)
