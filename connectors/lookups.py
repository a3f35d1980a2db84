"""What a manifest joins to its records from code tables before they are mapped: rows in force on a record's day. Pure.

    lookups:
      - table: station
        by: {code: station}              # column: path in the record
        at: {from: at, time: iso}        # only rows in force on this local day
        give: {_station_type: type}      # key that the record gets: column

A later lookup may read what an earlier one gave. A record whose key has no row is refused, unless `optional`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.convert import Convert
from connectors.convert_time import time_by_any
from connectors.declaration import unknown_key
from connectors.errors import ManifestError, MappingError, Text
from connectors.lookup_config import Lookup
from connectors.manifest import Manifest
from connectors.memo import MEMO_ENTRIES
from connectors.paths import value_at
from connectors.source import Refusal
from schemas.codes_table import CodeTable


@dataclass(frozen=True, slots=True)
class Validity:
    """What a row of a table gives between two days, both included."""

    since: str
    until: str
    given: Mapping[str, str | None]

    def holds(self, day: str) -> bool:
        return self.since <= day and (not self.until or day <= self.until)


Found = Mapping[str, str | None] | MappingError


class Joined:
    """One compiled lookup; remembers what it found by key and time."""

    def __init__(self, lookup: Lookup, rows: Mapping[tuple[str, ...], Sequence[Validity]], zone: ZoneInfo) -> None:
        self._lookup = lookup
        self._rows = rows
        self._nothing: Mapping[str, str | None] = dict.fromkeys(lookup.give)
        self._time: Convert | None = None if lookup.at is None else time_by_any(lookup.at.forms, zone)
        self._zone = zone
        self._paths = [*lookup.by.values(), *([lookup.at.source] if lookup.at else [])]
        self._memo: dict[tuple[Any, ...], Found] = {}
        self._read: Callable[[dict[str, Any]], tuple[Any, ...]] = _reader(self._paths)

    def give(self, raw: dict[str, Any]) -> None:
        """Add what the table says to the record. Raises MappingError where it says nothing and has to."""
        key = self._read(raw)
        try:
            found = self._memo[key]
        except KeyError:
            if len(self._memo) >= MEMO_ENTRIES:
                self._memo.clear()
            found = self._memo[key] = self._find(key)
        except TypeError:  # a list or an object where a code should be: its own rule says so
            found = self._nothing
        if isinstance(found, MappingError):
            raise found
        raw.update(found)

    def _find(self, key: tuple[Any, ...]) -> Found:
        codes = key if self._time is None else key[:-1]
        if any(code in (None, "") for code in codes):
            return self._nothing
        day = ""
        if self._time is not None:
            try:
                day = _day_of(self._time(key[-1]), self._zone)
            except MappingError:
                return self._nothing  # the time's own rule names the fault
        held = self._rows.get(tuple(map(str, codes)), ())
        found = next((row.given for row in held if not day or row.holds(day)), None)
        if found is None:
            return self._nothing if self._lookup.optional else self._refusal(day if held else "")
        return found

    def _refusal(self, day: str) -> MappingError:
        name = self._lookup.table
        problem = Text(f"mã không có trong bảng mã {name}", f"the code is not in the code table {name}")
        if day:
            shown = f"{day[8:]}/{day[5:7]}/{day[:4]}"
            problem = Text(
                f"mã có trong bảng mã {name} nhưng không có hiệu lực ngày {shown}",
                f"the code is in the code table {name} but not in force on {shown}",
            )
        cure = Text("sửa mã tại nguồn hoặc bổ sung bảng mã", "mend the code at the source or add it to the table")
        return MappingError("unknown_code", problem, cure, ", ".join(self._lookup.by.values()))


@dataclass(frozen=True, slots=True)
class Lookups:
    """All lookups of a manifest in their order."""

    steps: tuple[Joined, ...]

    def kept(self, records: Sequence[Any], refused: list[Refusal]) -> Sequence[Any]:
        """The records with what the tables give; those without a row go to `refused`, in order."""
        kept = []
        for raw in records:
            if isinstance(raw, dict):
                try:
                    for step in self.steps:
                        step.give(raw)
                except MappingError as error:
                    refused.append(Refusal(raw, error))
                    continue
            kept.append(raw)
        return kept


def _reader(paths: Sequence[str]) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
    if any("." in path for path in paths):
        return lambda raw: tuple(value_at(raw, path) for path in paths)
    return lambda raw: tuple([raw.get(path) for path in paths])


def _day_of(millis: int, zone: ZoneInfo) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=millis)
    return moment.astimezone(zone).date().isoformat()


def lookups_of(manifest: Manifest, tables: Mapping[str, CodeTable]) -> Lookups | None:
    """The compiled lookups of a manifest, None if it has none; ManifestError names file, line and path."""
    if not manifest.lookups:
        return None
    return Lookups(tuple(_compiled(manifest, number, tables) for number in range(len(manifest.lookups))))


def _compiled(manifest: Manifest, number: int, tables: Mapping[str, CodeTable]) -> Joined:
    lookup = manifest.lookups[number]
    here = ("lookups", str(number))
    if lookup.table not in tables:
        problem = Text(*unknown_key(lookup.table, tables, "bảng mã", "code table"))
        raise manifest.fault((*here, "table"), problem)
    table = tables[lookup.table]
    named = [
        *((("by", name), name) for name in lookup.by),
        *((("give", key), name) for key, name in lookup.give.items()),
    ]
    for place, name in named:
        if name not in table.columns:
            raise manifest.fault((*here, *place), Text(*unknown_key(name, table.columns, "cột", "column")))
    rows = _rows(lookup, table)
    if lookup.at is None and any(len(held) > 1 for held in rows.values()):
        raise _ambiguous(manifest, here, table)
    return Joined(lookup, rows, manifest.zone)


def _ambiguous(manifest: Manifest, here: tuple[str, ...], table: CodeTable) -> ManifestError:
    return manifest.fault(
        here,
        Text(
            f"bảng mã {table.name} có nhiều dòng cho một mã; hãy thêm at, hoặc cột nữa trong by",
            f"gives several rows of {table.name} for one code; add at, or another column to by",
        ),
    )


def _rows(lookup: Lookup, table: CodeTable) -> dict[tuple[str, ...], list[Validity]]:
    column = {name: number for number, name in enumerate(table.columns)}
    rows: dict[tuple[str, ...], list[Validity]] = {}
    for row in table.rows:
        key = tuple(row[column[name]] for name in lookup.by)
        given = {name: row[column[source]] or None for name, source in lookup.give.items()}
        found = Validity(row[column["valid_from"]], row[column["valid_to"]], given)
        rows.setdefault(key, []).append(found)
    return rows
