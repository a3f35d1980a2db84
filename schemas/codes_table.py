"""Code tables by validity: CSV files with the columns `code, …, valid_from, valid_to` (empty = open)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from schemas.errors import ContractError


@dataclass(frozen=True, slots=True)
class CodeTable:
    """`columns` as in the file's header; `rows` hold strings in the same order."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def load_code_tables(*roots: Path) -> dict[str, CodeTable]:
    """All tables by name from the package's `codes/`, then `roots`; a later file replaces an earlier one."""
    tables: dict[str, CodeTable] = {}
    for root in (Path(str(files("schemas"))) / "codes", *roots):
        for path in sorted(root.glob("*.csv")):
            with path.open(encoding="utf-8", newline="") as handle:
                header, *rows = list(csv.reader(handle))
            for required in ("code", "valid_from", "valid_to"):
                if required not in header:
                    raise ContractError(f"{path.name}: the column {required!r} is missing")
            for number, row in enumerate(rows, start=2):
                if len(row) != len(header):
                    raise ContractError(f"{path.name}, line {number}: {len(row)} values, {len(header)} columns")
            tables[path.stem] = CodeTable(path.stem, tuple(header), tuple(tuple(row) for row in rows))
    return tables


@cache
def package_tables() -> dict[str, CodeTable]:
    """The tables that come with the hub, read once."""
    return load_code_tables()
