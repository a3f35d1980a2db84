"""Avro schemas as trees with their named types resolved: the nodes, how they are shown, which values fit them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
MAX_DEPTH = 128
"""Deepest nesting; real contracts are flat, and a parser's stack is not endless."""
INT_BITS, LONG_BITS = 31, 63


@dataclass(frozen=True, slots=True)
class Primitive:
    """`precision` and `scale` are those of a decimal."""

    kind: str
    logical: str | None = None
    precision: int = 0
    scale: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Container:
    """An array or a map; `inner` is the type of its items or values."""

    kind: Literal["array", "map"]
    inner: Node


@dataclass(frozen=True, slots=True, eq=False)
class Union:
    branches: tuple[Node, ...]
    kind: Literal["union"] = "union"


@dataclass(frozen=True, slots=True, eq=False)
class Fixed:
    full_name: str
    aliases: frozenset[str]
    size: int
    kind: Literal["fixed"] = "fixed"


@dataclass(frozen=True, slots=True, eq=False)
class Enum:
    full_name: str
    aliases: frozenset[str]
    symbols: tuple[str, ...]
    default: str | None
    kind: Literal["enum"] = "enum"


@dataclass(frozen=True, slots=True)
class RecordField:
    name: str
    aliases: tuple[str, ...]
    type: Node
    has_default: bool
    default: Any = None


@dataclass(slots=True, eq=False)
class Record:
    """`fields` is filled after the record is known by name, since its fields may refer to it; then it is `complete`."""

    full_name: str
    aliases: frozenset[str]
    fields: tuple[RecordField, ...] = ()
    by_name: dict[str, RecordField] = field(default_factory=dict)
    kind: Literal["record", "error"] = "record"
    complete: bool = False


Named = Fixed | Enum | Record
Node = Primitive | Container | Union | Fixed | Enum | Record


def unqualified(full_name: str) -> str:
    """`Dossier` of `ioc.administration.Dossier`."""
    return full_name.rpartition(".")[2]


def show(node: Node) -> str:
    """A type in a few words, for messages."""
    match node:
        case Primitive(_, "decimal"):
            return f"decimal({node.precision}, {node.scale})"
        case Primitive(kind, logical):
            return f"{kind} ({logical})" if logical else kind
        case Container(kind, inner):
            return f"{kind}<{show(inner)}>"
        case Union(branches):
            return "[" + ", ".join(show(branch) for branch in branches) + "]"
        case Fixed():
            return f"fixed {node.full_name}({node.size})"
        case _:
            return f"{node.kind} {node.full_name}"


class UnfinishedRecordError(Exception):
    """A default holds a record within that record's own definition."""


def fits(node: Node, value: Any) -> bool:
    """Whether a JSON value may stand as a default of this type, as Java Avro judges it, and beyond it enum and fixed.

    Pure; raises UnfinishedRecordError where Java Avro, which judges in this order, finds no answer.
    """
    match node:
        case Primitive(kind):
            return _fits_primitive(kind, value)
        case Container(kind="array", inner=inner):
            return isinstance(value, list) and all(fits(inner, item) for item in value)
        case Container(inner=inner):
            return isinstance(value, dict) and all(fits(inner, item) for item in value.values())
        case Union(branches):
            return any(fits(branch, value) for branch in branches)
        case Fixed():
            return isinstance(value, str) and len(value) == node.size
        case Enum():
            return isinstance(value, str) and value in node.symbols
        case Record() if isinstance(value, dict):
            if not node.complete:
                raise UnfinishedRecordError
            return all(_fits_field(item, value) for item in node.fields)
        case Record():
            return False


def _fits_field(item: RecordField, value: dict[str, Any]) -> bool:
    # The field's own default was judged where the field was defined.
    return fits(item.type, value[item.name]) if item.name in value else item.has_default


def _fits_primitive(kind: str, value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match kind:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "int" | "long":
            bits = INT_BITS if kind == "int" else LONG_BITS
            return number and isinstance(value, int) and -(2**bits) <= value < 2**bits
        case "float" | "double":
            return number
        case _:
            return isinstance(value, str)
