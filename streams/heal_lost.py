"""Records that were lost, from Kafka again, as rows for `streams.compensation`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import polars as pl

from schemas.codec import ROW, BadRecord, Decoder
from schemas.contract import Contract
from streams.audit_readings import Place
from streams.block import Bounds, finish, quarantined_rows
from streams.change import OFFSET
from streams.conflicts import reused_event_ids
from streams.heal_changes import LostRecords
from streams.placement import misplaced
from streams.quarantine import Refusal, stream_refusals
from streams.records import Records

StatesBefore = Callable[[list[str], Bounds], pl.DataFrame]
"""States of entities as they were before a batch (`EntityStore.states_before`)."""


def lost_rows(
    records: Records, decoder: Decoder, contract: Contract, bounds: Bounds, states_before: StatesBefore
) -> tuple[LostRecords, tuple[BadRecord, ...]]:
    """The records of `bounds`, at least one, and those among them that belong into the quarantine.

    What kind each good one is, its entity's history tells; here all are `applied`.
    """
    times = records.arrivals
    decoded = decoder.decode(records.keys, records.values)
    placed = decoded.frame.with_columns(
        times[OFFSET].gather(decoded.frame[ROW]), times["kafka_time"].gather(decoded.frame[ROW])
    )
    late = misplaced(placed, contract)
    kept = placed.filter(~pl.col(ROW).is_in([record.row for record in late]))
    keys = kept["entity_key"].unique(maintain_order=True).to_list()
    reused = reused_event_ids(kept, states_before(keys, bounds), contract) if keys else ()
    kept = kept.filter(~pl.col(ROW).is_in([record.row for record in reused]))
    bad = (*decoded.bad, *late, *reused)
    good = kept.select(
        *(field.name for field in contract.fields),
        OFFSET,
        pl.lit("applied").alias("kind"),
        pl.lit(1, dtype=pl.Int8).alias("sign"),
        pl.col(OFFSET).alias("state_offset"),
        pl.lit("").alias("reason"),
    )
    refused = quarantined_rows(bad, records.offsets, records.keys, contract)
    return LostRecords(finish(good, times, bounds), finish(refused, times, bounds)), bad


class RecordLog(Protocol):
    """Reads a topic partition."""

    def records(self, partition: int, first: int, last: int) -> Records: ...


class LostReader:
    """Reads lost records of one entity's topic again. Blocks."""

    def __init__(
        self,
        contract: Contract,
        log: RecordLog,
        decoder: Decoder,
        states_before: StatesBefore,
        topic_id: Callable[[int], str],
        quarantine: Callable[[Sequence[Refusal]], None],
    ) -> None:
        """`topic_id`: of a partition, by its fence. `quarantine` returns when all replicas have the refusals."""
        self._contract = contract
        self._log = log
        self._decoder = decoder
        self._states_before = states_before
        self._topic_id = topic_id
        self._quarantine = quarantine

    def __call__(self, place: Place, first: int, last: int) -> LostRecords | None:
        """The records of a range; None if Kafka does not hold one of them any more."""
        partition, life = place
        records = self._log.records(partition, first, last)
        if not len(records):
            return None
        bounds = Bounds(self._contract.topic, self._topic_id(partition), life, partition, first, last, 0)
        rows, bad = lost_rows(records, self._decoder, self._contract, bounds, self._states_before)
        if bad:
            self._quarantine(stream_refusals(bad, records, bounds, self._contract))
        return rows
