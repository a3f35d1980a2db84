"""What a sample of raw records is made of: paths, types, how often they are empty. Pure; holds no value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connectors.personal_data import leaves

TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}|\d{1,2}/\d{1,2}/\d{4}").match
NUMBER = re.compile(r"[-+]?\d[\d.,]*").fullmatch


@dataclass(frozen=True, slots=True)
class Inferred:
    """A path of the raw records. `types`: text, integer, decimal, boolean, time, number in text; commonest first."""

    path: str
    types: tuple[str, ...]
    present: float
    filled: float


def infer(records: Sequence[Any]) -> list[Inferred]:
    """The paths of a sample in order of appearance; shares are of all records."""
    types: dict[str, dict[str, int]] = {}
    present: dict[str, int] = {}
    filled: dict[str, int] = {}
    for record in records:
        seen: set[str] = set()
        full: set[str] = set()
        for path, value in leaves(record):
            seen.add(path)
            counts = types.setdefault(path, {})
            if value is not None and value != "":
                full.add(path)
                name = type_name(value)
                counts[name] = counts.get(name, 0) + 1
        for path in seen:
            present[path] = present.get(path, 0) + 1
        for path in full:
            filled[path] = filled.get(path, 0) + 1
    total = max(1, len(records))
    return [
        Inferred(
            path,
            tuple(sorted(counts, key=lambda name: -counts[name])),
            round(present[path] / total, 3),
            round(filled.get(path, 0) / total, 3),
        )
        for path, counts in types.items()
    ]


def type_name(value: Any) -> str:
    """The type of a value as a report names it."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "decimal"
    if not isinstance(value, str):
        return type(value).__name__
    if TIME(value):
        return "time"
    return "number in text" if NUMBER(value) else "text"
