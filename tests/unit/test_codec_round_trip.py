"""Every contract's values come back as they were written, by whatever version; damaged ones never as something else."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import event, given, settings

from schemas.codec import Decoder
from schemas.contract import Contract, load_contracts
from schemas.wire import HEADER_BYTES, frame, schema_id_of
from tests.contract_batches import COMMON, Batch, batches, damaged, material, written
from tests.contract_values import FOREIGN, Version, rows

CONTRACTS = load_contracts()


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

    @settings(max_examples=2, **COMMON)
    @given(batches(contract))
    def run(batch: Batch) -> None:
        check(contract, batch)

    run()


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("entity", sorted(CONTRACTS))
def test_many_more_values_of_any_version_come_back(entity: str) -> None:
    contract = CONTRACTS[entity]

    @settings(max_examples=100, **COMMON)
    @given(batches(contract))
    def run(batch: Batch) -> None:
        check(contract, batch)

    run()


def test_two_thousand_accidents_never_give_a_wrong_row() -> None:
    """Each row that comes is the one that the reference reads from these bytes; a datum that is whole and canonical is
    never refused; the records beside it come as they were."""
    seen = {"damaged": 0, "refused": 0, "still a datum": 0}
    dice = random.Random(2026)
    each = -(-2_000 // (len(CONTRACTS) * 20))
    for contract in CONTRACTS.values():
        known, mixed = material(contract, 8, seed=3)
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
