"""A fact's time is in its key: a record that gives a known fact another event time is refused. Pure.

Keys of facts are remembered by the day of their event time (`streams.recent_keys`), so a second time would hide the
fact from itself, and it would be counted twice. The first record of a key settles its time, also for corrections and
deletions; the outcome does not depend on how records are cut into batches.
"""

from __future__ import annotations

import polars as pl

from schemas.codec import ROW, BadRecord

CODE = "fact_time_changed"


def moved_facts(batch: pl.DataFrame, states: pl.DataFrame) -> tuple[BadRecord, ...]:
    """The records of the batch whose event time is not that of their fact, by row.

    `batch`: `entity_key`, `event_time` and `__row`, in offset order; `states`: the first two, one row a key.
    """
    parts = [
        states.select("entity_key", "event_time", pl.lit(None, dtype=pl.UInt32).alias(ROW)),
        batch.select("entity_key", "event_time", pl.col(ROW).cast(pl.UInt32)),
    ]
    settled = pl.col("event_time").first().over("entity_key")
    moved = pl.concat(parts).filter(pl.col("event_time") != settled)
    return tuple(
        BadRecord(
            row,
            CODE,
            "Thời điểm (event_time) khác với thời điểm đã biết của sự kiện này; thời điểm là một phần của khóa, bản "
            "đính chính hay xóa cũng phải mang thời điểm đó.",
            "event_time differs from the one known of this fact; the time is part of its key, and corrections and "
            "deletions carry it too.",
        )
        for row in moved[ROW].to_list()
    )
