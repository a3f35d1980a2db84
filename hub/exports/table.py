"""A table on its way to a file: columns, and rows that come in batches. Values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

FORMS = ("json", "csv", "xlsx", "parquet")
"""Ends of addresses that give a file."""

KINDS = ("text", "whole", "number", "truth", "time", "day")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, its heading for people, and what its values are, one of `KINDS`."""

    name: str
    heading: str
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Table:
    """`batches` are read once, one after the other. `zone`: in which times are written for Excel."""

    name: str
    columns: tuple[Column, ...]
    batches: Iterable[Sequence[Sequence[Any]]]
    zone: str = "Asia/Ho_Chi_Minh"

    def rows(self) -> Iterator[Sequence[Any]]:
        for batch in self.batches:
            yield from batch


def local(value: datetime, zone: str) -> datetime:
    """A time as clocks in the province show it, without a zone."""
    aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    return aware.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def utc_text(value: datetime) -> str:
    """`2022-09-19T02:00:00.000Z`."""
    aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def kind_of(type_name: str) -> str:
    """What values of a warehouse's type are."""
    inner = type_name
    for wrapper in ("LowCardinality(", "Nullable("):
        inner = inner.removeprefix(wrapper)
    inner = inner.rstrip(")") if "(" not in inner else inner
    if inner.startswith(("Int", "UInt")):
        return "whole"
    if inner.startswith(("Float", "Decimal")):
        return "number"
    if inner.startswith("DateTime"):
        return "time"
    return {"Bool": "truth", "Date": "day", "Date32": "day"}.get(inner, "text")


def plain(value: Any) -> Any:
    """A value without the warehouse's own types: decimals are numbers, nested ones texts."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (list, tuple, dict)):
        return str(value)
    return value.decode(errors="replace") if isinstance(value, bytes) else value
