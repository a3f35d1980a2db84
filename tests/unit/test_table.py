"""Records as columns."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.table import table_of


@pytest.mark.parametrize(
    "records",
    [
        [{"a": 1, "b": 2}, {"a": None, "b": [3]}],
        [{"a": 1, "b": 2}, {"b": 4, "a": 3}],
        [{"a": 1}, {"a": 2}, {"a": 3}],
        [{}, {}],
    ],
)
def test_records_of_the_same_keys_are_a_table_and_come_back_as_they_were(records: list[dict[str, Any]]) -> None:
    table = table_of(records)
    assert table is not None
    assert list(table) == records
    assert {key: list(column) for key, column in table.columns.items()} == {
        key: [record[key] for record in records] for key in records[0]
    }


@pytest.mark.parametrize(
    "records", [[], [{"a": 1}, {"b": 1}], [{"a": 1, "b": 2}, {"a": 1}], [{"a": 1}, {}], [{}, {"a": 1}]]
)
def test_records_of_other_keys_are_none(records: list[dict[str, Any]]) -> None:
    assert table_of(records) is None
