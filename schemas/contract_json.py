"""JSON Schema of a contract's records and of the contract's own file: for editors, and to check a record. Pure."""

from __future__ import annotations

from typing import Any

from schemas.contract import KINDS, MOST_REMEMBER_DAYS, Contract
from schemas.contract_field import Field
from schemas.contract_lint import ROLES
from schemas.personal import CLASSES, JUDGED
from schemas.units import UNITS, unit_name

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_INTEGERS = {"int": 2**31, "long": 2**63}


def record_schema(contract: Contract, language: str = "vi") -> dict[str, Any]:
    """What one record looks like as JSON: times as RFC 3339 texts, decimals as texts, unknown fields refused.

    Fields with a default or null may be left out. Beside the types it carries `x-pii`, `x-codes` and `x-unit`.
    """
    required = [field.name for field in contract.fields if not field.has_default and not field.nullable]
    return {
        "$schema": DIALECT,
        "$id": f"urn:{contract.topic}",
        "title": contract.title(language),
        "description": contract.doc(language),
        "type": "object",
        "required": required,
        "additionalProperties": False,
        "properties": {field.name: field_schema(field, language) for field in contract.fields},
    }


def field_schema(field: Field, language: str = "vi") -> dict[str, Any]:
    """One field as JSON Schema."""
    found = _typed(field)
    if field.nullable:
        found["type"] = [found["type"], "null"]
        if "enum" in found:
            found["enum"] = [*found["enum"], None]
    found["description"] = field.doc_en if language == "en" else field.doc_vi
    if field.examples:
        found["examples"] = list(field.examples)
    if field.has_default and field.base != "decimal":
        found["default"] = field.default
    for key, value in (("x-pii", field.pii), ("x-codes", field.codes), ("x-unit", field.unit), ("x-role", field.role)):
        if value is not None:
            found[key] = value
    if field.unit_field is not None:
        found["x-unit-field"] = field.unit_field
    return found


def _typed(field: Field) -> dict[str, Any]:
    match field.base:
        case "int" | "long":
            most = _INTEGERS[field.base]
            low, high = field.minimum, field.maximum
            return {
                "type": "integer",
                "minimum": -most if low is None else low,
                "maximum": most - 1 if high is None else high,
            }
        case "float" | "double":
            limits = (("minimum", field.minimum), ("maximum", field.maximum))
            return {"type": "number", **{key: value for key, value in limits if value is not None}}
        case "boolean":
            return {"type": "boolean"}
        case "enum":
            return {"type": "string", "enum": list(field.symbols)}
        case "timestamp":
            return {"type": "string", "format": "date-time"}
        case "decimal":
            whole, scale = field.precision - field.scale, field.scale
            fraction = rf"(\.\d{{1,{scale}}})?" if scale else ""
            return {"type": "string", "pattern": rf"^-?\d{{1,{max(whole, 1)}}}{fraction}$"}
        case _:
            return {"type": "string"}


def file_schema() -> dict[str, Any]:
    """JSON Schema of an `.avsc` file of the hub, so that an editor completes it and marks what is wrong."""
    return {
        "$schema": DIALECT,
        "title": "IOC contract",
        "type": "object",
        "required": ["type", "name", "namespace", "title", "title_en", "doc", "doc_en", "owner", "owner_en", "fields"],
        "additionalProperties": False,
        "properties": {
            "$schema": {"type": "string"},
            "type": {"const": "record"},
            "name": {"type": "string", "pattern": "^[A-Z][A-Za-z0-9]*$"},
            "namespace": {"type": "string", "pattern": "^ioc\\.[a-z][a-z0-9_]*$"},
            "aliases": {"type": "array", "items": _TEXT},
            **dict.fromkeys(("title", "title_en", "doc", "doc_en", "owner", "owner_en", "legal"), _TEXT),
            "kind": {"enum": list(KINDS)},
            "remember_days": {"type": "integer", "minimum": 1, "maximum": MOST_REMEMBER_DAYS},
            "aggregate": {"type": "boolean"},
            "fields": {"type": "array", "items": _file_field()},
        },
    }


_TEXT = {"type": "string", "minLength": 1}


def _file_field() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["name", "type", "doc", "doc_en"],
        "additionalProperties": False,
        "properties": {
            "name": {"type": "string", "pattern": "^[a-z][a-z0-9]*(_[a-z0-9]+)*$"},
            "type": _file_type(),
            "default": {},
            "aliases": {"type": "array", "items": _TEXT},
            "order": {"enum": ["ascending", "descending", "ignore"]},
            "doc": _TEXT,
            "doc_en": _TEXT,
            "role": {"enum": sorted(ROLES.values())},
            "codes": _TEXT,
            "few_values": {"type": "boolean"},
            "unit": {"enum": sorted(UNITS), "description": ", ".join(unit_name(unit, "vi") for unit in UNITS)},
            "unit_field": _TEXT,
            "min": {"type": "number"},
            "max": {"type": "number"},
            "pii": {"enum": [*CLASSES, JUDGED]},
            "examples": {"type": "array"},
        },
    }


def _file_type() -> dict[str, Any]:
    """A primitive, a timestamp, a decimal or an enum, or one of them and null."""
    shaped = {
        "type": "object",
        "required": ["type"],
        "oneOf": [
            {"properties": {"type": {"const": "long"}, "logicalType": {"const": "timestamp-millis"}},
             "required": ["logicalType"]},
            {"properties": {"type": {"const": "bytes"}, "logicalType": {"const": "decimal"},
                            "precision": {"type": "integer", "minimum": 1, "maximum": 38},
                            "scale": {"type": "integer", "minimum": 0}}, "required": ["logicalType", "precision"]},
            {"properties": {"type": {"const": "enum"}, "name": _TEXT,
                            "symbols": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                            "default": {"type": "string"}}, "required": ["name", "symbols"]},
        ],
    }  # fmt: skip
    plain = {"anyOf": [{"enum": ["string", "int", "long", "float", "double", "boolean"]}, shaped]}
    nullable = {"type": "array", "minItems": 2, "maxItems": 2, "items": {"anyOf": [{"const": "null"}, plain]}}
    return {"anyOf": [plain, nullable]}
