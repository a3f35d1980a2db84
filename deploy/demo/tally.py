"""Counting by hand: final states of a ledger's rows, and shares in whole numbers. Shares nothing with the product."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from deploy.demo.simulation import Answer
from deploy.demo.worktime import LOCAL

RANK = {"UPSERT": 0, "CORRECT": 1, "DELETE": 2}

Row = Mapping[str, Any]
"""A canonical row: `entity_key, revision, op`, times as aware datetimes, and the entity's own fields."""


def final_states(rows: Iterable[Row]) -> list[Row]:
    """The state of each key after its highest assertion by (revision, op); deleted ones are left out.

    ValueError where two assertions of one place differ: a simulator must not do that.
    """
    highest: dict[str, Row] = {}
    for row in rows:
        known = highest.get(row["entity_key"])
        if known is None or _place(row) > _place(known):
            highest[row["entity_key"]] = row
        elif _place(row) == _place(known) and row != known:
            raise ValueError(f"two contents of {row['entity_key']} at revision {row['revision']} {row['op']}")
    return [row for row in highest.values() if row["op"] != "DELETE"]


def _place(row: Row) -> tuple[int, int]:
    return row["revision"], RANK[row["op"]]


def local_day(moment: datetime) -> date:
    """The day of a moment where the province is."""
    return moment.astimezone(LOCAL).date()


def within(moment: datetime | None, start: date | None, end: date) -> bool:
    """Whether a moment's local day lies in the period (no start: any day up to the end)."""
    return moment is not None and (start is None or local_day(moment) >= start) and local_day(moment) <= end


def of_period(rows: Iterable[Row], time: str, start: date | None, end: date) -> list[Row]:
    """The rows whose time `time` lies in the period."""
    return [row for row in rows if within(row[time], start, end)]


def total(rows: Iterable[Row], when: Callable[[Row], bool]) -> int:
    """How many rows a rule holds for."""
    return sum(1 for row in rows if when(row))


def share(numerator: int, denominator: int) -> Answer:
    """A percentage of two decimals, half up, in whole numbers: nothing to be rounded twice. None: no data."""
    value = (20_000 * numerator + denominator) // (2 * denominator) / 100 if denominator else None
    return {"value": value, "numerator": numerator, "denominator": denominator}


def mean(numerator: int, denominator: int) -> Answer:
    """A mean of two decimals, half up. None: no data."""
    value = (200 * numerator + denominator) // (2 * denominator) / 100 if denominator else None
    return {"value": value, "numerator": numerator, "denominator": denominator, "scale": 1}


def minutes(start: datetime, end: datetime) -> int:
    """Full minutes on the clock between two moments: 10:00:59 to 10:01:00 is one."""
    return int(end.timestamp()) // 60 - int(start.timestamp()) // 60


def count(value: float | None) -> Answer:
    """A count, or points. None: no data."""
    return {"value": value, "numerator": None, "denominator": None}


def at_most(value: int) -> Answer:
    """A count that the ledger does not fix, only bounds."""
    return {**count(None), "at_most": value}


def due(minutes: list[int], within_h: int | None) -> Answer:
    """Open items by the minute (since 1970) at which they are due: overdue, or due within hours, whenever asked."""
    return {**count(None), "due_minutes": minutes, "within_h": within_h}


def forecast(open_items: list[Any], done: list[Any]) -> Answer:
    """A forecast is of the minute in which it is asked: what it is made of, to be held against that."""
    return {**count(None), "forecast": {"open": open_items, "done": done}}


def utc(text: str | None) -> datetime | None:
    """A moment written with its offset, or in local time without one."""
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=LOCAL)).astimezone(UTC)
