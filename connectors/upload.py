"""A file before it is taken: which rows fit, which do not and why, and the latter as a file to be corrected. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
import xlsxwriter

from connectors.errors import MappingError, Text
from connectors.file_formats import Csv, FileRefusedError, Format, JsonLines, Xlsx, read_rows
from connectors.manifest import Manifest
from connectors.mapping import Mapper
from connectors.personal_data import find_personal
from connectors.source import FILE, REVISION, ROW
from connectors.trial import untagged_among

BATCH_ROWS = 5_000
SHOWN = 200
"""Refused rows told one by one; the workbook has all of them."""
REASON = Text("Lý do bị từ chối", "Reason of refusal")
ROW_NUMBER = Text("Dòng trong tệp gốc", "Row in the original file")
EXCEL_ROWS = 1_048_575


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """`number` in the file, 0 for the file as a whole; `values` as the file has them, empty if it could not be read."""

    number: int
    error: MappingError
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Checked:
    """`untagged`: columns that look personal and are not tagged: such a file is not taken."""

    accepted: int
    refused: tuple[RefusedRow, ...]
    untagged: tuple[str, ...]
    columns: tuple[str, ...]


def check_file(data: bytes, name: str, form: Format, manifest: Manifest, mapper: Mapper, now_ms: int) -> Checked:
    """Every row of a file by the connector's format and mapping, as if it were read now. Blocks while parsing."""
    try:
        rows = read_rows(data, form)
    except FileRefusedError as error:
        return Checked(0, (RefusedRow(0, error, {}),), (), ())
    accepted, refused, columns = 0, [], dict[str, None]()
    sample: list[Any] = []
    for batch in _batches(rows):
        records = []
        for number, value in batch:
            if isinstance(value, dict):
                columns |= dict.fromkeys(value)
                records.append({**value, FILE: name, ROW: number, REVISION: now_ms})
            elif isinstance(value, MappingError):
                refused.append(RefusedRow(number, value, {}))
        sample += records[: 200 - len(sample)]
        mapped = mapper(records, now_ms)
        accepted += len(mapped.rows)
        refused += [RefusedRow(item.raw[ROW], item.error, _own(item.raw)) for item in mapped.refused]
    found = untagged_among(find_personal([_own(record) for record in sample]), manifest)
    return Checked(
        accepted,
        tuple(sorted(refused, key=lambda row: row.number)),
        tuple(finding.path for finding in found),
        tuple(columns),
    )


def _batches(rows: Iterable[tuple[int, Any]]) -> Iterable[list[tuple[int, Any]]]:
    batch: list[tuple[int, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH_ROWS:
            yield batch
            batch = []
    yield batch


def _own(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in (FILE, ROW, REVISION)}


def headers_of(checked: Checked, form: Format) -> dict[str, str]:
    """The file's own header of each key: what the corrected file must say to be read again."""
    renamed: dict[str, str] = {key: header for header, key in getattr(form, "columns", {}).items()}
    return {key: renamed.get(key, key) for key in checked.columns}


def corrected_file(checked: Checked, form: Format, language: str) -> bytes:
    """The refused rows with their reason and their row in two more columns; mended, the file is uploaded as it is."""
    if isinstance(form, Csv):
        return _csv(checked, form, language)
    return _json_lines(checked, language) if isinstance(form, JsonLines) else _workbook(checked, form, language)


def _csv(checked: Checked, form: Csv, language: str) -> bytes:
    """With a byte order mark, so that Excel and the connector read it whatever encoding was declared."""
    mark = {"auto": ";", "tab": "\t"}.get(form.delimiter, form.delimiter)
    headers = headers_of(checked, form)
    made = io.StringIO()
    writer = csv.writer(made, delimiter=mark, lineterminator="\r\n")
    writer.writerow([*headers.values(), REASON.to(language), ROW_NUMBER.to(language)])
    for row in checked.refused:
        values = [_as_csv(row.values.get(key), form.decimal) for key in headers]
        writer.writerow([*values, row.error.reason.to(language), row.number])
    return made.getvalue().encode("utf-8-sig" if form.encoding in ("auto", "utf-8") else "utf-16")


def _as_csv(value: Any, decimal: str) -> str:
    if value is None:
        return ""
    return str(value).replace(".", decimal) if isinstance(value, float) else str(value)


def _json_lines(checked: Checked, language: str) -> bytes:
    reason, number = REASON.to(language), ROW_NUMBER.to(language)
    lines = [{**row.values, reason: row.error.reason.to(language), number: row.number} for row in checked.refused]
    return b"\n".join(orjson.dumps(line) for line in lines)


def _workbook(checked: Checked, form: Xlsx, language: str) -> bytes:
    headers = headers_of(checked, form)
    made = io.BytesIO()
    # Values are written as they are: a text that begins with = is no formula, and none becomes a link.
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(made, options) as book:
        sheet = book.add_worksheet(form.sheet or "Sheet1")
        bold, red = book.add_format({"bold": True}), book.add_format({"font_color": "#9c1c14", "text_wrap": True})
        sheet.write_row(0, 0, [*headers.values(), REASON.to(language), ROW_NUMBER.to(language)], bold)
        width = len(headers)
        for line, row in enumerate(checked.refused[:EXCEL_ROWS], start=1):
            for column, key in enumerate(headers):
                value = row.values.get(key)
                if value is not None:
                    sheet.write(line, column, value if isinstance(value, str | int | float | bool) else str(value))
            sheet.write_string(line, width, row.error.reason.to(language), red)
            sheet.write_number(line, width + 1, row.number)
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, max(width - 1, 0), 18)
        sheet.set_column(width, width, 60)
    return made.getvalue()
