"""From a file's bytes to raw records: CSV, Excel workbooks and JSON lines, every row with its number. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field

from connectors.declaration import Section
from connectors.errors import MappingError, Text
from connectors.form import about

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
    """`encoding: auto`: by its byte order mark, else UTF-8; anything else has to be declared."""

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


def read_rows(data: bytes, form: Csv | Xlsx | JsonLines) -> Iterator[Row]:
    """The rows in order. FileRefusedError (before the first row) if there is no table in it. Blocks while parsing."""
    if isinstance(form, Csv):
        from connectors.format_csv import read_csv

        return read_csv(data, form)
    if isinstance(form, Xlsx):
        from connectors.format_xlsx import read_xlsx

        return read_xlsx(data, form)
    return _read_json_lines(data)


def _read_json_lines(data: bytes) -> Iterator[Row]:
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if line.strip():
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                yield number, not_json(error.colno)
                continue
            yield number, record if isinstance(record, dict) else not_json(1)


def not_json(column: int) -> MappingError:
    return MappingError(
        "not_json",
        Text(f"không đọc được JSON tại cột {column}", f"the JSON cannot be read at column {column}"),
        Text("mỗi dòng phải là một đối tượng JSON trọn vẹn", "every line must be one whole JSON object"),
    )


def normal(text: object) -> str:
    """A header as it is compared: composed, lower case, single spaces."""
    return " ".join(unicodedata.normalize("NFC", str(text)).split()).casefold()
