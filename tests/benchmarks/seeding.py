"""Known entities and changes written straight into the warehouse: the same rows as `events` makes, by SQL.

Millions of entities through Kafka would take minutes in which nothing is measured.
"""

from __future__ import annotations

from typing import Any

from streams.warehouse.schema import BOOKKEEPING
from tests.benchmarks.events import (
    CHANNELS,
    DAY_MS,
    HOUR_MS,
    PARTITIONS,
    PROCEDURES_OF_A_UNIT,
    RECEIVED_A_DAY,
    SOURCE,
    START_MS,
    UNITS,
    record,
)
from tests.benchmarks.stand import Stand

CHUNK = 1_000_000
"""Rows an insert: larger ones take the warehouse's memory."""

BATCH = 10_000
"""Records of one topic partition that are one batch."""

SEED_SETTINGS = {"max_execution_time": 0, "max_insert_threads": 2, "async_insert": 0}


def _at(ms: str) -> str:
    return f"fromUnixTimestamp64Milli(toInt64({ms}), 'UTC')"


def payload(received_ms: str) -> dict[str, str]:
    """SQL of each of the contract's fields for entity `number` at revision 1."""
    unit = f"leftPad(toString(dice % {UNITS}), 2, '0')"
    key = f"concat('000.', {unit}, '.22.H53-220101-', leftPad(toString(number), 9, '0'))"
    status = "[4, 9, 10][(intDiv(dice, 300) + 1) % 3 + 1]"
    procedure = f"(dice % {UNITS}) * {PROCEDURES_OF_A_UNIT} + intDiv(dice, {UNITS}) % {PROCEDURES_OF_A_UNIT}"
    channels = ", ".join(f"'{channel}'" for channel in CHANNELS)
    return {
        "event_id": f"concat('{SOURCE}/', {key}, '/1/', lower(hex(SHA1({key}))))",
        "source_system": f"'{SOURCE}'",
        "org_code": f"concat('000.', {unit}, '.22.H53')",
        "entity_key": key,
        "revision": "1",
        "op": "'UPSERT'",
        "event_time": _at(f"{received_ms} + {HOUR_MS}"),
        "ingest_time": _at(f"{received_ms} + {HOUR_MS} + 1000"),
        "admin_code": f"leftPad(toString(25400 + dice % {UNITS}), 5, '0')",
        "admin_codeset": "'2022'",
        "procedure_code": f"concat('1.', leftPad(toString({procedure}), 6, '0'), '.000.00.00.H53')",
        "channel": f"[{channels}][(intDiv(dice, 900) + 1) % 3 + 1]",
        "status": status,
        "received_at": _at(received_ms),
        "due_at": _at(f"{received_ms} + (5 + intDiv(dice, 2700) % 15) * {DAY_MS}"),
        "ended_at": f"if({status} = 4, NULL, {_at(f'{received_ms} + (1 + intDiv(dice, 40500) % 12) * {DAY_MS}')})",
    }


BY_NUMBER = f"({START_MS} + intDiv(number * {DAY_MS}, {RECEIVED_A_DAY}))"
"""Received as `events.record` says: 100,000 a day."""


def over_days(days: int) -> str:
    """Received evenly over so many days, whatever the number of entities."""
    return f"({START_MS} + intDiv(number, 7) % {days} * {DAY_MS})"


def _numbers(start: int, end: int) -> str:
    return f"(SELECT number, number * 2654435761 % 4294967296 AS dice FROM numbers({start}, {end - start}))"


def _chunks(start: int, end: int) -> list[tuple[int, int]]:
    return [(low, min(low + CHUNK, end)) for low in range(start, end, CHUNK)]


def seed_current(stand: Stand, end: int, start: int = 0) -> None:
    """Make entities `start` to `end` known, as states of an earlier life of the topic; checks a sample."""
    fields = payload(BY_NUMBER)
    for low, high in _chunks(start, end):
        stand.warehouse.command(
            f"INSERT INTO {stand.contract.current_table} ({', '.join(fields)}, deleted, version, state_offset) "
            f"SELECT {', '.join(fields.values())}, 0, number, number FROM {_numbers(low, high)}",
            SEED_SETTINGS,
        )
    earlier_life(stand)
    _check(stand, end - 1)


def earlier_life(stand: Stand) -> None:
    """Let what was seeded be of the topic's life 0: the topic there is now, with another id, begins life 1."""
    fences = ", ".join(f"({partition}, 1, 'seed', 0)" for partition in range(PARTITIONS))
    stand.warehouse.command(f"INSERT INTO {stand.contract.fence_table} VALUES {fences}")


def seed_changes(stand: Stand, start: int, end: int, received_ms: str) -> None:
    """Write a primary row for each of these entities into `_changes`: every view derives its rows from them."""
    fields = payload(received_ms)
    offset = f"intDiv(number, {PARTITIONS})"
    first = f"intDiv({offset}, {BATCH}) * {BATCH}"
    last = f"least({first} + {BATCH}, {end // PARTITIONS}) - 1"
    book: dict[str, str] = {
        "kind": "'applied'", "sign": "1", "partition": f"number % {PARTITIONS}", "offset": offset,
        "first": first, "last": last, "state_offset": offset, "epoch": "1", "topic_id": "'seed'",
        "kafka_time": _at(str(START_MS)), "batch_time": _at(str(START_MS)),
    }  # fmt: skip
    assert set(book) <= {name for name, _ in BOOKKEEPING}
    columns = {**fields, **book}
    for low, high in _chunks(start, end):
        stand.warehouse.command(
            f"INSERT INTO {stand.contract.changes_table} ({', '.join(f'`{name}`' for name in columns)}) "
            f"SELECT {', '.join(columns.values())} FROM {_numbers(low, high)}",
            {**SEED_SETTINGS, "parallel_view_processing": 1},
        )


def _check(stand: Stand, number: int) -> None:
    """The SQL must say what `events.record` says."""
    wanted = record(number)
    names = ", ".join(wanted)
    [found] = stand.warehouse.rows(
        f"SELECT {names} FROM {stand.contract.current_table} WHERE entity_key = '{wanted['entity_key']}'"
    )
    seen = {name: _plain(value) for name, value in zip(wanted, found, strict=True)}
    if seen != wanted:
        differing = {name: (seen[name], wanted[name]) for name in wanted if seen[name] != wanted[name]}
        raise AssertionError(f"the seed differs from the events: {differing}")


def _plain(value: Any) -> Any:
    return round(value.timestamp() * 1000) if hasattr(value, "timestamp") else value
