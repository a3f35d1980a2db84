"""A table's header and rows, found among title rows, merged cells, blank and total rows. Pure."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from connectors.errors import MappingError, Text
from connectors.file_formats import FileRefusedError, Tabular, normal
from connectors.memo import Memo
from connectors.table import Batch, Table

Cells = Sequence[Any]
NumberedCells = tuple[int, Cells | MappingError]
PLAIN_DIGITS = 18
"""A text of at most so many digits is its number; longer ones are looked at in full."""

_GROUPED = {
    ",": re.compile(r"-?\d{1,3}(?:[. \u00a0]\d{3})+(?:,\d+)?|-?\d+(?:,\d+)?").fullmatch,
    ".": re.compile(r"-?\d{1,3}(?:[, \u00a0]\d{3})+(?:\.\d+)?|-?\d+(?:\.\d+)?").fullmatch,
}


class Layout:
    """What a header says of the rows below it."""

    def __init__(self, header: list[str], form: Tabular) -> None:
        self.width = len(header)
        keys, self._places = _keys(header, form)
        self._keys = keys
        self._numbers = [index for index, key in enumerate(keys) if key in form.numbers]
        self._number: Memo[Any] = Memo(lambda text: as_number(text, form.decimal))
        self._totals = Totals({normal(text) for text in form.total_row})

    def of_rows(self, rows: Iterable[NumberedCells]) -> Batch:
        """Records of rows that come with their numbers.

        A row with more cells than columns is refused; missing cells at its end are null.
        """
        width = self.width
        numbers: list[int] = []
        good: list[Cells] = []
        bad: list[tuple[int, MappingError]] = []
        for number, cells in rows:
            if isinstance(cells, MappingError):
                bad.append((number, cells))
                continue
            count = len(cells)
            if count != width:
                if count > width and any(cell not in ("", None) for cell in cells[width:]):
                    bad.append((number, _too_wide(count, width)))
                    continue
                cells = [*cells[:width], *[None] * (width - count)]
            numbers.append(number)
            good.append(cells)
        columns = list(zip(*good, strict=True)) if good else [()] * width
        return self.of_columns(numbers, columns, bad)

    def of_columns(
        self, numbers: Sequence[int], columns: Sequence[Sequence[Any]], bad: Iterable[tuple[int, MappingError]] = ()
    ) -> Batch:
        """The same of rows that all have the header's width, given by column."""
        chosen = [columns[place] for place in self._places]
        dropped = set(self._totals.among(chosen))
        if dropped:
            kept = [at for at in range(len(numbers)) if at not in dropped]
            numbers = [numbers[at] for at in kept]
            chosen = [[column[at] for at in kept] for column in chosen]
        for index in self._numbers:
            chosen[index] = self._as_numbers(chosen[index])
        return Batch(Table(dict(zip(self._keys, chosen, strict=True)), len(numbers)), numbers, list(bad))

    def _as_numbers(self, column: Sequence[Any]) -> list[Any]:
        number = self._number
        if set(map(type, column)) == {str}:
            joined = "".join(column)
            if joined.isdigit() and joined.isascii() and all(column) and max(map(len, column)) <= PLAIN_DIGITS:
                return list(map(int, column))
        return [
            value
            if value.__class__ is not str
            else int(value)
            if value.isdigit() and value.isascii() and len(value) <= PLAIN_DIGITS
            else number[value]
            for value in column
        ]


def as_number(text: str, decimal: str) -> Any:
    """The number a text stands for, or the text if it stands for none; thousands may be grouped."""
    stripped = text.strip()
    if _GROUPED[decimal](stripped) is None:
        return text
    plain = stripped.replace("\u00a0", "").replace(" ", "")
    plain = plain.replace(".", "").replace(",", ".") if decimal == "," else plain.replace(",", "")
    return float(plain) if "." in plain else int(plain)


class Totals:
    """Blank rows, and rows of totals, which are no records. Most rows are told by their first letter."""

    def __init__(self, names: set[str]) -> None:
        self._names = names
        forms = [unicodedata.normalize(form, name)[0] for name in names for form in ("NFC", "NFD") if name]
        self._initials = {each for form in forms for each in (form, form.upper())}

    def among(self, columns: Sequence[Sequence[Any]]) -> list[int]:
        """The places of rows that are none."""
        if not columns:
            return []
        initials = self._initials
        doubtful = [
            at
            for at, value in enumerate(columns[0])
            if value is None or (value.__class__ is str and (not value or value[0] <= " " or value[0] in initials))
        ]
        return [at for at in doubtful if self.begin([column[at] for column in columns])]

    def begin(self, values: Cells) -> bool:
        """Whether a row is none."""
        for value in values:
            if value is None or value == "":
                continue
            if value.__class__ is not str:
                return False
            initial = value[0] if value[0] > " " else value.lstrip()[:1]
            return initial in self._initials and normal(value).rstrip(":") in self._names
        return True


def find_layout(source: Iterator[NumberedCells], form: Tabular) -> tuple[int, Layout]:
    """The number of the header's row, and what it says; `source` then stands behind it.

    FileRefusedError if there is no header.
    """
    wanted = {normal(name): name for name in form.columns}
    best: list[str] = []
    looked: list[Cells | MappingError] = []
    for number, cells in source:
        looked.append(cells)
        if not isinstance(cells, MappingError):
            names = _named(looked, form)
            found = {normal(name) for name in names}
            if wanted and wanted.keys() <= found:
                return number, Layout(names, form)
            if not wanted and sum(bool(name) for name in names) >= 2 and _are_texts(cells):
                return number, Layout(names, form)
            if len(wanted.keys() & found) >= len(wanted.keys() & {normal(name) for name in best}):
                best = names if wanted.keys() & found else best
        if len(looked) >= form.header_within:
            break
    raise _no_header(wanted, best, len(looked))


def _named(looked: list[Cells | MappingError], form: Tabular) -> list[str]:
    """Names of the last row; with two header rows `group / column`, a merged group reaching over empty cells."""
    last = looked[-1]
    assert not isinstance(last, MappingError)
    names = [_clean(cell) for cell in last]
    groups = looked[-2] if form.header_rows == 2 and len(looked) > 1 else ()
    if isinstance(groups, MappingError) or not groups:
        return names
    named, group = [], ""
    for index, name in enumerate(names):
        above = _clean(groups[index]) if index < len(groups) else ""
        group = above or (group if name else "")
        named.append(" / ".join(part for part in (group, name) if part) if name != group else name)
    return named


def _clean(cell: Any) -> str:
    return " ".join(unicodedata.normalize("NFC", str(cell)).split()) if cell is not None else ""


def _are_texts(cells: Cells) -> bool:
    return all(isinstance(cell, str) for cell in cells if cell not in ("", None))


def _keys(header: list[str], form: Tabular) -> tuple[list[str], list[int]]:
    """Keys of the record and the columns they come from; unnamed columns are left out, twins are numbered."""
    renamed = {normal(name): key for name, key in form.columns.items()}
    keys: list[str] = []
    places: list[int] = []
    for place, name in enumerate(header):
        if not name:
            continue
        key = renamed.get(normal(name), name.replace(".", "_"))
        twins = sum(1 for known in keys if known == key or known.startswith(f"{key}#"))
        keys.append(f"{key}#{twins + 1}" if twins else key)
        places.append(place)
    return keys, places


def _too_wide(found: int, width: int) -> MappingError:
    return MappingError(
        "too_many_cells",
        Text(f"dòng có {found} ô, tiêu đề chỉ có {width}", f"the row has {found} cells, the header only {width}"),
        Text(
            "đặt giá trị có dấu phân cách trong ngoặc kép, hoặc xóa ô thừa",
            "put a value that holds the delimiter in double quotes, or remove the extra cells",
        ),
    )


def _no_header(wanted: dict[str, str], best: list[str], looked: int) -> FileRefusedError:
    found = {normal(name) for name in best}
    missing = [name for key, name in wanted.items() if key not in found]
    hints = list(chain.from_iterable(difflib.get_close_matches(name, [b for b in best if b], 1) for name in missing))
    vi = f"không thấy dòng tiêu đề trong {looked} dòng đầu"
    en = f"no header row within the first {looked} rows"
    if missing:
        vi, en = f"{vi}; thiếu cột: {', '.join(missing)}", f"{en}; missing columns: {', '.join(missing)}"
    if hints:
        vi, en = f"{vi}; cột gần giống: {', '.join(hints)}", f"{en}; columns like them: {', '.join(hints)}"
    return FileRefusedError(
        "no_header",
        Text(vi, en),
        Text(
            "dùng đúng mẫu biểu, hoặc sửa source.format.columns", "use the agreed form, or mend source.format.columns"
        ),
    )
