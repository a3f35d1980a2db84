"""The warehouse's column types of the declared contracts."""

from __future__ import annotations

import re

import pytest

from schemas.contract import Contract, load_contracts
from streams.warehouse.schema import column_type

CONTRACTS = load_contracts()
PLAIN = r"(String|Int32|Int64|Float32|Float64|Bool|Decimal\(\d+, \d+\)|DateTime64\(3, 'UTC'\))"
KNOWN = re.compile(rf"{PLAIN}|Nullable\({PLAIN}\)|LowCardinality\(String\)|LowCardinality\(Nullable\(String\)\)")


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)
def test_every_column_is_of_a_type_that_the_warehouse_takes(contract: Contract) -> None:
    for field in contract.fields:
        assert KNOWN.fullmatch(column_type(field)), (field.name, column_type(field))
        assert ("Nullable" in column_type(field)) == field.nullable
