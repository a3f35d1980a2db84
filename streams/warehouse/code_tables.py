"""Code tables in the warehouse: `code_<name>`, replaced whole."""

from __future__ import annotations

import io
from collections.abc import Iterable

import pyarrow as pa

from schemas.codes_table import CodeTable
from streams.warehouse.client import Warehouse


def _listed(pairs: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"`{name}` {kind}" for name, kind in pairs)


def _code_type(column: str) -> str:
    return {"valid_from": "Date", "valid_to": "Nullable(Date)", "online": "UInt8"}.get(column, "String")


def _code_select(table: CodeTable) -> str:
    casts = {
        "valid_from": "toDate(`valid_from`)",
        "valid_to": "toDateOrNull(`valid_to`)",
        "online": "toUInt8(`online`)",
    }
    return ", ".join(f"{casts.get(column, f'`{column}`')} AS `{column}`" for column in table.columns)


def load_codes(warehouse: Warehouse, table: CodeTable) -> None:
    """Replace `code_<name>` by the table's rows in one step: readers see the old rows or the new. Idempotent."""
    name = f"code_{table.name}"
    columns = _listed((column, _code_type(column)) for column in table.columns)
    raw = pa.table({column: [row[i] for row in table.rows] for i, column in enumerate(table.columns)})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, raw.schema) as writer:
        writer.write_table(raw)
    engine = "ENGINE = MergeTree ORDER BY code"
    warehouse.command(f"CREATE TABLE IF NOT EXISTS {name} ({columns}) {engine}")
    texts = _listed((column, "String") for column in table.columns)
    warehouse.command(f"CREATE OR REPLACE TABLE {name}_text ({texts}) {engine}")
    warehouse.insert(f"{name}_text", table.columns, sink.getvalue(), None)
    warehouse.command(f"CREATE OR REPLACE TABLE {name}_next ({columns}) {engine}")
    warehouse.command(f"INSERT INTO {name}_next SELECT {_code_select(table)} FROM {name}_text")
    warehouse.command(f"EXCHANGE TABLES {name} AND {name}_next")
    warehouse.command(f"DROP TABLE {name}_next")
    warehouse.command(f"DROP TABLE {name}_text")
