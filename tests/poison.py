"""Records bad in eight ways among good ones, and a worker for the contract they need: a dossier with a decimal.

As a program it runs one worker until it is killed or asked to stop:
`python -m tests.poison BOOTSTRAP WAREHOUSE_URL NAME STATE_DIR`.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import io
import json
import random
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import yaml
from aiokafka import AIOKafkaProducer
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from schemas.contract import Contract, load_contracts, parse_contract
from schemas.errors import UnknownSchemaError
from schemas.wire import frame
from streams.plan import EntityPlan, plan_entity
from streams.warehouse.client import Warehouse
from streams.warehouse.schema import migrate
from tests.dossiers import dossier, life_cycles
from tests.stream_worker import ROOT, Bench, work

LARGE_BYTES = 10 * 1024 * 1024
LARGEST_MESSAGE = "12582912"
"""The topic takes messages that the worker refuses."""

WIDE_SCHEMA = 2
"""A writer's schema whose decimal has more digits than the contract's: the same on the wire."""

UNKNOWN_SCHEMA = 99
FAR_MS = 4_000_000_000_000
"""An event time decades ahead of any clock."""

FIRST_BAD = 500_000
"""Dossiers from this number on have a bad record; those of `life_cycles` are below."""

REASONS = {
    "truncated": "undecodable",
    "unknown_schema": "unknown_schema",
    "null": "null_value",
    "magic": "wrong_magic_byte",
    "future": "event_time_in_future",
    "decimal": "decimal_out_of_range",
    "large": "too_large",
    "reused": "event_id_reused",
}
"""Way of being bad → the reason's code in the quarantine."""

LARGE_SHARE = 50
"""One bad record in so many is of 10 MB: enough to matter, and a test's disk holds them."""


@dataclass(frozen=True, slots=True)
class Message:
    """A record on its way; `reason` is why it must be refused, None for a good one."""

    key: bytes
    value: bytes | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Corpus:
    """`messages` in order; `good`: the events that must count; `repaired`: what the refused ones should have been."""

    messages: list[Message]
    good: list[dict[str, Any]]
    repaired: list[dict[str, Any]]


def poison_contract(name: str) -> Contract:
    return parse_contract(_schema(12), name, name, "poison.avsc")


def _schema(precision: int) -> dict[str, Any]:
    schema = copy.deepcopy(load_contracts()["dossier"].schema)
    decimal = {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": 2}
    schema["fields"].append({"name": "amount", "type": ["null", decimal], "default": None})
    return schema


_PARSED = fastavro.parse_schema(_schema(12))
_WIDE = fastavro.parse_schema(_schema(30))


def value_of(event: dict[str, Any], schema: Any = _PARSED) -> bytes:
    sink = io.BytesIO()
    fastavro.schemaless_writer(sink, schema, event)
    return frame(1, sink.getvalue())


def with_amount(event: dict[str, Any]) -> dict[str, Any]:
    """The amount is a function of the dossier, so that its last state has it whatever came before."""
    number = int(event["entity_key"].rpartition("-")[2])
    return {**event, "amount": Decimal(number * 977 - 50_000_000).scaleb(-2)}


def good_messages(events: Sequence[dict[str, Any]]) -> list[Message]:
    return [Message(event["entity_key"].encode(), value_of(event)) for event in events]


def clean(dossiers: int, seed: int) -> Corpus:
    events = [with_amount(event) for event in life_cycles(dossiers, seed)]
    return Corpus(good_messages(events), events, [])


def poisoned(dossiers: int, seed: int) -> Corpus:
    """The events of `clean` and one bad record to 99 of them, in all eight ways, anywhere."""
    dice = random.Random(seed)
    sound = clean(dossiers, seed)
    messages, good = list(sound.messages), list(sound.good)
    repaired: list[dict[str, Any]] = []
    ways = [way for way in REASONS if way != "large"]
    for place in range(len(messages) // 99):
        way = "large" if place % LARGE_SHARE == 0 else ways[place % len(ways)]
        event = with_amount(dossier(FIRST_BAD + place, 1, dice.choice((2, 4, 9, 10))))
        if way == "reused":
            good.append(event)
            first = dice.randrange(len(messages))
            messages.insert(first, good_messages([event])[0])
            event = {**event, "revision": 2, "fee": event["fee"] + 1}
            messages.insert(dice.randrange(first + 1, len(messages) + 1), _bad(way, event))
            repaired.append({**event, "event_id": f"{event['event_id']}-again"})
        else:
            messages.insert(dice.randrange(len(messages)), _bad(way, event))
            repaired.append(event)
    return Corpus(messages, good, repaired)


def _bad(way: str, event: dict[str, Any]) -> Message:
    value: bytes | None = value_of(event)
    assert value is not None
    if way == "truncated":
        value = value[: 6 + event["revision"] * len(value) // 2]
    elif way == "unknown_schema":
        value = frame(UNKNOWN_SCHEMA, value[5:])
    elif way == "null":
        value = None
    elif way == "magic":
        value = b"\x01" + value[1:]
    elif way == "future":
        value = value_of({**event, "event_time": FAR_MS})
    elif way == "decimal":
        value = value_of({**event, "amount": Decimal("12345678901.23")}, _WIDE)
    elif way == "large":
        value = value_of({**event, "applicant": "x" * LARGE_BYTES})
    return Message(event["entity_key"].encode(), value, REASONS[way])


def poison_plan(contract: Contract) -> EntityPlan:
    """The dossier's KPIs and one over the decimal, exact in its smallest unit."""
    raw = yaml.safe_load((ROOT / "streams" / "kpis" / "dossier.yaml").read_text(encoding="utf-8"))
    name = {"vi": "Số tiền (xu)", "en": "Amount (hundredths)"}
    raw["measures"]["amount_hundredths"] = {"sql": "accurateCastOrNull(amount * 100, 'Int64')", "name": name}
    kpi = {
        "id": f"{contract.entity}.amount",
        "name": name,
        "explanation": name,
        "kind": "flow",
        "unit": name,
        "direction": "none",
        "owner": "x",
        "value": {"measure": "amount_hundredths", "time": "filed_at"},
    }
    raw = {**raw, "entity": contract.entity, "kpis": [*raw["kpis"], kpi]}
    return plan_entity(raw, {contract.entity: contract}, "test")


class PoisonBench(Bench):
    """A topic that takes large messages, and workers of this module's contract."""

    __slots__ = ()

    def create_topic(self, partitions: int) -> None:
        super().create_topic(partitions)
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        limit = {"max.message.bytes": LARGEST_MESSAGE}
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, self.contract.topic, configs=limit)])
        admin.close()

    async def send(self, messages: Sequence[Message]) -> list[tuple[int, int]]:
        """Write in order; the partition and offset of each, once the broker has all."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, acks="all", linger_ms=5, max_request_size=int(LARGEST_MESSAGE)
        )
        await producer.start()
        try:
            sent = [await producer.send(self.contract.topic, value=one.value, key=one.key) for one in messages]
            return [(done.partition, done.offset) for done in await asyncio.gather(*sent)]
        finally:
            await producer.stop()

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.poison", self.bootstrap, self.url, self.name, str(self.state)]
        with (self.state / "worker.log").open("ab") as log:
            return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)


@contextlib.contextmanager
def poison_bench(bootstrap: str, url: str, state: Path) -> Iterator[PoisonBench]:
    """A topic of four partitions and its tables."""
    name = f"p{uuid.uuid4().hex[:8]}"
    contract = poison_contract(name)
    warehouse = Warehouse(url)
    migrate(warehouse, {name: contract}, {name: poison_plan(contract)}, "Asia/Ho_Chi_Minh")
    ready = PoisonBench(bootstrap, url, name, state, warehouse, contract)
    ready.create_topic(4)
    try:
        yield ready
    finally:
        warehouse.close()


def _schema_text(schema_id: int) -> str:
    if schema_id != 1:
        raise UnknownSchemaError(str(schema_id))
    return json.dumps(_schema(12))


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:5], poison_contract(sys.argv[3]), _schema_text))
