"""A default for every type that has one: what a new field may start with, so that old data stay readable. Pure."""

from __future__ import annotations

from typing import Any

from schemas.avro_tree import Container, Enum, Fixed, Node, Primitive, Record, Union

_OF_PRIMITIVES: dict[str, Any] = {
    "null": None, "boolean": False, "int": 0, "long": 0, "float": 0, "double": 0, "bytes": "", "string": "",
}  # fmt: skip


class NoDefaultError(Exception):
    """The type has no default that ends."""


def default_of(node: Node) -> Any:
    """The plainest default: null where it is allowed, else zero, empty, or the enum's own. Raises NoDefaultError."""
    return _of(node, ())


def _of(node: Node, around: tuple[int, ...]) -> Any:
    match node:
        case Primitive(kind):
            return _OF_PRIMITIVES[kind]
        case Container(kind="array"):
            return []
        case Container():
            return {}
        case Union(branches) if branches:
            # By the specification's older versions a default is one of the first branch: most readers take it so.
            return _of(branches[0], around)
        case Fixed():
            return "\u0000" * node.size
        case Enum() if node.symbols:
            return node.default if node.default is not None else node.symbols[0]
        case Record() if id(node) not in around:
            inner = (*around, id(node))
            return {item.name: _of(item.type, inner) for item in node.fields if not item.has_default}
    raise NoDefaultError
