"""What a topic's records amount to: the contract's rules applied to one record after the other, in memory, slowly.

Knows nothing of batches, tokens or recovery. Only the rank of two contents at one revision and kind is the product's
(`tests.dossier_model`): which of them wins is arbitrary, that it is always the same one is not.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import fastavro

from schemas.contract import load_contracts
from streams.change import content_hash
from tests.dossier_model import DOSSIER, Bucket, Event, counted, frame_of
from tests.dossiers import OPS

DAY_MS = 86_400_000
FIRST_MS, END_MS = -2_208_988_800_000, 10_413_792_000_000
"""1900-01-01 and 2300-01-01: the times that can be stored."""


def _plain(schema: Any) -> Any:
    """The schema with its timestamps as the integers they are on the wire."""
    if isinstance(schema, dict):
        return {name: _plain(part) for name, part in schema.items() if name != "logicalType"}
    return [_plain(part) for part in schema] if isinstance(schema, list) else schema


_SCHEMA = fastavro.parse_schema(_plain(json.loads(load_contracts()["dossier"].schema_text)))


@dataclass(frozen=True, slots=True)
class Sent:
    """One record as it stands on the topic; `time_ms` is Kafka's."""

    partition: int
    offset: int
    time_ms: int
    key: bytes | None
    value: bytes | None


@dataclass(slots=True)
class Outcome:
    """`kinds`, `reasons`: of the primary row of each (partition, offset); `taken_back`: the extra rows as (partition,
    offset, key, offset of the state taken back); `states`: what counts at the end, by key."""

    kinds: dict[tuple[int, int], str] = field(default_factory=dict)
    reasons: dict[tuple[int, int], str] = field(default_factory=dict)
    taken_back: list[tuple[int, int, str, int]] = field(default_factory=list)
    states: dict[str, Event] = field(default_factory=dict)

    def rollups(self) -> dict[Bucket, int]:
        """Every bucket that is not zero."""
        total: Counter[Bucket] = Counter()
        for state in self.states.values():
            total.update(counted(state))
        return dict(total)


@dataclass(slots=True)
class _Last:
    """The assertion that wins so far, deletions included."""

    order: tuple[int, int, str]
    event: Event
    offset: int


def read(record: Sent) -> tuple[Event | None, str]:
    """The assertion in a record, or why it cannot be used."""
    value = record.value
    if value is None:
        return None, "null_value"
    if len(value) < 5 or value[0] != 0:
        return None, "wrong_magic_byte"
    if int.from_bytes(value[1:5]) != 1:
        return None, "unknown_schema"
    stream = io.BytesIO(value[5:])
    try:
        event: Any = fastavro.schemaless_reader(stream, _SCHEMA, None)
    except Exception:  # noqa: BLE001 – whatever it raises, the bytes are no datum
        return None, "undecodable"
    if stream.read():
        return None, "undecodable"
    return event, _misplaced(event, record)


def _misplaced(event: Event, record: Sent) -> str:
    times = [event[field.name] for field in DOSSIER.fields if field.base == "timestamp"]
    if event["entity_key"].encode() != record.key:
        return "key_mismatch"
    if not event["entity_key"]:
        return "empty_key"
    if not 0 <= event["revision"] <= 2**60:
        return "revision_out_of_range"
    if any(time is not None and not FIRST_MS <= time < END_MS for time in times):
        return "time_out_of_range"
    return "event_time_in_future" if event["event_time"] > record.time_ms + DAY_MS else ""


def evaluate(records: Iterable[Sent]) -> Outcome:
    """What the records amount to; within a partition in the order of their offsets."""
    outcome = Outcome()
    last: dict[str, _Last] = {}
    ordered = sorted(records, key=lambda record: (record.partition, record.offset))
    told = [(record, *read(record)) for record in ordered]
    usable = [event for _, event, reason in told if event is not None and not reason]
    hashes = iter(content_hash(frame_of(usable), DOSSIER).to_list() if usable else [])
    for record, event, reason in told:
        place = (record.partition, record.offset)
        if event is None or reason:
            outcome.kinds[place], outcome.reasons[place] = "quarantined", reason
            continue
        order = (event["revision"], OPS.index(event["op"]), next(hashes))
        before = last.get(event["entity_key"])
        if before is not None and _same_id(event, before.event) and order[2] != before.order[2]:
            outcome.kinds[place], outcome.reasons[place] = "quarantined", "event_id_reused"
        elif before is not None and order <= before.order:
            outcome.kinds[place] = "repeat" if order == before.order else "superseded"
        else:
            outcome.kinds[place] = "deleted" if event["op"] == "DELETE" else "applied"
            if before is not None and before.event["op"] != "DELETE":
                outcome.taken_back.append((*place, event["entity_key"], before.offset))
            last[event["entity_key"]] = _Last(order, event, record.offset)
    outcome.states = {key: found.event for key, found in last.items() if found.event["op"] != "DELETE"}
    return outcome


def _same_id(one: Event, two: Event) -> bool:
    return one["event_id"] != "" and all(one[name] == two[name] for name in ("source_system", "event_id"))
