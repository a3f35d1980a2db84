"""XLSX and Parquet: written to a file that is read back in chunks, row by row and group by group. Blocks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

from hub.exports.table import Column, Table, local, plain

CHUNK_BYTES = 1 << 16
MAX_SHEET_ROWS = 1_048_575
"""Excel's own limit, less the heading."""

_ARROW = {
    "whole": pa.int64(),
    "number": pa.float64(),
    "truth": pa.bool_(),
    "time": pa.timestamp("ms", "UTC"),
    "day": pa.date32(),
    "text": pa.string(),
}


class TooManyRowsError(Exception):
    """A sheet of Excel does not hold them: take CSV or Parquet, or fewer rows."""


def xlsx_chunks(table: Table) -> Iterator[bytes]:
    """One sheet, its heading fixed; texts stay texts. TooManyRowsError."""
    with tempfile.TemporaryDirectory(prefix="ioc-export-") as folder:
        path = Path(folder) / "table.xlsx"
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "tmpdir": folder}
        book = xlsxwriter.Workbook(str(path), {**options, "default_date_format": "dd/mm/yyyy hh:mm:ss"})
        day = book.add_format({"num_format": "dd/mm/yyyy"})
        head = book.add_format({"bold": True, "bg_color": "#E4E8EC", "border": 1})
        sheet = book.add_worksheet()
        sheet.freeze_panes(1, 0)
        for place, column in enumerate(table.columns):
            sheet.set_column(place, place, 20, day if column.kind == "day" else None)
        sheet.write_row(0, 0, [column.heading for column in table.columns], head)
        for number, row in enumerate(table.rows(), 1):
            if number > MAX_SHEET_ROWS:
                raise TooManyRowsError(str(MAX_SHEET_ROWS))
            for place, value in enumerate(row):
                _cell(sheet, number, place, table.columns[place], value, table.zone)
        book.close()
        yield from _read(path)


def parquet_chunks(table: Table) -> Iterator[bytes]:
    """A row group for each batch; times are in UTC."""
    schema = pa.schema([(column.name, _ARROW[column.kind]) for column in table.columns])
    with tempfile.TemporaryDirectory(prefix="ioc-export-") as folder:
        path = Path(folder) / "table.parquet"
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for batch in table.batches:
                arrays = [
                    pa.array([_typed(column, row[place]) for row in batch], _ARROW[column.kind])
                    for place, column in enumerate(table.columns)
                ]
                writer.write_table(pa.table(arrays, schema=schema))
        yield from _read(path)


def _cell(sheet: Any, line: int, place: int, column: Column, value: Any, zone: str) -> None:
    if value is None:
        return
    if column.kind == "time":
        sheet.write_datetime(line, place, local(value, zone))
    elif column.kind == "day":
        sheet.write_datetime(line, place, value)
    elif column.kind in ("whole", "number"):
        sheet.write_number(line, place, float(value))
    elif column.kind == "truth":
        sheet.write_boolean(line, place, bool(value))
    else:
        sheet.write_string(line, place, str(plain(value)))


def _typed(column: Column, value: Any) -> Any:
    if value is None or column.kind in ("time", "day"):
        return value
    found = plain(value)
    if column.kind == "whole":
        return int(found)
    return str(found) if column.kind == "text" else found


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
