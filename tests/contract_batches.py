"""Batches of a contract's records, written by several versions of it: as they should be, and after accidents."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schemas.contract import Contract
from schemas.wire import HEADER_BYTES, frame
from tests.contract_values import Version, records, versions

COMMON: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "database": None,
    "phases": [Phase.explicit, Phase.generate],
}

Batch = tuple[list[Version], list[tuple[int, dict[str, Any]]]]


@st.composite
def batches(draw: st.DrawFn, contract: Contract) -> Batch:
    """Versions, and records of them mixed: (version, record)."""
    schemas = [draw(versions(contract)) for _ in range(draw(st.integers(1, 3)))]
    places = draw(st.lists(st.integers(0, len(schemas) - 1), min_size=1, max_size=6))
    return [Version(schema) for schema in schemas], [(place, draw(records(schemas[place]))) for place in places]


def written(batch: Batch) -> tuple[list[bytes], list[bytes], dict[int, str]]:
    """Keys, values, and schemas by id."""
    known, mixed = batch
    keys = [key if isinstance(key, bytes) else str(key or "").encode() for key in (r["entity_key"] for _, r in mixed)]
    values = [frame(place + 1, known[place].datum(record)) for place, record in mixed]
    return keys, values, {number: version.text for number, version in enumerate(known, 1)}


def material(contract: Contract, count: int, seed: int) -> tuple[list[Version], list[tuple[int, dict[str, Any]]]]:
    """Three versions and `count` records of each, mixed, the same every time."""
    made: list[Batch] = []

    @settings(max_examples=1, derandomize=True, **COMMON)
    @given(st.data())
    def run(data: st.DataObject) -> None:
        schemas = [contract.schema, *(data.draw(versions(contract)) for _ in range(2))]
        mixed = [(place, data.draw(records(schema))) for place, schema in enumerate(schemas) for _ in range(count)]
        made.append(([Version(schema) for schema in schemas], mixed))

    run()
    known, mixed = made[0]
    random.Random(seed).shuffle(mixed)
    return known, mixed


def damaged(value: bytes, dice: random.Random, other: bytes, ids: int) -> bytes:
    """The value after an accident on its way."""
    made = bytearray(value)
    place = dice.randrange(HEADER_BYTES, len(made))
    match dice.randrange(7):
        case 0:
            del made[place:]
        case 1:
            made[place] = dice.randrange(256)
        case 2:
            made[place] ^= 1 << dice.randrange(8)
        case 3:
            del made[place : place + dice.randint(1, 3)]
        case 4:
            made[place:place] = dice.randbytes(dice.randint(1, 3))
        case 5:
            made[place:] = other[min(place, len(other)) :]
        case 6:
            made[HEADER_BYTES - 1] = dice.randint(1, ids)
    return bytes(made)
