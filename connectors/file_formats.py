"""From a file's bytes to raw records: CSV, Excel workbooks and JSON lines, every row with its number. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from itertools import chain
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field

from connectors.declaration import Section
from connectors.errors import MappingError, Text
from connectors.form import about
from connectors.table import Batch

Row = tuple[int, Any]
"""Number of a row or line in the file (from 1), and its record or the MappingError that says why it is none."""


class Tabular(Section):
    """A table with a header somewhere near its top.

    `columns`: header → key in the record; the header row is the first one that has them all. Case, spaces and the
    way accents are composed do not count. Empty: the first row with at least two texts, under its own names (a dot
    becomes an underscore). `header_rows: 2`: a merged group header over the columns; names are `group / column`.
    `numbers`: keys of columns that are numbers, written with the `decimal` mark. A row that begins with one of
    `total_row` is no record.
    """

    columns: dict[str, str] = about("Tiêu đề cột → khóa", "Header → key", default_factory=dict)
    header_within: int = about("Tìm dòng tiêu đề trong số dòng đầu", "Rows searched for the header", default=30, ge=1)
    header_rows: Literal[1, 2] = about("Số dòng tiêu đề", "Header rows", default=1)
    numbers: tuple[str, ...] = about("Các cột số", "Number columns", default=())
    decimal: Literal[",", "."] = about("Dấu thập phân", "Decimal mark", default=".")
    total_row: tuple[str, ...] = about(
        "Chữ đầu dòng tổng", "First text of a total row", default=("Tổng cộng", "Tổng số", "Cộng", "Tổng")
    )


class Csv(Tabular):
    """`encoding: auto`: by its byte order mark, else UTF-8; anything else has to be declared. A file declared as
    windows-1258 that is UTF-8 is read as that: offices mix the two."""

    type: Literal["csv"]
    encoding: Literal["auto", "utf-8", "utf-16", "windows-1258", "tcvn3"] = about("Bảng mã", "Encoding", default="auto")
    delimiter: Literal["auto", ",", ";", "tab", "|"] = about("Dấu phân cách", "Delimiter", default="auto")


class Xlsx(Tabular):
    """`sheet`: its name; empty: the first one."""

    type: Literal["xlsx"]
    sheet: str = about("Trang tính", "Sheet", default="")


class JsonLines(Section):
    """One JSON object per line, UTF-8."""

    type: Literal["jsonl"]


Format = Annotated[Csv | Xlsx | JsonLines, Field(discriminator="type")]


class FileRefusedError(MappingError):
    """The file as a whole cannot be read; nothing of it is taken."""


def read_batches(data: bytes, form: Csv | Xlsx | JsonLines, rows: int) -> Iterator[Batch]:
    """The file in parts of about so many rows. FileRefusedError (at once) if there is no table in it.

    Blocks while parsing; the parts are made when they are asked for.
    """
    if isinstance(form, Csv):
        from connectors.format_csv import read_csv

        return read_csv(data, form, rows)
    if isinstance(form, Xlsx):
        from connectors.format_xlsx import read_xlsx

        return read_xlsx(data, form, rows)
    return _read_json_lines(data, rows)


def read_rows(data: bytes, form: Csv | Xlsx | JsonLines, at_once: int = 1_000) -> Iterator[Row]:
    """The rows in order. FileRefusedError as `read_batches`."""
    return chain.from_iterable(batch.in_order() for batch in read_batches(data, form, at_once))


def _read_json_lines(data: bytes, rows: int) -> Iterator[Batch]:
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    for start in range(0, len(lines), rows):
        records: list[Any] = []
        numbers: list[int] = []
        bad: list[tuple[int, MappingError]] = []
        for number, line in enumerate(lines[start : start + rows], start=start + 1):
            if line.strip():
                try:
                    record = orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    bad.append((number, not_json(error.colno)))
                    continue
                if isinstance(record, dict):
                    records.append(record)
                    numbers.append(number)
                else:
                    bad.append((number, not_json(1)))
        yield Batch(records, numbers, bad)


def not_json(column: int) -> MappingError:
    return MappingError(
        "not_json",
        Text(f"không đọc được JSON tại cột {column}", f"the JSON cannot be read at column {column}"),
        Text("mỗi dòng phải là một đối tượng JSON trọn vẹn", "every line must be one whole JSON object"),
    )


def normal(text: object) -> str:
    """A header as it is compared: composed, lower case, single spaces."""
    return " ".join(unicodedata.normalize("NFC", str(text)).split()).casefold()
