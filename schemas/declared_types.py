"""Which keys a place of a declaration may have, read from the models of its sections. Pure."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

PYDANTIC_MEMBER = ("[key]", "function-", "tagged-union", "union[", "literal[", "constrained-", "is-instance[")
"""How pydantic's own parts of an error's location begin."""


def is_member_name(part: str) -> bool:
    """Whether a part of an error's location is pydantic's name of a union member, not a key."""
    return part.startswith(PYDANTIC_MEMBER) or part in {"str", "int", "float", "bool", "dict", "list"}


def keys_of(model: type[BaseModel]) -> dict[str, Any]:
    """The keys of a section as written in a file, with their types."""
    return {info.alias or name: info.annotation for name, info in model.model_fields.items()}


def keys_at(model: type[BaseModel], loc: Sequence[int | str]) -> set[str]:
    """The keys that may stand where the last part of `loc` (as pydantic gives it) stands."""
    current: list[type[BaseModel]] = [model]
    for part in loc[:-1]:
        narrowed = [member for member in current if _is_called(member, part)]
        if narrowed and len(current) > 1:
            current = narrowed
            continue
        below = [
            found for member in current if part in keys_of(member) for found in models_in(keys_of(member)[str(part)])
        ]
        current = below or current
    return {key for member in current for key in keys_of(member)}


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Every section that a type may hold: through unions, lists, maps and annotations."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    origin = get_origin(annotation)
    arguments = get_args(annotation)
    if origin is Annotated:
        arguments = arguments[:1]
    elif not (origin in {typing.Union, types.UnionType} or _is_container(origin)):
        return
    for argument in arguments:
        yield from models_in(argument)


def _is_container(origin: Any) -> bool:
    return isinstance(origin, type) and issubclass(origin, (list, tuple, dict, Mapping, Sequence))


def _is_called(model: type[BaseModel], part: int | str) -> bool:
    """Whether pydantic names this union member so: by its class, or by the value of its discriminator."""
    if part == model.__name__:
        return True
    return any(
        get_origin(info.annotation) is typing.Literal and part in get_args(info.annotation)
        for info in model.model_fields.values()
    )
