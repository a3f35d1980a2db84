"""Avro schemas parsed: named types resolved, every rule of the specification checked on the way. Pure.

Stricter than fastavro, as strict as Java Avro, and the error names the place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from schemas.avro_tree import (
    INT_BITS,
    MAX_DEPTH,
    PRIMITIVES,
    Container,
    Enum,
    Fixed,
    Named,
    Node,
    Primitive,
    Record,
    RecordField,
    UnfinishedRecordError,
    Union,
    fits,
    show,
    unqualified,
)
from schemas.errors import SchemaError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ORDERS = ("ascending", "descending", "ignore")


class InvalidSchemaError(SchemaError):
    """Not a valid Avro schema. `path` names the place (empty: the whole schema)."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}" if path else problem)
        self.path = path


def load_schema(text: str) -> Any:
    """The JSON of a schema's text; a bare primitive's name counts as that type. Raises InvalidSchemaError."""
    stripped = text.strip()
    if stripped in PRIMITIVES:
        return stripped
    try:
        return orjson.loads(stripped)
    except orjson.JSONDecodeError as error:
        if "depth limit" in str(error):
            problem = f"the schema is not JSON of {MAX_DEPTH} levels at most: nested too deeply"
            raise InvalidSchemaError("", problem) from error
        raise InvalidSchemaError("", f"the schema is not JSON: {error}") from error


def parse_schema(schema: Any) -> Node:
    """The tree of a schema given as decoded JSON. Pure; raises InvalidSchemaError."""
    return parse_with(schema, {})[0]


def parse_with(schema: Any, known: Mapping[str, Named]) -> tuple[Node, dict[str, Named]]:
    """The tree of a schema that may use types known by full name, and all types known then. As `parse_schema`."""
    parser = _Parser(known)
    node = parser.node(schema, "", "", 0)
    return node, parser.named


class _Parser:
    def __init__(self, known: Mapping[str, Named]) -> None:
        self.named = dict(known)

    def node(self, raw: Any, space: str, path: str, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise InvalidSchemaError(path, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(raw, str):
            return self._reference(raw, space, path)
        if isinstance(raw, list):
            return self._union(raw, space, path, depth)
        if isinstance(raw, dict):
            return self._object(raw, space, path, depth)
        raise InvalidSchemaError(path, f"a type is a name, a list or an object, not {_json(raw)}")

    def _reference(self, name: str, space: str, path: str) -> Node:
        if name in PRIMITIVES:
            return Primitive(name)
        for candidate in (name,) if "." in name or not space else (f"{space}.{name}", name):
            if candidate in self.named:
                return self.named[candidate]
        raise InvalidSchemaError(path, f"unknown type {_json(name)}")

    def _object(self, raw: dict[str, Any], space: str, path: str, depth: int) -> Node:
        kind = raw.get("type")
        if not isinstance(kind, str):
            raise InvalidSchemaError(path, '"type" is missing' if kind is None else '"type" of an object is a name')
        if kind in PRIMITIVES:
            return _primitive(kind, raw)
        if kind == "array":
            return Container("array", self.node(_required(raw, "items", path), space, f"{path}[]", depth + 1))
        if kind == "map":
            return Container("map", self.node(_required(raw, "values", path), space, f"{path}{{}}", depth + 1))
        if kind in ("record", "error", "enum", "fixed"):
            return self._named_type(kind, raw, space, path, depth)
        return self._reference(kind, space, path)

    def _union(self, raw: list[Any], space: str, path: str, depth: int) -> Union:
        branches = tuple(self.node(branch, space, path, depth + 1) for branch in raw)
        seen: set[str] = set()
        for branch in branches:
            if isinstance(branch, Union):
                raise InvalidSchemaError(path, "a union must not hold a union")
            name = branch.full_name if isinstance(branch, Fixed | Enum | Record) else branch.kind
            if name in seen:
                raise InvalidSchemaError(path, f"the union holds {name} twice")
            seen.add(name)
        return Union(branches)

    def _named_type(self, kind: str, raw: dict[str, Any], space: str, path: str, depth: int) -> Named:
        full_name = _full_name(raw, space, path)
        where = path or unqualified(full_name)
        if full_name in self.named:
            raise InvalidSchemaError(where, f"{full_name} is defined twice")
        inner_space = full_name.rpartition(".")[0]
        aliases = frozenset(
            alias if "." in alias or not inner_space else f"{inner_space}.{alias}" for alias in _aliases(raw, where)
        )
        if kind == "fixed":
            self.named[full_name] = fixed = Fixed(full_name, aliases, _size(raw, where))
            return fixed
        if kind == "enum":
            symbols, default = _symbols(raw, where)
            self.named[full_name] = enum = Enum(full_name, aliases, symbols, default)
            return enum
        record = Record(full_name, aliases, kind="error" if kind == "error" else "record")
        self.named[full_name] = record
        self._fields(record, raw, inner_space, path, depth)
        return record

    def _fields(self, record: Record, raw: dict[str, Any], space: str, path: str, depth: int) -> None:
        listed = raw.get("fields")
        if not isinstance(listed, list):
            raise InvalidSchemaError(path or unqualified(record.full_name), '"fields" is missing or no list')
        known: dict[str, RecordField] = {}
        for number, item in enumerate(listed):
            if not isinstance(item, dict):
                raise InvalidSchemaError(path, f"field {number + 1} is no object")
            name = item.get("name")
            where = f"{path}.{name}" if path else str(name)
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise InvalidSchemaError(path, f"field {number + 1} has no valid name: {_json(name)}")
            if name in known:
                raise InvalidSchemaError(where, "the field appears twice")
            node = self.node(_required(item, "type", where), space, where, depth + 1)
            _require_order(item, where)
            made = RecordField(name, _aliases(item, where), node, "default" in item, item.get("default"))
            if made.has_default:
                _require_default(made, where)
            known[name] = made
        record.fields, record.by_name, record.complete = tuple(known.values()), known, True


def _require_order(item: dict[str, Any], where: str) -> None:
    order = item.get("order", "ascending")
    if not isinstance(order, str) or order.lower() not in _ORDERS:
        raise InvalidSchemaError(where, f"the order {_json(order)} is none of {', '.join(_ORDERS)}")


def _require_default(made: RecordField, where: str) -> None:
    why = ""
    try:
        fitting = fits(made.type, made.default)
    except UnfinishedRecordError:
        fitting, why = False, ": a record has no default within its own definition"
    if not fitting:
        raise InvalidSchemaError(where, f"the default {_json(made.default)} is no {show(made.type)}{why}")


def _primitive(kind: str, raw: dict[str, Any]) -> Primitive:
    """A decimal that is not one by the specification counts as the bytes it is made of."""
    logical = raw.get("logicalType")
    if logical != "decimal":
        return Primitive(kind, logical if isinstance(logical, str) else None)
    digits: Any = raw.get("precision")
    scale: Any = raw.get("scale", 0)
    if kind != "bytes" or type(digits) is not int or type(scale) is not int or not 0 <= scale <= digits or not digits:
        return Primitive(kind)
    return Primitive(kind, logical, digits, scale)


def _full_name(raw: dict[str, Any], space: str, path: str) -> str:
    name = raw.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidSchemaError(path, f"a {raw['type']} needs a name")
    given = space if raw.get("namespace") is None else raw["namespace"]
    if not isinstance(given, str):
        raise InvalidSchemaError(path or name, f"the namespace {_json(given)} is no text")
    full = name if "." in name or not given else f"{given}.{name}"
    for part in full.split("."):
        if not _NAME.fullmatch(part):
            raise InvalidSchemaError(path or name, f"{_json(full)} is no valid name")
    if full in PRIMITIVES:
        raise InvalidSchemaError(path or name, f"a type must not be named {full}")
    return full


def _aliases(raw: dict[str, Any], path: str) -> tuple[str, ...]:
    aliases = raw.get("aliases", [])
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        raise InvalidSchemaError(path, '"aliases" is a list of names')
    for alias in aliases:
        if not all(_NAME.fullmatch(part) for part in alias.split(".")):
            raise InvalidSchemaError(path, f"the alias {_json(alias)} is no valid name")
    return tuple(aliases)


def _size(raw: dict[str, Any], path: str) -> int:
    size = raw.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 2**INT_BITS:
        raise InvalidSchemaError(path, f"a fixed needs a size in bytes, not {_json(size)}")
    return size


def _symbols(raw: dict[str, Any], path: str) -> tuple[tuple[str, ...], str | None]:
    symbols = raw.get("symbols")
    if not isinstance(symbols, list):
        raise InvalidSchemaError(path, '"symbols" is missing or no list')
    seen: set[str] = set()
    for symbol in symbols:
        if not isinstance(symbol, str) or not _NAME.fullmatch(symbol):
            raise InvalidSchemaError(path, f"the symbol {_json(symbol)} is no valid name")
        if symbol in seen:
            raise InvalidSchemaError(path, f"the symbol {symbol} appears twice")
        seen.add(symbol)
    default = raw.get("default")
    if default is not None and default not in symbols:
        raise InvalidSchemaError(path, f"the default {_json(default)} is none of the symbols")
    return tuple(symbols), default


def _required(raw: dict[str, Any], key: str, path: str) -> Any:
    if key not in raw:
        raise InvalidSchemaError(path, f'"{key}" is missing')
    return raw[key]


def _json(value: Any) -> str:
    text = orjson.dumps(value, default=str).decode()
    return text if len(text) <= 80 else f"{text[:77]}..."
