"""What the arrival of one batch's records says about the data: pure. The same counts as `streams.arrivals.select`'s."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cache

import polars as pl

from streams.arrivals import LATE_AFTER_HOURS, SKEW_AFTER, TOOK_BACK


@dataclass(frozen=True, slots=True)
class Skew:
    """Records of one source system whose clock is ahead: how many, and by how much at most."""

    source_system: str
    records: int
    most: timedelta


@dataclass(frozen=True, slots=True)
class Arrived:
    """What one batch's arrival says: late corrections, superseded records, and skew by source system."""

    late: int
    superseded: int
    skew: tuple[Skew, ...]


def arrived(rows: pl.DataFrame, late_after: timedelta = timedelta(hours=LATE_AFTER_HOURS)) -> Arrived:
    """Of the rows of one batch (`kind`, `reason`, `event_time`, `kafka_time`, `source_system`)."""
    late, superseded, skewed = rows.select(_counts(late_after)).row(0)
    if not skewed:
        return Arrived(late, superseded, ())
    by_source = (
        rows.filter(_skewed).group_by("source_system").agg(pl.len(), _ahead.max().alias("most")).sort("source_system")
    )
    return Arrived(late, superseded, tuple(Skew(*row) for row in by_source.rows()))


_ahead = pl.col("event_time") - pl.col("kafka_time")
_skewed = pl.col("kind").is_in(["applied", "deleted", "superseded"]) & (_ahead > SKEW_AFTER)


@cache
def _counts(late_after: timedelta) -> tuple[pl.Expr, ...]:
    """Late, superseded and skewed records. Made once: making them takes longer than asking them of a small batch."""
    late = pl.col("kind").is_in(["applied", "deleted"]) & (pl.col("reason") == TOOK_BACK) & (_ahead < -late_after)
    superseded = pl.col("kind") == "superseded"
    return late.sum().alias("late"), superseded.sum().alias("superseded"), _skewed.sum().alias("skewed")
