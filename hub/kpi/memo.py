"""Answers of statements over tables that did not change: kept until one of the tables is written to. Blocks.

What is kept is exactly what the warehouse would answer again: an answer is held with the versions of the tables its
statement reads, taken before it was asked, and serves as long as they are the same. A version is the number of the last
block of a table, which the warehouse's own merges leave as it is, and the time of its last part, which another table
put in its place changes.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

from hub.kpi.statement import Statement

ENTRIES = 2_048
MOST_ROWS = 5_000
"""An answer with more is not a figure's."""

VERSIONS = Statement(
    "SELECT table, max(max_block_number) AS block, max(toUnixTimestamp(modification_time)) AS modified"
    " FROM system.parts WHERE active AND database = currentDatabase() GROUP BY table",
    {},
)

Versions = Mapping[str, Hashable]
"""By table, of those that hold anything."""


def versions(rows: Iterable[Sequence[Any]]) -> Versions:
    """The answer to `VERSIONS`."""
    return {str(table): (block, modified) for table, block, modified in rows}


class Rows(Protocol):
    """What is asked of `hub.kpi.reader.Reader`."""

    def rows(self, statement: Statement) -> Sequence[Sequence[Any]]: ...


class Memo:
    """Asks `reader` what it does not hold. `now`: the versions of the tables, None where they cannot be told; it may
    raise WarehouseAwayError. Safe from several threads."""

    def __init__(self, reader: Rows, now: Callable[[], Versions | None]) -> None:
        self._reader = reader
        self._now = now
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[Hashable, Sequence[Sequence[Any]]]] = OrderedDict()

    def rows(self, statement: Statement) -> Sequence[Sequence[Any]]:
        """All rows of the answer; the errors of `Reader.rows`."""
        known = self._now()
        if known is None:
            return self._reader.rows(statement)
        stamp = tuple((name, known[name]) for name in _words(statement.sql) if name in known)
        key = (statement.sql, repr(statement.parameters))
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and kept[0] == stamp:
                self._kept.move_to_end(key)
                return kept[1]
        rows = self._reader.rows(statement)
        if len(rows) <= MOST_ROWS:
            with self._lock:
                self._kept[key] = (stamp, rows)
                self._kept.move_to_end(key)
                while len(self._kept) > ENTRIES:
                    self._kept.popitem(last=False)
        return rows


@lru_cache(maxsize=1_024)
def _words(sql: str) -> tuple[str, ...]:
    """Every word of a statement: its tables are among them. A column that has a table's name does no harm: the answer
    is asked again sooner."""
    return tuple(sorted(set(re.findall(r"[A-Za-z_]\w*", sql))))
