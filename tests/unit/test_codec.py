"""Batches of message values become columns; bad records are named and the good ones kept."""

from __future__ import annotations

import io
import json
import random
from typing import Any

import fastavro
import polars as pl
import pytest

from schemas.codec import ROW, Decoder
from schemas.contract import Contract, load_contracts
from schemas.errors import RegistryUnavailableError, UnknownSchemaError
from schemas.wire import MAX_VALUE_BYTES, frame

DOSSIER = load_contracts()["dossier"]
OLD = json.loads(DOSSIER.schema_text)
OLD["fields"] = [field for field in OLD["fields"] if field["name"] not in ("rating", "applicant_phone")]
for _field in OLD["fields"]:
    if _field["name"] == "level":
        _field["type"] = "int"
SCHEMAS = {1: DOSSIER.schema_text, 2: json.dumps(OLD)}


def schema_text(schema_id: int) -> str:
    if schema_id not in SCHEMAS:
        raise UnknownSchemaError(str(schema_id))
    return SCHEMAS[schema_id]


def record(number: int, **changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "event_id": f"e{number}",
        "source_system": "portal",
        "org_code": "H53.14",
        "entity_key": f"H53.14-220823-{number:04d}",
        "revision": number,
        "op": "UPSERT",
        "event_time": 1_661_217_300_000 + number,
        "ingest_time": 1_661_217_301_000,
        "admin_code": "25459",
        "admin_codeset": "2022",
        "procedure_code": "1.002835",
        "field": "Đất đai",
        "channel": "ONLINE",
        "level": 4,
        "status": 9,
        "filed_at": 1_661_217_300_000,
        "received_at": None,
        "due_at": None,
        "ended_at": None,
        "returned_at": None,
        "fee": 50_000,
        "paid_online": True,
        "components_digitised": False,
        "result_electronic": True,
        "rating": None,
        "applicant": "ab" * 16,
        "applicant_phone": None,
    }
    return {**base, **changes}


def value(number: int, schema_id: int = 1, **changes: Any) -> bytes:
    sink = io.BytesIO()
    fastavro.schemaless_writer(sink, fastavro.parse_schema(json.loads(SCHEMAS[schema_id])), record(number, **changes))
    return frame(schema_id, sink.getvalue())


def key(number: int) -> bytes:
    return f"H53.14-220823-{number:04d}".encode()


@pytest.fixture
def decoder() -> Decoder:
    return Decoder(DOSSIER, schema_text)


def test_a_batch_decodes_to_the_contract_s_columns(decoder: Decoder) -> None:
    decoded = decoder.decode([key(n) for n in range(5)], [value(n) for n in range(5)])
    assert decoded.bad == ()
    assert decoded.frame["entity_key"].to_list() == [key(n).decode() for n in range(5)]
    assert decoded.frame["event_time"].dtype == pl.Datetime("ms", "UTC")
    assert decoded.frame["channel"].to_list() == ["ONLINE"] * 5
    assert decoded.frame[ROW].to_list() == list(range(5))


def test_writer_schemas_may_mix_within_a_batch_and_new_fields_take_their_defaults(decoder: Decoder) -> None:
    values = [value(n, schema_id=1 + n % 2, rating=5) for n in range(6)]
    decoded = decoder.decode([key(n) for n in range(6)], values)
    assert decoded.bad == ()
    assert decoded.frame["rating"].to_list() == [5, None, 5, None, 5, None]
    assert decoded.frame[ROW].to_list() == list(range(6))


def test_each_kind_of_bad_record_is_named_and_the_rest_is_kept(decoder: Decoder) -> None:
    values: list[bytes | None] = [value(n) for n in range(8)]
    values[1] = None
    values[2] = b"{}"
    values[3] = frame(99, b"x")
    values[4] = (values[4] or b"")[:-30]
    values[5] = (values[5] or b"") + b"extra"
    keys = [key(n) for n in range(8)]
    keys[6] = b"another"
    decoded = decoder.decode(keys, values)
    assert {(bad.row, bad.code) for bad in decoded.bad} == {
        (1, "null_value"),
        (2, "json_value"),
        (3, "unknown_schema"),
        (4, "undecodable"),
        (5, "undecodable"),
        (6, "key_mismatch"),
    }
    assert decoded.frame[ROW].to_list() == [0, 7]
    assert all(bad.reason and bad.reason_en for bad in decoded.bad)


def test_columnar_and_single_record_decoding_agree(decoder: Decoder) -> None:
    values = [value(n, rating=n % 5 + 1) for n in range(20)]
    keys = [key(n) for n in range(20)]
    columnar = decoder.decode(keys, values).frame
    spoiled = decoder.decode([*keys, key(20)], [*values, value(20)[:-3]]).frame
    assert spoiled.equals(columnar)


def test_random_corruption_never_gives_a_wrong_row(decoder: Decoder) -> None:
    dice = random.Random(7)
    good = [value(n) for n in range(10)]
    keys = [key(n) for n in range(10)]
    expected = decoder.decode(keys, good).frame.drop(ROW).rows()
    for _ in range(150):
        values = list(good)
        victim = dice.randrange(10)
        cut = dice.randrange(6, len(values[victim]))
        values[victim] = values[victim][:cut]
        rows = decoder.decode(keys, values).frame.drop(ROW).rows()
        assert rows == [row for number, row in enumerate(expected) if number != victim]


def test_a_schema_that_is_none_condemns_its_own_records_alone() -> None:
    texts = {1: DOSSIER.schema_text, 2: '{"type": "strang"}', 3: 'syntax = "proto3";', 4: '"string"'}
    keys, written = [key(number) for number in range(4)], [value(number) for number in range(4)]
    values = [frame(1 + number, datum[5:]) for number, datum in enumerate(written)]
    decoded = Decoder(DOSSIER, texts.__getitem__).decode(keys, values)
    assert decoded.frame[ROW].to_list() == [0]
    assert [bad.code for bad in decoded.bad] == ["unreadable_schema", "unreadable_schema", "undecodable"]


def test_a_batch_of_bad_records_alone_gives_columns_without_rows(decoder: Decoder) -> None:
    decoded = decoder.decode([b"a", b"b", b"c"], [None, b"{}", value(0)[:9]])
    assert decoded.frame.schema == decoder.decode([], []).frame.schema
    assert len(decoded.bad) == 3


def test_a_value_beyond_the_limit_is_refused_unread(decoder: Decoder) -> None:
    large = value(0, applicant="x" * MAX_VALUE_BYTES)
    decoded = decoder.decode([key(0), key(1)], [large, value(1)])
    assert decoded.frame[ROW].to_list() == [1]
    assert [(bad.row, bad.code) for bad in decoded.bad] == [(0, "too_large")]
    assert str(len(large)) in decoded.bad[0].reason_en


def test_random_bytes_within_a_datum_never_change_another_record(decoder: Decoder) -> None:
    dice = random.Random(11)
    good = [value(n) for n in range(6)]
    keys = [key(n) for n in range(6)]
    expected = decoder.decode(keys, good).frame.drop(ROW).rows()
    for _ in range(150):
        values = list(good)
        victim = dice.randrange(6)
        damaged = bytearray(values[victim])
        for _ in range(dice.randint(1, 3)):
            damaged[dice.randrange(5, len(damaged))] = dice.randrange(256)
        values[victim] = bytes(damaged)
        decoded = decoder.decode(keys, values)
        rows = dict(zip(decoded.frame[ROW].to_list(), decoded.frame.drop(ROW).rows(), strict=True))
        rows.pop(victim, None)
        assert rows == {number: row for number, row in enumerate(expected) if number != victim}


def test_an_unavailable_registry_is_not_blamed_on_the_records() -> None:
    def away(_: int) -> str:
        raise RegistryUnavailableError("away")

    with pytest.raises(RegistryUnavailableError):
        Decoder(DOSSIER, away).decode([key(0)], [value(0)])


def test_every_contract_s_fields_have_columns() -> None:
    for contract in load_contracts().values():
        assert isinstance(contract, Contract)
        decoded = Decoder(contract, schema_text).decode([], [])
        assert set(decoded.frame.columns) == {*contract.by_name, ROW}
