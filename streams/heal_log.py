"""What healings inserted: a table that is only added to, and by which two healings at once exclude each other.

Every entry carries the number that follows the newest one, also as its insert token: of two who write at once the
second is dropped by the warehouse and finds out by reading. An entry is written *before* what it tells of, so whoever
lost the race has inserted nothing.
"""

from __future__ import annotations

import uuid
from typing import Any

import polars as pl

from streams.block import arrow_stream
from streams.errors import StreamError
from streams.warehouse.client import Warehouse

TABLE = "heals"

STALE_S = 180
"""A healing that wrote nothing for so long is dead: three times the longest statement."""

_COLUMNS = ("seq", "run", "step", "entity", "target", "rows", "inserted")

CREATE = (
    f"CREATE TABLE IF NOT EXISTS {TABLE} (seq UInt64, run String, step LowCardinality(String), "
    "entity LowCardinality(String), target LowCardinality(String), rows UInt64, inserted String, "
    "at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')) "
    "ENGINE = MergeTree ORDER BY seq SETTINGS non_replicated_deduplication_window = 1000"
)


class HealBusyError(StreamError):
    """Another healing is under way: wait until it is done."""


class HealLog:
    """One run's way to the table. Blocks."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._run = uuid.uuid4().hex[:12]
        self._seq = 0

    def open(self) -> None:
        """Take the right to heal; raises `HealBusyError` before anything has changed."""
        self._warehouse.command(CREATE)
        newest = self._warehouse.rows(
            f"SELECT seq, step, run, entity, dateDiff('second', at, now64(3, 'UTC')) FROM {TABLE} "
            "ORDER BY seq DESC LIMIT 1"
        )
        if newest:
            seq, step, run, entity, age_s = newest[0]
            if step != "finished" and int(age_s) < STALE_S:
                raise HealBusyError(
                    f"healing {run} of {entity} is under way ({age_s} s ago: {step}); wait until it is done, "
                    f"or {STALE_S} s if it died"
                )
            self._seq = int(seq)
        self.write("started", "", "", 0, "")

    def write(self, step: str, entity: str, target: str, rows: int, inserted: str) -> str:
        """Add an entry; the token for the insert it tells of. Raises `HealBusyError` if another run came between."""
        seq = self._seq + 1
        values: dict[str, Any] = {
            "seq": seq,
            "run": self._run,
            "step": step,
            "entity": entity,
            "target": target,
            "rows": rows,
            "inserted": inserted,
        }
        entry = pl.DataFrame([values], schema_overrides={"seq": pl.UInt64, "rows": pl.UInt64})
        self._warehouse.insert(TABLE, _COLUMNS, arrow_stream(entry.select(_COLUMNS)), f"{TABLE}:{seq}")
        winner = self._warehouse.rows(f"SELECT any(run) FROM {TABLE} WHERE seq = {seq}")[0][0]
        if winner != self._run:
            raise HealBusyError(f"healing {winner} began meanwhile; wait until it is done")
        self._seq = seq
        return f"heal:{seq}:{self._run}"

    def close(self) -> None:
        """Give the right back."""
        self.write("finished", "", "", 0, "")
