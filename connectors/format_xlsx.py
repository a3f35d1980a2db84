"""Excel workbooks: values of one sheet, row by row. python-calamine's home."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, WorksheetNotFound

from connectors.errors import Text
from connectors.file_formats import FileRefusedError, Xlsx, normal
from connectors.table import Batch
from connectors.table_rows import Layout, find_layout


def read_xlsx(data: bytes, form: Xlsx, rows: int) -> Iterator[Batch]:
    """The records in parts; see `read_batches`. Dates are ISO texts, whole numbers are integers."""
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
        sheet = workbook.get_sheet_by_name(_sheet(workbook.sheet_names, form.sheet))
        raw = iter(sheet.iter_rows()) if sheet.start else iter(())
    except PasswordError as error:
        raise _refused("encrypted", "bảng tính có mật khẩu", "the workbook has a password", _UNLOCK) from error
    except (CalamineError, WorksheetNotFound, OSError, ValueError) as error:
        raise _refused("not_a_workbook", "không phải bảng tính Excel", "it is no Excel workbook", _SAVE) from error
    number, layout = find_layout(((number, _plain(cells)) for number, cells in enumerate(raw, start=1)), form)
    return _batches(raw, number, layout, rows)


def _batches(raw: Iterator[list[Any]], number: int, layout: Layout, rows: int) -> Iterator[Batch]:
    """The rows below the header in row `number`. All rows of a sheet are of one width."""
    while block := list(islice(raw, rows)):
        numbers = range(number + 1, number + len(block) + 1)
        number += len(block)
        columns = [_plain(column) for column in zip(*block, strict=True)]
        yield layout.of_columns(numbers, columns)


_SAVE = Text("mở bằng Excel rồi lưu dưới dạng .xlsx", "open it with Excel and save it as .xlsx")
_UNLOCK = Text("bỏ mật khẩu của tệp rồi gửi lại", "remove the file's password and send it again")


def _refused(code: str, vi: str, en: str, cure: Text) -> FileRefusedError:
    return FileRefusedError(code, Text(vi, en), cure)


def _sheet(names: list[str], wanted: str) -> str:
    if not wanted and names:
        return names[0]
    for name in names:
        if normal(name) == normal(wanted):
            return name
    raise FileRefusedError(
        "no_sheet",
        Text(
            f"không có trang tính «{wanted}»; các trang: {', '.join(names)}",
            f"there is no sheet “{wanted}”; the sheets are: {', '.join(names)}",
        ),
        Text("đổi tên trang tính, hoặc sửa source.format.sheet", "rename the sheet, or mend source.format.sheet"),
    )


_AS_THEY_ARE = frozenset((str, bool, type(None)))


def _plain(cells: Sequence[Any]) -> list[Any]:
    """Cells of a row or of a column."""
    if _AS_THEY_ARE.issuperset(set(map(type, cells))):
        return list(cells)
    return [cell if cell.__class__ is str else _plain_cell(cell) for cell in cells]


def _plain_cell(cell: Any) -> Any:
    if cell.__class__ is float:
        return int(cell) if cell.is_integer() and abs(cell) < 2**53 else cell
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    return cell.total_seconds() if isinstance(cell, timedelta) else cell
