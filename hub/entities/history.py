"""A record's whole history: every delivery of it, what became of it, where it came from, what it changed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.entities.filters import visible
from hub.kpi.conditions import Slice
from hub.kpi.statement import Statement
from schemas.contract import Contract

MOST = 1000
"""Deliveries of one record that are told; the newest."""

_BOOK = (
    *("kind", "sign", "reason", "topic_id", "life", "partition", "offset", "state_offset", "heal"),
    *("kafka_time", "batch_time"),
)
_NOT_CONTENT = frozenset({"event_id", "revision", "op", "event_time", "ingest_time"})


@dataclass(frozen=True, slots=True)
class Change:
    """One field that a revision changed."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Revision:
    """One delivery of a record. `kind`: applied, deleted, superseded, repeat or quarantined; `state`: its fields.

    `took_back`: it replaced a state that counted. `changes`: against the state in force before it, of those applied.
    `arrived_at`: when Kafka had it.
    """

    kind: str
    reason: str
    topic: str
    life: int
    partition: int
    offset: int
    arrived_at: datetime
    repaired: bool
    state: Mapping[str, Any]
    changes: tuple[Change, ...]

    @property
    def took_back(self) -> bool:
        return self.reason == "took_back"


def statement(contract: Contract, key: str, chosen: Slice) -> Statement:
    """All deliveries of one record that the caller may see, the newest first."""
    parameters = {"key": key}
    scope = chosen.conditions("s", parameters, contract.by_name)
    columns = ", ".join(f"`{name}`" for name in (*_BOOK, *(field.name for field in visible(contract))))
    return Statement(
        f"SELECT {columns} FROM {contract.changes_table}"
        f" WHERE entity_key = {{key:String}} AND kind != 'retracted'{scope}"
        f" ORDER BY life DESC, `offset` DESC, heal DESC LIMIT {MOST}",
        parameters,
    )


def current_statement(contract: Contract, key: str, chosen: Slice) -> Statement:
    """The record as it stands."""
    parameters = {"key": key}
    scope = chosen.conditions("s", parameters, contract.by_name)
    columns = ", ".join(f"`{field.name}`" for field in visible(contract))
    return Statement(
        f"SELECT {columns}, deleted FROM {contract.current_table} FINAL WHERE entity_key = {{key:String}}{scope}",
        parameters,
    )


def revisions(contract: Contract, rows: Sequence[Sequence[Any]]) -> tuple[Revision, ...]:
    """What `statement` gave, newest first, each with what it changed."""
    fields = [field.name for field in visible(contract)]
    oldest_first: list[Revision] = []
    before: Mapping[str, Any] | None = None
    for row in reversed(rows):
        book = dict(zip(_BOOK, row, strict=False))
        state = dict(zip(fields, row[len(_BOOK) :], strict=True))
        counts = book["kind"] in ("applied", "deleted")
        changes = tuple(_changes(before, state)) if counts and before is not None else ()
        oldest_first.append(
            Revision(
                kind=str(book["kind"]),
                reason=str(book["reason"]),
                topic=contract.topic,
                life=int(book["life"]),
                partition=int(book["partition"]),
                offset=int(book["offset"]),
                arrived_at=book["kafka_time"],
                repaired=bool(book["heal"]),
                state=state,
                changes=changes,
            )
        )
        before = state if counts else before
    return tuple(reversed(oldest_first))


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterable[Change]:
    return (
        Change(name, before[name], value)
        for name, value in after.items()
        if name not in _NOT_CONTENT and before[name] != value
    )
