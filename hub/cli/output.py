"""What commands print: data on stdout as table, JSON or CSV; messages on stderr. Exit codes have names."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, NoReturn


class Exit(IntEnum):
    """Exit codes of `ioc`."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CHECK_FAILED = 3
    TIMEOUT = 4


class Format(StrEnum):
    """Formats of data on stdout."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


@dataclass(slots=True)
class Style:
    """Set once by the global options."""

    quiet: bool = False
    color: bool = True


STYLE = Style()


def use_color(stream: Any) -> bool:
    return STYLE.color and "NO_COLOR" not in os.environ and bool(stream.isatty())


def say(text: str) -> None:
    """A message for the person at the terminal; silent under `-q`."""
    if not STYLE.quiet:
        print(text, file=sys.stderr, flush=True)


def complain(text: str) -> None:
    """An error message: said even under `-q`."""
    print(text, file=sys.stderr, flush=True)


def leave(code: Exit, text: str) -> NoReturn:
    """Say why and end the process."""
    complain(text)
    raise SystemExit(int(code))


def show_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[tuple[str, str]], form: Format) -> None:
    """Print records: `columns` are (key, heading). JSON keeps the keys and types, CSV the keys."""
    if form is Format.JSON:
        show_json([{key: row.get(key) for key, _ in columns} for row in rows])
    elif form is Format.CSV:
        _show_csv(rows, [key for key, _ in columns])
    else:
        _show_table(rows, columns)


def show_json(value: Any) -> None:
    """Print one JSON document, ended by a newline."""
    print(json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None, default=str), flush=True)


def _show_csv(rows: Iterable[Mapping[str, Any]], keys: Sequence[str]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(keys)
    writer.writerows([["" if row.get(key) is None else row.get(key) for key in keys] for row in rows])


def _show_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[tuple[str, str]]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for key, heading in columns:
        numeric = bool(rows) and all(isinstance(row.get(key), (int, float, type(None))) for row in rows)
        table.add_column(heading, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(key)) for key, _ in columns))
    console(sys.stdout).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "✓" if value else "✗"
    return str(value)


def console(stream: Any) -> Any:
    """A Rich console on `stream` that obeys `--no-color`; as wide as the content where there is no terminal."""
    from rich.console import Console

    colored = use_color(stream)
    return Console(
        file=stream,
        no_color=not colored,
        highlight=False,
        markup=False,
        emoji=False,
        width=None if stream.isatty() else 200,
    )
