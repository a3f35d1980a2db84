"""A block of an entity's rows, and what its being written changes in the worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from streams.arrived import Arrived, arrived
from streams.garbage import trim
from streams.recent_keys import days_of
from streams.store import EntityStore

LARGE_BYTES = 4 * 1024 * 1024
"""Of a block. Only a backlog has such, and only its batches leave much memory behind."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a written batch changes in the worker: of its rows only what is counted and remembered."""

    kinds: tuple[tuple[str, int], ...]
    """Rows by kind."""
    arrived: Arrived
    newest: int
    """The day, since 1970 and in UTC, of the newest Kafka timestamp."""
    states: pl.DataFrame | None
    new: pl.DataFrame
    """`entity_key` and `event_time` of what had no state before."""


def effect_of(rows: pl.DataFrame, states: pl.DataFrame | None, new: pl.DataFrame) -> Effect:
    """Of the rows of one batch."""
    return Effect(
        tuple(rows.group_by("kind").len().rows()),
        arrived(rows),
        rows.select(days_of(pl.col("kafka_time").max())).item(),
        states,
        new[["entity_key", "event_time"]],
    )


class EntityBlock:
    """The encoded rows and nothing else of them: it may wait for long, and others beside it. Rows as they are become
    part of another block, or are encoded when they are sent."""

    def __init__(
        self, store: EntityStore, rows: pl.DataFrame | bytes, token: str, done: Callable[[], None] = lambda: None
    ) -> None:
        self.rows = rows
        self.done = done
        self._store = store
        self._token = token

    async def send(self) -> None:
        await asyncio.to_thread(self._send)

    def _send(self) -> None:
        if isinstance(self.rows, pl.DataFrame):
            self.rows = self._store.block(self.rows)
        self._store.insert(self.rows, self._token)
        if len(self.rows) > LARGE_BYTES:
            trim()
