"""Healing: what an audit found is put right by inserting, never by deleting, while the flow goes on.

Order: first `<entity>_changes` (and `<entity>_current`), then, after another audit, what is derived from it.

- `_changes` is read as one snapshot, and a batch is in it whole or not at all, so a compensation is exact whatever is
  written meanwhile. It goes through the views like any rows and has the right effect on the rollups.
- A rollup's or the ledger's difference was allowed by several readings with different batches in flight, so it is no
  batch's doing. Sums add up in any order: the opposite amount is right whatever is inserted meanwhile.
- `_current` keeps the highest version, so a state that was lost may come back late.

Every insert is entered in `heals` first (`streams.heal_log`) and carries a token of its own, so that it may be
repeated until the warehouse has answered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl
import structlog

from schemas.codec import dtype
from schemas.contract import Contract
from streams.audit import Key, Vector
from streams.audit_checks import Faults
from streams.audit_sql import LEDGER_COLUMNS, Cut, LiveRollup
from streams.block import arrow_stream
from streams.errors import WarehouseError, WarehouseUnavailableError
from streams.heal_changes import ChangesHealing, Lost
from streams.heal_log import HealLog
from streams.kpi import DUE_MINUTE
from streams.warehouse.client import Warehouse

log = structlog.get_logger()

ATTEMPTS = 20
"""Of one insert, a second apart: a warehouse that restarts is back within it."""

RETRY_S = 1.0

ROWS_AT_ONCE = 20_000
"""Of one insert into a rollup: as large as a batch."""


@dataclass(frozen=True, slots=True)
class Insertion:
    """Rows to be inserted into `target`, and what they put right."""

    target: str
    rows: pl.DataFrame
    why: str


class Healer:
    """Heals one entity. `lost` gives the records of a missing range, from Kafka; `cuts` what is confirmed."""

    def __init__(
        self,
        warehouse: Warehouse,
        contract: Contract,
        lost: Lost,
        cuts: Callable[[], Mapping[int, Cut]],
    ) -> None:
        self._warehouse = warehouse
        self._contract = contract
        self._changes = ChangesHealing(warehouse, contract, lost, cuts)

    def plan(self, faults: Faults, rollups: Sequence[LiveRollup]) -> list[Insertion]:
        """What would be inserted. Where `_changes` has to be mended, only that: what follows from it is another
        audit's to find."""
        changes, current = self._changes.rows(faults)
        first = [
            Insertion(self._contract.changes_table, changes, "compensation"),
            Insertion(self._contract.current_table, current, "state"),
        ]
        if changes.height:
            return [insertion for insertion in first if insertion.rows.height]
        by_table = {rollup.table: rollup for rollup in rollups}
        following = [
            Insertion(table, self._rollup_rows(by_table[table], differences), "difference")
            for table, differences in sorted(faults.rollups.items())
            if table in by_table
        ]
        ledger = Insertion("ledger", self._ledger_rows(faults.ledger), "difference")
        return [insertion for insertion in (*first, *following, ledger) if insertion.rows.height]

    def insert(self, insertions: Sequence[Insertion], journal: HealLog) -> int:
        """Insert what was planned; how many rows. Raises `HealBusyError` if another healing began."""
        count = 0
        for insertion in insertions:
            for rows in _parts(insertion.rows):
                told = rows.write_json() if insertion.target != self._contract.changes_table else ""
                token = journal.write("inserted", self._contract.entity, insertion.target, rows.height, told)
                self._send(insertion.target, rows, token)
                count += rows.height
            log.info(
                "audit_healed", entity=self._contract.entity, target=insertion.target, rows=insertion.rows.height,
                why=insertion.why,
            )  # fmt: skip
        return count

    def _send(self, target: str, rows: pl.DataFrame, token: str) -> None:
        """The identical block until it is answered; compensations with the epoch that the fence asks for now."""
        for attempt in range(ATTEMPTS):
            try:
                block = self._changes.stamped(rows) if target == self._contract.changes_table else rows
                self._warehouse.insert(target, block.columns, arrow_stream(block), token)
                return
            except WarehouseUnavailableError as error:
                log.warning("heal_waits", target=target, error=str(error)[:300])
                if attempt == ATTEMPTS - 1:
                    raise
            except WarehouseError as error:
                # A worker took the partition over between the reading of the fence and the insert.
                if "fenced" not in str(error) or attempt == ATTEMPTS - 1:
                    raise
            time.sleep(RETRY_S)

    def _rollup_rows(self, rollup: LiveRollup, differences: Mapping[Key, Vector]) -> pl.DataFrame:
        fields = self._contract.by_name
        schema: dict[str, pl.DataType] = {"day": pl.Date()}
        schema |= {
            name: pl.Datetime("ms", "UTC") if name == DUE_MINUTE else dtype(fields[name]) for name in rollup.dimensions
        }
        schema |= dict.fromkeys(rollup.measures, pl.Int64())
        rows = [(*key, *(-value for value in vector)) for key, vector in differences.items()]
        return pl.DataFrame(rows, schema=schema, orient="row").sort(pl.all())

    def _ledger_rows(self, differences: Mapping[Key, Vector]) -> pl.DataFrame:
        """The counts that are missing; the times as the changes have them, since the ledger keeps the latest."""
        schema = {"source_system": pl.String, "partition": pl.Int32, "day": pl.Date}
        counts = pl.DataFrame(
            [(*key, *(-value for value in vector)) for key, vector in differences.items()],
            schema={**schema, **dict.fromkeys(LEDGER_COLUMNS, pl.Int64)},
            orient="row",
        )
        if not counts.height:
            return counts
        days = ", ".join(f"'{day}'" for day in sorted(set(counts["day"])))
        times = self._changes.frame(
            "SELECT toString(source_system) AS source_system, partition, toDate(kafka_time, 'UTC') AS day, "
            "maxIf(event_time, kind != 'quarantined') AS max_event_time, max(ingest_time) AS max_ingest_time, "
            "max(kafka_time) AS max_kafka_time, now64(3, 'UTC') AS written_at, max(last) AS max_last "
            f"FROM {self._contract.changes_table} WHERE kind != 'retracted' AND day IN ({days}) "
            "GROUP BY source_system, partition, day"
        ).with_columns(pl.col("day").cast(pl.Date), pl.col("partition").cast(pl.Int32))
        entity = pl.lit(self._contract.entity).alias("entity")
        return counts.join(times, on=["source_system", "partition", "day"], how="inner").select(entity, pl.all())


def _parts(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Blocks that the warehouse writes whole: not too large, and of one table partition (month of `batch_time`)."""
    months = [rows]
    if "batch_time" in rows.columns:
        month = pl.col("batch_time").dt.truncate("1mo").alias("__month")
        months = [
            part.drop("__month") for part in rows.with_columns(month).partition_by("__month", maintain_order=True)
        ]
    for part in months:
        yield from part.iter_slices(ROWS_AT_ONCE)
