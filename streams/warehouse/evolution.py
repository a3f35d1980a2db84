"""Tables of an entity whose contract has a new version: columns are added and widened before a worker writes by it.

Everything is in place for rows of the version before: an added column has the field's default, so that old states are
what old records are when they are read by the new version. A field that the contract has dropped keeps its column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import structlog

from schemas.contract import Contract, Field
from streams.errors import WarehouseError
from streams.warehouse.catalogue import text
from streams.warehouse.client import Warehouse
from streams.warehouse.schema import BOOKKEEPING, column_type, current_target

log = structlog.get_logger()

WIDENINGS = frozenset(
    {
        *(("Int32", "Int64"), ("Int32", "Float32"), ("Int32", "Float64")),
        *(("Int64", "Float32"), ("Int64", "Float64"), ("Float32", "Float64")),
    }
)
"""(before, now): column types that follow a promotion of the Avro specification."""

_LOW_CARDINALITY = re.compile(r"LowCardinality\((.*)\)")
_NULLABLE = re.compile(r"Nullable\((.*)\)")


class EvolutionError(WarehouseError):
    """A contract's new version does not follow from the tables; nothing was changed."""


def _bare(kind: str) -> tuple[str, bool]:
    """The type without dictionaries, and whether it takes null."""
    plain = _LOW_CARDINALITY.sub(r"\1", kind).replace(" ", "")
    inner = _NULLABLE.fullmatch(plain)
    return (inner.group(1), True) if inner else (plain, False)


def _literal(field: Field) -> str:
    """The field's default as SQL."""
    value: Any = field.default
    if value is None:
        return "NULL"
    if field.base == "timestamp":
        value = datetime.fromtimestamp(value / 1000, UTC).isoformat(sep=" ", timespec="milliseconds")[:23]
    if isinstance(value, bool):
        return "true" if value else "false"
    written = f"{value:f}" if isinstance(value, Decimal) else str(value)
    return f"CAST({text(written)}, {text(column_type(field))})"


def alterations(fields: Iterable[Field], existing: Mapping[str, str], table: str) -> list[str]:
    """What `ALTER TABLE` must do to a table with the `existing` columns (name → type): pure; EvolutionError."""
    actions = []
    for field in fields:
        wanted = column_type(field)
        place = f"{table}.{field.name}"
        if field.name not in existing:
            if not field.has_default and not field.nullable:
                raise EvolutionError(f"{place}: the contract's new field needs a default, for the rows there are")
            actions.append(f"ADD COLUMN IF NOT EXISTS `{field.name}` {wanted} DEFAULT {_literal(field)}")
            continue
        before, took_null = _bare(existing[field.name])
        now, takes_null = _bare(wanted)
        if before == now and took_null == takes_null:
            continue
        if (before != now and (before, now) not in WIDENINGS) or (took_null and not takes_null):
            raise EvolutionError(
                f"{place}: the column is {existing[field.name]}, the contract has {wanted}, which does not follow from "
                "it; take the old type back, or give the field another name"
            )
        actions.append(f"MODIFY COLUMN `{field.name}` {wanted}")
    return actions


def evolve(warehouse: Warehouse, contracts: Iterable[Contract]) -> None:
    """Alter the tables there are to the contracts' columns, all checked before the first is altered.

    Idempotent; blocks; tables that do not exist are left to `migrate`. Raises EvolutionError and WarehouseError.
    """
    planned: list[tuple[str, list[str]]] = []
    for contract in contracts:
        for table in (contract.changes_table, contract.current_table):
            existing = _columns(warehouse, table)
            actions = alterations(contract.fields, existing, table) if existing else []
            if existing and table == contract.changes_table:
                actions += [
                    f"ADD COLUMN IF NOT EXISTS `{name}` {kind}" for name, kind in BOOKKEEPING if name not in existing
                ]
            if actions:
                planned.append((table, actions))
    for table, actions in planned:
        warehouse.command(f"ALTER TABLE {table} {', '.join(actions)}")
        log.info("table_evolved", table=table, actions=actions)
    for contract in contracts:
        _feed_current(warehouse, contract)


def _feed_current(warehouse: Warehouse, contract: Contract) -> None:
    """The view of the current states names all of the contract's fields."""
    target = current_target(contract)
    rows = warehouse.rows(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'MaterializedView' "
        f"AND position(create_table_query, concat(' TO ', currentDatabase(), '.', {text(target.name)}, ' ')) > 0"
    )
    for (view,) in rows:
        if {field.name for field in contract.fields} - set(_columns(warehouse, view)):
            warehouse.command(f"ALTER TABLE {view} MODIFY QUERY {target.select(target.changes)}")
            log.info("view_evolved", view=view)


def _columns(warehouse: Warehouse, table: str) -> dict[str, str]:
    rows = warehouse.rows(
        "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = {table:String}",
        {"table": table},
    )
    return {str(row[0]): str(row[1]) for row in rows}
