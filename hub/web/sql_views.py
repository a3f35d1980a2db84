"""A question in SQL as a page shows it: its answer as a table with units, or what is wrong with it and where. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from hub.api.kpi_shapes import value_json
from hub.exports.table import kind_of, local
from hub.sql.allowed import FUNCTION_NAMES
from hub.sql.check import Checked
from hub.sql.desk import MAX_LIMIT, Answer
from hub.sql.errors import Place
from hub.sql.offered import Offered
from hub.sql.saved import SavedQuery
from hub.web.formats import UNKNOWN, day_text, exact_text
from hub.web.views import Reader

SHOWN_LIMIT = 200
"""Rows of a page, unless more are asked for: what a person reads through."""
MOST_SHOWN = 5_000
"""Rows that a browser lays out without a wait; files take more."""
FUNCTIONS = tuple(sorted(set(FUNCTION_NAMES), key=str.lower))
TIMES = {"vi": "%d/%m/%Y %H:%M:%S", "en": "%Y-%m-%d %H:%M:%S"}
EXAMPLES = (
    (
        "sql.example.units",
        "{entity}",
        "SELECT org_code, count() AS n\nFROM {entity}\nGROUP BY org_code\nORDER BY n DESC",
    ),
    (
        "sql.example.changes",
        "{entity}_changes",
        "SELECT kafka_time, entity_key, kind, op, reason\nFROM {entity}_changes\nWHERE org_code LIKE {{unit:String}}"
        "\nORDER BY kafka_time DESC",
    ),
    (
        "sql.example.ledger",
        "ledger",
        "SELECT entity, source_system, sum(applied) AS applied, sum(quarantined) AS quarantined,\n"
        "  max(written_at) AS written_at\nFROM ledger\nGROUP BY entity, source_system\nORDER BY entity",
    ),
)


@dataclass(frozen=True, slots=True)
class ColumnView:
    """`unit`: what the numbers count, None where no contract and no KPI says so."""

    name: str
    unit: str | None
    numeric: bool


@dataclass(frozen=True, slots=True)
class ResultView:
    """`files`: addresses of the same answer as files, by the text of the link."""

    columns: tuple[ColumnView, ...]
    rows: tuple[tuple[str, ...], ...]
    count: str
    truncated: bool
    most: str
    tables: str
    read_at: str
    ms: str
    files: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class FaultView:
    """What is wrong: in words, the line it is in with a mark under the place, and what may have been meant."""

    words: str
    place: Place | None = None
    line: str = ""
    mark: str = ""
    nearest: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SavedView:
    id: str
    name: str
    owner: str
    saved_at: str
    address: str
    mine: bool


def result_view(answer: Answer, checked: Checked, values: Mapping[str, str], ms: float, reader: Reader) -> ResultView:
    """An answer, and where it can be had as a file."""
    result = answer.result
    kinds = [kind_of(name) for name in result.types]
    columns = tuple(
        ColumnView(name, _unit(answer.units.get(name), reader), kind in ("whole", "number"))
        for name, kind in zip(result.names, kinds, strict=True)
    )
    question = urlencode([("query", checked.text), *((f"param_{name}", value) for name, value in values.items())])
    files = (("XLSX", f"/v1/sql.xlsx?{question}"), (reader.t("sql.for_excel"), f"/v1/sql.csv?{question}&excel=true"))
    return ResultView(
        columns,
        tuple(tuple(cell_text(value, reader) for value in row) for row in result.rows),
        reader.number(len(result.rows)),
        answer.truncated,
        reader.number(MAX_LIMIT),
        ", ".join(answer.tables),
        reader.clock(answer.read_at),
        reader.number(round(ms)),
        (*files, ("CSV", f"/v1/sql.csv?{question}"), ("Parquet", f"/v1/sql.parquet?{question}")),
    )


def cell_text(value: Any, reader: Reader) -> str:
    """A value as people of the language write it; times where the province is."""
    if value is None:
        return UNKNOWN
    if isinstance(value, datetime):
        return local(value, reader.timezone).strftime(TIMES[reader.language])
    if isinstance(value, date):
        return day_text(value, reader.language)
    if isinstance(value, bool):
        return reader.t("health.yes" if value else "health.no")
    told = value_json(value)
    if told is None:
        return UNKNOWN
    if isinstance(told, int | float):
        return exact_text(told, reader.language)
    return told if isinstance(told, str) else str(told)


def _unit(unit: Mapping[str, str] | None, reader: Reader) -> str | None:
    if unit is None:
        return None
    word = unit[reader.language]
    return reader.t.texts.get(f"unit.{word}", word)


def fault_view(words: str, text: str, place: Place | None = None, nearest: tuple[str, ...] = ()) -> FaultView:
    """The fault with its line of the statement."""
    lines = text.split("\n")
    if place is None or not 1 <= place.line <= len(lines):
        return FaultView(words, nearest=nearest)
    line = lines[place.line - 1]
    return FaultView(words, place, line, " " * (place.column - 1) + "^", nearest)


def saved_views(items: Iterable[SavedQuery], asker: str, everyones: bool, reader: Reader) -> tuple[SavedView, ...]:
    """`everyones`: the asker may delete those of others too."""
    return tuple(
        SavedView(
            one.id,
            one.name,
            one.owner,
            reader.clock(datetime.fromisoformat(one.saved_at)),
            f"/sql?saved={one.id}",
            everyones or one.owner == asker,
        )
        for one in items
    )


def example_views(tables: Mapping[str, Offered]) -> tuple[tuple[str, str], ...]:
    """Questions to begin with, over tables that there are: the key of their name, and the statement."""
    entity = next((name for name in tables if f"{name}_changes" in tables), "")
    found = [(key, table.format(entity=entity), text) for key, table, text in EXAMPLES]
    return tuple((key, text.format(entity=entity)) for key, table, text in found if table in tables)
