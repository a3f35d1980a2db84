"""Money at the source becomes an exact decimal of the contract, or is refused; it is never rounded."""

from __future__ import annotations

import copy
import dataclasses
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.convert import fixed_point
from connectors.encode import Encoder
from connectors.errors import ManifestError, MappingError
from connectors.manifest import Manifest, load_manifests
from connectors.mapping import compile_mapping
from connectors.pseudonym import Pseudonymiser
from connectors.rules import FieldRule
from schemas.codec import Decoder
from schemas.contract import Contract, load_contracts, parse_contract
from tests.portal_server import record

KEY = Pseudonymiser(b"k" * 32)


def with_amount(nullable: bool = False) -> Contract:
    schema = copy.deepcopy(load_contracts()["dossier"].schema)
    kind: Any = {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}
    schema["fields"].append({"name": "amount", "type": ["null", kind] if nullable else kind})
    return parse_contract(schema, "administration", "dossier", "dossier.avsc")


def with_rule(**rule: Any) -> Manifest:
    portal = load_manifests()["portal"]
    return dataclasses.replace(portal, mapping={**portal.mapping, "amount": FieldRule(**rule)})


@pytest.mark.parametrize(
    ("raw", "exact"),
    [
        (1250000, "1250000.00"),
        (0.1, "0.10"),
        (-0.01, "-0.01"),
        ("1250000.5", "1250000.50"),
        ("-12.340", "-12.34"),
        (9999999999.99, "9999999999.99"),
    ],
)
def test_numbers_and_texts_are_taken_exactly(raw: Any, exact: str) -> None:
    assert str(fixed_point(12, 2)(raw)) == exact


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (0.001, "bad_format"),
        ("1.005", "bad_format"),
        ("1,5", "bad_format"),
        ("1e3", "bad_format"),
        ("", "bad_format"),
        (10_000_000_000, "out_of_range"),
        (-1e300, "out_of_range"),
        (True, "wrong_type"),
        (float("nan"), "wrong_type"),
        (float("inf"), "wrong_type"),
        ([1], "wrong_type"),
    ],
)
def test_what_would_be_rounded_or_has_too_many_digits_is_refused(raw: Any, code: str) -> None:
    with pytest.raises(MappingError) as caught:
        fixed_point(12, 2)(raw)
    assert caught.value.code == code


def test_a_mapped_amount_is_read_back_from_the_wire() -> None:
    contract = with_amount(nullable=True)
    mapper = compile_mapping(with_rule(**{"from": "soTien", "min": 0}), contract, KEY)
    mapped = mapper([record(1) | {"soTien": "120000.75"}, record(2), record(3) | {"soTien": -1}], 1_700_000_000_000)
    assert [(refused.error.code, refused.error.path) for refused in mapped.refused] == [("out_of_range", "soTien")]
    pairs = Encoder(contract, 1)(mapped.rows)
    decoded = Decoder(contract, lambda _: contract.schema_text).decode(
        [key for key, _ in pairs], [value for _, value in pairs]
    )
    assert decoded.frame["amount"].to_list() == [Decimal("120000.75"), None]


@given(st.integers(-(10**12) + 1, 10**12 - 1))
def test_any_amount_survives_mapping_and_the_wire(cents: int) -> None:
    amount = Decimal(cents).scaleb(-2)
    assert fixed_point(12, 2)(str(amount)) == amount


def test_a_constant_is_checked_and_becomes_a_decimal() -> None:
    mapper = compile_mapping(with_rule(const=5), with_amount(), KEY)
    assert mapper([record(1)], 1_700_000_000_000).rows[0]["amount"] == Decimal(5)
    with pytest.raises(ManifestError, match="amount"):
        compile_mapping(with_rule(const=0.005), with_amount(), KEY)
