"""Every contract's values come back as they were written, by whatever version; damaged ones never as something else."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from schemas.codec import Decoder
from schemas.contract import Contract, load_contracts
from schemas.wire import HEADER_BYTES, frame, schema_id_of
from tests.contract_values import FOREIGN, Version, records, rows, versions

CONTRACTS = load_contracts()
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


def check(contract: Contract, batch: Batch) -> None:
    keys, values, texts = written(batch)
    decoded = Decoder(contract, texts.__getitem__).decode(keys, values)
    wanted = {
        row: found
        for row, (value, (place, _)) in enumerate(zip(values, batch[1], strict=True))
        if (found := batch[0][place].read(contract, value[HEADER_BYTES:])) is not None
    }
    assert rows(contract, decoded) == wanted
    assert [bad.row for bad in decoded.bad] == [row for row in range(len(values)) if row not in wanted]
    assert all(bad.reason and bad.reason_en for bad in decoded.bad)
    event("some cannot be read" if decoded.bad else "all are read")


@pytest.mark.parametrize("entity", sorted(CONTRACTS))
def test_values_of_any_version_come_back_as_the_reference_reads_them(entity: str) -> None:
    contract = CONTRACTS[entity]

    @settings(max_examples=6, **COMMON)
    @given(batches(contract))
    def run(batch: Batch) -> None:
        check(contract, batch)

    run()


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("entity", sorted(CONTRACTS))
def test_many_more_values_of_any_version_come_back(entity: str) -> None:
    contract = CONTRACTS[entity]

    @settings(max_examples=300, **COMMON)
    @given(batches(contract))
    def run(batch: Batch) -> None:
        check(contract, batch)

    run()


def material(contract: Contract, count: int, seed: int) -> tuple[list[Version], list[tuple[int, dict[str, Any]]]]:
    """Three versions and `count` records of each, the same every time."""
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


def test_two_thousand_accidents_never_give_a_wrong_row() -> None:
    """Each row that comes is the one that the reference reads from these bytes; a datum that is whole and canonical is
    never refused; the records beside it come as they were."""
    seen = {"damaged": 0, "refused": 0, "still a datum": 0}
    dice = random.Random(2026)
    each = -(-2_000 // (len(CONTRACTS) * 20))
    for contract in CONTRACTS.values():
        known, mixed = material(contract, 14, seed=3)
        keys, values, texts = written((known, mixed))
        decoder = Decoder(contract, texts.__getitem__)
        for _ in range(each):
            spoilt = list(values)
            for row in dice.sample(range(len(values)), 20):
                spoilt[row] = damaged(values[row], dice, dice.choice(values), len(known))
            hold(contract, known, keys, spoilt, decoder)
            seen["damaged"] += 20
            refused = len(decoder.decode(keys, spoilt).bad)
            seen["refused"] += refused
            seen["still a datum"] += len(values) - refused
    assert seen["damaged"] >= 2_000
    assert seen["refused"] > 500


def hold(contract: Contract, known: list[Version], keys: list[bytes], values: list[bytes], decoder: Decoder) -> None:
    """Hold a batch against the reference, record by record."""
    decoded = decoder.decode(keys, values)
    got = rows(contract, decoded)
    assert sorted([*got, *(bad.row for bad in decoded.bad)]) == list(range(len(values)))
    codes = {bad.row: bad.code for bad in decoded.bad}
    for row, (key, value) in enumerate(zip(keys, values, strict=True)):
        version = known[(schema_id_of(value) or 0) - 1]
        wanted = version.read(contract, value[HEADER_BYTES:])
        if row in got:
            assert got[row] == wanted
            assert str(got[row]["entity_key"]).encode() == key
        elif wanted is not None and str(wanted["entity_key"]).encode() == key:
            # Refused, and the reference reads it: then no writer would have written it so.
            again = version.record(value[HEADER_BYTES:])
            assert again is not None
            assert version.datum(again) != value[HEADER_BYTES:], codes[row]


def test_symbols_of_the_future_become_the_default_in_every_contract_that_has_one() -> None:
    seen = 0
    for contract in CONTRACTS.values():
        _, mixed = material(contract, 3, seed=4)
        for field in contract.fields:
            if field.base != "enum":
                continue
            schema = {**contract.schema, "fields": [dict(one) for one in contract.schema["fields"]]}
            (changed,) = [one for one in schema["fields"] if one["name"] == field.name]
            kind = {"type": "enum", "name": enum_name(changed["type"]), "symbols": [*field.symbols, *FOREIGN]}
            changed["type"] = ["null", kind] if field.nullable else kind
            version = Version(schema)
            record = next(one for place, one in mixed if place == 0)
            value = frame(1, version.datum({**record, field.name: FOREIGN[0]}))
            decoded = Decoder(contract, lambda _, text=version.text: text).decode(
                [record["entity_key"].encode()], [value]
            )
            if field.symbol_default is None:
                assert [bad.code for bad in decoded.bad] == ["unknown_symbol"], field.name
            elif (wanted := version.read(contract, value[HEADER_BYTES:])) is not None:
                assert rows(contract, decoded) == {0: wanted}
                assert wanted[field.name] == field.symbol_default
                seen += 1
    assert seen


def enum_name(kind: Any) -> str:
    (found,) = [one for one in (kind if isinstance(kind, list) else [kind]) if one != "null"]
    return str(found["name"])
