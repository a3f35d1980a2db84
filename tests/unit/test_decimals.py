"""Decimals: from the wire to columns and back, in contracts and in what may follow what."""

from __future__ import annotations

import copy
import io
import json
from decimal import Context, Decimal
from typing import Any

import fastavro
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import Decoder, dtype
from schemas.contract import Contract, load_contracts, parse_contract
from schemas.decimal_bytes import to_bytes
from schemas.decimals import from_bytes
from schemas.errors import ContractError
from schemas.incompatibility import incompatibilities
from schemas.wire import frame
from streams.errors import PlanError
from streams.plan import plan_entity

EXACT = Context(prec=60)


def decimal_type(precision: Any = 12, scale: Any = 2) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


def with_amount(kind: Any, **more: Any) -> dict[str, Any]:
    schema = copy.deepcopy(load_contracts()["feedback"].schema)
    schema["fields"].append({"name": "amount", "type": kind, **more})
    return schema


def contract(kind: Any, **more: Any) -> Contract:
    return parse_contract(with_amount(kind, **more), "test", "thing", "thing.avsc")


@given(st.integers(1, 38), st.data())
def test_what_is_written_is_read_whatever_the_precision(precision: int, data: st.DataObject) -> None:
    scale = data.draw(st.integers(0, precision))
    numbers = data.draw(st.lists(st.one_of(st.none(), st.integers(-(10**precision) + 1, 10**precision - 1))))
    values = [None if number is None else Decimal(number).scaleb(-scale, EXACT) for number in numbers]
    octets = [None if value is None else to_bytes(value, scale) for value in values]
    column, beyond = from_bytes(pl.Series("amount", octets, dtype=pl.Binary), precision, scale)
    assert column.dtype == pl.Decimal(precision, scale)
    assert column.to_list() == values
    assert not beyond.any()


@given(st.integers(1, 37), st.lists(st.integers(-(10**39), 10**39), min_size=1))
def test_more_digits_than_the_precision_are_found_in_every_row(precision: int, numbers: list[int]) -> None:
    octets = [to_bytes(Decimal(number), 0) for number in numbers]
    column, beyond = from_bytes(pl.Series("amount", octets), precision, 0)
    assert beyond.tolist() == [abs(number) >= 10**precision for number in numbers]
    assert [value is None for value in column.to_list()] == beyond.tolist()


def test_padded_bytes_are_the_number_they_pad_and_no_bytes_are_none() -> None:
    padded = [b"\x00" * 30 + b"\x7b", b"\xff" * 30, b""]
    column, beyond = from_bytes(pl.Series("amount", padded), 4, 2)
    assert column.to_list() == [Decimal("1.23"), Decimal("-0.01"), None]
    assert beyond.tolist() == [False, False, True]


def test_a_value_beyond_the_decimal_is_refused_by_name_and_the_others_are_kept() -> None:
    declared = contract(["null", decimal_type(4, 2)], default=None)
    wide = with_amount(["null", "bytes"])
    parsed = fastavro.parse_schema(wide)
    feedback = {field.name: _any_value(field.base, field.symbols) for field in declared.fields}
    amounts = [b"\x27\x0f", b"\x27\x10", None, b"\xff"]
    values = []
    for number, amount in enumerate(amounts):
        sink = io.BytesIO()
        fastavro.schemaless_writer(sink, parsed, {**feedback, "entity_key": f"K{number}", "amount": amount})
        values.append(frame(1, sink.getvalue()))
    decoded = Decoder(declared, lambda _: declared.schema_text).decode([b"K0", b"K1", b"K2", b"K3"], values)
    assert decoded.frame["amount"].to_list() == [Decimal("99.99"), None, Decimal("-0.01")]
    assert [(bad.row, bad.code) for bad in decoded.bad] == [(1, "decimal_out_of_range")]
    assert "'amount'" in decoded.bad[0].reason_en
    assert "4 digits" in decoded.bad[0].reason_en


def _any_value(base: str, symbols: tuple[str, ...]) -> Any:
    values = {"string": "x", "double": 0.5, "enum": symbols[0] if symbols else "", "decimal": b""}
    return values.get(base, 1_650_000_000_000 if base == "timestamp" else 1)


def test_a_contract_s_decimal_has_its_type_and_its_default_as_a_number() -> None:
    field = contract(decimal_type(), default="\u0004\u00d2").by_name["amount"]
    assert (field.base, field.precision, field.scale, field.default) == ("decimal", 12, 2, Decimal("12.34"))
    assert dtype(field) == pl.Decimal(12, 2)
    assert contract(["null", decimal_type(38, 0)], default=None).by_name["amount"].default is None


@pytest.mark.parametrize(
    ("kind", "more", "message"),
    [
        (decimal_type(39), {}, "a decimal has 1 to 38 digits"),
        (decimal_type("12"), {}, "precision is '12'"),
        (decimal_type(4, 5), {}, "scale is 5"),
        (decimal_type(4, 2), {"default": "\u0027\u0010"}, "the default has more than 4 digits"),
        (decimal_type(4, 2), {"default": "€"}, "is no bytes"),
        ("bytes", {}, "is not flat"),
        ({"type": "fixed", "name": "F", "size": 8, "logicalType": "decimal", "precision": 4}, {}, "is not flat"),
    ],
)
def test_a_decimal_that_cannot_be_one_is_refused_by_its_field(kind: Any, more: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError, match=message) as caught:
        contract(kind, **more)
    assert "thing.avsc.amount" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "rules"),
    [
        (decimal_type(), decimal_type(), []),
        (decimal_type(), ["null", decimal_type()], []),
        (decimal_type(12, 2), decimal_type(14, 2), ["type_changed"]),
        (decimal_type(12, 2), decimal_type(12, 3), ["type_changed"]),
        (decimal_type(), "bytes", ["type_changed"]),
        ("string", decimal_type(), ["type_changed"]),
        ("double", decimal_type(), ["type_changed"]),
    ],
)
def test_in_contracts_a_decimal_is_read_by_a_decimal_of_the_same_digits_alone(
    old: Any, new: Any, rules: list[str]
) -> None:
    found = incompatibilities(with_amount(new), with_amount(old), decimals=True)
    assert [item.rule for item in found] == rules
    assert all("decimal(12, 2)" in item.message_en and item.path == "amount" for item in found)


def test_bytes_that_are_no_valid_decimal_count_as_bytes() -> None:
    assert incompatibilities(with_amount("bytes"), with_amount(decimal_type(2, 5)), decimals=True) == []


def test_the_reference_reads_what_we_write() -> None:
    schema = fastavro.parse_schema(json.loads(json.dumps(decimal_type(20, 3))))
    for text in ("0", "-1.5", "12345678901234567.891", "-0.001", "1E+3"):
        octets = to_bytes(Decimal(text), 3)
        written = bytes([len(octets) * 2]) + octets
        assert fastavro.schemaless_reader(io.BytesIO(written), schema) == Decimal(text)


def plan_with(sql: str) -> None:
    names = {"vi": "Số tiền", "en": "Amount"}
    kpi = {"id": "thing.amount", "name": names, "explanation": names, "kind": "flow", "unit": names}
    raw = {
        "entity": "thing",
        "measures": {"total": {"sql": sql, "name": names}},
        "kpis": [{**kpi, "direction": "none", "owner": "x", "value": {"measure": "total", "time": "received_at"}}],
    }
    plan_entity(raw, {"thing": contract(["null", decimal_type()], default=None)}, "thing.yaml")


@pytest.mark.parametrize("sql", ["accurateCastOrNull(amount * 100, 'Int64')", "amount > 5", "round(amount)", "rating"])
def test_a_measure_over_a_decimal_is_taken_if_it_makes_a_whole_number_of_it(sql: str) -> None:
    plan_with(sql)


@pytest.mark.parametrize("sql", ["amount", "ifNull(amount, 0)", "amount + rating"])
def test_a_measure_that_would_cut_a_decimal_s_fraction_off_is_refused_with_the_cure(sql: str) -> None:
    with pytest.raises(PlanError, match=r"accurateCastOrNull\(amount \* 100, 'Int64'\)"):
        plan_with(sql)
