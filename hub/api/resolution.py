"""Which refused records are past: their entity has come to a newer state, so nothing is missing any more.

An event asserts its entity's whole state. A later one that was applied replaces what the refused record would have
said, whether it is the same record repaired or the next change.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol

from hub.kpi.query import Statement
from hub.kpi.reader import Reader

_ENTITY = re.compile(r"[a-z][a-z0-9_]*")


class Refused(Protocol):
    """What is asked of an entry of the quarantine. `offset` is None for a record that never reached its topic."""

    @property
    def entity(self) -> str: ...
    @property
    def partition(self) -> int | None: ...
    @property
    def offset(self) -> int | None: ...


Place = tuple[str, int, int]
"""Entity, partition and offset."""


def resolved(reader: Reader, entries: Iterable[Refused]) -> frozenset[Place]:
    """The places of the entries whose entity has a newer state. WarehouseAwayError; blocks."""
    places: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for entry in entries:
        if entry.partition is not None and entry.offset is not None and _ENTITY.fullmatch(entry.entity):
            places[entry.entity].append((entry.partition, entry.offset))
    if not places:
        return frozenset()
    found: set[Place] = set()
    for entity in _with_tables(reader, places):
        rows = reader.rows(Statement(_sql(entity, places[entity]), {}))
        found |= {(entity, int(partition), int(offset)) for partition, offset in rows}
    return frozenset(found)


def _with_tables(reader: Reader, entities: Iterable[str]) -> list[str]:
    """A message may name an entity that the warehouse does not know."""
    names = ", ".join(f"'{entity}_current'" for entity in entities)
    sql = f"SELECT name FROM system.tables WHERE database = currentDatabase() AND name IN ({names})"
    return [str(row[0]).removesuffix("_current") for row in reader.rows(Statement(sql, {}))]


def _sql(entity: str, places: list[tuple[int, int]]) -> str:
    listed = ", ".join(f"({partition}, {offset})" for partition, offset in places)
    refused = (
        "SELECT partition, `offset`, entity_key, bitShiftLeft(toUInt64(life), 40) + toUInt64(`offset`) AS at_version "
        f"FROM {entity}_changes WHERE kind = 'quarantined' AND (partition, `offset`) IN ({listed})"
    )
    states = (
        f"SELECT entity_key, max({entity}_current.version) AS now_version FROM {entity}_current "
        f"WHERE entity_key IN (SELECT entity_key FROM ({refused})) GROUP BY entity_key"
    )
    return (
        f"SELECT bad.partition, bad.`offset` FROM ({refused}) AS bad INNER JOIN ({states}) AS state "
        "ON bad.entity_key = state.entity_key WHERE state.now_version > bad.at_version"
    )
