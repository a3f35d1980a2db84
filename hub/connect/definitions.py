"""The options of a kind of source, as Kafka Connect's definitions: read off the models that check manifests. Pure."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from connectors import manifest as manifests
from connectors.secrets import Reference

OUTSIDE = frozenset({"id", "kind", "source", "mapping"})
"""Keys of a manifest that are options of their own kind: the name, the class, the source's and the fields'."""


@dataclass(frozen=True, slots=True)
class Definition:
    """One option. `default` None: it has none; `group` is the manifest's block."""

    name: str
    type: str
    required: bool
    default: str | None
    documentation: str
    group: str | None
    order: int

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "type": self.type,
            "required": self.required,
            "default_value": self.default,
            "importance": "HIGH" if self.required else "MEDIUM",
            "documentation": self.documentation,
            "group": self.group,
            "order": self.order,
            "width": "MEDIUM",
            "display_name": self.name,
            "dependents": [],
        }


@lru_cache
def definitions(kind: str) -> tuple[Definition, ...]:
    """All options of a kind, in the order of the manifest."""
    head = manifests.Head
    source = manifests.config_model(kind)
    found = [
        Definition("name", "STRING", True, None, "The connector's id", "Common", 0),
        Definition("connector.class", "CLASS", True, None, "The plugin that reads the source", "Common", 0),
        *_walk(head, "", OUTSIDE),
        *_walk(source, "source."),
        Definition("mapping", "STRING", False, None, _MAPPING, "mapping", 0),
    ]
    return tuple(replace(item, order=order) for order, item in enumerate(found, start=1))


_MAPPING = (
    "For each field of the entity's contract: mapping.<field>.from, .const, .codes.<value>, .time, .pseudonym …; "
    "see `ioc connector spec`"
)


def _walk(model: type[BaseModel], prefix: str, skip: frozenset[str] = frozenset()) -> Iterator[Definition]:
    for name, field in model.model_fields.items():
        key = field.alias or name
        if key in skip:
            continue
        path, required = prefix + key, field.is_required()
        inner = _model_in(field.annotation)
        if inner is None:
            group = path.partition(".")[0]
            yield Definition(path, _type_of(field), required, _default(field), field.description or "", group, 0)
            continue
        for below in _walk(inner, f"{path}."):
            yield replace(below, required=below.required and required)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The block that stands there, if it is one block and no choice of several."""
    found = [item for item in _branches(annotation) if isinstance(item, type) and issubclass(item, BaseModel)]
    return found[0] if len(found) == 1 else None


def _branches(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        return typing.get_args(annotation)
    return (annotation,)


def _type_of(field: FieldInfo) -> str:
    branches = [item for item in _branches(field.annotation) if item is not type(None)]
    first = branches[0] if branches else str
    origin = typing.get_origin(first) or first
    if origin is Reference:
        return "PASSWORD" if any("secret" in str(item) for item in field.metadata) else "STRING"
    for kind, name in ((bool, "BOOLEAN"), (int, "LONG"), (float, "DOUBLE"), (tuple, "LIST"), (list, "LIST")):
        if origin is kind:
            return name
    return "STRING"


def _default(field: FieldInfo) -> str | None:
    default = field.get_default(call_default_factory=False)
    if field.is_required() or default is None:
        return None
    if isinstance(default, tuple | list):
        return yaml.safe_dump(list(default), default_flow_style=True).strip()
    return str(default).lower() if isinstance(default, bool) else str(default)
