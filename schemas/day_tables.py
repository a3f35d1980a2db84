"""Reading the tables of announced days, `days/<table>-<year>.csv`. A wrong row is named with file, line and column."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from schemas.days import DayTable, SpecialDay
from schemas.declaration import misdeclared, nearest, unknown_key
from schemas.errors import DeclarationError
from schemas.text import Text

COLUMNS = ("date", "kind", "pair", "name_vi", "name_en", "source")
KINDS = {"off": False, "work": True}
"""`off`: a day without work; `work`: a weekend day or holiday that is worked."""
_NAME = re.compile(r"(?P<table>[a-z0-9][a-z0-9-]*?)-(?P<year>\d{4})").fullmatch


@dataclass(frozen=True, slots=True)
class _Row:
    file: str
    line: int
    day: date
    special: SpecialDay


def load_day_rows(roots: Sequence[Path]) -> dict[str, dict[int, list[_Row]]]:
    """Rows by table and year from each root's `days/`; a later root's file replaces an earlier one of its name."""
    tables: dict[str, dict[int, list[_Row]]] = {}
    for root in roots:
        for path in sorted((root / "days").glob("*.csv")):
            match = _NAME(path.stem)
            if match is None:
                raise DeclarationError(
                    Text(
                        f"{path.name}: tên tệp phải có dạng <bảng>-<năm>.csv, như vn-2026.csv",
                        f"{path.name}: the file's name must be <table>-<year>.csv, such as vn-2026.csv",
                    )
                )
            year = int(match["year"])
            tables.setdefault(match["table"], {})[year] = _rows(path, year)
    return tables


def day_table(name: str, country: str | None, years: Mapping[int, Sequence[_Row]]) -> DayTable:
    """The table of all its years; DeclarationError where a swap lacks its other day."""
    rows = {row.day: row for year in sorted(years) for row in years[year]}
    table = DayTable(country, {day: row.special for day, row in rows.items()}, frozenset(years))
    for row in rows.values():
        _check_pair(row, rows)
        if row.special.works and row.day.weekday() < 5 and row.day not in table.by_law(row.day.year):
            raise _wrong(
                row.file, row.line, "kind",
                f"«work», mà {row.day} vốn là ngày làm việc; hãy bỏ dòng này",
                f"is “work”, and {row.day} is a working day anyway; take the row away",
            )  # fmt: skip
    return table


def _check_pair(row: _Row, rows: Mapping[date, _Row]) -> None:
    pair = row.special.pair
    if pair is None:
        return
    other = rows.get(pair)
    if other is None or other.special.pair != row.day or other.special.works == row.special.works:
        kind = "off" if row.special.works else "work"
        raise _wrong(
            row.file, row.line, "pair",
            f"{row.day} đổi với {pair}, nhưng bảng thiếu dòng «{pair},{kind},{row.day}»",
            f"{row.day} is swapped with {pair}, and the table lacks the row “{pair},{kind},{row.day}”",
        )  # fmt: skip


def _rows(path: Path, year: int) -> list[_Row]:
    try:
        lines = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DeclarationError(
            Text(
                f"{path.name}: không đọc được; cần CSV dạng UTF-8",
                f"{path.name}: cannot be read; CSV in UTF-8 is needed",
            )
        ) from error
    header = tuple(lines[0]) if lines else ()
    for column in header:
        if column not in COLUMNS:
            raise misdeclared(path.name, None, (column,), Text(*unknown_key(column, COLUMNS)), line=1)
    if header != COLUMNS:
        wanted = ",".join(COLUMNS)
        raise _wrong(path.name, 1, "date", f"cần các cột {wanted}", f"needs the columns {wanted}")
    found: dict[date, _Row] = {}
    for number, cells in enumerate(lines[1:], start=2):
        if not any(cells):
            continue
        row = _row(path.name, number, cells, year)
        if row.day in found:
            raise _wrong(
                path.name, number, "date",
                f"{row.day} đã có ở dòng {found[row.day].line}",
                f"{row.day} stands in line {found[row.day].line} already",
            )  # fmt: skip
        found[row.day] = row
    return list(found.values())


def _row(file: str, line: int, cells: Sequence[str], year: int) -> _Row:
    if len(cells) != len(COLUMNS):
        raise _wrong(
            file,
            line,
            "date",
            f"có {len(cells)} giá trị, cần {len(COLUMNS)}",
            f"{len(cells)} values, not {len(COLUMNS)}",
        )
    day_text, kind, pair, name_vi, name_en, source = (cell.strip() for cell in cells)
    day = _date(file, line, "date", day_text)
    if day.year != year:
        raise _wrong(file, line, "date", f"{day} không thuộc năm {year}", f"{day} is not in {year}")
    if kind not in KINDS:
        near = nearest(kind, KINDS)
        raise _wrong(
            file, line, "kind",
            "chỉ được là off hoặc work" + (f"; có phải «{near}»?" if near else ""),
            "must be off or work" + (f"; did you mean “{near}”?" if near else ""),
        )  # fmt: skip
    for column, value in (("name_vi", name_vi), ("name_en", name_en), ("source", source)):
        if not value:
            raise _wrong(file, line, column, "còn thiếu", "is missing")
    other = _date(file, line, "pair", pair) if pair else None
    return _Row(file, line, day, SpecialDay(KINDS[kind], Text(name_vi, name_en), source, other))


def _date(file: str, line: int, column: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _wrong(
            file, line, column, f"không phải ngày dạng 2026-02-17: {text!r}", f"is no date such as 2026-02-17: {text!r}"
        ) from None


def _wrong(file: str, line: int, column: str, vi: str, en: str) -> DeclarationError:
    return misdeclared(file, None, (column,), Text(vi, en), line=line)
