"""Mapping: a manifest's rules, checked against the contract and compiled once into one function over batches.

Pure: no clock, no log, no metric. A record that does not fit comes back as a Refusal, never as an exception.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from connectors import convert, convert_time, misfit
from connectors.convert import Convert
from connectors.declaration import unknown_key
from connectors.errors import ManifestError, MappingError, Text
from connectors.manifest import Manifest
from connectors.pseudonym import PersonalClass, Pseudonymiser
from connectors.rules import FieldRule
from connectors.source import Refusal
from schemas.contract import Contract, Field

INT_BOUNDS = (-(2**31), 2**31 - 1)
LONG_BOUNDS = (-(2**63), 2**63 - 1)
EMPTY = (None, "")
"""What counts as no value: sources write both."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """Canonical rows (keys in the contract's order, times in epoch milliseconds) and what was refused."""

    rows: list[dict[str, Any]]
    refused: list[Refusal]


@dataclass(frozen=True, slots=True)
class _Step:
    """One field: where it comes from (`path` empty: `constant`), how it converts, what stands in for no value."""

    name: str
    path: tuple[str, ...]
    convert: Convert | None
    required: bool
    default: Any
    is_ingest_time: bool = False


BatchFunction = Callable[[Sequence[Any], int, list[dict[str, Any]], Callable[[Any], None]], None]


class Mapper:
    """A compiled mapping. Calling it is pure and about 10 µs per record."""

    def __init__(self, steps: tuple[_Step, ...]) -> None:
        self._steps = steps
        self._run = _compile(steps)

    def __call__(self, records: Sequence[Any], ingest_ms: int) -> Mapped:
        """Map a batch; order is kept among rows and among refusals. `ingest_ms`: when it was read, UTC epoch ms."""
        mapped = Mapped([], [])

        def refuse(raw: Any) -> None:
            mapped.refused.append(Refusal(raw, self._explain(raw)))

        self._run(records, ingest_ms, mapped.rows, refuse)
        return mapped

    def _explain(self, raw: Any) -> MappingError:
        """The first fault of a record that the compiled function could not map."""
        if not isinstance(raw, dict):
            return misfit.wrong_type(raw, misfit.TYPES[dict])
        for step in self._steps:
            try:
                _check(step, raw)
            except MappingError as error:
                return error.at(".".join(step.path))
        return misfit.misfit()


def _check(step: _Step, raw: dict[str, Any]) -> None:
    if step.convert is None:
        return
    value: Any = raw
    for part in step.path:
        if value in EMPTY:
            break
        if not isinstance(value, dict):
            raise misfit.wrong_type(value, misfit.TYPES[dict])
        value = value.get(part)
    if value in EMPTY:
        if step.required:
            raise misfit.missing()
        return
    step.convert(value)


def _compile(steps: tuple[_Step, ...]) -> BatchFunction:
    """One Python function with every field inlined: twice as fast as a loop over closures."""
    scope: dict[str, Any] = {"EMPTY": EMPTY, "NOTHING": {}, "MappingError": MappingError}
    entries = []
    for number, step in enumerate(steps):
        scope[f"c{number}"], scope[f"d{number}"] = step.convert, step.default
        entries.append(f"            {step.name!r}: {_expression(number, step)},")
    source = "\n".join(
        (
            "def run(records, ingest_ms, rows, refuse):",
            "    append = rows.append",
            "    for raw in records:",
            "        try:",
            "            get = raw.get",
            "            append({",
            *entries,
            "            })",
            "        except (MappingError, AttributeError, TypeError):",
            "            refuse(raw)",
        )
    )
    exec(compile(source, "<mapping>", "exec"), scope)
    function: BatchFunction = scope["run"]
    return function


def _expression(number: int, step: _Step) -> str:
    if step.is_ingest_time:
        return "ingest_ms"
    if step.convert is None:
        return f"d{number}"
    read = f"get({step.path[0]!r})"
    for part in step.path[1:]:
        read = f"({read} or NOTHING).get({part!r})"
    if step.required:
        return f"c{number}({read})"
    return f"(d{number} if (v := {read}) in EMPTY else c{number}(v))"


def compile_mapping(manifest: Manifest, contract: Contract, pseudonymiser: Pseudonymiser) -> Mapper:
    """The mapper of a manifest; ManifestError names the first rule that does not fit the contract."""
    for name in manifest.mapping:
        if name not in contract.by_name:
            vi, en = unknown_key(name, contract.by_name)
            raise _fault(manifest, name, Text(vi, en))
    return Mapper(tuple(_step(manifest, field, pseudonymiser) for field in contract.fields))


def _fault(manifest: Manifest, name: str, problem: Text) -> ManifestError:
    return ManifestError(
        Text(
            f"Đầu nối {manifest.id}, «mapping.{name}»: {problem.vi}",
            f"Connector {manifest.id}, “mapping.{name}”: {problem.en}",
        )
    )


def _step(manifest: Manifest, field: Field, pseudonymiser: Pseudonymiser) -> _Step:
    rule = manifest.mapping.get(field.name)
    optional = field.nullable or field.has_default
    if rule is None:
        if not optional:
            raise _fault(manifest, field.name, Text("trường bắt buộc chưa có quy tắc", "a needed field has no rule"))
        return _Step(field.name, (), None, False, field.default)
    _check_personal(manifest, field, rule)
    if rule.ingest_time:
        return _Step(field.name, (), None, False, None, is_ingest_time=True)
    if rule.const is not None:
        return _Step(field.name, (), None, False, _constant(manifest, field, rule.const))
    default = None if rule.default is None else _constant(manifest, field, rule.default)
    path = tuple((rule.source or "").split("."))
    required = rule.default is None and not field.nullable
    made = _converter(manifest, field, rule, pseudonymiser)
    return _Step(field.name, path, made, required, default)


def _check_personal(manifest: Manifest, field: Field, rule: FieldRule) -> None:
    """Personal in the contract, and personal at the source, both mean a pseudonym."""
    personal = field.pii is not None or rule.source in manifest.pii
    if personal and rule.pseudonym is None and rule.source is not None:
        raise _fault(
            manifest,
            field.name,
            Text("là dữ liệu cá nhân, cần khóa pseudonym", "is personal data, the key pseudonym is needed"),
        )
    if rule.pseudonym is not None and field.pii is None:
        raise _fault(
            manifest,
            field.name,
            Text("hợp đồng dữ liệu chưa gắn nhãn pii cho trường này", "the contract has no pii tag on this field"),
        )


def _constant(manifest: Manifest, field: Field, value: Any) -> Any:
    """The constant as the field has it; ManifestError if it does not fit."""
    if field.base == "decimal":
        try:
            return convert.fixed_point(field.precision, field.scale)(value)
        except MappingError as error:
            raise _fault(manifest, field.name, error.reason) from error
    wanted = {"string": str, "boolean": bool, "int": int, "long": int, "timestamp": int}.get(field.base)
    fits = value in field.symbols if field.base == "enum" else wanted is None or type(value) is wanted
    if not fits:
        raise _fault(
            manifest,
            field.name,
            Text(f"hằng {value!r} không hợp kiểu {field.base}", f"the constant {value!r} is no {field.base}"),
        )
    return value


def _converter(manifest: Manifest, field: Field, rule: FieldRule, pseudonymiser: Pseudonymiser) -> Convert:
    if rule.codes is not None:
        return convert.codes({code: _constant(manifest, field, value) for code, value in rule.codes.items()})
    if rule.codeset is not None:
        steps = tuple((step.before, step.value) for step in rule.codeset)
        return convert_time.codeset(convert_time.time_by(rule.time or "iso", manifest.zone), steps, manifest.zone)
    if (field.base == "timestamp") != (rule.time is not None):
        raise _fault(
            manifest,
            field.name,
            Text("trường thời gian cần khóa time (và chỉ nó)", "a time needs the key time, and only a time does"),
        )
    if rule.time is not None:
        return convert_time.time_by(rule.time, manifest.zone)
    if field.base == "string":
        return _text_converter(rule, pseudonymiser)
    return _plain_converter(field, rule)


def _text_converter(rule: FieldRule, pseudonymiser: Pseudonymiser) -> Convert:
    if rule.pseudonym is not None:
        return convert.pseudonym(pseudonymiser.of(PersonalClass[rule.pseudonym.upper()]))
    if rule.normalise == "procedure_code":
        return convert.procedure_code
    if rule.check == "dossier_code":
        return convert.dossier_code
    return convert.matching(rule.pattern) if rule.pattern else convert.text


def _plain_converter(field: Field, rule: FieldRule) -> Convert:
    if field.base == "enum":
        return convert.codes({symbol: symbol for symbol in field.symbols})
    if field.base == "boolean":
        return convert.boolean
    low, high = INT_BOUNDS if field.base == "int" else LONG_BOUNDS
    if field.base in {"int", "long"}:
        return convert.integer(
            low if rule.min is None else max(low, int(rule.min)),
            high if rule.max is None else min(high, int(rule.max)),
        )
    if field.base == "decimal":
        least = -math.inf if rule.min is None else rule.min
        most = math.inf if rule.max is None else rule.max
        return convert.fixed_point(field.precision, field.scale, least, most)
    return convert.decimal(
        -1e308 if rule.min is None else rule.min,
        1e308 if rule.max is None else rule.max,
    )
