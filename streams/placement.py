"""Whether a decoded record can be placed in time and order: pure, judged against its Kafka timestamp only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import polars as pl

from schemas.codec import ROW, BadRecord
from schemas.contract import Contract

FUTURE_TOLERANCE = timedelta(hours=24)
"""An event time further ahead of the record's Kafka timestamp is an error; less is skew, and reported as such."""

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(2299, 12, 31, tzinfo=UTC)
"""The range of ClickHouse's DateTime64."""

MAX_REVISION = 2**60
"""Revisions are ranked as `revision × 3 + op` in 64 bits."""


def misplaced(frame: pl.DataFrame, contract: Contract) -> tuple[BadRecord, ...]:
    """Records of `frame` (the contract's columns, `__row`, `kafka_time`) that cannot be placed."""
    bad = frame.select(ROW, _reason(tuple(field.name for field in contract.fields if field.base == "timestamp")))
    if bad["code"].null_count() == bad.height:
        return ()
    return tuple(BadRecord(row, code, *_REASONS[code]) for row, code in bad.filter(_MISPLACED).rows())


_MISPLACED = pl.col("code").is_not_null()


@cache
def _reason(times: tuple[str, ...]) -> pl.Expr:
    """The column `code`. Made once: making it takes longer than asking it of a small batch."""
    outside = pl.any_horizontal([(pl.col(name) < EARLIEST) | (pl.col(name) > LATEST) for name in times])
    future = pl.col("event_time") > pl.col("kafka_time") + FUTURE_TOLERANCE
    revision = (pl.col("revision") < 0) | (pl.col("revision") > MAX_REVISION)
    keyless = pl.col("entity_key").str.len_bytes() == 0
    return (
        pl.when(keyless)
        .then(pl.lit("empty_key"))
        .when(revision)
        .then(pl.lit("revision_out_of_range"))
        .when(outside)
        .then(pl.lit("time_out_of_range"))
        .when(future)
        .then(pl.lit("event_time_in_future"))
        .alias("code")
    )


_REASONS = {
    "empty_key": ("Bản ghi không có khóa thực thể (entity_key).", "The record has no entity_key."),
    "revision_out_of_range": (
        "Số lần sửa đổi (revision) nằm ngoài khoảng 0 đến 2^60.",
        "The revision is outside 0 to 2^60.",
    ),
    "time_out_of_range": (
        "Có mốc thời gian nằm ngoài các năm 1900–2299.",
        "A timestamp is outside the years 1900–2299.",
    ),
    "event_time_in_future": (
        "Thời điểm sự kiện (event_time) muộn hơn thời điểm ghi vào Kafka quá 24 giờ; kiểm tra đồng hồ hệ thống nguồn.",
        "event_time is more than 24 hours after the record's Kafka timestamp; check the source's clock.",
    ),
}
