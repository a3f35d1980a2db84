"""Code tables by validity: CSV files with the columns `code, …, valid_from, valid_to` (empty = open)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

from schemas.errors import ContractError

REQUIRED = ("code", "valid_from", "valid_to")
KEYS = ("codeset", "successor", "vendor")
"""Columns by which one code may have several rows on one day."""


@dataclass(frozen=True, slots=True)
class CodeTable:
    """`columns` as in the file's header; `rows` hold strings in the same order."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def identity(self, row: Sequence[str]) -> tuple[str, ...]:
        """What tells a row from all others: code, what the code is split by, and the first day."""
        names = ("code", *(name for name in KEYS if name in self.columns), "valid_from")
        return tuple(row[self.columns.index(name)] for name in names)


def table_of(name: str, lines: Iterable[Sequence[str]], where: str) -> CodeTable:
    """A table from its header and rows; ContractError names line, column and cure.

    Days are days, no row ends before it begins, and no code stands twice on a day.
    """
    header, *rows = [list(line) for line in lines] or [[]]
    for required in REQUIRED:
        if required not in header:
            raise ContractError(f"{where}: the column {required!r} is missing", f"{where}: thiếu cột {required!r}")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise ContractError(
                f"{where}, line {number}: {len(row)} values, {len(header)} columns",
                f"{where}, dòng {number}: {len(row)} giá trị, {len(header)} cột",
            )
    table = CodeTable(name, tuple(header), tuple(tuple(row) for row in rows))
    _check_days(table, where)
    return table


def _check_days(table: CodeTable, where: str) -> None:
    first, last, code = (table.columns.index(name) for name in ("valid_from", "valid_to", "code"))
    held: dict[tuple[str, ...], list[tuple[str, str, int]]] = {}
    for number, row in enumerate(table.rows, start=2):
        if not row[code]:
            raise ContractError(f"{where}, line {number}: the code is empty", f"{where}, dòng {number}: mã để trống")
        for value in (row[first], *filter(None, [row[last]])):
            _check_day(value, where, number)
        if row[last] and row[last] < row[first]:
            raise ContractError(
                f"{where}, line {number}: it ends on {row[last]}, before it begins on {row[first]}",
                f"{where}, dòng {number}: hết hiệu lực {row[last]} trước khi có hiệu lực {row[first]}",
            )
        held.setdefault(table.identity(row)[:-1], []).append((row[first], row[last] or "9999-12-31", number))
    for key, spans in held.items():
        spans.sort()
        for (_, until, one), (since, _, other) in pairwise(spans):
            if since <= until:
                raise ContractError(
                    f"{where}, lines {one} and {other}: {key[0]!r} is in force twice from {since} on; end the older "
                    "row on the day before",
                    f"{where}, dòng {one} và {other}: mã {key[0]!r} có hiệu lực hai lần từ {since}; hãy cho dòng cũ "
                    "hết hiệu lực vào ngày trước đó",
                )


def _check_day(value: str, where: str, number: int) -> None:
    try:
        if date.fromisoformat(value).isoformat() == value:
            return
    except ValueError:
        pass
    raise ContractError(
        f"{where}, line {number}: {value!r} is no day; write it as 2025-07-01",
        f"{where}, dòng {number}: {value!r} không phải ngày; hãy ghi dạng 2025-07-01",
    )


def read_table(name: str, text: str, where: str) -> CodeTable:
    """A table from CSV; ContractError as `table_of`."""
    return table_of(name, csv.reader(io.StringIO(text.removeprefix("\ufeff"))), where)


def as_csv(table: CodeTable) -> str:
    """The table as its file holds it."""
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\n")
    writer.writerows([table.columns, *table.rows])
    return made.getvalue()


def load_code_tables(*roots: Path) -> dict[str, CodeTable]:
    """All tables by name from the package's `codes/`, then `roots`; a later file replaces an earlier one."""
    tables: dict[str, CodeTable] = {}
    for root in (Path(str(files("schemas"))) / "codes", *roots):
        for path in sorted(root.glob("*.csv")):
            tables[path.stem] = read_table(path.stem, path.read_text(encoding="utf-8"), path.name)
    return tables


@cache
def package_tables() -> dict[str, CodeTable]:
    """The tables that come with the hub, read once."""
    return load_code_tables()
