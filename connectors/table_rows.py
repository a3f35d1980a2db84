"""A table's header and rows, found among title rows, merged cells, blank and total rows. Pure."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from connectors.errors import MappingError, Text
from connectors.file_formats import FileRefusedError, Row, Tabular, normal
from connectors.memo import Memo

Cells = Sequence[Any]
PLAIN_DIGITS = 18
"""A text of at most so many digits is its number; longer ones are looked at in full."""

_PLAIN = re.compile(r"-?\d+(?:\.\d+)?").fullmatch
_GROUPED = {
    ",": re.compile(r"-?\d{1,3}(?:[. \u00a0]\d{3})+(?:,\d+)?|-?\d+(?:,\d+)?").fullmatch,
    ".": re.compile(r"-?\d{1,3}(?:[, \u00a0]\d{3})+(?:\.\d+)?|-?\d+(?:\.\d+)?").fullmatch,
}


def table_rows(rows: Iterable[tuple[int, Cells | MappingError]], form: Tabular) -> Iterator[Row]:
    """Records of a table whose rows come with their numbers. FileRefusedError if there is no header.

    A row with more cells than columns is refused; missing cells at its end are null.
    """
    header, rest = _find_header(iter(rows), form)
    return _records(header, rest, form)


def _records(header: list[str], rest: Iterator[tuple[int, Cells | MappingError]], form: Tabular) -> Iterator[Row]:
    keys, places = _keys(header, form)
    width = len(header)
    numbers = [index for index, key in enumerate(keys) if key in form.numbers]
    number: Memo[Any] = Memo(lambda text: as_number(text, form.decimal))
    totals = Totals({normal(text) for text in form.total_row})
    straight = places == list(range(width))
    for row, cells in rest:
        if isinstance(cells, MappingError):
            yield row, cells
            continue
        count = len(cells)
        if count > width and any(cell not in ("", None) for cell in cells[width:]):
            yield row, _too_wide(count, width)
            continue
        if straight:
            values: list[Any] = cells if count == width and cells.__class__ is list else list(cells[:width])
        else:
            values = [cells[place] if place < count else None for place in places]
        if totals.begin(values):
            continue
        for index in numbers:
            if index < len(values) and (text := values[index]).__class__ is str:
                plain = text.isdigit() and text.isascii() and len(text) <= PLAIN_DIGITS
                values[index] = int(text) if plain else number[text]
        if len(values) < len(keys):
            values += [None] * (len(keys) - len(values))
        yield row, dict(zip(keys, values, strict=True))


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


def _find_header(
    source: Iterator[tuple[int, Cells | MappingError]], form: Tabular
) -> tuple[list[str], Iterator[tuple[int, Cells | MappingError]]]:
    """The header's names, and the rows after it."""
    wanted = {normal(name): name for name in form.columns}
    best: list[str] = []
    looked: list[Cells | MappingError] = []
    for _, cells in source:
        looked.append(cells)
        if not isinstance(cells, MappingError):
            names = _named(looked, form)
            found = {normal(name) for name in names}
            if wanted and wanted.keys() <= found:
                return names, source
            if not wanted and sum(bool(name) for name in names) >= 2 and _are_texts(cells):
                return names, source
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
