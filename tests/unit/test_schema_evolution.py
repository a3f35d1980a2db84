"""Records of other versions of a contract are read as the Avro specification's resolution rules say.

The reference is fastavro, record by record, over generated pairs of schemas and batches that mix several writers.
"""

from __future__ import annotations

import io
import json
import math
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import fastavro
import polars as pl
import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st
from polars import selectors

from schemas.codec import ROW, Decoder
from schemas.contract import ENVELOPE, Contract, load_contracts, parse_contract
from schemas.wire import frame
from schemas.writer import Block, Writer

FEEDBACK = load_contracts()["feedback"].schema["fields"]
ENVELOPE_FIELDS = [{"name": field["name"], "type": field["type"]} for field in FEEDBACK if field["name"] in ENVELOPE]
BASES = ("string", "int", "long", "float", "double", "boolean", "enum", "timestamp", "decimal")
SYMBOLS = ("NEW", "OPEN", "DONE", "VOID", "LOST")
TIMESTAMP = {"type": "long", "logicalType": "timestamp-millis"}
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 8, "scale": 2}
EPOCH = datetime.fromtimestamp(0, UTC)
NARROWER = {"long": ("int",), "float": ("int", "long"), "double": ("int", "long", "float"), "string": ("bytes",)}
"""Writers' types that a reader's is a promotion of."""

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(max_size=12),
    "bytes": st.one_of(st.text(max_size=8).map(str.encode), st.binary(max_size=4)),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "boolean": st.booleans(),
    "timestamp": st.integers(-(10**12), 4 * 10**12),
    "decimal": st.integers(-(10**8) + 1, 10**8 - 1).map(lambda number: Decimal(number).scaleb(-2)),
    "map": st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=2),
}


def avro_type(base: str, name: str, symbols: tuple[str, ...], symbol_default: str | None) -> Any:
    if base == "enum":
        made = {"type": "enum", "name": f"Enum_{name}", "symbols": list(symbols)}
        return {**made, "default": symbol_default} if symbol_default else made
    return {"timestamp": TIMESTAMP, "decimal": DECIMAL, "map": {"type": "map", "values": "int"}}.get(base, base)


DEFAULTS = {
    "string": "chưa rõ",
    "int": 7,
    "long": 2**40,
    "float": 0.5,
    "double": -2.25,
    "boolean": True,
    "timestamp": 1_650_000_000_000,
    "decimal": "\u0000\u00e9",
}


@st.composite
def readers(draw: st.DrawFn) -> list[dict[str, Any]]:
    """The contract's own fields: `base`, `symbols`, the Avro field."""
    fields = []
    for number in range(draw(st.integers(1, 5))):
        name, base = f"own_{number}", draw(st.sampled_from(BASES))
        symbols = tuple(draw(st.lists(st.sampled_from(SYMBOLS), min_size=1, unique=True)))
        kind = avro_type(base, name, symbols, draw(st.sampled_from([None, symbols[-1]])))
        nullable = draw(st.sampled_from([None, "first", "last"]))
        plain = symbols[0] if base == "enum" else DEFAULTS[base]
        avro: dict[str, Any] = {"name": name, "type": kind}
        if nullable:
            avro["type"] = ["null", kind] if nullable == "first" else [kind, "null"]
        if draw(st.integers(0, 3)):
            avro["default"] = None if nullable == "first" else plain
        if draw(st.booleans()):
            avro["aliases"] = [f"old_{number}"]
        fields.append({"base": base, "symbols": symbols, "avro": avro})
    return fields


@st.composite
def writers(draw: st.DrawFn, reader: list[dict[str, Any]]) -> list[tuple[dict[str, Any], str]]:
    """Another version's fields, in another order: pairs of the Avro field and the base of its values."""
    made: list[tuple[dict[str, Any], str]] = [(field, "envelope") for field in ENVELOPE_FIELDS]
    for field in reader:
        avro, base, symbols = field["avro"], field["base"], field["symbols"]
        how = draw(st.sampled_from(["same", "same", "promoted", "absent", "other"]))
        if how == "absent":
            continue
        if how == "promoted":
            base = draw(st.sampled_from(NARROWER.get(base, (base,))))
        elif how == "other":
            base = draw(st.sampled_from([kind for kind in BASES if "decimal" not in (kind, base)] or [base]))
            if (base, field["base"]) in {("timestamp", "long"), ("timestamp", "float"), ("timestamp", "double")}:
                base = "boolean"  # the reference reads the writer's logical type, whatever the reader wants
        if draw(st.booleans()):
            symbols = tuple(draw(st.permutations(SYMBOLS)))
        kind = avro_type(base, avro["name"], symbols, None)
        if draw(st.integers(0, 2)) == 0:
            kind = draw(st.sampled_from([["null", kind], [kind, "null"]]))
        name = avro["aliases"][0] if "aliases" in avro and draw(st.booleans()) else avro["name"]
        made.append(({"name": name, "type": kind}, base))
    if draw(st.booleans()):
        base = draw(st.sampled_from(("string", "double", "enum")))
        made.append(({"name": "removed", "type": avro_type(base, "removed", SYMBOLS, None)}, base))
    if draw(st.integers(0, 9)) == 0:
        made.append(({"name": "nested", "type": avro_type("map", "nested", SYMBOLS, None)}, "map"))
    return draw(st.permutations(made))


def record_schema(fields: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "record", "name": "Thing", "namespace": "ioc.test", "fields": fields}


@st.composite
def batches(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]], list[tuple[int, dict[str, Any]]]]:
    """A contract's schema, writers' schemas, and records of them: (writer, record)."""
    reader = draw(readers())
    chosen = [draw(writers(reader)) for _ in range(draw(st.integers(1, 3)))]
    records = []
    for number in range(draw(st.integers(1, 8))):
        place = draw(st.integers(0, len(chosen) - 1))
        records.append((place, {avro["name"]: draw(value(avro, base, number)) for avro, base in chosen[place]}))
    schema = record_schema([*ENVELOPE_FIELDS, *(field["avro"] for field in reader)])
    return schema, [record_schema([avro for avro, _ in fields]) for fields in chosen], records


def value(avro: dict[str, Any], base: str, number: int) -> st.SearchStrategy[Any]:
    if base == "envelope":
        return st.just(envelope(number)[avro["name"]])
    kind = avro["type"]
    inner = next(branch for branch in kind if branch != "null") if isinstance(kind, list) else kind
    plain = st.sampled_from(inner["symbols"]) if base == "enum" else VALUES[base]
    return st.one_of(st.none(), plain) if isinstance(kind, list) else plain


def envelope(number: int) -> dict[str, Any]:
    texts = dict.fromkeys(ENVELOPE, "x")
    return {
        **texts,
        "entity_key": f"K{number}",
        "revision": number,
        "op": "UPSERT",
        "event_time": 1_650_000_000_000 + number,
        "ingest_time": 1_650_000_000_000,
    }


def datum(schema: Any, record: dict[str, Any]) -> bytes:
    sink = io.BytesIO()
    fastavro.schemaless_writer(sink, schema, record)
    return sink.getvalue()


def reference(schema: dict[str, Any], contract: Contract, writer: Any, payload: bytes) -> dict[str, Any] | None:
    """The record as fastavro resolves it, None if it cannot."""
    try:
        read: Any = fastavro.schemaless_reader(io.BytesIO(payload), writer, schema)
    except Exception:  # noqa: BLE001 – whatever the reference raises, it cannot read the record
        return None
    return {field.name: plain(read[field.name], field.base, contract) for field in contract.fields}


def plain(found: Any, base: str, contract: Contract) -> Any:
    """The reference's value as a column holds it: it leaves defaults as they are written in the schema, and does
    not round to 32 bits. A time in milliseconds: a writer's plain number may be a year that Python does not have."""
    if base == "timestamp" and isinstance(found, datetime):
        return (found - EPOCH) // timedelta(milliseconds=1)
    if base == "decimal" and isinstance(found, str):
        return Decimal(int.from_bytes(found.encode("latin-1"), "big", signed=True)).scaleb(-2)
    if base == "float" and found is not None:
        return struct.unpack("<f", struct.pack("<f", found))[0] if math.isfinite(found) else found
    return found


def check(case: tuple[dict[str, Any], list[dict[str, Any]], list[tuple[int, dict[str, Any]]]]) -> int:
    """Decode one generated batch and compare it with the reference; gives the pairs of schemas compared."""
    schema, writer_schemas, records = case
    contract = parse_contract(schema, "test", "thing", "thing.avsc")
    parsed = [fastavro.parse_schema(writer) for writer in writer_schemas]
    reader = fastavro.parse_schema(schema)
    payloads = [datum(parsed[place], record) for place, record in records]
    texts = {number: json.dumps(writer) for number, writer in enumerate(writer_schemas, start=1)}
    decoded = Decoder(contract, texts.__getitem__).decode(
        [record["entity_key"].encode() for _, record in records],
        [frame(place + 1, payload) for (place, _), payload in zip(records, payloads, strict=True)],
    )
    expected = [
        reference(reader, contract, parsed[place], payload)
        for (place, _), payload in zip(records, payloads, strict=True)
    ]
    whole = decoded.frame.with_columns(selectors.datetime().dt.timestamp("ms"))
    rows = {row.pop(ROW): row for row in whole.to_dicts()}
    assert decoded.frame[ROW].to_list() == sorted(rows)
    assert {bad.row for bad in decoded.bad} == {row for row, wanted in enumerate(expected) if wanted is None}
    assert rows == {row: wanted for row, wanted in enumerate(expected) if wanted is not None}
    event("some records cannot be read" if decoded.bad else "all records are read")
    return len(writer_schemas)


def default_read_one_by_one() -> tuple[dict[str, Any], list[dict[str, Any]], list[tuple[int, dict[str, Any]]]]:
    """A decimal that the writer lacks, beside a map, for which records are read one by one."""
    own = {"name": "fee", "type": DECIMAL, "default": DEFAULTS["decimal"]}
    nested = {"name": "nested", "type": {"type": "map", "values": "int"}}
    schemas = record_schema([*ENVELOPE_FIELDS, own]), record_schema([*ENVELOPE_FIELDS, nested])
    return schemas[0], [schemas[1]], [(0, {**envelope(0), "nested": {"a": 1}})]


COMMON = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=40, **COMMON)
@given(batches())
@example(default_read_one_by_one())
def test_any_writer_s_records_are_read_as_the_reference_reads_them(case: Any) -> None:
    check(case)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_thousand_pairs_of_schemas_and_more_are_read_as_the_reference_reads_them() -> None:
    pairs = 0

    @settings(max_examples=1_000, **COMMON)
    @given(batches())
    def run(case: Any) -> None:
        nonlocal pairs
        pairs += check(case)

    run()
    assert pairs >= 1_000


def thing(*fields: dict[str, Any]) -> Contract:
    return parse_contract(record_schema([*ENVELOPE_FIELDS, *fields]), "test", "thing", "thing.avsc")


def decoded_values(
    contract: Contract, written: list[tuple[dict[str, Any], Any]], name: str
) -> tuple[list[Any], dict[int, str]]:
    """The column `name` and the bad rows' codes; `written`: (the writer's field, its value), a record each."""
    texts = {
        number: json.dumps(record_schema([*ENVELOPE_FIELDS, field])) for number, (field, _) in enumerate(written, 1)
    }
    values = [
        frame(number, datum(fastavro.parse_schema(json.loads(texts[number])), {**envelope(number), field["name"]: raw}))
        for number, (field, raw) in enumerate(written, 1)
    ]
    keys = [f"K{number}".encode() for number in range(1, len(written) + 1)]
    decoded = Decoder(contract, texts.__getitem__).decode(keys, values)
    return decoded.frame[name].to_list(), {bad.row: bad.code for bad in decoded.bad}


def test_a_symbol_that_the_contract_does_not_know_becomes_the_enum_s_default() -> None:
    field = {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["A", "B"], "default": "A"}}
    wider = {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["B", "C", "A"]}}
    assert decoded_values(thing(field), [(wider, "C"), (wider, "B"), (field, "B")], "state") == (["A", "B", "B"], {})


def test_a_symbol_unknown_without_a_default_spoils_its_own_record_alone() -> None:
    field = {"name": "state", "type": ["null", {"type": "enum", "name": "State", "symbols": ["A"]}], "default": None}
    wider = {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["B", "A"]}}
    values, bad = decoded_values(thing(field), [(wider, "A"), (wider, "B"), (field, None)], "state")
    assert (values, bad) == (["A", None], {1: "unknown_symbol"})


def test_a_null_in_a_field_that_has_become_required_spoils_its_own_record_alone() -> None:
    older = {"name": "count", "type": ["null", "int"]}
    values, bad = decoded_values(
        thing({"name": "count", "type": "double"}), [(older, 3), (older, None), (older, 5)], "count"
    )
    assert (values, bad) == ([3.0, 5.0], {1: "required_null"})


def test_times_of_another_unit_are_refused_rather_than_read_as_if_they_were_milliseconds() -> None:
    micros = {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}}
    field = {"name": "at", "type": TIMESTAMP}
    values, bad = decoded_values(thing(field), [(micros, 10**15), (field, 10**12)], "at")
    assert (values, bad) == ([datetime.fromtimestamp(10**9, UTC)], {0: "schema_mismatch"})


@pytest.fixture
def blocks_read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Sizes of the blocks that the columnar reader was given."""
    read: list[int] = []
    columns = Writer.columns

    def counted(block: Block) -> pl.DataFrame:
        read.append(len(block.sizes))
        return columns(block)

    monkeypatch.setattr(Writer, "columns", staticmethod(counted))
    yield read


def test_a_batch_of_one_writer_is_one_call_of_the_columnar_reader(blocks_read: list[int]) -> None:
    field = {"name": "count", "type": "int"}
    text = json.dumps(record_schema([*ENVELOPE_FIELDS, field]))
    parsed = fastavro.parse_schema(json.loads(text))
    values = [frame(1, datum(parsed, {**envelope(number), "count": number})) for number in range(500)]
    contract = thing({"name": "count", "type": "double"}, {"name": "more", "type": "string", "default": "-"})
    decoded = Decoder(contract, lambda _: text).decode([f"K{number}".encode() for number in range(500)], values)
    assert decoded.frame["count"].to_list() == [float(number) for number in range(500)]
    assert blocks_read == [500]


def test_a_bad_record_costs_its_batch_one_more_call_of_the_columnar_reader(blocks_read: list[int]) -> None:
    contract = thing({"name": "count", "type": "int"})
    parsed = fastavro.parse_schema(contract.schema)
    values = [frame(1, datum(parsed, {**envelope(number), "count": number})) for number in range(500)]
    values[200] = values[200][:-1]
    decoded = Decoder(contract, lambda _: contract.schema_text).decode(
        [f"K{number}".encode() for number in range(500)], values
    )
    assert [(bad.row, bad.code) for bad in decoded.bad] == [(200, "undecodable")]
    assert "count" in decoded.bad[0].reason_en
    assert blocks_read == [500, 499]
