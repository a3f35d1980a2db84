"""Names of dimensions' values, from the code tables that the contracts' fields refer to. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from schemas.codes_table import CodeTable
from schemas.contract import Contract

Names = Mapping[tuple[str, str], Mapping[str, str]]
"""By (entity, dimension): the name of each code."""

Named = Callable[[str, str], "str | None"]
"""(dimension, key) → name, or None."""


def dimension_names(contracts: Mapping[str, Contract], tables: Mapping[str, CodeTable]) -> Names:
    """Of a code that was renamed the name with the latest validity counts."""
    names: dict[tuple[str, str], dict[str, str]] = {}
    for contract in contracts.values():
        for field in contract.fields:
            table = tables.get(field.codes or "")
            if table is not None and "name_vi" in table.columns:
                names[contract.entity, field.name] = _latest(table)
    return names


def _latest(table: CodeTable) -> dict[str, str]:
    code, name, since = (table.columns.index(column) for column in ("code", "name_vi", "valid_from"))
    return {row[code]: row[name] for row in sorted(table.rows, key=lambda row: row[since])}
