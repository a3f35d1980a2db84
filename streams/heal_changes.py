"""What has to be inserted into `<entity>_changes` and `<entity>_current` to put them right. Blocking calls."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl
import structlog

from schemas.contract import Contract
from streams import audit_sql as sql
from streams.audit_checks import Faults
from streams.audit_readings import Place
from streams.audit_sql import Cut
from streams.compensation import PLACE, assertions, compensation, last_states, moved, right_rows
from streams.warehouse.catalogue import text
from streams.warehouse.client import Warehouse
from streams.warehouse.schema import BOOKKEEPING

log = structlog.get_logger()

KEYS_AT_ONCE = 10_000
"""Entities whose histories are computed anew at once: about 300 bytes a row."""

MAX_QUERY_BYTES = 64 * 1024 * 1024
"""A query names its keys in the statement."""

STATES = ("deleted", "version", "state_offset")


@dataclass(frozen=True, slots=True)
class LostRecords:
    """Records that Kafka has and `_changes` does not, as rows of it: `good` with any kind, `refused` quarantined."""

    good: pl.DataFrame
    refused: pl.DataFrame


Lost = Callable[[Place, int, int], LostRecords | None]
"""Reads a missing range from Kafka again; None if it is there no more. Blocks."""


class ChangesHealing:
    """One entity's changes and current states."""

    def __init__(
        self,
        warehouse: Warehouse,
        contract: Contract,
        lost: Lost,
        cuts: Callable[[], Mapping[int, Cut]],
    ) -> None:
        self._warehouse = warehouse
        self._contract = contract
        self._lost = lost
        self._cuts = cuts
        self._payload = [field.name for field in contract.fields]
        self._columns = [*self._payload, *(name for name, _ in BOOKKEEPING)]

    def frame(self, statement: str) -> pl.DataFrame:
        """The answer to a query."""
        settings = {"max_query_size": MAX_QUERY_BYTES, "output_format_arrow_string_as_string": 1}
        return pl.read_ipc_stream(io.BytesIO(self._warehouse.arrow(statement, settings)))

    def stamped(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Compensations with the epochs that the fences ask for at this moment."""
        fences = self.frame(
            f"SELECT partition, max(epoch) AS epoch FROM {self._contract.fence_table} GROUP BY partition"
        )
        epochs = fences.select(pl.col("partition").cast(pl.Int32), pl.col("epoch").cast(pl.Int64))
        rows = rows.join(epochs, on="partition", how="left", maintain_order="left")
        return rows.with_columns(pl.lit("").alias("joint")).select(self._columns)

    def rows(self, faults: Faults) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Rows for `_changes` (without epoch) and for `_current`."""
        read = [self._lost(place, low, high) for place, low, high in faults.missing]
        lost = [records for records in read if records is not None]
        keys = self._keys(faults, lost)
        changes = [self._refused(faults, lost)]
        current: list[pl.DataFrame] = []
        for start in range(0, len(keys), KEYS_AT_ONCE):
            mended, states = self._entities(keys[start : start + KEYS_AT_ONCE], lost)
            changes.append(mended)
            current.append(states)
        return _stacked(changes), _stacked(current)

    def _keys(self, faults: Faults, lost: Sequence[LostRecords]) -> list[str]:
        keys = set(faults.entities)
        for records in lost:
            keys.update(records.good["entity_key"])
        for place, low, high in faults.doubled:
            doubled = sql.doubled_offsets(self._contract, *place, low, high + 1)
            found = self._warehouse.rows(
                f"SELECT DISTINCT entity_key FROM {self._contract.changes_table} WHERE kind != 'quarantined' "
                f"AND {sql.within(*place, low, high + 1)} AND `offset` IN (SELECT `offset` FROM ({doubled}))"
            )
            keys.update(str(row[0]) for row in found)
        return sorted(keys)

    def _entities(self, keys: Sequence[str], lost: Sequence[LostRecords]) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Of some entities. The current states are read first, so that no change can be behind them."""
        listed = ",".join(text(key) for key in keys)
        payload = ", ".join(f"`{name}`" for name in self._payload)
        shown = self.frame(
            f"SELECT {payload}, {', '.join(STATES)} FROM {self._contract.current_table} FINAL "
            f"WHERE entity_key IN ({listed})"
        )
        columns = ", ".join(f"`{name}`" for name in self._columns)
        actual = self.frame(
            f"SELECT {columns} FROM {self._contract.changes_table} WHERE entity_key IN ({listed}) "
            "AND kind != 'quarantined' AND NOT (heal = 1 AND reason = 'quarantined')"
        )
        wandering = moved(actual)
        if wandering:
            log.warning("heal_left_out", entity=self._contract.entity, count=len(wandering), keys=wandering[:5])
            actual = actual.filter(~pl.col("entity_key").is_in(wandering))
        again = [records.good.filter(pl.col("entity_key").is_in(list(keys))) for records in lost]
        again = [rows.filter(~pl.col("entity_key").is_in(wandering)) for rows in again]
        history = pl.concat([assertions(actual), *(assertions(rows) for rows in again)], how="diagonal_relaxed")
        right = right_rows(history.sort(PLACE), self._contract)
        return compensation(actual, right, self._contract), self._states(right, shown)

    def _states(self, right: pl.DataFrame, shown: pl.DataFrame) -> pl.DataFrame:
        """States to be inserted: those that are missing or older than the changes, and those hidden by a wrong one.

        To hide a wrong one takes a version above its own, and below that of all batches to come: the last confirmed
        offset's. Where the wrong one is just that, it waits until the partition has moved on.
        """
        wanted = last_states(right, self._contract)
        there = shown.select("entity_key", *(pl.col(name).alias(f"shown_{name}") for name in STATES))
        last = {cut.partition: (cut.life << 40) + cut.offset - 1 for cut in self._cuts().values()}
        confirmed = pl.DataFrame(
            {"partition": list(last), "confirmed": list(last.values())},
            schema={"partition": pl.Int32, "confirmed": pl.UInt64},
        )
        homes = right.select("entity_key", "partition").unique("entity_key", keep="last", maintain_order=True)
        both = (
            wanted.join(there, on="entity_key", how="left", maintain_order="left")
            .join(homes, on="entity_key", how="left", maintain_order="left")
            .join(confirmed, on="partition", how="left", maintain_order="left")
        )
        missing = pl.col("shown_version").is_null() | (pl.col("shown_version") < pl.col("version"))
        wrong = (pl.col("shown_version") > pl.col("version")) & (pl.col("shown_state_offset") != pl.col("state_offset"))
        hides = wrong & (pl.col("confirmed") > pl.col("shown_version"))
        version = pl.when(hides).then(pl.col("confirmed")).otherwise(pl.col("version"))
        return both.filter(missing | hides).with_columns(version.alias("version")).select(*self._payload, *STATES)

    def _refused(self, faults: Faults, lost: Sequence[LostRecords]) -> pl.DataFrame:
        """Quarantined records: one row each."""
        columns = ", ".join(f"`{name}`" for name in self._columns)
        refused = "(kind = 'quarantined' OR (heal = 1 AND reason = 'quarantined'))"
        places = " OR ".join(f"({sql.within(*place, low, high + 1)})" for place, low, high in faults.doubled)
        actual = self.frame(
            f"SELECT {columns} FROM {self._contract.changes_table} WHERE {refused} AND ({places or '0'})"
        )
        return compensation(actual, _stacked([records.refused for records in lost], actual), self._contract)


def _stacked(parts: Sequence[pl.DataFrame], like: pl.DataFrame | None = None) -> pl.DataFrame:
    full = [part for part in parts if part.height]
    if full:
        return pl.concat(full, how="vertical_relaxed")
    return parts[0] if parts else (like.clear() if like is not None else pl.DataFrame())
