"""Records are placed in time by their Kafka timestamp, never by the worker's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from schemas.codec import ROW, dtype
from schemas.contract import load_contracts
from streams.placement import FUTURE_TOLERANCE, misplaced

FEEDBACK = load_contracts()["feedback"]
KAFKA_TIME = datetime(2022, 9, 19, 1, tzinfo=UTC)


def placed(**changes: object) -> tuple[str, ...]:
    row: dict[str, object] = {field.name: None for field in FEEDBACK.fields}
    row |= {"entity_key": "PA-1", "revision": 1, "event_time": KAFKA_TIME, "ingest_time": KAFKA_TIME, **changes}
    schema = {field.name: dtype(field) for field in FEEDBACK.fields}
    frame = pl.DataFrame([row], schema=schema).with_columns(
        pl.lit(3, dtype=pl.UInt32).alias(ROW), pl.lit(KAFKA_TIME, dtype=pl.Datetime("ms", "UTC")).alias("kafka_time")
    )
    bad = misplaced(frame, FEEDBACK)
    assert all(record.row == 3 and record.reason and record.reason_en for record in bad)
    return tuple(record.code for record in bad)


def test_an_ordinary_record_is_placed() -> None:
    assert placed() == ()


def test_a_little_skew_is_tolerated() -> None:
    assert placed(event_time=KAFKA_TIME + FUTURE_TOLERANCE) == ()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"event_time": KAFKA_TIME + FUTURE_TOLERANCE + timedelta(seconds=1)}, "event_time_in_future"),
        ({"due_at": datetime(9000, 1, 1, tzinfo=UTC)}, "time_out_of_range"),
        ({"received_at": datetime(1800, 1, 1, tzinfo=UTC)}, "time_out_of_range"),
        ({"revision": -1}, "revision_out_of_range"),
        ({"revision": 2**61}, "revision_out_of_range"),
        ({"entity_key": ""}, "empty_key"),
    ],
)
def test_what_cannot_be_placed_is_named(changes: dict[str, object], code: str) -> None:
    assert placed(**changes) == (code,)
