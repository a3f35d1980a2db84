"""The core's tables held against the oracle: every difference by name, none is right."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from streams.errors import WarehouseError
from tests.dossier_model import DIMENSIONS, MEASURES, Bucket
from tests.oracle import Outcome, Sent, evaluate
from tests.stream_worker import Bench

SHOWN = 5
"""Examples given of each difference."""


def on_topic(table: Bench) -> list[Sent]:
    """Everything the topic holds now."""
    consumer = KafkaConsumer(bootstrap_servers=table.bootstrap, enable_auto_commit=False, max_poll_records=10_000)
    try:
        partitions = consumer.partitions_for_topic(table.contract.topic) or set()
        places = [TopicPartition(table.contract.topic, number) for number in sorted(partitions)]
        consumer.assign(places)
        ends = consumer.end_offsets(places)
        consumer.seek_to_beginning(*places)
        found: list[Sent] = []
        while any(consumer.position(place) < ends[place] for place in places):
            for batch in consumer.poll(timeout_ms=1000).values():
                found += [Sent(r.partition, r.offset, r.timestamp, r.key, r.value) for r in batch]
        return found
    finally:
        consumer.close()


def _counted(rows: Iterable[Iterable[Any]]) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(row) for row in rows)


def _compare(what: str, there: Mapping[Any, Any], wanted: Mapping[Any, Any]) -> list[str]:
    """One line for what differs, with examples."""
    differ = [key for key in {**there, **wanted} if there.get(key) != wanted.get(key)]
    examples = [f"{key!r}: {there.get(key)!r} instead of {wanted.get(key)!r}" for key in differ[:SHOWN]]
    return [f"{what}: {len(differ)} differ of {len(wanted)}; {'; '.join(examples)}"] if differ else []


def differences(table: Bench, outcome: Outcome) -> list[str]:
    """How the warehouse differs from the oracle; empty if it is right. Blocks."""
    return [
        *_rows(table, outcome),
        *_rollups(table, outcome),
        *_states(table, outcome),
        *_signs(table),
        *_ledger(table, outcome),
        *_quarantine(table, outcome),
    ]


def _rows(table: Bench, outcome: Outcome) -> list[str]:
    changes = table.contract.changes_table
    primary = table.warehouse.rows(
        f"SELECT partition, `offset`, toString(kind), if(kind = 'quarantined', reason, '') FROM {changes} "
        "WHERE kind != 'retracted'"
    )
    wanted = [(*place, kind, outcome.reasons.get(place, "")) for place, kind in outcome.kinds.items()]
    retracted = table.warehouse.rows(
        f"SELECT partition, `offset`, entity_key, state_offset FROM {changes} WHERE kind = 'retracted'"
    )
    return [
        *_compare("primary rows", _counted(primary), _counted(wanted)),
        *_compare("rows that take back", _counted(retracted), _counted(outcome.taken_back)),
    ]


def _rollups(table: Bench, outcome: Outcome) -> list[str]:
    there: dict[Bucket, int] = {}
    for field, measures in MEASURES.items():
        sums = ", ".join(f"sum({measure})" for measure in measures)
        rows = table.warehouse.rows(
            f"SELECT day, {', '.join(DIMENSIONS)}, {sums} FROM {table.name}_by_{field} GROUP BY ALL"
        )
        for day, *rest in rows:
            dimensions, values = tuple(rest[: len(DIMENSIONS)]), rest[len(DIMENSIONS) :]
            for measure, value in zip(measures, values, strict=True):
                if value:
                    there[field, day, dimensions, measure] = value
    return _compare("rollups", there, outcome.rollups())


def _states(table: Bench, outcome: Outcome) -> list[str]:
    fields = table.contract.fields
    shown = [f"toUnixTimestamp64Milli({f.name})" if f.base == "timestamp" else f"`{f.name}`" for f in fields]
    rows = table.warehouse.rows(
        f"SELECT {', '.join(shown)} FROM {table.contract.current_table} FINAL WHERE NOT deleted"
    )
    there = _counted(rows)
    wanted = _counted([state[f.name] for f in fields] for state in outcome.states.values())
    return _compare("current states", there, wanted)


def _signs(table: Bench) -> list[str]:
    rows = table.warehouse.rows(
        f"SELECT entity_key, state_offset, sum(sign) AS signs FROM {table.contract.changes_table} WHERE sign != 0 "
        "GROUP BY entity_key, state_offset HAVING signs NOT IN (0, 1)"
    )
    return [f"signs of a state: {len(rows)} neither 0 nor 1; {rows[:SHOWN]}"] if rows else []


def _ledger(table: Bench, outcome: Outcome) -> list[str]:
    columns = {
        "applied": "applied",
        "superseded": "superseded",
        "repeats": "repeat",
        "deleted": "deleted",
        "quarantined": "quarantined",
    }
    rows = table.warehouse.rows(
        f"SELECT partition, {', '.join(f'sum({name})' for name in columns)} FROM ledger "
        f"WHERE entity = '{table.name}' GROUP BY partition"
    )
    there = {
        (partition, kind): count
        for partition, *counts in rows
        for kind, count in zip(columns.values(), counts, strict=True)
        if count
    }
    wanted = Counter((partition, kind) for (partition, _), kind in outcome.kinds.items())
    return _compare("ledger", there, wanted)


def _quarantine(table: Bench, outcome: Outcome) -> list[str]:
    topic = table.contract.topic
    rows = table.warehouse.rows(f"SELECT id, reason_code FROM quarantine FINAL WHERE topic = '{topic}'")
    wanted = [(f"{topic}:{partition}:{offset}", code) for (partition, offset), code in outcome.reasons.items()]
    return _compare("quarantine", _counted(rows), _counted(wanted))


def assert_right(table: Bench, within_s: float = 60.0) -> Outcome:
    """Return what the topic amounts to as soon as the books say so; fail with the differences after `within_s`.

    Rows of a block are visible while its views still run, so a difference counts only if it stays.
    """
    outcome = evaluate(on_topic(table))
    deadline = time.monotonic() + within_s
    while True:
        found = ["the warehouse does not answer"]
        with suppress(WarehouseError):
            found = differences(table, outcome) if table.primary_rows() >= len(outcome.kinds) else ["rows are missing"]
        if not found:
            return outcome
        if time.monotonic() > deadline:
            there = differences(table, outcome)
            assert not there, "\n".join([*there, table.log()[-3000:]])
            return outcome
        time.sleep(0.2)
