"""The events every benchmark reads: 16 fields, about 250 bytes, shaped as a country's dossiers on one day.

Events are a pure function of (number, revision), so that any part can make any of them again. `number` is the
entity; 100,000 are received a day, by 20 units with 15 procedures each over three channels, and two in three are
finished when first heard of. So a batch falls on one or two days received, some 15 days due and some 12 days ended.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import fastavro
import yaml

from schemas.contract import Contract, parse_contract
from schemas.errors import UnknownSchemaError
from schemas.wire import frame
from streams.plan import EntityPlan, plan_entity

HERE = Path(__file__).parent
ENTITY = "case"
SCHEMA_ID = 1
PARTITIONS = 4

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
START_MS = 1_641_000_000_000
"""A morning of January 2022."""

RECEIVED_A_DAY = 100_000
UNITS = 20
PROCEDURES_OF_A_UNIT = 15
CHANNELS = ("COUNTER", "ONLINE", "POST")
SOURCE = "dichvucong.caobang.gov.vn"

Message = tuple[bytes, bytes]
"""Key and value of one Kafka message."""


@cache
def _schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((HERE / "case.avsc").read_text(encoding="utf-8"))
    return loaded


@cache
def _parsed() -> Any:
    return fastavro.parse_schema(_schema())


def contract(name: str = ENTITY) -> Contract:
    """The benchmark's contract as an entity of its own: topic `ioc.<name>.<name>`, tables `<name>_…`."""
    return replace(parse_contract(_schema(), name, ENTITY, "case.avsc"), entity=name)


def plan(of: Contract) -> EntityPlan:
    """Three rollups: by day received, due and ended."""
    raw = yaml.safe_load((HERE / "case.yaml").read_text(encoding="utf-8"))
    return plan_entity({**raw, "entity": of.entity}, {of.entity: of}, "case.yaml")


def schema_text(schema_id: int) -> str:
    """The registry's part: one schema, id 1."""
    if schema_id != SCHEMA_ID:
        raise UnknownSchemaError(str(schema_id))
    return contract().schema_text


def entity_key(number: int) -> str:
    """Key of an entity, as portals write dossier codes."""
    unit = number * 2_654_435_761 % 2**32 % UNITS
    return f"000.{unit:02d}.22.H53-220101-{number:09d}"


def record(number: int, revision: int = 1) -> dict[str, Any]:
    """One assertion about an entity; its status, end and channel change with the revision."""
    dice = number * 2_654_435_761 % 2**32
    unit, procedure = dice % UNITS, dice // UNITS % PROCEDURES_OF_A_UNIT
    received = START_MS + number * DAY_MS // RECEIVED_A_DAY
    changed = received + revision * HOUR_MS
    key = entity_key(number)
    status = (4, 9, 10)[(dice // 300 + revision) % 3]
    return {
        "event_id": f"{SOURCE}/{key}/{revision}/{hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest()}",
        "source_system": SOURCE,
        "org_code": f"000.{unit:02d}.22.H53",
        "entity_key": key,
        "revision": revision,
        "op": "UPSERT",
        "event_time": changed,
        "ingest_time": changed + 1000,
        "admin_code": f"{25_400 + unit:05d}",
        "admin_codeset": "2022",
        "procedure_code": f"1.{unit * PROCEDURES_OF_A_UNIT + procedure:06d}.000.00.00.H53",
        "channel": CHANNELS[(dice // 900 + revision) % 3],
        "status": status,
        "received_at": received,
        "due_at": received + (5 + dice // 2700 % 15) * DAY_MS,
        "ended_at": received + (1 + dice // 40_500 % 12) * DAY_MS if status != 4 else None,
    }


def message(number: int, revision: int = 1, **changed: Any) -> Message:
    """The event on the wire, with some fields `changed`."""
    sink = io.BytesIO()
    event = {**record(number, revision), **changed}
    fastavro.schemaless_writer(sink, _parsed(), event)
    return event["entity_key"].encode(), frame(SCHEMA_ID, sink.getvalue())


def messages(numbers: range, revision: int = 1) -> Iterator[Message]:
    """Events of these entities, in order."""
    return (message(number, revision) for number in numbers)
