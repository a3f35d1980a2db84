"""CSV and JSON, chunk by chunk. Pure generators over a table's batches.

`csv` is for programs: comma, decimal point, ISO 8601 in UTC. For Excel in Vietnamese it has a byte-order mark,
semicolons, decimal commas, dd/MM/yyyy HH:mm:ss in the province's zone and headings for people; a text that would begin
a formula is quoted, so that opening a file computes nothing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any

import orjson

from hub.exports.table import Table, local, plain, utc_text

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_chunks(table: Table) -> Iterator[bytes]:
    """For programs."""
    yield from _chunks(table, [column.name for column in table.columns], _program, ",", b"")


def excel_csv_chunks(table: Table) -> Iterator[bytes]:
    """For Excel where decimals have commas."""
    headings = [column.heading for column in table.columns]
    yield from _chunks(table, headings, lambda value: _excel(value, table.zone), ";", b"\xef\xbb\xbf")


def json_chunks(table: Table) -> Iterator[bytes]:
    """An array of objects, one a line."""
    names = [column.name for column in table.columns]
    yield b"["
    first = True
    for batch in table.batches:
        lines = [orjson.dumps(dict(zip(names, map(_json, row), strict=True))) for row in batch]
        if lines:
            yield (b"\n" if first else b",\n") + b",\n".join(lines)
            first = False
    yield b"\n]\n"


def _chunks(table: Table, head: list[str], told: Callable[[Any], Any], separator: str, mark: bytes) -> Iterator[bytes]:
    held = io.StringIO()
    writer = csv.writer(held, delimiter=separator, lineterminator="\r\n")
    writer.writerow(head)
    yield mark + held.getvalue().encode()
    for batch in table.batches:
        held.seek(0)
        held.truncate()
        writer.writerows([told(value) for value in row] for row in batch)
        yield held.getvalue().encode()


def _program(value: Any) -> Any:
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return plain(value)


def _excel(value: Any, zone: str) -> Any:
    if isinstance(value, datetime):
        return local(value, zone).strftime("%d/%m/%Y %H:%M:%S")
    if isinstance(value, date):
        return value.strftime("%d/%m/%Y")
    if isinstance(value, bool):
        return 1 if value else 0
    found = plain(value)
    if isinstance(found, float):
        return repr(found).replace(".", ",")
    return f"'{found}" if isinstance(found, str) and found.startswith(FORMULA) else found


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return utc_text(value)
    return value if isinstance(value, date) else plain(value)
