"""What people do with the code tables: look at them, see what a new one changes, let it take effect.

CodesRefusedError: nothing was changed, and why; UnknownTableError names the tables there are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import structlog

from connectors.live_codes import LiveCodes
from hub.code_files import misfits
from hub.declarations import Declarations
from schemas.codes_diff import CodeChange, differences
from schemas.codes_table import CodeTable

log = structlog.get_logger("ioc.codes")


class UnknownTableError(Exception):
    """There is no such table; `known` are there."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(name)
        self.name, self.known = name, known


class CodesRefusedError(Exception):
    """Nothing was changed. `reasons`: what could not go on with the table; empty if another version came between."""

    def __init__(self, reasons: tuple[str, ...] = ()) -> None:
        super().__init__("; ".join(reasons) or "another version was applied meanwhile")
        self.reasons = reasons


@dataclass(frozen=True, slots=True)
class Looked:
    """A table held against the one in use: `base` is the version of that, `faults` forbid it."""

    table: CodeTable
    base: int
    changes: tuple[CodeChange, ...]
    faults: tuple[str, ...]


class CodesDesk:
    """Over the tables as they are now. One process decides at a time: the version a change was seen against must still
    be the one in use."""

    def __init__(self, codes: LiveCodes, declared: Declarations, now_ms: Callable[[], int]) -> None:
        self._codes = codes
        self._declared = declared
        self._now_ms = now_ms
        self._one = asyncio.Lock()

    def tables(self) -> dict[str, CodeTable]:
        """All by name."""
        return dict(self._codes.items())

    def table(self, name: str) -> CodeTable:
        """UnknownTableError."""
        if name not in self._codes:
            raise UnknownTableError(name, tuple(self._codes))
        return self._codes[name]

    def applied(self, name: str) -> dict[str, Any]:
        """Version, by whom and when (epoch ms) it took effect; empty for a table of the tree."""
        return self._codes.applied(name)

    def version(self, name: str) -> int:
        """0: as in the tree."""
        return int(self.applied(name).get("version", 0))

    def look(self, table: CodeTable) -> Looked:
        """What it would change, and what forbids it. Blocks: every mapping that uses it is compiled."""
        self.table(table.name)
        base = self.version(table.name)
        changes = tuple(differences(self._codes.get(table.name), table))
        return Looked(table, base, changes, tuple(misfits(table, self._codes, self._declared)))

    async def apply(self, table: CodeTable, base: int, by: str) -> Looked:
        """Let it take effect everywhere, if `base` is still in use; CodesRefusedError. What changes nothing is not
        written."""
        async with self._one:
            looked = await asyncio.to_thread(self.look, table)
            if looked.base != base:
                raise CodesRefusedError()
            if looked.faults:
                raise CodesRefusedError(looked.faults)
            if looked.changes:
                version = await self._codes.apply(table, by, self._now_ms())
                log.info("codes_applied", table=table.name, version=version, by=by, changes=len(looked.changes))
            return looked


def rows_on(table: CodeTable, day: date | None, wanted: str = "") -> list[dict[str, str]]:
    """Rows in force on a day (None: all) in which a text stands."""
    found, needle = [], wanted.casefold()
    for line in table.rows:
        row = dict(zip(table.columns, line, strict=True))
        if day is not None and not _in_force(row, day.isoformat()):
            continue
        if not needle or any(needle in value.casefold() for value in line):
            found.append(row)
    return found


def _in_force(row: dict[str, str], day: str) -> bool:
    return row["valid_from"] <= day and (not row["valid_to"] or day <= row["valid_to"])
