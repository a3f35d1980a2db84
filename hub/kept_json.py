"""Values that are kept in topics as JSON, read back by the types of their fields. Pure."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import TypeAdapter

Kept = TypeVar("Kept")


def read_kept(kind: type[Kept], value: bytes) -> Kept:
    """A dataclass's value; keys that it does not know are left out, what is missing takes its default. ValueError for
    what is none."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    found: Kept = _adapters[kind].validate_json(value)
    return found


_adapters: dict[type[Any], TypeAdapter[Any]] = {}
"""Made at the first value of a kind: making one costs more than reading a thousand values."""
