"""Java Avro reads what is written here, field by field the same, and writes the same bytes."""

from __future__ import annotations

import base64
import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings

from connectors.encode import Encoder
from schemas.codec import Decoder
from schemas.contract import Contract, load_contracts
from schemas.contract_field import parse_field
from schemas.errors import ContractError
from schemas.wire import HEADER_BYTES, schema_id_of
from tests.contract_batches import COMMON, Batch, batches, damaged, material, written
from tests.contract_values import Version, as_read, inner, rows, shortest
from tests.java_avro import values

CONTRACTS = load_contracts()


@dataclass(frozen=True, slots=True)
class Case:
    """A batch of one contract: its values, each of a version, and the records to be written by each version."""

    contract: Contract
    known: list[Version]
    keys: list[bytes]
    values: list[bytes]
    records: list[list[dict[str, Any]]]

    @property
    def places(self) -> list[int]:
        """By value: its version."""
        return [(schema_id_of(value) or 0) - 1 for value in self.values]

    def questions(self) -> Iterator[dict[str, Any]]:
        """One to Java Avro by version."""
        for number, version in enumerate(self.known):
            mine = [value for value, place in zip(self.values, self.places, strict=True) if place == number]
            yield {
                "writer": version.text,
                "reader": self.contract.schema_text,
                "records": [_told(version, record) for record in self.records[number]],
                "datums": [base64.b64encode(value[HEADER_BYTES:]).decode() for value in mine],
            }

    def read_here(self) -> dict[int, dict[str, Any]]:
        """The rows that the hub reads, by value."""
        texts = {number: version.text for number, version in enumerate(self.known, 1)}
        return rows(self.contract, Decoder(self.contract, texts.__getitem__).decode(self.keys, self.values))

    def read(self, answers: Sequence[dict[str, Any]]) -> list[dict[str, Any] | None]:
        """By value: the row that Java Avro reads."""
        by_version = [iter(answer["rows"]) for answer in answers]
        return [as_read(self.contract, next(by_version[place])) for place in self.places]


def _told(version: Version, record: dict[str, Any]) -> dict[str, Any]:
    """A record as Java Avro is told of it."""
    return {field["name"]: _plain(inner(field["type"]), record[field["name"]]) for field in version.schema["fields"]}


def _plain(kind: Any, value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float):
        size, whole = ("f", "I") if kind == "float" else ("d", "Q")
        return struct.unpack(f">{whole}", struct.pack(f">{size}", value))[0]
    return value


def case(contract: Contract, batch: Batch) -> Case:
    known, mixed = batch
    keys, sent, _ = written(batch)
    by_version: list[list[dict[str, Any]]] = [[] for _ in known]
    for place, record in mixed:
        by_version[place].append(shortest(known[place].schema, record))
    return Case(contract, known, keys, sent, by_version)


def encoder(contract: Contract, version: Version) -> Encoder | None:
    """Ours for this version; None if no contract can have its fields."""
    try:
        fields = tuple(parse_field(raw, version.schema["name"]) for raw in version.schema["fields"])
    except ContractError:
        return None
    return Encoder(replace(contract, schema=version.schema, fields=fields), 1)


def row_of(version: Version, record: dict[str, Any]) -> dict[str, Any]:
    """A record as a mapper gives it."""
    return {field["name"]: _typed(inner(field["type"]), record[field["name"]]) for field in version.schema["fields"]}


def _typed(kind: Any, value: Any) -> Any:
    if value is None or not isinstance(kind, dict) or kind.get("logicalType") != "decimal":
        return value
    number = int.from_bytes(value, "big", signed=True)
    return Decimal((int(number < 0), tuple(map(int, str(abs(number)))), -kind["scale"]))


def judge(cases: Sequence[Case]) -> dict[str, int]:
    """Hold what is written and read against Java Avro, in one run of it; how much was held."""
    asked = [(each, list(each.questions())) for each in cases]
    answers = iter(values([question for _, questions in asked for question in questions]))
    seen = {"values": 0, "unreadable": 0, "encoded here": 0, "encoded": 0}
    for each, questions in asked:
        mine = [next(answers) for _ in questions]
        for version, records, answer in zip(each.known, each.records, mine, strict=True):
            here = encoder(each.contract, version)
            for record, encoded in zip(records, answer["encoded"], strict=True):
                octets = base64.b64decode(encoded)
                assert version.datum(record) == octets
                seen["encoded"] += 1
                if here is not None and record["entity_key"] is not None:
                    assert here([row_of(version, record)])[0][1][HEADER_BYTES:] == octets
                    seen["encoded here"] += 1
        wanted = {row: found for row, found in enumerate(each.read(mine)) if found is not None}
        assert each.read_here() == wanted
        seen["values"] += len(each.values)
        seen["unreadable"] += len(each.values) - len(wanted)
    return seen


def generated(contract: Contract, examples: int) -> list[Case]:
    """So many batches, the same each time."""
    made: list[Case] = []

    @settings(max_examples=examples, derandomize=True, **COMMON)
    @given(batches(contract))
    def run(batch: Batch) -> None:
        made.append(case(contract, batch))

    run()
    return made


def hold(examples: int) -> None:
    seen = judge([each for contract in CONTRACTS.values() for each in generated(contract, examples)])
    assert seen["values"] > 2 * examples * len(CONTRACTS)
    assert seen["values"] - seen["unreadable"] > examples * len(CONTRACTS)
    assert seen["unreadable"] > seen["values"] / 5
    assert seen["encoded here"] > seen["encoded"] / 4


def test_records_of_any_version_are_written_and_read_as_java_avro_does() -> None:
    hold(2)


def test_what_is_read_of_damaged_records_is_what_java_avro_reads_of_them() -> None:
    dice, cases = random.Random(2026), []
    for contract in CONTRACTS.values():
        made = case(contract, material(contract, 5, seed=5))
        spoilt = [damaged(value, dice, dice.choice(made.values), len(made.known)) for value in made.values]
        cases.append(replace(made, values=spoilt, records=[[] for _ in made.known]))
    asked = [list(each.questions()) for each in cases]
    answers = iter(values([question for questions in asked for question in questions]))
    read = refused = 0
    for each, questions in zip(cases, asked, strict=True):
        theirs, mine = each.read([next(answers) for _ in questions]), each.read_here()
        assert mine == {row: theirs[row] for row in mine}
        read, refused = read + len(mine), refused + len(each.values) - len(mine)
    assert read + refused == 15 * len(CONTRACTS)
    assert min(read, refused) > 30


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_many_more_records_of_any_version_are_written_and_read_so() -> None:
    hold(40)
